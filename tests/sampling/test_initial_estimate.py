"""Where the likelihood has no maximum, chains begin at that of the posterior."""

import json
import warnings

import numpy as np
import pytest

from bayesgmm import (
    GaussianMixture,
    Priors,
    compare_engines,
    load_dataset,
    relabel,
    sample_posterior,
)
from bayesgmm.covariance.structures import as_structure
from bayesgmm.errors import DegeneracyWarning, FitError
from bayesgmm.posterior.model import posterior_model
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.sampling.initial_estimate import as_penalty, estimate

FIXED = Priors(hierarchical=False)
SHORT = {"draws": 50, "tune": 100, "chains": 2, "rng": 1, "progressbar": False}


def degenerate():
    rng = np.random.default_rng(0)
    return {
        "repeated rows": (np.repeat(rng.standard_normal((3, 1)), 20, axis=0), 3),
        "nearly as many components as rows": (rng.standard_normal((6, 2)), 5),
        "no more rows than columns": (rng.standard_normal((3, 3)), 1),
        "a row far away": (np.vstack((rng.standard_normal((50, 1)), [[1e6]])), 2),
    }


@pytest.mark.parametrize(
    ("kind", "init"),
    [*((kind, "em") for kind in degenerate()), ("no more rows than columns", "starts")],
)
def test_sampling_begins_at_the_mode_of_the_posterior(kind, init, tmp_path):
    x, k = degenerate()[kind]
    with pytest.warns(DegeneracyWarning, match="The posterior mode is used instead") as heard:
        tree = sample_posterior(x, k, priors=FIXED, init=init, **SHORT)
    assert len(heard) == 1
    assert np.isfinite(tree["posterior"]["covariances"]).all()
    em = tree["constant_data"]
    fit = GaussianMixture(k, priors=FIXED, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegeneracyWarning)
        fit.fit(x)
    np.testing.assert_allclose(em["em_means"], fit.means_, rtol=1e-3)
    assert em["em_log_likelihood"] == pytest.approx(fit.log_likelihood_, rel=1e-4)
    assert ResolvedPriors.from_dict(json.loads(tree.attrs["em_priors"])) == fit.priors_
    assert tree.attrs["em_note"] in compare_engines(None, relabel(tree)).notes
    tree.to_netcdf(tmp_path / "posterior.nc")


def test_standard_errors_are_those_of_the_posteriors_mode():
    x, k = degenerate()["no more rows than columns"]
    with pytest.warns(DegeneracyWarning):
        tree = sample_posterior(x, k, priors=FIXED, **SHORT)
    fit = GaussianMixture(k, priors=FIXED, random_state=0).fit(x)
    found = compare_engines(None, relabel(tree))
    errors = found.table["standard_error"][[name.startswith("mean") for name in found.table.index]]
    np.testing.assert_allclose(errors, fit.standard_errors(x).means[0], rtol=1e-6)
    assert found.notes[0] == tree.attrs["em_note"]


def test_a_maximum_of_the_likelihood_is_left_alone():
    x = load_dataset("faithful").X
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = posterior_model(x, 2, None, None, None)
        found = estimate(model, np.random.default_rng(0))
    assert found.log_likelihood == pytest.approx(-1130.26396, abs=1e-4)
    assert (found.priors, found.note) == (None, "")


def test_priors_under_which_a_component_shrinks_are_refused():
    x, k = degenerate()["repeated rows"]
    with pytest.raises(FitError, match=r"repeats the row .* 20 times.*the posterior is improper"):
        sample_posterior(x, k, **SHORT)
    plane = np.repeat(np.random.default_rng(0).standard_normal((3, 2)), 20, axis=0)
    with pytest.raises(FitError, match="None of 24 starts"):
        sample_posterior(plane, k, priors=Priors(covariances="lkj"), **SHORT)


@pytest.mark.parametrize(("copies", "proper"), [(9, True), (10, False)])
def test_how_many_equal_rows_a_learned_scale_bears(copies, proper):
    """2g + (m - 1) 2a + 1 = 0.4 + 2 * 4 + 1 = 9.4 of them, by Richardson and Green's priors."""
    x = np.repeat([[0.0], [1.0], [5.0]], copies, axis=0)
    model = posterior_model(x, 3, None, Priors.richardson_green(), None)
    action = model, np.random.default_rng(0)
    if proper:
        with pytest.warns(DegeneracyWarning):
            assert estimate(*action).priors is not None
    else:
        with pytest.raises(FitError, match="improper"):
            estimate(*action)


def test_a_penalty_is_what_em_can_maximise():
    x = np.random.default_rng(0).standard_normal((40, 2))
    resolved = Priors(concentration=0.5).for_data(x, 3)
    found = as_penalty(resolved)
    assert found.concentration == 1.0
    np.testing.assert_allclose(found.covariances.scale, resolved.covariances.scale.mean)
    assert found.mean_sd == resolved.mean_sd


@pytest.mark.parametrize("kind", ["own", "default"])
def test_the_priors_of_a_fit_are_those_of_its_posterior(kind):
    """They were the defaults, with the fit's in the attributes alone."""
    x = load_dataset("faithful").X
    own = Priors(concentration=[30.0, 5.0], mean_sd=[[2.0, 20.0], [2.0, 20.0]], hierarchical=False)
    fit = GaussianMixture(2, priors=own if kind == "own" else "default", random_state=0).fit(x)
    tree = sample_posterior(x, init=fit, **SHORT)
    assert json.loads(tree.attrs["priors"]) == json.loads(json.dumps(fit.priors_.to_dict()))
    given = sample_posterior(x, init=fit, priors=Priors(), **SHORT)
    assert json.loads(given.attrs["priors"]) == json.loads(
        json.dumps(Priors().for_data(x, 2, as_structure("full")).to_dict())
    )


def test_outliers_are_numbered_with_their_components():
    rng = np.random.default_rng(1)
    wide = 30.0 + rng.normal(0.0, 6.0, 40)
    x = np.concatenate((rng.normal(0.0, 1.0, 200), rng.normal(30.0, 1.0, 160), wide))
    priors = Priors(mean_location=[[30.0], [0.0]])
    fit = GaussianMixture(2, contaminated=True, random_state=0).fit(x[:, np.newaxis])
    assert fit.means_[0] < fit.means_[1]  # EM's order is not that of the priors
    drawn = sample_posterior(x[:, np.newaxis], priors=priors, init=fit, contaminated=True, **SHORT)
    em = drawn["constant_data"]
    for name, own in (
        ("em_outlier_proportion", fit.contamination_.proportions),
        ("em_inflation", fit.contamination_.inflation),
        ("em_weights", fit.weights_),
    ):
        np.testing.assert_allclose(em[name], own[::-1], rtol=1e-6)
