// Rows seen in part, or through noise, of a few features: the sums of partial_rows.hpp in registers.
//
// T is factored as L Delta L' with a unit lower triangle L, without square roots, for as many rows at
// a time as there are lanes. Sums keep their lanes until the end.
#pragma once

#include "likelihood/partial_rows.hpp"

namespace bayesgmm {

template <int D>
class NarrowParts {
public:
    NarrowParts(const Rows &rows, const RootsAndCovariances &of, ConstMatrix means,
                ConstVector log_weights, double log_noise_weight)
        : rows_(rows), of_(of), means_(means), log_weights_(log_weights),
          log_noise_weight_(log_noise_weight), k_(means.shape[0]),
          joint_(rows.known.n_densities(k_), LANES), moments_(k_ * MOMENTS, LANES),
          sums_(k_ * (1 + MOMENTS), LANES) {}

    // Add rows first..last-1; the sum of v_b l_b.
    double add(Index first, Index last) {
        Vec log_likelihood = {};
        for (Index start = first; start < last; start += LANES) {
            const Index count = std::min<Index>(LANES, last - start);
            load_rows(start, count);
            for (Index c = 0; c < k_; ++c) store(log_joint(c), &joint_(c, 0));
            add_known(rows_.known, start, count, log_noise_weight_, joint_);
            const ConstVector weights =
                rows_.weights.empty() ? rows_.weights : rows_.weights.part(start, start + count);
            const Vec v = row_weights(weights, 0, count);
            Vec largest, total;
            exponentiate(joint_, 0, largest, total);
            log_likelihood += v * (largest + log_positive(total));
            const Vec unit = v / total;
            for (Index c = 0; c < k_; ++c) add_moments(c, unit * load(&joint_(c, 0)));
        }
        return sum_of_lanes(log_likelihood);
    }

    // N, and entries of A and of the lower triangle of B, in coordinates in which components are
    // standard.
    double count(Index c) const { return sum(c, 0); }
    double first(Index c, Index j) const { return sum(c, 1 + j); }
    double second(Index c, Index i, Index j) const { return sum(c, 1 + D + i * (i + 1) / 2 + j); }

private:
    static constexpr int TRIANGLE = D * (D + 1) / 2, MOMENTS = D + TRIANGLE;
    static constexpr int at(int i, int j) { return i * (i + 1) / 2 + j; }

    double sum(Index c, Index m) const {
        return sum_of_lanes(load(sums_.view()[c * (1 + MOMENTS) + m].data));
    }

    void load_rows(Index first, Index count) {
        double raw[D][LANES];
        for (int j = 0; j < D; ++j)
            for (Index b = 0; b < LANES; ++b)
                raw[j][b] = b < count ? rows_.x(first + b, j) : NOT_A_NUMBER;
        number_ = Vec{};
        unrolled<D>([&](auto j) {
            const Vec x = load(raw[j]);
            const auto is_seen = x == x;
            seen_[j] = is_seen ? splat(1.0) : Vec{};
            x_[j] = is_seen ? (x - rows_.shift[j]) * rows_.scale[j] : Vec{};
            number_ += seen_[j];
        });
        if (rows_.errors.empty()) return;
        const Index own = rows_.errors.shape[0] > 1 ? 1 : 0, width = rows_.errors.shape[1];
        unrolled<D>([&](auto i) {
            unrolled<i() + 1>([&](auto j) {
                if (width == D && D > 1 && i() != j()) return;
                const Index place = width > D ? i() * D + j() : i();
                double lanes[LANES];
                for (Index b = 0; b < LANES; ++b)
                    lanes[b] = b < count || own == 0 ? rows_.errors(own * (first + b), place) : 0.0;
                errors_[at(i, j)] = load(lanes) * (rows_.scale[i] * rows_.scale[j]);
            });
        });
    }

    // The log joint density of component c; its z and Y'Y go into `moments_`.
    Vec log_joint(Index c) {
        const ConstMatrix covariance = of_.covariances.view()[c], root = of_.roots.view()[c];
        const ConstVector mean = means_[c];
        Vec l[TRIANGLE], u[TRIANGLE], inverse[D], q[D], y[TRIANGLE];
        Vec squares = {};
        unrolled<D>([&](auto i) {
            unrolled<i()>([&](auto j) {
                Vec t = (covariance(i, j) + errors_[at(i, j)]) * (seen_[i] * seen_[j]);
                unrolled<j()>([&](auto m) { t -= u[at(i, m)] * l[at(j, m)]; });
                u[at(i, j)] = t;
                l[at(i, j)] = t * inverse[j];
            });
            const Vec whole = (covariance(i, i) + errors_[at(i, i)]) * seen_[i] + (1.0 - seen_[i]);
            Vec t = whole, apart = seen_[i] * (x_[i] - mean[i]);
            unrolled<i()>([&](auto m) {
                t -= u[at(i, m)] * l[at(i, m)];
                apart -= l[at(i, m)] * q[m];
            });
            inverse[i] = 1.0 / greater(t, EPSILON * whole);
            q[i] = apart;
            squares += apart * apart * inverse[i];
            unrolled<i() + 1>([&](auto j) {
                Vec s = root(i, j) * seen_[i];
                unrolled<i() - j()>([&](auto m) { s -= l[at(i, j + m)] * y[at(j + m, j)]; });
                y[at(i, j)] = s;
            });
        });
        Matrix moments = moments_.view().part(c * MOMENTS, (c + 1) * MOMENTS);
        unrolled<D>([&](auto j) {
            Vec z = {};
            Vec scaled[D];
            unrolled<D - j()>([&](auto m) {
                scaled[m] = y[at(j + m, j)] * inverse[j + m];
                z += scaled[m] * q[j + m];
            });
            store(z, &moments(j, 0));
            unrolled<j() + 1>([&](auto i) {
                Vec g = {};
                unrolled<D - j()>([&](auto m) { g += scaled[m] * y[at(j + m, i)]; });
                store(g, &moments(D + at(j, i), 0));
            });
        });
        Vec logs = {};
        unrolled<D>([&](auto i) { logs += log_positive(inverse[i]); });
        return log_weights_[c] - HALF_LOG_2_PI * number_ + 0.5 * (logs - squares);
    }

    void add_moments(Index c, Vec r) {
        const Matrix moments = moments_.view().part(c * MOMENTS, (c + 1) * MOMENTS);
        const Matrix sums = sums_.view().part(c * (1 + MOMENTS), (c + 1) * (1 + MOMENTS));
        const auto add = [&](Index m, Vec v) { store(load(&sums(m, 0)) + v, &sums(m, 0)); };
        add(0, r);
        Vec z[D];
        unrolled<D>([&](auto i) {
            z[i] = load(&moments(i, 0));
            add(1 + i, r * z[i]);
            unrolled<i() + 1>([&](auto j) {
                add(1 + D + at(i, j), r * (z[i] * z[j] - load(&moments(D + at(i, j), 0))));
            });
        });
    }

    const Rows &rows_;
    const RootsAndCovariances &of_;
    const ConstMatrix means_;
    const ConstVector log_weights_;
    const double log_noise_weight_;
    const Index k_;
    Table joint_, moments_, sums_;
    Vec x_[D], seen_[D], errors_[TRIANGLE] = {}, number_;
};

}  // namespace bayesgmm
