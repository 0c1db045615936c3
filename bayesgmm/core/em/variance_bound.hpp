// A bound on how much wider one component may be than another in any direction:
//
//     Sigma_i <= r Sigma_j    for all pairs
//
// (Hathaway 1985, Annals of Statistics 13, 795-800). Under it the likelihood has a maximum.
//
// In the precisions the M-step is convex and the bounds are linear, P_j <= r P_i. Its solution is the
// Bregman projection of the precisions without a bound onto these sets, found pair by pair; what a
// pair exchanged before is put back first (Dykstra's algorithm; Bauschke & Lewis 2000, Optimization
// 48, 409-427). A pair alone is a closed form: in coordinates where both scatters are diagonal,
// variances too far apart become r s and s with s = (W_i / r + W_j) / (N_i + N_j). What comes of it
// is scatter that the narrow one receives, and r times as much that the wide one gives.
#pragma once

#include "em/m_step.hpp"

namespace bayesgmm {
namespace variance_bound {

inline constexpr int MOST_SWEEPS = 1000;

// Relative change of a variance in a sweep that is rounding, of which a pair's narrow one has the
// r-fold of the wide one; and the largest that may be left before likelihoods gain less.
inline double rounding(double ratio) { return 1e-13 + 16.0 * EPSILON * ratio; }
inline constexpr double MOST_LEFT = 1e-8;

// What variances a and b, of n_a and n_b rows, have to change by.
inline std::array<double, 2> change(double ratio, double n_a, double a, double n_b, double b) {
    if (a > ratio * b) {
        const double s = (n_a * a / ratio + n_b * b) / (n_a + n_b);
        return {ratio * s - a, s - b};
    }
    if (b > ratio * a) {
        const double s = (n_b * b / ratio + n_a * a) / (n_a + n_b);
        return {s - a, ratio * s - b};
    }
    return {};
}

// A component: its number of rows, its scatter, and what of that a pair exchanged.
template <int Axes>
struct Side {
    double n;
    View<double, Axes> scatter, exchanged;
};

// Places for the numbers of a pair.
struct Scratch {
    explicit Scratch(Index d)
        : a(d, d), both(d, d), lower(d, d), axes(d, d), directions(d, d), more(d, d), by(2, d),
          variances(2, d), values(d), row(d) {}

    Table a, both, lower, axes, directions, more, by, variances;
    Numbers values, row;
};

// Let two components meet the bound. Returns the largest relative change of a variance, or NaN where
// neither has any in some direction.
inline double meet(double ratio, const std::array<Side<1>, 2> &pair, Scratch &) {
    const auto &[a, b] = pair;
    double most = 0.0;
    for (Index j = 0; j < a.scatter.size(); ++j) {
        double variances[2];
        for (int c = 0; c < 2; ++c)
            variances[c] = (pair[c].scatter[j] - pair[c].exchanged[j]) / pair[c].n;
        if (!(variances[0] + variances[1] > 0.0)) return NOT_A_NUMBER;
        const auto by = change(ratio, a.n, variances[0], b.n, variances[1]);
        for (int c = 0; c < 2; ++c) {
            const auto &[n, scatter, exchanged] = pair[c];
            const double more = n * by[c] - exchanged[j];
            most = std::max(most, std::abs(more) / (n * (variances[c] + by[c])));
            scatter[j] += more;
            exchanged[j] += more;
        }
    }
    return most;
}

// Whether neither variance needs to change, in any direction.
inline bool is_met(double ratio, const std::array<Side<2>, 2> &pair, Matrix scratch) {
    for (int narrow = 0; narrow < 2; ++narrow) {
        const auto &[n, scatter, exchanged] = pair[narrow];
        const auto &wide = pair[1 - narrow];
        for (const double each : exchanged.flat())
            if (each != 0.0) return false;
        for (Index i = 0; i < scratch.size(); ++i)
            scratch.data[i] = ratio / n * scatter.data[i] - wide.scatter.data[i] / wide.n;
        if (!cholesky(scratch, scratch)) return false;
    }
    return true;
}

inline double meet(double ratio, const std::array<Side<2>, 2> &pair, Scratch &at) {
    if (is_met(ratio, pair, at.lower)) return 0.0;
    for (int c = 0; c < 2; ++c) {
        const auto &[n, scatter, exchanged] = pair[c];
        for (Index i = 0; i < scatter.size(); ++i) {
            const double own = (scatter.data[i] - exchanged.data[i]) / n;
            at.both.data()[i] = c == 0 ? own : own + at.a.data()[i];
            if (c == 0) at.a.data()[i] = own;
        }
    }
    if (!cholesky(at.both, at.lower)) return NOT_A_NUMBER;
    congruence(at.lower, at.a, at.more);
    eigen_symmetric(at.more, at.values, at.axes);
    const Index d = at.values.size();
    for (Index m = 0; m < d; ++m) {
        const double a = at.values(m), b = 1.0 - a;
        const auto found = change(ratio, pair[0].n, a, pair[1].n, b);
        for (int c = 0; c < 2; ++c) at.by(c, m) = pair[c].n * found[c];
        at.variances(0, m) = a + found[0];
        at.variances(1, m) = b + found[1];
        assign(at.directions[m], at.axes[m]);
        multiply(at.lower.view(), at.directions[m]);
    }
    double most = 0.0;
    for (int c = 0; c < 2; ++c) {
        const auto &[n, scatter, exchanged] = pair[c];
        m_step::compose(at.directions, at.by[c], at.more);
        add_scaled(at.more.flat(), -1.0, exchanged.flat());
        accumulate(scatter.flat(), at.more.flat());
        accumulate(exchanged.flat(), at.more.flat());
        congruence(at.lower, at.more, at.both);
        sandwich(at.axes.view(), at.both.view(), at.row.view(), at.more.view());
        for (Index i = 0; i < d; ++i)
            for (Index j = 0; j <= i; ++j)
                most = std::max(most, std::abs(at.more(i, j)) /
                                          (n * std::sqrt(at.variances(c, i) * at.variances(c, j))));
    }
    return most;
}

// Whether the bound is certain to be met: the largest eigenvalue is at most the trace t, and the
// least at least |Sigma| ((D - 1) / t)^(D - 1).
template <int Axes>
bool is_certain(double ratio, View<const double, Axes> covariances) {
    auto lower = zeros_like(covariances[0]);
    const Index d = lower.view().shape[0];
    double widest = -INFINITE, narrowest = INFINITE;
    for (Index k = 0; k < covariances.shape[0]; ++k) {
        if (!cholesky(covariances[k], lower)) return false;
        double trace = 0.0;
        for (Index j = 0; j < d; ++j) trace += pivot(covariances[k], j);
        const double others = static_cast<double>(d - 1), log_trace = std::log(trace);
        widest = std::max(widest, log_trace);
        narrowest =
            std::min(narrowest, log_determinant(lower.view()) -
                                    (d > 1 ? others * (log_trace - std::log(others)) : 0.0));
    }
    return widest - narrowest <= std::log(ratio);
}

}  // namespace variance_bound

// Let covariances (K, D, D) or (K, D), those that maximise the expected log-likelihood of counts
// (K,) of a free structure, be those that do under the bound. `exchanged` is where an earlier call
// ended, or empty; it is left where this one ends, which is when a sweep changes no variance by more
// than the share `enough`, or by rounding.
template <int Axes>
void bound_variances(double ratio, double enough, ConstVector counts, Numbers &exchanged,
                     View<double, Axes> covariances) {
    using namespace variance_bound;
    enough = std::clamp(enough, rounding(ratio), MOST_LEFT);
    if (is_certain<Axes>(ratio, covariances)) {
        exchanged = {};
        return;
    }
    const Index K = counts.size(), size = covariances[0].size(), pairs = K * (K - 1) / 2;
    auto scatters = zeros_like(covariances);
    const auto of_pair = [&](Index pair, Index c) {
        View<double, Axes - 1> out;
        out.shape = covariances[0].shape;
        out.data = exchanged.data() + (2 * pair + c) * size;
        return out;
    };
    const auto add_exchanged = [&](double factor) {
        for (Index i = 1, pair = 0; i < K; ++i)
            for (Index j = 0; j < i; ++j, ++pair) {
                add_scaled(scatters[i].flat(), factor, of_pair(pair, 0).flat());
                add_scaled(scatters[j].flat(), factor, of_pair(pair, 1).flat());
            }
    };
    for (Index k = 0; k < K; ++k) add_scaled(scatters[k].flat(), counts[k], covariances[k].flat());
    if (exchanged.size() == 2 * pairs * size)
        add_exchanged(1.0);
    else
        exchanged = Numbers(2 * pairs * size);
    Scratch scratch(Axes == 3 ? covariances.shape[Axes - 1] : 0);
    double most = INFINITE;
    for (int sweep = 0; sweep < MOST_SWEEPS && !(most <= enough); ++sweep) {
        most = 0.0;
        for (Index i = 1, pair = 0; i < K; ++i)
            for (Index j = 0; j < i; ++j, ++pair) {
                const Side<Axes - 1> first{counts[i], scatters[i], of_pair(pair, 0)};
                const Side<Axes - 1> second{counts[j], scatters[j], of_pair(pair, 1)};
                const double moved = meet(ratio, {first, second}, scratch);
                most = std::isnan(moved) ? INFINITE : std::max(most, moved);
            }
    }
    for (Index k = 0; k < K; ++k) {
        assign(covariances[k].flat(), scatters[k].flat());
        scale(covariances[k].flat(), 1.0 / counts[k]);
    }
}

}  // namespace bayesgmm
