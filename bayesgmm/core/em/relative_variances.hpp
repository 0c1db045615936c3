// Variances of components in units of those of all rows: what shows a component that is flat.
#pragma once

#include "linear_algebra/factors.hpp"

namespace bayesgmm {

// sum w (Sigma + (mu - mean)(mu - mean)'), the covariance of all rows of a mixture.
template <int Axes>
auto covariance_of_all_rows(ConstVector weights, ConstMatrix means,
                            View<const double, Axes> covariances) {
    const Index k = means.shape[0], d = means.shape[1];
    auto total = zeros_like(covariances[0]);
    Numbers mean(d), apart(d);
    for (Index c = 0; c < k; ++c) add_scaled(mean, weights[c], means[c]);
    for (Index c = 0; c < k; ++c) {
        for (Index j = 0; j < d; ++j) apart[j] = means(c, j) - mean[j];
        add_scaled(total.flat(), weights[c], covariances[c].flat());
        for (Index i = 0; i < d; ++i) {
            const Vector row = row_of(total.view(), i);
            add_scaled(row, weights[c] * apart[i], met_by(row, i, apart.view()));
        }
    }
    mirror(total.view());
    return total;
}

// Eigenvalues (K, D), descending, of Sigma_k relative to the covariance of all rows. Those of
// variances are feature by feature.
template <int Axes>
void of_all_rows(ConstVector weights, ConstMatrix means, View<const double, Axes> covariances,
                 Matrix out) {
    const Index k = means.shape[0], d = means.shape[1];
    const auto total = covariance_of_all_rows<Axes>(weights, means, covariances);
    auto lower = zeros_like(covariances[0]), relative = lower;
    Table vectors(d, d);
    if (!cholesky(total, lower)) return;  // zeros: no rows have less
    for (Index c = 0; c < k; ++c) {
        congruence(lower, covariances[c], relative);
        if constexpr (Axes == 3)
            eigen_symmetric(relative, out[c], vectors);
        else
            assign(out[c], relative);
        for (double &value : out[c]) value = std::max(value, 0.0);
    }
}

}  // namespace bayesgmm
