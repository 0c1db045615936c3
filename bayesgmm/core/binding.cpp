// The core as Python sees it: functions of arrays, checked here, that return arrays.
//
// Shapes, layout and contiguity are checked at this border, where a mistake is an exception.
#include <chrono>

#include "binding_arguments.hpp"
#include "binding_samplers.hpp"
#include "clustering/agglomeration.hpp"
#include "clustering/assignment.hpp"
#include "clustering/kmeans.hpp"
#include "clustering/partition_search.hpp"
#include "clustering/partitions.hpp"
#include "em/em.hpp"
#include "em/moves.hpp"
#include "em/relative_variances.hpp"
#include "instruction_sets.hpp"
#include "likelihood/information.hpp"
#include "likelihood/log_posterior.hpp"
#include "likelihood/permanents.hpp"

namespace bayesgmm {
namespace {

// --- the E-step and EM ---------------------------------------------------------------------------

// finished: or what adds to the sums of other rows.
std::tuple<Index, Numbers> e_step(ConstMatrix x, const Weights &row_weights, ConstVector shift,
                                  ConstVector scale, const Errors &errors,
                                  const KnownArguments &known, ConstVector weights,
                                  ConstMatrix means, const AnyInput &covariances, Index threads,
                                  bool finished) {
    const Rows rows = rows_of(x, row_weights, shift, scale, errors, known);
    require_classes(rows.known, weights.size());
    const MixtureView mixture(weights, means, covariances, x.shape[1]);
    const Index k = mixture.k, d = mixture.d;
    return mixture.visit([&](auto axes, auto sigma) -> std::tuple<Index, Numbers> {
        Numbers sums(Sums<axes>::size(k, d));
        Gaussians<axes> gaussians(k, d);
        const Index bad = factor<axes>(weights, means, sigma, gaussians);
        Passes<axes> passes(rows, k, threads);
        if (bad == 0 && finished) passes.run(gaussians, {sums, k, d});
        if (bad == 0 && !finished) passes.add_up(gaussians, {sums, k, d});
        return {bad, std::move(sums)};
    });
}

// Whether a signal waits, looked for at most twenty times a second.
class Interruption {
public:
    bool operator()() {
        const auto now = Clock::now();
        if (now < next_) return false;
        next_ = now + std::chrono::milliseconds(50);
        const nb::gil_scoped_acquire locked;
        return PyErr_CheckSignals() != 0;
    }

private:
    using Clock = std::chrono::steady_clock;
    Clock::time_point next_ = Clock::now() + std::chrono::milliseconds(50);
};

// A pass whose sums are those of a call with theta. finished: they are statistics already.
template <int Axes>
Pass<Axes> pass_of(const nb::callable &sums_of, bool finished) {
    return
        [&sums_of, finished](Parameters<Axes> at, const Gaussians<Axes> &mixture, Sums<Axes> out) {
            {
                const nb::gil_scoped_acquire locked;
                Numbers theta(at.all.size());
                assign(theta, at.all);
                const nb::object found = sums_of(std::move(theta));
                const auto sums = nb::cast<ConstVector>(found);
                require(sums.size() == out.all.size(), "the sums must be those of the mixture");
                assign(out.all, sums);
            }
            if (!finished) finish(out, mixture.means);
        };
}

// letters, ridge, prior, held, contaminated, variance ratio
using ModelArguments = std::tuple<Letters, Weights, std::optional<PriorArguments>,
                                  std::optional<HeldArguments>, bool, double>;

Model model_of(const ModelArguments &arguments, Index k, Index d, bool dense) {
    const auto &[letters, ridge, prior, held, contaminated, ratio] = arguments;
    Model model{structure_of(letters), ridge.value_or(ConstVector{}), {}, {}, contaminated, ratio};
    require(ratio >= 1.0 && (ratio == INFINITE || model.structure.is_free()),
            "variances are bounded in VVV, VVI and VII, by a ratio of at least 1");
    require(!contaminated || (k % 2 == 0 && !prior && !held),
            "pairs of Gaussians have neither priors nor held parameters");
    require(!ridge || is_of(*ridge, d), "ridge must be (D,)");
    require(!dense || !model.structure.diagonal(), "a diagonal structure takes variances (K, D)");
    require(dense || d == 1 || model.structure.diagonal(),
            "this structure takes covariances (K, D, D)");
    if (prior) {
        model.prior = prior_of(*prior);
        require(model.prior->fits(k, d) && model.prior->family != SEPARATE &&
                    (model.prior->axes == 0) == dense,
                "the prior must be conjugate, and of as many components and features");
    }
    if (held) model.held = held_of(*held, k, d);
    require(ratio == INFINITE || !held || !Held::any(model.held->covariances),
            "variances beside held covariances have no bound");
    return model;
}

// Parameters of a run that begins at a mixture.
template <int Axes>
Numbers theta_of(ConstVector weights, ConstMatrix means, View<const double, Axes> covariances) {
    const Index k = means.shape[0], d = means.shape[1];
    Numbers theta(Parameters<Axes>::size(k, d));
    const Parameters<Axes> parameters{theta, k, d};
    assign(parameters.weights(), weights);
    assign(parameters.means().flat(), means.flat());
    assign(parameters.covariances().flat(), covariances.flat());
    return theta;
}

// remaining, change, most E-steps, incumbent, plain, exact
using RuleArguments = std::tuple<double, double, Index, double, Index, bool>;
// theta, sums, trace, E-steps, remaining, outcome, 1 + component
using EMResult = std::tuple<Numbers, Numbers, Numbers, Index, double, int, Index>;

template <int Axes>
EMResult run_of(const Pass<Axes> &pass, bool has_noise, const Model &model, Numbers theta, Index k,
                Index d, const RuleArguments &rule, const std::optional<ConstMatrix> &metric) {
    const Index size = theta.size();
    require(!metric || is_of(*metric, size, size), "the metric must be of all parameters");
    Numbers sums(Sums<Axes>::size(k, d));
    EM<Axes> em(pass, has_noise, model, {theta, k, d}, {sums, k, d},
                metric.value_or(ConstMatrix{}));
    const Outcome outcome = em.run(std::make_from_tuple<StopRule>(rule), Interruption());
    if (outcome == INTERRUPTED) {
        const nb::gil_scoped_acquire locked;
        throw nb::python_error();
    }
    Numbers trace(em.trace.size());
    std::copy(em.trace.begin(), em.trace.end(), trace.data());
    return {std::move(theta), std::move(sums), std::move(trace), em.n_e_steps,
            em.remaining,     outcome,         em.component()};
}

EMResult run_em(ConstMatrix x, const Weights &row_weights, ConstVector shift, ConstVector scale,
                const Errors &errors, const KnownArguments &known, const ModelArguments &problem,
                ConstVector weights, ConstMatrix means, const AnyInput &covariances,
                const RuleArguments &rule, const std::optional<ConstMatrix> &metric,
                Index threads) {
    const Rows rows = rows_of(x, row_weights, shift, scale, errors, known);
    require_classes(rows.known, weights.size());
    const MixtureView start(weights, means, covariances, x.shape[1]);
    const Model model = model_of(problem, start.k, start.d, start.is_dense());
    return start.visit([&](auto axes, auto sigma) {
        Passes<axes> passes(rows, start.k, threads);
        return run_of<axes>(pass_over(passes), !rows.known.noise.empty(), model,
                            theta_of<axes>(weights, means, sigma), start.k, start.d, rule, metric);
    });
}

// Runs from several starts, weights (S, K), means (S, K, D) and covariances (S, K, D, D) or
// (S, K, D), from start `first` on until one ends above the incumbent by more than `better`: its
// place, true, and its end. Else S, or the place of the start that was not run, as no run begins
// after so many seconds, false, and the last run. Last, the E-steps of all.
std::tuple<Index, bool, EMResult, Index> first_better(
    ConstMatrix x, const Weights &row_weights, ConstVector shift, ConstVector scale,
    const Errors &errors, const KnownArguments &known, const ModelArguments &problem,
    ConstMatrix weights, ConstMatrices means, const AnyInput &covariances,
    const RuleArguments &rule, Index threads, double better, Index first, double seconds) {
    using Clock = std::chrono::steady_clock;
    const auto begun = Clock::now();
    const Rows rows = rows_of(x, row_weights, shift, scale, errors, known);
    const auto [n_starts, k] = weights.shape;
    const Index d = x.shape[1];
    const bool has_matrices = covariances.ndim() == 4;
    require_classes(rows.known, k);
    require(k > 0 && is_of(means, n_starts, k, d), "means must be (S, K, D)");
    require(has_matrices || covariances.ndim() == 3, "covariances must have 3 or 4 axes");
    require(first >= 0, "the first start must be one of them");
    const Model model = model_of(problem, k, d, has_matrices && d > 1);
    const double least = std::get<3>(rule) + better;
    return with_axes(has_matrices, d, [&](auto axes) {
        EMResult end;
        Index i = first, n_e_steps = 0;
        bool better_found = false;
        const Index size = k * covariance_size<axes>(d);
        require(size_of(covariances) == n_starts * size, "covariances must be of all starts");
        Passes<axes> passes(rows, k, threads);
        for (; i < n_starts; ++i) {
            if (std::chrono::duration<double>(Clock::now() - begun).count() >= seconds) break;
            const auto sigma = covariance_view<axes>(covariances.data() + i * size, k, d);
            end = run_of<axes>(pass_over(passes), !rows.known.noise.empty(), model,
                               theta_of<axes>(weights[i], means[i], sigma), k, d, rule, {});
            n_e_steps += std::get<3>(end);
            const Numbers &trace = std::get<2>(end);
            better_found = trace.size() > 0 && trace[trace.size() - 1] > least;
            if (better_found) break;
        }
        return std::tuple<Index, bool, EMResult, Index>(i, better_found, std::move(end), n_e_steps);
    });
}

EMResult run_em_over(const nb::callable &sums_of, bool finished, bool has_noise,
                     const ModelArguments &problem, ConstVector weights, ConstMatrix means,
                     const AnyInput &covariances, const RuleArguments &rule,
                     const std::optional<ConstMatrix> &metric) {
    const MixtureView start(weights, means, covariances, means.shape[1]);
    const Model model = model_of(problem, start.k, start.d, start.is_dense());
    return start.visit([&](auto axes, auto sigma) {
        return run_of<axes>(pass_of<axes>(sums_of, finished), has_noise, model,
                            theta_of<axes>(weights, means, sigma), start.k, start.d, rule, metric);
    });
}

// Parameters after one EM step; none if a component collapsed.
std::optional<Numbers> em_image(ConstMatrix x, const Weights &row_weights, ConstVector shift,
                                ConstVector scale, const Errors &errors,
                                const KnownArguments &known, const ModelArguments &problem,
                                ConstVector weights, ConstMatrix means, const AnyInput &covariances,
                                Index threads) {
    const Rows rows = rows_of(x, row_weights, shift, scale, errors, known);
    require_classes(rows.known, weights.size());
    const MixtureView start(weights, means, covariances, x.shape[1]);
    const Model model = model_of(problem, start.k, start.d, start.is_dense());
    return start.visit([&](auto axes, auto sigma) -> std::optional<Numbers> {
        const Index k = start.k, d = start.d;
        Numbers theta = theta_of<axes>(weights, means, sigma), out(theta.size());
        Numbers sums(Sums<axes>::size(k, d));
        Passes<axes> passes(rows, k, threads);
        EM<axes> em(pass_over(passes), !rows.known.noise.empty(), model, {theta, k, d},
                    {sums, k, d});
        if (em.image(out) > 0) return {};
        return out;
    });
}

// Call f(moves, number of axes) for a mixture, and rows in the units that they are given in.
template <class F>
auto with_moves(ConstMatrix x, ConstVector row_weights, ConstVector weights, ConstMatrix means,
                const AnyInput &covariances, const F &f) {
    const MixtureView mixture(weights, means, covariances, x.shape[1]);
    Numbers zeros(mixture.d), ones(mixture.d);
    fill(ones, 1.0);
    const Rows rows = rows_of(x, row_weights, zeros.view(), ones.view(), {});
    return mixture.visit([&](auto axes, auto sigma) {
        Moves<axes> moves(rows, weights, means, sigma);
        return f(moves, axes);
    });
}

// Gains (m,), weights (m,), means (m, D) and covariances of components that could join; none if a
// covariance of the mixture is singular.
std::tuple<Numbers, Numbers, Table, Numbers> births_of(ConstMatrix x, ConstVector row_weights,
                                                       const Letters &letters, ConstVector weights,
                                                       ConstMatrix means,
                                                       const AnyInput &covariances,
                                                       ConstMatrix uniforms, double least) {
    require(uniforms.shape[1] > 4, "uniforms must be (m, 4 + rows)");
    return with_moves(x, row_weights, weights, means, covariances,
                      [&](auto &moves, auto axes) -> std::tuple<Numbers, Numbers, Table, Numbers> {
                          if (moves.is_singular())
                              return {Numbers(0), Numbers(0), Table(0, x.shape[1]), Numbers(0)};
                          Births<axes> found = moves.births(structure_of(letters), uniforms, least);
                          Numbers flat(found.covariances.size());
                          assign(flat, found.covariances.flat());
                          return {std::move(found.gains), std::move(found.weights),
                                  std::move(found.means), std::move(flat)};
                      });
}

// Gains (K,), shares (2 K,), means (2 K, D) and covariances of splits.
std::tuple<Numbers, Numbers, Table, Numbers> splits_of(ConstMatrix x, ConstVector row_weights,
                                                       const Letters &letters, ConstVector weights,
                                                       ConstMatrix means,
                                                       const AnyInput &covariances,
                                                       ConstMatrices uniforms, double least) {
    require(uniforms.shape[0] == weights.size() && uniforms.shape[2] == 2,
            "uniforms must be (K, m, 2)");
    Model model{structure_of(letters), {}, {}, {}};
    return with_moves(x, row_weights, weights, means, covariances,
                      [&](auto &moves, auto axes) -> std::tuple<Numbers, Numbers, Table, Numbers> {
                          Splits<axes> found = moves.splits(model, uniforms, least);
                          Numbers flat(found.covariances.size());
                          assign(flat, found.covariances.flat());
                          return {std::move(found.gains), std::move(found.shares),
                                  std::move(found.means), std::move(flat)};
                      });
}

// Changes of the log-likelihood (m + 1, K, K) where one joins, and two become one or one leaves.
Tables exchanges_of(ConstMatrix x, ConstVector row_weights, ConstVector weights, ConstMatrix means,
                    const AnyInput &covariances, ConstVector born_weights, ConstMatrix born_means,
                    const AnyInput &born_covariances) {
    const Index m = born_weights.size(), d = x.shape[1];
    require(is_of(born_means, m, d), "weights must be (m,) and means (m, D)");
    return with_moves(
        x, row_weights, weights, means, covariances, [&](auto &moves, auto axes) -> Tables {
            Births<axes> found(m, d);
            assign(found.weights, born_weights);
            assign(found.means.flat(), born_means.flat());
            assign(found.covariances.flat(), covariances_in<axes>(born_covariances, m, d).flat());
            return moves.exchanges(found);
        });
}

// Covariances of the structure for each of several mixtures, counts (S, K) and scatters
// (S, K, D, D) or (S, K, D): 0, or 1 + a component without a covariance, for each; and these.
std::tuple<Owned<std::int64_t, 1>, Numbers> maximise(const Letters &letters, ConstMatrix counts,
                                                     const AnyInput &scatters,
                                                     const std::optional<ConstVector> &near,
                                                     int effort) {
    const Structure structure = structure_of(letters);
    require(scatters.ndim() == 3 || scatters.ndim() == 4, "scatters must have 3 or 4 axes");
    const auto [n, k] = counts.shape;
    const Index d = static_cast<Index>(scatters.shape(2));
    require(static_cast<Index>(scatters.shape(0)) == n &&
                static_cast<Index>(scatters.shape(1)) == k && d > 0,
            "counts must be (S, K) and scatters (S, K, D, D) or (S, K, D)");
    require(scatters.ndim() == 4 || d == 1 || structure.diagonal(),
            "this structure takes scatters (S, K, D, D)");
    require(!near || near->size() == size_of(scatters), "near must be of the size of scatters");
    Owned<std::int64_t, 1> bad(n);
    Numbers out(size_of(scatters));
    with_axes(scatters.ndim() == 4, d, [&](auto axes) {
        const Index size = k * covariance_size<axes>(d);
        require(size_of(scatters) == n * size, "scatters must be (S, K, D, D) or (S, K, D)");
        for (Index i = 0; i < n; ++i) {
            const auto view = [&](auto *of) { return covariance_view<axes>(of + i * size, k, d); };
            MStepState state = initial_state(structure, k, d);
            if constexpr (axes == 3)
                if (near && d > 1 && structure.has_common_axes())
                    begin_common_axes(view(near->data), state);
            bad[i] = maximise_covariances<axes>(structure, counts[i], view(scatters.data()), state,
                                                effort, view(out.data()));
        }
    });
    return {std::move(bad), std::move(out)};
}

// Means and scatters about them, from the sums of a pass at `centres`.
std::tuple<Table, Numbers> moments(ConstMatrix centres, ConstVector counts, ConstMatrix firsts,
                                   const AnyInput &seconds) {
    const Index k = counts.size(), d = centres.shape[1];
    require(is_of(centres, k, d) && is_of(firsts, k, d), "centres and firsts must be (K, D)");
    require(seconds.ndim() == 2 || seconds.ndim() == 3, "seconds must have 2 or 3 axes");
    Table means(k, d);
    Numbers scatters(size_of(seconds)), step(d);
    assign(means.flat(), centres.flat());
    with_axes(seconds.ndim() == 3, d, [&](auto axes) {
        const auto b = covariances_in<axes>(seconds, k, d);
        const auto out = covariance_view<axes>(scatters.data(), k, d);
        for (Index c = 0; c < k; ++c) {
            for (Index j = 0; j < d; ++j) step[j] = firsts(c, j) / counts[c];
            scatter_about(counts[c], firsts[c], b[c], step, out[c]);
            accumulate(means[c], step);
        }
    });
    return {std::move(means), std::move(scatters)};
}

// Variances (K, D) of the components along their axes, where all rows together have 1.
Table relative_variances(ConstVector weights, ConstMatrix means, const AnyInput &covariances) {
    const MixtureView mixture(weights, means, covariances, means.shape[1]);
    Table out(mixture.k, mixture.d);
    mixture.visit([&](auto axes, auto sigma) { of_all_rows<axes>(weights, means, sigma, out); });
    return out;
}

// --- densities, responsibilities and information --------------------------------------------------

std::tuple<Numbers, Table> memberships_of(ConstMatrix x, ConstVector shift, const Errors &errors,
                                          ConstVector constants, ConstMatrix means,
                                          ConstMatrices factors, bool densities_alone) {
    const Index n = x.shape[0], k = constants.size(), d = shift.size();
    require(is_of(means, k, d) && is_of(factors, k, d, d),
            "shapes must be constants (K,), means (K, D), factors (K, D, D)");
    Numbers unit(d), densities(n);
    Table responsibilities(densities_alone ? 0 : n, k);
    Gaussians<3> mixture(k, d);
    fill(unit, 1.0);
    assign(mixture.means.flat(), means.flat());
    assign(mixture.factors.flat(), factors.flat());
    assign(mixture.constants, constants);
    set_offsets(mixture);
    memberships(rows_of(x, {}, shift, unit, errors), mixture, densities, responsibilities);
    return {std::move(densities), std::move(responsibilities)};
}

using Draws = View<const double, 4>;

// Gaussians of draws: weights (T, G), means (T, G, D), covariances (T, G, D, D), and whether a
// component is a pair of them.
using DrawArguments = std::tuple<ConstMatrix, ConstMatrices, Draws, bool>;

DrawnRows drawn_rows(ConstMatrix x, const Weights &row_weights, ConstVector shift,
                     ConstVector scale, const Errors &errors, const KnownArguments &known,
                     const DrawArguments &draws, bool hard, Index threads) {
    const auto &[weights, means, covariances, pairs] = draws;
    const auto [t, k, d] = means.shape;
    require(is_of(weights, t, k) && x.shape[1] == d && is_of(covariances, t, k, d, d),
            "draws must be weights (T, K), means (T, K, D) and covariances (T, K, D, D)");
    const Rows rows = rows_of(x, row_weights, shift, scale, errors, known);
    require_classes(rows.known, k);
    return DrawnRows(rows, weights, means, covariances, pairs, hard, threads);
}

std::tuple<Index, Tables, Numbers> drawn_tables(ConstMatrix x, const Weights &row_weights,
                                                ConstVector shift, ConstVector scale,
                                                const Errors &errors, const KnownArguments &known,
                                                const DrawArguments &draws, bool hard,
                                                Index threads, ConstMatrix q) {
    DrawnRows drawn = drawn_rows(x, row_weights, shift, scale, errors, known, draws, hard, threads);
    require(q.shape[0] == x.shape[0], "q must be (n, J)");
    Tables tables(drawn.n_draws(), drawn.k(), q.shape[1]);
    Numbers log_likelihoods(drawn.n_draws());
    if (drawn.bad() == 0) drawn.contract(q, tables, log_likelihoods);
    return {drawn.bad(), std::move(tables), std::move(log_likelihoods)};
}

std::tuple<Index, Table> drawn_average(ConstMatrix x, const Weights &row_weights, ConstVector shift,
                                       ConstVector scale, const Errors &errors,
                                       const KnownArguments &known, const DrawArguments &draws,
                                       bool hard, Index threads, Allocations permutations) {
    DrawnRows drawn = drawn_rows(x, row_weights, shift, scale, errors, known, draws, hard, threads);
    require(is_of(permutations, drawn.n_draws(), drawn.k()), "permutations must be (T, K)");
    require_below(drawn.k(), permutations.flat(), "not a permutation");
    Table out(x.shape[0], drawn.k());
    if (drawn.bad() == 0) drawn.average(permutations, out);
    return {drawn.bad(), std::move(out)};
}

std::tuple<Index, Table, Tables> drawn_densities(ConstMatrix x, const Weights &row_weights,
                                                 ConstVector shift, ConstVector scale,
                                                 const Errors &errors, const KnownArguments &known,
                                                 const DrawArguments &draws, bool densities_alone,
                                                 Index threads) {
    DrawnRows drawn =
        drawn_rows(x, row_weights, shift, scale, errors, known, draws, false, threads);
    Table densities(drawn.n_draws(), x.shape[0]);
    Tables responsibilities(densities_alone ? 0 : drawn.n_draws(), drawn.k(), x.shape[0]);
    if (drawn.bad() == 0) drawn.each(densities, responsibilities);
    return {drawn.bad(), std::move(densities), std::move(responsibilities)};
}

std::tuple<Index, Owned<std::int64_t, 2>> drawn_allocations(
    ConstMatrix x, const Weights &row_weights, ConstVector shift, ConstVector scale,
    const Errors &errors, const KnownArguments &known, const DrawArguments &draws, bool hard,
    Index threads, std::uint64_t seed) {
    DrawnRows drawn = drawn_rows(x, row_weights, shift, scale, errors, known, draws, hard, threads);
    Owned<std::int64_t, 2> out(drawn.n_draws(), x.shape[0]);
    if (drawn.bad() == 0) drawn.allocate(seed, out);
    return {drawn.bad(), std::move(out)};
}

constexpr const char *BELOW = "allocations must be from 0 to K - 1";

Tables tally_rows(Allocations allocations, ConstMatrix q, Index k) {
    require_below(k, allocations.flat(), BELOW);
    require(q.shape[0] == allocations.shape[1], "q must be (n, J)");
    Tables out(allocations.shape[0], k, q.shape[1]);
    tally(allocations, q, out);
    return out;
}

Table tally_labels(Allocations allocations, Allocations labels) {
    const Index k = labels.shape[1];
    require_below(k, allocations.flat(), BELOW);
    require_below(k, labels.flat(), BELOW);
    require(labels.shape[0] == allocations.shape[0], "labels must be (T, K)");
    Table out(allocations.shape[1], k);
    tally_permuted(allocations, labels, out);
    return out;
}

// 0 or 1 + a bad component, and its sums.
std::tuple<Index, Numbers> information_sums(ConstMatrix x, const Weights &row_weights,
                                            ConstVector shift, ConstVector scale,
                                            const Errors &errors, const KnownArguments &known,
                                            ConstVector weights, ConstMatrix means,
                                            ConstMatrices covariances) {
    const Rows rows = rows_of(x, row_weights, shift, scale, errors, known);
    require_classes(rows.known, weights.size());
    const Index k = weights.size(), d = x.shape[1];
    require(k > 0 && is_of(means, k, d) && is_of(covariances, k, d, d),
            "shapes must be weights (K,), means (K, D) and covariances (K, D, D)");
    Gaussians<3> gaussians(k, d);
    const Index bad = factor<3>(weights, means, covariances, gaussians);
    if (bad > 0) return {bad, Numbers()};
    Numbers shares(k);
    assign(shares, weights);
    if (!rows.known.noise.empty()) bayesgmm::scale(shares, 1.0 / sum(weights));
    InformationSums sums(rows, shares, gaussians);
    Numbers out(sums.size());
    sums.run(out);
    return {0, std::move(out)};
}

Numbers sums_of_permanents(View<const double, 4> logs) {
    const auto [m, k, columns, s] = logs.shape;
    require(0 < k && k <= 20 && columns == k, "logs must be (M, K, K, S) with K at most 20");
    require(s > 0 && s % LANES == 0, "S must be a multiple of the lanes");
    Numbers out(m);
    log_sums_of_permanents(logs, out);
    return out;
}

// --- where EM begins, and assignment --------------------------------------------------------------

LabelNumbers k_means_labels(ConstMatrix rows, ConstVector row_weights, ConstVector uniforms,
                            Index max_iterations) {
    const Index n = rows.shape[0];
    require(is_of(row_weights, n) && n > 0, "row_weights must be (n,)");
    LabelNumbers labels(n);
    k_means(rows, row_weights, uniforms, max_iterations, labels);
    return labels;
}

LabelNumbers nearest_labels(ConstMatrix rows, ConstLabels chosen) {
    require_below(rows.shape[0], chosen, "no such row");
    LabelNumbers labels(rows.shape[0]);
    nearest_of(rows, chosen, labels);
    return labels;
}

Table whitened_by_near_pairs(ConstMatrix rows, ConstMatrix differences, Index rounds) {
    require(rows.shape[1] == differences.shape[1], "differences must be (m, D)");
    Table out = zeros_like(rows);
    assign(out.flat(), rows.flat());
    whiten_near_pairs(out, differences, rounds);
    return out;
}

void require_parts(ConstMatrix rows, ConstVector row_weights, ConstLabels labels, Index k) {
    require(is_of(row_weights, rows.shape[0]), "row_weights must be (n,)");
    require(is_of(labels, rows.shape[0]), "labels must be (n,)");
    require_below(k, labels, "labels must be from 0 to K - 1");
}

std::tuple<Numbers, Table, Tables> moments_of_parts(ConstMatrix rows, ConstVector row_weights,
                                                    ConstLabels labels, Index k) {
    const Index d = rows.shape[1];
    require_parts(rows, row_weights, labels, k);
    Numbers counts(k);
    Table means(k, d);
    Tables scatters(k, d, d);
    partition_moments(rows, row_weights, labels, counts, means, scatters);
    return {std::move(counts), std::move(means), std::move(scatters)};
}

// Counts, means and pooled scatter, (D, D) or (1, D); false if a part is empty.
std::tuple<bool, Numbers, Table, Table> start_of_parts(ConstMatrix rows, ConstVector row_weights,
                                                       ConstLabels labels, Index k, bool diagonal) {
    const Index d = rows.shape[1];
    require_parts(rows, row_weights, labels, k);
    Numbers counts(k);
    Table means(k, d), pooled(diagonal ? 1 : d, d);
    const bool whole = partition_start(rows, row_weights, labels, counts, means, pooled);
    return {whole, std::move(counts), std::move(means), std::move(pooled)};
}

std::tuple<Owned<std::int64_t, 2>, Numbers> merge(ConstMatrix means, ConstVector counts,
                                                  int criterion, double stand_in) {
    const Index n = means.shape[0];
    require(is_of(counts, n) && n > 0, "counts must be (n,)");
    require(0 <= criterion && criterion < 4, "no such criterion");
    Owned<std::int64_t, 2> merges(n - 1, 2);
    Numbers costs(n - 1);
    merge_groups(means, counts, MergeCriterion{criterion}, stand_in, merges, costs);
    return {std::move(merges), std::move(costs)};
}

std::tuple<Owned<std::int64_t, 2>, Numbers, Numbers> assign_labels(ConstMatrices costs) {
    const Index t = costs.shape[0], k = costs.shape[1];
    require(costs.shape[2] == k, "costs must be (T, K, K)");
    Owned<std::int64_t, 2> permutations(t, k);
    Numbers best(t), excess(t);
    assign_all(costs, permutations, best, excess);
    return {std::move(permutations), std::move(best), std::move(excess)};
}

// From `start` (n,), or from a random order of the rows where it is (0,).
LabelNumbers search_partition(Allocations draws, Index clusters, ConstVector h, ConstLabels start,
                              Index attempts, std::uint64_t seed) {
    const Index n = draws.shape[1];
    require(n > 0 && draws.shape[0] > 0, "allocations must be (T, n)");
    require_below(clusters, draws.flat(), BELOW);
    require(is_of(h, n + 1), "h must be (n + 1,)");
    require(start.empty() || is_of(start, n), "start must be (n,) or (0,)");
    require_below(n, start, "start must be from 0 to n - 1");
    LabelNumbers labels(n);
    PartitionSearch(draws, clusters, h, seed).run(start, attempts, labels);
    return labels;
}

// A function of registers at each number of an array: for its tests.
template <Vec (*F)(Vec)>
Numbers of_each(ConstVector x) {
    Numbers padded_x(padded(x.size())), out(x.size());
    fill(padded_x, 1.0);
    assign(padded_x, x);
    for (Index i = 0; i < padded_x.size(); i += LANES) store(F(load(&padded_x[i])), &padded_x[i]);
    assign(out, padded_x.part(0, x.size()));
    return out;
}

const char *instruction_set() { return LANES == 8 ? "avx512" : LANES == 4 ? "avx2" : "baseline"; }

}  // namespace

NB_MODULE(BAYESGMM_MODULE, m) {
    using namespace nb::literals;
    // The interpreter's lock is released while numbers are formed, unless that takes microseconds:
    // to get it back may take longer.
    const auto unlocked = [&](const char *name, auto *function, auto... names) {
        m.def(name, function, names..., nb::call_guard<nb::gil_scoped_release>());
    };
    m.attr("CHUNK") = CHUNK;
    m.def("instruction_set", &instruction_set);
    m.def("best_instruction_set", &best_instruction_set);
    m.def("exp_nonpositive", &of_each<exp_nonpositive>, "x"_a);
    m.def("log_positive", &of_each<log_positive>, "x"_a);
    unlocked("e_step", &e_step, "x"_a, "row_weights"_a, "shift"_a, "scale"_a, "errors"_a,
             "known"_a.none(), "weights"_a, "means"_a, "covariances"_a, "threads"_a, "finished"_a);
    unlocked("run_em", &run_em, "x"_a, "row_weights"_a, "shift"_a, "scale"_a, "errors"_a,
             "known"_a.none(), "model"_a, "weights"_a, "means"_a, "covariances"_a, "rule"_a,
             "metric"_a, "threads"_a);
    unlocked("first_better", &first_better, "x"_a, "row_weights"_a, "shift"_a, "scale"_a,
             "errors"_a, "known"_a.none(), "model"_a, "weights"_a, "means"_a, "covariances"_a,
             "rule"_a, "threads"_a, "better"_a, "first"_a, "seconds"_a);
    unlocked("run_em_over", &run_em_over, "sums_of"_a, "finished"_a, "has_noise"_a, "model"_a,
             "weights"_a, "means"_a, "covariances"_a, "rule"_a, "metric"_a);
    unlocked("em_image", &em_image, "x"_a, "row_weights"_a, "shift"_a, "scale"_a, "errors"_a,
             "known"_a.none(), "model"_a, "weights"_a, "means"_a, "covariances"_a, "threads"_a);
    unlocked("births", &births_of, "x"_a, "row_weights"_a, "letters"_a, "weights"_a, "means"_a,
             "covariances"_a, "uniforms"_a, "least"_a);
    unlocked("splits", &splits_of, "x"_a, "row_weights"_a, "letters"_a, "weights"_a, "means"_a,
             "covariances"_a, "uniforms"_a, "least"_a);
    unlocked("exchanges", &exchanges_of, "x"_a, "row_weights"_a, "weights"_a, "means"_a,
             "covariances"_a, "born_weights"_a, "born_means"_a, "born_covariances"_a);
    m.def("moments", &moments, "centres"_a, "counts"_a, "firsts"_a, "seconds"_a);
    m.def("relative_variances", &relative_variances, "weights"_a, "means"_a, "covariances"_a);
    unlocked("maximise_covariances", &maximise, "letters"_a, "counts"_a, "scatters"_a, "near"_a,
             "effort"_a);
    unlocked("memberships", &memberships_of, "x"_a, "shift"_a, "errors"_a, "constants"_a, "means"_a,
             "factors"_a, "densities_alone"_a);
    unlocked("drawn_tables", &drawn_tables, "x"_a, "row_weights"_a, "shift"_a, "scale"_a,
             "errors"_a, "known"_a.none(), "draws"_a, "hard"_a, "threads"_a, "q"_a);
    unlocked("drawn_average", &drawn_average, "x"_a, "row_weights"_a, "shift"_a, "scale"_a,
             "errors"_a, "known"_a.none(), "draws"_a, "hard"_a, "threads"_a, "permutations"_a);
    unlocked("drawn_densities", &drawn_densities, "x"_a, "row_weights"_a, "shift"_a, "scale"_a,
             "errors"_a, "known"_a.none(), "draws"_a, "densities_alone"_a, "threads"_a);
    unlocked("drawn_allocations", &drawn_allocations, "x"_a, "row_weights"_a, "shift"_a, "scale"_a,
             "errors"_a, "known"_a.none(), "draws"_a, "hard"_a, "threads"_a, "seed"_a);
    m.def("tally", &tally_rows, "allocations"_a, "q"_a, "n_components"_a);
    m.def("tally_permuted", &tally_labels, "allocations"_a, "labels"_a);
    unlocked("information_sums", &information_sums, "x"_a, "row_weights"_a, "shift"_a, "scale"_a,
             "errors"_a, "known"_a.none(), "weights"_a, "means"_a, "covariances"_a);
    unlocked("log_sums_of_permanents", &sums_of_permanents, "logs"_a);
    unlocked("log_likelihood", &log_likelihood, "kind"_a, "weights"_a, "means"_a, "matrices"_a,
             "x"_a, "errors"_a, "row_weights"_a);
    m.def("log_densities", &log_densities, "kind"_a, "weights"_a, "means"_a, "matrices"_a, "x"_a,
          "errors"_a);
    m.def("problem", &problem, "x"_a, "row_weights"_a, "shift"_a, "scale"_a, "errors"_a,
          "known"_a.none(), "prior"_a, "sharing"_a, "outliers"_a, "frame"_a, "frame_inverse"_a,
          "free"_a, "constant"_a);
    m.def("log_density", &log_density, "problem"_a, "u"_a);
    m.def("addresses", &addresses);
    m.def("expand", &expanded, "problem"_a, "u"_a);
    unlocked("k_means", &k_means_labels, "rows"_a, "row_weights"_a, "uniforms"_a,
             "max_iterations"_a);
    m.def("nearest_of", &nearest_labels, "rows"_a, "chosen"_a);
    unlocked("whiten_near_pairs", &whitened_by_near_pairs, "rows"_a, "differences"_a, "rounds"_a);
    unlocked("partition_moments", &moments_of_parts, "rows"_a, "row_weights"_a, "labels"_a,
             "n_components"_a);
    m.def("partition_start", &start_of_parts, "rows"_a, "row_weights"_a, "labels"_a,
          "n_components"_a, "diagonal"_a);
    unlocked("merge_groups", &merge, "means"_a, "counts"_a, "criterion"_a, "stand_in"_a);
    unlocked("assign_all", &assign_labels, "costs"_a);
    unlocked("search_partition", &search_partition, "allocations"_a, "n_clusters"_a, "h"_a,
             "start"_a, "attempts"_a, "seed"_a);
}

}  // namespace bayesgmm
