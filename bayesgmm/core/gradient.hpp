// The log-likelihood and its gradient out of one pass, for samplers and optimisers.
//
// With N, A, B the sums of a pass (kernel.hpp), P the lower triangular inverse of the Cholesky
// factor L of Sigma, and S_k = P B_k P' - N_k I, Fisher's identity gives
//
//     d/dw_k = N_k / w_k,      d/dmu_k = P' P A_k,
//     d/dP_k = N_k diag(1 / P_ii) - P B_k,      d/dL_k = P' S_k          lower triangles
//     d/dSigma_k = P' S_k P / 2                                          symmetric
//
// which are products of small matrices: no solves, no inverses of covariances.
//
// A pass is made by the calling thread alone: samplers run their chains side by side.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "passes.hpp"
#include "small_matrices.hpp"

namespace bayesgmm {

// What the matrices of a likelihood are: Sigma, its Cholesky factor L, or U with U U' = Sigma^-1
// (scikit-learn's `precisions_cholesky_`, the transpose of P). Variances, standard deviations and
// their inverses where covariances are diagonal.
enum MatrixKind : int { COVARIANCES, CHOLESKY, PRECISION_CHOLESKY };

inline bool all_finite(ConstVector v) {
    return std::all_of(v.begin(), v.end(), [](double each) { return std::isfinite(each); });
}

// out = P M for lower triangular P.
inline void times(ConstMatrix lower, ConstMatrix matrix, Matrix out) {
    fill(out.flat(), 0.0);
    for (Index i = 0; i < lower.shape[0]; ++i)
        add_rows(out[i], 1.0, lower[i].part(0, i + 1), matrix);
}

// out = P' M for lower triangular P.
inline void transposed_times(ConstMatrix lower, ConstMatrix matrix, Matrix out) {
    fill(out.flat(), 0.0);
    for (Index m = 0; m < lower.shape[0]; ++m)
        for (Index i = 0; i <= m; ++i) add_scaled(out[i], lower(m, i), matrix[m]);
}

// The gradient P' P A in the means (K, D).
inline void means_gradient(Sums<3> sums, ConstMatrices factors, Matrix d_means) {
    fill(d_means.flat(), 0.0);
    for (Index k = 0; k < sums.k; ++k)
        for (Index i = 0; i < sums.d; ++i) {
            const ConstVector row = factors[k][i].part(0, i + 1);
            const double z = inner_product(row, sums.firsts()[k].part(0, i + 1));
            add_scaled(d_means[k].part(0, i + 1), z, row);
        }
}
inline void means_gradient(Sums<2> sums, ConstMatrix factors, Matrix d_means) {
    const Vector firsts = sums.firsts().flat(), out = d_means.flat();
    for (Index i = 0; i < out.size(); ++i) {
        const double p = factors.data[i];
        out[i] = p * p * firsts[i];
    }
}

// The gradient N diag(1 / P_ii) - P B in the factors, 0 above their diagonals.
inline void factors_gradient(Sums<3> sums, ConstMatrices factors, Matrices d_factors) {
    fill(d_factors.flat(), 0.0);
    for (Index k = 0; k < sums.k; ++k)
        for (Index i = 0; i < sums.d; ++i) {
            add_rows(d_factors[k][i].part(0, i + 1), -1.0, factors[k][i].part(0, i + 1),
                     sums.seconds()[k]);
            d_factors(k, i, i) += sums.counts()[k] / factors(k, i, i);
        }
}
inline void factors_gradient(Sums<2> sums, ConstMatrix factors, Matrix d_factors) {
    for (Index k = 0; k < sums.k; ++k)
        for (Index j = 0; j < sums.d; ++j) {
            const double p = factors(k, j);
            d_factors(k, j) = sums.counts()[k] / p - p * sums.seconds()(k, j);
        }
}

// The gradient in matrices of any kind, (K, D, D) or (K, D).
inline void matrices_gradient(MatrixKind kind, Sums<3> sums, ConstMatrices factors, Matrices out) {
    const Index d = sums.d;
    if (kind == PRECISION_CHOLESKY) {
        factors_gradient(sums, factors, out);
        for (Index k = 0; k < sums.k; ++k)
            for (Index i = 0; i < d; ++i)
                for (Index j = 0; j < i; ++j) std::swap(out(k, i, j), out(k, j, i));
        return;
    }
    Table half(d, d), whole(d, d);
    for (Index k = 0; k < sums.k; ++k) {
        const ConstMatrix p = factors[k];
        times(p, sums.seconds()[k], half);
        // S = P (P B)', symmetric.
        for (Index i = 0; i < d; ++i) {
            for (Index j = 0; j <= i; ++j)
                whole(i, j) = whole(j, i) =
                    inner_product(p[j].part(0, j + 1), half[i].part(0, j + 1));
            whole(i, i) -= sums.counts()[k];
        }
        transposed_times(p, whole, half);
        if (kind == COVARIANCES) {
            transpose(half, whole);
            transposed_times(p, whole, half);
        }
        for (Index i = 0; i < d; ++i)
            for (Index j = 0; j < d; ++j)
                if (kind == COVARIANCES)
                    out(k, i, j) = 0.25 * (half(i, j) + half(j, i));
                else
                    out(k, i, j) = j <= i ? half(i, j) : 0.0;
    }
}
inline void matrices_gradient(MatrixKind kind, Sums<2> sums, ConstMatrix factors, Matrix out) {
    for (Index k = 0; k < sums.k; ++k)
        for (Index j = 0; j < sums.d; ++j) {
            const double p = factors(k, j), s = p * p * sums.seconds()(k, j) - sums.counts()[k];
            out(k, j) = kind == COVARIANCES ? 0.5 * p * p * s : kind == CHOLESKY ? p * s : -s / p;
        }
}

// Set all of `to` from matrices of any kind; false if they are unusable.
inline bool to_factors(MatrixKind kind, ConstVector weights, ConstMatrix means,
                       ConstMatrices matrices, Gaussians<3> &to) {
    if (kind == COVARIANCES) return factor<3>(weights, means, matrices, to) == 0;
    assign(to.means.flat(), means.flat());
    for (Index k = 0; k < to.k(); ++k) {
        if (kind == CHOLESKY) {
            if (!invert_lower(matrices[k], to.factors[k])) return false;
        } else {
            for (Index i = 0; i < to.d(); ++i)
                for (Index j = 0; j <= i; ++j) to.factors(k, i, j) = matrices(k, j, i);
        }
    }
    return complete(weights, to) == 0;
}
inline bool to_factors(MatrixKind kind, ConstVector weights, ConstMatrix means,
                       ConstMatrix matrices, Gaussians<2> &to) {
    assign(to.means.flat(), means.flat());
    for (Index i = 0; i < matrices.size(); ++i) {
        const double given = matrices.data[i];
        if (!(0.0 < given && given < INFINITE)) return false;
        to.factors.data()[i] = kind == COVARIANCES ? 1.0 / std::sqrt(given)
                               : kind == CHOLESKY  ? 1.0 / given
                                                   : given;
    }
    return complete(weights, to) == 0;
}

// A mixture about its own mean, from which rows are measured too. Unusable where parameters are
// not finite or make no mixture.
template <int Axes>
struct CentredMixture {
    Numbers shift, unit;
    Gaussians<Axes> gaussians;
    bool usable;

    CentredMixture(MatrixKind kind, ConstVector weights, ConstMatrix means,
                   View<const double, Axes> matrices)
        : shift(means.shape[1]), unit(means.shape[1]), gaussians(means.shape[0], means.shape[1]) {
        const double total = sum(weights);
        Table centred(means.shape[0], means.shape[1]);
        for (Index k = 0; k < means.shape[0]; ++k) add_scaled(shift, weights[k] / total, means[k]);
        for (double &each : shift.flat())
            if (!(std::abs(each) < INFINITE)) each = 0.0;
        for (Index k = 0; k < means.shape[0]; ++k)
            for (Index j = 0; j < means.shape[1]; ++j) centred(k, j) = means(k, j) - shift[j];
        fill(unit, 1.0);
        // The kernel gives no weight to a component that is NaN, as if it were absent.
        usable = to_factors(kind, weights, centred, matrices, gaussians) && total < INFINITE &&
                 all_finite(gaussians.offsets.flat());
    }
};

// Log-likelihood of rows, and its gradient in weights, means and matrices.
//
// weights (K,), means (K, D), matrices (K, D, D) or (K, D) of the given kind; x (n, D); row_weights
// (n,), of any sign, or none where each row counts once.
//
// Returns -inf, and no gradient (zeros), where the parameters are those of no mixture.
template <int Axes>
inline double log_likelihood_gradient(MatrixKind kind, ConstVector weights, ConstMatrix means,
                                      View<const double, Axes> matrices, ConstMatrix x,
                                      ConstVector row_weights, Vector d_weights, Matrix d_means,
                                      View<double, Axes> d_matrices) {
    const Index k = means.shape[0], d = means.shape[1];
    const CentredMixture<Axes> mixture(kind, weights, means, matrices);
    if (!mixture.usable) {
        for (const Vector each : {d_weights, d_means.flat(), d_matrices.flat()}) fill(each, 0.0);
        return -INFINITE;
    }
    Numbers all(Sums<Axes>::size(k, d));
    const Sums<Axes> sums{all, k, d};
    const Rows rows{x, row_weights, mixture.shift, mixture.unit};
    Passes<Axes>(rows, k, 1).run(mixture.gaussians, sums);
    means_gradient(sums, mixture.gaussians.factors, d_means);
    matrices_gradient(kind, sums, mixture.gaussians.factors, d_matrices);
    for (Index c = 0; c < k; ++c) d_weights[c] = sums.counts()[c] / std::max(weights[c], 1e-300);
    return sums.log_likelihood();
}

// Log density of each row, (n,): arguments as above. -inf where the parameters are those of no
// mixture.
template <int Axes>
inline void row_log_densities(MatrixKind kind, ConstVector weights, ConstMatrix means,
                              View<const double, Axes> matrices, ConstMatrix x, Vector out) {
    const CentredMixture<Axes> mixture(kind, weights, means, matrices);
    if (!mixture.usable) return fill(out, -INFINITE);
    const Rows rows{x, {}, mixture.shift, mixture.unit};
    Workspace work(means.shape[0], means.shape[1]);
    Numbers of_block(STRIDE);
    for (Index start = 0; start < out.size(); start += BLOCK) {
        const Index count = std::min(BLOCK, out.size() - start);
        load_block(rows, start, count, work.xt);
        log_joint(mixture.gaussians, count, work.xt, work.joint);
        normalise(work.joint, count, {}, of_block);
        assign(out.part(start, start + count), of_block.view().part(0, count));
    }
}

// --- C functions, for compiled graphs ------------------------------------------------------------

// Call f with the number of axes of the matrices, as a constant. A single feature has variances,
// also if its matrices are (K, 1, 1).
template <class F>
inline void with_axes(std::int64_t dense, Index d, const F &f) {
    if (dense != 0 && d > 1)
        f(std::integral_constant<int, 3>{});
    else
        f(std::integral_constant<int, 2>{});
}

// `log_likelihood_gradient`; the value is NaN where memory is short.
extern "C" inline void bayesgmm_log_likelihood(
    std::int64_t kind, std::int64_t dense, std::int64_t n, std::int64_t d, std::int64_t k,
    const double *weights, const double *means, const double *matrices, const double *x,
    std::int64_t n_row_weights, const double *row_weights, double *value, double *d_weights,
    double *d_means, double *d_matrices) noexcept try {
    with_axes(dense, d, [&](auto axes) {
        *value = log_likelihood_gradient<axes>(
            static_cast<MatrixKind>(kind), {weights, {k}}, {means, {k, d}},
            covariance_view<axes>(matrices, k, d), {x, {n, d}}, {row_weights, {n_row_weights}},
            {d_weights, {k}}, {d_means, {k, d}}, covariance_view<axes>(d_matrices, k, d));
    });
} catch (const std::bad_alloc &) {
    *value = NOT_A_NUMBER;
}

// `row_log_densities`; all NaN where memory is short.
extern "C" inline void bayesgmm_log_densities(std::int64_t kind, std::int64_t dense, std::int64_t n,
                                              std::int64_t d, std::int64_t k, const double *weights,
                                              const double *means, const double *matrices,
                                              const double *x, double *out) noexcept try {
    with_axes(dense, d, [&](auto axes) {
        row_log_densities<axes>(static_cast<MatrixKind>(kind), {weights, {k}}, {means, {k, d}},
                                covariance_view<axes>(matrices, k, d), {x, {n, d}}, {out, {n}});
    });
} catch (const std::bad_alloc &) {
    fill({out, {n}}, NOT_A_NUMBER);
}

}  // namespace bayesgmm
