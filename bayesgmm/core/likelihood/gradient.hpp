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

#include "likelihood/memberships.hpp"

namespace bayesgmm {

// What the matrices of a likelihood are: Sigma, its Cholesky factor L, or U with U U' = Sigma^-1
// (scikit-learn's `precisions_cholesky_`, the transpose of P). Variances, standard deviations and
// their inverses where covariances are diagonal.
enum MatrixKind : int { COVARIANCES, CHOLESKY, PRECISION_CHOLESKY };

inline bool all_finite(ConstVector v) {
    return std::all_of(v.begin(), v.end(), [](double each) { return std::isfinite(each); });
}

// The gradient P' P A in the means (K, D).
template <int Axes>
void means_gradient(Sums<Axes> sums, View<const double, Axes> factors, Matrix d_means) {
    assign(d_means.flat(), sums.firsts().flat());
    for (Index k = 0; k < sums.k; ++k) {
        multiply(factors[k], d_means[k]);
        multiply_transposed(factors[k], d_means[k]);
    }
}

// The gradient N diag(1 / P_ii) - P B in the factors, 0 above their diagonals.
template <int Axes>
void factors_gradient(Sums<Axes> sums, View<const double, Axes> factors, View<double, Axes> out) {
    fill(out.flat(), 0.0);
    for (Index k = 0; k < sums.k; ++k)
        for (Index i = 0; i < sums.d; ++i) {
            const Vector row = row_of(out[k], i);
            row_of_product(factors[k], i, sums.seconds()[k], row);
            scale(row, -1.0);
            pivot(out[k], i) += sums.counts()[k] / pivot(factors[k], i);
        }
}

// out = P' M
inline void transposed_times(ConstMatrix p, ConstMatrix matrix, Matrix out) {
    fill(out.flat(), 0.0);
    for (Index m = 0; m < p.shape[0]; ++m)
        for (Index i = 0; i <= m; ++i) add_scaled(out[i], p(m, i), matrix[m]);
}
inline void transposed_times(ConstVector p, ConstVector diagonal, Vector out) {
    for (Index i = 0; i < p.size(); ++i) out[i] = p[i] * diagonal[i];
}

// The gradient in matrices of any kind, (K, D, D) or (K, D).
template <int Axes>
void matrices_gradient(MatrixKind kind, Sums<Axes> sums, View<const double, Axes> factors,
                       View<double, Axes> out) {
    if (kind == PRECISION_CHOLESKY) {
        factors_gradient(sums, factors, out);
        for (Index k = 0; k < sums.k; ++k) transpose(out[k]);
        return;
    }
    auto s = zeros_like(out[0]);
    Numbers scratch(sums.d);
    for (Index k = 0; k < sums.k; ++k) {
        sandwich(factors[k], sums.seconds()[k], scratch, s.view());
        for (Index i = 0; i < sums.d; ++i) pivot(s.view(), i) -= sums.counts()[k];
        transposed_times(factors[k], s, out[k]);
        if (kind == CHOLESKY) {
            clear_above_diagonal(out[k]);
            continue;
        }
        assign(s.flat(), out[k].flat());
        transpose(s);
        transposed_times(factors[k], s, out[k]);
        scale(out[k].flat(), 0.5);
        mirror(out[k]);
    }
}

// Set all of `to` from matrices of any kind; false if they are unusable.
template <int Axes>
bool to_factors(MatrixKind kind, ConstVector weights, ConstMatrix means,
                View<const double, Axes> matrices, Gaussians<Axes> &to) {
    if (kind == COVARIANCES) return factor<Axes>(weights, means, matrices, to) == 0;
    assign(to.means.flat(), means.flat());
    if (kind == PRECISION_CHOLESKY) assign(to.factors.flat(), matrices.flat());
    for (Index k = 0; k < to.k(); ++k) {
        if (kind == CHOLESKY && !invert_lower(matrices[k], to.factors[k])) return false;
        if (kind == PRECISION_CHOLESKY) transpose(to.factors[k]);
        clear_above_diagonal(to.factors[k]);
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
// (n,), of any sign, or none where each row counts once; errors as in Rows.
//
// Returns -inf, and no gradient (zeros), where the parameters are those of no mixture.
template <int Axes>
double log_likelihood_gradient(MatrixKind kind, ConstVector weights, ConstMatrix means,
                               View<const double, Axes> matrices, ConstMatrix x,
                               ConstVector row_weights, ConstMatrix errors, Vector d_weights,
                               Matrix d_means, View<double, Axes> d_matrices) {
    const Index k = means.shape[0], d = means.shape[1];
    const CentredMixture<Axes> mixture(kind, weights, means, matrices);
    if (!mixture.usable) {
        for (const Vector each : {d_weights, d_means.flat(), d_matrices.flat()}) fill(each, 0.0);
        return -INFINITE;
    }
    Numbers all(Sums<Axes>::size(k, d));
    const Sums<Axes> sums{all, k, d};
    const Rows rows{x, row_weights, mixture.shift, mixture.unit, errors, seen_in_part(x, errors)};
    Passes<Axes>(rows, k, 1).run(mixture.gaussians, sums);
    means_gradient<Axes>(sums, mixture.gaussians.factors, d_means);
    matrices_gradient<Axes>(kind, sums, mixture.gaussians.factors, d_matrices);
    for (Index c = 0; c < k; ++c) d_weights[c] = sums.counts()[c] / std::max(weights[c], 1e-300);
    return sums.log_likelihood();
}

// Log density of each row, (n,): arguments as above. -inf where the parameters are those of no
// mixture.
template <int Axes>
void row_log_densities(MatrixKind kind, ConstVector weights, ConstMatrix means,
                       View<const double, Axes> matrices, ConstMatrix x, ConstMatrix errors,
                       Vector out) {
    const CentredMixture<Axes> mixture(kind, weights, means, matrices);
    if (!mixture.usable) return fill(out, -INFINITE);
    const Rows rows{x, {}, mixture.shift, mixture.unit, errors, seen_in_part(x, errors)};
    memberships(rows, mixture.gaussians, out, {});
}

// --- C functions, for compiled graphs ------------------------------------------------------------

// Call f with the number of axes of the matrices, as a constant. A single feature has variances,
// also if its matrices are (K, 1, 1).
template <class F>
auto with_axes(bool dense, Index d, const F &f) {
    return dense && d > 1 ? f(std::integral_constant<int, 3>{})
                          : f(std::integral_constant<int, 2>{});
}

// Whether errors are those of n rows, one for all of them, or none.
inline bool are_of_rows(std::int64_t n_errors, std::int64_t n) {
    return n_errors == 0 || n_errors == 1 || n_errors == n;
}

// `log_likelihood_gradient`; the value is NaN where memory is short, or errors are of other rows.
extern "C" inline void bayesgmm_log_likelihood(
    std::int64_t kind, std::int64_t dense, std::int64_t n, std::int64_t d, std::int64_t k,
    const double *weights, const double *means, const double *matrices, const double *x,
    std::int64_t n_row_weights, const double *row_weights, std::int64_t n_errors,
    std::int64_t width, const double *errors, double *value, double *d_weights, double *d_means,
    double *d_matrices) noexcept try {
    if (!are_of_rows(n_errors, n)) {
        *value = NOT_A_NUMBER;
        return;
    }
    with_axes(dense, d, [&](auto axes) {
        *value = log_likelihood_gradient<axes>(
            static_cast<MatrixKind>(kind), {weights, {k}}, {means, {k, d}},
            covariance_view<axes>(matrices, k, d), {x, {n, d}}, {row_weights, {n_row_weights}},
            {errors, {n_errors, width}}, {d_weights, {k}}, {d_means, {k, d}},
            covariance_view<axes>(d_matrices, k, d));
    });
} catch (const std::bad_alloc &) {
    *value = NOT_A_NUMBER;
}

// `row_log_densities`; all NaN where memory is short, or errors are of other rows.
extern "C" inline void bayesgmm_log_densities(std::int64_t kind, std::int64_t dense, std::int64_t n,
                                              std::int64_t d, std::int64_t k, const double *weights,
                                              const double *means, const double *matrices,
                                              const double *x, std::int64_t n_errors,
                                              std::int64_t width, const double *errors,
                                              double *out) noexcept try {
    if (!are_of_rows(n_errors, n)) return fill({out, {n}}, NOT_A_NUMBER);
    with_axes(dense, d, [&](auto axes) {
        row_log_densities<axes>(static_cast<MatrixKind>(kind), {weights, {k}}, {means, {k, d}},
                                covariance_view<axes>(matrices, k, d), {x, {n, d}},
                                {errors, {n_errors, width}}, {out, {n}});
    });
} catch (const std::bad_alloc &) {
    fill({out, {n}}, NOT_A_NUMBER);
}

}  // namespace bayesgmm
