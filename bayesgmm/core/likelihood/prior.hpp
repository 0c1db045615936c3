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
// Variances are the case D = 1, with nu = 2 a, C = 2 beta, p = 2 g, V^-1 = h of inverse-gamma and
// gamma distributions.
#pragma once

#include "linear_algebra/factors.hpp"

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
    double nu() const { return axes > 0 ? 2.0 * strength[0] : strength[0]; }
    double p() const { return axes > 0 ? 2.0 * strength[1] : strength[1]; }
    // The size of the matrices of which the prior is the density.
    double size() const { return axes > 0 ? 1.0 : static_cast<double>(location.size()); }
};

// Set c to the scale C that is given, or to its mean given factors P of the groups,
// (p + G nu) (V^-1 + sum P'P)^-1.
//
// Returns what a learned scale adds to the log density of all covariances: -(p + G nu) / 2
// log |V^-1 + sum P'P|. Its gradient in P is -P c.
template <int Axes, class Scale>
double set_scale(const Prior &prior, View<const double, Axes> factors, Scale c) {
    assign(c.flat(), prior.scale);
    if (prior.family == FIXED) {
        scale(c.flat(), prior.axes > 0 ? 2.0 : 1.0);
        return 0.0;
    }
    const double shape = prior.p() + static_cast<double>(prior.groups) * prior.nu();
    auto inverse = zeros_like(c);
    for (Index g = 0; g < prior.groups; ++g) add_gram(1.0, factors[g].part(0, c.shape[0]), c);
    if (!cholesky(c, c) || !invert_lower(c, inverse.view())) {
        fill(c.flat(), NOT_A_NUMBER);
        return NOT_A_NUMBER;
    }
    const double log_det = log_determinant(c);
    fill(c.flat(), 0.0);
    add_gram(shape, inverse.view(), c);
    mirror(c);
    return -0.5 * shape * log_det;
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

// Log density of fixed or learned families, from the factors; sets the scale, given or expected.
template <int Axes, class Scale>
double log_density_of_covariances(const Prior &prior, View<const double, Axes> factors, Scale c) {
    double value = set_scale<Axes>(prior, factors, c);
    Numbers scratch(c.shape[0]);
    for (Index g = 0; g < prior.groups; ++g)
        for (Index i = 0; i < c.shape[0]; ++i) {
            value += (prior.nu() + prior.size() + 1.0) * std::log(pivot(factors[g], i));
            if (prior.family == LEARNED) continue;
            // tr(C P'P) row by row of P.
            const ConstVector row = row_of(factors[g], i);
            row_of_product(factors[g], i, c, scratch.part(0, row.size()));
            value -= 0.5 * inner_product(scratch.part(0, row.size()), row);
        }
    return value;
}

}  // namespace bayesgmm
