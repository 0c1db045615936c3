"""The evidence under several priors: those that are given, and variations of one."""

import numpy as np
import pytest

from bayesgmm import InverseGamma, Priors, evidence, load_dataset, prior_sensitivity
from bayesgmm.errors import InvalidParameterError
from bayesgmm.marginal_likelihood import model_evidence

GALAXIES = load_dataset("galaxies").X


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    for name, value in (
        ("_FIRST", 40), ("_FIRST_LENGTHS", (60, 8, 3)), ("_POINTS", 400), ("_SECOND", 100),
        ("_SECOND_LENGTHS", (40, 10, 4)), ("_SETS", 64), ("_PROPOSALS", 800), ("_RUNS", 1),
    ):  # fmt: skip
        monkeypatch.setattr(model_evidence, name, value)


def test_priors_that_are_given_have_their_evidence_side_by_side():
    priors = {"default": Priors(), "Richardson & Green": Priors.richardson_green()}
    found = prior_sensitivity(GALAXIES, [1, 2], priors=priors, rng=1, progressbar=False)
    for name, generator in zip(priors, np.random.default_rng(1).spawn(2), strict=True):
        alone = evidence(GALAXIES, [1, 2], priors=priors[name], rng=generator, progressbar=False)
        assert found.table.loc[name].equals(alone.table)
        assert found.filled.loc[name].tolist() == alone.filled["probability"].tolist()
        assert found.probabilities.loc[name].tolist() == alone.table["probability"].tolist()
    assert "is 2 under all priors" in found.summary()


def test_one_prior_is_varied_in_the_spread_of_means_and_the_width_of_components():
    given = Priors(mean_location=[20.0], mean_sd=[10.0], covariances=InverseGamma(2.0, 0.5))
    found = prior_sensitivity(GALAXIES, 1, priors=given, rng=1, progressbar=False)
    numbers = [
        (each.priors.mean_sd[0], each.priors.covariances.mean_scale[0])
        for each in found.evidence.values()
    ]
    assert numbers == [(10.0, 0.5), (5.0, 0.5), (20.0, 0.5), (10.0, 0.125), (10.0, 2.0)]
    assert all(each.priors.mean_location == (20.0,) for each in found.evidence.values())
    # The mean of many rows is known: doubling its prior's standard deviation costs log 2.
    values = found.table["log_evidence"].droplevel("n_components")
    lost = values["as given"] - values["means twice as spread"]
    assert lost == pytest.approx(np.log(2.0), abs=0.1)


def test_a_verdict_that_depends_on_the_priors_says_so():
    wide = Priors(mean_sd=[1e10])
    priors = {"default": Priors(), "wide": wide}
    found = prior_sensitivity(GALAXIES, [1, 2], priors=priors, rng=1, progressbar=False)
    best = found.probabilities.idxmax(axis=1)
    assert best.tolist() == [2, 1]
    assert "depends on the priors: 1, 2." in found.summary()


def test_priors_of_another_kind_are_refused():
    with pytest.raises(InvalidParameterError, match=r"priors\['a'\] must be a Priors"):
        prior_sensitivity(GALAXIES, 1, priors={"a": 5})
    with pytest.raises(InvalidParameterError, match="priors is empty"):
        prior_sensitivity(GALAXIES, 1, priors={})
