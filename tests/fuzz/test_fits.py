"""Fits of hostile data: finite or refused, the same in any units, as good as what they contain."""

import numpy as np
import pytest
from fuzzing import codes, fuzz, generators, groups, outcome, rows
from hypothesis import assume, given
from hypothesis import strategies as st
from tolerances import ASCENT, SAME_OPTIMUM

from bayesgmm import GaussianMixture, bootstrap_lrt, select_mixture
from bayesgmm.covariance.structures import as_structure, structures
from bayesgmm.errors import BayesGMMError
from bayesgmm.selection.candidate import is_nested

CHOICES = st.sampled_from(
    [
        {},
        {"tol": 0.0, "max_iter": 200},
        {"max_iter": 1},
        {"max_iter": 0},
        {"priors": "default"},
        {"reg_covar": 1e-6},
        {"reg_covar": 1e-3, "init_params": "random_from_data"},
        {"init_params": "k-means++"},
        {"eigenvalue_ratio": 10.0},
        {"acceleration": None, "max_iter": 50},
    ]
)


@fuzz(50)
@given(st.data(), rows(), st.integers(1, 4), CHOICES)
def test_a_fit_is_finite_or_refused_in_words(data, x, k, choice):
    code = data.draw(codes)
    fit = GaussianMixture(k, covariance_type=code, random_state=0, **choice)
    fit = outcome(fit.fit, x)
    if isinstance(fit, BayesGMMError):
        return
    for name in ("weights_", "means_", "covariances_", "log_likelihood_", "precisions_"):
        assert np.isfinite(getattr(fit, name)).all(), name
    assert fit.starts_["outcome"].notna().all()
    for name in ("score_samples", "score", "bic", "aic", "icl"):
        assert np.isfinite(outcome(getattr(fit, name), x)).all(), name
    # K roundings of shares that are divided by their sum.
    np.testing.assert_allclose(outcome(fit.predict_proba, x).sum(axis=1), 1.0, rtol=1e-15 * (k + 1))
    assert "nan" not in outcome(fit.summary, x)
    for method in ("information", "sandwich"):
        found = outcome(fit.standard_errors, x, method)
        if not isinstance(found, BayesGMMError):
            numbers = np.concatenate([each.ravel() for each in (found.means, found.weights)])
            assert not np.isinf(numbers).any()
            assert found.notes or not np.isnan(numbers).any()


@fuzz(25)
@given(st.data(), groups(features=3), generators)
def test_a_fit_follows_its_columns_and_their_units(data, drawn, rng):
    x, labels = drawn
    d = x.shape[1]
    code = data.draw(codes)
    scale = 2.0 ** rng.integers(-300, 300, d if as_structure(code).scales_by_column else 1)
    order = rng.permutation(d)
    here = outcome(GaussianMixture(2, covariance_type=code, init_params=labels).fit, x)
    moved = ((x + 5.0) * scale)[:, order]
    there = outcome(GaussianMixture(2, covariance_type=code, init_params=labels).fit, moved)
    assert isinstance(here, BayesGMMError) == isinstance(there, BayesGMMError)
    if isinstance(here, BayesGMMError):
        return
    shift = len(x) * np.log(np.broadcast_to(scale, d)).sum()
    # Sums of the shifted rows are rounded anew; then as many nats as the larger sum has digits.
    size = abs(here.log_likelihood_) + abs(shift)
    assert there.log_likelihood_ + shift == pytest.approx(
        here.log_likelihood_, abs=SAME_OPTIMUM + 1e-13 * size
    )
    back = (there.means_ / np.broadcast_to(scale, d)[order])[:, np.argsort(order)] - 5.0
    np.testing.assert_allclose(back, here.means_, atol=1e-5)


NESTED = [
    (a.code, b.code)
    for a in structures()
    for b in structures()
    if len(a.code) == len(b.code) == 3 and a.code != b.code and is_nested(a, b)
]


@fuzz(60)
@given(groups(features=3, separation=2.0), st.sampled_from(NESTED))
def test_more_freedom_begun_at_the_optimum_of_less_never_loses(drawn, pair):
    x, labels = drawn
    assume(x.shape[1] > 1)
    small = outcome(GaussianMixture(2, covariance_type=pair[0], init_params=labels).fit, x)
    assume(not isinstance(small, BayesGMMError))
    structure = as_structure(pair[1])
    covariances = small.mixture_.covariances
    own = np.einsum("kii->ki", covariances) if structure.diagonal else covariances
    precisions = 1.0 / own if structure.diagonal else np.linalg.inv(own)
    large = GaussianMixture(
        2,
        covariance_type=pair[1],
        weights_init=small.weights_,
        means_init=small.means_,
        precisions_init=structure.compact(precisions),
    )
    large = outcome(large.fit, x)
    if not isinstance(large, BayesGMMError):
        slack = ASCENT * len(large.lower_bounds_) * abs(small.log_likelihood_) + SAME_OPTIMUM
        assert large.log_likelihood_ >= small.log_likelihood_ - slack


@fuzz(6)
@given(st.data(), rows(most=20))
def test_a_selection_is_a_table_or_a_sentence(data, x):
    chosen = data.draw(st.lists(codes, min_size=1, max_size=4, unique=True))
    found = outcome(select_mixture, x, [1, 2, 3], chosen, rng=0, progressbar=False)
    if isinstance(found, BayesGMMError):
        return
    best = found.best
    assert np.isfinite(best.log_likelihood_)
    assert isinstance(outcome(found.summary), str)
    # Cells with a fault are not compared: the table says what it is.
    table = found.table[found.table["note"] == ""]
    for k, cells in table.groupby("n_components"):
        values = cells.set_index("covariance_type")["log_likelihood"].dropna()
        for a in values.index:
            for b in values.index:
                if a != b and is_nested(as_structure(a), as_structure(b)):
                    # A search that ends below has missed what it was given for a start.
                    slack = 1e-6 + 1e-12 * abs(values[a])
                    assert values[b] >= values[a] - slack, (k, a, b)


@fuzz(4)
@given(st.data(), rows(most=15, features=2))
def test_a_bootstrap_test_has_a_p_value_or_a_sentence(data, x):
    code = data.draw(codes)
    found = outcome(
        bootstrap_lrt, x, 1, covariance_type=code, n_resamples=3, rng=0, progressbar=False
    )
    if not isinstance(found, BayesGMMError):
        assert 0.0 < found.p_value <= 1.0
