"""One labelling for all draws of a posterior."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any
from warnings import warn

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesgmm.arguments import check_choice, check_text, shown
from bayesgmm.diagnostics import relabelling_methods as methods
from bayesgmm.diagnostics.label_assignment import composed, inverse
from bayesgmm.diagnostics.memberships import Allocations, Memberships, Responsibilities
from bayesgmm.diagnostics.posterior_means import deviations
from bayesgmm.diagnostics.relabelling_methods import Labels
from bayesgmm.errors import ConvergenceWarning, InputError, InvalidParameterError, NotFittedError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import (
    Draws,
    Posterior,
    component_dims,
    posterior_group,
    read_draws,
    read_rows,
)

type Array = NDArray[np.float64]
type Permutations = NDArray[np.intp]
type Reference = Mixture | GaussianMixture

GROUP = "relabelling"
_PERMUTATIONS = "label_permutations"
# EM's fit, as `sample_posterior` keeps it.
_EM = ("em_weights", "em_means", "em_covariances")


@dataclass(frozen=True, eq=False)
class Problem:
    """What a method may use: draws, and where they are known the rows, allocations, a reference.

    Attributes
    ----------
    draws : Draws
    rows : ndarray of shape (n, D), or None
    allocations : ndarray of shape (T, n), or None
    reference : Mixture, or None
    """

    draws: Draws
    rows: Array | None = None
    allocations: NDArray[np.integer[Any]] | None = None
    reference: Mixture | None = None

    @cached_property
    def responsibilities(self) -> Responsibilities:
        """Memberships under each draw's parameters."""
        if self.rows is None:
            raise InputError(
                "This needs the rows that were fitted, but the posterior has no group "
                "'observed_data'. Give them as X, or use method='pra' or 'ordered'."
            )
        return Responsibilities(self.draws, self.rows)

    @cached_property
    def memberships(self) -> Memberships:
        """The allocations that were drawn, or else their probabilities."""
        if self.allocations is None:
            return self.responsibilities
        return Allocations(self.allocations, self.draws.n_components)

    @cached_property
    def log_likelihoods(self) -> Array:
        """The log-likelihood of each draw, (T,), in nats."""
        return self.responsibilities.log_likelihoods()

    @cached_property
    def pivot(self) -> Mixture:
        """The reference; without one, the draw of largest log-likelihood.

        Without rows it is the draw whose parameters, in the order of their means, lie nearest to
        the median of all draws, each in the standard deviation of its draws.
        """
        if self.reference is not None:
            return self.reference
        if self.rows is not None:
            best = int(self.log_likelihoods.argmax())
        else:
            parameters = comparable_parameters(self.draws) / _units(self.draws)
            order = _by_means(self.draws.stacked()[1])
            flat = np.take_along_axis(parameters, order[..., np.newaxis], axis=1)
            best = int(np.square(flat - np.median(flat, axis=0)).sum(axis=(1, 2)).argmin())
        return self.draws.mixture(*divmod(best, self.draws.n_draws))

    @cached_property
    def start(self) -> Permutations:
        """The labels from which methods iterate: those of the pivot, whatever the draws' own."""
        return methods.ecr(self.memberships, self.pivot.classify(self.rows)).permutations


def _pra(problem: Problem) -> Labels:
    units = _units(problem.draws)
    return methods.pra(
        comparable_parameters(problem.draws) / units, _parameters_of(problem.pivot) / units
    )


def _iterative_1(problem: Problem) -> Labels:
    allocated: Memberships = problem.memberships
    if problem.allocations is None and problem.rows is not None:
        allocated = Responsibilities(problem.draws, problem.rows, hard=True)
    return methods.ecr_iterative(problem.memberships, allocated, problem.start)


# Methods whose labels are the pivot's already.
_PIVOTAL = frozenset({"ecr", "pra"})
_METHODS: dict[str, Callable[[Problem], Labels]] = {
    "ecr": lambda p: methods.ecr(p.memberships, p.pivot.classify(p.rows)),
    "ecr-iterative-1": _iterative_1,
    "ecr-iterative-2": lambda p: methods.ecr_iterative(p.memberships, p.responsibilities, p.start),
    "stephens": lambda p: methods.stephens(p.responsibilities, p.start),
    "pra": _pra,
    "data-based": lambda p: methods.data_based(p.memberships, _needed(p.rows), p.start),
}


def relabel(
    posterior: Posterior,
    *,
    method: str = "ecr",
    reference: Reference | None = None,
    X: Any = None,
    by: str = "means",
    feature: int | str = 0,
    allocations: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> xr.DataTree:
    """Give the components of all draws one labelling.

    Within a draw components are only renamed: weights, means, covariances and whatever else counts
    components move together, no draw is dropped, and no label-invariant quantity changes.

    Parameters
    ----------
    posterior : DataTree or Dataset
        Of `sample_posterior`, or any with weights, means and covariances.
    method : str
        * "ecr" (default): most rows stand where the reference has them. Without allocations among
          the variables, their probabilities under each draw stand in: the cost is its expectation.
        * "ecr-iterative-1", "ecr-iterative-2": the same, where each row's most frequent label, or
          the most probable one, takes the reference's place.
        * "stephens": classification probabilities nearest to their mean by KL divergence.
        * "pra": parameters nearest to the reference's, each in the standard deviation of its
          draws.
        * "data-based": rows nearest to the mean of their label.
        * "ordered": ascending order of one parameter; in more than one dimension, or where
          components overlap in it, this cuts through the posterior's modes.
    reference : Mixture or fitted GaussianMixture, optional
        Whose labels are to be used. Without one, EM's fit that `sample_posterior` keeps in
        ``constant_data``; where there is none either, the draw of largest log-likelihood is the
        pivot of methods that need one, and labels are put in the order of the means.
    X : (n, D), optional
        The rows that were fitted, by default those in ``observed_data``.
    by : {"means", "variances", "weights"}
        The parameter that "ordered" orders by.
    feature : int or str
        Whose mean or variance.
    allocations : str, optional
        The posterior's variable of axes (chain, draw, row) that holds allocations, if it has one.
    variables : mapping, optional
        What the posterior calls weights, means and covariances: ``{"means": "mu", ...}``. In the
        place of "covariances" stands "variances" or "standard_deviations" where it has those.

    Returns
    -------
    DataTree
        A copy with the variables of ``posterior`` relabelled and a group ``relabelling`` with
        ``label_permutations`` (chain, draw, component), where
        ``relabelled[c, s, j] = original[c, s, label_permutations[c, s, j]]``; the ``cost`` of the
        labels; and their ``ambiguity``, by how much the second best labels cost more: in rows for
        ECR, in nats for Stephens, in squared standard deviations for PRA and data-based, in the
        parameter's units for an order. Attributes say the method and reference; that of
        ``posterior`` is "relabelled".

    Raises
    ------
    InputError
        If a group or variable is missing, or the reference has another shape than the draws.
    InvalidParameterError
        If the method or the parameter to order by is unknown.

    Notes
    -----
    Relabelling twice changes nothing more, and the order of the chains does not matter. What the
    draws' memberships are needed for is formed block by block; no array of draws x rows x
    components exists.
    """
    check_method(method)
    check_choice("by", by, ("means", "variances", "weights"))
    check_text("allocations", allocations)
    draws = read_draws(posterior, variables)
    rows = rows_or_none(posterior, draws.n_features, X)
    group = posterior_group(posterior)
    z = None if allocations is None else _allocations(group, allocations, rows)
    pivot, origin = chosen_reference(posterior, reference, draws)
    problem = Problem(draws, rows, z, pivot)
    permutations, labels = find_labels(problem, method, by=by, feature=feature)
    if not labels.settled:
        warn(
            f"The labels of method {method!r} still changed after {labels.rounds} rounds. "
            "Look at the ambiguity, or give a reference and use method='ecr'.",
            ConvergenceWarning,
            stacklevel=2,
        )
    moved = _permuted_group(group, permutations, component_dims(group, variables), allocations)
    moved.attrs["relabelled"] = method
    copy = xr.DataTree() if isinstance(posterior, xr.Dataset) else posterior.copy()
    copy["posterior"] = xr.DataTree(moved)
    copy[GROUP] = xr.DataTree(_record(group, posterior, permutations, labels, method, origin))
    return copy


def find_labels(
    problem: Problem, method: str, *, by: str = "means", feature: int | str = 0
) -> tuple[Permutations, Labels]:
    """The permutations (chain, draw, K) of a method, and what else it found, draw by draw.

    Labels are the reference's; without one, in the order of the means.
    """
    draws = problem.draws
    if method == "ordered":
        labels = methods.ordered(_order_parameter(draws, by, feature))
        common = np.arange(draws.n_components)
    else:
        labels = _METHODS[method](problem)
        common = _common_order(problem, method, labels.permutations)
    permutations = labels.permutations[:, common]
    return permutations.reshape(draws.n_chains, draws.n_draws, draws.n_components), labels


def check_method(method: str) -> None:
    """Refuse an unknown method.

    Raises
    ------
    InvalidParameterError
    """
    check_choice("method", method, [*_METHODS, "ordered"])


def check_reference(reference: Reference | None, draws: Draws) -> Mixture | None:
    """Return the mixture of a reference.

    Raises
    ------
    InputError
        If it has another number of components or features than the draws.
    NotFittedError
        If it is an estimator that was not fitted.
    """
    if reference is None:
        return None
    if isinstance(reference, GaussianMixture):
        if not hasattr(reference, "mixture_"):
            raise NotFittedError("The reference is not fitted yet. Call its fit first.")
        reference = reference.mixture_
    if not isinstance(reference, Mixture):
        raise InvalidParameterError(
            "reference must be a Mixture or a fitted GaussianMixture, not "
            f"{type(reference).__name__}."
        )
    found, expected = reference.means.shape, (draws.n_components, draws.n_features)
    if found != expected:
        raise InputError(
            f"The reference has {found[0]} components in {found[1]} features, but the posterior "
            f"has {expected[0]} in {expected[1]}. Labels can be taken from a mixture of the same "
            "size only."
        )
    return reference


def chosen_reference(
    posterior: Posterior, reference: Reference | None, draws: Draws
) -> tuple[Mixture | None, str]:
    """The reference that was given, or EM's fit that came with the draws; and in words which.

    Raises
    ------
    InputError, InvalidParameterError, NotFittedError
        As `check_reference` does.
    """
    if reference is not None:
        return check_reference(reference, draws), "given"
    if isinstance(posterior, xr.DataTree) and "constant_data" in posterior.children:
        kept = posterior["constant_data"].to_dataset()
        if all(name in kept.data_vars for name in _EM):
            fit = Mixture(*(kept[name].values for name in _EM))
            return check_reference(fit, draws), "EM's fit"
    return None, "none: labels in the order of the means"


def original_labels(posterior: Posterior, draws: Draws) -> Draws:
    """The draws under the labels that they were sampled with, if they were relabelled since."""
    if isinstance(posterior, xr.Dataset) or GROUP not in posterior.children:
        return draws
    return draws.permuted(inverse(_recorded(posterior)))


def comparable_parameters(draws: Draws) -> Array:
    """Weight, means, variances and covariances of each component, (T, K, J)."""
    weights, means, covariances = draws.stacked()
    d = draws.n_features
    lower = np.tril_indices(d)
    return np.concatenate([weights[..., np.newaxis], means, covariances[..., *lower]], axis=-1)


def _units(draws: Draws) -> Array:
    """The standard deviation of each parameter over all components of all draws, (J,)."""
    every = comparable_parameters(draws)
    spread = deviations(every.reshape(-1, every.shape[-1]))
    return np.where(spread > 0.0, spread, 1.0)


def _by_means(means: Array) -> Permutations:
    """The order of components by their means, feature after feature; means (..., K, D)."""
    order: Permutations = np.lexsort(np.moveaxis(means, -1, 0)[::-1], axis=-1)
    return order


def _parameters_of(mixture: Mixture) -> Array:
    """`comparable_parameters` of one mixture, (K, J)."""
    one = Draws(
        mixture.weights[np.newaxis, np.newaxis],
        mixture.means[np.newaxis, np.newaxis],
        mixture.covariances[np.newaxis, np.newaxis],
    )
    parameters: Array = comparable_parameters(one)[0]
    return parameters


def _common_order(problem: Problem, method: str, permutations: Permutations) -> Permutations:
    """What all draws' labels must still be permuted by, to be the reference's or in order."""
    draws = problem.draws
    k = draws.n_components
    moved = draws.permuted(permutations.reshape(draws.n_chains, draws.n_draws, k))
    if problem.reference is None:
        return _by_means(moved.means.mean(axis=(0, 1)))
    if method in _PIVOTAL:
        return np.arange(k)
    units = _units(draws)
    found = comparable_parameters(moved).mean(axis=0) / units
    wanted = _parameters_of(problem.reference) / units
    common: Permutations = methods.pra(found[np.newaxis], wanted).permutations[0]
    return common


def _order_parameter(draws: Draws, by: str, feature: int | str) -> Array:
    weights, means, covariances = draws.stacked()
    if by == "weights":
        return weights
    index = feature_index(draws, feature)
    return means[..., index] if by == "means" else covariances[..., index, index]


def feature_index(draws: Draws, feature: int | str) -> int:
    """The index of a feature given by name or index.

    Raises
    ------
    InvalidParameterError
        If there is none.
    """
    names = draws.feature_names or ()
    if isinstance(feature, str) and feature in names:
        return names.index(feature)
    whole = isinstance(feature, Integral) and not isinstance(feature, bool)
    if not whole or not 0 <= int(feature) < draws.n_features:
        known = ", ".join(map(repr, names)) or f"0 to {draws.n_features - 1}"
        raise InvalidParameterError(f"There is no feature {shown(feature)}. There are: {known}.")
    return int(feature)


def rows_or_none(posterior: Posterior, n_features: int, X: Any) -> Array | None:
    """The rows that were fitted, or None if neither X nor the posterior has them."""
    has_rows = isinstance(posterior, xr.DataTree) and "observed_data" in posterior.children
    return read_rows(posterior, n_features, X) if X is not None or has_rows else None


def _needed(rows: Array | None) -> Array:
    if rows is None:
        raise InputError("method='data-based' needs the rows that were fitted. Give them as X.")
    return rows


def _allocations(group: xr.Dataset, name: str, rows: Array | None) -> NDArray[np.integer[Any]]:
    if name not in group.data_vars:
        raise InputError(f"The posterior has no variable {name!r} of allocations.")
    array = group[name].transpose("chain", "draw", ...)
    if array.ndim != 3 or (rows is not None and array.shape[2] != len(rows)):
        raise InputError(
            f"Allocations must have the axes (chain, draw, row) with a row for each one fitted; "
            f"{name!r} has {dict(array.sizes)}."
        )
    z: NDArray[np.integer[Any]] = array.values.reshape(-1, array.shape[2])
    return z


def _permuted_group(
    group: xr.Dataset, permutations: Permutations, dims: set[str], allocations: str | None
) -> xr.Dataset:
    """Every variable that counts components, along each axis that does."""
    moved = group.copy()
    for name, array in group.data_vars.items():
        if not {"chain", "draw"} <= set(array.dims):
            continue
        first = array.transpose("chain", "draw", ...)
        values = first.values
        for axis, dim in enumerate(first.dims):
            if dim in dims:
                index = permutations.reshape(
                    *permutations.shape[:2],
                    *(permutations.shape[2] if i == axis else 1 for i in range(2, first.ndim)),
                )
                values = np.take_along_axis(values, index, axis=axis)
        if name == allocations:
            values = np.take_along_axis(inverse(permutations), values, axis=2)
        moved[name] = first.copy(data=values).transpose(*array.dims)
    return moved


def _record(
    group: xr.Dataset,
    posterior: Posterior,
    permutations: Permutations,
    labels: Labels,
    method: str,
    origin: str,
) -> xr.Dataset:
    """The group that says what was done, beginning with the labels that were sampled."""
    if isinstance(posterior, xr.DataTree) and GROUP in posterior.children:
        permutations = composed(_recorded(posterior), permutations)
    shape = permutations.shape[:2]
    sample = ("chain", "draw")
    record = xr.Dataset(
        {
            _PERMUTATIONS: ((*sample, "component"), permutations),
            "cost": (sample, labels.costs.reshape(shape)),
            "ambiguity": (sample, labels.ambiguity.reshape(shape)),
        },
        coords={each: group[each] for each in sample if each in group.coords},
    )
    record.attrs = {
        "method": method,
        "reference": origin,
        "rounds": labels.rounds,
    }
    return record


def _recorded(posterior: xr.DataTree) -> Permutations:
    array = posterior[GROUP][_PERMUTATIONS].transpose("chain", "draw", ...)
    return np.ascontiguousarray(array.values, dtype=np.intp)
