"""Conditional distributions: their densities against scipy's, and their draws."""

import itertools

import numpy as np
from scipy import stats
from scipy.special import logsumexp
from small_models import chains, model_of

from bayesgmm.marginal_likelihood.conditionals import Proposal, draw_inverses
from bayesgmm.marginal_likelihood.many_mixtures import Parameters


def of_labels(sets, at, s, t):
    """Log density of mixture t under set s, its components as they are labelled."""
    value = stats.dirichlet.logpdf(at.weights[t] / at.weights[t].sum(), sets.concentration[s])
    for k, mean in enumerate(at.means[t]):
        covariance = np.linalg.inv(sets.precision[s, k])
        value += stats.multivariate_normal.logpdf(mean, sets.mean[s, k], covariance)
    for k, inverse in enumerate(at.inverses[t]):
        df, scale = sets.df[s, k], sets.scale[s, k]
        if inverse.ndim == 2:
            value += stats.invwishart.logpdf(np.linalg.inv(inverse), df, scale)
        else:
            value += stats.invgamma.logpdf(1.0 / inverse, 0.5 * df, scale=0.5 * scale).sum()
    return value


def test_densities_are_averages_over_all_labellings(case):
    model = model_of(case)
    rng = np.random.default_rng(1)
    kept = chains(model, rng, draws=1)
    sets = kept.conditionals.take(np.arange(8))
    at = kept.parameters.take(slice(8, 11))
    expected = []
    for t in range(3):
        logs = []
        for order in map(list, itertools.permutations(range(3))):
            own = order if at.inverses.shape[1] == 3 else [0]
            moved = Parameters(at.weights[:, order], at.means[:, order], at.inverses[:, own])
            logs += [of_labels(sets, moved, s, t) for s in range(8)]
        expected.append(logsumexp(logs) - np.log(8 * 6))
    np.testing.assert_allclose(Proposal(sets).log_density(at), expected, rtol=1e-9)


def test_proposals_are_drawn_from_their_density(case):
    model = model_of(case)
    rng = np.random.default_rng(2)
    sets = chains(model, rng, draws=1).conditionals
    one, other = Proposal(sets.take(np.arange(8))), Proposal(sets.take(np.arange(4, 12)))
    at = one.draw(3000, rng)
    # E_q[2 p / (p + q)] over p and q alike is 1 for normalised densities p and q.
    logs = other.log_density(at), one.log_density(at)
    both = other.draw(3000, rng)
    again = other.log_density(both), one.log_density(both)
    found = 0.5 * sum(np.exp(p - np.logaddexp(p, q) + np.log(2.0)).mean() for p, q in (logs, again))
    swapped = 0.5 * sum(
        np.exp(q - np.logaddexp(p, q) + np.log(2.0)).mean() for p, q in (logs, again)
    )
    assert abs(found - swapped) < 0.08
    # The share of the one's draws under the other equals that of the other's under the one.
    left = np.exp(logs[0] - np.logaddexp(*logs))
    right = np.exp(again[1] - np.logaddexp(*again))
    spread = np.hypot(left.std(), right.std()) / np.sqrt(3000)
    assert abs(left.mean() - right.mean()) < 4.5 * spread


def test_inverse_covariances_are_wishart():
    rng = np.random.default_rng(3)
    scale = np.array([[2.0, 0.6], [0.6, 1.0]])
    found = draw_inverses(np.full((20000, 1), 7.0), np.broadcast_to(scale, (20000, 1, 2, 2)), rng)
    expected = stats.wishart(7.0, np.linalg.inv(scale))
    np.testing.assert_allclose(found[:, 0].mean(axis=0), expected.mean(), atol=0.15)
    np.testing.assert_allclose(found[:, 0].var(axis=0), expected.var(), rtol=0.08)
