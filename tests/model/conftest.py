import numpy as np
import pytest

from bayesgmm.model import Mixture


@pytest.fixture
def mixture():
    """Three components in three named features, at ordinary scales."""
    rng = np.random.default_rng(20)
    roots = rng.standard_normal((3, 3, 3))
    covariances = roots @ np.swapaxes(roots, 1, 2) + 0.3 * np.eye(3)
    covariances = (covariances + np.swapaxes(covariances, 1, 2)) / 2
    means = 3 * rng.standard_normal((3, 3))
    return Mixture([0.5, 0.3, 0.2], means, covariances, ["a", "b", "c"])
