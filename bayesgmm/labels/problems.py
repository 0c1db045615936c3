"""The input of the methods of relabelling (draws, memberships, a pivot), and methods by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array, Indices
from bayesgmm.data.validation import Data
from bayesgmm.em.completed_rows import with_means
from bayesgmm.labels import relabelling_methods as methods
from bayesgmm.labels.assignment import Assignment, assign
from bayesgmm.labels.memberships import Allocations, Memberships, Probabilities, Responsibilities
from bayesgmm.mixture.matching import matching_costs
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import Draws

# Draws among which the pivot of a mixture of another family is chosen.
_CANDIDATES = 50


@dataclass(frozen=True, eq=False)
class GaussianProblem:
    """The input of a method for draws of a Gaussian mixture.

    Attributes
    ----------
    draws : Draws
    rows : Data
        The fitted rows, or those that stand in for them.
    given : Allocations or Probabilities of T draws, or None
    reference : Mixture, or None
    """

    draws: Draws
    rows: Data
    given: Allocations | Probabilities | None = None
    reference: Mixture | None = None

    @property
    def groups(self) -> Indices | None:
        """Groups (K,) of components that can exchange their labels; None: all can."""
        return self.draws.groups

    @cached_property
    def responsibilities(self) -> Responsibilities:
        """Memberships under the parameters of each draw."""
        return Responsibilities(self.draws, self.rows)

    @property
    def memberships(self) -> Memberships:
        """Sampled allocations or given probabilities, or else probabilities of the parameters."""
        return self.responsibilities if self.given is None else self.given

    @property
    def hard(self) -> Memberships:
        """Sampled allocations, or else each row's most probable component."""
        if isinstance(self.given, Allocations):
            return self.given
        return Responsibilities(self.draws, self.rows, hard=True)

    @cached_property
    def pivot(self) -> Mixture:
        """The reference; without one, the draw of largest log-likelihood."""
        if self.reference is not None:
            return self.reference
        best = int(self.responsibilities.log_likelihoods().argmax())
        return self.draws.mixture(*divmod(best, self.draws.n_draws))

    @cached_property
    def pivot_labels(self) -> NDArray[np.integer[Any]]:
        """The pivot's most probable component for each row, (n,)."""
        return self.pivot.classify(self.rows)


@dataclass(frozen=True, eq=False)
class Problem:
    """The input of a method for draws of which only memberships are known.

    Attributes
    ----------
    given : Allocations or Probabilities of T draws
    """

    given: Allocations | Probabilities
    groups = None

    @property
    def responsibilities(self) -> Memberships:
        """Probabilities, or else sampled allocations."""
        return self.given

    memberships = responsibilities

    @cached_property
    def hard(self) -> Allocations:
        """Sampled allocations, or else each row's most probable component."""
        return self.given.hard()

    @cached_property
    def pivot_labels(self) -> NDArray[np.integer[Any]]:
        """The labels (n,) of the draw nearest to the others, of some evenly spaced draws."""
        labels = self.hard.labels
        some = np.unique(np.linspace(0, len(labels) - 1, _CANDIDATES).astype(np.intp))
        few = Allocations(labels[some], self.hard.shape[2])
        costs = [methods.ecr(few, labels[each]).costs.sum() for each in some]
        return np.asarray(labels[some[int(np.argmin(costs))]])


type AnyProblem = GaussianProblem | Problem


def _start(problem: AnyProblem) -> Indices:
    """Initial labels of iterative methods: the pivot's, whatever the labels of the draws."""
    return _ecr(problem).permutations


def _ecr(problem: AnyProblem) -> Assignment:
    return methods.ecr(problem.memberships, problem.pivot_labels, problem.groups)


def _iterative_1(p: AnyProblem) -> Assignment:
    return methods.ecr_iterative(p.memberships, p.hard, _start(p), p.groups)


def _iterative_2(p: AnyProblem) -> Assignment:
    return methods.ecr_iterative(p.memberships, p.responsibilities, _start(p), p.groups)


def _pra(p: GaussianProblem) -> Assignment:
    """PRA in units of each parameter's standard deviation within components."""
    parameters = _parameters(*p.draws.stacked())
    pivot = p.pivot
    _, means, covariances = p.draws.stacked()
    costs = matching_costs(means, covariances, pivot.means, pivot.covariances)
    nearest = assign(np.swapaxes(costs, 1, 2), p.groups)
    units = _units(np.take_along_axis(parameters, nearest.permutations[..., np.newaxis], axis=1))
    return methods.pra(parameters / units, _parameters_of(pivot) / units, p.groups)


def _pra_raw(p: GaussianProblem) -> Assignment:
    return methods.pra(_parameters(*p.draws.stacked()), _parameters_of(p.pivot), p.groups)


def _data_based(p: GaussianProblem) -> Assignment:
    rows = with_means(p.rows.X, None)
    return methods.data_based(p.memberships, rows, _start(p), p.groups)


# Methods for draws of any mixture, from memberships alone.
GENERAL: dict[str, Callable[[AnyProblem], Assignment]] = {
    "ecr": _ecr,
    "ecr-iterative-1": _iterative_1,
    "ecr-iterative-2": _iterative_2,
    "stephens": lambda p: methods.stephens(p.responsibilities, _start(p), p.groups),
}
GAUSSIAN: dict[str, Callable[[GaussianProblem], Assignment]] = {
    **GENERAL,
    "pra": _pra,
    "pra-raw": _pra_raw,
    "data-based": _data_based,
}
# Methods that give the pivot's labels.
PIVOTAL = frozenset({"ecr", "pra", "pra-raw"})


def _parameters(weights: Array, means: Array, covariances: Array) -> Array:
    """Weight, means, variances and covariances of each component, (T, K, J)."""
    rows, columns = np.tril_indices(means.shape[-1])
    return np.concatenate(
        [weights[..., np.newaxis], means, covariances[..., rows, columns]], axis=-1
    )


def _parameters_of(mixture: Mixture) -> Array:
    return _parameters(mixture.weights, mixture.means, mixture.covariances)


def _units(parameters: Array) -> Array:
    """Standard deviations (J,) of parameters (T, K, J) within components."""
    apart = parameters - parameters[:1]
    # In units of about their range, as squares of the values may overflow.
    ranges = np.abs(apart).max(axis=(0, 1))
    ranges = np.where(ranges > 0.0, ranges, 1.0)
    spread: Array = ranges * np.sqrt((apart / ranges).var(axis=0).mean(axis=0))
    return np.where(spread > 0.0, spread, ranges)
