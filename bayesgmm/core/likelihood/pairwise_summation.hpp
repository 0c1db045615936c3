// One pass over many rows: chunks of a fixed number of rows, summed in a tree by chunk index.
//
// Chunk c holds rows c CHUNK up to (c + 1) CHUNK. Sums of chunks are added as the leaves of a binary
// tree over c (neighbours, then neighbours of neighbours), whoever computes them and in whatever
// order, so a result has the same bits for any number of threads. A group is a subtree: 2^g
// neighbouring chunks, the unit of work that a thread takes.
#pragma once

#include <memory>

#include "likelihood/partial_sums.hpp"
#include "likelihood/threads.hpp"

namespace bayesgmm {

inline constexpr Index CHUNK = 1024;
// Below so many multiplications a pass ends before a second thread has begun.
inline constexpr Index WORTH_THREADS = 400'000;

inline Index n_chunks(Index n) { return std::max<Index>((n + CHUNK - 1) / CHUNK, 1); }

// Levels of a tree over so many leaves, and one for the leaf at work.
inline Index n_levels(Index leaves) {
    Index levels = 2;
    for (; leaves > 1; leaves = (leaves + 1) / 2) ++levels;
    return levels;
}

// Sum the leaves first..last-1 of a tree in its order; `add_leaf(i, vector)` adds leaf i to zeros.
// stack (levels, size) holds the finished left subtrees.
template <class AddLeaf>
void sum_leaves(Index first, Index last, Matrix stack, Vector out, const AddLeaf &add_leaf) {
    Index top = 0;
    fill(stack[0], 0.0);  // what no rows at all amount to
    for (Index leaf = first; leaf < last; ++leaf) {
        fill(stack[top], 0.0);
        add_leaf(leaf, stack[top]);
        ++top;
        for (Index complete = leaf - first + 1; complete % 2 == 0; complete /= 2) {
            --top;
            accumulate(stack[top - 1], stack[top]);
        }
    }
    for (; top > 1; --top) accumulate(stack[top - 2], stack[top - 1]);
    assign(out, stack[0]);
}

// Add the groups' sums into parts[0] as the upper levels of the same tree.
inline void sum_groups(Matrix parts) {
    const Index n = parts.shape[0];
    for (Index stride = 1; stride < n; stride *= 2)
        for (Index i = 0; i + stride < n; i += 2 * stride) accumulate(parts[i], parts[i + stride]);
}

// Rows opened for passes at many mixtures of k components, by one thread or several.
template <int Axes>
class Passes {
public:
    Passes(const Rows &rows, Index k, Index threads)
        : rows_(rows), chunks_(n_chunks(rows.x.shape[0])) {
        const Index n = rows.x.shape[0], d = rows.x.shape[1];
        if (n * k * (10 + d * d) <= WORTH_THREADS) threads = 1;
        // Enough groups that threads finish together; their size does not change any sum.
        const Index wanted = threads == 1 ? 1 : std::max<Index>(32, 8 * threads);
        while (group_ * wanted < chunks_) group_ *= 2;
        const Index groups = (chunks_ + group_ - 1) / group_, size = Sums<Axes>::size(k, d);
        threads = std::min(threads, groups);
        for (Index i = 0; i < threads; ++i) {
            works_.emplace_back(rows.known.n_densities(k), d);
            stacks_.emplace_back(n_levels(group_), size);
        }
        if (threads > 1) {
            parts_ = Table(groups, size);
            team_ = std::make_unique<Team>(threads, groups);
        }
    }

    // The sums of all rows under a mixture.
    void run(const Gaussians<Axes> &mixture, Sums<Axes> out) {
        add_up(mixture, out);
        if (rows_.partial)
            finish_parts(out, mixture);
        else
            finish(out, mixture.means);
    }

    // Sums that add to those of other rows, before they are finished.
    void add_up(const Gaussians<Axes> &mixture, Sums<Axes> out) {
        if (!team_) {
            sum_group(mixture, 0, chunks_, 0, out.all);
        } else {
            const Matrix parts = parts_;
            team_->run([&](Index group, Index member) {
                const Index first = group * group_;
                sum_group(mixture, first, std::min(first + group_, chunks_), member, parts[group]);
            });
            sum_groups(parts);
            assign(out.all, parts[0]);
        }
    }

private:
    void sum_group(const Gaussians<Axes> &mixture, Index first, Index last, Index member,
                   Vector out) {
        const Index n = rows_.x.shape[0], k = mixture.k(), d = mixture.d();
        sum_leaves(first, last, stacks_[member], out, [&](Index chunk, Vector leaf) {
            const Sums<Axes> sums{leaf, k, d};
            const Index from = chunk * CHUNK, to = std::min(from + CHUNK, n);
            if (rows_.partial)
                PartialSums<Axes>(rows_, mixture, works_[member], sums).add(from, to);
            else
                add_rows(rows_, from, to, mixture, works_[member], sums);
        });
    }

    const Rows rows_;
    const Index chunks_;
    Index group_ = 1;
    std::vector<Workspace> works_;
    std::vector<Table> stacks_;
    Table parts_;
    std::unique_ptr<Team> team_;
};

}  // namespace bayesgmm
