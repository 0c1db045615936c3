// The EM loop: pass, M-step, and again, for every fit.
//
// With acceleration, a combination of the last steps is tried first; where it loses likelihood or is
// not a mixture, the plain EM step takes its place. Either way no step loses likelihood. M-steps that
// iterate go on from where the last one ended, and take a step at a time: what is left they gain in
// the next pass (generalised EM; Dempster, Laird & Rubin 1977, section 2).
//
// With a prior, what is maximised is the log-likelihood plus the log prior density, by ECM (Meng &
// Rubin 1993, Biometrika 80, 267-278): weights, then means given covariances, then covariances given
// means. A scale of the covariances that has a prior of its own is integrated out; it takes part as
// missing data do, through its mean given the covariances. A conjugate prior of a covariance is as
// good as rows: to the M-step of any structure it is a number of them to add to N_k, and a scatter
// to add to W_k.
#pragma once

#include <functional>
#include <optional>

#include "anderson.hpp"
#include "m_step.hpp"
#include "passes.hpp"
#include "prior.hpp"

namespace bayesgmm {

// What is maximised: a structure, and what keeps its covariances from collapsing.
struct Model {
    Structure structure;
    ConstVector ridge;  // (D,), or none: a variance to add to every component's
    std::optional<Prior> prior;
};

struct StopRule {
    double remaining;  // nats still to be gained, by estimate, at which a run has converged
    double change;     // or, if not NaN: change of the mean log-likelihood from pass to pass
    Index max_passes;
    double rival;  // a run ends when it falls behind this log-likelihood; -infinity for none
    Index plain;   // passes before steps are combined: the first ones say little about the others
    bool exact;    // iterations of M-steps go on to their end, from nothing: EM itself
};

// The scatter about the mean mu + step, from N, A and B about mu: about the component's own mean, and
// the square of what a prior takes off.
inline void scatter_about(double n, ConstVector a, ConstMatrix b, ConstVector step, Matrix out) {
    const double inverse = n > 0.0 ? 1.0 / n : 0.0;
    for (Index i = 0; i < a.size(); ++i)
        for (Index j = 0; j <= i; ++j) {
            const double own_i = a[i] * inverse, own_j = a[j] * inverse;
            out(i, j) = out(j, i) =
                b(i, j) - a[i] * own_j + n * (step[i] - own_i) * (step[j] - own_j);
        }
}
inline void scatter_about(double n, ConstVector a, ConstVector b, ConstVector step, Vector out) {
    const double inverse = n > 0.0 ? 1.0 / n : 0.0;
    for (Index j = 0; j < a.size(); ++j) {
        const double own = a[j] * inverse;
        out[j] = b[j] - a[j] * own + n * (step[j] - own) * (step[j] - own);
    }
}

// Why a run ended. The Python side has the same names.
enum Outcome : int { CONVERGED, STOPPED, COLLAPSED, BEHIND, INTERRUPTED };

template <int Axes>
class EM {
public:
    // theta: the start, and the end. sums: those of the pass at theta.
    EM(const Rows &rows, const Model &model, Parameters<Axes> theta, Sums<Axes> sums, Index threads)
        : model_(model), k_(theta.k), d_(theta.d), theta_(theta), sums_(sums),
          passes_(rows, k_, threads), mixture_(k_, d_), history_(k_, d_),
          image_all_(theta.all.size()), trial_all_(theta.all.size()), trial_sums_(sums.all.size()),
          pseudo_counts_(k_) {
        image_ = {image_all_, k_, d_};
        trial_ = {trial_all_, k_, d_};
        if (model.prior) fill(pseudo_counts_, pseudo_count(*model.prior));
    }

    Outcome run(const StopRule &rule, const std::function<bool()> &interrupted) {
        component_ = factor<Axes>(theta_.weights(), theta_.means(), theta_.covariances(), mixture_);
        if (component_ > 0) return COLLAPSED;
        state_ = state_at_theta(rule.exact);
        objective_ = pass(theta_, sums_);
        trace.push_back(objective_);
        const bool accelerates = rule.plain < rule.max_passes;
        const bool observes = accelerates || std::isnan(rule.change);
        while (rule.max_passes > 1) {
            if (is_behind(rule.rival)) return BEHIND;
            if (interrupted()) return INTERRUPTED;
            component_ = m_step(rule.exact);
            if (component_ > 0) return COLLAPSED;
            if (observes) observe(rule.remaining);
            if (has_converged(rule)) return CONVERGED;
            if (n_passes >= rule.max_passes) return STOPPED;
            if (accelerates && n_passes > rule.plain && try_ahead()) continue;
            if (n_passes >= rule.max_passes) return STOPPED;
            component_ = step();
            if (component_ > 0) return COLLAPSED;
        }
        return STOPPED;
    }

    // 1 + the component that ended the run, if it collapsed.
    Index component() const { return component_; }

    Index n_passes = 0;
    double remaining = INFINITE;
    std::vector<double> trace;  // what is maximised, after each step that was kept

private:
    // Steps that an M-step's iterations make at a time; the first M-step makes as many as it needs.
    static constexpr int EFFORT = 1, FIRST_EFFORT = 100;
    // A run has fallen behind a rival when it gained too little in its last few steps: so many times
    // as much would not do. No run is given up before the first look.
    static constexpr std::size_t FIRST_LOOK = 12, RECENT = 5;
    static constexpr double PATIENCE = 10.0;

    // Where the iterations of an M-step begin that is to be no worse than theta: at theta's own
    // volumes and axes. Those that go on to their end find the volumes from nothing.
    MStepState state_at_theta(bool exact) {
        MStepState state = initial_state(model_.structure, k_, d_);
        for (Index c = 0; c < state.log_volumes.size() && !exact; ++c)
            for (Index j = 0; j < d_; ++j)
                state.log_volumes[c] -=
                    2.0 * std::log(pivot(mixture_, c, j)) / static_cast<double>(d_);
        if constexpr (Axes == 3) {
            if (model_.structure.has_common_axes()) begin_common_axes(theta_.covariances(), state);
        }
        return state;
    }

    // A pass at a mixture that is factored already; the value of what is maximised.
    double pass(Parameters<Axes> at, Sums<Axes> out) {
        passes_.run(mixture_, out);
        ++n_passes;
        double value = out.log_likelihood();
        if (model_.prior) {
            const Prior &prior = *model_.prior;
            Numbers scale(covariance_size<Axes>(d_));
            value += log_density_of_weights(prior, at.weights()) +
                     log_density_of_means(prior, at.means()) +
                     log_density_of_covariances(prior, mixture_.factors.view(), scale_view(scale));
        }
        return value;
    }

    auto scale_view(Numbers &scale) const {
        if constexpr (Axes == 3)
            return scale.view().reshaped(d_, d_);
        else
            return scale.view();
    }

    bool is_behind(double rival) const {
        if (trace.size() < FIRST_LOOK) return false;
        const double gained = trace.back() - trace[trace.size() - 1 - RECENT];
        return PATIENCE * gained < rival - trace.back();
    }

    void observe(double enough) {
        Numbers counts = pseudo_counts_;
        accumulate(counts, sums_.counts());
        history_.observe(theta_, image_, counts, mixture_);
        remaining = history_.remaining(enough);
    }

    bool has_converged(const StopRule &rule) const {
        if (std::isnan(rule.change)) return remaining <= rule.remaining;
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
        if (is_mixture) value = pass(trial_, found);
        const bool better = objective_ - value <= 8.0 * EPS * std::abs(objective_);
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
        keep(pass(theta_, sums_));
        return 0;
    }

    void keep(double value) {
        objective_ = value;
        trace.push_back(value);
    }

    // Make a combination of members of the structure a member; 0, or 1 + a bad component.
    Index project(MStepState &state) {
        const Vector weights = trial_.weights();
        for (Index c = 0; c < k_; ++c)
            if (!(weights[c] > 0.0)) return c + 1;
        // A combination of many steps sums to 1 but for their rounding, which n rows would multiply.
        scale(weights, 1.0 / sum(weights));
        if (model_.structure.is_closed_under_mixing()) return 0;
        const View<double, Axes> covariances = trial_.covariances();
        Numbers scatters(covariances.size());
        const View<double, Axes> of = covariance_view<Axes>(scatters.data(), k_, d_);
        for (Index c = 0; c < k_; ++c) add_scaled(flat(of[c]), weights[c], flat(covariances[c]));
        return maximise_covariances(model_.structure, weights, of, state, EFFORT, covariances);
    }

    static Vector flat(Vector v) { return v; }
    static Vector flat(Matrix m) { return m.flat(); }

    // The M-step from theta, into the image. 0, or 1 + the component that it leaves without rows or
    // without a covariance.
    Index m_step(bool exact) {
        const ConstVector counts = sums_.counts();
        double excess_total = 0.0, least = INFINITE;
        Index fewest = 0;
        for (Index c = 0; c < k_; ++c) {
            const double excess = model_.prior ? model_.prior->concentration[c] - 1.0 : 0.0;
            excess_total += excess;
            image_.weights()[c] = counts[c] + excess;
            if (counts[c] + excess < least) least = counts[c] + excess, fewest = c;
        }
        if (!(least >= EPS * sums_.weight())) return fewest + 1;
        for (double &weight : image_.weights()) weight /= sums_.weight() + excess_total;
        Numbers scatters(theta_.covariances().size()), sizes = pseudo_counts_;
        accumulate(sizes, counts);
        const View<double, Axes> of = covariance_view<Axes>(scatters.data(), k_, d_);
        for (Index c = 0; c < k_; ++c) {
            Numbers steps(d_);
            mean_steps(c, steps);
            for (Index j = 0; j < d_; ++j) image_.means()(c, j) = theta_.means()(c, j) + steps[j];
            scatter_about(counts[c], sums_.firsts()[c], sums_.seconds()[c], steps, of[c]);
        }
        if (model_.prior) add_pseudo_scatter(of);
        if (!model_.ridge.empty()) add_ridge(of);
        if (exact) state_ = state_at_theta(exact);
        const int effort = exact ? 0 : trace.size() > 1 ? EFFORT : FIRST_EFFORT;
        return maximise_covariances(model_.structure, sizes, of, state_, effort, image_.covariances());
    }

    // Steps to the mean that maximises the (penalised) expected log-likelihood given covariances:
    // A / N, or (N Sigma^-1 + S^-1) step = Sigma^-1 A + S^-1 (m - mu) under a prior N(m, S).
    void mean_steps(Index c, Vector out) {
        const ConstVector a = sums_.firsts()[c];
        const double n = sums_.counts()[c];
        if (!model_.prior) {
            for (Index j = 0; j < d_; ++j) out[j] = a[j] / n;
            return;
        }
        const Prior &prior = *model_.prior;
        Numbers pull(d_), square(d_);
        for (Index j = 0; j < d_; ++j) {
            square[j] = prior.precision[j] * prior.precision[j];
            pull[j] = square[j] * (prior.location[j] - theta_.means()(c, j));
        }
        if constexpr (Axes == 3) {
            solve_for_mean(theta_.covariances()[c], mixture_.factors[c], n, a, square, pull, out);
        } else {
            const ConstVector variances = theta_.covariances()[c];
            for (Index j = 0; j < d_; ++j)
                out[j] = (a[j] + variances[j] * pull[j]) / (n + variances[j] * square[j]);
        }
    }

    // step = L v with (N I + L' S^-1 L) v = P A + L' pull, where Sigma = L L' and P = L^-1.
    void solve_for_mean(ConstMatrix covariance, ConstMatrix p, double n, ConstVector a,
                        ConstVector square, ConstVector pull, Vector out) const {
        Table lower(d_, d_), system(d_, d_), half(d_, d_);
        Numbers v(d_);
        cholesky(covariance, lower);
        for (Index i = 0; i < d_; ++i) v[i] = dot(p[i].part(0, i + 1), a.part(0, i + 1));
        for (Index m = 0; m < d_; ++m)
            for (Index i = 0; i <= m; ++i) {
                v[i] += lower(m, i) * pull[m];
                for (Index j = 0; j <= i; ++j)
                    system(i, j) += lower(m, i) * square[m] * lower(m, j);
            }
        for (Index i = 0; i < d_; ++i) system(i, i) += n;
        cholesky(system, half);
        solve_lower(half, v);
        solve_upper_of_lower(half, v);
        for (Index i = 0; i < d_; ++i)
            out[i] = dot(lower[i].part(0, i + 1), v.view().part(0, i + 1));
    }

    // Rows that the covariances' prior counts for in each component.
    double pseudo_count(const Prior &prior) const {
        const double copies = static_cast<double>(prior.groups) / static_cast<double>(k_);
        const double d = static_cast<double>(d_);
        if constexpr (Axes == 3) return (prior.strength[0] + d + 1.0) * copies;
        return 2.0 * (prior.strength[0] + 1.0) * (prior.axes < d_ ? 1.0 / d : 1.0) * copies;
    }

    // Scatter that the covariances' prior counts for in each component.
    void add_pseudo_scatter(View<double, Axes> scatters) {
        const Prior &prior = *model_.prior;
        const double copies = static_cast<double>(prior.groups) / static_cast<double>(k_);
        Numbers scale(covariance_size<Axes>(d_));
        log_density_of_covariances(prior, mixture_.factors.view(), scale_view(scale));
        if constexpr (Axes == 2) {
            const double factor = prior.axes < d_ ? 2.0 / static_cast<double>(d_) : 2.0;
            for (Index j = d_ - 1; j >= 0; --j)
                scale[j] = factor * scale[std::min(j, prior.axes - 1)];
        }
        for (Index c = 0; c < k_; ++c) add_scaled(flat(scatters[c]), copies, scale);
    }

    // N_k times the ridge: for most structures as good as adding it to the covariances.
    void add_ridge(View<double, Axes> scatters) const {
        for (Index c = 0; c < k_; ++c)
            for (Index j = 0; j < d_; ++j) {
                const double amount = sums_.counts()[c] * model_.ridge[j];
                if constexpr (Axes == 3)
                    scatters(c, j, j) += amount;
                else
                    scatters(c, j) += amount;
            }
    }

    const Model &model_;
    const Index k_, d_;
    Parameters<Axes> theta_;
    Sums<Axes> sums_;
    Passes<Axes> passes_;
    Gaussians<Axes> mixture_;  // theta's, factored, between passes
    Acceleration<Axes> history_;
    Numbers image_all_, trial_all_, trial_sums_, pseudo_counts_;
    Parameters<Axes> image_, trial_;
    MStepState state_;
    Index component_ = 0;
    double objective_ = 0.0;
};

}  // namespace bayesgmm
