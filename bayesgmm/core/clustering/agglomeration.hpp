// Model-based hierarchical agglomeration: one tree of merges, to be cut at any number of groups.
//
// Beginning from single rows, the two groups are merged, again and again, that lower the
// classification likelihood least (Banfield & Raftery 1993, Biometrics 49, 803-821). With W_k the
// scatter of group k about its mean and n_k its rows, a criterion minimises
//
//     EII   tr(sum_k W_k)                              (Ward's)
//     VII   sum_k n_k D log((tr W_k + a) / (D n_k))
//     EEE   log |sum_k W_k + a I / D|
//     VVV   sum_k n_k log |(W_k + a I / D) / n_k|
//
// where a, a share of the mean variance of a row, stands in for the scatter that a group of few
// rows, or of equal ones, does not have (Fraley 1998, SIAM J. Sci. Comput. 20, 270-281, adds terms
// of the trace for the same purpose).
#pragma once

#include "clustering/column_tables.hpp"

namespace bayesgmm {

enum class MergeCriterion { VVV, EEE, VII, EII };

// Costs are rounded to this, so that equal ones stay equal in rotated or rescaled coordinates: ties
// go by row, not by rounding.
inline constexpr double COST_QUANTUM = 0x1p-36;

// The groups that are left, in the order of their first rows: one column of `numbers` each, so that
// one group is compared with LANES others at a time.
struct Groups {
    // Lines of `numbers`; D means and the criterion's own numbers follow. ABSENT is 0, or infinity
    // for a group that was merged into another and in columns past the last group. BOUND is the
    // least cost of merging a group with one after it, or less where `near` is -1.
    enum Line : Index { BOUND, ABSENT, OWN, COUNT, TRACE, MEANS };

    Index d, size, merged = 0;
    Table storage;
    Matrix numbers;
    std::vector<Index> rows, near;

    Groups(const Groups &) = delete;
    Groups(ConstMatrix means, ConstVector counts, Index more)
        : d(means.shape[1]), size(means.shape[0]), storage(MEANS + d + more, width()),
          numbers(storage), rows(size), near(size, -1) {
        std::fill(numbers[BOUND].begin(), numbers[ABSENT].end(), INFINITE);
        fill(numbers[COUNT], 1.0);
        for (Index k = 0; k < size; ++k) {
            rows[k] = k;
            numbers(ABSENT, k) = 0.0;
            numbers(COUNT, k) = counts[k];
            for (Index r = 0; r < d; ++r) numbers(MEANS + r, k) = means(k, r);
        }
    }

    Index width() const { return padded(size); }

    // Put the mean and the count of group j into those of group i.
    void merge_means(Index i, Index j) {
        const double count = numbers(COUNT, i) + numbers(COUNT, j);
        const double share = numbers(COUNT, j) / count;
        for (Index r = MEANS; r < MEANS + d; ++r)
            numbers(r, i) += (numbers(r, j) - numbers(r, i)) * share;
        numbers(COUNT, i) = count;
        numbers(ABSENT, j) = numbers(BOUND, j) = INFINITE;
        numbers(TRACE, j) = 0.0;
        ++merged;
    }

    // Remember what groups before i would cost to merge with it, now that it holds group j.
    void lower_bounds(Index i, Index j, ConstVector costs) {
        const Vector bound = numbers[BOUND];
        for (Index k = 0; k < j; ++k)
            if (near[k] == i || near[k] == j) near[k] = -1;
        for (Index k = 0; k < i; ++k) {
            // All other costs of k are above this one: it is the least.
            if (costs[k] < bound[k] || (costs[k] == bound[k] && i < near[k])) near[k] = i;
            bound[k] = std::min(bound[k], costs[k]);
        }
    }

    // Remove the columns of merged groups.
    void compact() {
        std::vector<Index> place(size);
        Index kept = 0;
        for (Index k = 0; k < size; ++k) place[k] = numbers(ABSENT, k) == 0.0 ? kept++ : -1;
        for (Index k = 0; k < size; ++k) {
            if (place[k] < 0) continue;
            rows[place[k]] = rows[k];
            near[place[k]] = near[k] < 0 ? -1 : place[near[k]];
            for (Index line = 0; line < numbers.shape[0]; ++line)
                numbers(line, place[k]) = numbers(line, k);
        }
        for (const Index line : {BOUND, ABSENT})
            std::fill(&numbers(line, kept), numbers[line].end(), INFINITE);
        std::fill(&numbers(TRACE, kept), numbers[TRACE].end(), 0.0);
        size = kept;
        merged = 0;
    }
};

// log |(A + ridge I) factor|, by LDL' in place of the lower triangle: one matrix a lane.
inline Vec log_determinant(View<Vec, 1> triangle, Index d, double ridge, Vec factor) {
    Vec out{}, product = splat(1.0);
    for (Index c = 0; c < d; ++c) {
        const Vec pivot = triangle[c * (c + 3) / 2] + ridge;
        product *= pivot * factor;
        if (c % 8 == 7) {
            out += log_positive(product);
            product = splat(1.0);
        }
        if (c == d - 1) break;
        const Vec inverse = 1.0 / pivot;
        for (Index r = c + 1; r < d; ++r) {
            Vec *const row = &triangle[r * (r + 1) / 2];
            const Vec ratio = row[c] * inverse;
            for (Index s = c + 1; s <= r; ++s) row[s] -= ratio * triangle[s * (s + 1) / 2 + c];
        }
    }
    return out + log_positive(product);
}

// Groups under a criterion that is a sum over them: VVV, VII or EII. OWN is a group's term of the
// sum (0 under EII, whose costs need none).
struct SeparateScatters {
    using enum Groups::Line;
    Groups groups;
    MergeCriterion kind;
    double stand_in;
    std::vector<Vec> work;

    SeparateScatters(ConstMatrix means, ConstVector counts, MergeCriterion kind, double stand_in)
        : groups(means, counts, kind == MergeCriterion::VVV ? pairs(means.shape[1]) : 0),
          kind(kind), stand_in(stand_in), work(pairs(means.shape[1]) + means.shape[1]) {
        const double d = static_cast<double>(groups.d);
        for (Index k = 0; k < groups.size && kind != MergeCriterion::EII; ++k)
            groups.numbers(OWN, k) = counts[k] * d * (std::log(stand_in) - std::log(d * counts[k]));
    }

    static Index pairs(Index d) { return d * (d + 1) / 2; }

    // The term of the union of group i with each of those from j on, one a lane.
    Vec term(Index i, Index j) {
        const Matrix g = groups.numbers;
        const double d = static_cast<double>(groups.d);
        const Vec other = load(&g(COUNT, j)), count = g(COUNT, i) + other;
        const Vec inverse = 1.0 / count, share = g(COUNT, i) * other * inverse;
        Vec square{};
        for (Index r = MEANS; r < MEANS + groups.d; ++r) {
            const Vec apart = g(r, i) - load(&g(r, j));
            square += apart * apart;
        }
        square *= share;
        if (kind == MergeCriterion::EII) return square;
        const Vec traces = g(TRACE, i) + load(&g(TRACE, j));
        if (kind == MergeCriterion::VII)
            return count * d * log_positive((traces + square + stand_in) * inverse / d);
        const double ridge = stand_in / d;
        if (g(TRACE, i) > 0.0) return count * scatter_term(i, j, share, inverse);
        // Without scatters, a determinant of rank one above the stand-in.
        const Vec flat = d * (std::log(ridge) - log_positive(count)) +
                         log_positive(1.0 + square * (1.0 / ridge));
        if (sum_of_lanes(traces) == 0.0) return count * flat;
        const Vec full = scatter_term(i, j, share, inverse);
        return count * (traces == 0.0 ? flat : full);
    }

    // log |(W + a I / D) / n| of unions.
    Vec scatter_term(Index i, Index j, Vec share, Vec inverse) {
        const Matrix g = groups.numbers;
        const Index d = groups.d;
        Vec *const apart = &work[pairs(d)];
        Vec *each = work.data();
        for (Index r = 0, line = MEANS + d; r < d; ++r) {
            apart[r] = g(MEANS + r, i) - load(&g(MEANS + r, j));
            const Vec part = share * apart[r];
            for (Index s = 0; s <= r; ++s, ++line)
                *each++ = g(line, i) + load(&g(line, j)) + part * apart[s];
        }
        const View<Vec, 1> triangle{work.data(), {pairs(d)}};
        return log_determinant(triangle, d, stand_in / static_cast<double>(d), inverse);
    }

    // What merging group i with each from `first` on adds to the criterion, rounded.
    void costs(Index i, Index first, Vector out) {
        const Matrix g = groups.numbers;
        for (Index j = first; j < groups.width(); j += LANES) {
            const Vec cost = term(i, j) - g(OWN, i) - load(&g(OWN, j));
            store(to_quantum(cost, COST_QUANTUM) + load(&g(ABSENT, j)), &out[j]);
        }
    }

    void merge(Index i, Index j) {
        const Matrix g = groups.numbers;
        const Index d = groups.d;
        if (kind != MergeCriterion::EII) g(OWN, i) = term(i, j / LANES * LANES)[j % LANES];
        const double share = g(COUNT, i) * g(COUNT, j) / (g(COUNT, i) + g(COUNT, j));
        double square = 0.0;
        for (Index r = 0, line = MEANS + d; r < d; ++r) {
            const double apart = g(MEANS + r, i) - g(MEANS + r, j);
            square += apart * apart;
            for (Index s = 0; s <= r && kind == MergeCriterion::VVV; ++s, ++line)
                g(line, i) += g(line, j) + share * apart * (g(MEANS + s, i) - g(MEANS + s, j));
        }
        g(TRACE, i) += g(TRACE, j) + share * square;
        groups.merge_means(i, j);
    }
};

// Groups under EEE: each merge adds a rank-one term to the shared scatter S = sum_k W_k + ridge I,
// so all costs change. Means stand twice: as they are, and where S is the identity.
struct SharedScatter {
    using enum Groups::Line;
    Groups groups;
    Table lower;

    SharedScatter(ConstMatrix means, ConstVector counts, double ridge)
        : groups(means, counts, means.shape[1]), lower(groups.d, groups.d) {
        for (Index r = 0; r < groups.d; ++r) lower(r, r) = std::sqrt(ridge);
        whiten();
    }

    // What merging group i with each from `first` on adds to |S|, as a share of it, rounded.
    void costs(Index i, Index first, Vector out) {
        const Matrix g = groups.numbers;
        for (Index j = first; j < groups.width(); j += LANES) {
            const Vec other = load(&g(COUNT, j));
            Vec square{};
            for (Index r = MEANS + groups.d; r < g.shape[0]; ++r) {
                const Vec apart = g(r, i) - load(&g(r, j));
                square += apart * apart;
            }
            const Vec cost = g(COUNT, i) * other / (g(COUNT, i) + other) * square;
            store(to_quantum(cost, COST_QUANTUM) + load(&g(ABSENT, j)), &out[j]);
        }
    }

    // A merge of cost q multiplies |S| by 1 + q, and lets no other cost fall below 1 / (1 + q) of
    // itself. So costs of earlier merges are bounds, and only those groups are looked at again
    // whose bound is the least.
    void merge(Index i, Index j) {
        const Matrix g = groups.numbers;
        const double shrink = 1.0 / (1.0 + g(BOUND, i));
        const double count = g(COUNT, i) + g(COUNT, j);
        const double root = std::sqrt(g(COUNT, i) * g(COUNT, j) / count);
        Numbers shift(groups.d);
        for (Index r = 0; r < groups.d; ++r) shift[r] = root * (g(MEANS + r, j) - g(MEANS + r, i));
        groups.merge_means(i, j);
        update(shift);
        whiten();
        for (double &bound : g[BOUND]) bound = std::max(bound - 2.0 * COST_QUANTUM, 0.0) * shrink;
        std::fill(groups.near.begin(), groups.near.end(), -1);
    }

    // Make L the factor of L L' + v v' (Givens rotations); v is overwritten.
    void update(Vector v) {
        for (Index c = 0; c < v.size(); ++c) {
            const double length = std::hypot(lower(c, c), v[c]);
            const double cosine = lower(c, c) / length, sine = v[c] / length;
            lower(c, c) = length;
            for (Index r = c + 1; r < v.size(); ++r) {
                const double t = lower(r, c);
                lower(r, c) = cosine * t + sine * v[r];
                v[r] = cosine * v[r] - sine * t;
            }
        }
    }

    void whiten() {
        const Index white = Groups::MEANS + groups.d;
        const Matrix g = groups.numbers;
        solve_columns(lower, g.part(Groups::MEANS, white), g.part(white, g.shape[0]));
    }
};

// Merge until one group is left: the generic algorithm of Mullner 2011 (arXiv:1109.2378), with
// costs computed anew where a group's least is not known: less work than to keep a table of them.
template <class Model>
void merge_all(Model &&model, View<std::int64_t, 2> merges, Vector costs) {
    Groups &groups = model.groups;
    const Vector bound = groups.numbers[Groups::BOUND];
    Numbers row(groups.width());
    // The group after i that costs least to merge with it, once `row` holds what they cost.
    const auto settle = [&](Index i) {
        const Index chunk = i / LANES * LANES;
        std::fill(&row[chunk], &row[i] + 1, INFINITE);
        const auto [least, place] = first_least(row, chunk, groups.width());
        bound[i] = least;
        groups.near[i] = least < INFINITE ? place : -1;
    };
    const auto look = [&](Index i) {
        model.costs(i, i / LANES * LANES, row);
        settle(i);
    };
    for (Index i = 0; i < groups.size; ++i) look(i);
    for (Index m = 0; m < costs.size(); ++m) {
        Index i = first_least(bound, 0, groups.width()).place;
        while (groups.near[i] < 0) {
            look(i);
            i = first_least(bound, 0, groups.width()).place;
        }
        const Index j = groups.near[i];
        merges(m, 0) = groups.rows[i], merges(m, 1) = groups.rows[j], costs[m] = bound[i];
        model.merge(i, j);
        model.costs(i, 0, row);
        groups.lower_bounds(i, j, row);
        settle(i);
        if (8 * groups.merged > groups.size) groups.compact();
    }
}

// Merge rows into ever fewer groups. means (n, D), counts (n); merges (n - 1, 2): the group of the
// second row goes into that of the first, groups being known by their first rows; costs (n - 1).
// stand_in = a.
inline void merge_groups(ConstMatrix means, ConstVector counts, MergeCriterion kind,
                         double stand_in, View<std::int64_t, 2> merges, Vector costs) {
    const double ridge = stand_in / static_cast<double>(means.shape[1]);
    if (kind == MergeCriterion::EEE)
        merge_all(SharedScatter(means, counts, ridge), merges, costs);
    else
        merge_all(SeparateScatters(means, counts, kind, stand_in), merges, costs);
}

}  // namespace bayesgmm
