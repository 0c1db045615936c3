"""Recovery of a random mixture of given overlap from samples of its rows, by each engine."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import check_data
from bayesgmm.diagnostics.truth_recovery import Estimate, estimated, positions
from bayesgmm.em.fit import fit_mixture
from bayesgmm.em.settings import Settings
from bayesgmm.errors import FitError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.matching import match_components
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.priors.priors import Priors
from bayesgmm.simulation.random_mixtures import random_mixture
from bayesgmm.simulation.simulate import Simulation, simulate
from bayesgmm.uncertainty.parameter_vectors import reported

KINDS = ("weight", "mean", "sd", "correlation")
# What is measured for each kind of parameter, and for a fit as a whole.
BY_KIND = ("error", "squared_error", "covered", "without_interval")
OVERALL = ("fitted", "converged", "missed", "least_error_rate", "excess_error_rate")
# Rows on which classifications are compared, and nats by which a maximum is missed.
_FRESH, _MISSED = 2000, 1e-3


class Cell(NamedTuple):
    """A combination of the factors of a study."""

    n_components: int
    covariance_type: str
    overlap: float
    n_rows: int


@dataclass(frozen=True, slots=True)
class StudyDesign:
    """The settings of a study of recovery, which determine the simulation of every number.

    Attributes
    ----------
    n_components, covariance_type, overlap, n_rows : tuple
        The values of each factor.
    engines : tuple of str
        "em", "posterior" or both.
    n_features, n_samples : int
        n_samples, of each mixture.
    prob : float
        Of the intervals.
    priors : Priors or None
        Of the posterior.
    draws : int or None
        Of each chain.
    seed : int
    """

    n_components: tuple[int, ...]
    covariance_type: tuple[str, ...]
    overlap: tuple[float, ...]
    n_rows: tuple[int, ...]
    engines: tuple[str, ...]
    n_features: int
    n_samples: int
    prob: float
    priors: Priors | None
    draws: int | None
    seed: int

    @property
    def cells(self) -> list[Cell]:
        """All combinations of the factors."""
        factors = self.n_components, self.covariance_type, self.overlap, self.n_rows
        return [Cell(*each) for each in product(*factors)]


class Measured(NamedTuple):
    """What was measured on the samples of a mixture.

    Attributes
    ----------
    by_kind : ndarray of shape (samples, engines, 4, 4)
        `BY_KIND` by `KINDS`.
    overall : ndarray of shape (samples, engines, 5)
        `OVERALL`.
    """

    by_kind: Array
    overall: Array


class _Fit(NamedTuple):
    """The estimate of an engine; `missed` is NaN where it does not maximise a likelihood."""

    estimate: Estimate
    converged: bool
    missed: float


def simulated_recovery(design: StudyDesign, number: int) -> Measured:
    """The simulation of a number: a mixture of the cell in turn, and its samples."""
    cells = design.cells
    cell = cells[number % len(cells)]
    seed = np.random.SeedSequence(design.seed, spawn_key=(number,))
    for_truth, for_fresh, *for_samples = np.random.default_rng(seed).spawn(2 + design.n_samples)
    truth = random_mixture(
        cell.n_components,
        design.n_features,
        average_overlap=cell.overlap,
        covariance_type=cell.covariance_type,
        rng=for_truth,
    )
    fresh = check_data(truth.sample(_FRESH, for_fresh)[0])
    right = membership(fresh, truth)[1]
    shape = design.n_samples, len(design.engines)
    by_kind = np.full((*shape, len(BY_KIND), len(KINDS)), np.nan)
    overall = np.full((*shape, len(OVERALL)), np.nan)
    for i, rng in enumerate(for_samples):
        drawn = simulate(truth, cell.n_rows, rng=rng)
        for j, engine in enumerate(design.engines):
            try:
                found = _ENGINES[engine](design, cell, drawn, rng.spawn(1)[0])
            except FitError:
                overall[i, j, :2] = 0.0
                continue
            at = match_components(found.estimate.mixture, truth).order
            by_kind[i, j] = _by_kind(found.estimate, truth, at, cell)
            own = membership(fresh, found.estimate.mixture)[1][:, at]
            rates = _error_rates(right, own)
            overall[i, j] = (1.0, found.converged, found.missed, *rates)
    return Measured(by_kind, overall)


def _by_em(design: StudyDesign, cell: Cell, drawn: Simulation, rng: np.random.Generator) -> _Fit:
    k, structure = cell.n_components, as_structure(cell.covariance_type)
    seed = int(rng.integers(2**31))
    fit = GaussianMixture(k, covariance_type=structure, random_state=seed).fit(drawn.X)
    truth = drawn.mixture
    spread = truth.variances if structure.diagonal else truth.covariances
    settings = Settings(k, structure, previous=Parameters(truth.weights, truth.means, spread))
    try:
        near = fit_mixture(check_data(drawn.X), None, settings)
        missed = near.degeneracy is None and near.log_likelihood > fit.log_likelihood_ + _MISSED
    except FitError:
        missed = False
    # Only a maximum has standard errors.
    known = fit if fit.converged_ else fit.mixture_
    return _Fit(estimated(known, drawn, design.prob), bool(fit.converged_), float(missed))


def _by_posterior(
    design: StudyDesign, cell: Cell, drawn: Simulation, rng: np.random.Generator
) -> _Fit:
    # Seconds of each process that studies of EM alone do not need.
    from bayesgmm.convergence.agreement import AGREE, ENOUGH
    from bayesgmm.labels.relabelling import relabel
    from bayesgmm.sampling.sampling import sample_posterior

    tree = sample_posterior(
        drawn.X,
        cell.n_components,
        covariance_type=cell.covariance_type,
        priors=design.priors,
        draws=design.draws,
        max_time=np.inf,
        with_log_likelihood=False,
        rng=rng,
        progressbar=False,
    )
    if tree.attrs["interrupted"]:
        raise KeyboardInterrupt
    found = estimated(relabel(tree), drawn, design.prob)
    converged = tree.attrs["ess"] >= ENOUGH and tree.attrs["rhat"] <= AGREE
    return _Fit(found, converged, np.nan)


_ENGINES: dict[str, Callable[..., _Fit]] = {"em": _by_em, "posterior": _by_posterior}
ENGINES = tuple(_ENGINES)


def _by_kind(found: Estimate, truth: Mixture, order: Indices, cell: Cell) -> Array:
    """Averages over the parameters of each kind."""
    names, true = reported(truth)
    at = positions(found.mixture, order)
    estimate, lower, upper = reported(found.mixture)[1][at], found.lower[at], found.upper[at]
    kinds = np.array([name.partition("[")[0] for name in names])
    away, unit = _directions(truth)
    error = (estimate - true) / unit
    covered = np.where(np.isnan(lower), np.nan, (lower <= true) & (true <= upper))
    table = np.full((len(BY_KIND), len(KINDS)), np.nan)
    for j, kind in enumerate(KINDS):
        own = kinds == kind
        if not own.any() or (kind == "correlation" and as_structure(cell.covariance_type).diagonal):
            continue
        known = covered[own][~np.isnan(covered[own])]
        table[:, j] = (
            np.mean(away[own] * error[own]),
            np.mean(np.square(error[own])),
            known.mean() if len(known) else np.nan,
            1.0 - len(known) / own.sum(),
        )
    return table


def _directions(truth: Mixture) -> tuple[Array, Array]:
    """Signs by which errors count as bias, and units of errors, of all reported quantities."""
    k = truth.n_components
    sd = np.sqrt(truth.variances)
    correlations = reported(truth)[1][k + 2 * sd.size :]
    away = [
        np.sign(truth.weights - 1.0 / k),
        np.sign(truth.means - truth.mean()).ravel(),
        np.ones(sd.size),
        np.sign(correlations),
    ]
    unit = [np.ones(k), sd.ravel(), sd.ravel(), np.ones(len(correlations))]
    return np.concatenate(away), np.concatenate(unit)


def _error_rates(right: Array, fitted: Array) -> tuple[float, float]:
    """The least error rate of any classifier, and by how much that of a fit exceeds it.

    Given a row, classification as k is wrong with probability 1 - r_k, with r the true mixture's
    responsibilities: no labels are drawn.

    Parameters
    ----------
    right, fitted : ndarray of shape (n, K)
        Responsibilities of the true mixture, and of the fit with the true mixture's labels.
    """
    best = right.max(axis=1)
    own = right[np.arange(len(right)), fitted.argmax(axis=1)]
    return float(1.0 - best.mean()), float(np.mean(best - own))
