// Unconstrained coordinates of covariances: free ones, and those of which components share parts.
//
// A free covariance has Sigma^-1 = P' P, P = Q A^-1 with Q lower triangular: its coordinates q hold
// the rows of Q, logs in the place of the diagonal. A is the frame (log_posterior.hpp).
//
// Sigma_k = lambda_k D_k A_k D_k' (volume, shape of determinant 1, orientation) of which components
// share some parts has the coordinates of each part that is a component's own, and of each that is
// shared:
//
//     volume         v_k = -log(lambda_k) / 2, but for a constant
//     shape          with variances: s_kj = -log(A_kj) / 2, but the last, as their sum is 0
//     and axes       where these are shared alike: rows of Q_k / |Q_k|^(1/D) likewise
//     shape          beside orientations: s_kj; where the shape is shared, the logs of the steps
//                    s_j+1 - s_j > 0, as components have their axes in one order
//     orientation    D_k = R (I - O)^-1 (I + O) with O skew of entries sinh z (Cayley's chart about
//                    R, which reaches all rotations once, with tails that a sampler can follow)
//
// The measure in which densities are stated is the volume that the Fisher metric, the sum over
// components of tr (Sigma^-1 dSigma)^2, gives the structure. In these coordinates it is constant for
// volumes and s; prod_i Q_ii^(i - D) for triangular Q; and for orientations Haar's measure,
// |I - O|^-(D - 1), times the product over pairs of axes of
//
//     ( sum_k sinh^2(s_ki - s_kj) )^(1/2)         over the components with these axes.
#pragma once

#include "linear_algebra/factors.hpp"

namespace bayesgmm {

// P = Q A^-1
inline void place_factor(ConstMatrix frame_inverse, ConstVector q, Matrix p) {
    fill(p.flat(), 0.0);
    for (Index i = 0, at = 0; i < p.shape[0]; ++i)
        for (Index m = 0; m <= i; ++m, ++at)
            add_scaled(p[i].part(0, m + 1), m < i ? q[at] : std::exp(q[at]),
                       row_of(frame_inverse, m));
}
inline void place_factor(ConstVector frame_inverse, ConstVector q, Vector p) {
    for (Index j = 0; j < p.size(); ++j)
        p[j] = std::exp(q[std::min(j, q.size() - 1)]) * frame_inverse[j];
}

enum Part : int { VOLUME, SHAPE, ORIENTATION };

// The parts of covariances that components share.
struct Sharing {
    bool tied = false;  // some are shared, and some are not
    std::array<bool, 3> shared{};
    ConstMatrix reference = {};  // (D, D): R, where orientations have coordinates; else empty

    bool has_axes() const { return !reference.empty(); }
    // Coordinates of each part, where a free covariance of d features has `block`.
    std::array<Index, 3> sizes(Index d, Index block) const {
        if (has_axes()) return {1, d - 1, d * (d - 1) / 2};
        return {1, block - 1, 0};
    }
    // Coordinates of k covariances.
    Index size(Index k, Index d, Index block) const {
        const auto each = sizes(d, block);
        Index total = 0;
        for (int part = 0; part < 3; ++part) total += shared[part] ? each[part] : k * each[part];
        return total;
    }
};

// Coordinates of covariances that share parts, or a gradient in them: those of each component, then
// those that all share.
template <class T>
class TiedCoordinates {
public:
    TiedCoordinates(const Sharing &of, View<T, 1> all, Index k, Index d, Index block)
        : all_(all), shared_(of.shared), sizes_(of.sizes(d, block)) {
        for (int part = 0; part < 3; ++part) own_ += shared_[part] ? 0 : sizes_[part];
        after_own_ = k * own_;
    }
    View<T, 1> operator()(Part part, Index component) const {
        Index at = shared_[part] ? after_own_ : component * own_;
        for (int before = 0; before < part; ++before)
            if (shared_[before] == shared_[part]) at += sizes_[before];
        return all_.part(at, at + sizes_[part]);
    }

private:
    View<T, 1> all_;
    std::array<bool, 3> shared_;
    std::array<Index, 3> sizes_;
    Index own_ = 0, after_own_ = 0;
};

// --- shapes by triangular or diagonal factors ----------------------------------------------------

// The place of the log of Q_ii in coordinates of a triangular or diagonal Q.
template <int Axes>
Index pivot_place(Index i) {
    return Axes == 3 ? i * (i + 3) / 2 : i;
}

// P = e^v Q A^-1, where the pivots of Q have the product 1.
template <int Axes, class Frame, class Factor>
void place_scaled(Frame frame_inverse, double volume, ConstVector shape, Factor p) {
    const Index d = p.shape[0], last = shape.size();
    Numbers q(last + 1);
    assign(q.part(0, last), shape);
    for (Index i = 0; i + 1 < d; ++i) q(last) -= shape[pivot_place<Axes>(i)];
    place_factor(frame_inverse, q, p);
    scale(p.flat(), std::exp(volume));
}

// Add the gradient in volume and shape from that in P, and the measure of a shape (once for all
// components that have it); returns the log of the measure.
template <int Axes, class Frame, class Factor, class Gradient>
double pull_scaled(Frame frame_inverse, double volume, ConstVector shape, bool with_measure,
                   Factor p, Gradient d_p, double &d_volume, Vector d_shape) {
    const Index d = p.shape[0], last = shape.size();
    const double factor = std::exp(volume);
    Numbers slopes(last + 1);
    double value = 0.0, left = 0.0;
    for (Index i = 0, at = 0; i < d; ++i) {
        const ConstVector row = row_of(d_p, i);
        d_volume += inner_product(row, row_of(p, i));
        for (Index j = i + 1 - row.size(); j <= i; ++j, ++at) {
            const ConstVector of_frame = row_of(frame_inverse, j);
            slopes(at) = factor * inner_product(row.part(0, of_frame.size()), of_frame);
        }
        const double log_pivot = at - 1 < last ? shape[at - 1] : -left;
        left += log_pivot;
        slopes(at - 1) *= std::exp(log_pivot);
        if (!with_measure) continue;
        const auto power = static_cast<double>(row.size() - row_of(d_p, d - 1).size());
        value += power * log_pivot;
        slopes(at - 1) += power;
    }
    accumulate(d_shape, slopes.part(0, last));
    for (Index i = 0; i + 1 < d; ++i) d_shape[pivot_place<Axes>(i)] -= slopes(last);
    return value;
}

// --- orientations --------------------------------------------------------------------------------

// Replace a matrix of positive definite symmetric part by its inverse; the log of its determinant.
inline double invert_in_place(Matrix a) {
    const Index d = a.shape[0];
    double log_det = 0.0;
    for (Index p = 0; p < d; ++p) {
        const double whole = std::exchange(a(p, p), 1.0);
        log_det += std::log(whole);
        scale(a[p], 1.0 / whole);
        for (Index i = 0; i < d; ++i)
            if (i != p) add_scaled(a[i], -std::exchange(a(i, p), 0.0), a[p]);
    }
    return log_det;
}

// An orientation at its coordinates z.
struct Orientation {
    Table inverse;   // M = (I - O)^-1
    Table axes;      // D': axes as rows
    double log_det;  // log |I - O|

    Orientation(ConstMatrix reference, ConstVector z)
        : inverse(reference.shape[0], reference.shape[0]), axes(inverse.view().shape) {
        const Index d = reference.shape[0];
        for (Index i = 0, at = 0; i < d; ++i) {
            inverse(i, i) = 1.0;
            for (Index j = 0; j < i; ++j, ++at) {
                inverse(j, i) = std::sinh(z[at]);
                inverse(i, j) = -inverse(j, i);
            }
        }
        log_det = invert_in_place(inverse);
        // D = R (2 M - I)
        for (Index j = 0; j < d; ++j)
            for (Index l = 0; l < d; ++l) {
                axes(j, l) = -reference(l, j);
                for (Index i = 0; i < d; ++i) axes(j, l) += 2.0 * inverse(i, j) * reference(l, i);
            }
    }
    // Add the gradient in z from the slopes tr(Z D'dD) and Haar's measure; the log of the measure.
    double pull(ConstMatrix z_slopes, ConstVector z, Vector d_z) const {
        const Index d = z_slopes.shape[0];
        const auto rest = static_cast<double>(d - 1);
        Table half(d, d);
        for (Index i = 0; i < d; ++i) add_rows(half[i], 1.0, inverse[i], z_slopes);
        double value = -rest * log_det;
        for (Index i = 0, at = 0; i < d; ++i)
            for (Index j = 0; j < i; ++j, ++at) {
                // dO has the slopes -4 (M Z M')_ij, and those of the measure.
                double slope = -4.0 * inner_product(half[i], inverse[j]);
                slope += rest * (inverse.view()(j, i) - inverse.view()(i, j));
                d_z[at] += slope * std::cosh(z[at]) + std::tanh(z[at]);
                value += std::log(std::cosh(z[at]));
            }
        return value;
    }
};

// The lower triangular P with P'P = B'B, from the columns of B (as rows), which are overwritten
// (Householder's QR factorisation, from the last column on).
inline void make_lower(Matrix columns, Matrix p) {
    fill(p.flat(), 0.0);
    for (Index i = p.shape[0] - 1; i >= 0; --i) {
        const Vector v = columns[i].part(0, i + 1);
        const auto [beta, end] = householder(v);
        const double sign = end < 0.0 ? -1.0 : 1.0;
        p(i, i) = sign * end;
        for (Index j = 0; j < i; ++j) {
            const Vector row = columns[j].part(0, i + 1);
            add_scaled(row, -beta * inner_product(row, v), v);
            p(i, j) = sign * row[i];
        }
    }
}

// Shapes s of all components, (K, D), from their coordinates.
inline void place_shapes(const Sharing &sharing, const TiedCoordinates<const double> &at,
                         Matrix s) {
    const auto [k, d] = s.shape;
    for (Index c = 0; c < k; ++c) {
        const ConstVector shape = at(SHAPE, c);
        s(c, d - 1) = 0.0;
        for (Index j = 0; j + 1 < d; ++j) {
            if (!sharing.shared[SHAPE]) {
                s(c, j) = shape[j];
                s(c, d - 1) -= shape[j];
                continue;
            }
            const double step = std::exp(shape[j]), share = static_cast<double>(j + 1);
            for (Index i = 0; i < d; ++i)
                s(c, i) = (j == 0 ? 0.0 : s(c, i)) + (i > j ? step : 0.0) -
                          step * (1.0 - share / static_cast<double>(d));
        }
    }
}

// Add the gradient in the coordinates of a shape from that in s; the measure of steps once.
inline double pull_shape(bool shared, bool with_measure, ConstVector d_s, ConstVector shape,
                         Vector d_shape) {
    const Index d = d_s.size();
    if (!shared) {
        for (Index j = 0; j + 1 < d; ++j) d_shape[j] += d_s[j] - d_s[d - 1];
        return 0.0;
    }
    double value = 0.0, above = 0.0;
    const double total = sum(d_s);
    for (Index j = d - 1; j > 0; --j) {
        above += d_s[j];
        const double share = static_cast<double>(d - j) / static_cast<double>(d);
        d_shape[j - 1] += (above - share * total) * std::exp(shape[j - 1]);
        if (!with_measure) continue;
        d_shape[j - 1] += 1.0;
        value += shape[j - 1];
    }
    return value;
}

// Covariances by their axes: variances a_kj = c^2 exp(-2 (v_k + s_kj)) along the axes of D_k.
class AxesChart {
public:
    AxesChart(const Sharing &sharing, TiedCoordinates<const double> at, double unit, Index k)
        : sharing_(sharing), at_(at), s_(k, sharing.reference.shape[0]), a_(s_.view().shape) {
        place_shapes(sharing, at, s_);
        for (Index c = 0; c < k; ++c) {
            if (c == 0 || !sharing.shared[ORIENTATION])
                orientations_.emplace_back(sharing.reference, at(ORIENTATION, c));
            for (Index j = 0; j < a_.view().shape[1]; ++j)
                a_(c, j) = unit * unit * std::exp(-2.0 * (at(VOLUME, c)[0] + s_(c, j)));
        }
    }
    // Factors P of all components.
    //
    // P'P = B'B with B = a^(-1/2) D', so that P follows from B by reflections, with all digits of
    // the least variance.
    void place(Matrices factors) const {
        const Index d = factors.shape[1];
        Table columns(d, d);  // of B, as rows
        for (Index c = 0; c < factors.shape[0]; ++c) {
            const ConstMatrix axes = orientation(c).axes;
            for (Index j = 0; j < d; ++j)
                for (Index i = 0; i < d; ++i)
                    columns(i, j) = axes(j, i) / std::sqrt(a_.view()(c, j));
            make_lower(columns, factors[c]);
        }
    }
    // Add the gradient in the coordinates, but for the measure of Sigma, from that in P; returns
    // the log of the measure.
    double pull(ConstMatrices factors, ConstMatrices d_factors, TiedCoordinates<double> slope) {
        const auto [k, d] = s_.view().shape;
        Table d_s(k, d);
        Tables turns(static_cast<Index>(orientations_.size()), d, d);
        for (Index c = 0; c < k; ++c)
            add_slopes(c, factors[c], d_factors[c], d_s[c], turns[number(c)]);
        double value = 0.0;
        for (Index o = 0; o < turns.view().shape[0]; ++o) {
            const bool common = sharing_.shared[ORIENTATION];
            value += add_angles(common ? 0 : o, common ? k : o + 1, d_s);
            value += orientations_[static_cast<std::size_t>(o)].pull(turns[o], at_(ORIENTATION, o),
                                                                     slope(ORIENTATION, o));
        }
        for (Index c = 0; c < k; ++c) {
            slope(VOLUME, c)[0] += sum(d_s[c]);
            const bool shared = sharing_.shared[SHAPE];
            value += pull_shape(shared, c == 0, d_s[c], at_(SHAPE, c), slope(SHAPE, c));
        }
        return value;
    }

private:
    const Sharing &sharing_;
    TiedCoordinates<const double> at_;
    Table s_, a_;
    std::vector<Orientation> orientations_;

    Index number(Index c) const { return sharing_.shared[ORIENTATION] ? 0 : c; }
    const Orientation &orientation(Index c) const {
        return orientations_[static_cast<std::size_t>(number(c))];
    }
    // The gradient in s of one component, and Z with tr(Z D'dD) its change as its axes turn.
    //
    // A change dSigma makes dP = -F P, F the lower triangle of E = P dSigma P' with half its
    // diagonal; so a function of slope dP has the slope T in E, the lower triangle of -dP P' / 2,
    // and G = (P D)' T (P D) in D' dSigma D.
    void add_slopes(Index c, ConstMatrix p, ConstMatrix d_p, Vector d_s, Matrix turns) const {
        const Index d = p.shape[0];
        const ConstMatrix axes = orientation(c).axes;
        Table t(d, d), moved(d, d), half(d, d);
        for (Index i = 0; i < d; ++i)
            for (Index j = 0; j < d; ++j) {
                moved(j, i) = inner_product(row_of(p, i), axes[j].part(0, i + 1));
                if (j <= i)
                    t(i, j) = t(j, i) = -0.5 * inner_product(d_p[i].part(0, j + 1), row_of(p, j));
            }
        // Rows of `moved` are the axes in the coordinates of P.
        for (Index i = 0; i < d; ++i) add_rows(half[i], 1.0, moved[i], t);
        for (Index i = 0; i < d; ++i)
            for (Index j = 0; j < d; ++j) {
                const double g = inner_product(half[i], moved[j]);
                if (i == j) d_s[i] -= 2.0 * a_.view()(c, i) * g;
                turns(i, j) += (a_.view()(c, i) - a_.view()(c, j)) * g;
            }
    }
    // Add the gradient of the measure of angles between the axes of components first..last-1.
    double add_angles(Index first, Index last, Matrix d_s) const {
        double value = 0.0;
        for (Index i = 0; i < d_s.shape[1]; ++i)
            for (Index j = 0; j < i; ++j) {
                double squares = 0.0;
                for (Index c = first; c < last; ++c) {
                    const double apart = std::sinh(s_.view()(c, i) - s_.view()(c, j));
                    squares += apart * apart;
                }
                value += 0.5 * std::log(squares);
                for (Index c = first; c < last; ++c) {
                    const double apart = s_.view()(c, i) - s_.view()(c, j);
                    const double slope = std::sinh(apart) * std::cosh(apart) / squares;
                    d_s(c, i) += slope;
                    d_s(c, j) -= slope;
                }
            }
        return value;
    }
};

}  // namespace bayesgmm
