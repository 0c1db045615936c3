// Tables by columns (D, n): each column is a row of the data, or a group of rows; LANES of them are
// taken at a time.
#pragma once

#include "linear_algebra/simd.hpp"

namespace bayesgmm {

// How many columns whole vectors take.
inline Index padded(Index n) { return (n + LANES - 1) / LANES * LANES; }

// from, from + 1, ...
inline Bits ascending(std::int64_t from) {
    constexpr std::array<std::int64_t, 8> counting{0, 1, 2, 3, 4, 5, 6, 7};
    static_assert(LANES <= static_cast<Index>(counting.size()));
    Bits out;
    std::memcpy(&out, counting.data(), sizeof out);
    return out + from;
}

// The least lane of a vector of numbers T.
template <class T, class Lanes>
inline T least_lane(Lanes vector) {
    T lanes[LANES];
    std::memcpy(lanes, &vector, sizeof vector);
    for (Index half = LANES / 2; half > 0; half /= 2)
        for (Index i = 0; i < half; ++i) lanes[i] = std::min(lanes[i], lanes[i + half]);
    return lanes[0];
}

// Rows (n, D) by columns, padded with zeros to whole vectors.
inline Table by_columns(ConstMatrix rows) {
    Table out(rows.shape[1], padded(rows.shape[0]));
    const Matrix to = out;
    for (Index b = 0; b < rows.shape[0]; ++b)
        for (Index j = 0; j < rows.shape[1]; ++j) to(j, b) = rows(b, j);
    return out;
}

// to = L^-1 x for each column x of `from`, which may be `to` itself.
inline void solve_columns(ConstMatrix lower, ConstMatrix from, Matrix to) {
    for (Index r = 0; r < lower.shape[0]; ++r) {
        const double inverse = 1.0 / lower(r, r);
        for (Index k = 0; k < to.shape[1]; k += LANES) {
            Vec t = load(&from(r, k));
            for (Index s = 0; s < r; ++s) t -= lower(r, s) * load(&to(s, k));
            store(t * inverse, &to(r, k));
        }
    }
}

// The nearest multiple of a quantum, a power of two. Infinity and NaN become a large number.
inline Vec to_quantum(Vec number, double quantum) {
    // Adding MAGIC rounds numbers below 2^51.
    const Vec finite = number < 0x1p900 ? number : splat(0x1p900);
    const Vec units = finite / quantum;
    const Vec whole = units + MAGIC - MAGIC;
    return units * units < 0x1p102 ? whole * quantum : finite;
}

struct Least {
    double number;
    Index place;
};

// The least of numbers first..last-1 and the first place that has it; whole vectors of numbers.
inline Least first_least(ConstVector numbers, Index first, Index last) {
    Vec least = splat(INFINITE);
    Bits where = splat_bits(first), here = ascending(first);
    for (Index k = first; k < last; k += LANES, here += LANES) {
        const Vec each = load(&numbers[k]);
        where = each < least ? here : where;
        least = each < least ? each : least;
    }
    const double number = least_lane<double>(least);
    const Bits places = least == splat(number) ? where : splat_bits(last);
    return {number, static_cast<Index>(least_lane<std::int64_t>(places))};
}

}  // namespace bayesgmm
