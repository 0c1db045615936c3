// M-steps of the covariances, for every structure.
//
// Sigma_k = lambda_k D_k A_k D_k': volume, shape and orientation, each equal for all components or
// varying, shape and orientation also none (Celeux & Govaert 1995, sections 3 and 4). With counts
// N_k and scatters W_k about the new means each maximises
//
//     -1/2 sum_k (N_k log |Sigma_k| + tr Sigma_k^-1 W_k).
//
// Three of the four that mclust iterates for volumes are one convex problem (proportional.hpp), two
// have common axes (common_axes.hpp); the others are closed forms. What an iteration begins at is
// passed in, and where it ends is passed out: nothing is remembered here.
#pragma once

#include "em/common_axes.hpp"
#include "em/proportional.hpp"

namespace bayesgmm {

// What a letter of a structure's code stands for.
enum Letter : int { IDENTITY, EQUAL, VARYING };

struct Structure {
    Letter volume, shape, orientation;

    // Whether covariances and scatters are (K, D) variances.
    bool diagonal() const { return orientation == IDENTITY; }
    // VEI, VEE, VEV: volumes vary around an equal shape.
    bool has_proportional_volumes() const { return volume == VARYING && shape == EQUAL; }
    // EVE, VVE.
    bool has_common_axes() const { return shape == VARYING && orientation == EQUAL; }
    // EEV, VEV: axes turn without their shape.
    bool has_own_axes() const { return shape == EQUAL && orientation == VARYING; }
    // VVV, VVI and VII: each covariance maximises the likelihood for itself.
    bool is_free() const { return volume == VARYING && shape != EQUAL && orientation != EQUAL; }
    // Whether combinations of members are members: all parts vary, or none does.
    bool is_closed_under_mixing() const {
        return is_free() || (volume != VARYING && shape != VARYING && orientation != VARYING);
    }
};

// What the iterations of an M-step begin at, and end at; empty where there are none.
struct MStepState {
    Numbers log_volumes;  // (K,) log lambda_k
    Table common_axes;    // (D, D) axes as rows; NaN at (0, 0) for anywhere
    Numbers exchanged;    // scatter, by pairs of components under a bound; see variance_bound.hpp
};

inline MStepState initial_state(const Structure &structure, Index k, Index d) {
    MStepState state;
    if (structure.has_proportional_volumes()) state.log_volumes = Numbers(k);
    if (structure.has_common_axes()) {
        state.common_axes = Table(d, d);
        fill(state.common_axes.flat(), NOT_A_NUMBER);
    }
    return state;
}

// Let common axes begin at those of given covariances, which share their axes.
inline void begin_common_axes(ConstMatrices covariances, MStepState &state) {
    const Index K = covariances.shape[0], d = covariances.shape[1];
    Table total(d, d);
    Numbers values(d);
    for (Index k = 0; k < K; ++k) {
        double trace = 0.0;
        for (Index j = 0; j < d; ++j) trace += covariances(k, j, j);
        // A sum with unlike coefficients tells axes apart that a single component may not.
        add_scaled(total.flat(), 1.0 / (trace * static_cast<double>(k + 2)), covariances[k].flat());
    }
    eigen_symmetric(total, values, state.common_axes);
    for (Index i = 0, j = d - 1; i < j; ++i, --j)  // ascending
        std::swap_ranges(state.common_axes[i].begin(), state.common_axes[i].end(),
                         state.common_axes[j].begin());
}

namespace m_step {

inline constexpr int MOST_STEPS = 200;
// Share of the largest variance of a component along an axis below which that of another is the
// rounding of its scatter.
inline constexpr double SINGULAR = 4.0 * EPSILON;

// factor * matrix, symmetric to the last bit; the lower triangle is read.
template <class Symmetric, class Out>
void assign_scaled(Out out, double factor, Symmetric matrix) {
    for (Index i = 0; i < matrix.size(); ++i) out.data[i] = factor * matrix.data[i];
    mirror(out);
}

// sum_m v_m u_m u_m' for variances v along axes u, the rows of `axes`; symmetric to the last bit.
inline void compose(ConstMatrix axes, ConstVector variances, Matrix out) {
    fill(out.flat(), 0.0);
    for (Index m = 0; m < variances.size(); ++m)
        for (Index i = 0; i < variances.size(); ++i)
            add_scaled(row_of(out, i), variances[m] * axes(m, i), axes[m].part(0, i + 1));
    mirror(out);
}

// VII and EII: tr W_k / (N_k D), or pooled.
inline Index spherical(Letter volume, ConstVector counts, ConstMatrix scatters, Matrix out) {
    const double d = static_cast<double>(scatters.shape[1]);
    const double pooled = sum(scatters.flat()) / (sum(counts) * d);
    for (Index k = 0; k < counts.size(); ++k)
        fill(out[k], volume == EQUAL ? pooled : sum(scatters[k]) / (counts[k] * d));
    return 0;
}

// VVV, VVI: W_k / N_k. EVV, EVI: lambda W_k / |W_k|^(1/D) with lambda = sum_k |W_k|^(1/D) / N.
template <int Axes>
Index free_covariances(Letter volume, ConstVector counts, View<const double, Axes> scatters,
                       View<double, Axes> out) {
    const Index K = counts.size();
    Numbers scales(K);
    auto lower = zeros_like(scatters[0]);
    for (Index k = 0; k < K; ++k) {
        // Of full matrices that are only divided by counts the rank is left to the caller.
        if (Axes == 3 && volume != EQUAL) break;
        if (!cholesky(scatters[k], lower)) return k + 1;
        const double d = static_cast<double>(lower.view().shape[0]);
        scales(k) = std::exp(log_determinant(lower.view()) / d);
    }
    const double volume_of_all = sum(scales) / sum(counts);
    for (Index k = 0; k < K; ++k)
        assign_scaled(out[k], volume == EQUAL ? volume_of_all / scales(k) : 1.0 / counts[k],
                      scatters[k]);
    return 0;
}

// VVV, VVI and VII, whatever the rank: a bound on variances fills what is missing.
template <int Axes>
void each_for_itself(const Structure &structure, ConstVector counts,
                     View<const double, Axes> scatters, View<double, Axes> out) {
    if constexpr (Axes == 2) {
        if (structure.shape == IDENTITY) {
            spherical(structure.volume, counts, scatters, out);
            return;
        }
    }
    for (Index k = 0; k < counts.size(); ++k) assign_scaled(out[k], 1.0 / counts[k], scatters[k]);
}

// EEI and VEI, EEE and VEE: S / N, or lambda_k S / N.
template <int Axes>
Index same_but_volumes(ConstVector counts, View<const double, Axes> scatters, Vector log_volumes,
                       int effort, View<double, Axes> out) {
    const Index K = counts.size();
    auto pooled = zeros_like(scatters[0]);
    const auto total = pooled.view();
    if (log_volumes.empty()) {
        for (Index k = 0; k < K; ++k) accumulate(total.flat(), scatters[k].flat());
    } else {
        const int most = effort > 0 ? effort : MOST_STEPS;
        if (const Index bad = fit_volumes(scatters, counts, log_volumes, total, most)) return bad;
    }
    const double n = sum(counts);
    for (Index k = 0; k < K; ++k)
        assign_scaled(out[k], (log_volumes.empty() ? 1.0 : std::exp(log_volumes[k])) / n, total);
    return 0;
}

// EVE and VVE: the variances along common axes are those of EVI and VVI.
inline Index with_common_axes(Letter volume, ConstVector counts, ConstMatrices scatters,
                              Matrix axes, int effort, Matrices out) {
    const Index K = scatters.shape[0], d = scatters.shape[1];
    Table along(K, d), variances(K, d);
    if (const Index bad = fit_common_axes(scatters, counts, volume == EQUAL, axes, effort, along))
        return bad;
    if (const Index bad = free_covariances<2>(volume, counts, along, variances)) return bad;
    for (Index j = 0; j < d; ++j) {
        double most = 0.0;
        for (Index k = 0; k < K; ++k) most = std::max(most, variances(k, j));
        for (Index k = 0; k < K; ++k)
            if (!(variances(k, j) > SINGULAR * most)) return k + 1;
    }
    for (Index k = 0; k < K; ++k) compose(axes, variances[k], out[k]);
    return 0;
}

// EEV and VEV: the eigenvalues of the scatters are the scatters of EEI and VEI.
inline Index with_own_axes(ConstVector counts, ConstMatrices scatters, Vector log_volumes,
                           int effort, Matrices out) {
    const Index K = scatters.shape[0], d = scatters.shape[1];
    Table values(K, d), variances(K, d);
    Tables axes(K, d, d);
    for (Index k = 0; k < K; ++k) {
        eigen_symmetric(scatters[k], values[k], axes[k]);
        if (!(values(k, 0) > 0.0)) return k + 1;
    }
    const Index bad = same_but_volumes<2>(counts, values, log_volumes, effort, variances);
    for (Index k = 0; k < K; ++k) compose(axes[k], variances[k], out[k]);
    return bad;
}

}  // namespace m_step

// Fill `out` with the covariances of a structure that maximise the expected log-likelihood.
//
// counts (K,); scatters and out (K, D, D), or (K, D) variances where the structure is diagonal.
// Iterations make `effort` steps from where `state` says, 0 for as many as it takes from nothing.
// Returns 0, or 1 + the index of a component whose scatter leaves no covariance.
template <int Axes>
Index maximise_covariances(const Structure &structure, ConstVector counts,
                           View<const double, Axes> scatters, MStepState &state, int effort,
                           View<double, Axes> out) {
    using namespace m_step;
    if constexpr (Axes == 3) {
        if (structure.has_common_axes())
            return with_common_axes(structure.volume, counts, scatters, state.common_axes, effort,
                                    out);
        if (structure.has_own_axes())
            return with_own_axes(counts, scatters, state.log_volumes, effort, out);
    } else {
        if (structure.shape == IDENTITY) return spherical(structure.volume, counts, scatters, out);
    }
    if (structure.shape == EQUAL)
        return same_but_volumes(counts, scatters, state.log_volumes, effort, out);
    return free_covariances(structure.volume, counts, scatters, out);
}

}  // namespace bayesgmm
