// Sums over all relabellings of a product, by permanents.
//
// With densities f_jk of component j of a mixture at place k of a proposal, the sum over all K!
// labellings of prod_j f_j,perm(j) is the permanent of f. It is built up over the sets of places
// that the first components take, by K 2^K additions in place of K! products (Held & Karp's
// recursion); all terms are positive, so that no digits are lost. Numbers are logarithms:
// components that are far apart have ratios of densities beyond float64.
#pragma once

#include "linear_algebra/simd.hpp"

namespace bayesgmm {

// Log of the permanent of each of LANES matrices of logs; entry (j, k) at `from + (j K + k) stride`.
// `sets` holds 2^K vectors.
inline Vec log_permanents(const double *from, Index k, Index stride, double *sets) {
    store(Vec{}, sets);
    for (Index set = 1; set < Index{1} << k; ++set) {
        const double *row = from + (std::popcount(static_cast<std::size_t>(set)) - 1) * k * stride;
        Vec largest = splat(-INFINITE);
        const auto term = [&](Index place) {
            return load(row + place * stride) + load(sets + (set ^ (Index{1} << place)) * LANES);
        };
        for (Index place = 0; place < k; ++place)
            if (set >> place & 1) largest = greater(term(place), largest);
        Vec total{};
        for (Index place = 0; place < k; ++place)
            if (set >> place & 1) total += exp_nonpositive(term(place) - largest);
        store(largest + log_positive(total), sets + set * LANES);
    }
    return load(sets + ((Index{1} << k) - 1) * LANES);
}

// Log of the sum over s of the permanents of exp(logs), (M, K, K, S), for each of M; S is a multiple
// of LANES.
inline void log_sums_of_permanents(View<const double, 4> logs, Vector out) {
    const auto [m, k, k_again, s] = logs.shape;
    Numbers sets(LANES << k), each(s);
    for (Index i = 0; i < m; ++i) {
        const double *from = logs[i].data;
        for (Index t = 0; t < s; t += LANES)
            store(log_permanents(from + t, k, s, sets.data()), &each[t]);
        const double largest = *std::max_element(each.data(), each.data() + s);
        double total = 0.0;
        for (Index t = 0; t < s; ++t) total += std::exp(each[t] - largest);
        out[i] = largest + std::log(total);
    }
}

}  // namespace bayesgmm
