// Views of numbers in C order, and arrays that own them.
//
// A view is a span with as many sizes as it has axes: what functions of the core pass to one
// another. Letters: n rows, d features, k components.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace bayesgmm {

using Index = std::ptrdiff_t;

inline constexpr double EPSILON = std::numeric_limits<double>::epsilon();
inline constexpr double INFINITE = std::numeric_limits<double>::infinity();
inline constexpr double NOT_A_NUMBER = std::numeric_limits<double>::quiet_NaN();

template <class T, int Axes>
struct View {
    T *data = nullptr;
    std::array<Index, Axes> shape{};

    Index size() const {
        Index product = 1;
        for (const Index each : shape) product *= each;
        return product;
    }
    bool empty() const { return size() == 0; }
    T *begin() const { return data; }
    T *end() const { return data + size(); }

    // v(i, j): a number. v[i]: the view with its first axis at i.
    T &operator()(Index i) const requires(Axes == 1) { return data[i]; }
    T &operator()(Index i, Index j) const requires(Axes == 2) { return data[i * shape[1] + j]; }
    T &operator()(Index i, Index j, Index l) const requires(Axes == 3) {
        return data[(i * shape[1] + j) * shape[2] + l];
    }
    T &operator[](Index i) const requires(Axes == 1) { return data[i]; }
    View<T, Axes - 1> operator[](Index i) const requires(Axes > 1) {
        View<T, Axes - 1> out;
        std::copy(shape.begin() + 1, shape.end(), out.shape.begin());
        out.data = data + i * out.size();
        return out;
    }
    // Rows first..last-1 of the first axis.
    View part(Index first, Index last) const {
        View out = *this;
        out.shape[0] = 1;
        out.data = data + first * out.size();
        out.shape[0] = last - first;
        return out;
    }
    View<T, 1> flat() const { return {data, {size()}}; }
    template <class... Sizes>
    View<T, sizeof...(Sizes)> reshaped(Sizes... sizes) const {
        return {data, {static_cast<Index>(sizes)...}};
    }
    operator View<const T, Axes>() const requires(!std::is_const_v<T>) { return {data, shape}; }
};

using Vector = View<double, 1>;
using Matrix = View<double, 2>;
using Matrices = View<double, 3>;
using ConstVector = View<const double, 1>;
using ConstMatrix = View<const double, 2>;
using ConstMatrices = View<const double, 3>;
using Labels = View<std::int64_t, 1>;
using ConstLabels = View<const std::int64_t, 1>;

// Memory that begins with a line of the cache: a vector register never has to read two. (The
// library's own aligned allocation takes several times as long as the plain one.)
template <class T>
struct Aligned {
    using value_type = T;
    static constexpr std::size_t LINE = 64;
    Aligned() = default;
    template <class U>
    Aligned(const Aligned<U> &) {}
    T *allocate(std::size_t n) {
        auto *const from = static_cast<std::byte *>(::operator new(n * sizeof(T) + LINE));
        auto *const at = from + (LINE - reinterpret_cast<std::uintptr_t>(from) % LINE);
        at[-1] = static_cast<std::byte>(at - from);
        return reinterpret_cast<T *>(at);
    }
    void deallocate(T *at, std::size_t) {
        auto *const bytes = reinterpret_cast<std::byte *>(at);
        ::operator delete(bytes - std::to_integer<int>(bytes[-1]));
    }
    bool operator==(const Aligned &) const = default;
};

// Numbers with an owner; zero to begin with. It converts to a view where one is wanted.
template <class T, int Axes>
class Owned {
public:
    Owned() = default;
    template <class... Sizes>
    requires(sizeof...(Sizes) == Axes)
    explicit Owned(Sizes... sizes) : Owned(std::array<Index, Axes>{static_cast<Index>(sizes)...}) {}
    explicit Owned(const std::array<Index, Axes> &shape)
        : shape_(shape), numbers_(View<T, Axes>{nullptr, shape}.size()) {}
    View<T, Axes> view() { return {numbers_.data(), shape_}; }
    View<const T, Axes> view() const { return {numbers_.data(), shape_}; }
    operator View<T, Axes>() { return view(); }
    operator View<const T, Axes>() const { return view(); }
    template <class... Places>
    T &operator()(Places... places) {
        return view()(places...);
    }
    decltype(auto) operator[](Index i) { return view()[i]; }
    decltype(auto) operator[](Index i) const { return view()[i]; }
    View<T, 1> flat() { return view().flat(); }
    View<T, Axes> part(Index first, Index last) { return view().part(first, last); }
    Index size() const { return static_cast<Index>(numbers_.size()); }
    T *data() { return numbers_.data(); }

private:
    std::array<Index, Axes> shape_{};
    std::vector<T, Aligned<T>> numbers_;
};

using Numbers = Owned<double, 1>;
using Table = Owned<double, 2>;
using Tables = Owned<double, 3>;
using LabelNumbers = Owned<std::int64_t, 1>;

// Zeros of the shape of a view.
template <class T, int Axes>
Owned<double, Axes> zeros_like(View<T, Axes> view) {
    return Owned<double, Axes>(view.shape);
}

// --- short sums and assignments of equally long vectors ---------------------------------------

inline void fill(Vector to, double number) { std::fill(to.begin(), to.end(), number); }

inline void assign(Vector to, ConstVector other) {
    std::copy(other.begin(), other.end(), to.begin());
}

inline void accumulate(Vector to, ConstVector other) {
    for (Index i = 0; i < to.size(); ++i) to[i] += other[i];
}

// to += factor * other
inline void add_scaled(Vector to, double factor, ConstVector other) {
    for (Index i = 0; i < to.size(); ++i) to[i] += factor * other[i];
}

inline void scale(Vector to, double factor) {
    for (Index i = 0; i < to.size(); ++i) to[i] *= factor;
}

inline double sum(ConstVector of) {
    double s = 0.0;
    for (const double each : of) s += each;
    return s;
}

}  // namespace bayesgmm
