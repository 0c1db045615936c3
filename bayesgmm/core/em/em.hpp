// The EM loop, E-step and M-step in turn, for every fit.
//
// With acceleration, a combination of the last steps is tried first; where it loses likelihood or is
// not a mixture, the plain EM step takes its place. Either way no step loses likelihood. M-steps that
// iterate go on from where the last one ended, and take a step at a time: what is left they gain in
// the next iteration (generalised EM; Dempster, Laird & Rubin 1977, section 2).
//
// With a prior, what is maximised is the log-likelihood plus the log prior density, by ECM (Meng &
// Rubin 1993, Biometrika 80, 267-278): weights, then means given covariances, then covariances given
// means. A scale of the covariances that has a prior of its own is integrated out; it takes part as
// missing data do, through its mean given the covariances. A conjugate prior of a covariance is as
// good as rows: to the M-step of any structure it is a number of them to add to N_k, and a scatter
// to add to W_k.
//
// Held parameters stay at the values of the start, and a step maximises over the others. Where
// entries of a mean are held, the maximum over the others depends on the covariance, and the steps
// are those of ECM, too.
#pragma once

#include <functional>
#include <optional>

#include "em/anderson.hpp"
#include "em/contamination.hpp"
#include "em/held.hpp"
#include "em/variance_bound.hpp"
#include "likelihood/pairwise_summation.hpp"
#include "likelihood/prior.hpp"

namespace bayesgmm {

// What is maximised: a structure, what keeps its covariances from collapsing, and what is held.
struct Model {
    Structure structure;
    ConstVector ridge;  // (D,), or none: a variance to add to every component's
    std::optional<Prior> prior;
    std::optional<Held> held;
    bool contaminated = false;  // Gaussians are pairs
    // Largest ratio of two components' variances in a direction, of free structures; or infinite.
    double variance_ratio = INFINITE;
};

struct StopRule {
    double remaining;  // nats still to be gained, by estimate, at which a run has converged
    double change;     // or, if not NaN: change of the mean log-likelihood in an iteration
    Index max_e_steps;
    double incumbent;  // a run ends when it falls behind this log-likelihood; -infinity for none
    Index plain;       // E-steps before steps are combined: early steps predict later ones badly
    bool exact;        // iterations of M-steps go on to their end, from nothing: EM itself

    bool accelerates() const { return plain < max_e_steps; }
};

// The scatter about the mean mu + step, from N, A and B about mu: about the component's own mean, and
// the square of what a prior takes off.
template <class Symmetric, class Out>
void scatter_about(double n, ConstVector a, Symmetric b, ConstVector step, Out out) {
    const double inverse = n > 0.0 ? 1.0 / n : 0.0;
    for (Index i = 0; i < a.size(); ++i) {
        const Vector row = row_of(out, i);
        const ConstVector of_b = row_of(b, i);
        const double apart = n * (step[i] - a[i] * inverse);
        for (Index j = i + 1 - row.size(), m = 0; j <= i; ++j, ++m)
            row[m] = of_b[m] - a[i] * (a[j] * inverse) + apart * (step[j] - a[j] * inverse);
    }
    mirror(out);
}

// Why a run ended. The Python side has the same names.
enum Outcome : int { CONVERGED, STOPPED, COLLAPSED, BEHIND, INTERRUPTED };

// The sums of all rows, wherever they are, under a mixture and its factors.
template <int Axes>
using Pass = std::function<void(Parameters<Axes>, const Gaussians<Axes> &, Sums<Axes>)>;

template <int Axes>
Pass<Axes> pass_over(Passes<Axes> &rows) {
    return [&](Parameters<Axes>, const Gaussians<Axes> &mixture, Sums<Axes> out) {
        rows.run(mixture, out);
    };
}

template <int Axes>
class EM {
public:
    // theta: the start, and the end. sums: those of the E-step at theta. metric: as in Acceleration.
    EM(Pass<Axes> pass, bool has_noise, const Model &model, Parameters<Axes> theta, Sums<Axes> sums,
       ConstMatrix metric = {})
        : model_(model), k_(theta.k), d_(theta.d), n_components_(model.contaminated ? k_ / 2 : k_),
          theta_(theta), sums_(sums), has_noise_(has_noise), pass_(std::move(pass)),
          mixture_(k_, d_), history_(k_, d_, metric), image_all_(theta.all.size()),
          trial_all_(theta.all.size()), trial_sums_(sums.all.size()),
          pseudo_counts_(n_components_) {
        if (model.contaminated) {
            tied_ = Numbers(Sums<Axes>::size(n_components_, d_));
            masses_ = Numbers(n_components_);
        }
        image_ = {image_all_, k_, d_};
        trial_ = {trial_all_, k_, d_};
        if (!model.prior) return;
        const Prior &prior = *model.prior;
        fill(pseudo_counts_, (prior.nu() + prior.size() + 1.0) * copies(prior));
        scales_ = scales_of<Axes>(prior);
    }

    Outcome run(const StopRule &rule, const std::function<bool()> &interrupted) {
        meet_bound(theta_);
        component_ = factor<Axes>(theta_.weights(), theta_.means(), theta_.covariances(), mixture_);
        if (component_ > 0) return COLLAPSED;
        state_ = state_at_theta(rule.exact);
        objective_ = e_step(theta_, sums_);
        trace.push_back(objective_);
        const bool accelerates = rule.accelerates();
        const bool observes = accelerates || std::isnan(rule.change);
        while (rule.max_e_steps > 1) {
            if (is_behind(rule.incumbent)) return BEHIND;
            if (interrupted()) return INTERRUPTED;
            component_ = m_step(rule.exact);
            if (component_ > 0) return COLLAPSED;
            if (observes) observe(rule.remaining);
            if (has_converged(rule)) return CONVERGED;
            if (n_e_steps >= rule.max_e_steps) return STOPPED;
            const bool ahead = n_e_steps > rule.plain || history_.has_metric();
            if (accelerates && ahead && try_ahead()) continue;
            if (n_e_steps >= rule.max_e_steps) return STOPPED;
            component_ = step();
            if (component_ > 0) return COLLAPSED;
        }
        return STOPPED;
    }

    // One EM step from theta; 0, or 1 + the component that collapsed.
    Index image(Vector out) {
        component_ = factor<Axes>(theta_.weights(), theta_.means(), theta_.covariances(), mixture_);
        if (component_ > 0) return component_;
        state_ = state_at_theta(true);
        e_step(theta_, sums_);
        component_ = m_step(true);
        assign(out, image_all_);
        return component_;
    }

    // 1 + the component that ended the run, if it collapsed.
    Index component() const { return component_; }

    Index n_e_steps = 0;
    double remaining = INFINITE;
    std::vector<double> trace;  // what is maximised, after each step that was kept

private:
    // Steps that an M-step's iterations make at a time; the first M-step makes as many as it needs.
    static constexpr int EFFORT = 1, FIRST_EFFORT = 100;
    // A run has fallen behind the incumbent when even ten times the gain of its last few steps would
    // not reach it. No run is given up before the first look.
    static constexpr std::size_t FIRST_LOOK = 8, RECENT = 4;
    static constexpr double PATIENCE = 10.0;
    // It ends at the incumbent's maximum where both are nearer to each other than this (nats), and
    // what remains to be gained is less.
    static constexpr double SAME = 1e-3;
    // Steps in which the likelihood has gained no more than rounding: there is nothing to gain.
    static constexpr std::size_t STANDSTILL = 100;

    // Where the iterations of an M-step begin that is to be no worse than theta: at theta's own
    // volumes and axes. Those that go on to their end find the volumes from nothing.
    MStepState state_at_theta(bool exact) {
        MStepState state = initial_state(model_.structure, n_components_, d_);
        for (Index c = 0; c < state.log_volumes.size() && !exact; ++c)
            for (Index j = 0; j < d_; ++j)
                state.log_volumes[c] -=
                    2.0 * std::log(pivot(mixture_.factors[c], j)) / static_cast<double>(d_);
        if constexpr (Axes == 3) {
            if (model_.structure.has_common_axes()) begin_common_axes(of_components(theta_), state);
        }
        return state;
    }

    // The E-step at a mixture that is factored already; the value of what is maximised.
    double e_step(Parameters<Axes> at, Sums<Axes> out) {
        pass_(at, mixture_, out);
        ++n_e_steps;
        double value = out.log_likelihood();
        if (model_.prior) {
            const Prior &prior = *model_.prior;
            value += log_density_of_weights(prior, at.weights()) +
                     log_density_of_means(prior, at.means()) +
                     log_density_of_covariances<Axes>(prior, mixture_.factors, scales_.view());
        }
        return value;
    }

    bool is_behind(double incumbent) const {
        const double short_of = incumbent - trace.back();
        if (short_of > 0.0 && std::max(short_of, remaining) < SAME) return true;
        if (trace.size() < FIRST_LOOK) return false;
        const double gained = trace.back() - trace[trace.size() - 1 - RECENT];
        return PATIENCE * gained < short_of;
    }

    void observe(double enough) {
        Numbers counts(k_);
        if (model_.prior) assign(counts, pseudo_counts_);
        accumulate(counts, sums_.counts());
        history_.observe(theta_, image_, counts, mixture_);
        remaining = history_.remaining(enough);
    }

    // Along a ridge that is level up to rounding parameters may move without end, as the axes of a
    // component do in directions in which its rows do not vary.
    bool stands_still() const {
        if (trace.size() <= STANDSTILL) return false;
        const double gained = trace.back() - trace[trace.size() - 1 - STANDSTILL];
        return gained <= 8.0 * EPSILON * std::abs(trace.back());
    }

    bool has_converged(const StopRule &rule) const {
        if (std::isnan(rule.change))
            return remaining <= rule.remaining || (rule.accelerates() && rule.remaining >= 0.0 &&
                                                   (history_.has_stalled() || stands_still()));
        const std::size_t n = trace.size();
        return n > 1 && std::abs(trace[n - 1] - trace[n - 2]) / sums_.weight() < rule.change;
    }

    // Try a combination of the last steps; true if theta went there.
    bool try_ahead() {
        if (!history_.propose(trial_.all)) return false;
        MStepState state = state_;
        const bool is_mixture =
            project(state) == 0 &&
            factor<Axes>(trial_.weights(), trial_.means(), trial_.covariances(), mixture_) == 0;
        double value = -INFINITE;
        const Sums<Axes> found{trial_sums_, k_, d_};
        if (is_mixture) value = e_step(trial_, found);
        const bool better = objective_ - value <= 8.0 * EPSILON * std::abs(objective_);
        history_.learn(better);
        if (!better) return false;
        assign(theta_.all, trial_.all);
        assign(sums_.all, found.all);
        state_ = std::move(state);
        keep(value);
        return true;
    }

    // The plain EM step: theta becomes its image.
    Index step() {
        const Index bad =
            factor<Axes>(image_.weights(), image_.means(), image_.covariances(), mixture_);
        if (bad > 0) return bad;
        assign(theta_.all, image_.all);
        keep(e_step(theta_, sums_));
        return 0;
    }

    void keep(double value) {
        objective_ = value;
        trace.push_back(value);
    }

    // Make a combination of members of the structure a member; 0, or 1 + a bad component.
    Index project(MStepState &state) {
        const Vector weights = trial_.weights();
        for (Index c = 0; c < n_components_ && model_.contaminated; ++c) {
            const double weight = weights[c] + weights[c + n_components_];
            contamination::split(trial_, c, weight, weights[c] / weight);
        }
        for (Index c = 0; c < k_; ++c)
            if (!(weights[c] > 0.0)) return c + 1;
        if (has_noise_ && !(sum(weights) < 1.0)) return 1;
        // A combination of many steps sums to 1 but for their rounding, which n rows would multiply.
        // Beside noise no weight is held, and the sum is that of noise's complement.
        if (model_.held && !has_noise_)
            share_rest(*model_.held, theta_.weights(), weights);
        else if (!has_noise_)
            scale(weights, 1.0 / sum(weights));
        meet_bound(trial_);
        const View<double, Axes> covariances = of_components(trial_);
        Index bad = 0;
        if (!model_.structure.is_closed_under_mixing() && !holds_covariances()) {
            auto scatters = zeros_like(covariances);
            Numbers sizes(n_components_);
            for (Index c = 0; c < k_; ++c) sizes[c % n_components_] += weights[c];
            for (Index c = 0; c < n_components_; ++c)
                add_scaled(scatters[c].flat(), sizes[c], covariances[c].flat());
            bad = maximise_covariances<Axes>(model_.structure, sizes, scatters, state, EFFORT,
                                             covariances);
        }
        for (Index c = 0; c < n_components_ && model_.contaminated && bad == 0; ++c) {
            const auto second = trial_.covariances()[c + n_components_];
            if (!contamination::inflate(trial_, c, second)) bad = c + 1;
        }
        return bad;
    }

    // Relative errors of variances that cost far less than the last step gained.
    double left_by_bound() const { return 1e-6 * history_.gain() / sums_.weight(); }

    // Let a start or a combination meet the bound on variances, its weights being numbers of rows.
    void meet_bound(Parameters<Axes> of) {
        if (!(model_.variance_ratio < INFINITE)) return;
        Numbers sizes(n_components_), inflations(n_components_), exchanged;
        for (Index c = 0; c < k_; ++c) sizes[c % n_components_] += of.weights()[c];
        for (Index c = 0; c < n_components_ && model_.contaminated; ++c)
            inflations[c] = contamination::inflation(of, c);
        bound_variances<Axes>(model_.variance_ratio, left_by_bound(), sizes, exchanged,
                              of_components(of));
        for (Index c = 0; c < n_components_ && model_.contaminated; ++c) {
            const Vector second = of.covariances()[c + n_components_].flat();
            assign(second, of.covariances()[c].flat());
            scale(second, inflations[c]);
        }
    }

    // The covariances of the components: of a pair, that of its first Gaussian.
    View<double, Axes> of_components(Parameters<Axes> of) const {
        return of.covariances().part(0, n_components_);
    }

    // The sums of the components; `masses` are what their means divide by.
    Sums<Axes> sums_of_components(ConstVector &masses) {
        if (!model_.contaminated) {
            masses = sums_.counts();
            return sums_;
        }
        const Sums<Axes> out{tied_, n_components_, d_};
        contamination::tie(theta_, sums_, out, masses_);
        masses = masses_;
        return out;
    }

    // Second Gaussians of pairs, given their first; 0, or 1 + a component without a covariance.
    Index complete_pairs(ConstMatrix steps) {
        auto scatter = zeros_like(theta_.covariances()[0]);
        for (Index c = 0; c < n_components_; ++c) {
            const Index twin = c + n_components_;
            const double n = sums_.counts()[twin], own = sums_.counts()[c];
            contamination::split(image_, c, image_.weights()[c], own / (own + n));
            if (n > EPSILON * own) {
                scatter_about(n, sums_.firsts()[twin], sums_.seconds()[twin], steps[c],
                              scatter.view());
                scale(scatter.flat(), 1.0 / n);
            } else {
                assign(scatter.flat(), image_.covariances()[c].flat());
                scale(scatter.flat(), contamination::inflation(theta_, c));
            }
            if (!contamination::inflate(image_, c, scatter.view())) return c + 1;
        }
        return 0;
    }

    // The M-step from theta, into the image. 0, or 1 + the component that it leaves without rows or
    // without a covariance.
    Index m_step(bool exact) {
        ConstVector masses;
        const Sums<Axes> sums = sums_of_components(masses);
        const ConstVector counts = sums.counts();
        double excess_total = 0.0, least = INFINITE;
        Index fewest = 0;
        for (Index c = 0; c < n_components_; ++c) {
            const double excess = model_.prior ? model_.prior->concentration[c] - 1.0 : 0.0;
            excess_total += excess;
            image_.weights()[c] = counts[c] + excess;
            if (model_.held && model_.held->whole(c)) continue;
            if (counts[c] + excess < least) least = counts[c] + excess, fewest = c;
        }
        if (!(least >= EPSILON * sums_.weight())) return fewest + 1;
        for (double &weight : image_.weights().part(0, n_components_))
            weight /= sums_.weight() + excess_total;
        if (model_.held && !has_noise_)
            share_rest(*model_.held, theta_.weights(), image_.weights());
        Numbers sizes = pseudo_counts_;
        Table steps(n_components_, d_);
        accumulate(sizes, counts);
        auto scatters = zeros_like(of_components(theta_));
        for (Index c = 0; c < n_components_; ++c) {
            mean_steps(c, masses[c], sums.firsts()[c], steps[c]);
            for (Index j = 0; j < d_; ++j)
                image_.means()(c, j) = theta_.means()(c, j) + steps(c, j);
            scatter_about(masses[c], sums.firsts()[c], sums.seconds()[c], steps.view()[c],
                          scatters[c]);
            // N_k times the ridge: for most structures as good as adding it to the covariances.
            for (Index j = 0; j < model_.ridge.size(); ++j)
                pivot(scatters[c], j) += counts[c] * model_.ridge[j];
        }
        if (model_.prior) add_pseudo_scatter(scatters);
        const Index bad = maximise_free_covariances(sizes, scatters, exact);
        return bad > 0 || !model_.contaminated ? bad : complete_pairs(steps);
    }

    bool holds_covariances() const { return model_.held && Held::all(model_.held->covariances); }

    // The covariances' part of the M-step. Components of which some are held share nothing.
    Index maximise_free_covariances(Vector sizes, View<double, Axes> scatters, bool exact) {
        const View<double, Axes> covariances = of_components(image_);
        const auto put = [&](View<double, Axes> to) {
            for (Index c = 0; model_.held && c < k_; ++c)
                if (model_.held->covariances[c])
                    assign(to[c].flat(), theta_.covariances()[c].flat()), sizes[c] = 1.0;
        };
        Index bad = 0;
        if (!holds_covariances()) {
            put(scatters);
            if (exact) state_ = state_at_theta(exact);
            const int effort = exact ? 0 : trace.size() > 1 ? EFFORT : FIRST_EFFORT;
            // Under a bound a component without a variance receives one.
            if (model_.variance_ratio < INFINITE)
                m_step::each_for_itself<Axes>(model_.structure, sizes, scatters, covariances);
            else
                bad = maximise_covariances<Axes>(model_.structure, sizes, scatters, state_, effort,
                                                 covariances);
        }
        put(covariances);
        if (model_.variance_ratio < INFINITE)
            bound_variances<Axes>(model_.variance_ratio, left_by_bound(), sizes, state_.exchanged,
                                  covariances);
        return bad;
    }

    // Steps to the mean that maximises the (penalised) expected log-likelihood given covariances:
    // A / N, or (N Sigma^-1 + S^-1) step = Sigma^-1 A + S^-1 (m - mu) under a prior N(m, S).
    void mean_steps(Index c, double n, ConstVector a, Vector out) {
        if (model_.held && model_.held->has_means(c)) return free_mean_steps(c, out);
        if (!model_.prior) {
            for (Index j = 0; j < d_; ++j) out[j] = a[j] / n;
            return;
        }
        // step = L v with (N I + L' S^-1 L) v = P A + L' S^-1 (m - mu), where Sigma = L L'.
        const Prior &prior = *model_.prior;
        auto lower = zeros_like(theta_.covariances()[c]), system = lower;
        Numbers pull(d_);
        cholesky(theta_.covariances()[c], lower);
        auto scaled = lower;  // S^-1/2 L
        for (Index j = 0; j < d_; ++j) {
            scale(row_of(scaled.view(), j), prior.precision(c, j));
            pull[j] = prior.precision(c, j) * (prior.location(c, j) - theta_.means()(c, j));
            pivot(system.view(), j) = n;
        }
        add_gram(1.0, scaled.view(), system.view());
        cholesky(system, system);
        assign(out, a);
        multiply(mixture_.factors[c], out);
        multiply_transposed(scaled.view(), pull);
        accumulate(out, pull);
        solve_lower(system.view(), out);
        solve_upper_of_lower(system.view(), out);
        multiply(lower.view(), out);
    }

    // The same where entries h of the mean are held: step_h = 0, and over the free ones f
    // (N Sigma^-1 + S^-1)_ff step_f = (Sigma^-1 A + S^-1 (m - mu))_f. Without a prior that is
    // A_f / N + P_ff^-1 P_fh A_h / N with P = Sigma^-1.
    void free_mean_steps(Index c, Vector out) {
        const auto factor = mixture_.factors[c];
        auto system = zeros_like(theta_.covariances()[c]);
        add_gram(sums_.counts()[c], factor, system.view());
        assign(out, sums_.firsts()[c]);
        multiply(factor, out);
        multiply_transposed(factor, out);
        for (Index j = 0; j < d_ && model_.prior; ++j) {
            const Prior &prior = *model_.prior;
            const double precision = prior.precision(c, j) * prior.precision(c, j);
            pivot(system.view(), j) += precision;
            out[j] += precision * (prior.location(c, j) - theta_.means()(c, j));
        }
        mirror(system.view());
        for (Index j = 0; j < d_; ++j) {
            if (!model_.held->means(c, j)) continue;
            for (Index i = 0; i < d_; ++i)
                if constexpr (Axes == 3) system(i, j) = system(j, i) = 0.0;
            pivot(system.view(), j) = 1.0;
            out[j] = 0.0;
        }
        cholesky(system, system);
        solve_lower(system.view(), out);
        solve_upper_of_lower(system.view(), out);
    }

    // Copies of the covariances' prior for each component: groups / K, or 1 / D of it where all
    // features share a variance.
    double copies(const Prior &prior) const {
        const double share = prior.axes == 1 ? static_cast<double>(d_) : 1.0;
        return static_cast<double>(prior.groups) / (static_cast<double>(k_) * share);
    }

    // Scatter that the covariances' prior counts for in each component.
    void add_pseudo_scatter(View<double, Axes> scatters) {
        const Prior &prior = *model_.prior;
        set_scales<Axes>(prior, mixture_.factors, scales_.view());
        for (Index c = 0; c < k_; ++c) {
            const Vector of = scatters[c].flat();
            const Vector added = scales_[prior.groups > 1 ? c : 0].flat();
            for (Index i = 0; i < of.size(); ++i)
                of[i] += copies(prior) * added[prior.axes == 1 ? 0 : i];
        }
    }

    const Model &model_;
    const Index k_, d_, n_components_;  // k_ Gaussians
    Parameters<Axes> theta_;
    Sums<Axes> sums_;
    const bool has_noise_;  // whose weight is what the components' leave of 1
    Pass<Axes> pass_;
    Gaussians<Axes> mixture_;  // theta's, factored, between E-steps
    Acceleration<Axes> history_;
    Numbers image_all_, trial_all_, trial_sums_;
    Numbers tied_, masses_;       // of pairs as components
    Numbers pseudo_counts_;       // rows that the covariances' prior counts for, (K,)
    Owned<double, Axes> scales_;  // its scales, given or expected, of each group
    Parameters<Axes> image_, trial_;
    MStepState state_;
    Index component_ = 0;
    double objective_ = 0.0;
};

}  // namespace bayesgmm
