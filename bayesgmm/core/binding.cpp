// The core as Python sees it: functions of arrays, checked here, that return arrays.
//
// Shapes, layout and contiguity are checked at this border, where a mistake is an exception. The
// interpreter's lock is released while numbers are formed.
#include <chrono>

#include "agglomeration.hpp"
#include "assignment.hpp"
#include "em.hpp"
#include "exchange.hpp"
#include "gradient.hpp"
#include "information.hpp"
#include "kmeans.hpp"
#include "log_posterior.hpp"
#include "memberships.hpp"
#include "partitions.hpp"
#include "processor.hpp"
#include "relative_variances.hpp"

namespace bayesgmm {
namespace {

using Unlocked = nb::gil_scoped_release;
using LabelNumbers = Owned<std::int64_t, 1>;
using Letters = std::tuple<int, int, int>;

Structure structure_of(const Letters &letters) {
    const auto [volume, shape, orientation] = letters;
    for (const int each : {volume, shape, orientation})
        require(IDENTITY <= each && each <= VARYING, "letters must be 0, 1 or 2");
    return {Letter{volume}, Letter{shape}, Letter{orientation}};
}

// --- passes ---------------------------------------------------------------------------------------

struct MixtureView {
    ConstVector weights;
    ConstMatrix means;
    AnyInput covariances;
    Index k, d;

    MixtureView(const Input<1> &w, const Input<2> &mu, const AnyInput &sigma, Index features)
        : weights(view(w)), means(view(mu)), covariances(sigma), k(weights.size()), d(features) {
        require(k > 0 && means.shape[0] == k && means.shape[1] == d,
                "weights must be (K,) and means (K, D)");
        require(sigma.ndim() == 2 || sigma.ndim() == 3, "covariances must have 2 or 3 axes");
    }
    // One feature: covariances are variances, and the lighter kernel serves both.
    bool is_dense() const { return covariances.ndim() == 3 && d > 1; }
};

template <int Axes>
std::tuple<Index, Output<1>> e_step_of(const Rows &rows, const MixtureView &mixture,
                                       Index threads) {
    const Index k = mixture.k, d = mixture.d;
    const auto sigma = covariances<Axes>(mixture.covariances, k, d);
    Numbers sums(Sums<Axes>::size(k, d));
    Index bad;
    {
        const Unlocked unlocked;
        Gaussians<Axes> gaussians(k, d);
        bad = factor<Axes>(mixture.weights, mixture.means, sigma, gaussians);
        if (bad == 0) Passes<Axes>(rows, k, threads).run(gaussians, {sums, k, d});
    }
    return {bad, output(std::move(sums))};
}

std::tuple<Index, Output<1>> e_step(const Input<2> &x, const std::optional<Input<1>> &row_weights,
                                    const Input<1> &shift, const Input<1> &scale,
                                    const Input<1> &weights, const Input<2> &means,
                                    const AnyInput &covariances, Index threads) {
    const Rows rows = rows_of(x, row_weights, shift, scale);
    const MixtureView mixture(weights, means, covariances, rows.x.shape[1]);
    return mixture.is_dense() ? e_step_of<3>(rows, mixture, threads)
                              : e_step_of<2>(rows, mixture, threads);
}

// --- EM -------------------------------------------------------------------------------------------

// concentration, location, precision, family, groups, axes, strength, scale, log_scales
using PriorArguments =
    std::tuple<Input<1>, Input<1>, Input<1>, int, Index, Index, Input<1>, Input<1>, Input<1>>;

Prior prior_of(const PriorArguments &arguments) {
    const auto &[concentration, location, precision, family, groups, axes, strength, scale,
                 log_scales] = arguments;
    require(FIXED <= family && family <= SEPARATE, "no such family of priors");
    return {view(concentration), view(location), view(precision), Family{family}, groups, axes,
            view(strength),      view(scale),    view(log_scales)};
}

// theta, sums, trace, passes, remaining, outcome, 1 + component
using EMResult = std::tuple<Output<1>, Output<1>, Output<1>, Index, double, int, Index>;

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

template <int Axes>
EMResult em_of(const Rows &rows, const Model &model, const MixtureView &start, const StopRule &rule,
               Index threads) {
    const Index k = start.k, d = start.d;
    Numbers theta(Parameters<Axes>::size(k, d)), sums(Sums<Axes>::size(k, d));
    const Parameters<Axes> parameters{theta, k, d};
    assign(parameters.weights(), start.weights);
    assign(parameters.means().flat(), start.means.flat());
    assign(parameters.covariances().flat(), covariances<Axes>(start.covariances, k, d).flat());
    Outcome outcome;
    Numbers trace;
    Index passes, component;
    double remaining;
    {
        const Unlocked unlocked;
        EM<Axes> em(rows, model, parameters, Sums<Axes>{sums, k, d}, threads);
        Interruption interruption;
        outcome = em.run(rule, [&] { return interruption(); });
        trace = Numbers(em.trace.size());
        std::copy(em.trace.begin(), em.trace.end(), trace.data());
        passes = em.n_passes, component = em.component(), remaining = em.remaining;
    }
    if (outcome == INTERRUPTED) throw nb::python_error();
    return {output(std::move(theta)),
            output(std::move(sums)),
            output(std::move(trace)),
            passes,
            remaining,
            outcome,
            component};
}

EMResult run_em(const Input<2> &x, const std::optional<Input<1>> &row_weights,
                const Input<1> &shift, const Input<1> &scale, const Letters &letters,
                const std::optional<Input<1>> &ridge, const std::optional<PriorArguments> &prior,
                const Input<1> &weights, const Input<2> &means, const AnyInput &covariances,
                double remaining, double change, Index max_passes, double rival, Index plain,
                bool exact, Index threads) {
    const Rows rows = rows_of(x, row_weights, shift, scale);
    const MixtureView start(weights, means, covariances, rows.x.shape[1]);
    Model model{structure_of(letters), view(ridge), {}};
    require(!ridge || model.ridge.size() == start.d, "ridge must be (D,)");
    require(!start.is_dense() || !model.structure.diagonal(),
            "a diagonal structure takes variances (K, D)");
    require(start.is_dense() || start.d == 1 || model.structure.diagonal(),
            "this structure takes covariances (K, D, D)");
    if (prior) {
        model.prior = prior_of(*prior);
        require(model.prior->fits(start.k, start.d) && model.prior->family != SEPARATE &&
                    (model.prior->axes == 0) == start.is_dense(),
                "the prior must be conjugate, and of as many components and features");
    }
    const StopRule rule{remaining, change, max_passes, rival, plain, exact};
    return start.is_dense() ? em_of<3>(rows, model, start, rule, threads)
                            : em_of<2>(rows, model, start, rule, threads);
}

template <int Axes>
Index m_step_of(const Structure &structure, ConstVector counts, const AnyInput &scatters,
                const std::optional<Input<3>> &near, int effort, Index d, double *out) {
    const Index k = counts.size();
    const Unlocked unlocked;
    MStepState state = initial_state(structure, k, d);
    if (near && structure.has_common_axes()) begin_common_axes(view(*near), state);
    return maximise_covariances(structure, counts, covariances<Axes>(scatters, k, d), state, effort,
                                covariance_view<Axes>(out, k, d));
}

std::tuple<Index, Output<1>> maximise(const Letters &letters, const Input<1> &counts,
                                      const AnyInput &scatters, const std::optional<Input<3>> &near,
                                      int effort) {
    const Structure structure = structure_of(letters);
    require(scatters.ndim() == 2 || scatters.ndim() == 3, "scatters must have 2 or 3 axes");
    const Index d = static_cast<Index>(scatters.shape(1));
    require(static_cast<Index>(scatters.shape(0)) == view(counts).size() && d > 0,
            "counts must be (K,) and scatters (K, D, D) or (K, D)");
    require(scatters.ndim() == 3 || d == 1 || structure.diagonal(),
            "this structure takes scatters (K, D, D)");
    Numbers out(static_cast<Index>(scatters.size()));
    require(!near || near->size() == scatters.size(), "near must be of the shape of scatters");
    const bool dense = scatters.ndim() == 3 && d > 1;
    const Index bad =
        dense ? m_step_of<3>(structure, view(counts), scatters, near, effort, d, out.data())
              : m_step_of<2>(structure, view(counts), scatters, {}, effort, d, out.data());
    return {bad, output(std::move(out))};
}

// Weights, means and scatters about the means, from the sums of a pass at `centres`.
template <int Axes>
void moments_of(ConstVector counts, ConstMatrix firsts, const AnyInput &seconds, Index d,
                Matrix means, double *scatters) {
    const auto b = covariances<Axes>(seconds, counts.size(), d);
    const auto out = covariance_view<Axes>(scatters, counts.size(), d);
    Numbers step(d);
    for (Index c = 0; c < counts.size(); ++c) {
        for (Index j = 0; j < d; ++j) step[j] = firsts(c, j) / counts[c];
        scatter_about(counts[c], firsts[c], b[c], step, out[c]);
        accumulate(means[c], step);
    }
}

std::tuple<Output<2>, Output<1>> moments(const Input<2> &centres, const Input<1> &counts,
                                         const Input<2> &firsts, const AnyInput &seconds) {
    const Index k = view(counts).size(), d = view(centres).shape[1];
    require(view(centres).shape[0] == k && view(firsts).size() == k * d,
            "centres and firsts must be (K, D)");
    require(seconds.ndim() == 2 || seconds.ndim() == 3, "seconds must have 2 or 3 axes");
    Table means(k, d);
    Numbers scatters(static_cast<Index>(seconds.size()));
    assign(means.flat(), view(centres).flat());
    if (seconds.ndim() == 3)
        moments_of<3>(view(counts), view(firsts), seconds, d, means, scatters.data());
    else
        moments_of<2>(view(counts), view(firsts), seconds, d, means, scatters.data());
    return {output(std::move(means)), output(std::move(scatters))};
}

// Variances (K, D) of the components along their axes, where all rows together have 1.
Output<2> relative_variances(const Input<1> &weights, const Input<2> &means, const AnyInput &sigma) {
    const MixtureView mixture(weights, means, sigma, static_cast<Index>(means.shape(1)));
    Table out(mixture.k, mixture.d);
    if (mixture.is_dense())
        of_all_rows(mixture.weights, mixture.means, covariances<3>(sigma, mixture.k, mixture.d), out);
    else
        of_all_rows(mixture.weights, mixture.means, covariances<2>(sigma, mixture.k, mixture.d), out);
    return output(std::move(out));
}

// --- densities, responsibilities and information --------------------------------------------------

std::tuple<Output<1>, Output<2>> memberships_of(const Input<2> &x, const Input<1> &shift,
                                                const Input<1> &constants, const Input<2> &means,
                                                const Input<3> &factors, bool densities_alone) {
    const Index k = view(constants).size(), d = view(shift).size();
    Numbers unit(d);
    fill(unit, 1.0);
    const Rows rows{view(x), {}, view(shift), unit};
    require(
        rows.x.shape[1] == d && view(means).size() == k * d && view(factors).size() == k * d * d,
        "shapes must be x (n, D), shift (D,), constants (K,), means (K, D), factors (K, D, D)");
    Numbers densities(rows.x.shape[0]);
    Table responsibilities(densities_alone ? 0 : rows.x.shape[0], k);
    {
        const Unlocked unlocked;
        Gaussians<3> mixture(k, d);
        assign(mixture.means.flat(), view(means).flat());
        assign(mixture.factors.flat(), view(factors).flat());
        assign(mixture.constants, view(constants));
        set_offsets(mixture);
        memberships(rows, mixture, densities, responsibilities);
    }
    return {output(std::move(densities)), output(std::move(responsibilities))};
}

// Rows beside draws of weights (T, K), means (T, K, D) and covariances (T, K, D, D).
struct DrawsArguments {
    Rows rows;
    ConstMatrix weights, covariances;
    ConstMatrices means;

    DrawsArguments(const Input<2> &x, const Input<1> &shift, const Input<1> &scale,
                   const Input<2> &w, const Input<3> &mu, const Input<4> &sigma)
        : rows(rows_of(x, {}, shift, scale)), weights(view(w)), means(view(mu)) {
        const Index t = means.shape[0], k = means.shape[1], d = means.shape[2];
        require(weights.shape[0] == t && weights.shape[1] == k && rows.x.shape[1] == d &&
                    static_cast<Index>(sigma.size()) == t * k * d * d,
                "draws must be weights (T, K), means (T, K, D) and covariances (T, K, D, D)");
        covariances = {sigma.data(), {t, k * d * d}};
    }
    DrawnRows open(bool hard, Index threads) const {
        return DrawnRows(rows, weights, means, covariances, hard, threads);
    }
};

std::tuple<Index, Output<3>, Output<1>> drawn_tables(const Input<2> &x, const Input<1> &shift,
                                                     const Input<1> &scale, const Input<2> &weights,
                                                     const Input<3> &means,
                                                     const Input<4> &covariances, bool hard,
                                                     Index threads, const Input<2> &q) {
    const DrawsArguments draws(x, shift, scale, weights, means, covariances);
    require(view(q).shape[0] == draws.rows.x.shape[0], "q must be (n, J)");
    const Index t = draws.means.shape[0];
    Tables tables(t, draws.means.shape[1], view(q).shape[1]);
    Numbers log_likelihoods(t);
    Index bad;
    {
        const Unlocked unlocked;
        DrawnRows drawn = draws.open(hard, threads);
        bad = drawn.bad();
        if (bad == 0) drawn.contract(view(q), tables, log_likelihoods);
    }
    return {bad, output(std::move(tables)), output(std::move(log_likelihoods))};
}

std::tuple<Index, Output<2>> drawn_average(const Input<2> &x, const Input<1> &shift,
                                           const Input<1> &scale, const Input<2> &weights,
                                           const Input<3> &means, const Input<4> &covariances,
                                           bool hard, Index threads,
                                           const Input<2, const std::int64_t> &permutations) {
    const DrawsArguments draws(x, shift, scale, weights, means, covariances);
    const auto of = view(permutations);
    const Index k = draws.means.shape[1];
    require(of.shape[0] == draws.means.shape[0] && of.shape[1] == k, "permutations must be (T, K)");
    for (const std::int64_t each : of.flat()) require(0 <= each && each < k, "not a permutation");
    Table out(draws.rows.x.shape[0], k);
    Index bad;
    {
        const Unlocked unlocked;
        DrawnRows drawn = draws.open(hard, threads);
        bad = drawn.bad();
        if (bad == 0) drawn.average(of, out);
    }
    return {bad, output(std::move(out))};
}

std::tuple<Index, Output<2>, Output<3>> drawn_densities(
    const Input<2> &x, const Input<1> &shift, const Input<1> &scale, const Input<2> &weights,
    const Input<3> &means, const Input<4> &covariances, bool densities_alone, Index threads) {
    const DrawsArguments draws(x, shift, scale, weights, means, covariances);
    const Index t = draws.means.shape[0], k = draws.means.shape[1], n = draws.rows.x.shape[0];
    Table densities(t, n);
    Tables responsibilities(densities_alone ? 0 : t, k, n);
    Index bad;
    {
        const Unlocked unlocked;
        DrawnRows drawn = draws.open(false, threads);
        bad = drawn.bad();
        if (bad == 0) drawn.each(densities, responsibilities);
    }
    return {bad, output(std::move(densities)), output(std::move(responsibilities))};
}

using Allocations = Input<2, const std::int64_t>;

void require_below(const Allocations &allocations, Index k) {
    for (const std::int64_t each : view(allocations).flat())
        require(0 <= each && each < k, "allocations must be from 0 to K - 1");
}

Output<3> tally_rows(const Allocations &allocations, const Input<2> &q, Index k) {
    require_below(allocations, k);
    require(view(q).shape[0] == view(allocations).shape[1], "q must be (n, J)");
    Tables out(view(allocations).shape[0], k, view(q).shape[1]);
    tally(view(allocations), view(q), out);
    return output(std::move(out));
}

Output<2> tally_labels(const Allocations &allocations, const Allocations &labels) {
    const Index k = view(labels).shape[1];
    require_below(allocations, k);
    require_below(labels, k);
    require(view(labels).shape[0] == view(allocations).shape[0], "labels must be (T, K)");
    Table out(view(allocations).shape[1], k);
    tally_permuted(view(allocations), view(labels), out);
    return output(std::move(out));
}

// 0 or 1 + a bad component; sums of r f f' (K, q, q) and of v g g' (K q, K q), lower triangles.
std::tuple<Index, Output<1>> information_sums(const Input<2> &x,
                                              const std::optional<Input<1>> &row_weights,
                                              const Input<1> &shift, const Input<1> &scale,
                                              const Input<1> &weights, const Input<2> &means,
                                              const Input<3> &sigma) {
    const Rows rows = rows_of(x, row_weights, shift, scale);
    const MixtureView mixture(weights, means, AnyInput(sigma), rows.x.shape[1]);
    const Index k = mixture.k, d = mixture.d;
    Numbers out(InformationSums::size(k, d));
    const auto of = covariances<3>(mixture.covariances, k, d);
    Index bad;
    {
        const Unlocked unlocked;
        Gaussians<3> gaussians(k, d);
        bad = factor<3>(mixture.weights, mixture.means, of, gaussians);
        if (bad == 0) InformationSums(rows, mixture.weights, gaussians).run(out);
    }
    return {bad, output(std::move(out))};
}

// --- for samplers -----------------------------------------------------------------------------------

struct LikelihoodArguments {
    MatrixKind kind;
    bool dense;
    ConstVector weights;
    ConstMatrix means, x;
    ConstVector matrices;

    LikelihoodArguments(int code, const Input<1> &w, const Input<2> &mu, const AnyInput &given,
                        const Input<2> &rows)
        : kind{code}, dense(given.ndim() == 3), weights(view(w)), means(view(mu)), x(view(rows)),
          matrices{given.data(), {static_cast<Index>(given.size())}} {
        const Index k = weights.size(), d = x.shape[1];
        require(COVARIANCES <= code && code <= PRECISION_CHOLESKY, "no such kind of matrices");
        require(
            k > 0 && d > 0 && means.shape[0] == k && means.shape[1] == d &&
                matrices.size() == k * d * (dense ? d : 1),
            "shapes must be weights (K,), means (K, D), matrices (K, D, D) or (K, D), x (n, D)");
    }
};

// The value, and the gradient in weights, means and matrices, one after another.
std::tuple<double, Output<1>> log_likelihood(int kind, const Input<1> &weights,
                                             const Input<2> &means, const AnyInput &matrices,
                                             const Input<2> &x, const Input<1> &row_weights) {
    const LikelihoodArguments of(kind, weights, means, matrices, x);
    const Index n = of.x.shape[0], d = of.x.shape[1], k = of.weights.size();
    const ConstVector v = view(row_weights);
    require(v.empty() || v.size() == n, "row_weights must be (n,) or (0,)");
    double value = 0.0;
    Numbers gradient(k + k * d + of.matrices.size());
    {
        const Unlocked unlocked;
        bayesgmm_log_likelihood(kind, of.dense, n, d, k, of.weights.data, of.means.data,
                                of.matrices.data, of.x.data, v.size(), v.data, &value,
                                gradient.data(), gradient.data() + k, gradient.data() + k + k * d);
    }
    return {value, output(std::move(gradient))};
}

Output<1> log_densities(int kind, const Input<1> &weights, const Input<2> &means,
                        const AnyInput &matrices, const Input<2> &x) {
    const LikelihoodArguments of(kind, weights, means, matrices, x);
    const Index n = of.x.shape[0];
    Numbers out(n);
    bayesgmm_log_densities(kind, of.dense, n, of.x.shape[1], of.weights.size(), of.weights.data,
                           of.means.data, of.matrices.data, of.x.data, out.data());
    return output(std::move(out));
}

// A posterior as the C functions take it. It points into the arrays, which must outlive it.
Output<1, std::int64_t> problem(const Input<2> &x, const Input<1> &shift, const Input<1> &scale,
                                const PriorArguments &prior, const AnyInput &frame,
                                const AnyInput &frame_inverse, double constant) {
    static_assert(sizeof(Problem) % sizeof(std::int64_t) == 0);
    const auto flat = [](const AnyInput &of) {
        return ConstVector{of.data(), {static_cast<Index>(of.size())}};
    };
    const Problem made{rows_of(x, {}, shift, scale), prior_of(prior), flat(frame),
                       flat(frame_inverse), constant};
    require(made.consistent(), "sizes of rows, priors and frame do not agree");
    LabelNumbers bytes(sizeof(Problem) / sizeof(std::int64_t));
    std::memcpy(bytes.data(), &made, sizeof made);
    return output(std::move(bytes));
}

const Problem &problem_in(const Input<1, const std::int64_t> &bytes) {
    require(bytes.size() * sizeof(std::int64_t) == sizeof(Problem), "not a problem");
    return *reinterpret_cast<const Problem *>(bytes.data());
}

std::tuple<double, Output<1>> log_density(const Input<1, const std::int64_t> &bytes,
                                          const Input<1> &u) {
    const Problem &of = problem_in(bytes);
    require(view(u).size() == of.size(), "u must have as many coordinates as the problem");
    double value = 0.0;
    Numbers gradient(of.size());
    bayesgmm_log_posterior(u.size(), u.data(), gradient.data(), &value, &of);
    return {value, output(std::move(gradient))};
}

// Weights, means and covariances at u, one after another.
Output<1> expanded(const Input<1, const std::int64_t> &bytes, const Input<1> &u) {
    const Problem &of = problem_in(bytes);
    require(view(u).size() == of.size(), "u must have as many coordinates as the problem");
    Numbers out(of.k() * (1 + of.d() + of.d() * of.d()));
    bayesgmm_expand(u.size(), static_cast<std::uint64_t>(out.size()), u.data(), out.data(), &of);
    return output(std::move(out));
}

template <class F>
std::uintptr_t address_of(F *function) {
    return reinterpret_cast<std::uintptr_t>(function);
}

// The C functions by name, for compilers of graphs and for samplers.
nb::dict addresses() {
    nb::dict out;
    out["bayesgmm_log_likelihood"] = address_of(&bayesgmm_log_likelihood);
    out["bayesgmm_log_densities"] = address_of(&bayesgmm_log_densities);
    out["bayesgmm_log_posterior"] = address_of(&bayesgmm_log_posterior);
    out["bayesgmm_expand"] = address_of(&bayesgmm_expand);
    return out;
}

// --- where EM begins, and assignment --------------------------------------------------------------

Output<1, std::int64_t> k_means_labels(const Input<2> &rows, const Input<1> &row_weights,
                                       const Input<1> &uniforms, Index max_iterations) {
    const Index n = view(rows).shape[0];
    require(view(row_weights).size() == n && n > 0, "row_weights must be (n,)");
    LabelNumbers labels(n);
    {
        const Unlocked unlocked;
        k_means(view(rows), view(row_weights), view(uniforms), max_iterations, labels);
    }
    return output(std::move(labels));
}

Output<1, std::int64_t> nearest_labels(const Input<2> &rows,
                                       const Input<1, const std::int64_t> &chosen) {
    const Index n = view(rows).shape[0];
    for (const std::int64_t each : view(chosen)) require(0 <= each && each < n, "no such row");
    LabelNumbers labels(n);
    nearest_of(view(rows), view(chosen), labels);
    return output(std::move(labels));
}

Output<2> whitened_by_near_pairs(const Input<2> &rows, const Input<2> &differences, Index rounds) {
    require(view(rows).shape[1] == view(differences).shape[1], "differences must be (m, D)");
    Table out(view(rows).shape[0], view(rows).shape[1]);
    assign(out.flat(), view(rows).flat());
    const Unlocked unlocked;
    whiten_near_pairs(out, view(differences), rounds);
    const nb::gil_scoped_acquire locked;
    return output(std::move(out));
}

void require_labels(const Input<1, const std::int64_t> &labels, Index n, Index k) {
    require(view(labels).size() == n, "labels must be (n,)");
    for (const std::int64_t each : view(labels))
        require(0 <= each && each < k, "labels must be from 0 to K - 1");
}

std::tuple<Output<1>, Output<2>, Output<3>> moments_of_parts(
    const Input<2> &rows, const Input<1> &row_weights, const Input<1, const std::int64_t> &labels,
    Index k) {
    const Index n = view(rows).shape[0], d = view(rows).shape[1];
    require(view(row_weights).size() == n, "row_weights must be (n,)");
    require_labels(labels, n, k);
    Numbers counts(k);
    Table means(k, d);
    Tables scatters(k, d, d);
    {
        const Unlocked unlocked;
        partition_moments(view(rows), view(row_weights), view(labels), counts, means, scatters);
    }
    return {output(std::move(counts)), output(std::move(means)), output(std::move(scatters))};
}

// Counts, means and pooled scatter, (D, D) or (1, D); false if a part is empty.
std::tuple<bool, Output<1>, Output<2>, Output<2>> start_of_parts(
    const Input<2> &rows, const Input<1> &row_weights, const Input<1, const std::int64_t> &labels,
    Index k, bool diagonal) {
    const Index n = view(rows).shape[0], d = view(rows).shape[1];
    require(view(row_weights).size() == n, "row_weights must be (n,)");
    require_labels(labels, n, k);
    Numbers counts(k);
    Table means(k, d), pooled(diagonal ? 1 : d, d);
    const bool whole =
        partition_start(view(rows), view(row_weights), view(labels), counts, means, pooled);
    return {whole, output(std::move(counts)), output(std::move(means)), output(std::move(pooled))};
}

std::tuple<Output<2, std::int64_t>, Output<1>> merge(const Input<2> &means, const Input<1> &counts,
                                                     int criterion, double stand_in) {
    const Index n = view(means).shape[0], d = view(means).shape[1];
    require(view(counts).size() == n && n > 0, "counts must be (n,)");
    require(0 <= criterion && criterion < 4, "no such criterion");
    Owned<std::int64_t, 2> merges(n - 1, 2);
    Numbers costs(n - 1);
    const MergeCriterion kind{criterion};
    {
        const Unlocked unlocked;
        if (kind == MergeCriterion::EEE)
            merge_groups_shared(view(means), view(counts), stand_in / static_cast<double>(d),
                                merges, costs);
        else
            merge_groups(view(means), view(counts), kind, stand_in, merges, costs);
    }
    return {output(std::move(merges)), output(std::move(costs))};
}

std::tuple<Output<2, std::int64_t>, Output<1>, Output<1>> assign_labels(const Input<3> &costs) {
    const Index t = view(costs).shape[0], k = view(costs).shape[1];
    require(view(costs).shape[2] == k, "costs must be (T, K, K)");
    Owned<std::int64_t, 2> permutations(t, k);
    Numbers best(t), excess(t);
    {
        const Unlocked unlocked;
        assign_all(view(costs), permutations, best, excess);
    }
    return {output(std::move(permutations)), output(std::move(best)), output(std::move(excess))};
}

// A function of registers at each number of an array: for its tests.
template <Vec (*F)(Vec)>
Output<1> of_each(const Input<1> &x) {
    const Index n = view(x).size();
    Numbers out((n + LANES - 1) / LANES * LANES), result(n);
    fill(out, 1.0);
    assign(out.view().part(0, n), view(x));
    for (Index i = 0; i < out.size(); i += LANES) store(F(load(&out[i])), &out[i]);
    assign(result, out.view().part(0, n));
    return output(std::move(result));
}

const char *instruction_set() { return LANES == 8 ? "avx512" : LANES == 4 ? "avx2" : "baseline"; }

}  // namespace

NB_MODULE(BAYESGMM_MODULE, m) {
    using namespace nb::literals;
    m.def("instruction_set", &instruction_set);
    m.def("best_instruction_set", &best_instruction_set);
    m.attr("CHUNK") = CHUNK;
    m.def("exp_nonpositive", &of_each<exp_nonpositive>, "x"_a);
    m.def("log_positive", &of_each<log_positive>, "x"_a);
    m.def("e_step", &e_step, "x"_a, "row_weights"_a, "shift"_a, "scale"_a, "weights"_a, "means"_a,
          "covariances"_a, "threads"_a);
    m.def("run_em", &run_em, "x"_a, "row_weights"_a, "shift"_a, "scale"_a, "letters"_a, "ridge"_a,
          "prior"_a, "weights"_a, "means"_a, "covariances"_a, "remaining"_a, "change"_a,
          "max_passes"_a, "rival"_a, "plain"_a, "exact"_a, "threads"_a);
    m.def("moments", &moments, "centres"_a, "counts"_a, "firsts"_a, "seconds"_a);
    m.def("relative_variances", &relative_variances, "weights"_a, "means"_a, "covariances"_a);
    m.def("maximise_covariances", &maximise, "letters"_a, "counts"_a, "scatters"_a, "near"_a,
          "effort"_a);
    m.def("memberships", &memberships_of, "x"_a, "shift"_a, "constants"_a, "means"_a, "factors"_a,
          "densities_alone"_a);
    m.def("drawn_tables", &drawn_tables, "x"_a, "shift"_a, "scale"_a, "weights"_a, "means"_a,
          "covariances"_a, "hard"_a, "threads"_a, "q"_a);
    m.def("drawn_average", &drawn_average, "x"_a, "shift"_a, "scale"_a, "weights"_a, "means"_a,
          "covariances"_a, "hard"_a, "threads"_a, "permutations"_a);
    m.def("drawn_densities", &drawn_densities, "x"_a, "shift"_a, "scale"_a, "weights"_a, "means"_a,
          "covariances"_a, "densities_alone"_a, "threads"_a);
    m.def("tally", &tally_rows, "allocations"_a, "q"_a, "n_components"_a);
    m.def("tally_permuted", &tally_labels, "allocations"_a, "labels"_a);
    m.def("information_sums", &information_sums, "x"_a, "row_weights"_a, "shift"_a, "scale"_a,
          "weights"_a, "means"_a, "covariances"_a);
    m.def("log_likelihood", &log_likelihood, "kind"_a, "weights"_a, "means"_a, "matrices"_a, "x"_a,
          "row_weights"_a);
    m.def("log_densities", &log_densities, "kind"_a, "weights"_a, "means"_a, "matrices"_a, "x"_a);
    m.def("problem", &problem, "x"_a, "shift"_a, "scale"_a, "prior"_a, "frame"_a, "frame_inverse"_a,
          "constant"_a);
    m.def("log_density", &log_density, "problem"_a, "u"_a);
    m.def("expand", &expanded, "problem"_a, "u"_a);
    m.def("addresses", &addresses);
    m.def("k_means", &k_means_labels, "rows"_a, "row_weights"_a, "uniforms"_a, "max_iterations"_a);
    m.def("nearest_of", &nearest_labels, "rows"_a, "chosen"_a);
    m.def("whiten_near_pairs", &whitened_by_near_pairs, "rows"_a, "differences"_a, "rounds"_a);
    m.def("partition_moments", &moments_of_parts, "rows"_a, "row_weights"_a, "labels"_a,
          "n_components"_a);
    m.def("partition_start", &start_of_parts, "rows"_a, "row_weights"_a, "labels"_a,
          "n_components"_a, "diagonal"_a);
    m.def("merge_groups", &merge, "means"_a, "counts"_a, "criterion"_a, "stand_in"_a);
    m.def("assign_all", &assign_labels, "costs"_a);
}

}  // namespace bayesgmm
