// Prior densities of weights, means and covariances: of penalised EM and of posteriors alike.
//
//     weights        Dirichlet(concentration)
//     means          N(location_j, sd_j^2), each feature on its own
//     covariances    G matrices (G = K, or 1 where all components share one), or G x J variances
//                    (J = D, or 1 where all features share one)
//
// The densities of covariances, in Sigma itself, up to constants:
//
//     fixed           |Sigma|^-((nu + D + 1) / 2) exp(-tr(C Sigma^-1) / 2)         inverse-Wishart
//     learned         the same with C ~ Wishart(p, V) integrated out:
//                     prod |Sigma_g|^-((nu + D + 1) / 2) |V^-1 + sum_g Sigma_g^-1|^-((p + G nu) / 2)
//     separate        log-normal standard deviations, LKJ correlations (posteriors alone)
//
// Variances are the case D = 1, with nu = 2 a, C = 2 beta, p = 2 g, V^-1 = 2 h of inverse-gamma and
// gamma distributions.
#pragma once

#include <cmath>

#include "gaussians.hpp"
#include "small_matrices.hpp"

namespace bayesgmm {

enum Family : int { FIXED, LEARNED, SEPARATE };

// Priors in the units of the rows.
struct Prior {
    ConstVector concentration;        // (K,)
    ConstVector location, precision;  // (D,): of means; precision is 1 / sd
    Family family;
    Index groups, axes;      // G; J, or 0 for matrices
    ConstVector strength;    // (nu, p) of matrices, (a, g) of variances, (eta, spread) separate
    ConstVector scale;       // C or V^-1 (D, D); beta or h (J,)
    ConstVector log_scales;  // (D,): log standard deviations, separate

    // Whether all sizes are those of priors of k components of d features.
    bool fits(Index k, Index d) const {
        return concentration.size() == k && location.size() == d && precision.size() == d &&
               strength.size() == 2 && log_scales.size() == d && (groups == 1 || groups == k) &&
               (axes == 0 || axes == 1 || axes == d) && scale.size() == (axes > 0 ? axes : d * d) &&
               (axes == 0 || family != SEPARATE);
    }
};

// -(p + G nu) / 2 log |V^-1 + sum P'P|, given factors P of the groups; fills c with
// (p + G nu) (V^-1 + sum P'P)^-1, the mean of C given the covariances. The gradient in P is -P c.
inline double learned_scale(const Prior &prior, ConstMatrices factors, Matrix c) {
    const Index groups = prior.groups, d = c.shape[0];
    Table inverse(d, d);
    assign(c.flat(), prior.scale);
    for (Index g = 0; g < groups; ++g)
        for (Index m = 0; m < d; ++m)
            for (Index i = 0; i <= m; ++i)
                add_scaled(c[i].part(0, i + 1), factors(g, m, i), factors[g][m].part(0, i + 1));
    const double shape = prior.strength[1] + static_cast<double>(groups) * prior.strength[0];
    if (!cholesky(c, c) || !invert_lower(c, inverse)) {
        fill(c.flat(), NOT_A_NUMBER);
        return NOT_A_NUMBER;
    }
    const double log_det = log_determinant(c);
    fill(c.flat(), 0.0);
    for (Index m = 0; m < d; ++m)
        for (Index i = 0; i <= m; ++i)
            add_scaled(c[i].part(0, m + 1), shape * inverse(m, i), inverse[m].part(0, m + 1));
    return -0.5 * shape * log_det;
}

// The same for variances: -(g + G a) sum_j log(h_j + sum_g p_gj^2), and the means of beta (J,).
inline double learned_scale(const Prior &prior, ConstMatrix factors, Vector beta) {
    const double shape = prior.strength[1] + static_cast<double>(prior.groups) * prior.strength[0];
    double value = 0.0;
    for (Index j = 0; j < prior.axes; ++j) {
        double rate = prior.scale[j];
        for (Index g = 0; g < prior.groups; ++g) rate += factors(g, j) * factors(g, j);
        value -= shape * std::log(rate);
        beta[j] = shape / rate;
    }
    return value;
}

inline double log_density_of_weights(const Prior &prior, ConstVector weights) {
    double value = 0.0;
    for (Index k = 0; k < weights.size(); ++k) {
        // A concentration of 1 says nothing, also of a weight of 0.
        const double power = prior.concentration[k] - 1.0;
        if (power != 0.0) value += power * std::log(weights[k]);
    }
    return value;
}

inline double log_density_of_means(const Prior &prior, ConstMatrix means) {
    double value = 0.0;
    for (Index k = 0; k < means.shape[0]; ++k)
        for (Index j = 0; j < means.shape[1]; ++j) {
            const double z = (means(k, j) - prior.location[j]) * prior.precision[j];
            value -= 0.5 * z * z;
        }
    return value;
}

// Log density of fixed or learned families, from the factors; fills the scale, given or expected.
inline double log_density_of_covariances(const Prior &prior, ConstMatrices factors, Matrix scale) {
    const Index d = scale.shape[0];
    double value = 0.0;
    if (prior.family == LEARNED)
        value = learned_scale(prior, factors, scale);
    else
        assign(scale.flat(), prior.scale);
    Numbers row(d);
    for (Index g = 0; g < prior.groups; ++g) {
        const ConstMatrix p = factors[g];
        for (Index i = 0; i < d; ++i) {
            value += (prior.strength[0] + static_cast<double>(d) + 1.0) * std::log(p(i, i));
            if (prior.family == LEARNED) continue;
            // tr(C P'P) row by row of P.
            fill(row, 0.0);
            for (Index m = 0; m <= i; ++m) add_scaled(row, p(i, m), scale[m]);
            value -= 0.5 * dot(row, p[i]);
        }
    }
    return value;
}

inline double log_density_of_covariances(const Prior &prior, ConstMatrix factors, Vector scale) {
    double value = 0.0;
    if (prior.family == LEARNED)
        value = learned_scale(prior, factors, scale);
    else
        assign(scale, prior.scale);
    for (Index g = 0; g < prior.groups; ++g)
        for (Index j = 0; j < prior.axes; ++j) {
            const double p = factors(g, j);
            value += 2.0 * (prior.strength[0] + 1.0) * std::log(p);
            if (prior.family != LEARNED) value -= scale[j] * p * p;
        }
    return value;
}

}  // namespace bayesgmm
