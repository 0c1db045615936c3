"""Parameters that a fit holds at given values: their checks, and the values in a mixture."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from bayesgmm.arguments import did_you_mean
from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.covariance.structures import Structure
from bayesgmm.display import listed
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.matching import matching_costs
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.parameter_checks import as_floats, check_covariances
from bayesgmm.priors.resolved_priors import ResolvedPriors

_KINDS = ("weights", "means", "covariances")
# Weights that miss a sum of 1 by more than this, and covariances that miss their structure, in
# units of the standard deviations, are mistakes.
_SLACK = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class HeldParameters:
    """Values of parameters that a fit does not change; NaN where it is free.

    Attributes
    ----------
    weights : ndarray of shape (K,)
    means : ndarray of shape (K, D)
    covariances : ndarray of shape (K, D, D), or (K, D) for a diagonal structure
        Whole components.
    """

    weights: Array
    means: Array
    covariances: Array

    @property
    def masks(self) -> tuple[Booleans, Booleans, Booleans]:
        """True where weights (K,), means (K, D) and covariances (K,) are held."""
        whole = ~np.isnan(self.covariances.reshape(len(self.weights), -1)[:, 0])
        return ~np.isnan(self.weights), ~np.isnan(self.means), whole

    @property
    def groups(self) -> Indices:
        """Groups (K,) of components in which the same is held at the same values."""
        k = len(self.weights)
        each = np.hstack((self.weights[:, np.newaxis], self.means, self.covariances.reshape(k, -1)))
        each = np.where(np.isnan(each), np.inf, each)
        return np.asarray(np.unique(each, axis=0, return_inverse=True)[1]).reshape(k)

    @property
    def exchangeable(self) -> bool:
        """True if held values do not tell components apart."""
        return bool((self.groups == self.groups[0]).all())

    @property
    def words(self) -> str:
        """What is held, for a sentence: "the weights of all components and ..."."""
        weights, means, covariances = self.masks
        some = means.any(axis=1) & ~means.all(axis=1)
        parts = [
            _words("weight", weights),
            _words("mean", means.all(axis=1)),
            *(f"entries of {each}" for each in [_words("mean", some)] if each),
            _words("covariance", covariances),
        ]
        return listed([each for each in parts if each])

    def n_parameters(self, structure: Structure) -> int:
        """Free parameters of the mixture."""
        weights, means, covariances = self.masks
        free = int((~covariances).sum())
        of_covariances = structure.n_covariance_parameters(free, means.shape[1]) if free else 0
        return max(int((~weights).sum()) - 1, 0) + int((~means).sum()) + of_covariances

    def put_into(
        self, weights: Array, means: Array, covariances: Array
    ) -> tuple[Array, Array, Array]:
        """Parameters with the held values, and the other weights in proportion."""
        held = self.masks[0]
        shares = np.where(held, self.weights, weights)
        if held.any() and not held.all():
            shares[~held] = (1.0 - shares[held].sum()) * (shares[~held] / shares[~held].sum())
        return (
            shares,
            np.where(np.isnan(self.means), means, self.means),
            np.where(np.isnan(self.covariances), covariances, self.covariances),
        )

    def best_order(self, mixture: Mixture) -> Indices:
        """The order (K,) in which a mixture's components are nearest to the held values.

        The sum over components of squared Hellinger distances is least, between the Gaussians
        before and after held values are put in, plus those of the weights.
        """
        d = self.means.shape[1]
        own = self.covariances
        own = own[:, :, np.newaxis] * np.eye(d) if own.ndim == 2 else own
        means = mixture.means[:, np.newaxis]
        covariances = mixture.covariances[:, np.newaxis]
        there = np.where(np.isnan(self.means), means, self.means)
        free = np.isnan(own).any(axis=(1, 2))[:, np.newaxis, np.newaxis]
        shapes = np.where(free, covariances, own)
        costs = matching_costs(means, covariances, there, shapes)[:, 0]
        apart = np.sqrt(mixture.weights)[:, np.newaxis] - np.sqrt(self.weights)
        costs = costs + np.where(np.isnan(apart), 0.0, np.square(apart))
        return np.asarray(linear_sum_assignment(costs.T)[1], dtype=np.intp)

    def in_order(self, means: Array) -> Indices:
        """The order of components, (K,), in which those of a group have ascending means (K, D)."""
        order = np.arange(len(means))
        for group in np.unique(self.groups):
            these = np.flatnonzero(self.groups == group)
            order[these] = these[np.lexsort(means[these].T[::-1])]
        return order

    def matched(self, costs: Array) -> Indices:
        """The order of least total cost (K, K) of components to a reference's, within groups."""
        apart = self.groups[:, np.newaxis] != self.groups
        order = linear_sum_assignment((costs + 4.0 * len(costs) * apart).T)[1]
        return np.asarray(order, dtype=np.intp)

    def check_beside(
        self, reg_covar: float | None, ordered: bool, priors: ResolvedPriors | None
    ) -> None:
        """Refuse other settings of a fit that contradict these values.

        Raises
        ------
        InvalidParameterError
            If reg_covar would change a covariance, or an order of components (`ordered`: that of
            `order_by`) is given twice.
        """
        whole = self.masks[2]
        if reg_covar and whole.any():
            raise InvalidParameterError(
                f"reg_covar={reg_covar:g} would be added to the covariances, but "
                f"fixed['covariances'] holds that of component {int(whole.argmax())}. Leave one of "
                "them out."
            )
        if self.exchangeable:
            return
        if ordered:
            raise InvalidParameterError(
                "order_by renumbers components, but the values in fixed are those of component 0, "
                "1, ..., and so number them already. Leave order_by out."
            )
        if priors is not None and not priors.exchangeable:
            raise InvalidParameterError(
                "fixed numbers the components, and so do priors that differ between components or "
                "order their means. Give priors that are equal for all components."
            )

    def transformed(self, shift: Array, scale: Array) -> "HeldParameters":
        """The same values for rows (x - shift) * scale; shift and scale (D,)."""
        covariances = self.covariances * scale
        covariances *= scale if covariances.ndim == 2 else scale[:, np.newaxis]
        return replace(self, means=(self.means - shift) * scale, covariances=covariances)

    def permuted(self, order: Indices) -> "HeldParameters":
        """The values whose component k is this one's component ``order[k]``."""
        return HeldParameters(self.weights[order], self.means[order], self.covariances[order])


def _words(kind: str, which: Booleans) -> str:
    """A kind of parameter of some components; "" if there are none."""
    these = [str(c) for c in np.flatnonzero(which)]
    if len(these) < 2:
        return f"the {kind} of component {these[0]}" if these else ""
    of = "all components" if len(these) == len(which) else f"components {listed(these)}"
    return f"the {kind}s of {of}"


def held_parameters(
    fixed: Mapping[str, Any] | None,
    equal_weights: bool,
    n_components: int,
    n_features: int,
    structure: Structure,
) -> HeldParameters | None:
    """The parameters that `GaussianMixture(fixed=, equal_weights=)` holds; None if there are none.

    Raises
    ------
    InvalidParameterError
        If values are not those of a mixture of this size and structure, or contradict one another.
    """
    k, d = n_components, n_features
    given = dict(fixed or {})
    for name in given:
        if name not in _KINDS:
            hint = did_you_mean(str(name), _KINDS, 0.0)
            raise InvalidParameterError(
                f"fixed has the key {name!r:.80}, which is not a kind of parameter.{hint} Known "
                f"are: {', '.join(_KINDS)}."
            )
    weights, means = np.full(k, np.nan), np.full((k, d), np.nan)
    covariances = np.full((k, d) if structure.diagonal else (k, d, d), np.nan)
    if given.get("weights") is not None:
        weights = _weights(given["weights"], k)
    if equal_weights:
        if not np.isnan(weights).all():
            raise InvalidParameterError(
                "equal_weights=True holds all weights at 1 / n_components, but fixed['weights'] "
                "holds weights, too. Leave one of them out."
            )
        weights = np.full(k, 1.0 / k)
    if given.get("means") is not None:
        means = _shaped("means", given["means"], (k, d))
    if given.get("covariances") is not None:
        covariances = _covariances(given["covariances"], k, d, structure)
    held = HeldParameters(weights, means, covariances)
    return held if any(mask.any() for mask in held.masks) else None


def _shaped(name: str, value: Any, *shapes: tuple[int, ...]) -> Array:
    """Numbers, NaN where free, of one of these shapes; of one feature also (K,) for the first."""
    array = as_floats(f"fixed[{name!r}]", value, allow_nan=True)
    if array.ndim == 1 and np.prod(shapes[0]) == array.size == shapes[0][0]:
        array = array.reshape(shapes[0])
    if array.shape not in shapes:
        words = " or ".join(str(shape) for shape in dict.fromkeys(shapes))
        raise InvalidParameterError(
            f"fixed[{name!r}] must be of shape {words}, with NaN where the fit is free, not "
            f"{array.shape}."
        )
    return array


def _weights(value: Any, k: int) -> Array:
    """Weights (K,) that leave a weight greater than 0 for each that is free."""
    weights = _shaped("weights", value, (k,))
    bad = (weights <= 0.0) | (weights > 1.0)
    if bad.any():
        c = int(bad.argmax())
        raise InvalidParameterError(
            f"fixed['weights'] must be greater than 0 and at most 1, but component {c} has "
            f"{weights[c]:.6g}. Leave out a component without weight."
        )
    total, free = float(np.nansum(weights)), np.isnan(weights)
    if free.any() and total >= 1.0:
        raise InvalidParameterError(
            f"fixed['weights'] adds up to {total:.10g}, which leaves nothing for component "
            f"{int(free.argmax())}, whose weight is free. Hold less, or hold all weights."
        )
    if not free.any() and abs(total - 1.0) > _SLACK:
        raise InvalidParameterError(
            f"fixed['weights'] holds all weights, but they add up to {total:.10g}. Divide them by "
            "their sum, or leave one of them free (NaN)."
        )
    return weights


def _covariances(value: Any, k: int, d: int, structure: Structure) -> Array:
    """Covariances of the structure, (K, D, D) or (K, D), of whole components."""
    own = (k, d) if structure.diagonal else (k, d, d)
    compact = structure.compact(np.ones(own)).shape
    array = _shaped("covariances", value, (k, d, d), own, compact)
    if array.shape == compact and array.shape != own:
        array = structure.expand(array, k, d)
    free = np.isnan(array).reshape(k, -1)
    partly = free.any(axis=1) & ~free.all(axis=1)
    if partly.any():
        c = int(partly.argmax())
        entry = tuple(int(i) for i in np.argwhere(np.isnan(array[c]))[0])
        raise InvalidParameterError(
            f"fixed['covariances'] holds a part of the covariance of component {c}: entry {entry} "
            "is NaN. A covariance is held as a whole or not at all."
        )
    held = ~free.any(axis=1)
    if held.any():
        _check_sharing(held, structure)
        _check_members(array, held, structure)
    if structure.diagonal and array.ndim == 3:
        array = np.einsum("kii->ki", array).copy()
    return array


def _check_sharing(held: Booleans, structure: Structure) -> None:
    """Refuse some of covariances that have a part in common."""
    if held.all() or "E" not in structure.code:
        return
    parts = ("volume", "shape", "orientation")
    shared = [part for letter, part in zip(structure.code, parts, strict=False) if letter == "E"]
    free = "spherical" if structure.spherical else "diag" if structure.diagonal else "full"
    raise InvalidParameterError(
        f"Components of covariance_type={structure.name!r} share their {listed(shared)}, so "
        f"that covariances are held for all of them or for none, but component "
        f"{int((~held).argmax())} is free and component {int(held.argmax())} is held. Hold all, or "
        f"use covariance_type={free!r}."
    )


def _check_members(array: Array, held: Booleans, structure: Structure) -> None:
    """Refuse covariances that are not positive definite, or not of the structure."""
    d = array.shape[-1]
    # Free components are spheres here, which all structures without a common part have.
    dense = array[:, :, np.newaxis] * np.eye(d) if array.ndim == 2 else array
    dense = np.where(held[:, np.newaxis, np.newaxis], dense, np.eye(d))
    try:
        dense = check_covariances(dense, len(dense), d)
    except InvalidParameterError as error:
        raise InvalidParameterError(f"fixed['covariances']: {error}") from None
    deviations = np.sqrt(np.einsum("kii->ki", dense))
    unit = np.exp(np.log(deviations[held]).mean())
    scatters = dense / unit / unit
    if structure.diagonal:
        scatters = np.einsum("kii->ki", scatters).copy()
    # The M-step returns a member for itself.
    nearest = structure.covariances(np.ones(len(dense)), scatters, scatters)
    if structure.diagonal:
        nearest = nearest[:, :, np.newaxis] * np.eye(d)
    off = np.abs(nearest * unit * unit - dense)
    off = off / deviations[:, :, np.newaxis] / deviations[:, np.newaxis, :]
    off[~held] = 0.0
    if off.max() <= _SLACK:
        return
    c, i, j = (int(at) for at in np.unravel_index(off.argmax(), off.shape))
    raise InvalidParameterError(
        f"fixed['covariances'] are not of covariance_type={structure.name!r} ({structure.words}): "
        f"component {c} has {dense[c, i, j]:.6g} at ({i}, {j}), where the nearest covariances of "
        f"that structure have {nearest[c, i, j] * unit * unit:.6g}. Hold covariances of the "
        "structure, or use another one."
    )
