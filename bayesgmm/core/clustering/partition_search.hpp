// The partition of rows of least expected loss over draws of a partition.
//
// Draw t has row i in its cluster c_ti. With n_k rows in cluster k of a partition, n_tj in cluster j of
// the draw and n_tkj in both, the loss between the partition and a draw is
//
//     sum_k h(n_k) + sum_j h(n_tj) - 2 sum_kj h(n_tkj)
//
// where h(m) = m log2(m) / n gives the variation of information in bits, and h(m) = m^2 / 2 Binder's
// loss. A further row i in cluster k adds to the mean over T draws, but for a constant,
//
//     g(n_k + 1) - 2/T sum_t g(n_tkj + 1),   j = c_ti,   g(m) = h(m) - h(m - 1).
//
// The search moves one row at a time to where it adds least, merges clusters, and breaks up a cluster
// to place its rows anew (Dahl, Johnson & Mueller 2022). The tables hold g(n_tkj + 1) with k
// last, so that what row i adds to every cluster is a sum of T short vectors.
#pragma once

#include <numeric>
#include <random>

#include "clustering/column_tables.hpp"

namespace bayesgmm {

using Allocations = View<const std::int64_t, 2>;

class PartitionSearch {
public:
    // Draws c (T, n) below n_drawn; h(0), ..., h(n).
    PartitionSearch(Allocations draws, Index n_drawn, ConstVector h, std::uint64_t seed)
        : t_(draws.shape[0]), n_(draws.shape[1]), drawn_(n_drawn), weight_(2.0 / double(t_)),
          random_(seed), cell_(n_ * t_), h_(h), g_(n_ + 2), labels_(n_, NONE) {
        for (Index t = 0; t < t_; ++t)
            for (Index i = 0; i < n_; ++i)
                cell_[i * t_ + t] = static_cast<std::int32_t>(t * drawn_ + draws(t, i));
        for (Index m = 1; m <= n_; ++m) g_[m] = h[m] - h[m - 1];
        tolerance_ = 1e-11 * g_[n_];
        make_room(padded(drawn_ + 1));
    }

    // From a partition, or from none: then its rows are placed in a random order. `attempts` is the
    // number of clusters that are broken up.
    void run(ConstLabels start, Index attempts, Labels out) {
        if (start.empty())
            for (const Index i : shuffled(all())) add(i, best(i));
        else
            for (Index i = 0; i < n_; ++i) add(i, start[i]);
        settle();
        for (Index attempt = 0; attempt < attempts; ++attempt) break_up();
        std::copy(labels_.begin(), labels_.end(), out.begin());
    }

private:
    using Rows = std::vector<Index>;
    static constexpr std::int64_t NONE = -1;
    // Rounds after which a search ends.
    static constexpr Index ROUNDS = 50;

    // --- the tables

    // Room for so many clusters; the last one is always empty.
    void make_room(Index clusters) {
        room_ = clusters;
        size_.assign(room_, 0);
        both_.assign(t_ * drawn_ * room_, 0);
        added_.assign(t_ * drawn_ * room_, g_[1]);
        sums_.assign(room_, 0.0);
        const std::vector<std::int64_t> labels = labels_;
        std::fill(labels_.begin(), labels_.end(), NONE);
        for (Index i = 0; i < n_; ++i)
            if (labels[i] != NONE) add(i, labels[i]);
    }
    void add(Index i, Index k) {
        if (k + 1 >= room_) make_room(padded(k + 2));
        labels_[i] = k;
        ++size_[k];
        change(i, k, 1);
    }
    void remove(Index i) {
        --size_[labels_[i]];
        change(i, labels_[i], -1);
        labels_[i] = NONE;
    }
    void change(Index i, Index k, std::int32_t by) {
        const std::int32_t *cell = &cell_[i * t_];
        for (Index t = 0; t < t_; ++t) {
            const Index at = cell[t] * room_ + k;
            both_[at] += by;
            added_[at] = g_[both_[at] + 1];
        }
    }

    // --- what a row adds

    // What row i adds to each cluster, less a constant; where it is, what it added.
    void weigh(Index i) {
        const std::int32_t *cell = &cell_[i * t_];
        for (Index k = 0; k < room_; k += LANES) {
            Vec even{}, odd{};
            Index t = 0;
            for (; t + 1 < t_; t += 2) {
                even += load(&added_[cell[t] * room_ + k]);
                odd += load(&added_[cell[t + 1] * room_ + k]);
            }
            if (t < t_) even += load(&added_[cell[t] * room_ + k]);
            store(even + odd, &sums_[k]);
        }
        for (Index k = 0; k < room_; ++k) sums_[k] = g_[size_[k] + 1] - weight_ * sums_[k];
        const std::int64_t own = labels_[i];
        if (own == NONE) return;
        double even = 0.0, odd = 0.0;
        Index t = 0;
        for (; t + 1 < t_; t += 2) {
            even += g_[both_[cell[t] * room_ + own]];
            odd += g_[both_[cell[t + 1] * room_ + own]];
        }
        if (t < t_) even += g_[both_[cell[t] * room_ + own]];
        sums_[own] = g_[size_[own]] - weight_ * (even + odd);
    }
    // The cluster to which row i adds least: its own, or the first among equals.
    Index best(Index i) {
        weigh(i);
        const std::int64_t own = labels_[i];
        Index least = own == NONE ? 0 : own;
        bool fresh = own != NONE && size_[own] == 1;
        for (Index k = 0; k < room_; ++k) {
            if (size_[k] == 0 && std::exchange(fresh, true)) continue;
            if (sums_[k] < sums_[least] - tolerance_) least = k;
        }
        return least;
    }

    // --- moves

    Rows all() const {
        Rows rows(n_);
        std::iota(rows.begin(), rows.end(), Index{0});
        return rows;
    }
    // Fisher and Yates; the library's own shuffle is not the same everywhere.
    Rows shuffled(Rows rows) {
        for (Index i = std::ssize(rows) - 1; i > 0; --i)
            std::swap(rows[i], rows[random_() % static_cast<std::uint64_t>(i + 1)]);
        return rows;
    }
    // Move rows until none moves, and merge clusters until no merger lowers the expected loss; the
    // change of it.
    double settle() {
        double total = 0.0;
        for (Index round = 0; round < ROUNDS; ++round) {
            const double change = sweep();
            total += change;
            if (change < 0.0) continue;
            const double merged = merge();
            total += merged;
            if (merged == 0.0) break;
        }
        return total;
    }
    double sweep() {
        double total = 0.0;
        for (const Index i : shuffled(all())) {
            const Index to = best(i);
            if (to == labels_[i]) continue;
            total += sums_[to] - sums_[labels_[i]];
            remove(i);
            add(i, to);
        }
        return total;
    }
    // Merge the two clusters whose merger lowers the expected loss most, if any does.
    double merge() {
        double least = -tolerance_;
        Index kept = 0, gone = 0;
        for (Index k = 0; k < room_; ++k)
            for (Index l = k + 1; l < room_; ++l)
                if (const double change = of_merger(k, l); change < least) {
                    least = change;
                    kept = k;
                    gone = l;
                }
        if (kept == gone) return 0.0;
        for (const Index i : all()) {
            if (labels_[i] != gone) continue;
            remove(i);
            add(i, kept);
        }
        return least;
    }
    double of_merger(Index k, Index l) const {
        if (size_[k] == 0 || size_[l] == 0) return 0.0;
        const auto joined = [&](std::int64_t a, std::int64_t b) {
            return h_[a + b] - h_[a] - h_[b];
        };
        double both = 0.0;
        for (Index at = 0; at < t_ * drawn_ * room_; at += room_)
            both += joined(both_[at + k], both_[at + l]);
        return joined(size_[k], size_[l]) - weight_ * both;
    }
    // Place the rows of a cluster anew; as it was, unless that lowers the expected loss.
    void break_up() {
        const std::vector<std::int64_t> before = labels_;
        const std::int64_t chosen = before[random_() % static_cast<std::uint64_t>(n_)];
        Rows rows;
        for (const Index i : all())
            if (before[i] == chosen) rows.push_back(i);
        double change = 0.0;
        rows = shuffled(std::move(rows));
        for (const Index i : rows) {
            weigh(i);
            change -= sums_[chosen];
            remove(i);
        }
        for (const Index i : rows) {
            const Index to = best(i);
            change += sums_[to];
            add(i, to);
        }
        const bool changed = std::any_of(rows.begin(), rows.end(), [&](Index i) {
            return labels_[i] != labels_[rows[0]] || size_[labels_[i]] != std::ssize(rows);
        });
        if (!changed) return;
        change += settle();
        if (change < -tolerance_) return;
        for (Index i = 0; i < n_; ++i) {
            if (labels_[i] == before[i]) continue;
            remove(i);
            add(i, before[i]);
        }
    }

    const Index t_, n_, drawn_;
    const double weight_;
    std::mt19937_64 random_;
    std::vector<std::int32_t> cell_;  // t J + c_ti, (n, T)
    const ConstVector h_;
    std::vector<double> g_;
    double tolerance_ = 0.0;
    Index room_ = 0;
    std::vector<std::int64_t> labels_, size_;  // (n); n_k
    std::vector<std::int32_t> both_;           // n_tkj, (T, J, room)
    std::vector<double> added_, sums_;         // g(n_tkj + 1); what a row adds
};

}  // namespace bayesgmm
