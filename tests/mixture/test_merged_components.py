import numpy as np
import pytest

from bayesgmm import Mixture
from bayesgmm.mixture.merged_components import merged


@pytest.mark.parametrize("diagonal", [False, True])
def test_a_merged_pair_has_the_moments_of_its_mixture(diagonal):
    rng = np.random.default_rng(0)
    m, d = 5, 3
    weights = rng.uniform(0.1, 1.0, (2, m))
    means = rng.standard_normal((2, m, d))
    covariances = rng.uniform(0.5, 2.0, (2, m, d))
    full = covariances[..., np.newaxis] * np.eye(d)
    total, mean, covariance = merged(weights, means, covariances if diagonal else full)
    for each in range(m):
        pair = Mixture(weights[:, each] / total[each], means[:, each], full[:, each])
        np.testing.assert_allclose(total[each], weights[:, each].sum(), rtol=1e-15)
        np.testing.assert_allclose(mean[each], pair.mean(), rtol=1e-13)
        expected = np.diag(pair.covariance()) if diagonal else pair.covariance()
        np.testing.assert_allclose(covariance[each], expected, rtol=1e-12, atol=1e-14)


def test_components_without_weight_count_alike():
    total, mean, covariance = merged(
        np.zeros((2, 1)), np.array([[[0.0]], [[2.0]]]), np.ones((2, 1, 1))
    )
    assert (total[0], mean[0, 0], covariance[0, 0]) == (0.0, 1.0, 2.0)
