// Numbers in vector registers: load, store, sums of lanes, exp and log without calls.
//
// The compiler's own vector types; plain operators work on all lanes. The build says how many there
// are (BAYESGMM_LANES), by the instruction set for which it compiles this file.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "linear_algebra/arrays.hpp"

namespace bayesgmm {

inline constexpr Index LANES = BAYESGMM_LANES;

typedef double Vec __attribute__((vector_size(8 * BAYESGMM_LANES)));
typedef std::int64_t Bits __attribute__((vector_size(8 * BAYESGMM_LANES)));
typedef std::uint64_t Unsigned __attribute__((vector_size(8 * BAYESGMM_LANES)));
typedef double UnalignedVec __attribute__((vector_size(8 * BAYESGMM_LANES), aligned(8)));

inline Vec load(const double *from) { return *reinterpret_cast<const UnalignedVec *>(from); }
inline void store(Vec vector, double *to) { *reinterpret_cast<UnalignedVec *>(to) = vector; }
inline Vec splat(double number) { return number - Vec{}; }
inline Bits splat_bits(std::int64_t number) { return number - Bits{}; }

// The greater of each pair of lanes; the second where they cannot be compared.
inline Vec greater(Vec a, Vec b) { return a > b ? a : b; }

inline double sum_of_lanes(Vec v) {
    // Halves are added until one lane is left: the same order for every use.
    double lanes[LANES];
    std::memcpy(lanes, &v, sizeof v);
    for (Index half = LANES / 2; half > 0; half /= 2)
        for (Index i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return lanes[0];
}

// sum_i a_i b_i. Four vectors of sums at a time, or the additions would wait for one another.
inline double dot(ConstVector a, ConstVector b) {
    const Index n = a.size();
    Vec sums[4] = {};
    Index i = 0;
    for (; i + 4 * LANES <= n; i += 4 * LANES)
        for (Index u = 0; u < 4; ++u)
            sums[u] += load(a.data + i + u * LANES) * load(b.data + i + u * LANES);
    for (; i + LANES <= n; i += LANES) sums[0] += load(a.data + i) * load(b.data + i);
    double total = sum_of_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
    for (; i < n; ++i) total += a[i] * b[i];
    return total;
}

// --- exp and log --------------------------------------------------------------------------------

// Adding 1.5 * 2^52 leaves the nearest integer in the low bits of the sum, and back.
inline constexpr double MAGIC = 6755399441055744.0;
inline constexpr std::uint64_t MAGIC_BITS = std::bit_cast<std::uint64_t>(MAGIC);
// log 2 = high + low, where high times an integer below 2^11 is exact.
inline constexpr double LN2_HIGH = 6.93147180369123816490e-01;
inline constexpr double LN2_LOW = 1.90821492927058770002e-10;

// exp(x) for x <= 0 to about one unit in the last place; 0 below -708, and for NaN.
//
// x = n log 2 + r, |r| <= log(2)/2; exp(r) by the Chebyshev fit of degree 11 (error 3e-18), made
// with mpmath.chebyfit(exp, [-log(2)/2, log(2)/2], 12); 2^n goes into the exponent bits.
inline Vec exp_nonpositive(Vec x) {
    const Vec clipped = greater(x, splat(-708.0));
    const Vec shifted = clipped * 1.4426950408889634 + MAGIC;
    const Vec n = shifted - MAGIC;
    const Vec r = clipped - n * LN2_HIGH - n * LN2_LOW;
    // Estrin's order: short chains keep the processor busier than Horner's one long one.
    const Vec r2 = r * r;
    const Vec r4 = r2 * r2;
    const Vec p0 = r2 * (1.666666666666668e-01 * r) + (0.5000000000000019 * r2 + (1.0 + r));
    const Vec p1 = (8.333333333319589e-03 * r + 4.166666666648795e-02) +
                   r2 * (1.9841269890076403e-04 * r + 1.3888888952352863e-03);
    const Vec p2 = (2.755724088722987e-06 * r + 2.4801485441561313e-05) +
                   r2 * (2.5110049204818658e-08 * r + 2.763265472252779e-07);
    const Vec p = p0 + r4 * (p1 + r4 * p2);
    const Unsigned power = (std::bit_cast<Unsigned>(shifted) - (MAGIC_BITS - 1023)) << 52;
    const Vec value = p * std::bit_cast<Vec>(power);
    return x >= -708.0 ? value : Vec{};
}

// log(x) for normal x > 0 to three units in the last place.
//
// x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(t), t = (m - 1)/(m + 1), whose series in
// t^2 is the Chebyshev fit of degree 6 (error 1e-17).
inline Vec log_positive(Vec x) {
    constexpr std::uint64_t ONE = std::uint64_t{1023} << 52;
    constexpr std::uint64_t SQRT_HALF = std::bit_cast<std::uint64_t>(0.7071067811865476);
    constexpr std::uint64_t EXPONENT = std::uint64_t{2047} << 52;
    const Unsigned bits = std::bit_cast<Unsigned>(x);
    // The exponent, 1023 too large: never negative, so that its bits can be moved down.
    const Unsigned raised = (bits - (SQRT_HALF - ONE)) & EXPONENT;
    const Unsigned mantissa = bits - (raised - ONE);
    const Vec m = std::bit_cast<Vec>(mantissa);
    // A small integer becomes a float through the low bits of MAGIC (no vector instruction does).
    const Unsigned whole = (raised >> 52) + MAGIC_BITS;
    const Vec e = std::bit_cast<Vec>(whole) - (MAGIC + 1023.0);
    const Vec f = m - 1.0;
    const Vec t = f / (2.0 + f);
    const Vec u = t * t;
    const Vec u2 = u * u;
    const Vec p =
        0.666666666666667 + u * ((0.3999999999989889 + u * 0.28571428626253836) +
                                 u2 * ((0.22222211089379496 + u * 0.1818289243253687) +
                                       u2 * (0.15331611722055008 + u * 0.14617807153417325)));
    return e * LN2_HIGH + (t * (2.0 + u * p) + e * LN2_LOW);
}

}  // namespace bayesgmm
