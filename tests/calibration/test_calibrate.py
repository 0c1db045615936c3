"""Calibration: exact draws are found calibrated, planted errors are found; seeds and workers."""

from dataclasses import replace
from functools import partial

import arviz as az
import numpy as np
import pytest
from studies import size

from bayesgmm import InverseGamma, Priors, calibrate
from bayesgmm.calibration.calibrate import calibration
from bayesgmm.calibration.simulations import Design, Posterior, by_sample_posterior
from bayesgmm.errors import FitError, InvalidParameterError
from bayesgmm.posterior.draws import Draws

PRIORS = Priors(mean_location=[0.0], mean_sd=[1.0], covariances=InverseGamma(3.0, 1.0))
DESIGN = Design(PRIORS.for_data([[-0.5], [0.5]], 2), n_rows=4, draws=19, seed=1)
TOO_WIDE = Priors(mean_location=[0.0], mean_sd=[1.0], covariances=InverseGamma(3.0, 1.5))


def exact(design, X, rng, *, ignored=False, jacobian=True):
    """Draws from the posterior of one feature by importance sampling from the prior."""
    priors, size = design.priors, 4_000
    weights = rng.dirichlet(priors.concentration, size)
    means = priors.mean_location + priors.mean_sd * rng.normal(size=weights.shape)
    family = priors.covariances
    variances = family.scale / rng.gamma(family.shape, size=weights.shape)
    z = (X[:, np.newaxis] - means) / np.sqrt(variances)  # (n, T, K)
    densities = (weights / np.sqrt(variances) * np.exp(-0.5 * np.square(z))).sum(axis=2)
    chances = np.ones(size) if ignored else densities.prod(axis=0)
    if not jacobian:  # of variances in the coordinates log(sigma^2)
        chances /= variances.prod(axis=1)
    chosen = rng.choice(size, size=design.draws, p=chances / chances.sum())
    covariances = variances[chosen, :, np.newaxis, np.newaxis]
    arrays = weights[chosen], means[chosen, :, np.newaxis], covariances
    return Posterior(Draws(*(each[np.newaxis] for each in arrays)), True)


def wrong_scale(design, X, rng):
    return exact(replace(design, priors=TOO_WIDE.for_data([[-0.5], [0.5]], 2)), X, rng)


def test_exact_draws_are_calibrated():
    found = calibration(DESIGN, 200, exact)
    assert found.calibrated
    assert found.verdict.startswith("Calibrated, as far as 200 simulations can show: all ranks")
    assert abs(found.table["mean"] - 0.5).max() < 4.0 / np.sqrt(12 * 200)


@pytest.mark.parametrize(
    ("sampler", "outside"),
    [
        (wrong_scale, "sd of x0 [0]"),
        (partial(exact, ignored=True), "log-likelihood"),
        (partial(exact, jacobian=False), "sd of x0 [0]"),
    ],
    ids=["a prior scale off by 1.5", "data ignored", "a Jacobian left out"],
)
def test_planted_errors_are_found(sampler, outside):
    found = calibration(DESIGN, 200, sampler)
    assert not found.calibrated
    assert not found.table["inside"][outside]
    assert found.verdict.startswith("Not calibrated: of 200 simulations the ranks of ")
    assert outside in found.verdict
    if outside == "log-likelihood":
        # Where data are ignored, the parameters themselves are calibrated.
        inside = found.table["inside"].drop(["log-likelihood", "log posterior density"])
        assert inside.all()


def test_number_of_workers_and_interruptions_do_not_matter():
    settings = {"n_simulations": 3, "draws": 9, "rng": 3, "progressbar": False}
    whole = calibrate(1, 2, 20, n_jobs=2, **settings)
    part = calibrate(1, 2, 20, n_jobs=1, **settings | {"n_simulations": 2})
    both = part.extended(3, n_jobs=1, progressbar=False)
    for each in ("prior_sbc", "simulations"):
        assert both.tree[each].to_dataset().identical(whole.tree[each].to_dataset())
    assert (both.seed, both.draws, both.priors) == (whole.seed, whole.draws, whole.priors)
    assert both.extended(2, progressbar=False).n_simulations == 3


def test_an_interrupted_run_keeps_what_is_finished():
    made = []

    def stopped_at_third(design, X, rng):
        made.append(X)
        if len(made) == 3:
            raise KeyboardInterrupt
        return exact(design, X, rng)

    found = calibration(DESIGN, 10, stopped_at_third)
    assert found.n_simulations == 2
    assert found.ranks.equals(calibration(DESIGN, 2, exact).ranks)
    with pytest.raises(KeyboardInterrupt):
        calibration(
            DESIGN, 10, lambda *_: stopped_at_third(made.clear(), made, made.extend([0, 0]))
        )


def test_rows_that_cannot_be_fitted_are_counted_and_left_out():
    def refuses_some(design, X, rng):
        if X.max() > 2.0:
            raise FitError("no maximum")
        return exact(design, X, rng)

    found = calibration(DESIGN, 30, refuses_some)
    fitted = found.tree["simulations"]["fitted"].values[0]
    assert 0 < fitted.sum() < found.n_simulations == 30
    assert found.ranks.equals(calibration(DESIGN, 30, exact).ranks[fitted].reset_index(drop=True))
    assert f"could not be fitted: {30 - fitted.sum()} samples." in found.summary()
    with pytest.raises(FitError, match="None of 2 samples of 4 rows could be fitted"):
        calibration(DESIGN, 2, lambda *_: refuses_some(DESIGN, np.array([9.0]), None))


def test_arviz_draws_the_places():
    found = calibration(DESIGN, 20, exact)
    pictures = az.plot_ecdf_pit(found.tree, var_names=["weight [0]", "log-likelihood"])
    assert "ecdf_lines" in pictures.viz.children


def test_the_summary_names_the_size_and_runs_that_did_not_converge():
    found = calibration(DESIGN, 5, lambda *each: exact(*each)._replace(converged=False))
    text = found.summary()
    assert "5 simulations (2 components, 1 feature, 4 rows), 19 draws of each posterior" in text
    assert "5 runs did not converge" in text
    assert "log posterior density" in text


@pytest.mark.parametrize(
    ("priors", "structure", "words"),
    [
        (Priors(concentration=[1.0, 1.0, 2.0]), "full", "components 0 and 1 are equal"),
        (Priors(ordered=0, ordered_components=[0, 2]), "full", "components 0 and 1 are equal"),
        (None, "EVE", "shares parts of covariances"),
    ],
)
def test_priors_that_cannot_be_drawn_or_number_no_components_are_refused(priors, structure, words):
    with pytest.raises(InvalidParameterError, match=words):
        calibrate(3, 2, 20, priors=priors, covariance_type=structure)


@pytest.mark.slow
def test_posteriors_of_two_components_are_calibrated():
    """The first of the 500 in docs/calibration.md."""
    found = calibrate(2, 2, 200, n_simulations=size(ci=30, full=500), rng=1, progressbar=False)
    assert found.calibrated
    assert found.tree["simulations"]["converged"].mean() > 0.99


@pytest.mark.slow
def test_posteriors_of_few_rows_are_calibrated():
    design = replace(DESIGN, n_rows=10)
    assert calibration(design, 50, by_sample_posterior, n_jobs=None).calibrated
