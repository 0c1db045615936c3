// Arrays on their way between Python and the core: what takes a view takes an array in C order, and
// what returns an owner of numbers returns an array that owns them.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>

#include <memory>
#include <optional>
#include <tuple>

#include "linear_algebra/arrays.hpp"

// An array that had to be converted lives until the call ends, also where a view of it is optional.
template <class T, int Axes>
struct nanobind::detail::type_caster<bayesgmm::View<const T, Axes>> {
    using Of = bayesgmm::View<const T, Axes>;
    using Array = ndarray<const T, ndim<Axes>, c_contig, device::cpu>;
    NB_TYPE_CASTER(Of, make_caster<Array>::Name)

    bool from_python(handle source, std::uint32_t flags, cleanup_list *cleanup) noexcept {
        if (!caster.from_python(source, flags, cleanup)) return false;
        const Array &array = caster.value;
        value.data = array.data();
        for (std::size_t i = 0; i < Axes; ++i)
            value.shape[i] = static_cast<bayesgmm::Index>(array.shape(i));
        return true;
    }
    make_caster<Array> caster;
};

template <class T, int Axes>
struct nanobind::detail::type_caster<bayesgmm::Owned<T, Axes>> {
    using Of = bayesgmm::Owned<T, Axes>;
    using Array = ndarray<numpy, T, ndim<Axes>>;
    NB_TYPE_CASTER(Of, make_caster<Array>::Name)

    static handle from_cpp(Of &&numbers, rv_policy policy, cleanup_list *cleanup) {
        auto owner = std::make_unique<Of>(std::move(numbers));
        const bayesgmm::View<T, Axes> of = *owner;
        std::array<std::size_t, Axes> shape;
        std::copy(of.shape.begin(), of.shape.end(), shape.begin());
        const capsule keep(owner.get(),
                           [](void *at) noexcept { std::unique_ptr<Of>(static_cast<Of *>(at)); });
        owner.release();
        return make_caster<Array>::from_cpp(Array(of.data, Axes, shape.data(), keep), policy,
                                            cleanup);
    }
};
