// Densities and responsibilities of rows: the first half of the kernel, kept or summed up.
//
// A posterior of T draws gives each of n rows T x K responsibilities r_tik. What is wanted of them
// are sums over rows or over draws,
//
//     S_tkj = sum_i r_tik q_ij                a table for each draw
//     m_ij  = 1/T sum_t r_ti,perm_t(j)        an average for each row
//
// and the log-likelihood of each draw. They are formed block by block of rows in the kernel's scratch
// arrays: nothing of T x n x K is ever kept. The first is made in parallel over draws and the second
// over blocks of rows, each sum by one thread in a fixed order: the bits do not depend on the number
// of threads.
#pragma once

#include "likelihood/pairwise_summation.hpp"

namespace bayesgmm {

// Load each block of rows first..last-1, and call f(start, count) on it.
template <class F>
void each_block(const Rows &rows, Index first, Index last, Workspace &work, const F &f) {
    for (Index start = first; start < last; start += BLOCK) {
        const Index count = std::min(BLOCK, last - start);
        if (!rows.partial) load_block(rows, start, count, work.xt);
        f(start, count);
    }
}

// Log joint densities of a loaded block, rows start..start+count-1.
template <int Axes>
void log_joint_of_block(const Rows &rows, Index start, Index count, const Gaussians<Axes> &mixture,
                        Workspace &work) {
    if (rows.partial)
        log_joint_of_parts(rows, start, count, mixture, work.joint);
    else
        log_joint(mixture, count, work.xt, work.joint);
    add_known(rows.known, start, count, mixture.log_noise_weight, work.joint);
}

// Log densities (n,) and, if there is room, responsibilities (n, K) of rows under one mixture.
template <int Axes>
void memberships(const Rows &rows, const Gaussians<Axes> &mixture, Vector densities,
                 Matrix responsibilities) {
    Workspace work(mixture.k(), mixture.d());
    Numbers of_block(STRIDE);
    each_block(rows, 0, densities.size(), work, [&](Index start, Index count) {
        log_joint_of_block(rows, start, count, mixture, work);
        normalise(work.joint, count, {}, of_block);
        assign(densities.part(start, start + count), of_block.part(0, count));
        for (Index b = 0; b < count && !responsibilities.empty(); ++b)
            for (Index c = 0; c < mixture.k(); ++c)
                responsibilities(start + b, c) = work.joint(c, b);
    });
}

// As the tables of `DrawnRows` where row i of draw t stands in component allocations(t, i) alone.
inline void tally(View<const std::int64_t, 2> allocations, ConstMatrix q, Matrices out) {
    for (Index t = 0; t < allocations.shape[0]; ++t)
        for (Index i = 0; i < allocations.shape[1]; ++i)
            accumulate(out[t][allocations(t, i)], q[i]);
}

// Draws in which a row has each label, (n, K); component k of draw t has the label labels(t, k).
inline void tally_permuted(View<const std::int64_t, 2> allocations,
                           View<const std::int64_t, 2> labels, Matrix out) {
    for (Index t = 0; t < allocations.shape[0]; ++t)
        for (Index i = 0; i < allocations.shape[1]; ++i)
            out(i, labels(t, allocations(t, i))) += 1.0;
}

// A number between 0 and 1 for each index, of the generator SplitMix64 (Steele, Lea & Flood 2014).
inline double uniform_at(std::uint64_t seed, std::uint64_t index) {
    std::uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

// Rows beside every draw of a mixture.
class DrawnRows {
public:
    // Weights (T, G), means (T, G, D) and covariances (T, G, D, D) of Gaussians, in the rows' units.
    // Each is a component, or with `pairs` Gaussians k and k + G / 2 together are one.
    DrawnRows(const Rows &rows, ConstMatrix weights, ConstMatrices means,
              View<const double, 4> covariances, bool pairs, bool hard, Index threads)
        : rows_(rows), pairs_(pairs), hard_(hard), gaussians_(means.shape[1]),
          k_(pairs ? gaussians_ / 2 : gaussians_), d_(means.shape[2]), n_draws_(weights.shape[0]),
          threads_(threads) {
        for (Index t = 0; t < weights.shape[0] && bad_ == 0; ++t) {
            draws_.emplace_back(gaussians_, d_);
            if (factor<3>(weights[t], means[t], covariances[t], draws_.back()) > 0) bad_ = t + 1;
        }
        if (rows.x.shape[0] * weights.shape[0] * k_ < WORTH_TWO) threads_ = 1;
    }

    // The numbers of draws T and components K.
    Index n_draws() const { return n_draws_; }
    Index k() const { return k_; }
    // 0, or 1 + the first draw that has a covariance which is not positive definite.
    Index bad() const { return bad_; }

    // Tables S (T, K, J) and log-likelihoods (T,), to which they are added; q is (n, J). Rows
    // count by their weights.
    void contract(ConstMatrix q, Matrices tables, Vector log_likelihoods) {
        const Index n = rows_.x.shape[0], width = q.shape[1];
        Table qt(width, (n + STRIP) / STRIP * STRIP);
        for (Index i = 0; i < n; ++i)
            for (Index j = 0; j < width; ++j)
                qt(j, i) = rows_.weights.empty() ? q(i, j) : rows_.weights[i] * q(i, j);
        in_parts(static_cast<Index>(draws_.size()), [&](Index first, Index last, Workspace &work) {
            each_block(rows_, 0, n, work, [&](Index start, Index count) {
                for (Index t = first; t < last; ++t) {
                    log_likelihoods[t] += weighted_densities(t, start, count, work);
                    for (Index c = 0; c < k_; ++c)
                        for (Index j = 0; j < width; ++j)
                            tables(t, c, j) +=
                                dot(work.joint[c].part(0, count), qt[j].part(start, start + count));
                }
            });
        });
    }

    // Responsibilities averaged over draws whose component j is component permutations(t, j); (n, K).
    void average(View<const std::int64_t, 2> permutations, Matrix out) {
        const Index n = rows_.x.shape[0];
        const Index blocks = (n + BLOCK - 1) / BLOCK;
        in_parts(blocks, [&](Index first, Index last, Workspace &work) {
            Table kept(k_, STRIDE);
            each_block(rows_, first * BLOCK, std::min(last * BLOCK, n), work,
                       [&](Index start, Index count) {
                           fill(kept.flat(), 0.0);
                           for (Index t = 0; t < permutations.shape[0]; ++t) {
                               responsible(t, start, count, work);
                               for (Index j = 0; j < k_; ++j)
                                   accumulate(kept[j].part(0, count),
                                              work.joint[permutations(t, j)].part(0, count));
                           }
                           for (Index b = 0; b < count; ++b)
                               for (Index j = 0; j < k_; ++j)
                                   out(start + b, j) =
                                       kept(j, b) / static_cast<double>(draws_.size());
                       });
        });
    }

    // Every log density (T, n) and, if there is room, responsibility (T, K, n).
    void each(Matrix densities, Matrices responsibilities) {
        const Index n = rows_.x.shape[0];
        in_parts(static_cast<Index>(draws_.size()), [&](Index first, Index last, Workspace &work) {
            Numbers of_block(STRIDE);
            each_block(rows_, 0, n, work, [&](Index start, Index count) {
                for (Index t = first; t < last; ++t) {
                    responsible(t, start, count, work, of_block);
                    assign(densities[t].part(start, start + count), of_block.part(0, count));
                    if (responsibilities.empty()) continue;
                    for (Index c = 0; c < k_; ++c)
                        assign(responsibilities[t][c].part(start, start + count),
                               work.joint[c].part(0, count));
                }
            });
        });
    }

    // A component (T, n) of each row in each draw, at random by its responsibilities; K for noise.
    void allocate(std::uint64_t seed, View<std::int64_t, 2> out) {
        const Index n = rows_.x.shape[0], highest = rows_.known.noise.empty() ? k_ - 1 : k_;
        in_parts(static_cast<Index>(draws_.size()), [&](Index first, Index last, Workspace &work) {
            each_block(rows_, 0, n, work, [&](Index start, Index count) {
                for (Index t = first; t < last; ++t) {
                    responsible(t, start, count, work);
                    for (Index b = 0; b < count; ++b) {
                        const Index i = start + b;
                        double left = uniform_at(seed, static_cast<std::uint64_t>(t * n + i));
                        Index c = 0;
                        while (c < highest && (left -= work.joint(c, b)) >= 0.0) ++c;
                        out(t, i) = c;
                    }
                }
            });
        });
    }

private:
    // Densities that one thread forms in about a millisecond; fewer are not worth a second thread.
    static constexpr Index WORTH_TWO = 200'000;
    // Parts of the work for each thread, so that all end together.
    static constexpr Index PARTS = 4;

    // Responsibilities of the block in `work`, or 1 for the largest of each row; the sum of l_b.
    double responsible(Index t, Index start, Index count, Workspace &work, Vector densities = {}) {
        const Matrix joint = work.joint;
        log_joint_of_block(rows_, start, count, draws_[t], work);
        const double total = normalise(joint, count, {}, densities);
        for (Index c = 0; c < k_ && pairs_; ++c) accumulate(joint[c], joint[c + k_]);
        if (!hard_) return total;
        for (Index b = 0; b < count; ++b) {
            Index largest = 0;
            for (Index c = 1; c < k_; ++c)
                if (joint(c, b) > joint(largest, b)) largest = c;
            for (Index c = 0; c < k_; ++c) joint(c, b) = c == largest ? 1.0 : 0.0;
        }
        return total;
    }

    // As `responsible`; the sum of v_b l_b.
    double weighted_densities(Index t, Index start, Index count, Workspace &work) {
        if (rows_.weights.empty()) return responsible(t, start, count, work);
        Numbers densities(STRIDE);
        responsible(t, start, count, work, densities);
        double total = 0.0;
        for (Index b = 0; b < count; ++b)
            // A row of weight 0 is not there, whatever its density.
            if (rows_.weights[start + b] > 0.0) total += rows_.weights[start + b] * densities[b];
        return total;
    }

    // Call part(first, last, work) on ranges that cover 0..count-1, by all threads.
    template <class F>
    void in_parts(Index count, const F &part) {
        const Index parts = threads_ == 1 ? 1 : std::min(PARTS * threads_, count);
        const Workspace work(rows_.known.n_densities(gaussians_), d_);
        std::vector<Workspace> works(static_cast<std::size_t>(threads_), work);
        Team team(threads_, parts);
        team.run([&](Index i, Index member) {
            part(i * count / parts, (i + 1) * count / parts, works[member]);
        });
    }

    const Rows rows_;
    const bool pairs_, hard_;
    const Index gaussians_, k_, d_, n_draws_;
    Index threads_, bad_ = 0;
    std::vector<Gaussians<3>> draws_;
};

}  // namespace bayesgmm
