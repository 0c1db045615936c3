// Prior densities of weights, means and covariances: of penalised EM and of posteriors alike.
//
//     weights        Dirichlet(concentration)
//     means          N(location_kj, sd_kj^2), each feature on its own
//     covariances    G matrices (G = K, or 1 where all components share one), or G x J variances
//                    (J = D, or 1 where all features share one)
//
// The densities of covariances, in Sigma itself, up to constants:
//
//     fixed           |Sigma|^-((nu + D + 1) / 2) exp(-tr(C_g Sigma^-1) / 2)       inverse-Wishart
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
    ConstMatrix location, precision;  // (K, D): of means; precision is 1 / sd
    Family family;
    Index groups, axes;      // G; J, or 0 for matrices
    ConstVector strength;    // (nu, p) of matrices, (a, g) of variances, (eta, spread) separate
    ConstVector scale;       // fixed: C (G, D, D), beta (G, J); learned: V^-1 (D, D), h (J,)
    ConstMatrix log_scales;  // (G, D): log standard deviations, separate

    // Whether all sizes are those of priors of k components of d features.
    bool fits(Index k, Index d) const {
        const std::array<Index, 2> means{k, d}, covariances{groups, d};
        const Index block = axes > 0 ? axes : d * d;
        return concentration.size() == k && location.shape == means && precision.shape == means &&
               strength.size() == 2 && log_scales.shape == covariances &&
               (groups == 1 || groups == k) && (axes == 0 || axes == 1 || axes == d) &&
               scale.size() == (family == FIXED ? groups * block : block) &&
               (axes == 0 || family != SEPARATE);
    }
    Index d() const { return location.shape[1]; }
    double nu() const { return axes > 0 ? 2.0 * strength[0] : strength[0]; }
    double p() const { return axes > 0 ? 2.0 * strength[1] : strength[1]; }
    // The size of the matrices of which the prior is the density.
    double size() const { return axes > 0 ? 1.0 : static_cast<double>(d()); }
};

// Room for the scales of all groups, (G, D, D) or (G, J).
template <int Axes>
Owned<double, Axes> scales_of(const Prior &prior) {
    std::array<Index, Axes> shape;
    shape.fill(prior.axes > 0 ? prior.axes : prior.d());
    shape[0] = prior.groups;
    return Owned<double, Axes>(shape);
}

// Set each c to the scale C_g that is given, or to the mean of the one scale given factors P of the
// groups, (p + G nu) (V^-1 + sum P'P)^-1.
//
// Returns what a learned scale adds to the log density of all covariances: -(p + G nu) / 2
// log |V^-1 + sum P'P|. Its gradient in P is -P c.
template <int Axes>
double set_scales(const Prior &prior, View<const double, Axes> factors, View<double, Axes> c) {
    if (prior.family == FIXED) {
        assign(c.flat(), prior.scale);
        scale(c.flat(), prior.axes > 0 ? 2.0 : 1.0);
        return 0.0;
    }
    const double shape = prior.p() + static_cast<double>(prior.groups) * prior.nu();
    const auto mean = c[0];
    assign(mean.flat(), prior.scale);
    auto inverse = zeros_like(mean);
    for (Index g = 0; g < prior.groups; ++g) add_gram(1.0, factors[g].part(0, c.shape[1]), mean);
    if (!cholesky(mean, mean) || !invert_lower(mean, inverse.view())) {
        fill(c.flat(), NOT_A_NUMBER);
        return NOT_A_NUMBER;
    }
    const double log_det = log_determinant(mean);
    fill(mean.flat(), 0.0);
    add_gram(shape, inverse.view(), mean);
    mirror(mean);
    for (Index g = 1; g < prior.groups; ++g) assign(c[g].flat(), mean.flat());
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
            const double z = (means(k, j) - prior.location(k, j)) * prior.precision(k, j);
            value -= 0.5 * z * z;
        }
    return value;
}

// Log density of fixed or learned families, from the factors; sets scales, given or expected.
template <int Axes>
double log_density_of_covariances(const Prior &prior, View<const double, Axes> factors,
                                  View<double, Axes> c) {
    double value = set_scales<Axes>(prior, factors, c);
    Numbers scratch(c.shape[1]);
    for (Index g = 0; g < prior.groups; ++g)
        for (Index i = 0; i < c.shape[1]; ++i) {
            value += (prior.nu() + prior.size() + 1.0) * std::log(pivot(factors[g], i));
            if (prior.family == LEARNED) continue;
            // tr(C P'P) row by row of P.
            const ConstVector row = row_of(factors[g], i);
            row_of_product(factors[g], i, c[g], scratch.part(0, row.size()));
            value -= 0.5 * inner_product(scratch.part(0, row.size()), row);
        }
    return value;
}

}  // namespace bayesgmm
