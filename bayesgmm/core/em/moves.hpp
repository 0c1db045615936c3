// What a mixture gains by splitting a component, and loses by leaving one out, by estimate.
//
// EM cannot move a component from where there is one too many to where one is missing (Ueda, Nakano,
// Ghahramani & Hinton 2000, Neural Computation 12, 2109-2128). With the log joint densities l_kb of
// the mixture, log densities l_b and responsibilities r_kb = exp(l_kb - l_b), at row weights v_b,
//
// * a split of component k gains what two components gain over it on the rows, weighted by
//   v_b r_kb, in a few steps of EM;
// * if components i and j become one, m, of the same moments, the log-likelihood changes by
//   sum_b v_b log(1 - r_ib - r_jb + exp(l_mb - l_b));
// * if component i leaves, by sum_b v_b log((1 - r_ib) / (1 - w_i)).
#pragma once

#include "clustering/column_tables.hpp"
#include "clustering/partitions.hpp"
#include "em/em.hpp"
#include "likelihood/memberships.hpp"

namespace bayesgmm {

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
        : rows_(rows), n_(rows.x.shape[0]), k_(weights.size()), d_(rows.x.shape[1]),
          weights_(weights), means_(means), covariances_(covariances), mixture_(k_, d_),
          row_weights_(padded(n_)), densities_(padded(n_)), joint_(k_, padded(n_)),
          shares_(k_, padded(n_)) {
        for (Index b = 0; b < n_; ++b)
            row_weights_[b] = rows.weights.empty() ? 1.0 : rows.weights[b];
        bad_ = factor<Axes>(weights, means, covariances, mixture_);
        if (bad_ > 0) return;
        Workspace work(k_, d_);
        Numbers of_block(STRIDE);
        each_block(rows, 0, n_, work, [&](Index start, Index count) {
            log_joint_of_block(rows, start, count, mixture_, work);
            copy_columns(work.joint, start, count, joint_);
            normalise(work.joint, count, {}, of_block);
            copy_columns(work.joint, start, count, shares_);
            assign(densities_.part(start, start + count), of_block.part(0, count));
        });
    }

    // Whether the mixture has a singular covariance, and no moves.
    bool is_singular() const { return bad_ > 0; }

    // Log-likelihood lost where components i > j become one, and where i = j leaves, (K, K).
    Table losses() {
        Table out(k_, k_);
        Gaussians<Axes> one(1, d_);
        Workspace work(1, d_);
        Numbers together(padded(n_)), mean(d_);
        auto covariance = zeros_like(covariances_.part(0, 1));
        for (Index i = 0; i < k_; ++i) {
            out(i, i) = loss(i, i, together, 0.0, 1.0 / (1.0 - weights_[i]));
            for (Index j = 0; j < i; ++j) {
                const double weight = merge(i, j, mean, covariance[0]);
                if (factor<Axes>(ConstVector{&weight, {1}}, ConstMatrix{mean.data(), {1, d_}},
                                 covariance, one) > 0) {
                    out(i, j) = INFINITE;
                    continue;
                }
                each_block(rows_, 0, n_, work, [&](Index start, Index count) {
                    log_joint_of_block(rows_, start, count, one, work);
                    assign(together.part(start, start + count), work.joint[0].part(0, count));
                });
                out(i, j) = loss(i, j, together, 1.0, 1.0);
            }
        }
        return out;
    }

    // The best of some splits of each component in the structure of `model`; uniforms (K, m, 2) in
    // [0, 1) choose the pairs of rows, far apart in the component's metric, from which they begin.
    // No half has fewer rows than `least`.
    Splits<Axes> splits(const Model &model, ConstMatrices uniforms, double least) {
        Splits<Axes> out(k_, d_);
        for (Index k = 0; k < k_; ++k) {
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
    // A row takes part in a split from this responsibility on. Splits end at this estimated gain, or
    // after so many E-steps.
    static constexpr double NONE = 1e-3, ENOUGH = 1e-2;
    static constexpr Index MOST_E_STEPS = 20;

    static void copy_columns(ConstMatrix from, Index start, Index count, Matrix to) {
        for (Index k = 0; k < to.shape[0]; ++k) std::copy_n(&from(k, 0), count, &to(k, start));
    }

    // -sum_b v_b log(factor (1 - r_ib - r_jb + present exp(l_mb - l_b))), r_jb once for i = j.
    double loss(Index i, Index j, const Numbers &together, double present, double factor) {
        Vec out = {};
        for (Index b = 0; b < joint_.view().shape[1]; b += LANES) {
            Vec left = 1.0 - load(&shares_(i, b));
            if (i != j) left -= load(&shares_(j, b));
            left = greater(left, splat(0.0)) * factor;
            if (present > 0.0)
                left += common_axes::exp_of(load(&together.view()[b]) - load(&densities_[b]));
            left = greater(left, splat(1e-300));
            out -= load(&row_weights_[b]) * log_positive(left);
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
        EM<Axes> em({x, own, zeros, ones}, model, halves, {sums, 2, d_}, 1);
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

    const Rows &rows_;
    const Index n_, k_, d_;
    ConstVector weights_;
    ConstMatrix means_;
    View<const double, Axes> covariances_;
    Gaussians<Axes> mixture_;
    Numbers row_weights_, densities_;
    Table joint_, shares_;  // l_kb and r_kb, (K, n)
    Index bad_ = 0;
};

}  // namespace bayesgmm
