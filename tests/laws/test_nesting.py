"""A structure that contains another has at least its likelihood."""

import numpy as np
import pytest
from cases import STRUCTURES, as_mixture, dense, fit, overlapping, random_parameters
from tolerances import ASCENT, SAME_OPTIMUM

from bayesgmm.likelihood.statistics import Parameters

LETTERS = "IEV"


def contained(small, large):
    """Whether each letter of the one is freer in the other: I(dentity) < E(qual) < V(arying)."""
    pairs = [(LETTERS.index(a), LETTERS.index(b)) for a, b in zip(small, large, strict=True)]
    return small != large and all(a <= b for a, b in pairs)


PAIRS = [(a, b) for a in STRUCTURES for b in STRUCTURES if contained(a.code, b.code)]


def test_the_pairs_are_those_that_everybody_knows():
    codes = {(a.code, b.code) for a, b in PAIRS}
    assert {("VII", "VVI"), ("VVI", "VVV"), ("VII", "VVV"), ("EEE", "VVV")} <= codes
    assert ("EEE", "VVI") not in codes
    assert ("VII", "EEE") not in codes


@pytest.mark.parametrize(("small", "large"), PAIRS, ids=lambda each: each.code)
@pytest.mark.parametrize("d", [2, 3])
def test_more_freedom_never_costs_likelihood(small, large, d):
    rng = np.random.default_rng(d)
    x = overlapping(rng, 300, d, separation=3.0) @ (np.eye(d) + 0.4 * np.tri(d, k=-1))
    start = random_parameters(small, rng, 2, d)
    means = np.zeros((2, d))
    means[0, 0] = 3.0
    smaller = fit(x, Parameters(start.weights, means, start.covariances), small)
    assert smaller.converged
    theta = smaller.parameters
    covariances = theta.covariances
    if small.diagonal and not large.diagonal:
        covariances = dense(covariances)
    larger = fit(x, Parameters(theta.weights, theta.means, covariances), large)
    assert larger.converged
    # Its start has the likelihood of the smaller model, and it can only rise.
    assert larger.trace[0] == pytest.approx(smaller.log_likelihood, rel=1e-13)
    slack = ASCENT * len(larger.trace) * abs(smaller.log_likelihood)
    assert larger.log_likelihood >= smaller.log_likelihood - slack
    if small.n_covariance_parameters(2, d) < large.n_covariance_parameters(2, d):
        # Almost surely something is gained by a real freedom.
        assert larger.log_likelihood > smaller.log_likelihood + SAME_OPTIMUM
    else:
        assert larger.log_likelihood == pytest.approx(smaller.log_likelihood, abs=SAME_OPTIMUM)
    precise = as_mixture(larger.parameters).log_density(x).sum()
    assert precise == pytest.approx(larger.log_likelihood, rel=1e-12)
