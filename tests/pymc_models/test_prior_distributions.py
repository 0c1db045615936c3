import numpy as np
import pymc as pm
import pytest
from problems import INTERPRETED

from bayesgmm import LKJ, Gamma, InverseGamma
from bayesgmm.pymc_models.prior_distributions import CovariancesPrior


def drawn(family, start, count=4000):
    variable = CovariancesPrior.dist(family=family, start=start)
    return pm.draw(variable, count, random_seed=1, mode=INTERPRETED)


def test_correlations_have_the_moments_of_their_distribution():
    # Each is 2 Beta(b, b) - 1 with b = eta - 1 + D / 2.
    family = LKJ(1.5, ((0.0, 1.0, -1.0), (2.0, 2.0, 2.0)), 0.5)
    covariances = drawn(family, np.tile(np.eye(3), (2, 1, 1)))
    logs = 0.5 * np.log(np.diagonal(covariances, axis1=2, axis2=3))
    error = 0.5 / np.sqrt(len(logs))
    np.testing.assert_allclose(logs.mean(axis=0), family.log_scale_location, atol=5 * error)
    sds = np.exp(logs)
    correlations = covariances / sds[..., None] / sds[..., None, :]
    i, j = np.triu_indices(3, 1)
    squares = correlations[:, :, i, j] ** 2
    expected = 1.0 / (2.0 * family.eta + 2.0)
    errors = squares.std(axis=0) / np.sqrt(len(squares))
    assert (abs(squares.mean(axis=0) - expected) < 5 * errors).all()


@pytest.mark.parametrize(
    ("scale", "mean"),
    [
        (((1.0, 2.0), (3.0, 4.0)), [[0.5, 1.0], [1.5, 2.0]]),
        (Gamma(4.0, (2.0, 8.0)), [[1.0, 0.25]] * 2),
    ],
)
def test_variances_have_the_mean_of_their_distribution(scale, mean):
    # Of an inverse-gamma distribution: scale / (shape - 1).
    variances = drawn(InverseGamma(3.0, scale), np.ones((2, 2)))
    errors = variances.std(axis=0) / np.sqrt(len(variances))
    assert (abs(variances.mean(axis=0) - mean) < 5 * errors).all()
