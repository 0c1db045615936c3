// Anderson acceleration of EM in the metric in which EM is a symmetric contraction.
//
// Near a maximum theta*, one EM step maps theta to theta + f(theta) with f = (I - J)(theta* - theta).
// J is the fraction of missing information (Dempster, Laird & Rubin 1977, section 3); it is
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
//
// A metric is (I - J)^-1 as other rows of the same distribution have it. Steps are multiplied by it:
// they are Newton's, but for what differs between the rows, and so is what is combined.
#pragma once

#include "likelihood/gaussians.hpp"

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
    double variance(Index c, Index j) const { return pivot(covariances()[c], j); }
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
// A plain step that gains so little (nats), and no less than half of what it did so many accelerated
// steps before, moves by rounding.
inline constexpr double LEAST_GAIN = 1e-16;
inline constexpr int STALL = 50;

// Least-squares gamma of f on the rows of df, whose products with one another are given.
//
// Normal equations of rows scaled to length 1, by Gauss & Jordan's elimination with the largest of
// the diagonal for a pivot. It stops where a step adds nothing but rounding to those before it.
inline Numbers combine(ConstMatrix df, ConstMatrix products, ConstVector f) {
    const Index n = df.shape[0];
    Table system(n, n + 1);
    Numbers norms(n), gamma(n);
    std::vector<Index> left(n);
    for (Index i = 0; i < n; ++i) {
        left[i] = i;
        norms[i] = std::max(std::sqrt(products(i, i)), 1e-300);
        for (Index j = 0; j <= i; ++j)
            system(i, j) = system(j, i) = i == j ? 1.0 : products(i, j) / (norms[i] * norms[j]);
        system(i, n) = dot(df[i], f) / norms[i];
    }
    while (!left.empty()) {
        const auto best = std::max_element(left.begin(), left.end(), [&](Index a, Index b) {
            return system(a, a) < system(b, b);
        });
        const Index m = *best;
        if (!(system(m, m) >= 1e-12)) break;
        left.erase(best);
        scale(system[m], 1.0 / system(m, m));
        for (Index i = 0; i < n; ++i)
            if (i != m) add_scaled(system[i], -system(i, m), system[m]);
    }
    for (Index i = 0; i < n; ++i) gamma[i] = system(i, n) / norms[i];
    for (const Index i : left) gamma[i] = 0.0;
    return gamma;
}

// Smallest Ritz value of I - J on the span of the rows of dx; both are scaled to dx of length 1.
inline double slowest(Matrix dx, Matrix df) {
    const Index n = dx.shape[0];
    Table inner(n, n), basis(n, n), image(n, n);
    Numbers values(n), half(n);
    for (Index i = 0; i < n; ++i) {
        const double length = std::max(std::sqrt(dot(dx[i], dx[i])), 1e-300);
        scale(dx[i], 1.0 / length);
        scale(df[i], 1.0 / length);
        for (Index j = 0; j <= i; ++j) inner(i, j) = inner(j, i) = dot(dx[i], dx[j]);
    }
    for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < n; ++j) {
            const double product = dot(dx[i], df[j]);
            image(i, j) -= 0.5 * product;
            image(j, i) -= 0.5 * product;
        }
    eigen_symmetric(inner, values, basis);
    Index rank = 0;
    for (; rank < n && values[rank] > 1e-8 * values[0]; ++rank)
        scale(basis[rank], 1.0 / std::sqrt(values[rank]));
    Table turned(rank, rank), found(rank, rank);
    for (Index i = 0; i < rank; ++i) {
        fill(half, 0.0);
        add_rows(half, 1.0, basis[i], image);
        for (Index j = 0; j <= i; ++j) turned(i, j) = turned(j, i) = dot(half, basis[j]);
    }
    eigen_symmetric(turned, values.part(0, rank), found);
    return values[rank - 1];
}

}  // namespace anderson

// What has been seen of one EM run: proposes steps, and estimates what is left to gain.
template <int Axes>
class Acceleration {
public:
    Acceleration(Index k, Index d, ConstMatrix metric = {})
        : k_(k), d_(d), size_(Parameters<Axes>::size(k, d)),
          // Long vectors keep fewer steps: this memory stays near that of the mixture.
          depth_(std::clamp<Index>(anderson::MOST_NUMBERS / size_, 2, anderson::DEPTH)),
          metric_(metric), dx_(depth_, size_), df_(depth_, size_), dimage_(depth_, size_),
          products_(depth_, depth_), points_(2, 3, size_), reference_(k, 1 + d), gains_(depth_),
          step_(size_), w_scales_(k), n_scales_(k), row_(d) {
        fill(reference_.flat(), NOT_A_NUMBER);
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
            least_gain_ = INFINITE;
        }
        const Matrix here = points_[now_], before = points_[1 - now_];
        assign(here[0], theta.all);
        assign(here[1], image.all);
        subtract(here[1], here[0], step_);
        if (has_metric()) {
            for (Index i = 0; i < size_; ++i) here[1][i] = here[0][i] + dot(metric_[i], step_);
            subtract(here[1], here[0], step_);
        }
        to_coordinates(step_, here[2]);
        const double last = gain_;
        gain_ = 0.5 * dot(here[2], here[2]);
        ++since_least_;
        if (gain_ < 0.5 * least_gain_) least_gain_ = gain_, since_least_ = 0;
        if (seen_) keep_step(here, before, std::max(last, gain_));
        seen_ = true;
    }

    // Nats that the last plain step gained, by estimate.
    double gain() const { return gain_; }

    bool has_metric() const { return !metric_.empty(); }

    // Nats still to be gained from the last point, by estimate: the plain step's own gain over the
    // least Ritz value of I - J. Where a lower bound exceeds `enough` already, that is returned; so is
    // the plain gain where rounding alone makes as much.
    double remaining(double enough) const {
        if (gain_ > enough || gain_ <= std::max(rounding_, 1e-26)) return gain_;
        if (used_ > 0 && gains_[newest_] < anderson::NEAR) {
            // The last step's own quotient is no less than the least Ritz value.
            const ConstVector dx = dx_[newest_];
            const double quotient = -dot(dx, df_[newest_]) / std::max(dot(dx, dx), 1e-300);
            const double bound = gain_ / std::min(quotient, 1.0);
            if (quotient > 0.0 && bound > enough) return bound;
        }
        // What is left of J is small: the bound above holds.
        if (has_metric()) return used_ > 0 && gains_[newest_] < anderson::NEAR ? gain_ : INFINITE;
        // Steps from where the likelihood was not yet quadratic say nothing about J here.
        Index near = 0;
        Table dx(used_, size_), df(used_, size_);
        for (Index i = 0; i < used_; ++i)
            if (gains_[i] < anderson::NEAR) {
                assign(dx[near], dx_[i]);
                assign(df[near++], df_[i]);
            }
        if (near < anderson::FEWEST_STEPS) return INFINITE;
        const double least = anderson::slowest(dx.part(0, near), df.part(0, near));
        return least > 0.0 ? gain_ / std::min(least, 1.0) : INFINITE;
    }

    // Whether steps have become rounding, which is more where D is large and M-steps iterate.
    bool has_stalled() const {
        return gain_ <= anderson::LEAST_GAIN && since_least_ >= anderson::STALL;
    }

    // Fill `out` with a point ahead of the plain step; false before there are steps to combine.
    //
    // Normally the best combination of the last steps. Where that keeps failing the likelihood is
    // not concave: the combination, which looks for a zero of f, points back to a saddle. The plain
    // step, which points uphill, is then stretched (Salakhutdinov & Roweis 2003, adaptive
    // overrelaxed EM).
    bool propose(Vector out) {
        if (used_ == 0 && !has_metric()) return false;
        const Matrix here = points_[now_];
        assign(out, here[1]);
        if (used_ == 0) {
            subtract(here[0], here[1], step_);
            add_scaled(out, 1.0 - reach_, step_);
            return true;
        }
        if (stretch_ > 0.0) {
            subtract(here[1], here[0], step_);
            add_scaled(out, stretch_, step_);
            return true;
        }
        const Numbers gamma = anderson::combine(df_.part(0, used_), products_, here[2]);
        for (Index m = 0; m < used_; ++m) add_scaled(out, -reach_ * gamma[m], dimage_[m]);
        return true;
    }

    // Whether the last proposal won likelihood: how far the next one goes, and which way.
    void learn(bool better) {
        if (has_metric()) {
            // Far away Newton's steps are too long; if shorter ones fail, too, nothing is left of them.
            reach_ = better ? std::min(1.0, 2.0 * reach_) : 0.25 * reach_;
            if (better) return;
            used_ = 0;
            newest_ = -1;
            if (reach_ >= anderson::LEAST_REACH) return;
            metric_ = {};
            reach_ = 1.0;
            seen_ = false;
            return;
        }
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

    // Weights and variances (K, 1 + D): what shows how far theta is from the reference.
    Table sizes(Parameters<Axes> theta) const {
        Table out(k_, 1 + d_);
        for (Index c = 0; c < k_; ++c) {
            out(c, 0) = theta.weights()[c];
            for (Index j = 0; j < d_; ++j) out(c, 1 + j) = theta.variance(c, j);
        }
        return out;
    }

    // Whether no weight or variance has left [1/2, 2] times what it was at the reference.
    bool is_near_reference(Parameters<Axes> theta) const {
        const Table now = sizes(theta);
        return std::equal(now.view().begin(), now.view().end(), reference_.view().begin(),
                          [](double a, double b) { return 0.5 < a / b && a / b < 2.0; });
    }

    // Take coordinates in which the complete-data information at theta is the identity.
    void refer(Parameters<Axes> theta, ConstVector counts, const Gaussians<Axes> &mixture) {
        const double total = sum(counts);
        for (Index c = 0; c < k_; ++c) {
            w_scales_[c] = std::sqrt(total / theta.weights()[c]);
            n_scales_[c] = std::sqrt(counts[c]);
        }
        reference_ = sizes(theta);
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
                const ConstVector row = row_of(factors_[c], i);
                for (Index j = i + 1 - row.size(), m = 0; j <= i; ++j, ++m) {
                    a += std::abs(row[m] * theta.means()(c, j));
                    b += std::abs(row[m]) * std::sqrt(theta.variance(c, j));
                }
                means += a * a;
                covariances += b * b;
            }
            total += counts[c] * (means + 0.5 * covariances * covariances);
        }
        return 0.5 * EPSILON * EPSILON * total;
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
    void to_coordinates(Vector step, Vector out) {
        const Parameters<Axes> from{step, k_, d_}, to{out, k_, d_};
        for (Index c = 0; c < k_; ++c) {
            const auto covariance = to.covariances()[c];
            to.weights()[c] = from.weights()[c] * w_scales_[c];
            assign(to.means()[c], from.means()[c]);
            multiply(factors_[c], to.means()[c]);
            scale(to.means()[c], n_scales_[c]);
            sandwich(factors_[c], from.covariances()[c], row_, covariance);
            scale(covariance.flat(), std::sqrt(0.5) * n_scales_[c]);
        }
    }

    Index k_, d_, size_, depth_;
    ConstMatrix metric_;      // (size, size), or none
    Table dx_, df_, dimage_;  // (depth, size): differences of points, of f, and of images
    Table products_;          // (depth, depth): of the rows of df with one another
    Tables points_;           // the last two points: theta, image and f
    Table reference_;
    Numbers gains_, step_, w_scales_, n_scales_, row_;
    Owned<double, Axes> factors_;
    Index now_ = 0, used_ = 0, newest_ = -1;
    bool seen_ = false;
    int since_least_ = 0;
    double gain_ = INFINITE, least_gain_ = INFINITE, rounding_ = 0.0, reach_ = 1.0, stretch_ = 0.0;
};

}  // namespace bayesgmm
