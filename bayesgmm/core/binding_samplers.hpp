// Functions for samplers: likelihood, log posterior density, and their C addresses.
#pragma once

#include "binding_arguments.hpp"
#include "likelihood/log_posterior.hpp"

namespace bayesgmm {
namespace {

void require_likelihood(int kind, ConstVector weights, ConstMatrix means, const AnyInput &matrices,
                        ConstMatrix x) {
    const Index k = weights.size(), d = x.shape[1];
    require(COVARIANCES <= kind && kind <= PRECISION_CHOLESKY, "no such kind of matrices");
    require(k > 0 && d > 0 && is_of(means, k, d) &&
                size_of(matrices) == k * d * (matrices.ndim() == 3 ? d : 1),
            "shapes must be weights (K,), means (K, D), matrices (K, D, D) or (K, D), x (n, D)");
}

// The value, and the gradient in weights, means and matrices, one after another.
std::tuple<double, Numbers> log_likelihood(int kind, ConstVector weights, ConstMatrix means,
                                           const AnyInput &matrices, ConstMatrix x,
                                           ConstMatrix errors, ConstVector row_weights) {
    require_likelihood(kind, weights, means, matrices, x);
    require_errors(errors, x);
    const Index n = x.shape[0], d = x.shape[1], k = weights.size();
    require(row_weights.empty() || is_of(row_weights, n), "row_weights must be (n,) or (0,)");
    double value = 0.0;
    Numbers gradient(k + k * d + size_of(matrices));
    bayesgmm_log_likelihood(kind, matrices.ndim() == 3, n, d, k, weights.data, means.data,
                            matrices.data(), x.data, row_weights.size(), row_weights.data,
                            errors.shape[0], errors.shape[1], errors.data, &value, gradient.data(),
                            gradient.data() + k, gradient.data() + k + k * d);
    return {value, std::move(gradient)};
}

Numbers log_densities(int kind, ConstVector weights, ConstMatrix means, const AnyInput &matrices,
                      ConstMatrix x, ConstMatrix errors) {
    require_likelihood(kind, weights, means, matrices, x);
    require_errors(errors, x);
    Numbers out(x.shape[0]);
    bayesgmm_log_densities(kind, matrices.ndim() == 3, x.shape[0], x.shape[1], weights.size(),
                           weights.data, means.data, matrices.data(), x.data, errors.shape[0],
                           errors.shape[1], errors.data, out.data());
    return out;
}

// tied, shared volume, shape and orientation, reference
using SharingArguments = std::tuple<bool, bool, bool, bool, ConstMatrix>;

Sharing sharing_of(const SharingArguments &arguments) {
    const auto &[tied, volume, shape, orientation, reference] = arguments;
    return {tied, {volume, shape, orientation}, reference};
}

// noise, pairs, noise_concentration, first, second, spread
using OutlierArguments = std::tuple<bool, bool, double, double, double, double>;
// held weights, origin, basis
using FreeArguments = std::tuple<ConstVector, ConstVector, ConstMatrix>;

Outliers outliers_of(const OutlierArguments &arguments) {
    const auto [noise, pairs, concentration, first, second, spread] = arguments;
    return {noise, pairs, concentration, first, second, spread};
}

// A posterior as the C functions take it. It points into the arrays, which must outlive it.
LabelNumbers problem(ConstMatrix x, const Weights &row_weights, ConstVector shift,
                     ConstVector scale, const Errors &errors, const KnownArguments &known,
                     const PriorArguments &prior, const SharingArguments &sharing,
                     const OutlierArguments &outliers, const AnyInput &frame,
                     const AnyInput &frame_inverse, const FreeArguments &free, double constant) {
    static_assert(sizeof(Problem) % sizeof(std::int64_t) == 0);
    const auto &[held_weights, origin, basis] = free;
    const Problem made{rows_of(x, row_weights, shift, scale, errors, known),
                       prior_of(prior),
                       sharing_of(sharing),
                       outliers_of(outliers),
                       flat(frame),
                       flat(frame_inverse),
                       held_weights,
                       origin,
                       basis,
                       constant};
    require(made.consistent(), "sizes of rows, priors and frame do not agree");
    LabelNumbers bytes(sizeof(Problem) / sizeof(std::int64_t));
    std::memcpy(bytes.data(), &made, sizeof made);
    return bytes;
}

const Problem &problem_in(ConstLabels bytes, ConstVector u) {
    require(bytes.size() * sizeof(std::int64_t) == sizeof(Problem), "not a problem");
    const Problem &of = *reinterpret_cast<const Problem *>(bytes.data);
    require(is_of(u, of.n_free()), "u must have as many coordinates as the problem");
    return of;
}

std::tuple<double, Numbers> log_density(ConstLabels bytes, ConstVector u) {
    const Problem &of = problem_in(bytes, u);
    double value = 0.0;
    Numbers gradient(of.n_free());
    bayesgmm_log_posterior(u.size(), u.data, gradient.data(), &value, &of);
    return {value, std::move(gradient)};
}

// The numbers of a mixture at u, as `bayesgmm_expand` gives them.
Numbers expanded(ConstLabels bytes, ConstVector u) {
    const Problem &of = problem_in(bytes, u);
    Numbers out(expanded_size(of));
    bayesgmm_expand(u.size(), static_cast<std::uint64_t>(out.size()), u.data, out.data(), &of);
    return out;
}

// The C functions by name, for compilers of graphs and for samplers.
nb::dict addresses() {
    nb::dict out;
    const auto add = [&](const char *name, auto *function) {
        out[name] = reinterpret_cast<std::uintptr_t>(function);
    };
    add("bayesgmm_log_likelihood", &bayesgmm_log_likelihood);
    add("bayesgmm_log_densities", &bayesgmm_log_densities);
    add("bayesgmm_log_posterior", &bayesgmm_log_posterior);
    add("bayesgmm_expand", &bayesgmm_expand);
    return out;
}

}  // namespace
}  // namespace bayesgmm
