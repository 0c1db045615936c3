// Volumes that vary while the rest is shared: Sigma_k = lambda_k C (proportional covariances, Flury
// 1986, Biometrika 73, 29-41).
//
// With S = sum_k W_k / lambda_k the best C is S / N, and what is left to minimise is
//
//     G = N log |S| + D sum_k N_k log lambda_k,
//
// convex in log lambda (the logarithm of a sum of exponentials, with mixed discriminants as its
// terms). Newton's method ends it in a few steps, where alternating between C and lambda (Celeux &
// Govaert 1995, section 4.2) takes hundreds when components overlap. W_k may be full or the
// diagonals of diagonal matrices; eigenvalues of the W_k take their place where the axes vary.
#pragma once

#include <cmath>
#include <limits>

#include "small_matrices.hpp"

namespace bayesgmm {
namespace proportional {

// A Newton step so short is as good as exact: the next would be its square.
inline constexpr double LAST = 1e-10;
// A Newton step so short need not be checked.
inline constexpr double SHORT = 0.1;

template <int Axes>
void sum_scatters(View<const double, Axes> scatters, ConstVector log_volumes,
                  View<double, Axes - 1> total) {
    fill(total.flat(), 0.0);
    for (Index k = 0; k < scatters.shape[0]; ++k)
        add_scaled(total.flat(), std::exp(-log_volumes[k]), scatters[k].flat());
}

// log |S|; NaN if S is not positive definite. Full matrices leave S's factor in `lower`.
inline double log_determinant_of(ConstMatrix total, Matrix lower) {
    return cholesky(total, lower) ? log_determinant(lower) : NAN;
}
inline double log_determinant_of(ConstVector total, Matrix) {
    double s = 0.0;
    for (const double each : total) s += each > 0.0 ? std::log(each) : NAN;
    return s;
}

// S^-1/2 W_k S^-1/2 / lambda_k of a component; its trace.
inline double share_of(ConstMatrix scatter, double factor, ConstMatrix, ConstMatrix lower,
                       Vector share) {
    const Index d = scatter.shape[0];
    congruence(lower, scatter, share.reshaped(d, d));
    scale(share, factor);
    double trace = 0.0;
    for (Index j = 0; j < d; ++j) trace += share[j * (d + 1)];
    return trace;
}
inline double share_of(ConstVector scatter, double factor, ConstVector total, ConstMatrix,
                       Vector share) {
    for (Index j = 0; j < share.size(); ++j) share[j] = factor * scatter[j] / total[j];
    return sum(share);
}

// Solve N (diag q - Y Y') step = N q - D N_k, where q are the traces and Y the shares, for a step
// of mean zero in log lambda; false if that fails.
inline bool newton_step(ConstMatrix shares, ConstVector counts, ConstVector traces, Matrix hessian,
                        Matrix lower, Vector step) {
    const Index K = counts.size();
    const double n = sum(counts), d = sum(traces);
    const double pin = d / static_cast<double>(K * K);
    for (Index k = 0; k < K; ++k) {
        for (Index j = 0; j <= k; ++j) hessian(k, j) = pin - inner_product(shares[k], shares[j]);
        hessian(k, k) += traces[k];
        step[k] = traces[k] - d * counts[k] / n;
    }
    if (!cholesky(hessian, lower)) return false;
    solve_lower(lower, step);
    solve_upper_of_lower(lower, step);
    const double mean = sum(step) / static_cast<double>(K);
    for (double &each : step) each -= mean;
    return true;
}

inline double largest(ConstVector values) {
    double most = 0.0;
    for (const double each : values) most = std::max(most, std::abs(each));
    return most;
}

}  // namespace proportional

// Minimise G from `log_volumes` on; log lambda is left there and S in `total`.
//
// scatters (K, D, D) or (K, D); total (D, D) or (D,). At most `most` steps are made. Returns 0, or
// 1 + the index of a component without scatter. No step raises G: where Newton's would, the step of
// the alternation takes its place.
template <int Axes>
Index fit_volumes(View<const double, Axes> scatters, ConstVector counts, Vector log_volumes,
                  View<double, Axes - 1> total, int most) {
    using namespace proportional;
    const Index K = scatters.shape[0], d = scatters.shape[1];
    const double n = sum(counts), D = static_cast<double>(d);
    // Variances need no factor of S: `lower` is then unused.
    Table by_place(K + 1, scatters[0].size()), by_component(3 + 2 * K, K);
    const Matrix shares = by_place.view().part(0, K), lower = by_place[K].reshaped(d, d);
    const Vector traces = by_component[0], step = by_component[1], there = by_component[2];
    const Matrix hessian = by_component.view().part(3, 3 + K);
    const Matrix factor = by_component.view().part(3 + K, 3 + 2 * K);
    const bool warm = largest(log_volumes) > 0.0;
    for (int i = 0; i < most; ++i) {
        sum_scatters(scatters, log_volumes, total);
        const double log_det = log_determinant_of(total, lower);
        if (std::isnan(log_det)) return 1;
        for (Index k = 0; k < K; ++k) {
            traces[k] = share_of(scatters[k], std::exp(-log_volumes[k]), total, lower, shares[k]);
            if (!(traces[k] > 0.0)) return k + 1;
        }
        // The first steps of a cold start are cheaper without Hessians.
        bool newton = (i > 0 || warm) && newton_step(shares, counts, traces, hessian, factor, step);
        const double size = newton ? largest(step) : INFINITY;
        if (newton && size > SHORT) {
            for (Index k = 0; k < K; ++k) there[k] = log_volumes[k] + step[k];
            sum_scatters(scatters, there, total);
            // G / N there and here.
            newton = log_determinant_of(total, lower) + D * inner_product(counts, there) / n <
                     log_det + D * inner_product(counts, log_volumes) / n;
        }
        if (newton) {
            accumulate(log_volumes, step);
            if (size <= LAST) break;
            continue;
        }
        for (Index k = 0; k < K; ++k) log_volumes[k] += std::log(n * traces[k] / (D * counts[k]));
    }
    sum_scatters(scatters, log_volumes, total);
    return 0;
}

}  // namespace bayesgmm
