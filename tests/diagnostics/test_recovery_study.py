"""Studies of recovery: what is measured, its Monte Carlo errors, seeds, workers, interruptions."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from bayesgmm import (
    GaussianMixture,
    RecoveryStudy,
    random_mixture,
    recovery,
    recovery_study,
    simulate,
)
from bayesgmm.diagnostics import recovery_study as studies
from bayesgmm.diagnostics import simulated_recovery as simulated
from bayesgmm.diagnostics.simulated_recovery import (
    KINDS,
    OVERALL,
    Measured,
    StudyDesign,
    simulated_recovery,
)
from bayesgmm.diagnostics.truth_recovery import Estimate
from bayesgmm.errors import FitError, InvalidParameterError

DESIGN = StudyDesign(
    n_components=(2,),
    covariance_type=("full",),
    overlap=(0.05,),
    n_rows=(300,),
    engines=("em",),
    n_features=2,
    n_samples=2,
    prob=0.9,
    priors=None,
    draws=1000,
    seed=1,
)
SETTINGS = {"n_mixtures": 2, "n_samples": 2, "rng": 1, "progressbar": False}


def of_seed(design, number):
    """The same mixture, fresh rows, samples and fits as of `simulated_recovery`."""
    seed = np.random.SeedSequence(design.seed, spawn_key=(number,))
    for_truth, for_fresh, *for_samples = np.random.default_rng(seed).spawn(2 + design.n_samples)
    truth = random_mixture(2, 2, average_overlap=0.05, rng=for_truth)
    fresh = truth.sample(2000, for_fresh)[0]
    for rng in for_samples:
        drawn = simulate(truth, 300, rng=rng)
        seed = int(rng.spawn(1)[0].integers(2**31))
        yield drawn, fresh, GaussianMixture(2, random_state=seed).fit(drawn.X)


def test_measurements_are_those_of_recovery():
    found = simulated_recovery(DESIGN, 3)
    for i, (drawn, fresh, fit) in enumerate(of_seed(DESIGN, 3)):
        result = recovery(fit, drawn)
        table, truth = result.table, drawn.mixture
        kind = table.index.str.partition("[").get_level_values(0)
        errors, squared, covered, without = found.by_kind[i, 0]
        sd = np.sqrt(truth.variances).ravel()
        relative = table["error"][kind == "sd"] / sd
        means = table["error"][kind == "mean"] / sd
        outward = np.sign(truth.means - truth.mean()).ravel()
        np.testing.assert_allclose(errors[2], relative.mean(), rtol=1e-9)
        np.testing.assert_allclose(errors[1], (outward * means).mean(), rtol=1e-9)
        np.testing.assert_allclose(squared[1], np.square(means).mean(), rtol=1e-9)
        weights = table[kind == "weight"]
        inequality = np.sign(weights["truth"] - 0.5) * weights["error"]
        np.testing.assert_allclose(errors[0], inequality.mean(), rtol=1e-9)
        expected = [table["covered"][kind == each].mean() for each in KINDS]
        np.testing.assert_allclose(covered, expected)
        assert (without == 0.0).all()
        overall = dict(zip(OVERALL, found.overall[i, 0], strict=True))
        assert (overall["fitted"], overall["converged"], overall["missed"]) == (1.0, 1.0, 0.0)
        right = truth.responsibilities(fresh)
        chosen = np.argsort(result.order)[fit.predict(fresh)]
        wrong = 1.0 - right[np.arange(2000), chosen]
        rate = overall["least_error_rate"] + overall["excess_error_rate"]
        assert rate == pytest.approx(wrong.mean(), abs=1e-12)
        assert overall["least_error_rate"] == pytest.approx(1.0 - right.max(axis=1).mean())
        assert overall["excess_error_rate"] >= 0.0


@pytest.mark.filterwarnings("ignore:EM did not converge")
def test_a_fit_below_the_maximum_near_the_truth_is_missed(monkeypatch):
    # One iteration from random rows stays far below any maximum.
    stopped = partial(GaussianMixture, max_iter=1, init_params="random")
    monkeypatch.setattr("bayesgmm.diagnostics.simulated_recovery.GaussianMixture", stopped)
    overall = simulated_recovery(DESIGN, 0).overall[:, 0]
    assert (overall[:, OVERALL.index("missed")] == 1.0).all()
    assert (overall[:, OVERALL.index("converged")] == 0.0).all()


def test_rows_that_cannot_be_fitted_are_counted(monkeypatch):
    def refused(*_):
        raise FitError("no maximum")

    monkeypatch.setitem(simulated._ENGINES, "em", refused)
    found = simulated_recovery(DESIGN, 0)
    assert (found.overall[..., :2] == 0.0).all()
    assert np.isnan(found.overall[..., 2:]).all()
    assert np.isnan(found.by_kind).all()


def study(by_kind, overall, **changes):
    """A study of measurements (mixtures, samples, engines, ...)."""
    return RecoveryStudy(replace(DESIGN, **changes), Measured(by_kind, overall))


def test_averages_and_monte_carlo_errors():
    rng = np.random.default_rng(3)
    by_kind, overall = rng.random((30, 2, 1, 4, 4)), rng.random((30, 2, 1, 5))
    overall[..., :3] = 1.0, 1.0, 0.0
    found = study(by_kind, overall).results.squeeze()
    assert found["coverage"].sel(kind="mean") == pytest.approx(by_kind[..., 2, 1].mean())
    square = by_kind[:, :, 0, 1, 1].mean(axis=1)
    assert found["rmse"].sel(kind="mean") ** 2 == pytest.approx(square.mean())
    error = square.std(ddof=1) / np.sqrt(30) / (2.0 * np.sqrt(square.mean()))
    assert found["rmse_se"].sel(kind="mean") == pytest.approx(error)
    rates = overall[..., 3] + overall[..., 4]
    assert found["error_rate"] == pytest.approx(rates.mean())
    each = rates.mean(axis=(1, 2))
    assert found["error_rate_se"] == pytest.approx(each.std(ddof=1) / np.sqrt(30))
    # None of 60: two successes and two failures are added.
    assert (found["missed"], found["fitted"]) == (0.0, 1.0)
    assert found["missed_se"] == pytest.approx(np.sqrt(2 / 64 * 62 / 64 / 64))


def test_coverage_has_the_stated_error():
    # In 200 cells of the same coverage, 0.9 on average over mixtures.
    rng = np.random.default_rng(5)
    centre = rng.beta(9.0, 1.0, size=(40, 200, 1, 1, 1))
    covered = rng.random((40, 200, 3, 1, 4)) < centre
    by_kind = np.zeros((8000, 3, 1, 4, 4))
    by_kind[:, :, :, 2] = covered.reshape(8000, 3, 1, 4)
    cells = {"n_samples": 3, "n_rows": tuple(range(1, 201))}
    found = study(by_kind, np.ones((8000, 3, 1, 5)), **cells).results.squeeze().sel(kind="sd")
    assert found["coverage_se"].mean() == pytest.approx(float(found["coverage"].std()), rel=0.15)
    assert found["coverage"].mean() == pytest.approx(0.9, abs=0.01)


def test_number_of_workers_and_interruptions_do_not_matter(monkeypatch):
    grid = {"n_rows": [40, 80], "overlap": [0.05, 0.1], "covariance_type": ["diag", "tied"]}
    whole = recovery_study(2, 2, n_jobs=2, **grid, **SETTINGS)
    made = []

    def stopped_at_eleventh(design, number):
        made.append(number)
        if len(made) == 11:
            raise KeyboardInterrupt
        return simulated_recovery(design, number)

    monkeypatch.setattr(studies, "simulated_recovery", stopped_at_eleventh)
    part = recovery_study(2, 2, n_jobs=1, **grid, **SETTINGS)
    assert len(part.measured.overall) == 10
    assert int(part.replications["fitted"].count()) == 2 * 10
    both = part.extended(2, n_jobs=1, progressbar=False)
    assert both.replications.identical(whole.replications)
    assert both.design == whole.design
    assert both.extended(1).n_mixtures == 2
    # Every cell has its own values.
    assert whole.results["rmse"].stack(at=["n_rows", "overlap", "covariance_type"]).sizes["at"] == 8
    assert whole.results["rmse"].sel(covariance_type="diag", kind="correlation").isnull().all()
    assert whole.results["rmse"].sel(covariance_type="tied").notnull().all()
    levels = ["covariance_type", "overlap", "n_rows"]
    assert list(whole.table.index.names) == levels


def test_an_engine_has_the_same_rows_beside_another(monkeypatch):
    def other(design, cell, drawn, rng):
        unknown = np.full(12, np.nan)
        return simulated._Fit(Estimate(drawn.mixture, unknown, unknown, unknown, "none"), True, 0)

    monkeypatch.setitem(simulated._ENGINES, "posterior", other)
    both = simulated_recovery(replace(DESIGN, engines=("em", "posterior")), 0)
    alone = simulated_recovery(DESIGN, 0)
    np.testing.assert_array_equal(both.overall[:, :1], alone.overall)
    assert (both.by_kind[:, 1, [0, 1]] == 0.0).all()
    assert np.isnan(both.by_kind[:, 1, 2]).all()
    assert (both.by_kind[:, 1, 3] == 1.0).all()


def test_both_engines_recover_a_clear_mixture():
    settings = SETTINGS | {"n_mixtures": 2, "n_samples": 1}
    found = recovery_study(2, 1, 200, overlap=0.02, engines=["em", "posterior"], **settings)
    results = found.results
    assert list(results["engine"].values) == ["em", "posterior"]
    assert (results["converged"] == 1.0).all()
    assert (results["rmse"].sel(kind="mean") < 0.3).all()
    assert (results["excess_error_rate"] < 0.01).all()
    assert results["missed"].sel(engine="posterior").isnull().all()
    assert "2 random mixtures of 1 feature in each of 1 cell, 1 sample of each" in found.summary()


def test_one_component_and_levels_out_of_range_are_refused():
    with pytest.raises(InvalidParameterError, match="one component has no overlap"):
        recovery_study([1, 2], 2, 50)
    with pytest.raises(InvalidParameterError, match="overlap is empty"):
        recovery_study(2, 2, 50, overlap=[])
    with pytest.raises(InvalidParameterError, match="overlap must be a number between 0 and 1"):
        recovery_study(2, 2, 50, overlap=[0.1, 1.5])


@pytest.mark.slow
def test_intervals_of_clear_mixtures_have_their_coverage():
    found = recovery_study(3, 2, 1000, overlap=0.01, rng=2, progressbar=False).results.squeeze()
    off = (found["coverage"] - 0.9) / found["coverage_se"]
    assert (abs(off) < 4.0).all()
    assert found["missed"] == 0.0
