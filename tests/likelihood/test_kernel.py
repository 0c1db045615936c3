"""The kernel against the definition of its sums in extended precision."""

import itertools

import numpy as np
import pytest
from plain_statistics import discrepancy, one_pass, plain_statistics, random_mixture_arrays
from tolerances import KERNEL

from bayesgmm.errors import SingularCovarianceError
from bayesgmm.likelihood.em_steps import Rows, e_step
from bayesgmm.mixture.mixture import Mixture

FEATURES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 33)
# None but 1024 and 2048 is a multiple of a strip, a block or a chunk.
LENGTHS = (1, 2, 15, 16, 17, 100, 127, 129, 1000, 1023, 1025, 2049, 3001)


def dense_form(covariances):
    return (
        covariances
        if covariances.ndim == 3
        else covariances[:, :, None] * np.eye(covariances.shape[1])
    )


def cases():
    lengths = itertools.cycle(LENGTHS)
    return [(d, k, next(lengths)) for d in FEATURES for k in range(1, 7)]


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize(("d", "k", "n"), cases())
def test_sums_equal_their_definition(d, k, n, diagonal):
    rng = np.random.default_rng([d, k, n, diagonal])
    weights, means, covariances = random_mixture_arrays(rng, k, d, diagonal=diagonal)
    x = 1.5 * rng.standard_normal((n, d))
    v = rng.uniform(0.1, 3.0, n) if k % 2 else None
    found = one_pass(x, v, (weights, means, covariances))
    expected = plain_statistics(x, weights, means, dense_form(covariances), v)
    assert found.seconds.shape == covariances.shape
    assert discrepancy(found, expected) <= KERNEL


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("n", LENGTHS)
def test_every_length(n, diagonal):
    rng = np.random.default_rng([n, diagonal])
    weights, means, covariances = random_mixture_arrays(rng, 3, 3, diagonal=diagonal)
    x = rng.standard_normal((n, 3))
    found = one_pass(x, None, (weights, means, covariances))
    expected = plain_statistics(x, weights, means, dense_form(covariances))
    assert discrepancy(found, expected) <= KERNEL
    assert found.weight == pytest.approx(n, rel=KERNEL)


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("d", [1, 2, 5, 17])
def test_rows_are_read_in_other_units(d, diagonal):
    rng = np.random.default_rng([d, diagonal])
    weights, means, covariances = random_mixture_arrays(rng, 3, d, diagonal=diagonal)
    shift = rng.uniform(-1e3, 1e3, d)
    scale = 10.0 ** rng.uniform(-6.0, 6.0, d)
    x = shift + rng.standard_normal((515, d)) / scale
    # The rows that the pass sees are rounded once, as here.
    z = (x - shift) * scale
    rows = Rows(x, None, shift=shift, scale=scale)
    found = rows.e_step(weights, means, covariances)
    expected = plain_statistics(z, weights, means, dense_form(covariances))
    assert discrepancy(found, expected) <= KERNEL


@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_diagonal_is_dense_with_diagonal_covariances(d):
    rng = np.random.default_rng(d)
    weights, means, variances = random_mixture_arrays(rng, 4, d, diagonal=True)
    x = rng.standard_normal((1500, d))
    diagonal = one_pass(x, None, (weights, means, variances))
    dense = one_pass(x, None, (weights, means, dense_form(variances)))
    assert diagonal.log_likelihood == pytest.approx(dense.log_likelihood, rel=KERNEL)
    np.testing.assert_allclose(diagonal.counts, dense.counts, rtol=KERNEL)
    np.testing.assert_allclose(diagonal.seconds, np.einsum("kii->ki", dense.seconds), rtol=KERNEL)


def test_second_moments_are_symmetric_to_the_last_bit():
    rng = np.random.default_rng(7)
    parameters = random_mixture_arrays(rng, 3, 9)
    seconds = one_pass(rng.standard_normal((3000, 9)), None, parameters).seconds
    assert np.array_equal(seconds, seconds.mT)


def test_the_likelihood_is_that_of_the_mixture():
    # Mixture.log_density is another path altogether (two-fold precision, NumPy).
    rng = np.random.default_rng(8)
    mixture = Mixture(*random_mixture_arrays(rng, 3, 4))
    x, _ = mixture.sample(4000, rng=rng)
    found = e_step(x, mixture)
    assert found.log_likelihood == pytest.approx(mixture.log_density(x).sum(), rel=KERNEL)
    np.testing.assert_allclose(found.counts, mixture.responsibilities(x).sum(axis=0), rtol=KERNEL)


@pytest.mark.parametrize("diagonal", [False, True])
def test_rows_far_from_every_component_belong_to_the_nearest(diagonal):
    covariances = np.ones((2, 2)) if diagonal else np.array([np.eye(2)] * 2)
    means = np.array([[0.0, 0.0], [1.0, 0.0]])
    x = np.array([[1e4, 0.0], [-1e4, 0.0], [1e150, 0.0]])
    found = one_pass(x[:2].copy(), None, (np.array([0.5, 0.5]), means, covariances))
    assert found.counts.tolist() == [1.0, 1.0]
    assert found.log_likelihood == pytest.approx(
        2 * np.log(0.5) - 2 * np.log(2 * np.pi) - (9999.0**2 + 1e8) / 2, rel=KERNEL
    )
    far = one_pass(x, None, (np.array([0.5, 0.5]), means, covariances))
    assert not np.isnan(far.log_likelihood)
    assert not np.isnan(far.counts).any()


@pytest.mark.parametrize("diagonal", [False, True])
def test_a_weight_of_zero_takes_no_rows(diagonal):
    rng = np.random.default_rng(9)
    _, means, covariances = random_mixture_arrays(rng, 3, 2, diagonal=diagonal)
    x = rng.standard_normal((300, 2))
    none = one_pass(x, None, (np.array([0.4, 0.0, 0.6]), means, covariances))
    two = one_pass(
        x,
        None,
        (np.array([0.4, 0.6]), means[::2].copy(), covariances[::2].copy()),
    )
    assert none.counts[1] == 0.0
    assert none.log_likelihood == pytest.approx(two.log_likelihood, rel=KERNEL)
    np.testing.assert_allclose(none.counts[::2], two.counts, rtol=KERNEL)


@pytest.mark.parametrize("diagonal", [False, True])
def test_no_rows_are_no_statistics(diagonal):
    weights, means, covariances = random_mixture_arrays(
        np.random.default_rng(10), 2, 3, diagonal=diagonal
    )
    # NumPy hands small freed buffers out again as they are, so sums left unset would show.
    leftovers = [np.full(size, 7.0) for size in range(1, 128)]
    del leftovers
    rows = Rows(np.empty((0, 3)))
    found = rows.e_step(weights, means, covariances)
    assert found.log_likelihood == 0.0
    assert found.weight == 0.0
    assert not found.counts.any()
    assert not found.firsts.any()
    assert not found.seconds.any()


BAD_KINDS = {"zero": 0.0, "negative": -1.0, "nan": np.nan, "dependent": None}


@pytest.mark.parametrize("bad", [0, 1, 3])
@pytest.mark.parametrize(
    ("d", "kind"),
    [(d, kind) for d in (1, 2, 3, 9) for kind in BAD_KINDS if (d, kind) != (1, "dependent")],
)
def test_a_singular_covariance_is_named(d, bad, kind):
    rng = np.random.default_rng(d)
    weights, means, covariances = random_mixture_arrays(rng, 4, d)
    if kind == "dependent":
        root = rng.standard_normal((d, d - 1))
        covariances[bad] = root @ root.T
    else:
        covariances[bad, -1, -1] = BAD_KINDS[kind]
    rows = Rows(rng.standard_normal((50, d)))
    with pytest.raises(SingularCovarianceError, match=f"component {bad} ") as caught:
        rows.e_step(weights, means, covariances)
    assert caught.value.component == bad


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_a_singular_variance_is_named(value):
    rng = np.random.default_rng(11)
    weights, means, variances = random_mixture_arrays(rng, 4, 3, diagonal=True)
    variances[2, 1] = value
    rows = Rows(rng.standard_normal((50, 3)))
    with pytest.raises(SingularCovarianceError) as caught:
        rows.e_step(weights, means, variances)
    assert caught.value.component == 2
    # The rows stay usable.
    variances[2, 1] = 1.0
    assert np.isfinite(rows.e_step(weights, means, variances).log_likelihood)
