"""Simulated rows, their labels, and entries missing completely at random."""

import dataclasses

import numpy as np
import pytest

from bayesgmm.errors import InvalidParameterError
from bayesgmm.simulation.random_mixtures import random_mixture
from bayesgmm.simulation.simulate import simulate
from bayesgmm.simulation.worked_examples import scenario

# |z| > 4.8 happens once in 630000 times; with at most 20 comparisons a test, a false alarm has
# a probability below 4e-5.
Z = 4.8


def test_rows_follow_their_components():
    mixture = random_mixture(3, 2, rng=60)
    n = 50_000
    simulation = simulate(mixture, n, rng=61)
    assert simulation.mixture is mixture
    assert simulation.X.shape == (n, 2)
    assert simulation.labels.dtype == np.int64
    for k in range(3):
        rows = simulation.X[simulation.labels == k]
        w = mixture.weights[k]
        assert abs(len(rows) - n * w) <= Z * np.sqrt(n * w * (1 - w))
        standard_error = np.sqrt(mixture.variances[k] / len(rows))
        assert np.all(np.abs(rows.mean(axis=0) - mixture.means[k]) <= Z * standard_error)


@pytest.mark.parametrize("missing", [0.001, 0.3, 0.5, 0.75])
def test_exactly_the_asked_part_is_missing_and_no_row_is_empty(missing):
    X = simulate(random_mixture(2, 4, rng=62), 1000, rng=63, missing=missing).X
    assert np.isnan(X).sum() == round(missing * X.size)
    assert not np.isnan(X).all(axis=1).any()


def test_missing_entries_ignore_columns_and_values():
    mixture = random_mixture(2, 4, rng=64)
    n, fraction = 20_000, 0.3
    complete = simulate(mixture, n, rng=65)
    simulation = simulate(mixture, n, rng=65, missing=fraction)
    np.testing.assert_array_equal(simulation.labels, complete.labels)
    gone = np.isnan(simulation.X)
    np.testing.assert_array_equal(simulation.X[~gone], complete.X[~gone])
    # Entries of a column are at most as dependent as independent ones, so this errs to safety.
    standard_error = np.sqrt(fraction * (1 - fraction) / n)
    assert np.all(np.abs(gone.mean(axis=0) - fraction) <= Z * standard_error)
    for j in range(4):
        z = (complete.X[:, j] - complete.X[:, j].mean()) / complete.X[:, j].std()
        assert abs(z[gone[:, j]].mean()) <= Z / np.sqrt(gone[:, j].sum())


def test_seed_decides_and_results_are_frozen():
    first, again, other = (
        simulate(scenario("blobs"), 30, rng=seed, missing=0.2) for seed in (66, 66, 67)
    )
    np.testing.assert_array_equal(first.X, again.X)
    assert not np.array_equal(first.labels, other.labels)
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.X = other.X
    generator = np.random.default_rng(66)
    np.testing.assert_array_equal(
        simulate(scenario("blobs"), 30, rng=generator, missing=0.2).X, first.X
    )


@pytest.mark.parametrize("n", [0, -1, 2.0, "2", True, None])
def test_wrong_sizes_are_refused(n):
    with pytest.raises(InvalidParameterError, match="n_samples must be an integer"):
        simulate(scenario("blobs"), n)


@pytest.mark.parametrize("missing", [-0.1, 1.0, float("nan"), "0.1", True, None])
def test_wrong_fractions_are_refused(missing):
    with pytest.raises(InvalidParameterError, match="missing must be a number"):
        simulate(scenario("blobs"), 10, missing=missing)


def test_fractions_that_would_empty_rows_are_refused():
    with pytest.raises(InvalidParameterError, match=r"at most 1 - 1/D = 0\.5"):
        simulate(scenario("blobs"), 100, missing=0.6)
    with pytest.raises(InvalidParameterError, match="each of the 100 rows keeps one"):
        simulate(scenario("heights"), 100, missing=0.1)
