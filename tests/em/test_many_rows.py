"""Many rows: a part leads to the maximum, and to the metric of a few passes over all."""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, random_mixture
from bayesgmm.covariance.structures import as_structure
from bayesgmm.em import fit as em_fit
from bayesgmm.em.loop import Outcome, StopRule, maximise
from bayesgmm.em.metric import metric
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

MIXTURE = random_mixture(3, 2, average_overlap=0.2, rng=1)
X = MIXTURE.sample(200_000, rng=2)[0]


def near(code):
    """A maximum of a structure over some rows, and these."""
    structure = as_structure(code)
    rows, objective = Rows(X[:20_000]), Objective(structure)
    covariances = MIXTURE.variances if structure.diagonal else MIXTURE.covariances
    if code not in ("VVV", "VVI"):
        covariances = np.array([np.mean(covariances, axis=0)] * 3)
    start = Parameters(MIXTURE.weights, MIXTURE.means, covariances)
    return rows, objective, maximise(rows, objective, start, StopRule(1e-12)).parameters


def passed(code, n_rows):
    """Runs over more rows from a maximum over few, without and with the metric of the few."""
    few, objective, at = near(code)
    rows = Rows(X[:n_rows])
    found = metric(few, objective, at)
    return (
        maximise(rows, objective, at, StopRule(1e-9)),
        maximise(rows, objective, at, StopRule(1e-9), metric=found),
    )


@pytest.mark.parametrize("code", ["VVV", "VVI", "EEE", "VEI", "EVE", "VVE", "EEV"])
def test_the_metric_of_a_part_makes_passes_few_in_every_structure(code):
    plain, newton = passed(code, len(X))
    assert plain.outcome is newton.outcome is Outcome.CONVERGED
    assert newton.log_likelihood == pytest.approx(plain.log_likelihood, abs=2e-6)
    assert newton.n_e_steps <= 8 < plain.n_e_steps
    assert (np.diff(newton.trace) >= -1e-8).all()


def test_along_a_ridge_the_metric_of_a_part_is_given_up_for_plain_steps():
    plain, newton = passed("VEV", len(X))
    assert plain.outcome is newton.outcome is Outcome.CONVERGED
    assert newton.log_likelihood == pytest.approx(plain.log_likelihood, abs=2e-6)
    assert newton.n_e_steps < 1.5 * plain.n_e_steps


def test_with_the_metric_of_its_own_rows_a_step_leaves_the_square():
    rows, objective, at = near("VVV")
    found = metric(rows, objective, at)
    top = maximise(rows, objective, at, StopRule(1e-20)).log_likelihood
    left = []
    for far in (3e-3, 1e-3):
        off = at._replace(means=at.means + far)
        run = maximise(rows, objective, off, StopRule(-1.0, max_e_steps=2, plain=0), metric=found)
        left.append(top - run.trace)
    # Nats are squares of distances, and a step leaves the square of a distance.
    assert left[0][1] < 1e-2 * left[0][0]
    assert left[1][1] / left[0][1] == pytest.approx(3.0**-4, rel=0.5)


@pytest.mark.parametrize("wrong", ["large", "backwards", "noise"])
def test_a_wrong_metric_costs_steps_and_no_likelihood(wrong):
    rows, objective, at = near("VVV")
    start = at._replace(means=at.means + 0.3)
    size = sum(each.size for each in at)
    matrix = {
        "large": 1e3 * np.eye(size),
        "backwards": -np.eye(size),
        "noise": np.random.default_rng(0).normal(size=(size, size)),
    }[wrong]
    run = maximise(rows, objective, start, StopRule(1e-9), metric=matrix)
    right = maximise(rows, objective, at, StopRule(1e-9))
    assert run.outcome is Outcome.CONVERGED
    assert (np.diff(run.trace) >= -1e-8).all()
    assert run.log_likelihood == pytest.approx(right.log_likelihood, abs=1e-6)


@pytest.mark.parametrize("options", [{}, {"covariance_type": "EVE"}, {"noise_component": True}])
def test_a_fit_is_that_of_runs_over_all_rows(options, monkeypatch):
    few = GaussianMixture(3, random_state=0, **options).fit(X)
    monkeypatch.setattr(em_fit, "part_size", lambda *_: 0)
    many = GaussianMixture(3, random_state=0, **options).fit(X)
    assert few.log_likelihood_ == pytest.approx(many.log_likelihood_, abs=1e-6)
    assert few.converged_
    assert few.n_iter_ < many.n_iter_
    np.testing.assert_allclose(few.means_, many.means_, atol=1e-8)


def test_weights_missing_entries_and_known_labels_come_along(monkeypatch):
    rng = np.random.default_rng(5)
    x = X[:120_000].copy()
    x[rng.random(x.shape) < 0.1] = np.nan
    weights = rng.uniform(0.5, 2.0, len(x))
    labels = np.where(rng.random(len(x)) < 0.01, MIXTURE.classify(X[:120_000]), -1)
    few = GaussianMixture(3, random_state=0).fit(x, sample_weight=weights, labels=labels)
    monkeypatch.setattr(em_fit, "part_size", lambda *_: 0)
    many = GaussianMixture(3, random_state=0).fit(x, sample_weight=weights, labels=labels)
    assert few.log_likelihood_ == pytest.approx(many.log_likelihood_, abs=1e-6)
    assert few.n_iter_ < many.n_iter_
