"""Simulations: a mixture from the prior, rows from it, its place among draws of their posterior."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.calibration.prior_draws import draw_mixture
from bayesgmm.calibration.quantities import quantities
from bayesgmm.data.validation import check_data
from bayesgmm.errors import FitError
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import Draws
from bayesgmm.posterior.reader import read_draws
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.replications import replicated
from bayesgmm.sampling.sampling import sample_posterior

# Effective draws of a run for each draw that is kept of it.
_ESS_PER_DRAW = 4


@dataclass(frozen=True, slots=True)
class Design:
    """The settings of a calibration, which determine the simulation of every number.

    Attributes
    ----------
    priors : ResolvedPriors
    n_rows : int
    draws : int
        L, the draws of each posterior among which the true values are ranked.
    seed : int
    """

    priors: ResolvedPriors
    n_rows: int
    draws: int
    seed: int


class Posterior(NamedTuple):
    """Draws from a posterior, and whether their chains agreed with enough effective draws."""

    draws: Draws
    converged: bool


class Simulated(NamedTuple):
    """The outcome of a simulation.

    Attributes
    ----------
    places : dict from name to float, or None
        The place of each true value among the draws, uniform between 0 and 1 if the draws are from
        the posterior. None if the rows could not be fitted.
    converged : bool
    """

    places: dict[str, float] | None
    converged: bool


# From the design, rows and a seed to draws of the posterior given these rows.
type Sampler = Callable[[Design, Array, np.random.Generator], Posterior]


def by_sample_posterior(design: Design, X: Array, rng: np.random.Generator) -> Posterior:
    """`sample_posterior`, until a run has four effective draws for each that is kept."""
    priors = design.priors
    tree = sample_posterior(
        X,
        priors.n_components,
        covariance_type=priors.covariance_type,
        priors=Priors.from_resolved(priors),
        min_ess=_ESS_PER_DRAW * design.draws,
        max_time=np.inf,
        with_log_likelihood=False,
        rng=rng,
        progressbar=False,
    )
    if tree.attrs["interrupted"]:
        raise KeyboardInterrupt
    return Posterior(read_draws(tree), tree.attrs["stopped"] == "converged")


def simulations(
    design: Design,
    numbers: Iterable[int],
    sampler: Sampler,
    n_jobs: int | None,
    progressbar: bool,
) -> list[Simulated]:
    """The simulations of some numbers; after Ctrl-C those before the first unfinished one."""
    simulate = partial(_simulated, design, sampler)
    return replicated(simulate, numbers, n_jobs, progressbar, "Calibrating")


def _simulated(design: Design, sampler: Sampler, number: int) -> Simulated:
    """The simulation of a number."""
    seed = np.random.SeedSequence(design.seed, spawn_key=(number,))
    for_truth, for_rows, for_sampler, for_ties = np.random.default_rng(seed).spawn(4)
    truth = draw_mixture(design.priors, for_truth)
    X = truth.sample(design.n_rows, for_rows)[0]
    try:
        found, converged = sampler(design, X, for_sampler)
    except FitError:
        return Simulated(None, False)
    together = _with_draws(truth, found, design.draws)
    places = {}
    for name, (values,) in quantities(design.priors, check_data(X), together).items():
        true, others = values[0], values[1:]
        below, equal = np.sum(others < true), np.sum(others == true)
        # Ties are broken at random, and ranks made continuous.
        at = below + (equal + 1) * for_ties.uniform()
        places[name] = float(at / (len(others) + 1))
    return Simulated(places, converged)


def _with_draws(truth: Mixture, draws: Draws, size: int) -> Draws:
    """A chain of the true mixture and then `size` draws, evenly spaced."""
    stacked = draws.stacked()
    kept = (np.arange(size) * len(stacked[0])) // size
    parameters = truth.weights, truth.means, truth.covariances
    weights, means, covariances = (
        np.concatenate((true[np.newaxis], each[kept]))[np.newaxis]
        for true, each in zip(parameters, stacked, strict=True)
    )
    return Draws(weights, means, covariances)
