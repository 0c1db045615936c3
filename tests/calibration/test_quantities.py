"""The quantities that are ranked: named, labelled by their rule, and right."""

import numpy as np
import pytest

from bayesgmm import Mixture, Priors
from bayesgmm.calibration.quantities import quantities
from bayesgmm.data.validation import check_data
from bayesgmm.posterior.draws import Draws

X = np.random.default_rng(3).normal(size=(7, 2))
A = Mixture([0.3, 0.7], [[1.0, 0.0], [-1.0, 2.0]], [np.diag([1.0, 4.0]), [[2.0, 1.0], [1.0, 2.0]]])


def of(mixtures, priors):
    arrays = [
        np.array([[getattr(each, name) for each in mixtures]])
        for name in ("weights", "means", "covariances")
    ]
    return quantities(priors.for_data(X, 2), check_data(X), Draws(*arrays))


def test_components_are_in_the_order_of_their_first_means_whatever_their_labels():
    found = of([A, A.permuted([1, 0])], Priors())
    assert found["weight [0]"].tolist() == [[0.7, 0.7]]
    assert found["mean of x1 [0]"].tolist() == [[2.0, 2.0]]
    assert found["sd of x1 [1]"].tolist() == [[2.0, 2.0]]
    assert found["correlation of x0 and x1 [0]"] == pytest.approx(0.5)


def test_priors_that_differ_number_the_components():
    found = of([A, A.permuted([1, 0])], Priors(concentration=[1.0, 2.0]))
    assert found["weight [0]"].tolist() == [[0.3, 0.7]]
    found = of([A.permuted([1, 0]), A], Priors(ordered=1))
    assert found["mean of x1 [0]"].tolist() == [[0.0, 0.0]]


def test_likelihood_and_posterior_density_are_those_of_the_rows():
    priors = Priors()
    found = of([A], priors)
    likelihood = A.log_density(X).sum()
    assert found["log-likelihood"][0] == pytest.approx(likelihood, rel=1e-12)
    expected = likelihood + priors.for_data(X, 2).log_density(A)
    assert found["log posterior density"][0] == pytest.approx(expected, rel=1e-12)
