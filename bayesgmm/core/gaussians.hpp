// From weights, means and covariances to what the kernel wants of a mixture.
#pragma once

#include <cmath>
#include <limits>
#include <numbers>

#include "simd.hpp"

namespace bayesgmm {

inline const double HALF_LOG_2_PI = 0.5 * std::log(2.0 * std::numbers::pi);
inline constexpr double EPS = std::numeric_limits<double>::epsilon();
inline constexpr double INFINITE = std::numeric_limits<double>::infinity();
inline constexpr double NOT_A_NUMBER = std::numeric_limits<double>::quiet_NaN();

// Covariances of `Axes` axes: 3 for matrices (K, D, D), 2 for variances (K, D).
template <int Axes>
inline constexpr Index covariance_size(Index d) {
    return Axes == 3 ? d * d : d;
}

template <int Axes, class T>
inline View<T, Axes> covariance_view(T *data, Index k, Index d) {
    if constexpr (Axes == 3)
        return {data, {k, d, d}};
    else
        return {data, {k, d}};
}

// A mixture as the kernel wants it. P_k is the lower triangular inverse of the Cholesky factor of
// Sigma_k, or its diagonal.
template <int Axes>
struct Gaussians {
    Numbers constants;            // (K,): log w + log det P - D/2 log(2 pi)
    Table means;                  // (K, D): mu
    Owned<double, Axes> factors;  // (K, D, D) or (K, D): P
    Table offsets;                // (K, D): -P mu

    Gaussians(Index k, Index d) : constants(k), means(k, d), offsets(k, d) {
        if constexpr (Axes == 3)
            factors = Tables(k, d, d);
        else
            factors = Table(k, d);
    }
    Index k() const { return means.view().shape[0]; }
    Index d() const { return means.view().shape[1]; }
};

// Cholesky factor of a covariance in place of `p`, row by row; false if a pivot is below the share of
// its variance that is rounding.
inline bool factorise(ConstMatrix covariance, Matrix p) {
    const Index d = p.shape[0];
    for (Index i = 0; i < d; ++i) {
        for (Index j = 0; j < i; ++j)
            p(i, j) = (covariance(i, j) - dot(p[i].part(0, j), p[j].part(0, j))) / p(j, j);
        const double variance = covariance(i, i);
        const double rest = variance - dot(p[i].part(0, i), p[i].part(0, i));
        if (!(rest > 8.0 * EPS * static_cast<double>(d) * variance)) return false;
        p(i, i) = std::sqrt(rest);
    }
    return true;
}

// Replace L by P = L^-1, whose row i is -(row i of L) P / L_ii, and 1 / L_ii on the diagonal.
inline void invert_in_place(Matrix p, Vector row) {
    const Index d = p.shape[0];
    for (Index i = 0; i < d; ++i) {
        const double inverse = 1.0 / p(i, i);
        fill(row, 0.0);
        for (Index m = 0; m < i; ++m) add_scaled(row.part(0, m + 1), p(i, m), p[m].part(0, m + 1));
        for (Index j = 0; j < i; ++j) p(i, j) = -row[j] * inverse;
        p(i, i) = inverse;
        fill(p[i].part(i + 1, d), 0.0);
    }
}

// Set offsets for means and factors that are there.
template <int Axes>
inline void set_offsets(Gaussians<Axes> &to) {
    for (Index c = 0; c < to.k(); ++c)
        for (Index i = 0; i < to.d(); ++i) {
            if constexpr (Axes == 3)
                to.offsets(c, i) =
                    -dot(to.factors[c][i].part(0, i + 1), to.means[c].part(0, i + 1));
            else
                to.offsets(c, i) = -to.factors(c, i) * to.means(c, i);
        }
}

// P_ii of component c.
template <int Axes>
inline double pivot(const Gaussians<Axes> &of, Index c, Index i) {
    if constexpr (Axes == 3)
        return of.factors.view()(c, i, i);
    else
        return of.factors.view()(c, i);
}

// Set constants and offsets for means and factors that are there.
//
// Returns 0, or 1 + the first component that is unusable.
template <int Axes>
inline Index complete(ConstVector weights, Gaussians<Axes> &to) {
    const Index k = to.k(), d = to.d();
    for (Index c = 0; c < k; ++c) {
        double log_det = 0.0;
        for (Index i = 0; i < d; ++i) {
            const double p = pivot(to, c, i);
            if (!(0.0 < p && p < INFINITE)) return c + 1;
            log_det += std::log(p);
        }
        if (!(weights[c] >= 0.0)) return c + 1;
        to.constants[c] = std::log(weights[c]) + log_det - static_cast<double>(d) * HALF_LOG_2_PI;
    }
    set_offsets(to);
    return 0;
}

// Set everything from weights, means and covariances.
//
// Returns 0, or 1 + the first component whose covariance is not positive definite to rounding.
template <int Axes>
inline Index factor(ConstVector weights, ConstMatrix means, View<const double, Axes> covariances,
                    Gaussians<Axes> &to) {
    const Index k = means.shape[0], d = means.shape[1];
    assign(to.means.flat(), means.flat());
    Numbers row(d);
    for (Index c = 0; c < k; ++c) {
        if constexpr (Axes == 3) {
            if (!factorise(covariances[c], to.factors[c])) return c + 1;
            invert_in_place(to.factors[c], row);
        } else {
            for (Index j = 0; j < d; ++j) to.factors(c, j) = 1.0 / std::sqrt(covariances(c, j));
        }
    }
    return complete(weights, to);
}

}  // namespace bayesgmm
