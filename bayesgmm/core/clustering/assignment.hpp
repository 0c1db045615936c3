// The assignment of least cost, and how much more the next best one costs.
//
// Shortest augmenting paths, row by row, with prices u (rows) and v (columns) such that the reduced
// costs c_ij - u_i - v_j are never negative and 0 on the assignment (Kuhn 1955; Jonker & Volgenant
// 1987). Any other permutation differs from it by cycles through the rows, each of which costs what
// the reduced costs on it add up to: the second best differs by the one cheapest cycle, found by
// Floyd & Warshall's recursion. Both take K^3 steps.
#pragma once

#include "clustering/column_tables.hpp"

namespace bayesgmm {

struct BestAssignment {
    double cost, excess;
};

// Columns and the rows that they hold: owner[j] = row of column j, -1 for none; u[j] is its price.
// Numbers of columns are padded to whole vectors, with v = -inf, so that no column past the last is
// ever the nearest. The column after these is an artificial one that holds the row to be placed.
class Assignment {
public:
    explicit Assignment(Index n)
        : n_(n), width_(padded(n)), cost_(n, width_), reach_(n, width_), u_(width_ + 1), v_(width_),
          least_(width_), used_(width_), owner_(width_ + 1), way_(width_) {}

    // Fill permutation[row] = column of least total cost; return that cost and the second's excess.
    //
    // Among equals the first found is taken; the excess is then 0. One row alone has no second:
    // infinity. NaN, and each row in its own column, where costs overflow.
    BestAssignment solve(ConstMatrix cost, Labels permutation) {
        for (Index i = 0; i < n_; ++i) {
            assign(cost_[i], cost[i]);
            permutation[i] = i;
        }
        fill(v_, -INFINITE);
        std::fill_n(v_.data(), n_, 0.0);
        std::fill(owner_.begin(), owner_.end(), -1);
        for (Index row = 0; row < n_; ++row)
            if (!place(row)) return {NOT_A_NUMBER, NOT_A_NUMBER};
        double total = 0.0;
        for (Index j = 0; j < n_; ++j) {
            permutation[owner_[j]] = j;
            total += cost(owner_[j], j);
        }
        return {total, cheapest_cycle()};
    }

private:
    // Give a row a column, moving others along the shortest path to a free one.
    bool place(Index row) {
        fill(least_, INFINITE);
        fill(used_, 0.0);
        owner_[width_] = row;
        u_[width_] = 0.0;
        Index column = width_;
        do {
            if (column < n_) used_[column] = INFINITE;
            look_from(column);
            const auto [step, nearest] = first_least(least_, 0, width_);
            if (!(step < INFINITE)) return false;
            raise_prices(step);
            column = nearest;
        } while (owner_[column] >= 0);
        while (column != width_) {
            const Index previous = way_[column];
            owner_[column] = owner_[previous];
            u_[column] = u_[previous];
            column = previous;
        }
        return true;
    }

    // Shorten the ways to unused columns by those from the row that a column holds.
    void look_from(Index column) {
        const Vector cost = cost_[owner_[column]];
        for (Index j = 0; j < width_; j += LANES) {
            const Vec used = load(&used_[j]);
            const Vec reduced = load(&cost[j]) - u_[column] - load(&v_[j]) + used;
            const Vec old = load(&least_[j]) + used;
            Bits way;
            std::memcpy(&way, &way_[j], sizeof way);
            way = reduced < old ? splat_bits(column) : way;
            std::memcpy(&way_[j], &way, sizeof way);
            store(reduced < old ? reduced : old, &least_[j]);
        }
    }

    void raise_prices(double step) {
        for (Index j = 0; j < width_; j += LANES) {
            const Vec change = load(&used_[j]) > 0.0 ? splat(step) : Vec{};
            store(load(&u_[j]) + change, &u_[j]);
            store(load(&v_[j]) - change, &v_[j]);
            store(load(&least_[j]) - step, &least_[j]);
        }
        u_[width_] += step;
    }

    // The least sum of reduced costs on a cycle, each row standing for the column that it has.
    double cheapest_cycle() {
        for (Index i = 0; i < n_; ++i) {
            const Vector cost = cost_[owner_[i]], reach = reach_[i];
            for (Index j = 0; j < width_; j += LANES)
                store(greater(load(&cost[j]) - u_[i] - load(&v_[j]), Vec{}), &reach[j]);
            reach[i] = INFINITE;
        }
        for (Index m = 0; m < n_; ++m)
            for (Index i = 0; i < n_; ++i) {
                const Vec first = splat(reach_(i, m));
                for (Index j = 0; j < width_; j += LANES) {
                    const Vec old = load(&reach_(i, j)), via = first + load(&reach_(m, j));
                    store(via < old ? via : old, &reach_(i, j));
                }
            }
        double least = INFINITE;
        for (Index i = 0; i < n_; ++i) least = std::min(least, reach_(i, i));
        return least;
    }

    Index n_, width_;
    Table cost_, reach_;
    Numbers u_, v_, least_, used_;
    std::vector<Index> owner_, way_;
};

// The best assignment for each of costs (T, K, K): permutations (T, K), best (T), excess (T).
inline void assign_all(ConstMatrices costs, View<std::int64_t, 2> permutations, Vector best,
                       Vector excess) {
    Assignment assignment(costs.shape[1]);
    for (Index t = 0; t < costs.shape[0]; ++t) {
        const BestAssignment found = assignment.solve(costs[t], permutations[t]);
        best[t] = found.cost;
        excess[t] = found.excess;
    }
}

}  // namespace bayesgmm
