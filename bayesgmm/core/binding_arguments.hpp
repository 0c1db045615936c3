// Checks of the binding's arguments: shapes, layout and labels.
#pragma once

#include "em/em.hpp"
#include "likelihood/gradient.hpp"
#include "likelihood/prior.hpp"
#include "numpy_arrays.hpp"

namespace bayesgmm {
namespace {

namespace nb = nanobind;

using Weights = std::optional<ConstVector>;
// Variances or covariances of the rows' errors.
using Errors = std::optional<ConstMatrix>;
// What is known of the rows: their classes, those of components, and log densities of noise.
using KnownArguments = std::optional<std::tuple<ConstLabels, ConstLabels, ConstVector>>;
// Covariances: variances (K, D) or matrices (K, D, D).
using AnyInput = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
using Letters = std::tuple<int, int, int>;

void require(bool holds, const char *message) {
    if (!holds) throw nb::value_error(message);
}

void require_below(Index k, ConstLabels labels, const char *message) {
    for (const std::int64_t each : labels) require(0 <= each && each < k, message);
}

template <class T, int Axes, class... Sizes>
bool is_of(View<T, Axes> view, Sizes... sizes) {
    return view.shape == std::array<Index, Axes>{static_cast<Index>(sizes)...};
}

Index size_of(const AnyInput &array) { return static_cast<Index>(array.size()); }
ConstVector flat(const AnyInput &array) { return {array.data(), {size_of(array)}}; }

template <int Axes>
View<const double, Axes> covariances_in(const AnyInput &array, Index k, Index d) {
    require(size_of(array) == k * covariance_size<Axes>(d),
            "covariances must be of shape (K, D, D) or (K, D)");
    return covariance_view<Axes>(array.data(), k, d);
}

Structure structure_of(const Letters &letters) {
    const auto [volume, shape, orientation] = letters;
    for (const int each : {volume, shape, orientation})
        require(IDENTITY <= each && each <= VARYING, "letters must be 0, 1 or 2");
    return {Letter{volume}, Letter{shape}, Letter{orientation}};
}

void require_errors(ConstMatrix errors, ConstMatrix x) {
    const auto [n, d] = x.shape;
    require(errors.empty() || is_of(errors, n, d) || is_of(errors, n, d * d) ||
                is_of(errors, 1, d) || is_of(errors, 1, d * d),
            "errors must be (n, D) or (n, D * D), one row, or none");
}

Known known_of(const KnownArguments &arguments, Index n) {
    if (!arguments) return {};
    const auto &[labels, classes, noise] = *arguments;
    require(labels.empty() || is_of(labels, n), "labels must be (n,), or none");
    require(noise.empty() || is_of(noise, n), "densities of noise must be (n,), or none");
    return {labels, classes, noise};
}

void require_classes(const Known &known, Index k) {
    require(known.classes.empty() || is_of(known.classes, k), "classes must be (K,), or none");
}

Rows rows_of(ConstMatrix x, const Weights &weights, ConstVector shift, ConstVector scale,
             const Errors &errors, const KnownArguments &known = {}) {
    const Index n = x.shape[0], d = x.shape[1];
    require(d > 0, "x must have a column");
    require(is_of(shift, d) && is_of(scale, d), "shift and scale must be (D,)");
    require(!weights || is_of(*weights, n), "row_weights must be (n,)");
    const ConstMatrix s = errors.value_or(ConstMatrix{});
    require_errors(s, x);
    return {x,
            weights.value_or(ConstVector{}),
            shift,
            scale,
            s,
            seen_in_part(x, s),
            known_of(known, n)};
}

struct MixtureView {
    const AnyInput &covariances;
    Index k, d;

    MixtureView(ConstVector weights, ConstMatrix means, const AnyInput &sigma, Index features)
        : covariances(sigma), k(weights.size()), d(features) {
        require(k > 0 && is_of(means, k, d), "weights must be (K,) and means (K, D)");
        require(sigma.ndim() == 2 || sigma.ndim() == 3, "covariances must have 2 or 3 axes");
    }
    bool is_dense() const { return covariances.ndim() == 3 && d > 1; }
    // Call f with the number of axes, as a constant, and the covariances.
    template <class F>
    auto visit(const F &f) const {
        return with_axes(covariances.ndim() == 3, d, [&](auto axes) {
            return f(axes, covariances_in<axes>(covariances, k, d));
        });
    }
};

// concentration, location, precision, family, groups, axes, strength, scale, log_scales
using PriorArguments = std::tuple<ConstVector, ConstMatrix, ConstMatrix, int, Index, Index,
                                  ConstVector, ConstVector, ConstMatrix>;

Prior prior_of(const PriorArguments &arguments) {
    const auto &[concentration, location, precision, family, groups, axes, strength, scale,
                 log_scales] = arguments;
    require(FIXED <= family && family <= SEPARATE, "no such family of priors");
    return {concentration, location, precision, Family{family}, groups,
            axes,          strength, scale,     log_scales};
}

// weights, means, covariances
using HeldArguments = std::tuple<Mask, View<const bool, 2>, Mask>;

Held held_of(const HeldArguments &arguments, Index k, Index d) {
    const auto &[weights, means, covariances] = arguments;
    require(is_of(weights, k) && is_of(means, k, d) && is_of(covariances, k),
            "held must be (K,), (K, D) and (K,)");
    return {weights, means, covariances};
}

}  // namespace
}  // namespace bayesgmm
