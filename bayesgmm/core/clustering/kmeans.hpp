// k-means on a small sample, to begin EM from, and a metric for it.
#pragma once

#include "clustering/column_tables.hpp"
#include "linear_algebra/factors.hpp"

namespace bayesgmm {

// Squared distances of LANES rows, from b on, to a centre (D).
inline Vec squared_distances(ConstMatrix columns, Index b, ConstVector centre) {
    Vec square{};
    for (Index j = 0; j < centre.size(); ++j) {
        const Vec apart = load(&columns(j, b)) - centre[j];
        square += apart * apart;
    }
    return square;
}

// The first row where the running sum of weight times distance is above a share of the whole.
inline Index row_at(double share, ConstVector row_weights, ConstVector distances) {
    const Index n = row_weights.size();
    const double target = share * dot(row_weights, distances.part(0, n));
    double reached = 0.0;
    for (Index b = 0; b < n; ++b) {
        reached += row_weights[b] * distances[b];
        if (reached > target) return b;
    }
    return n - 1;
}

// The nearest of the centres (K, D) to each column, the first of equally near ones; squared
// distances are rounded to a quantum, if it is not 0. Returns whether any label has changed.
inline bool assign_to_centres(ConstMatrix columns, ConstMatrix centres, double quantum,
                              Labels labels) {
    Bits moved{};
    for (Index b = 0; b < labels.size(); b += LANES) {
        Vec least = splat(INFINITE);
        Bits nearest{}, before;
        for (Index k = 0; k < centres.shape[0]; ++k) {
            const Vec exact = squared_distances(columns, b, centres[k]);
            const Vec square = quantum > 0.0 ? to_quantum(exact, quantum) : exact;
            nearest = square < least ? splat_bits(k) : nearest;
            least = square < least ? square : least;
        }
        std::memcpy(&before, &labels[b], sizeof before);
        std::memcpy(&labels[b], &nearest, sizeof nearest);
        moved |= before ^ nearest;
    }
    bool any = false;
    for (Index lane = 0; lane < LANES; ++lane) any = any || moved[lane] != 0;
    return any;
}

// Means of the rows of each label, in place of the centres (K, D) that have any.
inline void recentre(ConstMatrix columns, ConstVector row_weights, Labels labels, Matrix centres) {
    const Index n = row_weights.size();
    Numbers members(n), ones(n);
    fill(ones, 1.0);
    for (Index k = 0; k < centres.shape[0]; ++k) {
        for (Index b = 0; b < n; ++b) members[b] = labels[b] == k ? row_weights[b] : 0.0;
        const double count = dot(members, ones);
        for (Index j = 0; j < centres.shape[1] && count > 0.0; ++j)
            centres(k, j) = dot(members, columns[j]) / count;
    }
}

// Lloyd's algorithm from k-means++ seeds (Arthur & Vassilvitskii 2007); fills labels (n).
//
// rows (n, D); row_weights (n); uniforms (K) in [0, 1) choose the seeds.
inline void k_means(ConstMatrix rows, ConstVector row_weights, ConstVector uniforms,
                    Index max_iterations, Labels labels) {
    const Index k = uniforms.size(), d = rows.shape[1];
    const Table columns = by_columns(rows);
    Table centres(k, d);
    // Those of the padding count for nothing.
    LabelNumbers nearest(columns.view().shape[1]);
    Numbers distances(nearest.size());
    // The first seed by weight, each later one by weight times squared distance to the others.
    fill(distances, 1.0);
    for (Index seed = 0; seed < k; ++seed) {
        assign(centres[seed], rows[row_at(uniforms[seed], row_weights, distances)]);
        if (seed == 0) fill(distances, INFINITE);
        for (Index b = 0; b < distances.size(); b += LANES) {
            const Vec square = squared_distances(columns, b, centres[seed]);
            const Vec old = load(&distances[b]);
            store(square < old ? square : old, &distances[b]);
        }
    }
    bool moved = true;
    assign_to_centres(columns, centres, 0.0, nearest);
    for (Index m = 0; m < max_iterations && moved; ++m) {
        recentre(columns, row_weights, nearest, centres);
        moved = assign_to_centres(columns, centres, 0.0, nearest);
    }
    std::copy_n(nearest.data(), labels.size(), labels.data);
}

// The nearest of the rows `chosen` (K) to each row, as labels (n).
//
// Squared distances are rounded, so that rows at equal ones go to the first in any coordinates.
inline void nearest_of(ConstMatrix rows, ConstLabels chosen, Labels labels) {
    const Table columns = by_columns(rows);
    Table centres(chosen.size(), rows.shape[1]);
    for (Index k = 0; k < chosen.size(); ++k) assign(centres[k], rows[chosen[k]]);
    LabelNumbers nearest(columns.view().shape[1]);
    assign_to_centres(columns, centres, 0x1p-30, nearest);
    std::copy_n(nearest.data(), labels.size(), labels.data);
}

// The nearest tenth of m differences (D, padded m), as columns.
inline Table near_ones(ConstMatrix apart, Index m) {
    std::vector<double> squares(m);
    for (Index j = 0; j < apart.shape[0]; ++j)
        for (Index b = 0; b < m; ++b) squares[b] += apart(j, b) * apart(j, b);
    // nth_element must not meet NaN.
    for (double &each : squares) each = each < INFINITE ? each : INFINITE;
    std::vector<double> sorted(squares);
    std::nth_element(sorted.begin(), sorted.begin() + m / 10, sorted.end());
    std::vector<Index> near;
    for (Index b = 0; b < m; ++b)
        // Equal rows carry no information on the metric.
        if (0.0 < squares[b] && squares[b] <= sorted[m / 10]) near.push_back(b);
    Table out(apart.shape[0], near.size());
    for (Index j = 0; j < apart.shape[0]; ++j)
        std::transform(near.begin(), near.end(), out[j].begin(),
                       [&](Index b) { return apart(j, b); });
    return out;
}

// The Cholesky factor of the covariance of near differences (D, m), its mean variance being 1.
//
// Returns false if there are none.
inline bool factor_of_near(const Table &near, Matrix lower) {
    const Index d = lower.shape[0];
    Table covariance(d, d);
    double trace = 0.0;
    for (Index i = 0; i < d; ++i) {
        for (Index j = 0; j <= i; ++j) covariance(i, j) = dot(near[i], near[j]);
        trace += covariance(i, i);
    }
    if (trace == 0.0) return false;
    scale(covariance.flat(), static_cast<double>(d) / trace);
    // Fewer near pairs than columns leave directions without any.
    for (Index i = 0; i < d; ++i) covariance(i, i) += 1e-6;
    return cholesky(covariance, lower);
}

// Put rows (n, D) where differences between near ones have the identity for a covariance.
//
// An estimate of the covariance within groups that needs to know neither the groups nor their
// number (Art, Gnanadesikan & Kettenring 1982, Utilitas Mathematica 21A, 75-99): that of the
// nearest tenth of differences, near in the metric that it makes itself. differences (m, D) are
// those of pairs of rows.
inline void whiten_near_pairs(Matrix rows, ConstMatrix differences, Index n_rounds) {
    const Index n = rows.shape[0], d = rows.shape[1], m = differences.shape[0];
    Table columns = by_columns(rows), apart = by_columns(differences), lower(d, d);
    for (Index round = 0; round < n_rounds && m > 0; ++round) {
        if (!factor_of_near(near_ones(apart, m), lower)) break;
        solve_columns(lower, apart, apart);
        solve_columns(lower, columns, columns);
    }
    for (Index b = 0; b < n; ++b)
        for (Index j = 0; j < d; ++j) rows(b, j) = columns(j, b);
}

}  // namespace bayesgmm
