"""The maximum under a bound on the ratio of two components' variances in any direction."""

from itertools import permutations

import numpy as np
import pytest
from scipy.linalg import eigh
from scipy.optimize import minimize

from bayesgmm import GaussianMixture, load_dataset
from bayesgmm.covariance.structures import as_structure
from bayesgmm.em.loop import StopRule, maximise
from bayesgmm.em.spurious import at_bound, variance_ratios
from bayesgmm.errors import FitError, InputError
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

FAITHFUL, IRIS = load_dataset("faithful").X, load_dataset("iris").X


def largest_ratio(fit):
    pairs = permutations(fit.mixture_.covariances, 2)
    return max(float(eigh(a, b, eigvals_only=True)[-1]) for a, b in pairs)


def fitted(x, k, code="full", ratio=None, **settings):
    settings = {"random_state": 0, **settings}
    return GaussianMixture(k, covariance_type=code, eigenvalue_ratio=ratio, **settings).fit(x)


@pytest.mark.parametrize(("x", "k"), [(FAITHFUL, 2), (FAITHFUL, 3), (IRIS, 3)])
@pytest.mark.parametrize(
    ("code", "equal"), [("full", "tied"), ("diag", "EEI"), ("spherical", "EII")]
)
def test_a_bound_of_one_makes_covariances_equal(x, k, code, equal):
    """The maximum is that of equal covariances, which other code finds."""
    held, other = fitted(x, k, code, 1.0), fitted(x, k, equal)
    assert held.converged_
    assert held.log_likelihood_ == pytest.approx(other.log_likelihood_, abs=1e-8)
    np.testing.assert_allclose(held.mixture_.means, other.mixture_.means, rtol=1e-6)


def test_the_maximum_of_one_feature_is_that_of_a_general_optimiser():
    """Two components of ratio 40, and the bound is 9: weight, means and variances by BFGS."""
    rng = np.random.default_rng(4)
    x = np.concatenate((rng.normal(0.0, 0.5, 150), rng.normal(2.0, 3.0, 250)))
    fit = fitted(x[:, np.newaxis], 2, ratio=9.0)

    def loss(theta):
        logit, first, second, log_sd = theta
        means, sds = np.array([first, second]), np.exp(log_sd) * np.array([1.0, 3.0])
        logs = -0.5 * np.square((x[:, np.newaxis] - means) / sds) - np.log(sds)
        logs += np.array([-np.logaddexp(0.0, -logit), -np.logaddexp(0.0, logit)])
        return 0.5 * len(x) * np.log(2.0 * np.pi) - np.logaddexp.reduce(logs, axis=1).sum()

    found = minimize(loss, [0.0, 0.0, 2.0, 0.0], method="BFGS", options={"gtol": 1e-9})
    assert largest_ratio(fit) == pytest.approx(9.0, rel=1e-12)
    assert fit.log_likelihood_ == pytest.approx(-found.fun, abs=1e-9)
    free = fitted(x[:, np.newaxis], 2)
    assert largest_ratio(free) > 30.0


@pytest.mark.parametrize("ratio", [2.0, 5.0, 30.0])
@pytest.mark.parametrize("code", ["full", "diag", "spherical"])
def test_it_is_met_and_no_step_loses_likelihood(code, ratio):
    fit = fitted(FAITHFUL, 4, code, ratio)
    assert largest_ratio(fit) <= ratio * (1.0 + 1e-9)
    assert fit.converged_
    assert np.diff(fit.lower_bounds_).min() > -1e-11
    assert fit.log_likelihood_ < fitted(FAITHFUL, 4, code).log_likelihood_ + 1e-9


def test_an_m_step_is_the_best_of_all_that_meet_the_bound():
    """It is convex in precisions: no mixture of it and others that meet the bound is better."""
    rng = np.random.default_rng(0)
    k, d, ratio = 3, 2, 2.0
    begun = Parameters(
        np.full(k, 1.0 / k),
        np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]]),
        np.tile(np.eye(d), (k, 1, 1)),
    )
    roots = np.array(
        [[[1.0, 0.0], [0.5, 0.2]], [[0.3, 0.0], [0.0, 1.5]], [[1.0, 0.0], [-1.0, 1.0]]]
    )
    groups = begun.means[:, np.newaxis] + rng.standard_normal((k, 60, d)) @ roots.transpose(0, 2, 1)
    x = groups.reshape(-1, d)
    objective = Objective(as_structure("VVV"), eigenvalue_ratio=ratio)
    sums = Rows(x).e_step(*begun)
    step = sums.firsts / sums.counts[:, np.newaxis]
    scatters = sums.seconds - np.einsum("k,ki,kj->kij", sums.counts, step, step)
    exact = StopRule(max_e_steps=2, change=0.0)
    run = maximise(Rows(x), objective, begun, exact, accelerate=False)
    found = np.linalg.inv(run.parameters.covariances)
    assert at_bound(run.parameters, ratio).sum() >= 2
    assert variance_ratios(run.parameters).max() <= ratio * (1.0 + 1e-7)

    def value(precisions):
        logs = np.linalg.slogdet(precisions)[1]
        traces = np.einsum("kij,kji->k", precisions, scatters)
        return 0.5 * float((sums.counts * logs - traces).sum())

    best = value(found)
    for _ in range(500):
        near = found * np.exp(rng.normal(0.0, 0.3, (k, 1, 1)))
        turned = rng.normal(0.0, 0.2, (k, d, d))
        near = near + 0.2 * turned @ near @ turned.transpose(0, 2, 1)
        share = 1.0
        while variance_ratios(begun._replace(covariances=np.linalg.inv(near))).max() > ratio:
            share *= 0.7
            near = share * near + (1.0 - share) * near.mean(axis=0)
        for mix in (1e-3, 1e-2, 0.1, 1.0):
            assert value((1.0 - mix) * found + mix * near) < best + 1e-6 * mix


def test_it_does_not_depend_on_linear_maps():
    rng = np.random.default_rng(1)
    moved = FAITHFUL @ rng.standard_normal((2, 2)) + np.array([1e3, -50.0])
    jacobian = 272.0 * np.linalg.slogdet(np.random.default_rng(1).standard_normal((2, 2)))[1]
    here, there = fitted(FAITHFUL, 3, ratio=10.0), fitted(moved, 3, ratio=10.0)
    assert there.log_likelihood_ + jacobian == pytest.approx(here.log_likelihood_, abs=1e-6)


def test_a_component_that_would_collapse_keeps_a_variance():
    """Three equal values: without a bound the likelihood has no maximum there."""
    x = np.concatenate((np.random.default_rng(0).standard_normal(100), [6.0] * 3))[:, np.newaxis]
    fit = fitted(x, 2, ratio=20.0, means_init=[[0.0], [6.0]])
    assert fit.degeneracy_ is None
    assert largest_ratio(fit) == pytest.approx(20.0, rel=1e-12)
    assert fit.weights_[1] == pytest.approx(3.0 / 103.0, rel=0.01)


def test_outliers_priors_and_weights_go_with_it():
    for settings in ({"contaminated": True}, {"noise_component": True}, {"priors": "default"}):
        fit = fitted(FAITHFUL, 3, ratio=3.0, **settings)
        assert fit.converged_, settings
        assert largest_ratio(fit) <= 3.0 * (1.0 + 1e-9), settings


def test_a_fit_on_the_bound_says_so():
    fit = fitted(FAITHFUL, 3, ratio=10.0)
    which = at_bound(fit._parameters, 10.0)
    assert which.tolist() == [True, False, False]
    said = "The bound of 10 on ratios of variances keeps component 0 from being narrower"
    assert said in fit.summary()
    with pytest.raises(InputError, match=r"lie on the bound of ratios of variances.*bootstrap"):
        fit.standard_errors()
    assert said not in fitted(FAITHFUL, 3, ratio=100.0).summary()


@pytest.mark.parametrize("seed", [209, 254, 275, 377])
def test_a_fit_that_collapses_from_every_start_names_the_bound_and_it_helps(seed):
    x = np.random.default_rng(seed).standard_normal((150, 1))
    with pytest.raises(FitError, match="eigenvalue_ratio=100, a bound on the ratio"):
        fitted(x, 2)
    assert fitted(x, 2, ratio=100.0).converged_
