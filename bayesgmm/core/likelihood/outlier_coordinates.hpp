// Coordinates of what a mixture has beside its components: the weight of noise, and outliers.
//
//     noise          w_0 = 1 / (1 + exp(-s)); components have the weights (1 - w_0) w_k
//     outliers       of component k a share o_k = 1 / (2 (1 + exp(-s_k))), from N(mu_k, eta_k Sigma_k)
//                    with eta_k = 1 + exp(t_k)
//
// Priors: all weights Dirichlet, that of noise with a concentration of its own; 2 o_k beta, and
// log eta_k half-normal.
//
// A component and its outliers are a pair of Gaussians, c and c + K. To the gradient in its weight,
// mean and factor a pair is one component, with N = N_1 + N_2, A = A_1 + A_2 / eta and
// B = B_1 + B_2 / eta, as to the M-step (contamination.hpp).
#pragma once

#include "likelihood/kernel.hpp"

namespace bayesgmm {

// What a posterior has beside components.
struct Outliers {
    bool noise = false, pairs = false;
    double noise_concentration = 1.0;
    double first = 1.0, second = 1.0;  // the beta density of 2 o
    double spread = 1.0;               // the half-normal density of log eta

    // Coordinates: the noise's, then two of each component.
    Index size(Index k) const { return (noise ? 1 : 0) + (pairs ? 2 * k : 0); }
};

// A probability and its complement, with logs, from the log of their ratio.
struct Logistic {
    double log_this, log_other, of_this, of_other;

    explicit Logistic(double s) {
        const double small = std::log1p(std::exp(-std::abs(s)));
        log_this = std::min(s, 0.0) - small;
        log_other = std::min(-s, 0.0) - small;
        of_this = std::exp(log_this);
        of_other = std::exp(log_other);
    }
};

inline double log_inflation(double t) { return -Logistic(t).log_other; }
inline double share_of_outliers(double s) { return 0.5 * Logistic(s).of_this; }

// The log density of the weight of noise, and its gradient; `total` is N + concentration over
// components, `noise` the count of noise.
inline double add_noise(const Outliers &prior, double s, double concentration, double total,
                        double noise, double &slope) {
    const Logistic w(s);
    slope = (prior.noise_concentration + noise) * w.of_other - total * w.of_this;
    return prior.noise_concentration * w.log_this + concentration * w.log_other;
}

// The Gaussians 2 K of components and their outliers; constants and offsets are not set.
template <int Axes>
void place_pairs(const Gaussians<Axes> &mixture, ConstVector weights, ConstMatrix at,
                 Vector pair_weights, Gaussians<Axes> &pairs) {
    const Index k = mixture.k();
    for (Index c = 0; c < k; ++c) {
        const double share = share_of_outliers(at(c, 0));
        pair_weights[c] = weights[c] * (1.0 - share);
        pair_weights[c + k] = weights[c] * share;
        for (const Index to : {c, c + k}) {
            assign(pairs.means[to], mixture.means.view()[c]);
            assign(pairs.factors[to].flat(), mixture.factors.view()[c].flat());
        }
        scale(pairs.factors[c + k].flat(), std::exp(-0.5 * log_inflation(at(c, 1))));
    }
}

// Add the sums of pairs as those of components, and set the gradient in the outliers' coordinates
// (K, 2); returns their log prior density.
template <int Axes>
double fold_pairs(const Outliers &prior, ConstMatrix at, const Gaussians<Axes> &pairs,
                  Sums<Axes> of_pairs, Sums<Axes> out, Matrix slope) {
    const Index k = out.k, d = out.d;
    out.log_likelihood() = of_pairs.log_likelihood();
    out.weight() = of_pairs.weight();
    double value = 0.0;
    Numbers scratch(d);
    for (Index c = 0; c < k; ++c) {
        const Logistic twice(at(c, 0)), grown(at(c, 1));
        const double inflation = log_inflation(at(c, 1)), precision = std::exp(-inflation);
        const double n1 = of_pairs.counts()[c], n2 = of_pairs.counts()[c + k];
        const auto add = [&](Vector to, ConstVector first, ConstVector second) {
            assign(to, first);
            add_scaled(to, precision, second);
        };
        out.counts()[c] = n1 + n2;
        add(out.firsts()[c], of_pairs.firsts()[c], of_pairs.firsts()[c + k]);
        add(out.seconds()[c].flat(), of_pairs.seconds()[c].flat(),
            of_pairs.seconds()[c + k].flat());

        const double share = 0.5 * twice.of_this;
        value += prior.first * twice.log_this + prior.second * twice.log_other;
        slope(c, 0) = prior.first * twice.of_other - prior.second * twice.of_this +
                      (n2 - n1 * share / (1.0 - share)) * twice.of_other;
        // d l / d log eta = (tr(P_2 B_2 P_2') - D N_2) / 2
        const auto factor = pairs.factors.view()[c + k];
        double trace = 0.0;
        for (Index i = 0; i < d; ++i) {
            const ConstVector row = row_of(factor, i);
            const Vector product = scratch.view().part(0, row.size());
            row_of_product(factor, i, of_pairs.seconds()[c + k], product);
            trace += inner_product(product, row);
        }
        const double z = inflation / prior.spread;
        value += -0.5 * z * z + grown.log_this;
        const double of_rows = 0.5 * (trace - static_cast<double>(d) * n2);
        slope(c, 1) = grown.of_other + grown.of_this * (of_rows - z / prior.spread);
    }
    return value;
}

}  // namespace bayesgmm
