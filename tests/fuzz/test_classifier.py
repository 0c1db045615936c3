"""The classifier on rows that a careless user might bring: probabilities, or a sentence."""

import numpy as np
import pytest
from fuzzing import codes, fuzz, generators, outcome, rows
from hypothesis import given
from hypothesis import strategies as st

from bayesgmm import GaussianMixtureClassifier
from bayesgmm.errors import BayesGMMError


@fuzz(60)
@given(rows(most=40), generators, codes, st.integers(1, 4), st.sampled_from(["bic", "cv"]))
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.BayesGMMWarning")
def test_probabilities_or_a_sentence(x, rng, code, n_classes, criterion):
    y = rng.choice(np.array([*"abcd"])[:n_classes], len(x))
    y[rng.random(len(x)) < 0.2] = "?"
    hidden = rng.random(x.shape) < 0.1 * rng.integers(0, 2)
    found = outcome(
        GaussianMixtureClassifier(
            (1, 2), covariance_type=["EII", "VVI", code], criterion=criterion, unlabelled="?",
            random_state=0,
        ).fit,
        np.where(hidden, np.nan, x),
        y,
    )  # fmt: skip
    if isinstance(found, BayesGMMError):
        return
    proba = found.predict_proba(x)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)
    assert np.isfinite(found.log_likelihood_)
    assert found.bic_ == pytest.approx(found.models_["bic"].min()) or criterion == "cv"
    again = GaussianMixtureClassifier.from_json(found.to_json())
    assert np.array_equal(again.predict_proba(x), proba)
