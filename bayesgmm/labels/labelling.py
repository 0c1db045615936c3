"""One labelling for all draws of a posterior: the computation behind relabelling and diagnosis."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from bayesgmm.arguments import check_choice
from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.data.validation import Data
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.labels import relabelling_methods as methods
from bayesgmm.labels.assignment import Assignment, composed, inverse
from bayesgmm.labels.component_values import (
    Values,
    component_values,
    permuted,
    values_of_variables,
)
from bayesgmm.labels.memberships import Allocations, Memberships, Probabilities
from bayesgmm.labels.problems import GAUSSIAN, GENERAL, PIVOTAL, GaussianProblem, Problem
from bayesgmm.labels.stand_in_rows import stand_in_rows
from bayesgmm.mixture.fitted_mixture import fitted_mixture
from bayesgmm.mixture.matching import match_components
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import Draws
from bayesgmm.posterior.reader import (
    SAMPLE_DIMS,
    Posterior,
    component_dims,
    posterior_group,
    read_draws,
    read_estimate,
    rows_if_known,
    variable_names,
)

type Reference = Mixture | GaussianMixture

_GROUP, _PERMUTATIONS = "relabelling", "label_permutations"
_ORDERS = ("means", "variances", "weights")
# An ambiguity below this proportion of a component's average number of rows makes a draw ambiguous.
_AMBIGUOUS = 0.05
# Proportion of draws with exchangeable labels above which a component counts as cut.
_CUT = 0.05
_MEMBERSHIPS_ALONE = (
    "This needs draws of a Gaussian mixture, but the labels were found from memberships alone."
)


@dataclass(frozen=True, eq=False)
class Labelling:
    """Draws with the labels as sampled, and the labels that a method gives them.

    Attributes
    ----------
    posterior : DataTree or Dataset
        As given.
    dims : set of str
        Names of its axes of components.
    allocations : str or None
        Its variable of allocations.
    draws : Draws or None
        With the labels as sampled; None for mixtures of another family.
    values : dict from name to ndarray of shape (chain, draw, K)
        Quantities of each component, with the labels as sampled.
    memberships : Memberships
        Of the rows, or of those that stand in for them.
    rows : Data or None
        The fitted rows, if they are known.
    stand_in : Data or None
        Rows simulated from the draws, if the fitted ones are not known.
    permutations : ndarray of shape (chain, draw, K)
        ``permutations[c, s, j]`` is the component, as sampled, that gets label j.
    assignment : Assignment
        Costs and ambiguity of all draws, chain by chain.
    method, reference : str
    """

    posterior: Posterior
    dims: set[str]
    allocations: str | None
    draws: Draws | None
    values: Values
    memberships: Memberships
    rows: Data | None
    stand_in: Data | None
    permutations: Indices
    assignment: Assignment
    method: str
    reference: str

    @property
    def n_components(self) -> int:
        """The number of components, K."""
        return int(self.permutations.shape[2])

    @property
    def ambiguity(self) -> Array:
        """Excess cost of the second best labels, (chain, draw)."""
        return self.assignment.ambiguity.reshape(self.permutations.shape[:2])

    @property
    def threshold(self) -> float:
        """Ambiguity below which a draw is ambiguous.

        5 % of a component's average number of rows for ECR; of the median ambiguity for others.
        """
        if self.method.startswith("ecr"):
            return _AMBIGUOUS * self.memberships.total / self.n_components
        finite = self.ambiguity[np.isfinite(self.ambiguity)]
        return _AMBIGUOUS * float(np.median(finite)) if finite.size else 0.0

    @property
    def ambiguous(self) -> Booleans:
        """True for draws that other labels fit nearly as well, (chain, draw)."""
        return self.ambiguity < self.threshold

    @property
    def any_rows(self) -> Data:
        """The rows, or those that stand in for them."""
        known = self.rows or self.stand_in
        if known is None:
            raise InvalidParameterError(_MEMBERSHIPS_ALONE)
        return known

    @cached_property
    def exchanged(self) -> Array:
        """Proportion of draws in which two labels can be exchanged at little cost, (K, K).

        Little is a difference in the component of less than 5 % of a component's average number
        of rows. Symmetric, 0 on the diagonal.
        """
        k = self.n_components
        flat = self.permutations.reshape(-1, k)
        labels = self.memberships.average(flat).argmax(axis=1)
        tables = self.memberships.tables(np.eye(k)[labels])
        moved = np.take_along_axis(tables, flat[..., np.newaxis], axis=1)
        own = np.diagonal(moved, axis1=1, axis2=2)
        cost = own[:, :, np.newaxis] + own[:, np.newaxis, :] - moved - np.swapaxes(moved, 1, 2)
        cheap = cost < _AMBIGUOUS * self.memberships.total / k
        if self.draws is not None and self.draws.groups is not None:
            cheap &= self.draws.groups[:, np.newaxis] == self.draws.groups
        share: Array = (cheap & ~np.eye(k, dtype=bool)).mean(axis=0)
        return share

    @property
    def cut(self) -> tuple[int, ...]:
        """Components whose relabelled draws are cut where they overlap with another component.

        In more than 5 % of the draws its label could be exchanged with another at little cost.
        """
        return tuple(int(k) for k in np.flatnonzero((self.exchanged > _CUT).any(axis=1)))

    @property
    def gaussian_draws(self) -> Draws:
        """The draws with the labels as sampled.

        Raises
        ------
        InvalidParameterError
            For a mixture of another family.
        """
        if self.draws is None:
            raise InvalidParameterError(_MEMBERSHIPS_ALONE)
        return self.draws

    @property
    def relabelled(self) -> Draws:
        """The draws with the new labels."""
        return self.gaussian_draws.permuted(self.permutations)

    @property
    def relabelled_values(self) -> Values:
        """The quantities of each component, with the new labels."""
        return permuted(self.values, self.permutations)

    def tree(self) -> xr.DataTree:
        """A copy of the posterior with the new labels, as `relabel` returns it."""
        group = posterior_group(self.posterior)
        sampled = _sampled_labels(self.posterior, self.permutations.shape)
        moves = composed(inverse(sampled), self.permutations)
        moved = _permuted_group(group, moves, self.dims, self.allocations)
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
                _PERMUTATIONS: ((*SAMPLE_DIMS, "component"), self.permutations),
                "cost": (SAMPLE_DIMS, costs),
                "ambiguity": (SAMPLE_DIMS, self.ambiguity),
            },
            coords={name: group[name] for name in SAMPLE_DIMS if name in group.coords},
            attrs={
                "method": self.method,
                "reference": self.reference,
                "rounds": self.assignment.rounds,
            },
        )


@dataclass(frozen=True)
class Request:
    """The arguments of `relabel`, by which labels are found.

    Attributes
    ----------
    method : str
    reference : Mixture, fitted GaussianMixture or None
    X : array-like of shape (n, D), or None
    by, feature : str, int or str
        The parameter of "ordered".
    allocations, probabilities : str or None
        Variables of the posterior.
    variables : mapping, or None
    """

    method: str = "ecr"
    reference: Reference | None = None
    X: Any = None
    by: str = "means"
    feature: int | str = 0
    allocations: str | None = None
    probabilities: str | None = None
    variables: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        check_choice("method", self.method, [*GAUSSIAN, "ordered"])
        if self.allocations is not None and self.probabilities is not None:
            raise InvalidParameterError(
                "allocations and probabilities describe the same memberships: give one of them."
            )

    @property
    def has_memberships(self) -> bool:
        """True if allocations or probabilities are named."""
        return self.allocations is not None or self.probabilities is not None


def label_draws(posterior: Posterior, request: Request) -> Labelling:
    """Find the labels of all draws."""
    names = variable_names(request.variables)
    group = posterior_group(posterior)
    if request.has_memberships and not {names["weights"], names["means"]} <= set(group.data_vars):
        return _label_any_mixture(posterior, request)
    return _label_gaussian_mixture(posterior, request)


def _label_gaussian_mixture(posterior: Posterior, request: Request) -> Labelling:
    check_choice("by", request.by, _ORDERS)
    given = read_draws(posterior, request.variables)
    rows = rows_if_known(posterior, given.n_features, request.X)
    # A posterior relabelled before is labelled from the labels as sampled.
    sampled = _sampled_labels(posterior, given.weights.shape)
    draws = given.permuted(inverse(sampled))
    stand_in = stand_in_rows(draws) if rows is None else None
    pivot, origin = _reference(posterior, request.reference, draws)
    group, n = posterior_group(posterior), None if rows is None else len(rows.X)
    known = _memberships(group, request, n, sampled) if request.has_memberships else None
    if known is not None and stand_in is not None:
        raise InputError(
            "Memberships are of the fitted rows, but the posterior has no group 'observed_data'. "
            "Give them as X."
        )
    problem = GaussianProblem(draws, stand_in or rows, known, pivot)  # type: ignore[arg-type]
    if request.method == "ordered":
        values = draws.parameter(request.by, request.feature)
        best = methods.ordered(values.reshape(-1, draws.n_components), draws.groups)
        common = np.arange(draws.n_components)
    else:
        best = GAUSSIAN[request.method](problem)
        common = _common_order(problem, request.method, best.permutations)
    return Labelling(
        posterior,
        component_dims(group, request.variables),
        request.allocations,
        draws,
        component_values(draws),
        problem.memberships,
        rows,
        stand_in,
        best.permutations[:, common].reshape(draws.weights.shape),
        best,
        request.method,
        origin,
    )


def _label_any_mixture(posterior: Posterior, request: Request) -> Labelling:
    """Labels from memberships alone: every variable with an axis of components moves along."""
    group = posterior_group(posterior)
    dim, k = _component_dim(group, request)
    shape = (group.sizes["chain"], group.sizes["draw"], k)
    sampled = _sampled_labels(posterior, shape)
    problem = Problem(_memberships(group, request, None, sampled))
    values = permuted(values_of_variables(group, dim, request.probabilities), inverse(sampled))
    if request.reference is not None:
        raise InvalidParameterError(
            "A reference is a Gaussian mixture, but the posterior has no weights, means and "
            "covariances. Leave it out."
        )
    if request.method == "ordered":
        check_choice("by", request.by, list(values))
        best = methods.ordered(values[request.by].reshape(-1, k))
    elif request.method in GENERAL:
        best = GENERAL[request.method](problem)
    else:
        raise InvalidParameterError(
            f"method={request.method!r} needs draws of weights, means and covariances. From "
            f"memberships alone use {', '.join(map(repr, GENERAL))}, or 'ordered'."
        )
    return Labelling(
        posterior,
        {dim},
        request.allocations,
        None,
        values,
        problem.memberships,
        None,
        None,
        best.permutations.reshape(shape),
        best,
        request.method,
        "none",
    )


def _component_dim(group: xr.Dataset, request: Request) -> tuple[str, int]:
    """The axis of components: the last of the probabilities, else "component"."""
    if request.probabilities is not None:
        dim = str(_variable(group, request.probabilities, "probabilities").dims[-1])
    else:
        dim = "component"
    if dim not in group.sizes:
        raise InputError(
            f"The posterior has no axis {dim!r}: its axes are {', '.join(map(str, group.sizes))}. "
            "Rename the axis of components to 'component'."
        )
    return dim, int(group.sizes[dim])


def _sampled_labels(posterior: Posterior, shape: tuple[int, ...]) -> Indices:
    """Indices (chain, draw, K) of an earlier `relabel`; the identity if there was none."""
    if isinstance(posterior, xr.Dataset) or _GROUP not in posterior.children:
        return np.broadcast_to(np.arange(shape[-1]), shape)
    array = posterior[_GROUP][_PERMUTATIONS].transpose(*SAMPLE_DIMS, ...)
    return np.ascontiguousarray(array.values, dtype=np.intp)


def _reference(
    posterior: Posterior, reference: Reference | None, draws: Draws
) -> tuple[Mixture | None, str]:
    """The given reference, or EM's estimate stored with the draws; and its origin in words."""
    if reference is not None:
        mixture, origin = fitted_mixture("reference", reference, with_outliers=True), "given"
    else:
        kept = read_estimate(posterior)
        if kept is None:
            return None, "none: labels in the order of the means"
        mixture, origin = kept, "EM's fit"
    size, expected = mixture.means.shape, (draws.n_components, draws.n_features)
    if size != expected:
        raise InputError(
            f"The reference has {plural(size[0], 'component')} in {plural(size[1], 'feature')}, "
            "but the posterior "
            f"has {expected[0]} in {expected[1]}. Give a reference of the same size."
        )
    return mixture, origin


def _common_order(problem: GaussianProblem, method: str, permutations: Indices) -> Indices:
    """The permutation of all draws' labels that gives the reference's, or the means' order."""
    draws = problem.draws
    if draws.groups is not None:
        # Labels, or held values, number the components.
        return np.arange(draws.n_components)
    moved = draws.permuted(permutations.reshape(draws.weights.shape))
    if problem.reference is None:
        means = moved.means.mean(axis=(0, 1))
        return np.asarray(np.lexsort(means.T[::-1]), dtype=np.intp)
    if method in PIVOTAL:
        return np.arange(draws.n_components)
    return match_components(moved.mean(), problem.reference).order


def _variable(group: xr.Dataset, name: str, word: str) -> xr.DataArray:
    if name not in group.data_vars:
        raise InputError(f"The posterior has no variable {name!r} of {word}.")
    return group[name].transpose(*SAMPLE_DIMS, ...)


def _memberships(
    group: xr.Dataset, request: Request, n_rows: int | None, sampled: Indices
) -> Allocations | Probabilities:
    """Allocations or probabilities, for the components as sampled."""
    k = sampled.shape[2]
    flat = sampled.reshape(-1, k)
    if request.probabilities is not None:
        p = _variable(group, request.probabilities, "probabilities")
        if p.ndim != 4 or p.shape[3] != k or n_rows not in (None, p.shape[2]):
            raise InputError(
                "Probabilities must have the axes (chain, draw, row, component), with as many rows "
                f"as were fitted and {k} components; {request.probabilities!r} has "
                f"{dict(p.sizes)}."
            )
        back = inverse(flat)[:, np.newaxis, :]
        return Probabilities(np.take_along_axis(p.values.reshape(-1, *p.shape[2:]), back, axis=2))
    name = str(request.allocations)
    array = _variable(group, name, "allocations")
    if array.ndim != 3 or n_rows not in (None, array.shape[2]):
        raise InputError(
            "Allocations must have the axes (chain, draw, row), with as many rows as were fitted; "
            f"{name!r} has {dict(array.sizes)}."
        )
    z = array.values.reshape(-1, array.shape[2])
    Allocations(z, k)  # refuses what is not a component
    return Allocations(np.take_along_axis(flat, z, axis=1), k)


def _permuted_group(
    group: xr.Dataset, permutations: Indices, dims: set[str], allocations: str | None
) -> xr.Dataset:
    """The group with every variable permuted along each of its axes of components."""
    moved = group.copy()
    for name, array in group.data_vars.items():
        if not set(SAMPLE_DIMS) <= set(array.dims):
            continue
        first = array.transpose(*SAMPLE_DIMS, ...)
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
