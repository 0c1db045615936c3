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
    rng, tried = np.random.default_rng(0), []
    made = []
    while len(made) < 20:
        moves = ranked_moves(SAMPLE, theta, Objective(structure), rng, tried, most=10)
        made += zip(*moves, strict=True)
    assert len(tried) == len(made)
    for weights, means, covariances in made:
        dense = covariances
        if structure.diagonal:
            dense = covariances[:, :, np.newaxis] * np.eye(4)
        Mixture(weights, means, dense)
        # One that joins, or two halves, and perhaps the mean of two that have become one.
        stayed = (means[:, np.newaxis] == theta.means).all(axis=2).any(axis=1).sum()
        assert stayed in (2, 3, 4)
        sizes = SAMPLE.weights.sum() * weights
        scatters = sizes.reshape(-1, *(1,) * (covariances.ndim - 1)) * covariances
        member = structure.covariances(sizes, scatters, covariances)
        np.testing.assert_allclose(member, covariances, rtol=1e-6, atol=1e-9)


def number(mixtures):
    return len(mixtures.weights)


def test_one_component_has_no_moves_and_two_have_some():
    rng, objective = np.random.default_rng(0), Objective(as_structure("VVV"))
    one = start("VVV", np.zeros(150, np.int64), 1)
    assert number(ranked_moves(SAMPLE, one, objective, rng, [], most=99)) == 0
    two = start("VVV", np.minimum(LABELS // 2, 1), 2)
    assert number(ranked_moves(SAMPLE, two, objective, rng, [], most=99)) > 0
    singular = two._replace(covariances=np.zeros((2, 4, 4)))
    assert number(ranked_moves(SAMPLE, singular, objective, rng, [], most=99)) == 0


def test_a_move_is_made_once():
    rng, theta, objective = np.random.default_rng(0), start("VVV"), Objective(as_structure("VVV"))
    tried = []
    for _ in range(3):
        ranked_moves(SAMPLE, theta, objective, rng, tried, most=99)
    assert tried
    for move, other in itertools.combinations(tried, 2):
        assert not move.same(other)


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


@pytest.mark.parametrize("code", ["VVV", "VVI", "EEE", "VII"])
def test_changes_are_those_of_the_mixtures_after_an_exchange(code):
    """One joins, or none; two become one, or one leaves."""
    theta, structure = start(code), as_structure(code)
    x, v = SAMPLE.rows, SAMPLE.weights
    uniforms = np.random.default_rng(0).random((200, 10))
    found = native.births(x, v, structure.letters, *theta, uniforms, 5.0)
    gains, made = found[0], np.flatnonzero(np.isfinite(found[0]))[:3]
    born = *found[1:3], found[3].reshape(-1, *theta.covariances.shape[1:])
    joins = Parameters(*(each[made] for each in born))
    changes = native.exchanges(x, v, *theta, *joins)
    assert changes.shape == (4, 5, 5)
    whole = log_likelihood(theta, x, v)
    for c in range(4):
        a = joins.weights[c] if c < 3 else 0.0
        one = [each[c : c + 1] if c < 3 else each[:0] for each in joins]
        for i in range(5):
            for j in range(i + 1):
                rest = [np.delete(each, (i, j), axis=0) for each in theta]
                rest[0] = rest[0] * (1.0 - a)
                parts = [rest, one]
                if i != j:
                    pair = np.array([[i], [j]])
                    weight, *moments = merged(*(each[pair] for each in theta))
                    parts.append([weight * (1.0 - a), *moments])
                after = Parameters(*map(np.concatenate, zip(*parts, strict=True)))
                after = after._replace(weights=after.weights / after.weights.sum())
                change = log_likelihood(after, x, v) - whole
                assert changes[c, i, j] == pytest.approx(change, rel=1e-8, abs=1e-6)
    assert np.isneginf(changes[:, 0, 1:]).all()
    assert (np.diff(gains[made]) <= 0.0).all()


@pytest.mark.parametrize("code", ["VVV", "VVI", "VII"])
def test_a_component_that_joins_raises_the_likelihood_by_its_gain_or_more(code):
    """The gain is that before the last step of EM."""
    theta, structure = start(code), as_structure(code)
    x, v = SAMPLE.rows, SAMPLE.weights
    uniforms = np.random.default_rng(1).random((20, 10))
    gains, weights, means, covariances = native.births(
        x, v, structure.letters, *theta, uniforms, 5.0
    )
    covariances = covariances.reshape(-1, *theta.covariances.shape[1:])
    whole = log_likelihood(theta, x, v)
    made = np.flatnonzero(np.isfinite(gains))
    assert made.size
    for c in made:
        more = Parameters(
            np.append((1.0 - weights[c]) * theta.weights, weights[c]),
            np.concatenate((theta.means, means[c : c + 1])),
            np.concatenate((theta.covariances, covariances[c : c + 1])),
        )
        assert weights[c] * v.sum() > 5.0
        assert log_likelihood(more, x, v) - whole >= gains[c] - 1e-6


@pytest.mark.parametrize("k", [3, 5])
def test_the_same_components_join_in_any_coordinates(k):
    """Rows are rounded: components that collapse on equal ones must not take others' places."""
    rng = np.random.default_rng(3)
    fit = GaussianMixture(k, random_state=0).fit(IRIS)
    uniforms = rng.random((64, 10))

    def births(matrix):
        means, covariances = fit.means_ @ matrix.T, matrix @ fit.covariances_ @ matrix.T
        theta = fit.weights_, means, covariances
        found = native.births(IRIS @ matrix.T, np.ones(150), (2, 2, 2), *theta, uniforms, 5.0)
        gains, weights, means, covariances = found
        whole = matrix @ np.cov(IRIS.T, ddof=0) @ matrix.T
        made = np.isfinite(gains)
        relative = np.linalg.solve(covariances.reshape(-1, 4, 4)[made], whole)
        assert (np.trace(relative, axis1=1, axis2=2) < 1.01e10).all()
        return gains[made], weights[made]

    first = births(np.eye(4))
    assert len(first[0]) > 3
    for _ in range(10):
        other = births(rng.normal(size=(4, 4)))
        np.testing.assert_allclose(other, first, rtol=1e-6)


def test_the_gain_of_a_split_is_that_of_two_components_on_the_rows_of_one():
    x, v = SAMPLE.rows, SAMPLE.weights
    theta = start("VVV", np.minimum(LABELS, 1), 2)
    uniforms = np.random.default_rng(1).random((2, 20, 2))
    gains, shares, means, covariances = native.splits(x, v, (2, 2, 2), *theta, uniforms, 5.0)
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
    weights, means, _ = ranked_moves(sample, theta, objective, rng, [], most=1)
    fit = GaussianMixture(
        4, covariance_type=code, weights_init=weights[0], means_init=means[0]
    ).fit(x)
    np.testing.assert_allclose(
        fit.means_[np.lexsort(fit.means_.T.round())], centres[[0, 1, 2, 3]], atol=0.6
    )
