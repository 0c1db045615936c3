// The kernel: expected sufficient statistics of rows of data, in one pass.
//
// For rows x_b with weights v_b and components (w_k, mu_k, P_k), where P_k is the lower triangular
// inverse of the Cholesky factor of Sigma_k,
//
//     l_kb = log w_k + log det P_k - D/2 log(2 pi) - |P_k (x_b - mu_k)|^2 / 2
//     l_b  = log sum_k exp l_kb                                       the row's log density
//     r_kb = v_b exp(l_kb - l_b)                                      its responsibilities
//
// and what is added up is
//
//     l     += v_b l_b
//     N_k   += r_kb
//     A_k   += r_kb (x_b - mu_k)                                      about the current mean
//     B_k   += r_kb (x_b - mu_k)(x_b - mu_k)'                         lower triangle
//
// Everything that fits a mixture or differentiates its likelihood is made from these sums. They add
// over rows, so threads, files and clusters are only ways to write the sum.
//
// Factors with three axes are lower triangles; with two they are diagonal, need the diagonal of B
// alone, and also serve D = 1. Both work on BLOCK rows at a time, transposed, so that every inner
// loop runs over rows at unit stride. No array of n x K or n x D is ever made.
//
// One factor of each product is left uncentred: P x - P mu, and B as the sum of r (x - mu) x' less
// A mu'. They lose no more digits than (x - shift) * scale did when it was rounded, and save a pass
// over the block.
#pragma once

#include "likelihood/gaussians.hpp"
#include "linear_algebra/tiles.hpp"

namespace bayesgmm {

// What is known of rows beside what was seen of them.
struct Known {
    // Rows' classes (n,), -1 where unknown, and components' (K,), or none where component k is class
    // k. A row of a known class comes from one of its components.
    ConstLabels labels = {}, classes = {};
    // Log densities (n,) of rows that come from no component: the noise, of weight 1 - sum_k w_k.
    ConstVector noise = {};

    bool empty() const { return labels.empty() && noise.empty(); }
    // Rows of the arrays of log joint densities: the last is that of the noise.
    Index n_densities(Index k) const { return noise.empty() ? k : k + 1; }
    Known part(Index first, Index last) const {
        return {labels.empty() ? labels : labels.part(first, last), classes,
                noise.empty() ? noise : noise.part(first, last)};
    }
};

// Rows of data, read as (x - shift) * scale. No weights: every row counts once.
struct Rows {
    ConstMatrix x;
    ConstVector weights, shift, scale;
    // Variances (n, D) or covariances (n, D * D) of the rows' errors, or one row for all.
    ConstMatrix errors = {};
    bool partial = false;  // entries are NaN, or there are errors: see partial_rows.hpp
    Known known = {};
};

// The sums of a pass, in one vector: l, the sum of v_b, N (K,), A (K, D), B (K, D, D) or (K, D).
template <int Axes>
struct Sums {
    Vector all;
    Index k, d;

    static Index size(Index k, Index d) { return 2 + k * (1 + d + covariance_size<Axes>(d)); }
    double &log_likelihood() const { return all[0]; }
    double &weight() const { return all[1]; }
    Vector counts() const { return all.part(2, 2 + k); }
    Matrix firsts() const { return all.part(2 + k, 2 + k + k * d).reshaped(k, d); }
    View<double, Axes> seconds() const {
        return covariance_view<Axes>(all.data + 2 + k * (1 + d), k, d);
    }
};

// Scratch of one thread: a block of rows.
struct Workspace {
    Table xt;     // x (D, rows)
    Table rz;     // r (x - mu) of a tile's features
    Table joint;  // log joint densities, then responsibilities (K or K + 1, rows)

    Workspace(Index n_densities, Index d)
        : xt(d, STRIDE), rz(TILE, STRIDE), joint(n_densities, STRIDE) {}
};

// Rows first..first+count-1, transposed and in their units; zeros up to a whole strip, to which
// `normalise` gives no weight.
inline void load_block(const Rows &rows, Index first, Index count, Matrix xt) {
    const Index d = rows.x.shape[1];
    const double *from = &rows.x.data[first * d];
    for (Index j = 0; j < d; ++j) {
        const double a = rows.shift[j], s = rows.scale[j];
        double *to = &xt(j, 0);
        for (Index b = 0; b < count; ++b) to[b] = (from[b * d + j] - a) * s;
        for (Index b = count; b < to_strips(count); ++b) to[b] = 0.0;
    }
}

// --- log joint densities of a block ---------------------------------------------------------------

// |P x - P mu|^2 of a strip of rows.
inline void squared_lengths(ConstMatrix factor, ConstVector offset, ConstMatrix xt, Index b,
                            Vec (&squares)[STRIP_VECTORS]) {
    const Index d = xt.shape[0];
    Index i = 0;
    for (; i + WHITEN_ROWS <= d; i += WHITEN_ROWS)
        add_squares<WHITEN_ROWS>(factor, offset, i, xt, b, squares);
    for (; i + 2 <= d; i += 2) add_squares<2>(factor, offset, i, xt, b, squares);
    if (i < d) add_squares<1>(factor, offset, i, xt, b, squares);
}

inline void squared_lengths(ConstVector factor, ConstVector offset, ConstMatrix xt, Index b,
                            Vec (&squares)[STRIP_VECTORS]) {
    for (Index j = 0; j < xt.shape[0]; ++j)
        for (int s = 0; s < STRIP_VECTORS; ++s) {
            const Vec y = factor[j] * load(&xt(j, b + s * LANES)) + offset[j];
            squares[s] += y * y;
        }
}

// l_kb of `count` rows.
template <int Axes>
inline void log_joint(const Gaussians<Axes> &mixture, Index count, ConstMatrix xt, Matrix joint) {
    for (Index k = 0; k < mixture.k(); ++k) {
        const auto factor = mixture.factors.view()[k];
        const ConstVector offset = mixture.offsets.view()[k];
        const double constant = mixture.constants.view()[k];
        for (Index b = 0; b < count; b += STRIP) {
            Vec squares[STRIP_VECTORS] = {};
            squared_lengths(factor, offset, xt, b, squares);
            for (int s = 0; s < STRIP_VECTORS; ++s)
                store(constant - 0.5 * squares[s], &joint(k, b + s * LANES));
        }
    }
}

// Log joint densities of rows first..first+count-1, given what is known of them.
inline void add_known(const Known &known, Index first, Index count, double log_noise_weight,
                      Matrix joint) {
    constexpr double NEVER = -1e300;
    const Index k = joint.shape[0] - known.n_densities(0);
    if (!known.noise.empty()) {
        const Vector noise = joint[k];
        fill(noise, NEVER);
        for (Index b = 0; b < count; ++b)
            noise[b] = std::max(log_noise_weight + known.noise[first + b], NEVER);
    }
    if (known.labels.empty()) return;
    for (Index b = 0; b < count; ++b) {
        const std::int64_t label = known.labels[first + b];
        if (label < 0) continue;
        for (Index c = 0; c < joint.shape[0]; ++c)
            if (c == k || label != (known.classes.empty() ? c : known.classes[c]))
                joint(c, b) = NEVER;
    }
}

// --- responsibilities of a block ------------------------------------------------------------------

// The weights of rows b.. of a block of `count` rows; 0 for rows beyond it.
inline Vec row_weights(ConstVector of_block, Index b, Index count) {
    if (b + LANES <= count && !of_block.empty()) return load(&of_block[b]);
    double lanes[LANES] = {};
    for (Index i = 0; i < LANES && b + i < count; ++i)
        lanes[i] = of_block.empty() ? 1.0 : of_block[b + i];
    return load(lanes);
}

// Turn the log joint densities of LANES rows into exp(l_kb - m_b); m_b is their largest, and the
// sum over components is at least 1.
inline void exponentiate(Matrix joint, Index b, Vec &largest, Vec &total) {
    const Index k = joint.shape[0];
    // A row beyond the range of float64 from every component would give inf - inf.
    largest = splat(-1e300);
    for (Index c = 0; c < k; ++c) largest = greater(load(&joint(c, b)), largest);
    total = Vec{};
    for (Index c = 0; c < k; ++c) {
        const Vec e = exp_nonpositive(load(&joint(c, b)) - largest);
        store(e, &joint(c, b));
        total += e;
    }
    total = greater(total, splat(1.0));
}

inline void multiply(Matrix joint, Index b, Vec factor) {
    for (Index c = 0; c < joint.shape[0]; ++c) store(load(&joint(c, b)) * factor, &joint(c, b));
}

// sum_b v_b log(x_b) over a block: logarithms that are formed side by side, as one after another
// they would wait for one another.
struct WeightedLogs {
    static constexpr Index AT_ONCE = 4;
    alignas(64) double v[STRIDE + AT_ONCE * LANES], x[STRIDE + AT_ONCE * LANES];
    Index size = 0;

    void add(Vec weight, Vec each) {
        store(weight, v + size);
        store(each, x + size);
        size += LANES;
    }
    Vec sum() {
        const Index end = size;
        for (Index i = 1; i < AT_ONCE; ++i) add(Vec{}, splat(1.0));
        Vec sums[AT_ONCE] = {};
        for (Index b = 0; b < end; b += AT_ONCE * LANES)
            for (Index u = 0; u < AT_ONCE; ++u)
                sums[u] += load(v + b + u * LANES) * log_positive(load(x + b + u * LANES));
        return (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
};

// Turn log joint densities (K, rows) into weighted responsibilities; the sum of v_b l_b.
//
// `weights` are those of the block, or none. `densities`, if there is room, is filled with l_b.
inline double normalise(Matrix joint, Index count, ConstVector weights, Vector densities = {}) {
    Vec sum_of_logs = {}, product = splat(1.0), largest, total;
    WeightedLogs weighted;
    Index factors = 0;
    for (Index b = 0; b < to_strips(count); b += LANES) {
        exponentiate(joint, b, largest, total);
        if (!densities.empty()) store(largest + log_positive(total), &densities[b]);
        if (weights.empty() && b + LANES <= count) {
            // One logarithm of a product serves many rows: each factor is between 1 and K.
            sum_of_logs += largest;
            product *= total;
            if (++factors == 16) {
                sum_of_logs += log_positive(product);
                product = splat(1.0);
                factors = 0;
            }
            multiply(joint, b, 1.0 / total);
        } else {
            const Vec v = row_weights(weights, b, count);
            sum_of_logs += v * largest;
            weighted.add(v, total);
            multiply(joint, b, v / total);
        }
    }
    return sum_of_lanes(sum_of_logs + log_positive(product) + weighted.sum());
}

// --- sums of a block ------------------------------------------------------------------------------

// Add r (x - mu) of features i..i+m-1 to A, and keep it in rz.
inline void add_firsts(ConstVector r, ConstVector mean, ConstMatrix xt, Index count, Index i,
                       Index m, Matrix rz, Vector firsts) {
    for (Index j = 0; j < m; ++j) {
        const double centre = mean[i + j];
        const double *x = &xt(i + j, 0);
        double *to = &rz(j, 0);
        Vec sums[4] = {};
        for (Index b = 0; b < count; b += 4 * LANES)
            for (int u = 0; u < 4; ++u) {
                const Index at = b + u * LANES;
                const Vec t = load(&r.data[at]) * (load(x + at) - centre);
                store(t, to + at);
                sums[u] += t;
            }
        firsts[i + j] += sum_of_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
    }
}

inline double sum_of_rows(ConstVector r, Index count) {
    Vec sums = {};
    for (Index b = 0; b < count; b += LANES) sums += load(&r[b]);
    return sum_of_lanes(sums);
}

// N, A and the lower triangle of B for a number of features that the compiler knows.
template <int D>
inline double add_narrow(ConstVector r, ConstVector mean, ConstMatrix xt, Index count,
                         Vector firsts, Matrix seconds) {
    constexpr int COUNT = 1 + D + D * (D + 1) / 2;
    Vec sums[COUNT];
    unrolled<COUNT>([&](auto t) { sums[t] = Vec{}; });
    for (Index b = 0; b < count; b += LANES) {
        const Vec v = load(&r[b]);
        Vec x[D];
        unrolled<D>([&](auto j) { x[j] = load(&xt(j, b)); });
        sums[0] += v;
        unrolled<D>([&](auto i) {
            const Vec t = v * (x[i] - mean[i]);
            sums[1 + i] += t;
            unrolled<i() + 1>([&](auto j) { sums[1 + D + i * (i + 1) / 2 + j] += t * x[j]; });
        });
    }
    double totals[COUNT];
    lane_sums_of(sums, totals);
    for (int i = 0, at = 1 + D; i < D; ++i) {
        firsts[i] += totals[1 + i];
        for (int j = 0; j <= i; ++j) seconds(i, j) += totals[at++];
    }
    return totals[0];
}

// The sums of one component over a block.
inline double add_component(ConstVector r, ConstVector mean, const Workspace &work, Index count,
                            Matrix rz, Vector firsts, Matrix seconds) {
    const ConstMatrix xt = work.xt;
    switch (xt.shape[0]) {
        case 2: return add_narrow<2>(r, mean, xt, count, firsts, seconds);
        case 3: return add_narrow<3>(r, mean, xt, count, firsts, seconds);
        case 4: return add_narrow<4>(r, mean, xt, count, firsts, seconds);
        default: break;
    }
    const Index d = xt.shape[0];
    for (Index i = 0; i < d; i += TILE) {
        const Index m = std::min<Index>(TILE, d - i);
        add_firsts(r, mean, xt, count, i, m, rz, firsts);
        add_row_products(m, rz, i, xt, count, seconds);
    }
    return sum_of_rows(r, count);
}

// N, A and the diagonal of B for M features from j on.
template <int M>
inline double add_diagonal(ConstVector r, ConstVector mean, ConstMatrix xt, Index count, Index j,
                           Vector firsts, Vector seconds) {
    Vec sums[1 + 2 * M];
    unrolled<1 + 2 * M>([&](auto t) { sums[t] = Vec{}; });
    for (Index b = 0; b < count; b += LANES) {
        const Vec v = load(&r[b]);
        sums[0] += v;
        unrolled<M>([&](auto m) {
            const Vec z = load(&xt(j + m, b)) - mean[j + m];
            const Vec rz = v * z;
            sums[1 + m] += rz;
            sums[1 + M + m] += rz * z;
        });
    }
    double totals[1 + 2 * M];
    lane_sums_of(sums, totals);
    for (int m = 0; m < M; ++m) {
        firsts[j + m] += totals[1 + m];
        seconds[j + m] += totals[1 + M + m];
    }
    return totals[0];
}

inline double add_component(ConstVector r, ConstVector mean, const Workspace &work, Index count,
                            Matrix, Vector firsts, Vector seconds) {
    const ConstMatrix xt = work.xt;
    const Index d = xt.shape[0];
    double n = 0.0;
    Index j = 0;
    for (; j + 4 <= d; j += 4) n = add_diagonal<4>(r, mean, xt, count, j, firsts, seconds);
    for (; j < d; ++j) n = add_diagonal<1>(r, mean, xt, count, j, firsts, seconds);
    return n;
}

// Add the sums over rows first..last-1 to `out`. Of B the lower triangles, still with A mu' to be
// taken off (`finish`).
template <int Axes>
inline void add_rows(const Rows &rows, Index first, Index last, const Gaussians<Axes> &mixture,
                     Workspace &work, Sums<Axes> out) {
    for (Index start = first; start < last; start += BLOCK) {
        const Index count = std::min(BLOCK, last - start);
        load_block(rows, start, count, work.xt);
        log_joint(mixture, count, work.xt, work.joint);
        add_known(rows.known, start, count, mixture.log_noise_weight, work.joint);
        const ConstVector weights =
            rows.weights.empty() ? rows.weights : rows.weights.part(start, start + count);
        out.log_likelihood() += normalise(work.joint, count, weights);
        out.weight() += weights.empty() ? static_cast<double>(count) : sum(weights);
        for (Index k = 0; k < out.k; ++k) {
            out.counts()[k] +=
                add_component(work.joint[k], mixture.means.view()[k], work, to_strips(count),
                              work.rz, out.firsts()[k], out.seconds()[k]);
        }
    }
}

// Make the second moments B: take off A mu', and mirror the lower triangles.
template <int Axes>
inline void finish(Sums<Axes> sums, ConstMatrix means) {
    if constexpr (Axes == 3) {
        for (Index k = 0; k < sums.k; ++k) {
            const Matrix b = sums.seconds()[k];
            const Vector a = sums.firsts()[k];
            for (Index i = 0; i < sums.d; ++i)
                for (Index j = 0; j <= i; ++j) b(j, i) = b(i, j) -= a[i] * means(k, j);
        }
    }
}

}  // namespace bayesgmm
