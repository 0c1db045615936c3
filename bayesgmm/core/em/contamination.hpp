// Components with outliers of their own: pairs of Gaussians N(mu, Sigma) and N(mu, eta Sigma), eta > 1,
// of which the first has at least half of the weight (Tukey 1960; Punzo & McNicholas 2016,
// Biometrical Journal 58, 1506-1537).
//
// EM runs on 2 K Gaussians, c and c + K being a pair. To the M-step of a mean and of the covariances
// of any structure a pair is one component, with
//
//     N = N_1 + N_2,    M = N_1 + N_2 / eta,    A = A_1 + A_2 / eta,    B = B_1 + B_2 / eta,
//
// mean mu + A / M and scatter B - A A' / M. Given these, eta = tr(Sigma^-1 W_2) / (D N_2), where W_2
// is the scatter of the second about the new mean.
#pragma once

#include "em/anderson.hpp"
#include "likelihood/kernel.hpp"

namespace bayesgmm::contamination {

// Shares of the first. Without any outliers the second would have no weight to grow from, and
// differences of logarithms of weights would not be numbers: one in 2^52 is as good as none.
inline constexpr double LEAST_SHARE = 0.5, MOST_SHARE = 1.0 - EPSILON;

template <int Axes>
double inflation(Parameters<Axes> of, Index c) {
    return of.variance(c + of.k / 2, 0) / of.variance(c, 0);
}

// The sums of pairs, each as one component; `masses` are M.
template <int Axes>
void tie(Parameters<Axes> at, Sums<Axes> pairs, Sums<Axes> out, Vector masses) {
    const Index k = out.k;
    out.log_likelihood() = pairs.log_likelihood();
    out.weight() = pairs.weight();
    for (Index c = 0; c < k; ++c) {
        const double precision = 1.0 / inflation(at, c);
        const auto add = [&](Vector to, ConstVector first, ConstVector second) {
            assign(to, first);
            add_scaled(to, precision, second);
        };
        out.counts()[c] = pairs.counts()[c] + pairs.counts()[c + k];
        masses[c] = pairs.counts()[c] + precision * pairs.counts()[c + k];
        add(out.firsts()[c], pairs.firsts()[c], pairs.firsts()[c + k]);
        add(out.seconds()[c].flat(), pairs.seconds()[c].flat(), pairs.seconds()[c + k].flat());
    }
}

// Share the weight of a pair.
template <int Axes>
void split(Parameters<Axes> of, Index c, double weight, double share) {
    share = std::clamp(share, LEAST_SHARE, MOST_SHARE);
    of.weights()[c] = share * weight;
    of.weights()[c + of.k / 2] = (1.0 - share) * weight;
}

// Make the second of a pair that whose covariance is nearest to `scatter`: tr(Sigma^-1 scatter) / D
// times the covariance of the first. False if that has none.
template <int Axes, class Scatter>
bool inflate(Parameters<Axes> of, Index c, Scatter scatter) {
    const Index k = of.k / 2;
    const auto first = of.covariances()[c], second = of.covariances()[c + k];
    auto lower = zeros_like(first), inverse = lower, standard = lower;
    Numbers scratch(of.d);
    if (!cholesky(first, lower) || !invert_lower(lower.view(), inverse)) return false;
    sandwich(inverse.view(), scatter, scratch, standard.view());
    double trace = 0.0;
    for (Index j = 0; j < of.d; ++j) trace += pivot(standard.view(), j);
    assign(of.means()[c + k], of.means()[c]);
    assign(second.flat(), first.flat());
    scale(second.flat(), std::max(trace / static_cast<double>(of.d), 1.0));
    return true;
}

}  // namespace bayesgmm::contamination
