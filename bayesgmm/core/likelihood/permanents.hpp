// Sums over all relabellings of a product, by permanents.
//
// With densities f_jk of component j of a mixture at place k of a proposal, the sum over all K!
// labellings of prod_j f_j,perm(j) is the permanent of f. It is built up over the sets of places
// that the first components take, by K 2^K / 2 products in place of K K! (Held & Karp's recursion);
// all terms are positive, so that no digits are lost. Densities are given as logarithms, and formed
// relative to the largest of their component. Components that are far apart have ratios of
// densities beyond float64, whose products vanish: where such a permanent could matter in a sum, it
// is formed of logarithms.
#pragma once

#include "linear_algebra/tiles.hpp"

namespace bayesgmm {

// The sums of permanents of K x K matrices.
class Permanents {
public:
    explicit Permanents(Index k)
        : k_(k), sets_(AT_ONCE * LANES << k), densities_(AT_ONCE * LANES * k * k) {
        for (Index j = 2; j <= k; ++j) log_factorial_ += std::log(static_cast<double>(j));
        // Sets of as many places lie together: the loops over their places have one length.
        for (Index size = 1; size <= k; ++size)
            for (Index set = 1; set < Index{1} << k; ++set) {
                if (std::popcount(static_cast<std::size_t>(set)) != size) continue;
                order_.push_back(set);
                for (Index place = 0; place < k; ++place)
                    if (set >> place & 1) steps_.push_back({place, set ^ (Index{1} << place)});
            }
    }

    // Log of the sum over s of the permanents of exp(logs), (K, K, S); S is a multiple of LANES.
    double log_sum(View<const double, 3> logs) {
        const Index s = logs.shape[2];
        if (each_.size() != s) each_ = bounds_ = Numbers(s);
        Index t = 0;
        for (; t + AT_ONCE * LANES <= s; t += AT_ONCE * LANES) relative<AT_ONCE>(logs.data, t, s);
        for (; t < s; t += LANES) relative<1>(logs.data, t, s);
        double largest = *std::max_element(each_.data(), each_.data() + s);
        const double vanished = std::log(TOO_SMALL) + log_factorial_;
        for (t = 0; t < s; t += LANES) {
            bool matters = false;
            for (Index u = t; u < t + LANES; ++u)
                matters |= each_[u] == -INFINITE && bounds_[u] + vanished > largest - NOTHING;
            if (matters) store(of_logs(logs.data + t, s), &each_[t]);
        }
        largest = *std::max_element(each_.data(), each_.data() + s);
        Vec total = {};
        for (t = 0; t < s; t += LANES) total += exp_nonpositive(load(&each_[t]) - largest);
        return largest + std::log(sum_of_lanes(total));
    }

private:
    // Permanents below this have lost terms. Their logs are at most that of this, and of the number
    // of terms, above their bounds.
    static constexpr double TOO_SMALL = 1e-280;
    // A term as many nats below the largest adds nothing.
    static constexpr double NOTHING = 50.0;

    // Vectors of matrices whose sums are formed side by side.
    static constexpr int AT_ONCE = 2;

    // A place of a set, and the set without it.
    struct Step {
        Index place, without;
    };

    // Logs of the permanents of M vectors of matrices from t on; minus infinity for those that may
    // have lost terms, whose bounds are the sums of the logs of their rows' largest entries.
    template <int M>
    void relative(const double *logs, Index t, Index s) {
        double *const densities = densities_.data(), *const sets = sets_.data();
        Vec bounds[M] = {};
        for (Index j = 0; j < k_; ++j) {
            const double *row = logs + j * k_ * s + t;
            for (int m = 0; m < M; ++m, row += LANES) {
                Vec largest = load(row);
                for (Index place = 1; place < k_; ++place)
                    largest = greater(load(row + place * s), largest);
                bounds[m] += largest;
                for (Index place = 0; place < k_; ++place)
                    store(exp_nonpositive(load(row + place * s) - largest),
                          densities + ((j * k_ + place) * M + m) * LANES);
            }
        }
        for (int m = 0; m < M; ++m) store(splat(1.0), sets + m * LANES);
        const Index *set = order_.data();
        const Step *step = steps_.data();
        Index count = 1;
        for (Index size = 1; size <= k_; ++size) {
            const double *const row = densities + (size - 1) * k_ * M * LANES;
            count = count * (k_ - size + 1) / size;
            for (Index i = 0; i < count; ++i, ++set) {
                Vec totals[M] = {};
                for (const Step *const end = step + size; step < end; ++step)
                    unrolled<M>([&](auto m) {
                        totals[m] += load(row + (step->place * M + m) * LANES) *
                                     load(sets + (step->without * M + m) * LANES);
                    });
                unrolled<M>([&](auto m) { store(totals[m], sets + (*set * M + m) * LANES); });
            }
        }
        for (int m = 0; m < M; ++m) {
            const Vec found = load(sets + (((Index{1} << k_) - 1) * M + m) * LANES);
            const Vec value = bounds[m] + log_positive(greater(found, splat(TOO_SMALL)));
            store(bounds[m], &bounds_[t + m * LANES]);
            store(found > TOO_SMALL ? value : splat(-INFINITE), &each_[t + m * LANES]);
        }
    }

    // Logs of the permanents of LANES matrices of logs.
    Vec of_logs(const double *from, Index stride) {
        store(Vec{}, sets_.data());
        for (Index set = 1; set < Index{1} << k_; ++set) {
            const Index j = std::popcount(static_cast<std::size_t>(set)) - 1;
            const auto term = [&](Index place) {
                const Index without = set ^ (Index{1} << place);
                return load(from + (j * k_ + place) * stride) + load(&sets_[without * LANES]);
            };
            Vec largest = splat(-INFINITE);
            for (Index place = 0; place < k_; ++place)
                if (set >> place & 1) largest = greater(term(place), largest);
            Vec total{};
            for (Index place = 0; place < k_; ++place)
                if (set >> place & 1) total += exp_nonpositive(term(place) - largest);
            store(largest + log_positive(total), &sets_[set * LANES]);
        }
        return load(&sets_[((Index{1} << k_) - 1) * LANES]);
    }

    const Index k_;
    std::vector<Index> order_;  // sets, by their sizes
    std::vector<Step> steps_;   // of each in turn
    Numbers sets_, densities_, each_, bounds_;
    double log_factorial_ = 0.0;
};

// Log of the sum over s of the permanents of exp(logs), (M, K, K, S), for each of M; S is a multiple
// of LANES.
inline void log_sums_of_permanents(View<const double, 4> logs, Vector out) {
    Permanents permanents(logs.shape[1]);
    for (Index i = 0; i < logs.shape[0]; ++i) out[i] = permanents.log_sum(logs[i]);
}

}  // namespace bayesgmm
