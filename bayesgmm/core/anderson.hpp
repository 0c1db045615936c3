// Anderson acceleration of EM in the metric in which EM is a symmetric contraction.
//
// Near an optimum theta*, one EM step maps theta to theta + f(theta) with f = (I - J)(theta* - theta).
// J is the share of information that the labels hide (Dempster, Laird & Rubin 1977, section 3); it is
// symmetric with eigenvalues in [0, 1) in the inner product of the complete-data information. In
// coordinates where that information is the identity (at a reference mixture)
//
//     sqrt(n / w_k) dw_k,   sqrt(N_k) P_k dmu_k,   sqrt(N_k / 2) P_k dSigma_k P_k'
//
// * the best combination of the last few steps is a least-squares problem in f (Anderson 1965, type
//   II in Fang & Saad 2009, Numer. Linear Algebra Appl. 16, 197-221), here in the right norm;
// * the likelihood still to be gained is f'(I - J)^-1 f / 2 to second order, at most
//   |f|^2 / (2 (1 - largest eigenvalue of J)); the eigenvalue is that of J on the span of the last
//   steps (Rayleigh-Ritz). This is Aitken's extrapolation with the gain formed from the step itself
//   and not as a small difference of large log-likelihoods, so it holds far below their rounding.
#pragma once

#include <cmath>
#include <numeric>

#include "gaussians.hpp"
#include "small_matrices.hpp"

namespace bayesgmm {

// Weights (K,), means (K, D) and covariances (K, D, D) or (K, D), in one vector.
template <int Axes>
struct Parameters {
    Vector all;
    Index k, d;

    static Index size(Index k, Index d) { return k * (1 + d + covariance_size<Axes>(d)); }
    Vector weights() const { return all.part(0, k); }
    Matrix means() const { return all.part(k, k + k * d).reshaped(k, d); }
    View<double, Axes> covariances() const {
        return covariance_view<Axes>(all.data + k * (1 + d), k, d);
    }
    double variance(Index c, Index j) const {
        if constexpr (Axes == 3)
            return covariances()(c, j, j);
        else
            return covariances()(c, j);
    }
};

namespace anderson {

inline constexpr Index DEPTH = 10;
// Numbers that the longest vectors of steps may take together.
inline constexpr Index MOST_NUMBERS = 500'000;
// Share of the way to a combination below which it is given up, and the stretch of the plain step
// that then takes its place.
inline constexpr double LEAST_REACH = 0.1, FIRST_STRETCH = 4.0;
// Steps that have to be seen before they say how slow the slowest direction is.
inline constexpr Index FEWEST_STEPS = 3;
// Nats to gain by one plain step, below which the likelihood counts as quadratic.
inline constexpr double NEAR = 1e-3;

// Least-squares gamma of f on the rows of df, whose products with one another are given.
//
// Normal equations of rows scaled to length 1, by a Cholesky factorisation with pivoting that stops
// where a step adds nothing but rounding to those before it.
inline Numbers combine(ConstMatrix df, ConstMatrix products, ConstVector f) {
    const Index n = df.shape[0];
    Numbers norms(n), right(n), left(n), half(n), gamma(n);
    Table lower(n, n);
    std::vector<Index> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    for (Index i = 0; i < n; ++i) {
        norms[i] = std::max(std::sqrt(products(i, i)), 1e-300);
        right[i] = dot(df[i], f) / norms[i];
        left[i] = 1.0;
    }
    Index rank = 0;
    for (; rank < n; ++rank) {
        const auto best = std::max_element(order.begin() + rank, order.end(),
                                           [&](Index a, Index b) { return left[a] < left[b]; });
        std::iter_swap(order.begin() + rank, best);
        const Index pivot = order[rank];
        if (!(left[pivot] >= 1e-12)) break;
        lower(pivot, rank) = std::sqrt(left[pivot]);
        for (Index i = rank + 1; i < n; ++i) {
            const Index row = order[i];
            double s = products(row, pivot) / (norms[row] * norms[pivot]);
            for (Index c = 0; c < rank; ++c) s -= lower(row, c) * lower(pivot, c);
            lower(row, rank) = s / lower(pivot, rank);
            left[row] -= lower(row, rank) * lower(row, rank);
        }
    }
    for (Index m = 0; m < rank; ++m) {
        double s = right[order[m]];
        for (Index c = 0; c < m; ++c) s -= lower(order[m], c) * half[c];
        half[m] = s / lower(order[m], m);
    }
    for (Index m = rank - 1; m >= 0; --m) {
        double s = half[m];
        for (Index i = m + 1; i < rank; ++i) s -= lower(order[i], m) * gamma[order[i]];
        gamma[order[m]] = s / lower(order[m], m);
    }
    for (Index i = 0; i < n; ++i) gamma[i] /= norms[i];
    return gamma;
}

// Smallest Ritz value of I - J on the span of the rows of dx; both are scaled to dx of length 1.
inline double slowest(Matrix dx, Matrix df) {
    const Index n = dx.shape[0];
    Table inner(n, n), vectors(n, n), image(n, n);
    Numbers values(n);
    for (Index i = 0; i < n; ++i) {
        const double length = std::max(std::sqrt(dot(dx[i], dx[i])), 1e-300);
        scale(dx[i], 1.0 / length);
        scale(df[i], 1.0 / length);
        for (Index j = 0; j <= i; ++j) inner(i, j) = inner(j, i) = dot(dx[i], dx[j]);
    }
    eigen_symmetric(inner, values, vectors);
    Index rank = 0;
    while (rank < n && values[rank] > 1e-8 * values[0]) ++rank;
    Table half(n, rank), turned(rank, rank), found(rank, rank);
    Numbers ritz(rank);
    for (Index a = 0; a < n; ++a)
        for (Index b = 0; b < n; ++b) {
            const double product = dot(dx[a], df[b]);
            for (Index j = 0; j < rank; ++j)
                half(a, j) += product * vectors(b, j) / std::sqrt(values[j]);
        }
    for (Index i = 0; i < rank; ++i)
        for (Index j = 0; j < rank; ++j) {
            double s = 0.0;
            for (Index a = 0; a < n; ++a) s += vectors(a, i) * half(a, j);
            s /= std::sqrt(values[i]);
            turned(i, j) -= 0.5 * s;
            turned(j, i) -= 0.5 * s;
        }
    eigen_symmetric(turned, ritz, found);
    return ritz[rank - 1];
}

}  // namespace anderson

// What has been seen of one EM run: proposes steps, and estimates what is left to gain.
template <int Axes>
class Acceleration {
public:
    Acceleration(Index k, Index d) : k_(k), d_(d), size_(Parameters<Axes>::size(k, d)) {
        // Long vectors keep fewer steps: this memory stays near that of the mixture.
        depth_ = std::clamp<Index>(anderson::MOST_NUMBERS / size_, 2, anderson::DEPTH);
        for (Table *each : {&dx_, &df_, &dimage_}) *each = Table(depth_, size_);
        products_ = Table(depth_, depth_);
        points_ = Tables(2, 3, size_);
        gains_ = Numbers(depth_);
        step_ = Numbers(size_);
        w_scales_ = Numbers(k), n_scales_ = Numbers(k), reference_ = Numbers(k * (1 + d));
        fill(reference_, NOT_A_NUMBER);
        row_ = Numbers(d);
    }

    // Take in a point and its EM image. `mixture` is factored at theta; counts (K,) weigh its
    // components in the complete-data information.
    void observe(Parameters<Axes> theta, Parameters<Axes> image, ConstVector counts,
                 const Gaussians<Axes> &mixture) {
        now_ = 1 - now_;
        if (!is_near_reference(theta)) {
            refer(theta, counts, mixture);
            used_ = 0;
            newest_ = -1;
            seen_ = false;
        }
        const Matrix here = points_[now_], before = points_[1 - now_];
        assign(here[0], theta.all);
        assign(here[1], image.all);
        subtract(here[1], here[0], step_);
        to_coordinates(step_, here[2]);
        const double last = gain_;
        gain_ = 0.5 * dot(here[2], here[2]);
        if (seen_) keep_step(here, before, std::max(last, gain_));
        seen_ = true;
    }

    // Nats still to be gained from the last point, by estimate: the plain step's own gain over the
    // least Ritz value of I - J. Where a lower bound exceeds `enough` already, that is returned; so is
    // the plain gain where rounding alone makes as much.
    double remaining(double enough) const {
        if (gain_ > enough || gain_ <= std::max(rounding_, 1e-26)) return gain_;
        if (used_ > 0 && gains_.view()[newest_] < anderson::NEAR) {
            // The last step's own quotient is no less than the least Ritz value.
            const ConstVector dx = dx_.view()[newest_];
            const double quotient = -dot(dx, df_.view()[newest_]) / std::max(dot(dx, dx), 1e-300);
            const double bound = gain_ / std::min(quotient, 1.0);
            if (quotient > 0.0 && bound > enough) return bound;
        }
        // Steps from where the likelihood was not yet quadratic say nothing about J here.
        Index near = 0;
        Table dx(used_, size_), df(used_, size_);
        for (Index i = 0; i < used_; ++i)
            if (gains_.view()[i] < anderson::NEAR) {
                assign(dx[near], dx_.view()[i]);
                assign(df[near++], df_.view()[i]);
            }
        if (near < anderson::FEWEST_STEPS) return INFINITE;
        const double least = anderson::slowest(dx.view().part(0, near), df.view().part(0, near));
        return least > 0.0 ? gain_ / std::min(least, 1.0) : INFINITE;
    }

    // Fill `out` with a point ahead of the plain step; false before there are steps to combine.
    //
    // Normally the best combination of the last steps. Where that keeps failing the likelihood is
    // not concave: the combination, which looks for a zero of f, points back to a saddle. The plain
    // step, which points uphill, is then stretched (Salakhutdinov & Roweis 2003, adaptive
    // overrelaxed EM).
    bool propose(Vector out) {
        if (used_ == 0) return false;
        const Matrix here = points_[now_];
        assign(out, here[1]);
        if (stretch_ > 0.0) {
            subtract(here[1], here[0], step_);
            add_scaled(out, stretch_, step_);
            return true;
        }
        const Numbers gamma = anderson::combine(df_.view().part(0, used_), products_, here[2]);
        for (Index m = 0; m < used_; ++m) add_scaled(out, -reach_ * gamma.view()[m], dimage_[m]);
        return true;
    }

    // Whether the last proposal won likelihood: how far the next one goes, and which way.
    void learn(bool better) {
        if (stretch_ > 0.0) {
            stretch_ = better ? 2.0 * stretch_ : 0.0;
            if (!better) used_ = 0, newest_ = -1;
            return;
        }
        reach_ = better ? std::min(1.0, 2.0 * reach_) : 0.25 * reach_;
        if (reach_ < anderson::LEAST_REACH) reach_ = 1.0, stretch_ = anderson::FIRST_STRETCH;
    }

private:
    static void subtract(ConstVector a, ConstVector b, Vector out) {
        for (Index i = 0; i < out.size(); ++i) out[i] = a[i] - b[i];
    }

    // Whether no weight or variance has left [1/2, 2] times what it was at the reference.
    bool is_near_reference(Parameters<Axes> theta) const {
        const auto within = [](double value, double reference) {
            return 0.5 < value / reference && value / reference < 2.0;
        };
        const ConstVector reference = reference_.view();
        for (Index c = 0; c < k_; ++c) {
            if (!within(theta.weights()[c], reference[c])) return false;
            for (Index j = 0; j < d_; ++j)
                if (!within(theta.variance(c, j), reference[k_ + c * d_ + j])) return false;
        }
        return true;
    }

    // Take coordinates in which the complete-data information at theta is the identity.
    void refer(Parameters<Axes> theta, ConstVector counts, const Gaussians<Axes> &mixture) {
        const double total = sum(counts);
        for (Index c = 0; c < k_; ++c) {
            reference_[c] = theta.weights()[c];
            w_scales_[c] = std::sqrt(total / theta.weights()[c]);
            n_scales_[c] = std::sqrt(counts[c]);
            for (Index j = 0; j < d_; ++j) reference_[k_ + c * d_ + j] = theta.variance(c, j);
        }
        factors_ = mixture.factors;
        rounding_ = gain_of_rounding(theta, counts);
    }

    // What |f|^2 / 2 amounts to where means and covariances move by their rounding alone: with
    // a = |P| |mu| and b = |P| sqrt(diag Sigma), N (|a|^2 + |b|^4 / 2) eps^2 / 2 of each component.
    double gain_of_rounding(Parameters<Axes> theta, ConstVector counts) {
        double total = 0.0;
        for (Index c = 0; c < k_; ++c) {
            double means = 0.0, covariances = 0.0;
            for (Index i = 0; i < d_; ++i) {
                double a = 0.0, b = 0.0;
                for (Index j = Axes == 3 ? 0 : i; j <= i; ++j) {
                    double p;
                    if constexpr (Axes == 3)
                        p = std::abs(factors_(c, i, j));
                    else
                        p = factors_(c, i);
                    a += p * std::abs(theta.means()(c, j));
                    b += p * std::sqrt(theta.variance(c, j));
                }
                means += a * a;
                covariances += b * b;
            }
            total += counts[c] * (means + 0.5 * covariances * covariances);
        }
        return 0.5 * EPS * EPS * total;
    }

    void keep_step(ConstMatrix here, ConstMatrix before, double gain) {
        newest_ = (newest_ + 1) % depth_;
        used_ = std::min(used_ + 1, depth_);
        gains_[newest_] = gain;
        subtract(here[1], before[1], dimage_[newest_]);
        subtract(here[2], before[2], df_[newest_]);
        subtract(here[0], before[0], step_);
        to_coordinates(step_, dx_[newest_]);
        for (Index i = 0; i < depth_; ++i)
            products_(newest_, i) = products_(i, newest_) = dot(df_[newest_], df_[i]);
    }

    // Coordinates of a difference of two parameter vectors.
    void to_coordinates(ConstVector step, Vector out) {
        for (Index c = 0; c < k_; ++c) out[c] = step[c] * w_scales_[c];
        Index at = k_;
        for (Index c = 0; c < k_; ++c, at += d_)
            of_mean(c, step.part(at, at + d_), out.part(at, at + d_));
        const Index m = covariance_size<Axes>(d_);
        for (Index c = 0; c < k_; ++c, at += m)
            of_covariance(c, step.part(at, at + m), out.part(at, at + m));
    }

    void of_mean(Index c, ConstVector step, Vector out) {
        for (Index i = 0; i < d_; ++i) {
            if constexpr (Axes == 3)
                out[i] = n_scales_[c] * dot(factors_[c][i].part(0, i + 1), step.part(0, i + 1));
            else
                out[i] = n_scales_[c] * factors_(c, i) * step[i];
        }
    }

    void of_covariance(Index c, ConstVector step, Vector out) {
        const double factor = std::sqrt(0.5) * n_scales_[c];
        if constexpr (Axes == 3) {
            const Matrix p = factors_[c];
            for (Index i = 0; i < d_; ++i) {
                fill(row_, 0.0);
                for (Index m = 0; m <= i; ++m)
                    add_scaled(row_, p(i, m), step.part(m * d_, (m + 1) * d_));
                for (Index j = 0; j <= i; ++j)
                    out[i * d_ + j] = out[j * d_ + i] =
                        factor * dot(row_.view().part(0, j + 1), p[j].part(0, j + 1));
            }
        } else {
            for (Index i = 0; i < d_; ++i)
                out[i] = factor * factors_(c, i) * factors_(c, i) * step[i];
        }
    }

    Index k_, d_, size_, depth_ = 0;
    Table dx_, df_, dimage_;  // (depth, size): differences of points, of f, and of images
    Table products_;          // (depth, depth): of the rows of df with one another
    Tables points_;           // the last two points: theta, image and f
    Numbers gains_, step_, w_scales_, n_scales_, reference_, row_;
    Owned<double, Axes> factors_;
    Index now_ = 0, used_ = 0, newest_ = -1;
    bool seen_ = false;
    double gain_ = INFINITE, rounding_ = 0.0, reach_ = 1.0, stretch_ = 0.0;
};

}  // namespace bayesgmm
