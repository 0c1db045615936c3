"""Moves of components: what they gain by estimate, and the mixtures that they make."""

import itertools

import numpy as np
import pytest

from bayesgmm import GaussianMixture, Mixture, load_dataset
from bayesgmm.core import native
from bayesgmm.covariance.structures import as_structure
from bayesgmm.em.moves import ranked_moves
from bayesgmm.initialisation.starts import Sample, from_labels
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.merged_components import merged
from bayesgmm.priors.objective import Objective

IRIS = load_dataset("iris").X
SAMPLE = Sample(IRIS, 1.0 + np.arange(150) % 3, whole=True)
LABELS = np.repeat(np.arange(5), 30)


def start(code, labels=LABELS, k=5):
    return from_labels(SAMPLE, labels, k, Objective(as_structure(code)))


@pytest.mark.parametrize("code", ["VVV", "EEE", "VVI", "VII", "VEV", "EVE"])
def test_a_move_is_a_mixture_of_the_structure_with_components_elsewhere(code):
    theta, structure = start(code), as_structure(code)
    moves = ranked_moves(SAMPLE, theta, Objective(structure), np.random.default_rng(0))
    made = [each.parameters for each in itertools.islice(moves, 30)]
    assert len(made) == 30
    for weights, means, covariances in made:
        dense = covariances
        if structure.diagonal:
            dense = covariances[:, :, np.newaxis] * np.eye(4)
        Mixture(weights, means, dense)
        # Two halves, and perhaps the mean of two that have become one.
        stayed = (means[:, np.newaxis] == theta.means).all(axis=2).any(axis=1).sum()
        assert stayed in (2, 3)
        sizes = SAMPLE.weights.sum() * weights
        scatters = sizes.reshape(-1, *(1,) * (covariances.ndim - 1)) * covariances
        member = structure.covariances(sizes, scatters, covariances)
        np.testing.assert_allclose(member, covariances, rtol=1e-6, atol=1e-9)


def test_one_component_has_no_moves_and_two_have_some():
    rng = np.random.default_rng(0)
    one = start("VVV", np.zeros(150, np.int64), 1)
    assert list(ranked_moves(SAMPLE, one, Objective(as_structure("VVV")), rng)) == []
    two = start("VVV", np.minimum(LABELS, 1), 2)
    assert 0 < len(list(ranked_moves(SAMPLE, two, Objective(as_structure("VVV")), rng))) <= 2
    singular = two._replace(covariances=np.zeros((2, 4, 4)))
    assert list(ranked_moves(SAMPLE, singular, Objective(as_structure("VVV")), rng)) == []


def log_likelihood(parameters, x, v):
    return float(v @ np.log(densities(parameters, x).sum(axis=0)))


def densities(parameters, x):
    weights, means, covariances = parameters
    out = []
    for w, mean, covariance in zip(weights, means, covariances, strict=True):
        dense = np.diag(covariance) if covariance.ndim == 1 else covariance
        z = np.linalg.solve(np.linalg.cholesky(dense), (x - mean).T)
        out.append(
            w
            * np.exp(-0.5 * np.square(z).sum(axis=0))
            / np.sqrt(np.linalg.det(2.0 * np.pi * dense))
        )
    return np.array(out)


@pytest.mark.parametrize("code", ["VVV", "VVI"])
def test_losses_are_those_of_the_mixtures_without_a_component(code):
    theta, d = start(code), 4
    x, v = SAMPLE.rows, SAMPLE.weights
    _, _, _, _, losses = native.moves(
        x, v, as_structure(code).letters, *theta, np.full((5, 1, 2), 0.5), d + 1.0
    )
    whole = log_likelihood(theta, x, v)
    for i in range(5):
        rest = Parameters(*(np.delete(each, i, axis=0) for each in theta))
        rest = rest._replace(weights=rest.weights / rest.weights.sum())
        assert losses[i, i] == pytest.approx(whole - log_likelihood(rest, x, v), rel=1e-8)
        for j in range(i):
            pair = np.array([[i], [j]])
            one = merged(*(each[pair] for each in theta))
            kept = (np.delete(each, (i, j), axis=0) for each in theta)
            joined = Parameters(*(np.concatenate(each) for each in zip(kept, one, strict=True)))
            assert losses[i, j] == pytest.approx(whole - log_likelihood(joined, x, v), rel=1e-8)


def test_the_gain_of_a_split_is_that_of_two_components_on_the_rows_of_one():
    x, v = SAMPLE.rows, SAMPLE.weights
    theta = start("VVV", np.minimum(LABELS, 1), 2)
    uniforms = np.random.default_rng(1).random((2, 20, 2))
    gains, shares, means, covariances, _ = native.moves(x, v, (2, 2, 2), *theta, uniforms, 5.0)
    joint = densities(theta, x)
    for k in range(2):
        own = v * joint[k] / joint.sum(axis=0)
        halves = slice(2 * k, 2 * k + 2)
        two = Parameters(shares[halves], means[halves], covariances.reshape(-1, 4, 4)[halves])
        inside = joint[k] / joint.sum(axis=0) >= 1e-3
        gain = own[inside] @ np.log(
            densities(two, x[inside]).sum(axis=0) / (joint[k, inside] / theta.weights[k])
        )
        assert gains[k] == pytest.approx(gain, rel=1e-8)
        assert gain > 0.0


@pytest.mark.parametrize("code", ["VVV", "EEE", "VVI"])
def test_moves_lead_from_two_components_on_one_group_to_one_on_each(code):
    rng = np.random.default_rng(2)
    centres = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    x = np.repeat(centres, 50, axis=0) + rng.normal(size=(200, 2))
    sample = Sample(x, np.ones(200), whole=True)
    # Group 0 is divided by a line; groups 2 and 3 are one component.
    labels = np.repeat([0, 2, 3, 3], 50)
    labels[:50] = x[:50, 0] > 0.0
    objective = Objective(as_structure(code))
    theta = from_labels(sample, labels, 4, objective)
    best = next(ranked_moves(sample, theta, objective, rng)).parameters
    fit = GaussianMixture(
        4, covariance_type=code, weights_init=best.weights, means_init=best.means
    ).fit(x)
    np.testing.assert_allclose(
        fit.means_[np.lexsort(fit.means_.T.round())], centres[[0, 1, 2, 3]], atol=0.6
    )
