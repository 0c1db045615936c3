"""Second derivatives of contaminated mixtures against differences of log-likelihoods."""

import numpy as np
import pytest
from differences import by_differences
from random_rows import parameters, rows_of

from bayesgmm.likelihood.information import information, symmetric_basis
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.uncertainty.outlier_information import of_components


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_derivatives_of_contaminated_components(missing):
    k, d = 2, 2
    rng = np.random.default_rng(3)
    theta = parameters(k, d, rng)
    x, _ = rows_of(120, d, "none", missing, rng)
    outliers = Contamination(np.array([0.1, 0.3]), np.array([4.0, 9.0]))
    mixture = theta.mixture()
    of_pairs = information(x, outliers.pairs(mixture))
    # The counts of pairs give the weights of the components only at a maximum.
    shares = np.concatenate((1.0 - outliers.proportions, outliers.proportions))
    at_weights = shares * np.tile(theta.weights, 2) * len(x)
    found = of_components(
        type(of_pairs)(
            of_pairs.roots, of_pairs.gradient, of_pairs.hessian, of_pairs.products, at_weights
        ),
        outliers,
    )
    q, basis = 1 + d + d * (d + 1) // 2, symmetric_basis(d)

    def value(u):
        parts, p = u[: k * q].reshape(k, q), outliers.proportions + u[k * q : k * q + k]
        weights = theta.weights + parts[:, 0]
        means = theta.means + np.einsum("kij,kj->ki", found.roots, parts[:, 1 : 1 + d])
        e = np.einsum("ke,eij->kij", parts[:, 1 + d :], basis)
        covariances = found.roots @ (np.eye(d) + e) @ found.roots.mT
        own = Contamination(p, outliers.inflation * np.exp(u[k * q + k :]))
        total = weights.sum()
        pairs = own.pairs(Mixture(weights / total, means, covariances))
        return pairs.log_density(x).sum() + len(x) * np.log(total)

    gradient, hessian = by_differences(value, k * q + 2 * k)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-4, atol=2e-4 * np.abs(hessian).max())
