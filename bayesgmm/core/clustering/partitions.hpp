// Moments of the parts of a partition of rows.
//
// labels (n) in 0..K-1; row_weights (n); rows (n, D). Scatters are sums about means: raw second
// moments lose the digits that a far-off origin takes.
#pragma once

#include "linear_algebra/simd.hpp"

namespace bayesgmm {

// Rows sorted by their parts, by columns: all sums run over neighbours. Part k has the rows from
// first[k] up to first[k + 1].
struct Parts {
    Table columns;
    Numbers weights;
    std::vector<Index> first;

    Parts(ConstMatrix rows, ConstVector row_weights, ConstLabels labels, Index n_parts)
        : columns(rows.shape[1], rows.shape[0]), weights(rows.shape[0]), first(n_parts + 1) {
        for (const std::int64_t label : labels) ++first[label + 1];
        for (Index k = 0; k < n_parts; ++k) first[k + 1] += first[k];
        std::vector<Index> next(first);
        const Matrix to = columns;
        for (Index b = 0; b < labels.size(); ++b) {
            const Index place = next[labels[b]]++;
            weights[place] = row_weights[b];
            for (Index j = 0; j < to.shape[0]; ++j) to(j, place) = rows(b, j);
        }
    }

    // counts (K) and means (K, D), from which the rows are counted hence; NaN for an empty part.
    void centre(Vector counts, Matrix means) {
        for (Index k = 0; k < counts.size(); ++k) {
            const ConstVector own = weights.part(first[k], first[k + 1]);
            counts[k] = sum(own);
            for (Index j = 0; j < means.shape[1]; ++j) {
                const Vector column = columns[j].part(first[k], first[k + 1]);
                means(k, j) = dot(own, column) / counts[k];
                for (double &x : column) x -= means(k, j);
            }
        }
    }

    // Scatter of the centred rows begin..end-1: (D, D), or (1, D) for its diagonal.
    void scatter(Index begin, Index end, Matrix out) {
        Numbers weighted(end - begin);
        for (Index i = 0; i < out.shape[1]; ++i) {
            const ConstVector column = columns[i].part(begin, end);
            for (Index b = begin; b < end; ++b) weighted[b - begin] = weights[b] * columns(i, b);
            if (out.shape[0] == 1) {
                out(0, i) = dot(weighted, column);
                continue;
            }
            for (Index j = 0; j <= i; ++j)
                out(i, j) = out(j, i) = dot(weighted, columns[j].part(begin, end));
        }
    }
};

// Counts, means and scatters (K, D, D) of the parts.
inline void partition_moments(ConstMatrix rows, ConstVector row_weights, ConstLabels labels,
                              Vector counts, Matrix means, Matrices scatters) {
    Parts parts(rows, row_weights, labels, counts.size());
    parts.centre(counts, means);
    for (Index k = 0; k < counts.size(); ++k)
        parts.scatter(parts.first[k], parts.first[k + 1], scatters[k]);
}

// Counts, means and the scatter within all parts together: (D, D), or (1, D) for its diagonal,
// which structures without correlations need. It does not collapse where one part is small.
//
// Returns false if a part is empty.
inline bool partition_start(ConstMatrix rows, ConstVector row_weights, ConstLabels labels,
                            Vector counts, Matrix means, Matrix pooled) {
    Parts parts(rows, row_weights, labels, counts.size());
    parts.centre(counts, means);
    for (const double count : counts)
        if (!(count > 0.0)) return false;
    parts.scatter(0, rows.shape[0], pooled);
    return true;
}

}  // namespace bayesgmm
