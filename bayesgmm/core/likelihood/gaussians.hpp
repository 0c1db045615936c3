// From weights, means and covariances to what the kernel wants of a mixture.
#pragma once

#include <numbers>

#include "linear_algebra/factors.hpp"

namespace bayesgmm {

inline const double HALF_LOG_2_PI = 0.5 * std::log(2.0 * std::numbers::pi);

// Shape of covariances with `Axes` axes: matrices (K, D, D), or variances (K, D).
template <int Axes>
constexpr std::array<Index, Axes> covariance_shape(Index k, Index d) {
    if constexpr (Axes == 3)
        return {k, d, d};
    else
        return {k, d};
}

template <int Axes>
constexpr Index covariance_size(Index d) {
    return Axes == 3 ? d * d : d;
}

template <int Axes, class T>
View<T, Axes> covariance_view(T *data, Index k, Index d) {
    return {data, covariance_shape<Axes>(k, d)};
}

// A mixture as the kernel wants it. P_k is the lower triangular inverse of the Cholesky factor of
// Sigma_k, or its diagonal.
template <int Axes>
struct Gaussians {
    Numbers constants;                    // (K,): log w + log det P - D/2 log(2 pi)
    Table means;                          // (K, D): mu
    Owned<double, Axes> factors;          // (K, D, D) or (K, D): P
    Table offsets;                        // (K, D): -P mu
    double log_noise_weight = -INFINITE;  // log(1 - sum_k w_k)

    Gaussians(Index k, Index d)
        : constants(k), means(k, d), factors(covariance_shape<Axes>(k, d)), offsets(k, d) {}
    Index k() const { return means.view().shape[0]; }
    Index d() const { return means.view().shape[1]; }
};

// Set offsets for means and factors that are there.
template <int Axes>
void set_offsets(Gaussians<Axes> &to) {
    for (Index c = 0; c < to.k(); ++c) {
        assign(to.offsets[c], to.means[c]);
        multiply(to.factors[c], to.offsets[c]);
        scale(to.offsets[c], -1.0);
    }
}

// Set constants and offsets for means and factors that are there.
//
// Returns 0, or 1 + the first component that is unusable.
template <int Axes>
Index complete(ConstVector weights, Gaussians<Axes> &to) {
    for (Index c = 0; c < to.k(); ++c) {
        double log_det = 0.0;
        for (Index i = 0; i < to.d(); ++i) {
            const double p = pivot(to.factors[c], i);
            if (!(0.0 < p && p < INFINITE)) return c + 1;
            log_det += std::log(p);
        }
        if (!(weights[c] >= 0.0)) return c + 1;
        to.constants[c] =
            std::log(weights[c]) + log_det - static_cast<double>(to.d()) * HALF_LOG_2_PI;
    }
    to.log_noise_weight = std::log(std::max(1.0 - sum(weights), 0.0));
    set_offsets(to);
    return 0;
}

// Set everything from weights, means and covariances.
//
// Returns 0, or 1 + the first component whose covariance is not positive definite: a pivot of its
// factorisation is below the share of its variance that is rounding.
template <int Axes>
Index factor(ConstVector weights, ConstMatrix means, View<const double, Axes> covariances,
             Gaussians<Axes> &to) {
    const double rounding = 8.0 * EPSILON * static_cast<double>(to.d());
    auto lower = zeros_like(covariances[0]);
    assign(to.means.flat(), means.flat());
    for (Index c = 0; c < to.k(); ++c)
        if (!cholesky(covariances[c], lower, rounding) ||
            !invert_lower(lower.view(), to.factors[c]))
            return c + 1;
    return complete(weights, to);
}

}  // namespace bayesgmm
