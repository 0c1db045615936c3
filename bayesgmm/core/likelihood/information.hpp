// Observed information and the outer products of the rows' scores, in one pass.
//
// In coordinates of component k in which its Gaussian is standard,
//
//     w_k,   a with mu_k + L_k a,   E symmetric with L_k (I + E) L_k',        L_k L_k' = Sigma_k,
//
// and with z = L_k^-1 (x - mu_k), the derivatives of l_k = log w_k N(x | mu_k, Sigma_k) are
//
//     f_k = (1 / w_k,  z,  (z z' - I) / 2),
//
// of which E's lower triangle is kept by rows: q = 1 + D + D (D + 1) / 2 numbers. The row's score is
// g = (r_1 f_1, ..., r_K f_K). The sums over rows of r_k f_k f_k' and of g g' (Louis 1982, JRSS B 44,
// 226-233, equation 3.2; Boldea & Magnus 2009, JASA 104, 1539-1549) are what this pass makes beyond
// the statistics of every pass. Rows are taken a block at a time: no array of n x anything is made.
#pragma once

#include "likelihood/memberships.hpp"

namespace bayesgmm {

// Sums over rows of r f f' (K, q, q), of v g g' (K q, K q) and, of rows seen in part, of r times
// second derivatives (K, q, q): lower triangles. Where there is noise, of weight w_0, the weights
// here are those of rows that are not noise, (1 - w_0) w_k above, and g has one more entry for w_0.
class InformationSums {
public:
    InformationSums(const Rows &rows, ConstVector weights, const Gaussians<3> &mixture)
        : rows_(rows), weights_(weights), mixture_(mixture), k_(mixture.k()), d_(mixture.d()),
          q_(1 + d_ + d_ * (d_ + 1) / 2), m_(k_ * q_ + rows.known.n_densities(0)),
          work_(rows.known.n_densities(k_), d_), f_(q_, STRIDE), rf_(m_, STRIDE),
          g_(rows.weights.empty() ? 0 : m_, STRIDE), of_(mixture, LaneRows::padded(d_)) {}

    Index size() const { return (rows_.partial ? 2 : 1) * k_ * q_ * q_ + m_ * m_; }

    void run(Vector out) {
        const Index n = rows_.x.shape[0], chunks = n_chunks(n);
        Table stack(n_levels(chunks), out.size());
        sum_leaves(0, chunks, stack, out, [&](Index chunk, Vector leaf) {
            const Index last = std::min((chunk + 1) * CHUNK, n);
            each_block(rows_, chunk * CHUNK, last, work_,
                       [&](Index start, Index count) { add_block(start, count, leaf); });
        });
    }

private:
    void add_block(Index start, Index count, Vector out) {
        const Matrices moments = out.part(0, k_ * q_ * q_).reshaped(k_, q_, q_);
        const Index products_end = moments.size() + m_ * m_;
        const Matrix products = out.part(moments.size(), products_end).reshaped(m_, m_);
        const Matrices seconds =
            out.part(products_end, out.size()).reshaped(rows_.partial ? k_ : 0, q_, q_);
        const ConstVector weights =
            rows_.weights.empty() ? rows_.weights : rows_.weights.part(start, start + count);
        log_joint_of_block(rows_, start, count, mixture_, work_);
        normalise(work_.joint, count, weights);
        for (Index c = 0; c < k_; ++c) {
            if (rows_.partial)
                partial_derivatives(c, start, count, seconds[c]);
            else
                derivatives(c, to_strips(count));
            const Matrix rf = rf_.view().part(c * q_, (c + 1) * q_);
            for (Index m = 0; m < q_; ++m)
                for (Index b = 0; b < to_strips(count); ++b)
                    rf(m, b) = work_.joint(c, b) * f_(m, b);
            add_lower(rf, f_, to_strips(count), moments[c]);
        }
        if (m_ > k_ * q_) add_noise(to_strips(count));
        if (weights.empty()) return add_lower(rf_, rf_, to_strips(count), products);
        for (Index b = 0; b < to_strips(count); ++b) {
            const double v = b < count ? weights[b] : 0.0;
            const double inverse = v > 0.0 ? 1.0 / v : 0.0;
            for (Index m = 0; m < m_; ++m) g_(m, b) = rf_(m, b) * inverse;
        }
        add_lower(rf_, g_, to_strips(count), products);
    }

    // r_0 / w_0 - sum_k r_k / (1 - w_0): the score of the weight of noise.
    void add_noise(Index count) {
        const double weight = std::exp(mixture_.log_noise_weight);
        const Vector g = rf_[k_ * q_];
        for (Index b = 0; b < count; ++b) {
            double others = 0.0;
            for (Index c = 0; c < k_; ++c) others += work_.joint(c, b);
            g[b] = work_.joint(k_, b) / weight - others / (1.0 - weight);
        }
    }

    static void add_lower(ConstMatrix a, ConstMatrix b, Index count, Matrix out) {
        for (Index i = 0; i < out.shape[0]; i += TILE) {
            const Index m = std::min<Index>(TILE, out.shape[0] - i);
            add_row_products(m, a.part(i, i + m), i, b, count, out);
        }
    }

    // Fill f (q, rows) of component c.
    void derivatives(Index c, Index count) {
        const ConstMatrix p = mixture_.factors.view()[c];
        fill(f_[0].part(0, count), 1.0 / weights_[c]);
        for (Index i = 0; i < d_; ++i) {
            const Vector z = f_[1 + i].part(0, count);
            fill(z, mixture_.offsets.view()(c, i));
            for (Index j = 0; j <= i; ++j) add_scaled(z, p(i, j), work_.xt[j].part(0, count));
        }
        for (Index i = 0, at = 1 + d_; i < d_; ++i)
            for (Index j = 0; j <= i; ++j, ++at)
                for (Index b = 0; b < count; ++b) {
                    const double zz = f_(1 + i, b) * f_(1 + j, b);
                    f_(at, b) = i == j ? 0.5 * (zz - 1.0) : zz;
                }
    }

    // As above, of rows seen in part; adds r times the second derivatives to `seconds`.
    void partial_derivatives(Index c, Index start, Index count, Matrix seconds) {
        LaneRows lanes(rows_, k_);
        for (Index b = 0; b < to_strips(count); b += LANES) {
            lanes.load_rows(start + b, std::clamp<Index>(count - b, 0, LANES));
            lanes.log_joint(of_, mixture_.means.view()[c], 0.0, c, true);
            const auto z = [&](Index i) { return lanes.z(c, i); };
            const auto g = [&](Index i, Index j) {
                return lanes.gram(c, i < j ? j * (j + 1) / 2 + i : i * (i + 1) / 2 + j);
            };
            store(splat(1.0 / weights_[c]), &f_(0, b));
            for (Index i = 0, at = 1 + d_; i < d_; ++i) {
                store(z(i), &f_(1 + i, b));
                for (Index j = 0; j <= i; ++j, ++at)
                    store(part_of(i, j) * (z(i) * z(j) - g(i, j)), &f_(at, b));
            }
            add_second_derivatives(load(&work_.joint(c, b)), weights_[c], z, g, seconds);
        }
    }

    // An entry of E on the diagonal stands for one of its places, others for two.
    static double part_of(Index i, Index j) { return i == j ? 0.5 : 1.0; }

    template <class Z, class G>
    void add_second_derivatives(Vec r, double weight, const Z &z, const G &g, Matrix out) const {
        out(0, 0) -= sum_of_lanes(r) / (weight * weight);
        for (Index i = 0, at = 1 + d_; i < d_; ++i) {
            for (Index j = 0; j <= i; ++j) out(1 + i, 1 + j) -= sum_of_lanes(r * g(i, j));
            for (Index j = 0; j <= i; ++j, ++at) {
                const double part = part_of(i, j);
                for (Index l = 0; l < d_; ++l)
                    out(at, 1 + l) -= part * sum_of_lanes(r * (g(l, i) * z(j) + g(l, j) * z(i)));
                Index other = 1 + d_;
                for (Index l = 0; other <= at; ++l)
                    for (Index m = 0; m <= l && other <= at; ++m, ++other) {
                        const Vec apart = z(j) * z(m) * g(i, l) + z(j) * z(l) * g(i, m) +
                                          z(i) * z(m) * g(j, l) + z(i) * z(l) * g(j, m);
                        const Vec h = g(i, l) * g(j, m) + g(i, m) * g(j, l) - apart;
                        out(at, other) += part * part_of(l, m) * sum_of_lanes(r * h);
                    }
            }
        }
    }

    const Rows rows_;
    const ConstVector weights_;
    const Gaussians<3> &mixture_;
    const Index k_, d_, q_, m_;
    Workspace work_;
    // Transposed: derivatives, r f of all components, and g where rows have weights.
    Table f_, rf_, g_;
    const RootsAndCovariances of_;
};

}  // namespace bayesgmm
