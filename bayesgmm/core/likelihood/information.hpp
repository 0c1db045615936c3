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

// Sums over rows of r f f' (K, q, q) and of v g g' (K q, K q): lower triangles.
class InformationSums {
public:
    InformationSums(const Rows &rows, ConstVector weights, const Gaussians<3> &mixture)
        : rows_(rows), weights_(weights), mixture_(mixture), k_(mixture.k()), d_(mixture.d()),
          q_(1 + d_ + d_ * (d_ + 1) / 2), work_(k_, d_), f_(q_, STRIDE), rf_(k_ * q_, STRIDE),
          g_(rows.weights.empty() ? 0 : k_ * q_, STRIDE) {}

    static Index size(Index k, Index d) {
        const Index q = 1 + d + d * (d + 1) / 2;
        return k * q * q + k * q * k * q;
    }

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
        const Matrix products = out.part(moments.size(), out.size()).reshaped(k_ * q_, k_ * q_);
        const ConstVector weights =
            rows_.weights.empty() ? rows_.weights : rows_.weights.part(start, start + count);
        log_joint(mixture_, count, work_.xt, work_.joint);
        normalise(work_.joint, count, weights);
        for (Index c = 0; c < k_; ++c) {
            derivatives(c, to_strips(count));
            const Matrix rf = rf_.view().part(c * q_, (c + 1) * q_);
            for (Index m = 0; m < q_; ++m)
                for (Index b = 0; b < to_strips(count); ++b)
                    rf(m, b) = work_.joint(c, b) * f_(m, b);
            add_lower(rf, f_, to_strips(count), moments[c]);
        }
        if (weights.empty()) return add_lower(rf_, rf_, to_strips(count), products);
        for (Index b = 0; b < to_strips(count); ++b) {
            const double v = b < count ? weights[b] : 0.0;
            const double inverse = v > 0.0 ? 1.0 / v : 0.0;
            for (Index m = 0; m < k_ * q_; ++m) g_(m, b) = rf_(m, b) * inverse;
        }
        add_lower(rf_, g_, to_strips(count), products);
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

    const Rows rows_;
    const ConstVector weights_;
    const Gaussians<3> &mixture_;
    const Index k_, d_, q_;
    Workspace work_;
    // Transposed: derivatives, r f of all components, and g where rows have weights.
    Table f_, rf_, g_;
};

}  // namespace bayesgmm
