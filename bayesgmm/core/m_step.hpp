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

#include <cmath>
#include <limits>

#include "common_axes.hpp"
#include "proportional.hpp"
#include "small_matrices.hpp"

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
    // Whether combinations of members are members: all parts vary, or none does.
    bool is_closed_under_mixing() const {
        const bool all_vary = volume == VARYING && shape != EQUAL && orientation != EQUAL;
        return all_vary || (volume != VARYING && shape != VARYING && orientation != VARYING);
    }
};

// What the iterations of an M-step begin at, and end at; empty where there are none.
struct MStepState {
    Numbers log_volumes;  // (K,) log lambda_k
    Table common_axes;    // (D, D) axes as columns; NaN at (0, 0) for anywhere
    Tables own_axes;      // (K, D, D) each component's axes as columns
};

inline MStepState initial_state(const Structure &structure, Index k, Index d) {
    MStepState state;
    if (structure.has_proportional_volumes()) state.log_volumes = Numbers(k);
    if (structure.has_own_axes()) state.own_axes = Tables(k, d, d);
    if (structure.has_common_axes()) {
        state.common_axes = Table(d, d);
        fill(state.common_axes.flat(), NAN);
    }
    return state;
}

// Let common axes begin at those of given covariances, which share their axes.
inline void begin_common_axes(ConstMatrices covariances, MStepState &state) {
    const Index K = covariances.shape[0], d = covariances.shape[1];
    Table total(d, d), descending(d, d);
    Numbers values(d);
    for (Index k = 0; k < K; ++k) {
        double trace = 0.0;
        for (Index j = 0; j < d; ++j) trace += covariances(k, j, j);
        // A sum with unlike coefficients tells axes apart that a single component may not.
        add_scaled(total.flat(), 1.0 / (trace * static_cast<double>(k + 2)), covariances[k].flat());
    }
    eigen_symmetric(total, values, descending);
    state.common_axes = Table(d, d);
    for (Index i = 0; i < d; ++i)
        for (Index j = 0; j < d; ++j) state.common_axes(i, j) = descending(i, d - 1 - j);
}

namespace m_step {

inline constexpr int MOST_STEPS = 200;

// factor * matrix, symmetric to the last bit; the lower triangle is read.
inline void assign_scaled(Matrix out, double factor, ConstMatrix matrix) {
    for (Index i = 0; i < matrix.shape[0]; ++i)
        for (Index j = 0; j <= i; ++j) out(i, j) = out(j, i) = factor * matrix(i, j);
}
inline void assign_scaled(Vector out, double factor, ConstVector variances) {
    for (Index j = 0; j < out.size(); ++j) out[j] = factor * variances[j];
}

// D diag(variances) D', symmetric to the last bit; `row` (D,) is overwritten.
inline void compose(ConstMatrix axes, ConstVector variances, Vector row, Matrix out) {
    for (Index i = 0; i < row.size(); ++i) {
        for (Index m = 0; m < row.size(); ++m) row[m] = axes(i, m) * variances[m];
        for (Index j = 0; j <= i; ++j) out(i, j) = out(j, i) = inner_product(row, axes[j]);
    }
}

// |W|^(1/D); NaN if W is not positive definite.
inline double scale_of(ConstMatrix scatter) {
    const Index d = scatter.shape[0];
    Table lower(d, d);
    return std::exp(proportional::log_determinant_of(scatter, lower) / static_cast<double>(d));
}
inline double scale_of(ConstVector scatter) {
    return std::exp(proportional::log_determinant_of(scatter, {}) /
                    static_cast<double>(scatter.size()));
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
    for (Index k = 0; k < K; ++k) {
        // Of full matrices that are only divided by counts the rank is left to the caller.
        if (Axes == 3 && volume != EQUAL) break;
        scales(k) = scale_of(scatters[k]);
        if (std::isnan(scales(k))) return k + 1;
    }
    const double volume_of_all = sum(scales) / sum(counts);
    for (Index k = 0; k < K; ++k)
        assign_scaled(out[k], volume == EQUAL ? volume_of_all / scales(k) : 1.0 / counts[k],
                      scatters[k]);
    return 0;
}

// EEI and VEI, EEE and VEE: S / N, or lambda_k S / N.
template <int Axes>
Index same_but_volumes(ConstVector counts, View<const double, Axes> scatters, Vector log_volumes,
                       int effort, View<double, Axes> out) {
    const Index K = counts.size();
    Numbers pooled(scatters[0].size());
    const View<double, Axes - 1> total{pooled.data(), scatters[0].shape};
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
    Table rows(2 * K + 1, d);
    const Matrix along = rows.view().part(0, K), variances = rows.view().part(K, 2 * K);
    if (const Index bad = fit_common_axes(scatters, counts, volume == EQUAL, axes, effort, along))
        return bad;
    const Index bad = free_covariances<2>(volume, counts, along, variances);
    for (Index k = 0; k < K; ++k) compose(axes, variances[k], rows[2 * K], out[k]);
    return bad;
}

// EEV and VEV: the eigenvalues of the scatters are the scatters of EEI and VEI.
inline Index with_own_axes(ConstVector counts, ConstMatrices scatters, Vector log_volumes,
                           Matrices axes, int effort, Matrices out) {
    const Index K = scatters.shape[0], d = scatters.shape[1];
    Table rows(2 * K + 1, d);
    const Matrix values = rows.view().part(0, K), variances = rows.view().part(K, 2 * K);
    for (Index k = 0; k < K; ++k) {
        eigen_symmetric(scatters[k], values[k], axes[k]);
        if (!(values(k, 0) > 0.0)) return k + 1;
    }
    const Index bad = same_but_volumes<2>(counts, values, log_volumes, effort, variances);
    for (Index k = 0; k < K; ++k) compose(axes[k], variances[k], rows[2 * K], out[k]);
    return bad;
}

}  // namespace m_step

// Fill `out` with the covariances of a structure that maximise the expected log-likelihood.
//
// counts (K,); scatters and out (K, D, D), or (K, D) variances where the structure is diagonal.
// Iterations make `effort` steps from where `state` says, 0 for as many as it takes from nothing.
// Returns 0, or 1 + the index of a component whose scatter leaves no covariance.
inline Index maximise_covariances(const Structure &structure, ConstVector counts,
                                  ConstMatrix scatters, MStepState &state, int effort, Matrix out) {
    if (structure.shape == VARYING)
        return m_step::free_covariances(structure.volume, counts, scatters, out);
    if (structure.shape == EQUAL)
        return m_step::same_but_volumes(counts, scatters, state.log_volumes, effort, out);
    return m_step::spherical(structure.volume, counts, scatters, out);
}
inline Index maximise_covariances(const Structure &structure, ConstVector counts,
                                  ConstMatrices scatters, MStepState &state, int effort,
                                  Matrices out) {
    if (structure.has_common_axes())
        return m_step::with_common_axes(structure.volume, counts, scatters, state.common_axes,
                                        effort, out);
    if (structure.has_own_axes())
        return m_step::with_own_axes(counts, scatters, state.log_volumes, state.own_axes, effort,
                                     out);
    if (structure.shape == EQUAL)
        return m_step::same_but_volumes(counts, scatters, state.log_volumes, effort, out);
    return m_step::free_covariances(structure.volume, counts, scatters, out);
}

}  // namespace bayesgmm
