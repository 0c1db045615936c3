// Products of a block of rows of data, held in vector registers.
//
// The two products P z and (r z) z' of a block are nearly all of the arithmetic when D is large.
// Written as tiles of sums that stay in registers they reach nearly all of the machine's rate. A
// block is held transposed, features by rows of data: the lanes of a vector are rows of data.
#pragma once

#include <type_traits>
#include <utility>

#include "linear_algebra/simd.hpp"

namespace bayesgmm {

// Rows a block: long enough to hide the ends of the loops, short enough for the first cache levels.
inline constexpr Index BLOCK = 256;
// Numbers between two rows of a transposed block. Not a power of two: columns would otherwise share
// a few sets of the cache and push one another out.
inline constexpr Index STRIDE = BLOCK + 8;
// Sums are made TILE by TILE: 32 registers hold 4 x 4 of them, 16 registers 3 x 3.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int TILE = 4, WHITEN_ROWS = 4;
#else
inline constexpr int TILE = 3, WHITEN_ROWS = 2;
#endif
// Vectors whose squared lengths are formed at a time, and the rows that they hold.
inline constexpr int STRIP_VECTORS = 4;
inline constexpr Index STRIP = STRIP_VECTORS * LANES;

inline Index to_strips(Index rows) { return (rows + STRIP - 1) / STRIP * STRIP; }

template <int I>
using Place = std::integral_constant<int, I>;

// f(0), ..., f(N - 1) with places that the compiler knows: arrays at them stay in registers.
template <int N, class F>
[[gnu::always_inline]] inline void unrolled(const F &f) {
    [&]<int... I>(std::integer_sequence<int, I...>) __attribute__((always_inline)) {
        (f(Place<I>{}), ...);
    }(std::make_integer_sequence<int, N>{});
}

// Lane i of one level of a tree of sums: STEP lanes of a, STEP lanes of b, and so on.
template <int Step>
constexpr int source_lane(int i) {
    const int within = i % (2 * Step);
    return i - within + i % Step + (within < Step ? 0 : static_cast<int>(LANES));
}

template <int Step, int... I>
inline Vec pairwise(Vec a, Vec b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, source_lane<Step>(I)...) +
           __builtin_shufflevector(a, b, (source_lane<Step>(I) + Step)...);
}

// The sums of the lanes of LANES / Step vectors, each over Step lanes so far, in one vector.
template <int Step = 1>
[[gnu::always_inline]] inline Vec lane_sums(const Vec *vectors) {
    if constexpr (Step == LANES) {
        return vectors[0];
    } else {
        Vec half[LANES / 2 / Step];
        unrolled<LANES / 2 / Step>([&](auto i) {
            half[i] = pairwise<Step>(vectors[2 * i], vectors[2 * i + 1],
                                     std::make_integer_sequence<int, LANES>{});
        });
        return lane_sums<2 * Step>(half);
    }
}

// The sum of the lanes of each of Count vectors.
template <int Count>
[[gnu::always_inline]] inline void lane_sums_of(const Vec (&vectors)[Count], double (&out)[Count]) {
    constexpr int WHOLE = Count / static_cast<int>(LANES) * static_cast<int>(LANES);
    unrolled<WHOLE / LANES>(
        [&](auto i) { store(lane_sums(vectors + i * LANES), out + i * LANES); });
    if constexpr (WHOLE < Count) {
        Vec rest[LANES] = {};
        unrolled<Count - WHOLE>([&](auto i) { rest[i] = vectors[WHOLE + i]; });
        double sums[LANES];
        store(lane_sums(rest), sums);
        unrolled<Count - WHOLE>([&](auto i) { out[WHOLE + i] = sums[i]; });
    }
}

// Add |rows i..i+M-1 of (P x - P mu)|^2 to `squares`, for a strip of rows of data from b on.
//
// Row i + m of the lower triangular P reaches to column i + m; the columns up to i are common.
template <int M>
inline void add_squares(ConstMatrix factor, ConstVector offset, Index i, ConstMatrix xt, Index b,
                        Vec (&squares)[STRIP_VECTORS]) {
    Vec y[M][STRIP_VECTORS];
    unrolled<M>(
        [&](auto m) { unrolled<STRIP_VECTORS>([&](auto s) { y[m][s] = splat(offset(i + m)); }); });
    const auto add_column = [&](Index j, auto first) {
        Vec x[STRIP_VECTORS];
        unrolled<STRIP_VECTORS>([&](auto s) { x[s] = load(&xt(j, b + s * LANES)); });
        unrolled<M - first()>([&](auto m) {
            const double p = factor(i + first + m, j);
            unrolled<STRIP_VECTORS>([&](auto s) { y[first + m][s] += p * x[s]; });
        });
    };
    for (Index j = 0; j <= i; ++j) add_column(j, Place<0>{});
    unrolled<M - 1>([&](auto m) { add_column(i + m + 1, Place<m() + 1>{}); });
    unrolled<M>(
        [&](auto m) { unrolled<STRIP_VECTORS>([&](auto s) { squares[s] += y[m][s] * y[m][s]; }); });
}

// out(.., j..) += sums over rows of data of a_i b_j: M by N sums, or the lower triangle of M by M.
//
// Eight sums at least are in the making at any time, or the additions would wait for one another: a
// small tile takes several vectors of rows at a time.
template <int M, int N, bool Triangle>
inline void add_products(ConstMatrix a, ConstMatrix b, Index j, Index rows, Matrix out) {
    constexpr int COUNT = Triangle ? M * (M + 1) / 2 : M * N;
    constexpr int UNROLL = COUNT >= 8 ? 1 : COUNT >= 4 ? 2 : 4;
    static_assert(STRIP_VECTORS % UNROLL == 0);
    Vec sums[UNROLL][COUNT];
    unrolled<UNROLL * COUNT>([&](auto t) { sums[t / COUNT][t % COUNT] = Vec{}; });
    for (Index at = 0; at < rows; at += UNROLL * LANES) {
        unrolled<UNROLL>([&](auto u) {
            Vec left[M];
            unrolled<M>([&](auto m) { left[m] = load(&a(m, at + u * LANES)); });
            unrolled<N>([&](auto n) {
                const Vec right = load(&b(j + n, at + u * LANES));
                unrolled<Triangle ? M - n() : M>([&](auto below) {
                    constexpr int m = Triangle ? n() + below() : below();
                    sums[u][Triangle ? m * (m + 1) / 2 + n : m * N + n] += left[m] * right;
                });
            });
        });
    }
    unrolled<(UNROLL - 1) * COUNT>(
        [&](auto t) { sums[0][t % COUNT] += sums[1 + t / COUNT][t % COUNT]; });
    double totals[COUNT];
    lane_sums_of(sums[0], totals);
    for (int m = 0, t = 0; m < M; ++m)
        for (int n = 0; n < (Triangle ? m + 1 : N); ++n, ++t) out(m, j + n) += totals[t];
}

// Rows i..i+M-1 of the lower triangle of out (D, D) += sums over rows of data of a b'.
//
// `a` (M, rows) holds these rows of the left factor alone, b (D, rows) is the right one.
template <int M>
inline void add_row_products(ConstMatrix a, Index i, ConstMatrix b, Index rows, Matrix out) {
    const Matrix part = out.part(i, i + M);
    for (Index j = 0; j < i; j += TILE) add_products<M, TILE, false>(a, b, j, rows, part);
    add_products<M, M, true>(a, b, i, rows, part);
}

// As above for `m` rows, at most a tile's.
template <int M = TILE>
inline void add_row_products(Index m, ConstMatrix a, Index i, ConstMatrix b, Index rows,
                             Matrix out) {
    if constexpr (M > 0) {
        if (m == M) return add_row_products<M>(a, i, b, rows, out);
        add_row_products<M - 1>(m, a, i, b, rows, out);
    }
}

}  // namespace bayesgmm
