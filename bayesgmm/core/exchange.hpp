// Arrays on their way between Python and the core: checked views of what comes in, owners of what
// goes out.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <memory>
#include <optional>
#include <tuple>

#include "kernel.hpp"

namespace bayesgmm {

namespace nb = nanobind;

template <int Axes, class T = const double>
using Input = nb::ndarray<T, nb::ndim<Axes>, nb::c_contig, nb::device::cpu>;
// Covariances: variances (K, D) or matrices (K, D, D).
using AnyInput = nb::ndarray<const double, nb::c_contig, nb::device::cpu>;
template <int Axes, class T = double>
using Output = nb::ndarray<nb::numpy, T, nb::ndim<Axes>>;

inline void require(bool holds, const char *message) {
    if (!holds) throw nb::value_error(message);
}

template <class T, Index... Sizes, class... Rest>
View<T, sizeof...(Sizes)> view(const nb::ndarray<T, nb::shape<Sizes...>, Rest...> &array) {
    View<T, sizeof...(Sizes)> out{array.data(), {}};
    for (std::size_t i = 0; i < sizeof...(Sizes); ++i)
        out.shape[i] = static_cast<Index>(array.shape(i));
    return out;
}

inline ConstVector view(const std::optional<Input<1>> &array) {
    return array ? view(*array) : ConstVector{};
}

template <int Axes>
View<const double, Axes> covariances(const AnyInput &array, Index k, Index d) {
    require(static_cast<Index>(array.size()) == k * covariance_size<Axes>(d),
            "covariances must be of shape (K, D, D) or (K, D)");
    return covariance_view<Axes>(array.data(), k, d);
}

inline Rows rows_of(const Input<2> &x, const std::optional<Input<1>> &row_weights,
                    const Input<1> &shift, const Input<1> &scale) {
    const Rows rows{view(x), view(row_weights), view(shift), view(scale)};
    const Index n = rows.x.shape[0], d = rows.x.shape[1];
    require(d > 0, "x must have a column");
    require(rows.shift.size() == d && rows.scale.size() == d, "shift and scale must be (D,)");
    require(!row_weights || rows.weights.size() == n, "row_weights must be (n,)");
    return rows;
}

// Numbers as an array that owns them.
template <class T, int Axes>
Output<Axes, T> output(Owned<T, Axes> &&numbers) {
    auto owner = std::make_unique<Owned<T, Axes>>(std::move(numbers));
    const View<T, Axes> of = *owner;
    std::array<std::size_t, Axes> shape;
    std::copy(of.shape.begin(), of.shape.end(), shape.begin());
    const nb::capsule keep(owner.get(), [](void *at) noexcept {
        std::unique_ptr<Owned<T, Axes>>(static_cast<Owned<T, Axes> *>(at));
    });
    owner.release();
    return Output<Axes, T>(of.data, Axes, shape.data(), keep);
}

}  // namespace bayesgmm
