"""Starts made from the maximum of a neighbouring model, and runs that give way to a better one."""

from dataclasses import replace

import numpy as np
import pytest

import bayesgmm.em.loop as loop
from bayesgmm import GaussianMixture, load_dataset, select_mixture
from bayesgmm.covariance.structures import as_structure, structures
from bayesgmm.em.loop import Outcome, StopRule, first_better, maximise
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective
from bayesgmm.selection.split_merge import merges, projected, splits

CODES = [each.code for each in structures() if len(each.code) == 3]
IRIS = load_dataset("iris").X - load_dataset("iris").X.mean(axis=0)


def maximum(code, k, rows):
    """A mixture of the structure near a maximum, with the statistics of a pass there."""
    structure = as_structure(code)
    fit = GaussianMixture(k, covariance_type=code, random_state=0).fit(rows)
    covariances = fit.mixture_.covariances
    if structure.diagonal:
        covariances = np.einsum("kii->ki", covariances)
    start = Parameters(fit.weights_, fit.means_, np.ascontiguousarray(covariances))
    return maximise(
        Rows(rows), Objective(structure), start, StopRule(remaining=1e-10, max_e_steps=200)
    )


def moments(parameters):
    """Mean and covariance of a whole mixture (variances where it is diagonal)."""
    weights, means, covariances = parameters
    centre = weights @ means
    apart = means - centre
    if covariances.ndim == 2:
        return centre, weights @ (covariances + apart**2)
    return centre, np.tensordot(weights, covariances, 1) + (apart.T * weights) @ apart


@pytest.mark.parametrize("code", CODES)
def test_halves_have_the_moments_of_the_whole(code):
    """A component's first two moments are its halves', where the structure leaves them."""
    structure, run = as_structure(code), maximum(code, 3, IRIS)
    centre, spread = moments(run.parameters)
    made = list(splits(structure, run.parameters, run.statistics, None))
    assert len(made) == 3
    for each in made:
        assert len(each.weights) == 4
        assert each.weights.sum() == pytest.approx(1.0, abs=1e-12)
        np.testing.assert_allclose(moments(each)[0], centre, atol=1e-9)
        if code in ("VVV", "VVI", "EEE", "EEI"):
            np.testing.assert_allclose(moments(each)[1], spread, rtol=1e-5)
        if code in ("EII", "VII"):
            assert moments(each)[1].sum() == pytest.approx(spread.sum(), rel=1e-5)


def test_few_at_a_time_are_the_same(monkeypatch):
    run = maximum("VVV", 3, IRIS)
    together = list(splits(as_structure("VVV"), run.parameters, run.statistics, None))
    monkeypatch.setattr(loop, "_NUMBERS", 40)
    for one, other in zip(
        splits(as_structure("VVV"), run.parameters, run.statistics, None), together, strict=True
    ):
        for mine, whole in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, whole)


def test_division_across_the_same_direction_in_any_coordinates():
    """With lengths measured by the covariance of all rows, no linear map changes the halves."""
    structure = as_structure("VVV")
    change = np.array([[2.0, 0.3, 0, 0], [0, 0.1, 0, 0], [1.0, 0, 3.0, 0], [0, 0.5, 0, 1.0]])
    run = maximum("VVV", 2, IRIS)
    rows = np.ascontiguousarray(IRIS @ change.T)
    weights, means, covariances = run.parameters
    start = Parameters(weights, means @ change.T, change @ covariances @ change.T)
    there = maximise(Rows(rows), Objective(structure), start, StopRule(max_e_steps=1))
    here = splits(structure, run.parameters, run.statistics, metric_of(IRIS))
    mapped = splits(structure, there.parameters, there.statistics, metric_of(rows))
    for one, other in zip(here, mapped, strict=True):
        # Which half comes first is the sign of an eigenvector.
        apart = np.abs((one.means @ change.T)[:, np.newaxis] - other.means).max(axis=2)
        assert apart.min(axis=1).max() < 1e-9


def metric_of(rows):
    return np.linalg.cholesky(np.cov(rows.T, bias=True))


@pytest.mark.parametrize("code", CODES)
def test_joining_keeps_the_moments(code):
    structure, run = as_structure(code), maximum(code, 4, IRIS)
    centre, spread = moments(run.parameters)
    made = merges(structure, run.parameters, 150.0, 99)
    assert len(made) == 6
    for each in made:
        assert len(each.weights) == 3
        np.testing.assert_allclose(moments(each)[0], centre, atol=1e-9)
        if code in ("VVV", "VVI"):
            np.testing.assert_allclose(moments(each)[1], spread, rtol=1e-9)


def test_the_halves_of_one_group_are_joined_first():
    weights = np.array([0.3, 0.2, 0.2, 0.3])
    means = np.array([[0.0, 0.0], [10.0, 0.0], [10.5, 0.0], [0.0, 10.0]])
    parameters = Parameters(weights, means, np.tile(np.eye(2), (4, 1, 1)))
    (first,) = merges(as_structure("VVV"), parameters, 100.0, 1)
    np.testing.assert_allclose(first.weights, [0.3, 0.3, 0.4])
    np.testing.assert_allclose(first.means[2], [10.25, 0.0])
    np.testing.assert_allclose(first.covariances[2], [[1.0 + 0.0625, 0.0], [0.0, 1.0]])


def projections(structure, *mixtures, n=150.0):
    """Mixtures of n rows, projected together."""
    weights, means, covariances = (np.stack(each) for each in zip(*mixtures, strict=True))
    return projected(structure, n * weights, weights, means, covariances)


@pytest.mark.parametrize("code", CODES)
def test_a_member_stays_itself_and_others_become_members(code):
    structure, run = as_structure(code), maximum(code, 3, IRIS)
    (again,) = projections(structure, run.parameters)
    np.testing.assert_allclose(again.covariances, run.parameters.covariances, rtol=1e-5, atol=1e-9)
    other = maximum("VVV", 3, IRIS).parameters
    (made,) = projections(structure, other)
    (twice,) = projections(structure, made)
    np.testing.assert_allclose(twice.covariances, made.covariances, rtol=1e-3, atol=1e-6)


def test_a_singular_covariance_is_no_start():
    weights, means = np.array([0.5, 0.5]), np.zeros((2, 2))
    sound = Parameters(weights, means, np.tile(np.eye(2), (2, 1, 1)))
    singular = sound._replace(covariances=np.array([np.eye(2), np.ones((2, 2))]))
    assert projections(as_structure("EVV"), singular, n=10.0) == []
    assert len(projections(as_structure("EVV"), sound, singular, sound, n=10.0)) == 2


def test_a_run_gives_way_to_a_rival_that_it_will_not_reach():
    structure = as_structure("VVV")
    rng = np.random.default_rng(3)
    start = Parameters(
        np.full(3, 1 / 3),
        IRIS[rng.choice(150, 3, replace=False)],
        np.tile(np.cov(IRIS.T), (3, 1, 1)),
    )

    def run(incumbent):
        rule = StopRule(remaining=1e-6, max_e_steps=500, incumbent=incumbent)
        return maximise(Rows(IRIS), Objective(structure), start, rule)

    whole = run(-np.inf)
    same = run(whole.objective)
    brief = run(whole.objective + 1000.0)
    assert whole.remaining <= 1e-6
    assert brief.outcome is Outcome.BEHIND
    assert brief.n_e_steps < whole.n_e_steps
    assert brief.remaining > 1e-6
    np.testing.assert_array_equal(brief.trace, whole.trace[: brief.trace.size])
    assert same.trace[-1] <= whole.trace[-1]


def starts_of_iris(code, n):
    """n mixtures of three components at random rows, and the objective of their runs."""
    structure, rng = as_structure(code), np.random.default_rng(8)
    spread = np.cov(IRIS.T)
    covariances = np.tile(spread.diagonal() if structure.diagonal else spread, (n, 3, 1))
    means = IRIS[[rng.choice(150, 3, replace=False) for _ in range(n)]]
    shape = (n, 3, 4) if structure.diagonal else (n, 3, 4, 4)
    starts = Parameters(np.full((n, 3), 1 / 3), means, covariances.reshape(shape))
    return starts, Objective(structure)


@pytest.mark.parametrize("code", ["VVV", "VVI", "EVE"])
def test_runs_from_several_starts_are_those_from_each(code):
    starts, objective = starts_of_iris(code, 6)

    def runs(rule):
        mixtures = (Parameters(*(part[i] for part in starts)) for i in range(6))
        return [maximise(Rows(IRIS), objective, each, rule) for each in mixtures]

    def found(rule, first=0, better=0.0):
        at = {"first": first, "better": better, "seconds": np.inf}
        return first_better(Rows(IRIS), objective, starts, rule, **at)

    rule = StopRule(remaining=1e-6, max_e_steps=500)
    each = runs(rule)
    for first in range(6):
        place, run, n_e_steps = found(rule, first)
        assert (place, n_e_steps) == (first, run.n_e_steps)
        assert run.outcome is each[first].outcome
        np.testing.assert_array_equal(run.trace, each[first].trace)
        np.testing.assert_array_equal(run.parameters.means, each[first].parameters.means)
    values = np.sort([run.objective for run in each])
    assert values[-1] > values[0] + 1.0
    above = replace(rule, incumbent=values[0] + 0.5)
    place, run, n_e_steps = found(above, better=0.1)
    expected = runs(above)
    assert place == [each.objective > values[0] + 0.6 for each in expected].index(True)
    assert n_e_steps == sum(each.n_e_steps for each in expected[: place + 1])
    assert run.objective > values[0] + 0.6
    assert found(replace(rule, incumbent=values[-1]), better=0.1)[:2] == (6, None)


def test_no_run_begins_after_its_time():
    starts, objective = starts_of_iris("VVV", 3)
    at = {"better": 0.0, "first": 1, "seconds": 0.0}
    assert first_better(Rows(IRIS), objective, starts, StopRule(), **at) == (1, None, 0)


@pytest.mark.filterwarnings("ignore:The selected model")
def test_no_seed_changes_a_grid():
    first, second = (
        select_mixture(IRIS, [2, 4], ["EEE", "VEV", "VVV"], rng=seed).table for seed in (0, 1)
    )
    assert first.equals(second)


@pytest.mark.filterwarnings("ignore:The selected model")
def test_a_k_alone_is_reached_by_those_below_it():
    alone = select_mixture(IRIS, [4], "VVV", rng=0).table
    among = select_mixture(IRIS, range(1, 5), "VVV", rng=0).table
    assert list(alone["n_components"]) == [4]
    assert alone["log_likelihood"].item() == among["log_likelihood"].iloc[-1]


@pytest.mark.filterwarnings("ignore:The selected model")
def test_a_grid_of_many_rows_ends_on_all_of_them():
    """Maxima are looked for on 2000 rows; what is reported is the maximum of all."""
    rng = np.random.default_rng(5)
    rows = np.concatenate([rng.normal(c, 1.0, (1500, 2)) for c in (0.0, 4.0)])
    table = select_mixture(rows, range(1, 4), ["EII", "EEE", "VVV"], rng=0).table
    assert table["converged"].all()
    for code in ("EII", "EEE", "VVV"):
        fit = GaussianMixture(2, covariance_type=code, random_state=0).fit(rows)
        cell = table[(table["n_components"] == 2) & (table["covariance_type"] == code)]
        assert cell["log_likelihood"].item() == pytest.approx(fit.log_likelihood_, abs=1e-4)
