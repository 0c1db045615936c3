"""One labelling for all draws of a posterior: the computation behind relabelling and diagnosis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesgmm.arguments import check_choice
from bayesgmm.data.validation import Data
from bayesgmm.diagnostics import relabelling_methods as methods
from bayesgmm.diagnostics.label_assignment import Assignment, composed, inverse
from bayesgmm.diagnostics.memberships import Allocations, Memberships, Responsibilities
from bayesgmm.diagnostics.posterior_means import deviations
from bayesgmm.errors import InputError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture, fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import (
    Draws,
    Posterior,
    component_dims,
    posterior_group,
    read_draws,
    read_estimate,
    rows_if_known,
)

type Array = NDArray[np.float64]
type Permutations = NDArray[np.intp]
type Reference = Mixture | GaussianMixture

_GROUP, _PERMUTATIONS = "relabelling", "label_permutations"
_SAMPLE_DIMS = ("chain", "draw")
# An ambiguity below this proportion of a component's average number of rows makes a draw ambiguous.
_AMBIGUOUS = 0.05


@dataclass(frozen=True, eq=False)
class Problem:
    """The input of a method: draws and, where known, rows, allocations and a reference.

    Attributes
    ----------
    draws : Draws
    rows : Data or None
    allocations : Allocations of T draws, or None
    reference : Mixture, or None
    """

    draws: Draws
    rows: Data | None = None
    allocations: Allocations | None = None
    reference: Mixture | None = None

    @cached_property
    def responsibilities(self) -> Responsibilities:
        """Memberships under the parameters of each draw."""
        return Responsibilities(self.draws, self.known_rows.X)

    @property
    def known_rows(self) -> Data:
        """The rows, or an error if they are not known."""
        if self.rows is None:
            raise InputError(
                "This method needs the fitted rows, but the posterior has no group "
                "'observed_data'. Give them as X, or use method='pra' or 'ordered'."
            )
        return self.rows

    @cached_property
    def memberships(self) -> Memberships:
        """Sampled allocations, or else their probabilities."""
        return self.responsibilities if self.allocations is None else self.allocations

    @cached_property
    def pivot(self) -> Mixture:
        """The reference; without one, the draw of largest log-likelihood.

        Without rows it is the draw whose parameters, ordered by the means, are nearest to the
        median of all draws, each in units of its posterior standard deviation.
        """
        if self.reference is not None:
            return self.reference
        if self.rows is not None:
            best = int(self.responsibilities.log_likelihoods().argmax())
        else:
            parameters = _parameters(*self.draws.stacked()) / _units(self.draws)
            order = _by_means(self.draws.stacked()[1])
            flat = np.take_along_axis(parameters, order[..., np.newaxis], axis=1)
            best = int(np.square(flat - np.median(flat, axis=0)).sum(axis=(1, 2)).argmin())
        return self.draws.mixture(*divmod(best, self.draws.n_draws))

    @cached_property
    def pivot_labels(self) -> NDArray[np.integer[Any]]:
        """The pivot's most probable component for each row, (n,)."""
        return self.pivot.classify(self.known_rows)

    @cached_property
    def start(self) -> Permutations:
        """Initial labels of iterative methods: the pivot's, whatever the labels of the draws."""
        return methods.ecr(self.memberships, self.pivot_labels).permutations


def _pra(problem: Problem) -> Assignment:
    units = _units(problem.draws)
    return methods.pra(
        _parameters(*problem.draws.stacked()) / units, _parameters_of(problem.pivot) / units
    )


def _iterative_1(problem: Problem) -> Assignment:
    allocated: Memberships = problem.memberships
    if problem.allocations is None:
        allocated = Responsibilities(problem.draws, problem.known_rows.X, hard=True)
    return methods.ecr_iterative(problem.memberships, allocated, problem.start)


# Methods that give the pivot's labels.
_PIVOTAL = frozenset({"ecr", "pra"})
_METHODS: dict[str, Callable[[Problem], Assignment]] = {
    "ecr": lambda p: methods.ecr(p.memberships, p.pivot_labels),
    "ecr-iterative-1": _iterative_1,
    "ecr-iterative-2": lambda p: methods.ecr_iterative(p.memberships, p.responsibilities, p.start),
    "stephens": lambda p: methods.stephens(p.responsibilities, p.start),
    "pra": _pra,
    "data-based": lambda p: methods.data_based(p.memberships, p.known_rows.X, p.start),
}


@dataclass(frozen=True, eq=False)
class Labelling:
    """Draws with the labels as sampled, and the labels that a method gives them.

    Attributes
    ----------
    posterior : DataTree or Dataset
        As given.
    variables : mapping, or None
        Names of its variables.
    allocations : str or None
        Its variable of allocations.
    draws : Draws
        With the labels as sampled.
    rows : Data or None
    permutations : ndarray of shape (chain, draw, K)
        ``permutations[c, s, j]`` is the component, as sampled, that gets label j.
    assignment : Assignment
        Costs and ambiguity of all draws, chain by chain.
    method, reference : str
    """

    posterior: Posterior
    variables: Mapping[str, str] | None
    allocations: str | None
    draws: Draws
    rows: Data | None
    permutations: Permutations
    assignment: Assignment
    method: str
    reference: str

    @property
    def ambiguity(self) -> Array:
        """Excess cost of the second best labels, (chain, draw)."""
        return self.assignment.ambiguity.reshape(self.permutations.shape[:2])

    @property
    def threshold(self) -> float:
        """Ambiguity below which a draw is ambiguous.

        5 % of a component's average number of rows for ECR; of the median ambiguity for others.
        """
        if self.rows is not None and self.method.startswith("ecr"):
            return _AMBIGUOUS * len(self.rows.X) / self.draws.n_components
        finite = self.ambiguity[np.isfinite(self.ambiguity)]
        return _AMBIGUOUS * float(np.median(finite)) if finite.size else 0.0

    @property
    def ambiguous(self) -> NDArray[np.bool_]:
        """True for draws that other labels fit nearly as well, (chain, draw)."""
        return self.ambiguity < self.threshold

    @property
    def relabelled(self) -> Draws:
        """The draws with the new labels."""
        return self.draws.permuted(self.permutations)

    def tree(self) -> xr.DataTree:
        """A copy of the posterior with the new labels, as `relabel` returns it."""
        group = posterior_group(self.posterior)
        moves = composed(inverse(_sampled_labels(self.posterior, self.draws)), self.permutations)
        dims = component_dims(group, self.variables)
        moved = _permuted_group(group, moves, dims, self.allocations)
        moved.attrs["relabelled"] = self.method
        copy = xr.DataTree() if isinstance(self.posterior, xr.Dataset) else self.posterior.copy()
        copy["posterior"] = xr.DataTree(moved)
        copy[_GROUP] = xr.DataTree(self._record(group))
        return copy

    def _record(self, group: xr.Dataset) -> xr.Dataset:
        """The group that describes the relabelling, from the labels as sampled."""
        costs = self.assignment.costs.reshape(self.permutations.shape[:2])
        return xr.Dataset(
            {
                _PERMUTATIONS: ((*_SAMPLE_DIMS, "component"), self.permutations),
                "cost": (_SAMPLE_DIMS, costs),
                "ambiguity": (_SAMPLE_DIMS, self.ambiguity),
            },
            coords={name: group[name] for name in _SAMPLE_DIMS if name in group.coords},
            attrs={
                "method": self.method,
                "reference": self.reference,
                "rounds": self.assignment.rounds,
            },
        )


def check_method(method: str) -> None:
    """Refuse an unknown method.

    Raises
    ------
    InvalidParameterError
    """
    check_choice("method", method, [*_METHODS, "ordered"])


def label_draws(
    posterior: Posterior,
    method: str,
    reference: Reference | None = None,
    X: Any = None,
    *,
    by: str = "means",
    feature: int | str = 0,
    allocations: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Labelling:
    """Find the labels of all draws; parameters are those of `relabel`."""
    check_method(method)
    given = read_draws(posterior, variables)
    rows = rows_if_known(posterior, given.n_features, X)
    # A posterior relabelled before is labelled from the labels as sampled.
    sampled = _sampled_labels(posterior, given)
    draws = given.permuted(inverse(sampled))
    z = None
    if allocations is not None:
        z = _allocations(posterior_group(posterior), allocations, rows, sampled)
    pivot, origin = _reference(posterior, reference, draws)
    problem = Problem(draws, rows, z, pivot)
    if method == "ordered":
        best = methods.ordered(draws.parameter(by, feature).reshape(-1, draws.n_components))
        common = np.arange(draws.n_components)
    else:
        best = _METHODS[method](problem)
        common = _common_order(problem, method, best.permutations)
    permutations = best.permutations[:, common].reshape(draws.weights.shape)
    return Labelling(
        posterior, variables, allocations, draws, rows, permutations, best, method, origin
    )


def _sampled_labels(posterior: Posterior, draws: Draws) -> Permutations:
    """Permutations (chain, draw, K) of an earlier `relabel`; the identity if there was none."""
    if isinstance(posterior, xr.Dataset) or _GROUP not in posterior.children:
        return np.broadcast_to(np.arange(draws.n_components), draws.weights.shape)
    array = posterior[_GROUP][_PERMUTATIONS].transpose(*_SAMPLE_DIMS, ...)
    return np.ascontiguousarray(array.values, dtype=np.intp)


def _reference(
    posterior: Posterior, reference: Reference | None, draws: Draws
) -> tuple[Mixture | None, str]:
    """The given reference, or EM's estimate stored with the draws; and its origin in words."""
    if reference is not None:
        mixture, origin = fitted_mixture("reference", reference), "given"
    else:
        kept = read_estimate(posterior)
        if kept is None:
            return None, "none: labels in the order of the means"
        mixture, origin = kept, "EM's fit"
    size, expected = mixture.means.shape, (draws.n_components, draws.n_features)
    if size != expected:
        raise InputError(
            f"The reference has {size[0]} components in {size[1]} features, but the posterior "
            f"has {expected[0]} in {expected[1]}. Give a reference of the same size."
        )
    return mixture, origin


def _parameters(weights: Array, means: Array, covariances: Array) -> Array:
    """Weight, means, variances and covariances of each component, (T, K, J)."""
    rows, columns = np.tril_indices(means.shape[-1])
    return np.concatenate(
        [weights[..., np.newaxis], means, covariances[..., rows, columns]], axis=-1
    )


def _parameters_of(mixture: Mixture) -> Array:
    return _parameters(mixture.weights, mixture.means, mixture.covariances)


def _units(draws: Draws) -> Array:
    """Standard deviation of each parameter over all components of all draws, (J,)."""
    parameters = _parameters(*draws.stacked())
    spread = deviations(parameters.reshape(-1, parameters.shape[-1]))
    return np.where(spread > 0.0, spread, 1.0)


def _by_means(means: Array) -> Permutations:
    """The order of components by their means, feature after feature; means (..., K, D)."""
    order: Permutations = np.lexsort(np.moveaxis(means, -1, 0)[::-1], axis=-1)
    return order


def _common_order(problem: Problem, method: str, permutations: Permutations) -> Permutations:
    """The permutation of all draws' labels that gives the reference's, or the means' order."""
    draws = problem.draws
    moved = draws.permuted(permutations.reshape(draws.weights.shape))
    if problem.reference is None:
        return _by_means(moved.means.mean(axis=(0, 1)))
    if method in _PIVOTAL:
        return np.arange(draws.n_components)
    units = _units(draws)
    means = _parameters(*moved.stacked()).mean(axis=0) / units
    wanted = _parameters_of(problem.reference) / units
    common: Permutations = methods.pra(means[np.newaxis], wanted).permutations[0]
    return common


def _allocations(
    group: xr.Dataset, name: str, rows: Data | None, sampled: Permutations
) -> Allocations:
    """Allocations to the components as sampled."""
    if name not in group.data_vars:
        raise InputError(f"The posterior has no variable {name!r} of allocations.")
    array = group[name].transpose(*_SAMPLE_DIMS, ...)
    if array.ndim != 3 or (rows is not None and array.shape[2] != len(rows.X)):
        raise InputError(
            "Allocations must have the axes (chain, draw, row), with as many rows as were fitted; "
            f"{name!r} has {dict(array.sizes)}."
        )
    k, z = sampled.shape[2], array.values.reshape(-1, array.shape[2])
    Allocations(z, k)  # refuses what is not a component
    return Allocations(np.take_along_axis(sampled.reshape(-1, k), z, axis=1), k)


def _permuted_group(
    group: xr.Dataset, permutations: Permutations, dims: set[str], allocations: str | None
) -> xr.Dataset:
    """The group with every variable permuted along each of its axes of components."""
    moved = group.copy()
    for name, array in group.data_vars.items():
        if not set(_SAMPLE_DIMS) <= set(array.dims):
            continue
        first = array.transpose(*_SAMPLE_DIMS, ...)
        values = first.values
        for axis, dim in enumerate(first.dims):
            if dim in dims:
                shape = [1] * first.ndim
                shape[:2], shape[axis] = permutations.shape[:2], permutations.shape[2]
                values = np.take_along_axis(values, permutations.reshape(shape), axis=axis)
        if name == allocations:
            values = np.take_along_axis(inverse(permutations), values, axis=2)
        moved[name] = first.copy(data=values).transpose(*array.dims)
    return moved
