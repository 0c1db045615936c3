// The log posterior density of a mixture in unconstrained coordinates, and its gradient.
//
// Coordinates u = (y, m, q) of rows in the units (x - shift) * scale, in a frame A (lower
// triangular, or a diagonal) that makes the components about round:
//
//     weights        softmax(y_1, ..., y_K-1, -sum y)
//     means          mu_k = A m_k
//     covariances    Sigma_k^-1 = P_k' P_k,  P_k = Q_k A^-1,  with Q_k lower triangular: q_k holds
//                    its rows, logs in the place of the diagonal; or, where components share parts
//                    of their covariances, as in covariance_coordinates.hpp
//
// and further coordinates of noise and outliers (outlier_coordinates.hpp). Where parameters are held,
// samplers move in fewer coordinates v, of which u is a linear function; held weights keep their
// values, and the others share the rest.
//
// In the rows of P the log-likelihood is quadratic but for the logs of the diagonal: no curvature
// that a sampler would have to follow, and in this frame hardly a correlation.
//
// The prior densities (prior.hpp) of covariances become densities of q by the Jacobian
// |dSigma / dq| = 2^D prod_i P_ii^(i - 2(D + 1)) Q_ii (times a power of |A|). Where components share
// parts, the densities of all K covariances are multiplied, and |Sigma_k|^((D + 1) / 2) turns them
// into densities with respect to the Fisher metric's volume.
#pragma once

#include "likelihood/covariance_coordinates.hpp"
#include "likelihood/gradient.hpp"
#include "likelihood/outlier_coordinates.hpp"
#include "likelihood/prior.hpp"

namespace bayesgmm {

// A posterior as a function of coordinates.
//
// It holds views: the arrays must outlive it. It may be copied as bytes, so that Python can keep it
// in an array of its own and give samplers the address.
struct Problem {
    Rows rows;
    Prior prior;      // in the units of the rows
    Sharing sharing;  // of covariances; none where groups are free
    Outliers outliers;
    ConstVector frame, frame_inverse;  // A and A^-1: (D, D), or (D,) of variances
    ConstVector held_weights;          // (K,): NaN where free; none where all are
    ConstVector origin;                // u = origin + basis v; none where u = v
    ConstMatrix basis;
    double constant;  // what densities here leave out

    Index k() const { return prior.concentration.size(); }
    Index d() const { return prior.d(); }
    Index size() const { return k() - 1 + k() * d() + of_covariances() + outliers.size(k()); }
    // The number of coordinates v.
    Index n_free() const { return origin.empty() ? size() : basis.shape[1]; }
    Index of_covariances() const {
        return sharing.tied ? sharing.size(k(), d(), block()) : prior.groups * block();
    }
    Index n_gaussians() const { return outliers.pairs ? 2 * k() : k(); }
    // Coordinates of one free covariance.
    Index block() const { return prior.axes > 0 ? prior.axes : d() * (d() + 1) / 2; }
    // Whether all arrays have the sizes that K, D, groups and axes give them.
    bool consistent() const {
        const Index square = prior.axes > 0 ? d() : d() * d();
        return k() > 0 && d() > 0 && prior.fits(k(), d()) && rows.x.shape[1] == d() &&
               (!sharing.tied || (prior.groups == k() && d() > 1)) &&
               (!sharing.has_axes() ||
                (sharing.tied && prior.axes == 0 && sharing.reference.size() == d() * d())) &&
               rows.shift.size() == d() && rows.scale.size() == d() && frame.size() == square &&
               (held_weights.empty() || held_weights.size() == k()) &&
               (origin.empty() || (origin.size() == size() && basis.shape[0] == size())) &&
               (outliers.noise || rows.known.noise.empty()) &&
               (rows.known.classes.empty() || rows.known.classes.size() == n_gaussians()) &&
               frame_inverse.size() == square;
    }
};
static_assert(std::is_trivially_copyable_v<Problem>);

// Coordinates, or a gradient in them.
template <class T>
struct Coordinates {
    View<T, 1> y;
    View<T, 2> m;  // (K, D)
    View<T, 1> covariances;
    View<T, 1> noise;     // one, or none
    View<T, 2> outliers;  // (K, 2), or none

    Coordinates(const Problem &of, View<T, 1> u) {
        const Index k = of.k(), d = of.d(), means = k - 1, end = means + k * d;
        const Index rest = end + of.of_covariances(), pairs = rest + (of.outliers.noise ? 1 : 0);
        y = u.part(0, means);
        m = u.part(means, end).reshaped(k, d);
        covariances = u.part(end, rest);
        noise = u.part(rest, pairs);
        if (of.outliers.pairs) outliers = u.part(pairs, pairs + 2 * k).reshaped(k, 2);
    }
    // Of free covariances, (G, numbers of one).
    View<T, 2> q(const Problem &of) const {
        return covariances.reshaped(of.prior.groups, of.block());
    }
    // Of covariances that share parts.
    TiedCoordinates<T> tied(const Problem &of) const {
        return {of.sharing, covariances, of.k(), of.d(), of.block()};
    }
};

// A (D, D) of covariances with three axes, or its diagonal.
template <int Axes>
View<const double, Axes - 1> frame_view(ConstVector frame, Index d) {
    return covariance_view<Axes>(frame.data, 1, d)[0];
}

// --- from coordinates to mixtures ----------------------------------------------------------------

// True where a weight is held.
inline bool is_held(ConstVector held_weights, Index i) {
    return !held_weights.empty() && !std::isnan(held_weights[i]);
}

// What held weights leave to the others.
inline double left_by(ConstVector held_weights) {
    double left = 1.0;
    for (Index i = 0; i < held_weights.size(); ++i)
        if (is_held(held_weights, i)) left -= held_weights[i];
    return left;
}

// Weights and their logs.
inline void place_weights(ConstVector y, ConstVector held, Vector logs, Vector weights) {
    const Index k = logs.size();
    assign(logs.part(0, k - 1), y);
    logs[k - 1] = -sum(y);
    double largest = -INFINITE, total = 0.0;
    for (Index i = 0; i < k; ++i)
        if (!is_held(held, i)) largest = std::max(largest, logs[i]);
    for (Index i = 0; i < k; ++i)
        if (!is_held(held, i)) total += std::exp(logs[i] - largest);
    const double log_total = largest + std::log(total) - std::log(left_by(held));
    for (Index i = 0; i < k; ++i) {
        logs[i] = is_held(held, i) ? std::log(held[i]) : logs[i] - log_total;
        weights[i] = std::exp(logs[i]);
    }
}

// The unit in which variances along axes are measured: c = |A|^(1 / D).
inline double unit_of(ConstMatrix frame) {
    return std::exp(0.5 * log_determinant(frame) / static_cast<double>(frame.shape[0]));
}

// Factors of all components whose covariances share parts.
template <int Axes>
void place_tied(const Problem &problem, TiedCoordinates<const double> at,
                View<double, Axes> factors) {
    const Index d = problem.d();
    if constexpr (Axes == 3)
        if (problem.sharing.has_axes()) {
            const double unit = unit_of(frame_view<3>(problem.frame, d));
            return AxesChart(problem.sharing, at, unit, problem.k()).place(factors);
        }
    for (Index c = 0; c < problem.k(); ++c)
        place_scaled<Axes>(frame_view<Axes>(problem.frame_inverse, d), at(VOLUME, c)[0],
                           at(SHAPE, c), factors[c]);
}

// Weights, their logs, and means and factors of all components; constants and offsets are not set.
template <int Axes>
void place(const Problem &problem, Coordinates<const double> at, Vector logs, Vector weights,
           Gaussians<Axes> &mixture) {
    const Index d = problem.d(), groups = problem.prior.groups;
    const auto frame = frame_view<Axes>(problem.frame, d);
    const auto frame_inverse = frame_view<Axes>(problem.frame_inverse, d);
    place_weights(at.y, problem.held_weights, logs, weights);
    for (Index c = 0; c < mixture.k(); ++c) {
        assign(mixture.means[c], at.m[c]);
        multiply(frame, mixture.means[c]);
        if (problem.sharing.tied) continue;
        if (c < groups)
            place_factor(frame_inverse, at.q(problem)[c], mixture.factors[c]);
        else
            assign(mixture.factors[c].flat(), mixture.factors[0].flat());
    }
    if (problem.sharing.tied) place_tied<Axes>(problem, at.tied(problem), mixture.factors);
}

// --- parts of the density ------------------------------------------------------------------------

// Dirichlet density and Jacobian of the weights; sets the gradient in y from the counts N.
inline double add_weights(const Prior &prior, ConstVector held, ConstVector counts,
                          ConstVector logs, ConstVector weights, Vector d_y) {
    const Index last = logs.size() - 1;
    const double left = left_by(held);
    double value = 0.0, total = 0.0;
    for (Index i = 0; i <= last; ++i) {
        value += prior.concentration[i] * logs[i];
        if (!is_held(held, i)) total += prior.concentration[i] + counts[i];
    }
    const auto slope = [&](Index i) {
        if (is_held(held, i)) return 0.0;
        return prior.concentration[i] + counts[i] - total * weights[i] / left;
    };
    for (Index i = 0; i < last; ++i) d_y[i] = slope(i) - slope(last);
    return value;
}

// Normal densities of the means; the gradient in mu becomes that in m.
template <class Frame>
double add_means(const Prior &prior, Frame frame, ConstMatrix means, Matrix d_means) {
    for (Index k = 0; k < means.shape[0]; ++k) {
        for (Index j = 0; j < means.shape[1]; ++j) {
            const double z = (means(k, j) - prior.location(k, j)) * prior.precision(k, j);
            d_means(k, j) -= z * prior.precision(k, j);
        }
        multiply_transposed(frame, d_means[k]);
    }
    return log_density_of_means(prior, means);
}

// -tr(C P'P) / 2; adds the gradient -P C to that in P. `scratch` is (D,).
template <class Symmetric, class Factor, class Gradient>
double add_trace(Symmetric c, Factor p, Vector scratch, Gradient d_p) {
    double value = 0.0;
    for (Index i = 0; i < p.shape[0]; ++i) {
        const ConstVector row = row_of(p, i);
        const Vector product = scratch.part(0, row.size());
        row_of_product(p, i, c, product);
        add_scaled(row_of(d_p, i), -1.0, product);
        value -= 0.5 * inner_product(product, row);
    }
    return value;
}

// Log-normal standard deviations and LKJ correlations of one covariance, without powers of P.
//
// With h_j = d/d log sd_j, and L = P^-1, the gradient in P is -L' diag(h_j / Sigma_jj) Sigma.
inline double add_separate(ConstVector strength, ConstVector log_scales, ConstMatrix p,
                           Matrix d_p) {
    const Index d = p.shape[0];
    const double eta = strength[0], spread = strength[1];
    Table lower(d, d), covariance(d, d);
    invert_lower(p, lower);
    outer_product(lower.view(), covariance.view());
    double value = 0.0;
    const double drift = -2.0 * (eta - 1.0) - static_cast<double>(d) - 1.0;
    for (Index j = 0; j < d; ++j) {
        const double log_sd = 0.5 * std::log(covariance(j, j));
        const double z = (log_sd - log_scales[j]) / spread;
        value += drift * log_sd - 0.5 * z * z;
        const double h = (drift - z / spread) / covariance(j, j);
        for (Index a = 0; a <= j; ++a)
            add_scaled(d_p[a].part(0, a + 1), -lower(j, a) * h, covariance[j].part(0, a + 1));
    }
    return value;
}

// Powers of P_ii, and the Jacobian; sets the gradient in q from that in P.
template <class Factor, class Gradient>
double add_powers(double power, Factor frame_inverse, ConstVector q, Gradient d_p, Vector d_q) {
    double value = 0.0;
    for (Index i = 0, at = 0; i < d_p.shape[0]; ++i) {
        const ConstVector row = row_of(d_p, i);
        for (Index j = i + 1 - row.size(); j <= i; ++j, ++at) {
            const ConstVector of_frame = row_of(frame_inverse, j);
            d_q[at] = inner_product(row.part(0, of_frame.size()), of_frame);
        }
        const double log_diagonal = q[at - 1], total = power + static_cast<double>(row.size());
        value += total * log_diagonal;
        d_q[at - 1] = d_q[at - 1] * std::exp(log_diagonal) + total;
    }
    return value;
}

// Density of the groups' covariances but for powers of P; adds the gradient in P.
template <int Axes>
double add_scales(const Problem &problem, View<const double, Axes> factors,
                  View<double, Axes> d_factors) {
    const Prior &prior = problem.prior;
    const Index size = prior.axes > 0 ? prior.axes : problem.d();
    auto c = scales_of<Axes>(prior);
    Numbers scratch(size);
    double value = 0.0;
    if (prior.family != SEPARATE) value += set_scales<Axes>(prior, factors, c.view());
    for (Index g = 0; g < prior.groups; ++g) {
        const auto p = factors[g].part(0, size);
        const auto d_p = d_factors[g].part(0, size);
        // One variance of all features: its factor stands for the others'.
        if (Axes == 2 && size == 1) d_p.data[0] = sum(d_factors[g].flat());
        if constexpr (Axes == 3)
            if (prior.family == SEPARATE)
                value += add_separate(prior.strength, prior.log_scales[g], p, d_p);
        if (prior.family != SEPARATE) {
            // The gradient of the learned density is the fixed one's, with the mean of C for C.
            const double trace = add_trace(c.view()[g], p, scratch, d_p);
            if (prior.family == FIXED) value += trace;
        }
    }
    return value;
}

// Powers of P and the Jacobian of free covariances; sets the gradient in q from that in P.
template <int Axes>
double add_free_powers(const Problem &problem, ConstMatrix q, View<double, Axes> d_factors,
                       Matrix d_q) {
    const Prior &prior = problem.prior;
    const Index size = prior.axes > 0 ? prior.axes : problem.d();
    const auto frame_inverse = frame_view<Axes>(problem.frame_inverse, problem.d()).part(0, size);
    double value = 0.0, power = prior.nu() - prior.size();
    if (prior.family == SEPARATE)
        power = -2.0 * (prior.strength[0] - 1.0) - 2.0 * static_cast<double>(size + 1) + 1.0;
    for (Index g = 0; g < prior.groups; ++g)
        value += add_powers(power, frame_inverse, q[g], d_factors[g].part(0, size), d_q[g]);
    return value;
}

// The same of covariances that share parts, with the volume of the Fisher metric.
template <int Axes>
double add_tied_powers(const Problem &problem, TiedCoordinates<const double> at,
                       View<const double, Axes> factors, View<double, Axes> d_factors,
                       TiedCoordinates<double> slope) {
    const Prior &prior = problem.prior;
    const Sharing &sharing = problem.sharing;
    const Index k = problem.k(), d = problem.d();
    // Of P_ii, |Sigma|^((D + 1) / 2) among them. Their product depends on the volume alone.
    const double power = prior.family == SEPARATE
                             ? -2.0 * (prior.strength[0] - 1.0) - static_cast<double>(d + 1)
                             : prior.nu();
    double value = 0.0;
    for (Index c = 0; c < k; ++c) {
        value += power * static_cast<double>(d) * at(VOLUME, c)[0];
        slope(VOLUME, c)[0] += power * static_cast<double>(d);
    }
    if constexpr (Axes == 3)
        if (sharing.has_axes()) {
            const double unit = unit_of(frame_view<3>(problem.frame, d));
            return value + AxesChart(sharing, at, unit, k).pull(factors, d_factors, slope);
        }
    const auto frame_inverse = frame_view<Axes>(problem.frame_inverse, d);
    for (Index c = 0; c < k; ++c)
        value += pull_scaled<Axes>(frame_inverse, at(VOLUME, c)[0], at(SHAPE, c),
                                   c == 0 || !sharing.shared[SHAPE], factors[c], d_factors[c],
                                   slope(VOLUME, c)[0], slope(SHAPE, c));
    return value;
}

// The weight of noise and its count, to which the components' weights are relative.
template <int Axes>
double add_noise_weight(const Problem &problem, double s, Sums<Axes> sums, double &slope) {
    const double concentration = sum(problem.prior.concentration), counts = sum(sums.counts());
    return add_noise(problem.outliers, s, concentration, concentration + counts,
                     sums.weight() - counts, slope);
}

// Complete a mixture, and give the weight of noise its share. False if it has none.
template <int Axes>
bool complete_beside(Coordinates<const double> at, ConstVector weights, Gaussians<Axes> &mixture) {
    if (complete(weights, mixture) != 0) return false;
    if (!at.noise.empty()) {
        const Logistic noise(at.noise[0]);
        mixture.log_noise_weight = noise.log_this;
        for (double &each : mixture.constants.view()) each += noise.log_other;
    }
    return true;
}

// One pass over pairs of components and their outliers. The gradient in the coordinates of these is
// set; the return value is their log prior density, NaN where there is no such mixture.
template <int Axes>
double pass_over_pairs(const Problem &problem, Coordinates<const double> at, ConstVector weights,
                       const Gaussians<Axes> &mixture, Sums<Axes> sums, Matrix slope) {
    const Index k = problem.k(), d = problem.d();
    Gaussians<Axes> pairs(2 * k, d);
    Numbers pair_weights(2 * k), all(Sums<Axes>::size(2 * k, d));
    const Sums<Axes> of_pairs{all, 2 * k, d};
    place_pairs(mixture, weights, at.outliers, pair_weights, pairs);
    if (!complete_beside<Axes>(at, pair_weights, pairs)) return NOT_A_NUMBER;
    Passes<Axes>(problem.rows, 2 * k, 1).run(pairs, of_pairs);
    return fold_pairs(problem.outliers, at.outliers, pairs, of_pairs, sums, slope);
}

// Log posterior density at u with respect to u, nats; sets its gradient. NaN where float64 does not
// reach.
template <int Axes>
double log_posterior(const Problem &problem, ConstVector u, Vector gradient) {
    const Index k = problem.k(), d = problem.d(), groups = problem.prior.groups;
    const Coordinates<const double> at(problem, u);
    const Coordinates<double> slope(problem, gradient);
    Gaussians<Axes> mixture(k, d);
    // One array for all that is small: at a few hundred rows, allocations count.
    const Index n_sums = Sums<Axes>::size(k, d);
    Numbers scratch(2 * k + n_sums + k * covariance_size<Axes>(d));
    const Vector logs = scratch.view().part(0, k), weights = scratch.view().part(k, 2 * k);
    const Sums<Axes> sums{scratch.view().part(2 * k, 2 * k + n_sums), k, d};
    const auto d_factors = covariance_view<Axes>(sums.all.end(), k, d);
    place(problem, at, logs, weights, mixture);
    if (!complete_beside<Axes>(at, weights, mixture)) {
        fill(gradient, NOT_A_NUMBER);
        return NOT_A_NUMBER;
    }
    double value = problem.constant;
    if (problem.outliers.pairs)
        value += pass_over_pairs(problem, at, weights, mixture, sums, slope.outliers);
    else
        Passes<Axes>(problem.rows, k, 1).run(mixture, sums);
    value += sums.log_likelihood();
    value +=
        add_weights(problem.prior, problem.held_weights, sums.counts(), logs, weights, slope.y);
    if (problem.outliers.noise)
        value += add_noise_weight(problem, at.noise[0], sums, slope.noise[0]);
    const View<const double, Axes> factors = mixture.factors;
    means_gradient(sums, factors, slope.m);
    value += add_means(problem.prior, frame_view<Axes>(problem.frame, d), mixture.means, slope.m);
    factors_gradient(sums, factors, d_factors);
    for (Index c = groups; c < k; ++c) accumulate(d_factors[0].flat(), d_factors[c].flat());
    value += add_scales(problem, factors, d_factors);
    if (!problem.sharing.tied)
        return value + add_free_powers(problem, at.q(problem), d_factors, slope.q(problem));
    fill(slope.covariances, 0.0);
    return value +
           add_tied_powers(problem, at.tied(problem), factors, d_factors, slope.tied(problem));
}

// --- coordinates that are free -------------------------------------------------------------------

// The coordinates u of v.
inline Numbers all_coordinates(const Problem &problem, ConstVector v) {
    Numbers u(problem.size());
    if (problem.origin.empty()) {
        assign(u, v);
        return u;
    }
    assign(u, problem.origin);
    for (Index i = 0; i < problem.size(); ++i) u[i] += inner_product(problem.basis[i], v);
    return u;
}

// `log_posterior` and its gradient in v.
inline double log_posterior_of_free(const Problem &problem, ConstVector v, Vector gradient) {
    const auto density = [&](ConstVector u, Vector slope) {
        return problem.prior.axes > 0 ? log_posterior<2>(problem, u, slope)
                                      : log_posterior<3>(problem, u, slope);
    };
    if (problem.origin.empty()) return density(v, gradient);
    Numbers slope(problem.size());
    const double value = density(all_coordinates(problem, v), slope);
    fill(gradient, 0.0);
    for (Index i = 0; i < problem.size(); ++i) add_scaled(gradient, slope[i], problem.basis[i]);
    return value;
}

// --- mixtures in the data's units ----------------------------------------------------------------

// Weights (K,), means (K, D) and covariances (K, D, D) at u, in the data's units.
template <int Axes>
void expand(const Problem &problem, ConstVector u, Vector weights, Matrix means,
            Matrices covariances) {
    const Index k = problem.k(), d = problem.d();
    const ConstVector shift = problem.rows.shift, scale = problem.rows.scale;
    Gaussians<Axes> mixture(k, d);
    Numbers logs(k);
    auto lower = zeros_like(mixture.factors[0]), covariance = lower;
    place(problem, {problem, u}, logs, weights, mixture);
    fill(covariances.flat(), 0.0);
    for (Index c = 0; c < k; ++c) {
        for (Index j = 0; j < d; ++j) means(c, j) = shift[j] + mixture.means(c, j) / scale[j];
        // Sigma = L L', L = P^-1
        if (!invert_lower(mixture.factors[c], lower)) fill(lower.flat(), NOT_A_NUMBER);
        outer_product(lower.view(), covariance.view());
        for (Index i = 0; i < d; ++i) {
            const ConstVector row = row_of(covariance.view(), i);
            for (Index j = i + 1 - row.size(), m = 0; j <= i; ++j, ++m)
                covariances(c, i, j) = covariances(c, j, i) = row[m] / scale[i] / scale[j];
        }
    }
}

// --- C functions, for samplers -------------------------------------------------------------------

// Return codes: nutpie rejects a point for a positive one, and ends the chain for a negative one.
enum Status : std::int64_t { FOUND = 0, NOT_FINITE = 3, OUT_OF_MEMORY = -1 };

// `log_posterior` at u (size,). NOT_FINITE if the value or the gradient is not finite.
extern "C" inline std::int64_t bayesgmm_log_posterior(std::uint64_t size, const double *u,
                                                      double *gradient, double *value,
                                                      const void *problem) noexcept try {
    const Index length = static_cast<Index>(size);
    const Vector slope{gradient, {length}};
    *value = log_posterior_of_free(*static_cast<const Problem *>(problem), {u, {length}}, slope);
    return std::isfinite(*value) && all_finite(slope) ? FOUND : NOT_FINITE;
} catch (const std::bad_alloc &) {
    return OUT_OF_MEMORY;
}

// Numbers of a mixture in `bayesgmm_expand`.
inline Index expanded_size(const Problem &of) {
    return of.k() * (1 + of.d() + of.d() * of.d()) + of.outliers.size(of.k());
}

// `expand` at u (size,): weights, means and covariances one after another in `out` (expanded,); then
// the weight of noise, and shares and inflation of outliers, where there are such.
extern "C" inline std::int64_t bayesgmm_expand(std::uint64_t size, std::uint64_t expanded,
                                               const double *u, double *out,
                                               const void *problem) noexcept try {
    const Problem &of = *static_cast<const Problem *>(problem);
    const Index k = of.k(), d = of.d();
    const Numbers at = all_coordinates(of, {u, {static_cast<Index>(size)}});
    const Vector all{out, {static_cast<Index>(expanded)}}, weights = all.part(0, k);
    const Index end = k * (1 + d + d * d);
    const Matrix means = all.part(k, k + k * d).reshaped(k, d);
    const Matrices covariances = all.part(k + k * d, end).reshaped(k, d, d);
    const Coordinates<const double> beside(of, at);
    if (of.outliers.noise) all[end] = Logistic(beside.noise[0]).of_this;
    const Vector shares = all.part(end + (of.outliers.noise ? 1 : 0), all.size());
    for (Index c = 0; c < k && of.outliers.pairs; ++c) {
        shares[c] = share_of_outliers(beside.outliers(c, 0));
        shares[c + k] = std::exp(log_inflation(beside.outliers(c, 1)));
    }
    if (of.prior.axes > 0)
        expand<2>(of, at, weights, means, covariances);
    else
        expand<3>(of, at, weights, means, covariances);
    return FOUND;
} catch (const std::bad_alloc &) {
    return OUT_OF_MEMORY;
}

}  // namespace bayesgmm
