// What a mixture gains by a component more, and loses by one less, by estimate.
//
// EM cannot move a component from where there is one too many to where one is missing (Ueda, Nakano,
// Ghahramani & Hinton 2000, Neural Computation 12, 2109-2128). With the log joint densities l_kb of
// the mixture, log densities l_b and responsibilities r_kb = exp(l_kb - l_b), at row weights v_b,
//
// * a component g of weight a that joins the mixture (Verbeek, Vlassis & Krose 2003, Neural
//   Computation 15, 469-485) changes the log-likelihood by sum_b v_b log(1 - a + q_b), with
//   q_b = a exp(log g(x_b) - l_b); EM of a and g alone, from a few rows, finds such components;
// * if then components i and j become one, m, of the same moments, the change is
//   sum_b v_b log((1 - a) (1 - r_ib - r_jb + exp(l_mb - l_b)) + q_b) in all;
// * if component i leaves, sum_b v_b log(((1 - a) (1 - r_ib) + q_b) / (1 - (1 - a) w_i));
// * a split of component k gains what two components gain over it on the rows, weighted by
//   v_b r_kb, in a few steps of EM.
#pragma once

#include <numeric>

#include "clustering/column_tables.hpp"
#include "em/em.hpp"
#include "em/relative_variances.hpp"
#include "likelihood/memberships.hpp"

namespace bayesgmm {

// Components that could join a mixture: gains (-infinity for none), weights, means, covariances.
template <int Axes>
struct Births {
    Numbers gains, weights;
    Table means;
    Owned<double, Axes> covariances;

    Births(Index n, Index d)
        : gains(n), weights(n), means(n, d), covariances(covariance_shape<Axes>(n, d)) {}
};

// Two components in place of one: its gain, -infinity if it cannot be split, and of each half the
// share of the weight, the mean and the covariance. The latter are of components 2k and 2k + 1.
template <int Axes>
struct Splits {
    Numbers gains, shares;
    Table means;
    Owned<double, Axes> covariances;

    Splits(Index k, Index d)
        : gains(k), shares(2 * k), means(2 * k, d), covariances(covariance_shape<Axes>(2 * k, d)) {
        fill(gains, -INFINITE);
    }
};

template <int Axes>
class Moves {
public:
    // Rows (n, D) with weights; none are seen in part.
    Moves(const Rows &rows, ConstVector weights, ConstMatrix means,
          View<const double, Axes> covariances)
        : n_(rows.x.shape[0]), k_(weights.size()), d_(rows.x.shape[1]), width_(to_strips(n_)),
          weights_(weights), means_(means), covariances_(covariances), rows_(rows),
          mixture_(k_, d_), one_(1, d_), row_weights_(width_), densities_(width_),
          joint_(k_, width_), shares_(k_, width_),
          total_covariance_(covariance_of_all_rows<Axes>(weights, means, covariances)),
          work_(1, d_) {
        for (Index b = 0; b < n_; ++b)
            row_weights_[b] = rows.weights.empty() ? 1.0 : rows.weights[b];
        total_ = sum(row_weights_.view());
        work_.xt = Table(d_, width_);
        work_.rz = Table(TILE, width_);
        work_.joint = Table(1, width_);
        load_block(rows, 0, n_, work_.xt);
        bad_ = factor<Axes>(weights, means, covariances, mixture_);
        if (bad_ > 0) return;
        log_joint(mixture_, n_, work_.xt, joint_);
        assign(shares_.flat(), joint_.flat());
        normalise(shares_, n_, {}, densities_);
    }

    // Whether the mixture has a singular covariance, and no moves.
    bool is_singular() const { return bad_ > 0; }

    // Components that join the mixture, from rows of one component each, which uniforms (m, 4 + rows)
    // in [0, 1) choose. Every few steps the half
    // of less gain is given up; the others come first, by their gain. None has fewer rows than
    // `least`. `structure` is that of the mixture: where all share a covariance, it stays.
    Births<Axes> births(const Structure &structure, ConstMatrix uniforms, double least) {
        const Index m = uniforms.shape[0];
        Table cumulated(k_, n_), inside(k_, width_);
        for (Index k = 0; k < k_; ++k) {
            double reached = 0.0;
            for (Index b = 0; b < n_; ++b) {
                const double own = row_weights_[b] * shares_(k, b);
                cumulated(k, b) = reached += own;
                inside(k, b) = shares_(k, b) < INSIDE ? 0.0 : own;
            }
        }
        Births<Axes> all(m, d_);
        for (Index c = 0; c < m; ++c) begin(c, uniforms[c], cumulated, inside, least, all);
        std::vector<Index> order(m);
        std::iota(order.begin(), order.end(), 0);
        Index left = m;
        for (int round = 0; round < ROUNDS; ++round, left = (left + 1) / 2) {
            for (Index i = 0; i < left; ++i)
                for (int step = round > 0 ? 1 : STEPS; step <= STEPS; ++step)
                    grow(order[i], structure, least, step == STEPS, all);
            std::stable_sort(order.begin(), order.begin() + left,
                             [&](Index i, Index j) { return all.gains[i] > all.gains[j]; });
        }
        return ordered(all, {order.begin(), order.begin() + std::min<Index>(2 * left, m)});
    }

    // The change in log-likelihood where one of m components joins, and components i > j become one
    // or i = j leaves, (m + 1, K, K); the last is that where none joins.
    Tables exchanges(const Births<Axes> &born) {
        const Index m = born.gains.size();
        Tables out(m + 1, k_, k_);
        fill(out.flat(), -INFINITE);
        if (is_singular()) return out;
        Table joining(m + 1, width_);
        std::vector<bool> usable(m + 1, true);
        for (Index c = 0; c < m; ++c) {
            usable[c] = factored(born.weights[c], born.means[c], born.covariances[c]);
            if (usable[c]) ratios_of_one(joining[c]);
        }
        Numbers mean(d_), left(width_), together(width_);
        auto covariance = zeros_like(covariances_[0]);
        for (Index i = 0; i < k_; ++i) {
            for (Index j = 0; j <= i; ++j) {
                if (i != j) {
                    const double weight = merge(i, j, mean, covariance.view());
                    if (!factored(weight, mean, covariance.view())) continue;
                    ratios_of_one(together);
                }
                for (Index b = 0; b < width_; b += LANES) {
                    Vec rest = 1.0 - load(&shares_(i, b));
                    if (i != j) rest += load(&together.view()[b]) - load(&shares_(j, b));
                    store(greater(rest, splat(0.0)), &left[b]);
                }
                for (Index c = 0; c <= m; ++c) {
                    if (!usable[c]) continue;
                    const double stays = c < m ? 1.0 - born.weights[c] : 1.0;
                    double value = change(stays, left, joining[c]);
                    if (i == j) value -= total_ * std::log(1.0 - stays * weights_[i]);
                    out(c, i, j) = value;
                }
            }
        }
        return out;
    }

    // The best of some splits of each component in the structure of `model`; uniforms (K, m, 2) in
    // [0, 1) choose the pairs of rows, far apart in the component's metric, from which they begin.
    // No half has fewer rows than `least`.
    Splits<Axes> splits(const Model &model, ConstMatrices uniforms, double least) {
        Splits<Axes> out(k_, d_);
        for (Index k = 0; k < k_ && !is_singular(); ++k) {
            std::vector<Index> inside;
            double total = 0.0, before = 0.0;
            for (Index b = 0; b < n_; ++b) {
                if (shares_(k, b) < NONE) continue;
                const double own = row_weights_[b] * shares_(k, b);
                total += own;
                before += own * (joint_(k, b) - std::log(weights_[k]));
                inside.push_back(b);
            }
            if (total < 2.0 * least) continue;
            for (Index m = 0; m < uniforms.shape[1]; ++m)
                split(k, inside, model, uniforms[k][m], before, least, out);
        }
        return out;
    }

private:
    // Steps of EM of a component alone between two cuts of the field, and their number.
    static constexpr int STEPS = 2, ROUNDS = 4;
    // The part of the covariance of a component that is added to those of a few of its rows.
    static constexpr double OWN = 0.02;
    // A row takes part in a split from this responsibility on. Splits end at this estimated gain, or
    // after so many E-steps.
    static constexpr double NONE = 1e-3, ENOUGH = 1e-2;
    static constexpr Index MOST_E_STEPS = 20;
    // Responsibility from which a row lies in a component; steps of the search for those around one.
    static constexpr double INSIDE = 0.01;
    static constexpr int HALVINGS = 40;
    // Inverse relative variance of a component that collapses.
    static constexpr double FLAT = 1e10;
    // Log of a ratio of densities beyond which no row counts for more.
    static constexpr double MOST = 600.0;

    bool factored(double weight, ConstVector mean, View<const double, Axes - 1> covariance) {
        View<const double, Axes> one;
        one.data = covariance.data;
        one.shape = covariance_shape<Axes>(1, d_);
        return factor<Axes>(ConstVector{&weight, {1}}, ConstMatrix{mean.data, {1, d_}}, one,
                            one_) == 0;
    }

    // Whether a component has a density, and is in no direction so flat that it collapses: rounding
    // would decide when.
    bool usable(double weight, ConstVector mean, View<const double, Axes - 1> covariance) {
        if (!factored(weight, mean, covariance)) return false;
        const auto factor = one_.factors.view()[0];
        double inverses = 0.0;  // of its variances relative to those of all rows
        Numbers row(d_);
        for (Index i = 0; i < d_; ++i) {
            const ConstVector own = row_of(factor, i);
            const Vector half = row.part(0, own.size());
            row_of_product(factor, i, total_covariance_.view(), half);
            inverses += inner_product(half, own);
        }
        return inverses < FLAT;
    }

    // w g(x_b) / exp(l_b) of the factored component.
    void ratios_of_one(Vector out) {
        log_joint(one_, n_, work_.xt, Matrix{out.data, {1, width_}});
        for (Index b = 0; b < width_; b += LANES) {
            const Vec apart = load(&out[b]) - load(&densities_[b]);
            store(common_axes::exp_of(apart < MOST ? apart : splat(MOST)), &out[b]);
        }
    }

    // sum_b v_b log(stays left_b + q_b).
    double change(double stays, ConstVector left, ConstVector q) const {
        Vec out = {};
        for (Index b = 0; b < width_; b += LANES) {
            const Vec value = stays * load(&left[b]) + load(&q[b]);
            out += load(row_weights_.view().data + b) * log_positive(greater(value, splat(1e-300)));
        }
        return sum_of_lanes(out);
    }

    // The component of the same moments as i and j; its weight.
    template <class Covariance>
    double merge(Index i, Index j, Vector mean, Covariance covariance) {
        const double weight = weights_[i] + weights_[j], share = weights_[j] / weight;
        Numbers apart(d_);
        for (Index a = 0; a < d_; ++a) {
            apart[a] = means_(j, a) - means_(i, a);
            mean[a] = means_(i, a) + share * apart[a];
        }
        const Vector flat = covariance.flat();
        fill(flat, 0.0);
        add_scaled(flat, 1.0 - share, covariances_[i].flat());
        add_scaled(flat, share, covariances_[j].flat());
        for (Index a = 0; a < d_; ++a) {
            const Vector row = row_of(covariance, a);
            add_scaled(row, share * (1.0 - share) * apart[a], met_by(row, a, apart.view()));
        }
        mirror(covariance);
        return weight;
    }

    // The row at a share of a component's cumulated weights.
    Index row_at(double share, ConstVector cumulated) const {
        const double target = share * cumulated[n_ - 1];
        const double *const found = std::upper_bound(cumulated.begin(), cumulated.end(), target);
        return std::min<Index>(found - cumulated.begin(), n_ - 1);
    }

    // A component of rows around one of a component, of a number between `least` and half of it whose
    // logarithm is uniform: of all, or of a few among twice as many. None where that has too few.
    void begin(Index c, ConstVector uniforms, ConstMatrix cumulated, ConstMatrix inside,
               double least, Births<Axes> &all) {
        const Index k = std::min(static_cast<Index>(uniforms[0] * static_cast<double>(k_)), k_ - 1);
        const double size = cumulated(k, n_ - 1);
        all.gains[c] = -INFINITE;
        if (size < 2.0 * least) return;
        const bool few = uniforms[1] < 0.5;
        const double wanted = least * std::pow(0.5 * size / least, uniforms[2]);
        const Index centre = row_at(uniforms[3], cumulated[k]);
        std::vector<Index> chosen = around(k, centre, inside[k], few ? 2.0 * wanted : wanted);
        Numbers own(n_);
        for (const Index b : chosen) own[b] = row_weights_[b] * shares_(k, b);
        if (few) chosen = some(chosen, own, uniforms.part(4, uniforms.size()));
        const Vector mean = all.means[c];
        const auto covariance = all.covariances[c];
        double weight = 0.0;
        for (const Index b : chosen) weight += own[b];
        for (const Index b : chosen)
            for (Index j = 0; j < d_; ++j) mean[j] += own[b] / weight * work_.xt(j, b);
        Numbers apart(d_);
        for (const Index b : chosen) {
            for (Index j = 0; j < d_; ++j) apart[j] = work_.xt(j, b) - mean[j];
            for (Index j = 0; j < d_; ++j) {
                const Vector row = row_of(covariance, j);
                add_scaled(row, own[b] / weight * apart[j], met_by(row, j, apart.view()));
            }
        }
        mirror(covariance);
        add_scaled(covariance.flat(), OWN, covariances_[k].flat());
        all.weights[c] = std::max(weight, 2.0 * least) / total_;
        all.gains[c] = 0.0;
    }

    // Rows drawn by their weights, one for each uniform, which then count once each time.
    static std::vector<Index> some(const std::vector<Index> &rows, Numbers &own,
                                   ConstVector uniforms) {
        std::vector<double> cumulated;
        double reached = 0.0;
        for (const Index b : rows) {
            cumulated.push_back(reached += own[b]);
            own[b] = 0.0;
        }
        std::vector<Index> out;
        for (const double each : uniforms) {
            const auto found = std::upper_bound(cumulated.begin(), cumulated.end(), each * reached);
            const auto last = static_cast<std::ptrdiff_t>(rows.size()) - 1;
            const Index b = rows[std::min(found - cumulated.begin(), last)];
            if (own[b] == 0.0) out.push_back(b);
            own[b] += 1.0;
        }
        return out;
    }

    // Rows of component k around one, in its metric: as many as have so much weight `inside` it.
    std::vector<Index> around(Index k, Index centre, ConstVector inside, double wanted) {
        const auto factor = mixture_.factors.view()[k];
        Numbers offset(d_), squares(width_);
        for (Index j = 0; j < d_; ++j) offset[j] = -work_.xt(j, centre);
        multiply(factor, offset);
        Vec largest[STRIP_VECTORS] = {};
        for (Index b = 0; b < width_; b += STRIP) {
            Vec of_strip[STRIP_VECTORS] = {};
            squared_lengths(factor, offset, work_.xt, b, of_strip);
            for (int s = 0; s < STRIP_VECTORS; ++s) {
                store(of_strip[s], &squares[b + s * LANES]);
                largest[s] = greater(of_strip[s], largest[s]);
            }
        }
        const auto within = [&](double radius) {
            Vec totals[STRIP_VECTORS] = {};
            for (Index b = 0; b < width_; b += STRIP)
                for (int s = 0; s < STRIP_VECTORS; ++s) {
                    const Index at = b + s * LANES;
                    totals[s] += load(&squares[at]) <= radius ? load(&inside[at]) : Vec{};
                }
            for (int s = 1; s < STRIP_VECTORS; ++s) totals[0] += totals[s];
            return sum_of_lanes(totals[0]);
        };
        // Bisection, of what is within as of a uniform density, down to less than a row too many.
        double below = 0.0, above = 0.0;
        for (const Vec each : largest)
            for (int i = 0; i < LANES; ++i) above = std::max(above, each[i]);
        const double power = 2.0 / static_cast<double>(d_);
        double beyond = within(above);
        for (int step = 0; step < HALVINGS && beyond >= wanted + 1.0; ++step) {
            const double share = step % 2 == 0 ? std::pow(wanted / beyond, power) : 0.5;
            const double radius = below + std::clamp(share, 0.1, 0.9) * (above - below);
            const double reached = within(radius);
            (reached < wanted ? below : above) = radius;
            if (reached >= wanted) beyond = reached;
        }
        std::vector<Index> out;
        for (Index b = 0; b < n_; ++b)
            if (inside[b] > 0.0 && squares[b] <= above) out.push_back(b);
        return out;
    }

    // A step of EM of one component alone; its gain, where it is `wanted`, is that before the step.
    void grow(Index c, const Structure &structure, double least, bool wanted, Births<Axes> &all) {
        if (!(all.gains[c] > -INFINITE)) return;
        all.gains[c] = -INFINITE;
        const double a = all.weights[c];
        const Vector mean = all.means[c];
        const auto covariance = all.covariances[c];
        if (!(a < 1.0) || !usable(a, mean, covariance)) return;
        const Vector r = work_.joint[0];
        ratios_of_one(r);
        Vec gain = {};
        for (Index b = 0; b < width_; b += LANES) {
            const Vec v = load(&row_weights_[b]), q = load(&r[b]), whole = 1.0 - a + q;
            if (wanted) gain += v * log_positive(whole);
            store(v * q / whole, &r[b]);
        }
        Numbers sums(Sums<Axes>::size(1, d_));
        const Sums<Axes> of{sums, 1, d_};
        of.counts()[0] =
            add_component(r, mean, work_, width_, work_.rz, of.firsts()[0], of.seconds()[0]);
        finish(of, ConstMatrix{mean.data, {1, d_}});
        const double n = of.counts()[0];
        if (!(n > least)) return;
        Numbers step(d_);
        for (Index j = 0; j < d_; ++j) step[j] = of.firsts()[0][j] / n;
        if (!is_shared(structure)) {
            scatter_about(n, of.firsts()[0], of.seconds()[0], step, covariance);
            scale(covariance.flat(), 1.0 / n);
            if (structure.shape == IDENTITY) make_spherical(covariance);
        }
        accumulate(mean, step);
        all.weights[c] = n / total_;
        all.gains[c] = sum_of_lanes(gain);
    }

    static bool is_shared(const Structure &structure) {
        return structure.volume != VARYING && structure.shape != VARYING &&
               structure.orientation != VARYING;
    }

    template <class Covariance>
    void make_spherical(Covariance covariance) {
        double trace = 0.0;
        for (Index j = 0; j < d_; ++j) trace += pivot(covariance, j);
        fill(covariance.flat(), 0.0);
        for (Index j = 0; j < d_; ++j) pivot(covariance, j) = trace / static_cast<double>(d_);
    }

    Births<Axes> ordered(Births<Axes> &all, const std::vector<Index> &order) {
        Births<Axes> out(static_cast<Index>(order.size()), d_);
        for (Index i = 0; i < out.gains.size(); ++i) {
            const Index c = order[i];
            const bool whole = usable(all.weights[c], all.means[c], all.covariances[c]);
            out.gains[i] = whole ? all.gains[c] : -INFINITE;
            out.weights[i] = all.weights[c];
            assign(out.means[i], all.means[c]);
            assign(out.covariances[i].flat(), all.covariances[c].flat());
        }
        return out;
    }

    // The first place where the running sum of weights exceeds a share of the whole.
    static Index at(double share, ConstVector weights) {
        const double target = share * sum(weights);
        double reached = 0.0;
        for (Index b = 0; b < weights.size(); ++b) {
            reached += weights[b];
            if (reached > target) return b;
        }
        return weights.size() - 1;
    }

    // Put the split of component k that begins at one pair of rows in the place of a worse one.
    void split(Index k, const std::vector<Index> &inside, const Model &model, ConstVector uniforms,
               double before, double least, Splits<Axes> &out) {
        const Index m = static_cast<Index>(inside.size());
        Table x(m, d_), z(m, d_);
        Numbers own(m), zeros(d_), ones(d_), theta(Parameters<Axes>::size(2, d_));
        fill(ones, 1.0);
        for (Index b = 0; b < m; ++b) {
            own[b] = row_weights_[inside[b]] * shares_(k, inside[b]);
            for (Index j = 0; j < d_; ++j) {
                x(b, j) = rows_.x(inside[b], j);
                z(b, j) = x(b, j) - means_(k, j);
            }
            multiply(mixture_.factors[k], z[b]);
        }
        const Parameters<Axes> halves{theta, 2, d_};
        if (!halve(x, z, own, uniforms, model.structure, halves)) return;
        Numbers sums(Sums<Axes>::size(2, d_));
        Passes<Axes> passes({x, own, zeros, ones}, 2, 1);
        EM<Axes> em(pass_over(passes), false, model, halves, {sums, 2, d_});
        const StopRule rule{ENOUGH, NOT_A_NUMBER, MOST_E_STEPS, -INFINITE, MOST_E_STEPS, false};
        if (em.run(rule, [] { return false; }) == COLLAPSED) return;
        const ConstVector counts = Sums<Axes>{sums, 2, d_}.counts();
        const double gain = em.trace.back() - before;
        if (!(std::min(counts[0], counts[1]) > least) || !(gain > out.gains[k])) return;
        out.gains[k] = gain;
        assign(out.shares.part(2 * k, 2 * k + 2), halves.weights());
        assign(out.means.part(2 * k, 2 * k + 2).flat(), halves.means().flat());
        assign(out.covariances.part(2 * k, 2 * k + 2).flat(), halves.covariances().flat());
    }

    // Two components of one covariance: rows nearer to one or to the other of two. False if one has
    // no rows.
    bool halve(ConstMatrix x, ConstMatrix z, ConstVector own, ConstVector uniforms,
               const Structure &structure, Parameters<Axes> out) {
        const Index m = x.shape[0];
        Numbers from_first(m), weighted(m);
        LabelNumbers labels(m);
        const auto square = [&](Index a, Index b) {
            double s = 0.0;
            for (Index j = 0; j < d_; ++j) s += (z(a, j) - z(b, j)) * (z(a, j) - z(b, j));
            return s;
        };
        const Index first = at(uniforms[0], own);
        for (Index b = 0; b < m; ++b) {
            from_first[b] = square(b, first);
            weighted[b] = own[b] * from_first[b];
        }
        const Index second = at(uniforms[1], weighted);
        for (Index b = 0; b < m; ++b) labels[b] = square(b, second) < from_first[b];
        Numbers counts(2);
        Table pooled(Axes == 2 ? 1 : d_, d_);
        if (!partition_start(x, own, labels, counts, out.means(), pooled)) return false;
        const double total = counts[0] + counts[1];
        scale(pooled.flat(), 1.0 / total);
        if (structure.shape == IDENTITY) {
            const double mean = sum(pooled.flat()) / static_cast<double>(d_);
            fill(pooled.flat(), mean);
        }
        for (Index c = 0; c < 2; ++c) {
            out.weights()[c] = counts[c] / total;
            assign(out.covariances()[c].flat(), pooled.flat());
        }
        return true;
    }

    const Index n_, k_, d_, width_;
    ConstVector weights_;
    ConstMatrix means_;
    View<const double, Axes> covariances_;
    const Rows &rows_;
    Gaussians<Axes> mixture_, one_;
    Numbers row_weights_, densities_;
    Table joint_, shares_;  // l_kb and r_kb, (K, n)
    Owned<double, Axes - 1> total_covariance_;
    Workspace work_;  // all rows as one block
    double total_ = 0.0;
    Index bad_ = 0;
};

}  // namespace bayesgmm
