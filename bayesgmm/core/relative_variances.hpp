// Variances of components in units of those of all rows: what shows a component that is flat.
#pragma once

#include "small_matrices.hpp"

namespace bayesgmm {

// Eigenvalues (K, D), descending, of Sigma_k relative to sum w (Sigma + (mu - mean)(mu - mean)').
inline void of_all_rows(ConstVector weights, ConstMatrix means, ConstMatrices covariances,
                        Matrix out) {
    const Index k = means.shape[0], d = means.shape[1];
    Table total(d, d), lower(d, d), relative(d, d), vectors(d, d);
    Numbers mean(d), apart(d);
    for (Index c = 0; c < k; ++c) add_scaled(mean, weights[c], means[c]);
    for (Index c = 0; c < k; ++c) {
        for (Index j = 0; j < d; ++j) apart[j] = means(c, j) - mean[j];
        add_scaled(total.flat(), weights[c], covariances[c].flat());
        for (Index i = 0; i < d; ++i) add_scaled(total[i], weights[c] * apart[i], apart);
    }
    if (!cholesky(total, lower)) return;  // zeros: no rows have less
    for (Index c = 0; c < k; ++c) {
        congruence(lower, covariances[c], relative);
        eigen_symmetric(relative, out[c], vectors);
        for (double &value : out[c]) value = std::max(value, 0.0);
    }
}

// The same for variances (K, D), feature by feature.
inline void of_all_rows(ConstVector weights, ConstMatrix means, ConstMatrix variances, Matrix out) {
    const Index k = means.shape[0], d = means.shape[1];
    for (Index j = 0; j < d; ++j) {
        double mean = 0.0, total = 0.0;
        for (Index c = 0; c < k; ++c) mean += weights[c] * means(c, j);
        for (Index c = 0; c < k; ++c) {
            const double apart = means(c, j) - mean;
            total += weights[c] * (variances(c, j) + apart * apart);
        }
        for (Index c = 0; c < k; ++c) out(c, j) = variances(c, j) / total;
    }
}

}  // namespace bayesgmm
