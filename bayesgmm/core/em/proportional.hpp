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

#include "linear_algebra/factors.hpp"

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

// log |S|, with S's factor in `lower`; NaN if S is not positive definite.
template <class Symmetric, class Factor>
double log_determinant_of(Symmetric total, Factor lower) {
    return cholesky(total, lower) ? log_determinant(lower) : NOT_A_NUMBER;
}

// S^-1/2 W_k S^-1/2 / lambda_k of a component; its trace.
template <class Symmetric, class Factor, class Share>
double share_of(Symmetric scatter, double factor, Factor lower, Share share) {
    congruence(lower, scatter, share);
    scale(share.flat(), factor);
    double trace = 0.0;
    for (Index j = 0; j < share.shape[0]; ++j) trace += pivot(share, j);
    return trace;
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
    auto shares = zeros_like(scatters);
    auto lower = zeros_like(scatters[0]);
    Table hessian(K, K), factor(K, K);
    Numbers traces(K), step(K), there(K);
    const bool warm = largest(log_volumes) > 0.0;
    for (int i = 0; i < most; ++i) {
        sum_scatters(scatters, log_volumes, total);
        const double log_det = log_determinant_of(total, lower.view());
        if (std::isnan(log_det)) return 1;
        for (Index k = 0; k < K; ++k) {
            traces[k] = share_of(scatters[k], std::exp(-log_volumes[k]), lower.view(), shares[k]);
            if (!(traces[k] > 0.0)) return k + 1;
        }
        // The first steps of a cold start are cheaper without Hessians.
        bool newton = (i > 0 || warm) && newton_step(shares.view().reshaped(K, shares.size() / K),
                                                     counts, traces, hessian, factor, step);
        const double size = newton ? largest(step) : INFINITE;
        if (newton && size > SHORT) {
            for (Index k = 0; k < K; ++k) there[k] = log_volumes[k] + step[k];
            sum_scatters(scatters, there, total);
            // G / N there and here.
            newton =
                log_determinant_of(total, lower.view()) + D * inner_product(counts, there) / n <
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
