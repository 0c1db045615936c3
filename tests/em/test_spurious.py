import warnings
from dataclasses import replace

import numpy as np
import pytest

from bayesgmm import Degeneracy, Fault, GaussianMixture, load_dataset, select_mixture
from bayesgmm.covariance.structures import as_structure
from bayesgmm.em.loop import StopRule, maximise
from bayesgmm.em.spurious import _seen_sharply, relative_variances
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective


def fitted(k, x, **settings):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        fit = GaussianMixture(k, random_state=0, **settings).fit(x)
    return fit, [str(each.message) for each in heard]


def hostile():
    rng = np.random.default_rng(0)
    far = np.vstack((rng.standard_normal((60, 1)), [[5.0], [5.4]]))
    rounded = rng.normal(50.0, 10.0, (200, 2)).round(1)
    rounded[::2, 1] = rounded[::2, 1].round()
    rounded[:15, 1], rounded[15:18, 1] = 77.0, [76.96, 76.95, 77.05]
    pair = np.vstack((rng.standard_normal((60, 1)), [[9.0], [9.0 + 1e-7], [9.0 - 1e-7]]))
    return {
        "two rows": (2, far, {"means_init": [[0.0], [5.2]], "max_iter": 5}, Fault.TOO_FEW_ROWS),
        "close by chance": (2, pair, {"means_init": [[0.0], [9.0]]}, Fault.CHANCE),
        "one value": (
            2,
            rounded,
            {
                "means_init": [[50.0, 50.0], [50.0, 77.0]],
                "precisions_init": [np.eye(2) / 100.0, np.diag([0.01, 1e4])],
            },
            Fault.ONE_VALUE,
        ),
        "few rows": (1, rng.standard_normal((4, 6)), {}, Fault.FEW_ROWS),
        "flat": (
            2,
            load_dataset("faithful").X,
            {"eigenvalue_ratio": 1.0, "covariance_type": "VEV"},
            Fault.EIGENVALUE_RATIO,
        ),
    }


@pytest.mark.parametrize("kind", list(hostile()))
def test_the_reason_is_a_value_and_the_warning_its_sentence(kind):
    k, x, settings, fault = hostile()[kind]
    fit, heard = fitted(k, x, **settings)
    assert isinstance(fit.degeneracy_, Degeneracy)
    assert fit.degeneracy_.fault is fault
    assert heard == [f"The fit is degenerate: {fit.degeneracy_}. {fit.degeneracy_.advice}"]
    if fit.degeneracy_.component is not None:
        order = np.roll(np.arange(k), 1)
        moved = fit.permuted(order).degeneracy_
        assert order[moved.component] == fit.degeneracy_.component
        assert f"component {moved.component} " in str(moved)


def test_a_sound_fit_has_none():
    fit, heard = fitted(2, load_dataset("faithful").X)
    assert fit.degeneracy_ is None
    assert not heard


def old_faithful_with_noise():
    """Waiting times in whole minutes, and 5 % of rows whose times have all digits."""
    x, rng = load_dataset("faithful").X, np.random.default_rng(1)
    middle, reach = x.mean(axis=0), 1.5 * np.ptp(x, axis=0)
    return np.concatenate((x, rng.uniform(middle - reach, middle + reach, (14, 2))))


@pytest.mark.parametrize("settings", [{}, {"sample_weight": np.full(286, 1e-40)}])
def test_no_component_lies_on_the_rows_of_one_value(settings):
    """Twelve rows wait 77 minutes; a row of noise at 76.96 kept a component from collapsing."""
    x = old_faithful_with_noise()
    fit = GaussianMixture(3, noise_component=True, random_state=0).fit(x, **settings)
    assert fit.degeneracy_ is None
    assert fit.covariances_[:, 1, 1].min() > 1.0
    found = select_mixture(x, [1, 2, 3], "full", noise_component=True, progressbar=False)
    assert found.best.n_components == 2


def test_a_narrow_component_of_rounded_rows_is_sound():
    """A few hundredths of the columns' standard deviation, and four values of them."""
    rng = np.random.default_rng(2)
    x = np.concatenate((rng.normal(0.0, 50.0, 200), rng.normal(120.0, 0.8, 100)))[:, np.newaxis]
    fit, heard = fitted(2, x.round())
    assert fit.degeneracy_ is None
    assert not heard
    assert fit.covariances_.min() == pytest.approx(0.64 + 1 / 12, rel=0.4)


def test_every_fault_has_a_sentence_and_advice():
    for fault in Fault:
        text = str(Degeneracy(fault, 3, (1.0, 2.0, 3.0)))
        assert "{" not in text
        assert Degeneracy(fault, 3).advice.endswith(".")


def test_labels_of_a_start_follow_the_fit():
    k, x, settings, _ = hostile()["two rows"]
    fit, _ = fitted(k, x, **settings)
    assert fit.starts_["outcome"].tolist() == [str(fit.degeneracy_)]
    moved = fit.permuted([1, 0])
    assert moved.starts_["outcome"].tolist() == [str(moved.degeneracy_)]
    assert moved.degeneracy_.component == 1 - fit.degeneracy_.component


def of_shares(run, share):
    """The run as if noise had what the weights of the components leave of 1."""
    return replace(run, parameters=run.parameters._replace(weights=share * run.parameters.weights))


@pytest.mark.parametrize("code", ["VVI", "VVV"])
def test_relative_variances_do_not_depend_on_the_weight_of_noise(code):
    x = np.random.default_rng(5).normal(3.0, 1.0, (80, 2))
    x[40:] *= 1e-3
    start = Parameters(np.array([0.5, 0.5]), x[[0, 79]], np.ones((2, 2)))
    if code == "VVV":
        start = start._replace(covariances=np.tile(np.eye(2), (2, 1, 1)))
    rows = Rows(x, errors=np.full((80, 2), 1e-8))
    run = maximise(rows, Objective(as_structure(code)), start, StopRule(remaining=1e-6))
    less = of_shares(run, 0.4)
    np.testing.assert_allclose(relative_variances(less), relative_variances(run), rtol=1e-12)
    np.testing.assert_allclose(_seen_sharply(less), _seen_sharply(run), rtol=1e-9)
