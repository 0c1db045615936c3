// The sums of a pass over rows seen in part, or through noise (partial_rows.hpp).
//
// Until the end of the pass they are in coordinates in which each component is standard.
#pragma once

#include "likelihood/narrow_parts.hpp"

namespace bayesgmm {

template <int Axes>
class PartialSums {
public:
    PartialSums(const Rows &rows, const Gaussians<Axes> &mixture, Workspace &work, Sums<Axes> out)
        : rows_(rows), mixture_(mixture), work_(work), out_(out), k_(out.k), d_(out.d),
          of_(mixture, LaneRows::padded(d_)), log_weights_(log_weights_of(mixture)) {}

    // Add rows first..last-1.
    void add(Index first, Index last) {
        const bool matrices = rows_.errors.shape[1] > d_;
        if constexpr (Axes == 2) {
            if (!matrices) return add_by_feature(first, last);
        }
        const bool alike = rows_.errors.shape[0] < 2;  // but for what is seen
        Index waiting = first;                         // for lanes
        for (Index start = first; start < last && alike;) {
            Index end = start + 1;
            while (end < last && sees_the_same(start, end)) ++end;
            if (end - start >= WORTH_A_PASS) {
                add_in_lanes(waiting, start);
                if (!add_alike(start, end)) add_in_lanes(start, end);
                waiting = end;
            }
            start = end;
        }
        add_in_lanes(waiting, last);
    }

private:
    // Rows that are summed up in less time together than in lanes.
    static constexpr Index WORTH_A_PASS = 32;

    ConstVector weights_of(Index first, Index last) const {
        return rows_.weights.empty() ? rows_.weights : rows_.weights.part(first, last);
    }

    void count_rows(ConstVector weights, Index count) {
        out_.weight() += weights.empty() ? static_cast<double>(count) : sum(weights);
    }

    bool sees_the_same(Index a, Index b) const {
        for (Index j = 0; j < d_; ++j)
            if (is_missing(rows_.x(a, j)) != is_missing(rows_.x(b, j))) return false;
        return true;
    }

    // --- rows that see the same through the same noise ---

    // False if rounding leaves T no Cholesky factor.
    bool add_alike(Index first, Index last) {
        std::vector<Index> seen;
        for (Index j = 0; j < d_; ++j)
            if (!is_missing(rows_.x(first, j))) seen.push_back(j);
        const Index m = static_cast<Index>(seen.size());
        Gaussians<3> observed(k_, m);
        Tables lower(k_, m, m);
        for (Index c = 0; c < k_; ++c) {
            const Matrix total = lower[c];
            for (Index i = 0; i < m; ++i) {
                observed.means(c, i) = mixture_.means.view()(c, seen[i]);
                for (Index j = 0; j <= i; ++j)
                    total(i, j) = of_.covariances(c, seen[i], seen[j]) + error(seen[i], seen[j]);
            }
            if (!cholesky(total, total) || !invert_lower(total, observed.factors[c])) return false;
            observed.constants(c) = log_weights_(c) - static_cast<double>(m) * HALF_LOG_2_PI -
                                    0.5 * log_determinant(total);
        }
        observed.log_noise_weight = mixture_.log_noise_weight;
        set_offsets(observed);
        const Index n = last - first;
        Table x(n, m);
        Numbers shift(m), scale(m), all(Sums<3>::size(k_, m));
        for (Index i = 0; i < m; ++i) {
            shift(i) = rows_.shift[seen[i]], scale(i) = rows_.scale[seen[i]];
            for (Index b = 0; b < n; ++b) x(b, i) = rows_.x(first + b, seen[i]);
        }
        const Sums<3> sums{all, k_, m};
        Workspace work(rows_.known.n_densities(k_), m);
        const Known known = rows_.known.part(first, last);
        add_rows<3>({x, weights_of(first, last), shift, scale, {}, false, known}, 0, n, observed,
                    work, sums);
        finish(sums, observed.means);
        out_.log_likelihood() += sums.log_likelihood();
        out_.weight() += sums.weight();
        accumulate(out_.counts(), sums.counts());
        for (Index c = 0; c < k_; ++c) add_moments(c, seen, lower[c], observed.factors[c], sums);
        return true;
    }

    // Entry (i, j) of the error of all rows, in their units.
    double error(Index i, Index j) const {
        if (rows_.errors.empty()) return 0.0;
        const double units = rows_.scale[i] * rows_.scale[j];
        if (rows_.errors.shape[1] > d_) return rows_.errors(0, i * d_ + j) * units;
        return i == j ? rows_.errors(0, i) * units : 0.0;
    }

    // Y'(L^-1 A), and Y'(L^-1 B L'^-1 - N I) Y of the sums about the component's mean.
    void add_moments(Index c, const std::vector<Index> &seen, ConstMatrix lower,
                     ConstMatrix inverse, Sums<3> sums) {
        const Index m = lower.shape[0];
        Table y(m, d_), by(m, d_), b(m, m);
        Numbers scratch(m);
        for (Index i = 0; i < m; ++i)
            for (Index j = 0; j < d_; ++j) y(i, j) = of_.roots(c, seen[i], j);
        solve_lower(lower, y);
        multiply(inverse, sums.firsts()[c]);
        sandwich(inverse, sums.seconds()[c], scratch, b.view());
        for (Index i = 0; i < m; ++i) b(i, i) -= sums.counts()[c];
        for (Index i = 0; i < m; ++i)
            for (Index j = 0; j < m; ++j) add_scaled(by[i], b(i, j), y[j]);
        for (Index l = 0; l < m; ++l) {
            add_scaled(out_.firsts()[c], sums.firsts()(c, l), y[l]);
            for (Index i = 0; i < d_; ++i) {
                const Vector row = row_of(out_.seconds()[c], i);
                add_scaled(row, y(l, i), met_by(row, i, by[l]));
            }
        }
    }

    // --- other rows ---

    void add_in_lanes(Index first, Index last) {
        if (first == last) return;
        switch (d_) {
            case 1: return add_narrow<1>(first, last);
            case 2: return add_narrow<2>(first, last);
            case 3: return add_narrow<3>(first, last);
            case 4: return add_narrow<4>(first, last);
            default: break;
        }
        LaneRows lanes(rows_, k_);
        Table joint(rows_.known.n_densities(k_), LANES);
        for (Index start = first; start < last; start += LANES) {
            const Index count = std::min<Index>(LANES, last - start);
            lanes.load_rows(start, count);
            for (Index c = 0; c < k_; ++c)
                store(lanes.log_joint(of_, mixture_.means.view()[c], log_weights_(c), c, true),
                      &joint(c, 0));
            add_known(rows_.known, start, count, mixture_.log_noise_weight, joint);
            const ConstVector weights = weights_of(start, start + count);
            const Vec v = row_weights(weights, 0, count);
            Vec largest, total;
            exponentiate(joint, 0, largest, total);
            multiply(joint, 0, v / total);
            out_.log_likelihood() += sum_of_lanes(v * (largest + log_positive(total)));
            count_rows(weights, count);
            for (Index c = 0; c < k_; ++c) add_lanes(lanes, c, load(&joint(c, 0)));
        }
    }

    template <int D>
    void add_narrow(Index first, Index last) {
        NarrowParts<D> parts(rows_, of_, mixture_.means.view(), log_weights_,
                             mixture_.log_noise_weight);
        out_.log_likelihood() += parts.add(first, last);
        count_rows(weights_of(first, last), last - first);
        for (Index c = 0; c < k_; ++c) {
            out_.counts()[c] += parts.count(c);
            for (Index i = 0; i < D; ++i) {
                out_.firsts()(c, i) += parts.first(c, i);
                const Vector row = row_of(out_.seconds()[c], i);
                const Index from = i + 1 - row.size();
                for (Index j = 0; j < row.size(); ++j) row[j] += parts.second(c, i, from + j);
            }
        }
    }

    // Entries of a and b, as many as there are lanes at a time.
    void add_lanes(const LaneRows &lanes, Index c, Vec r) {
        out_.counts()[c] += sum_of_lanes(r);
        add_entries(out_.firsts()[c], [&](Index j) { return r * lanes.z(c, j); });
        for (Index i = 0; i < d_; ++i) {
            const Vector row = row_of(out_.seconds()[c], i);
            const Index from = i + 1 - row.size(), packed = i * (i + 1) / 2;
            add_entries(row, [&](Index j) {
                return r *
                       (lanes.z(c, i) * lanes.z(c, from + j) - lanes.gram(c, packed + from + j));
            });
        }
    }

    template <class F>
    static void add_entries(Vector to, const F &entry) {
        for (Index j = 0; j < to.size(); j += LANES) {
            const Index count = std::min<Index>(LANES, to.size() - j);
            Vec entries[LANES] = {};
            for (Index i = 0; i < count; ++i) entries[i] = entry(j + i);
            double sums[LANES];
            store(lane_sums(entries), sums);
            for (Index i = 0; i < count; ++i) to[j + i] += sums[i];
        }
    }

    // --- variances: each feature by itself ---

    void add_by_feature(Index first, Index last) {
        Table seen(d_, STRIDE), errors(rows_.errors.empty() ? 0 : d_, STRIDE);
        for (Index start = first; start < last; start += BLOCK) {
            const Index count = std::min(BLOCK, last - start);
            load_features(start, count, seen, errors);
            for (Index c = 0; c < k_; ++c)
                for (Index b = 0; b < to_strips(count); b += LANES)
                    store(log_joint_by_feature(c, b, seen, errors), &work_.joint(c, b));
            add_known(rows_.known, start, count, mixture_.log_noise_weight, work_.joint);
            const ConstVector weights = weights_of(start, start + count);
            out_.log_likelihood() += normalise(work_.joint, count, weights);
            count_rows(weights, count);
            for (Index c = 0; c < k_; ++c) {
                out_.counts()[c] += sum_of_rows(work_.joint[c], to_strips(count));
                for (Index j = 0; j < d_; ++j) add_feature(c, j, count, seen, errors);
            }
        }
    }

    void load_features(Index start, Index count, Matrix seen, Matrix errors) {
        fill(work_.xt.flat(), 0.0);
        fill(seen.flat(), 0.0);
        fill(errors.flat(), 0.0);
        for (Index b = 0; b < count; ++b)
            for (Index j = 0; j < d_; ++j) {
                const double x = rows_.x(start + b, j), unit = rows_.scale[j];
                if (is_missing(x)) continue;
                work_.xt(j, b) = (x - rows_.shift[j]) * unit;
                seen(j, b) = 1.0;
                if (errors.empty()) continue;
                const Index row = rows_.errors.shape[0] > 1 ? start + b : 0;
                errors(j, b) = rows_.errors(row, j) * unit * unit;
            }
    }

    // sigma^2 + s of a feature.
    Vec total_variance(Index c, Index j, Index b, ConstMatrix errors) const {
        const double variance = of_.covariances.view()(c, j, j);
        return errors.empty() ? splat(variance) : variance + load(&errors(j, b));
    }

    Vec log_joint_by_feature(Index c, Index b, ConstMatrix seen, ConstMatrix errors) const {
        Vec halves = {};
        for (Index j = 0; j < d_; ++j) {
            const Vec t = total_variance(c, j, b, errors);
            const Vec apart = load(&work_.xt.view()(j, b)) - mixture_.means.view()(c, j);
            const Vec logs =
                errors.empty() ? splat(std::log(of_.covariances.view()(c, j, j))) : log_positive(t);
            halves += load(&seen(j, b)) * (2.0 * HALF_LOG_2_PI + logs + apart * apart / t);
        }
        return log_weights_.view()[c] - 0.5 * halves;
    }

    void add_feature(Index c, Index j, Index count, ConstMatrix seen, ConstMatrix errors) {
        const double mean = mixture_.means.view()(c, j), root = of_.roots(c, j, j);
        Vec first = {}, second = {};
        for (Index b = 0; b < to_strips(count); b += LANES) {
            const Vec t = total_variance(c, j, b, errors);
            const Vec r = load(&seen(j, b)) * load(&work_.joint(c, b)) / t;
            const Vec apart = load(&work_.xt(j, b)) - mean;
            first += r * apart;
            second += r * (apart * apart / t - 1.0);
        }
        out_.firsts()(c, j) += root * sum_of_lanes(first);
        if constexpr (Axes == 2) out_.seconds()(c, j) += root * root * sum_of_lanes(second);
    }

    const Rows &rows_;
    const Gaussians<Axes> &mixture_;
    Workspace &work_;
    const Sums<Axes> out_;
    const Index k_, d_;
    RootsAndCovariances of_;
    Numbers log_weights_;
};

// Bring A and B from coordinates in which components are standard to those of the rows.
template <int Axes>
void finish_parts(Sums<Axes> sums, const Gaussians<Axes> &mixture) {
    auto root = zeros_like(mixture.factors[0]), standard = root;
    Numbers scratch(sums.d);
    for (Index c = 0; c < sums.k; ++c) {
        invert_lower(mixture.factors[c], root);
        multiply(root.view(), sums.firsts()[c]);
        assign(standard.flat(), sums.seconds()[c].flat());
        mirror(standard.view());
        for (Index i = 0; i < sums.d; ++i) pivot(standard.view(), i) += sums.counts()[c];
        sandwich(root.view(), standard.view(), scratch, sums.seconds()[c]);
    }
}

}  // namespace bayesgmm
