// Moments of the parts of a partition of rows.
//
// labels (n) in 0..K-1; row_weights (n); rows (n, D). Scatters are sums about means: raw second
// moments lose the digits that a far-off origin takes.
#pragma once

#include <cstdint>
#include <vector>

#include "arrays.hpp"
#include "simd.hpp"

namespace bayesgmm {

using ConstLabels = View<const std::int64_t, 1>;

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

    Vector weights_of(Index k) { return weights.view().part(first[k], first[k + 1]); }
    Vector column_of(Index k, Index j) { return columns[j].part(first[k], first[k + 1]); }

    // counts (K) and means (K, D), from which the rows are counted hence; NaN for an empty part.
    void centre(Vector counts, Matrix means) {
        for (Index k = 0; k < counts.size(); ++k) {
            counts[k] = sum(weights_of(k));
            for (Index j = 0; j < means.shape[1]; ++j) {
                const Vector column = column_of(k, j);
                means(k, j) = dot(weights_of(k), column) / counts[k];
                for (double &x : column) x -= means(k, j);
            }
        }
    }
};

// Counts, means and scatters (K, D, D) of the parts.
inline void partition_moments(ConstMatrix rows, ConstVector row_weights, ConstLabels labels,
                              Vector counts, Matrix means, Matrices scatters) {
    Parts parts(rows, row_weights, labels, counts.size());
    parts.centre(counts, means);
    Numbers scratch(rows.shape[0]);
    for (Index k = 0; k < counts.size(); ++k)
        for (Index i = 0; i < rows.shape[1]; ++i) {
            const Vector weights = parts.weights_of(k), column = parts.column_of(k, i);
            const Vector weighted = scratch.view().part(0, weights.size());
            for (Index b = 0; b < weights.size(); ++b) weighted[b] = weights[b] * column[b];
            for (Index j = 0; j <= i; ++j)
                scatters(k, i, j) = scatters(k, j, i) = dot(weighted, parts.column_of(k, j));
        }
}

// Counts, means and the scatter within all parts together: (D, D), or (1, D) for its diagonal,
// which structures without correlations need. It does not collapse where one part is small.
//
// Returns false if a part is empty.
inline bool partition_start(ConstMatrix rows, ConstVector row_weights, ConstLabels labels,
                            Vector counts, Matrix means, Matrix pooled) {
    const Index n = rows.shape[0], d = rows.shape[1];
    Parts parts(rows, row_weights, labels, counts.size());
    parts.centre(counts, means);
    for (const double count : counts)
        if (!(count > 0.0)) return false;
    const Matrix columns = parts.columns;
    Numbers weighted(n);
    const bool diagonal = pooled.shape[0] == 1;
    for (Index i = 0; i < d; ++i) {
        for (Index b = 0; b < n; ++b) weighted[b] = parts.weights[b] * columns(i, b);
        if (diagonal) pooled(0, i) = dot(weighted, columns[i]);
        for (Index j = 0; j <= i && !diagonal; ++j)
            pooled(i, j) = pooled(j, i) = dot(weighted, columns[j]);
    }
    return true;
}

}  // namespace bayesgmm
