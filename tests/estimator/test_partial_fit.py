"""Online EM: rows that are seen once."""

import pickle

import numpy as np
import pytest

from bayesgmm import GaussianMixture, load_dataset, random_mixture
from bayesgmm.errors import InputError, InvalidParameterError

MIXTURE = random_mixture(3, 2, average_overlap=0.05, rng=4)
X = MIXTURE.sample(60_000, rng=3)[0]


def streamed(x, chunks=30, weights=None, **options):
    fit = GaussianMixture(3, random_state=0, **options)
    parts = np.array_split(np.arange(len(x)), chunks)
    for part in parts:
        fit.partial_fit(x[part], sample_weight=None if weights is None else weights[part])
    return fit


@pytest.mark.parametrize("code", ["full", "tied", "EVE", "VEI"])
def test_the_result_is_near_the_fit_to_all_rows(code):
    mixture = random_mixture(3, 2, average_overlap=0.02, covariance_type=code, rng=4)
    x = mixture.sample(60_000, rng=3)[0]
    whole = GaussianMixture(3, covariance_type=code, random_state=0).fit(x)
    first = GaussianMixture(3, covariance_type=code, random_state=0).fit(x[:2000])
    online = streamed(x, covariance_type=code)
    at = [fit.score_samples(x).sum() for fit in (whole, online, first)]
    # One standard error in each of P parameters is P / 2 nats; 1.3 to 2.6 were seen, first: 100.
    assert 0.0 < at[0] - at[1] < 0.5 * whole.n_parameters_
    assert at[0] - at[1] < 0.2 * (at[0] - at[2])
    assert online.covariances_.shape == whole.covariances_.shape
    assert online.n_rows_ == len(x)


def test_units_and_offsets_change_nothing():
    one, moved = streamed(X[:9000], 5), streamed(1e-6 * X[:9000] + 1e2, 5)
    np.testing.assert_allclose((moved.means_ - 1e2) / 1e-6, one.means_, atol=1e-6)
    np.testing.assert_allclose(moved.covariances_ / 1e-12, one.covariances_, rtol=1e-6)
    weighted = streamed(X[:9000], 5, weights=np.full(9000, 1e-200))
    np.testing.assert_allclose(weighted.means_, one.means_, rtol=1e-9)


def test_weights_count_rows():
    weights = 1.0 + np.arange(20_000) % 2
    fit = streamed(X[:20_000], 10, weights)
    whole = GaussianMixture(3, random_state=0).fit(X[:20_000], sample_weight=weights)
    gap = whole.score(X[:20_000], sample_weight=weights) - fit.score(X[:20_000], None, weights)
    assert 0.0 < gap * weights.sum() < 0.5 * whole.n_parameters_
    assert fit.n_rows_ == weights.sum()
    zero = fit.permuted([0, 1, 2]).partial_fit(X[:10], sample_weight=np.r_[np.zeros(9), 1.0])
    assert zero.n_rows_ == weights.sum() + 1.0


def test_the_same_rows_have_the_same_bits():
    one, other = streamed(X[:9000], 5), streamed(X[:9000], 5)
    assert one.means_.tobytes() == other.means_.tobytes()


def test_components_keep_their_numbers():
    fit = streamed(X[:9000], 5)
    turned = fit.permuted([2, 0, 1])
    turned.partial_fit(X[9000:12_000])
    fit.partial_fit(X[9000:12_000])
    np.testing.assert_allclose(turned.means_, fit.means_[[2, 0, 1]], rtol=1e-12)


def test_a_fit_goes_on():
    fit = GaussianMixture(3, random_state=0).fit(X[:2000]).partial_fit(X[2000:4000])
    both = GaussianMixture(3, random_state=0).partial_fit(X[:2000]).partial_fit(X[2000:4000])
    assert fit.means_.tobytes() == both.means_.tobytes()
    again = pickle.loads(pickle.dumps(fit)).partial_fit(X[4000:5000])
    assert again.means_.tobytes() == fit.partial_fit(X[4000:5000]).means_.tobytes()
    assert fit.fit(X[:2000]).converged_
    assert fit.n_rows_ == 2000


def test_what_is_said_of_it():
    frame = load_dataset("faithful").frame
    fit = GaussianMixture(2, random_state=0).partial_fit(frame[:200]).partial_fit(frame[200:])
    assert fit.mixture_.feature_names == tuple(frame)
    assert not fit.converged_
    assert np.isnan(fit.remaining_)
    with pytest.raises(InputError, match="of partial_fit are not kept"):
        fit.bic()
    text = fit.summary(frame)
    assert "followed online, in 2 steps: near a maximum, not at it" in text
    assert "other rows" not in text
    again = GaussianMixture.from_json(fit.to_json())
    assert np.array_equal(again.means_, fit.means_)
    with pytest.raises(InputError, match="not stored in a file"):
        again.partial_fit(frame)
    assert "followed online" in fit._repr_html_()


def test_missing_entries():
    x = X[:20_000].copy()
    x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    fit = streamed(x, 10)
    whole = GaussianMixture(3, random_state=0).fit(x)
    gap = (whole.score_samples(x) - fit.score_samples(x)).sum()
    assert 0.0 < gap < 0.5 * whole.n_parameters_


@pytest.mark.parametrize(
    "options",
    [
        {"priors": "default"},
        {"reg_covar": 1e-3},
        {"noise_component": True},
        {"contaminated": True},
        {"equal_weights": True},
    ],
)
def test_other_steps_are_refused(options):
    with pytest.raises(InvalidParameterError, match=f"{next(iter(options))} cannot be used"):
        GaussianMixture(2, **options).partial_fit(X[:100])


def test_other_columns_are_refused():
    fit = GaussianMixture(2, random_state=0).partial_fit(X[:500])
    before = fit.means_.copy()
    with pytest.raises(InputError, match="3 features"):
        fit.partial_fit(np.ones((5, 3)))
    assert np.array_equal(fit.means_, before)
