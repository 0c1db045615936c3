"""The log posterior of many rows by a quadratic form of all and the remainder of a part."""

import numpy as np
import pytest

from bayesgmm import random_mixture
from bayesgmm.posterior.log_density import problem
from bayesgmm.posterior.model import posterior_model
from bayesgmm.sampling.many_points import log_densities
from bayesgmm.sampling.posterior_modes import climb
from bayesgmm.sampling.remainder import (
    Expansion,
    ManyRows,
    as_all,
    precision,
    quadratic,
    remainder_error,
)

N, PART = 20_000, 2_000


@pytest.fixture(scope="module")
def many():
    """A posterior, its mode, points about it, and their exact log densities."""
    truth = random_mixture(2, 2, average_overlap=0.1, rng=3)
    X = truth.sample(N, rng=4)[0]
    weights = np.random.default_rng(5).integers(1, 4, N).astype(float)
    model = posterior_model(X, 2, None, None, None, sample_weight=weights)
    frame = model.coordinates(truth)

    def posterior(rows):
        return problem(rows, model.resolved, frame)

    whole = posterior(model.data)
    mode = climb(whole, frame.of(truth))
    z = np.random.default_rng(6).standard_normal((80, len(mode.u)))
    points = mode.u + z @ np.linalg.cholesky(mode.covariance).T
    return model.data, posterior, mode, points, log_densities(whole, points)[0]


def part_of(rows, seed, size=PART):
    chosen = np.random.default_rng(seed).choice(N, size, replace=False)
    return as_all(rows.take(chosen), rows.total)


def by_part(many, part):
    _, posterior, mode, *_ = many
    return ManyRows(mode, np.linalg.inv(mode.covariance), Expansion.of(posterior(part), mode.u))


def test_the_part_of_all_rows_gives_the_exact_density(many):
    rows, _, _, points, exact = many
    np.testing.assert_allclose(by_part(many, rows).log_density(points), exact, rtol=0, atol=1e-4)


def test_a_part_gives_the_terms_beyond_second_order(many):
    rows, _, mode, points, exact = many
    normal = mode.log_density - quadratic(points - mode.u, np.linalg.inv(mode.covariance))
    left = (by_part(many, part_of(rows, 7)).log_density(points) - exact).std()
    assert left < 0.5 * (normal - exact).std()


def test_the_error_is_that_over_many_parts(many):
    rows, posterior, mode, points, exact = many
    parts = [part_of(rows, seed) for seed in range(40)]
    errors = np.array([by_part(many, part).log_density(points) - exact for part in parts])
    errors -= errors.mean(axis=1, keepdims=True)
    actual = np.sqrt(np.square(errors).mean())
    stated = np.mean([remainder_error(posterior, p, mode.u, points) for p in parts[:10]])
    # Finitely many rows: a part of a tenth of them errs by 5 % less. Points share most of an error,
    # so that 40 parts tell its size to about 20 %.
    assert 0.5 < stated / actual < 2.0


def test_the_error_falls_with_the_root_of_the_rows(many):
    rows, posterior, mode, points, _ = many
    small, large = (
        np.mean(
            [
                remainder_error(posterior, part_of(rows, seed, size), mode.u, points)
                for seed in range(10)
            ]
        )
        for size in (1_000, 4_000)
    )
    assert 1.4 < small / large < 2.8


def test_second_derivatives_are_those_of_the_mode(many):
    rows, posterior, mode, *_ = many
    found = precision(posterior(rows), mode.u)
    np.testing.assert_allclose(found @ mode.covariance, np.eye(len(mode.u)), atol=1e-4)


def test_many_points_have_the_bits_of_one_thread(many, monkeypatch):
    rows, posterior, _, points, exact = many
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", "1")
    values, slopes = log_densities(posterior(rows), points)
    np.testing.assert_array_equal(values, exact)
    np.testing.assert_array_equal(slopes[3], posterior(rows).log_density(points[3])[1])
