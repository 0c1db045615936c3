"""Priors of a mixture with every number, for given data; their density and their documents."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linear_sum_assignment
from scipy.special import gammaln

from bayesgmm.arguments import check_count, shown
from bayesgmm.arrays import Array, Indices
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.fitted_mixture import MixtureLike, fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.parameter_checks import as_floats
from bayesgmm.priors.documents import family_from_dict, family_to_dict
from bayesgmm.priors.families import LKJ, Family
from bayesgmm.priors.hyperpriors import Gamma, Wishart
from bayesgmm.priors.number_checks import Matrix, Vector, frozen, vector, vector_or_rows

_LOG_2_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True)
class ResolvedPriors:
    """Priors with every number, for given numbers of components and features, and a structure.

    Attributes
    ----------
    concentration : tuple of float (K,)
    mean_location, mean_sd : tuple of float (D,), or (K, D) where they differ between components
        Data units.
    covariances : InverseGamma, InverseWishart or LKJ
        The prior of each covariance; of the one covariance where components share it.
    covariance_type : str
        Code of the covariance structure.
    ordered : int or None
        The feature in which means ascend.
    ordered_components : tuple of int
        The components whose means ascend, in this order.

    Examples
    --------
    >>> from bayesgmm import Priors, load_dataset
    >>> resolved = Priors().for_data(load_dataset("faithful").X, 2)
    >>> resolved.concentration, [round(each, 1) for each in resolved.mean_location]
    ((2.0, 2.0), [4.0, 76.0])
    """

    concentration: Vector
    mean_location: Vector | Matrix
    mean_sd: Vector | Matrix
    covariances: Family
    covariance_type: str
    ordered: int | None = None
    ordered_components: tuple[int, ...] = ()

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.concentration)

    @property
    def n_features(self) -> int:
        """D."""
        return int(np.shape(self.mean_location)[-1])

    @property
    def n_covariances(self) -> int:
        """Covariances with a prior: K, or 1 where components share one."""
        structure = as_structure(self.covariance_type)
        return n_covariances(structure, self.n_components, self.n_features)

    @property
    def n_axes(self) -> int | None:
        """Variances of a component: D, 1 where all features share one; None for matrices."""
        return as_structure(self.covariance_type).n_variances(self.n_features)

    @property
    def exchangeable(self) -> bool:
        """True if all components have one prior, so that their labels say nothing."""
        return self.ordered is None and self.equal_for(range(self.n_components))

    @property
    def words(self) -> str:
        """The distributions by name, for a sentence."""
        name = re.sub("(?<=.)(?=Gamma|Wishart)", "-", type(self.covariances).__name__)
        family = name.replace("Inverse", "inverse").replace("Gamma", "gamma")
        concentration = sorted({f"{each:.4g}" for each in self.concentration}, key=float)
        ordered = ", ordered in one column" if self.ordered is not None else ""
        scale = getattr(self.covariances, "scale", None)
        learned = {
            Wishart: ", whose scale is estimated under a Wishart prior",
            Gamma: ", whose scales are estimated under gamma priors",
        }
        return (
            f"Dirichlet (concentration {', '.join(concentration)}) for the weights, normal for the "
            f"means{ordered} and {family} for the covariances{learned.get(type(scale), '')}"
        )

    def equal_for(self, components: Iterable[int]) -> bool:
        """True if these components have one prior, but for the order of their means."""
        location, sd = self.of_means()
        each = {
            (self.concentration[c], *location[c], *sd[c], self.covariances.of_component(c))
            for c in components
        }
        return len(each) <= 1

    def of_means(self) -> tuple[Array, Array]:
        """Locations and standard deviations of the means, (K, D)."""
        shape = self.n_components, self.n_features
        return np.broadcast_to(self.mean_location, shape), np.broadcast_to(self.mean_sd, shape)

    @property
    def groups(self) -> Indices | None:
        """Groups (K,) of components that have one prior, but for the order of their means.

        None: all are one.
        """
        k = range(self.n_components)
        if self.equal_for(k):
            return None
        first = [next(i for i in k if self.equal_for((i, j))) for j in k]
        return np.asarray(np.unique(first, return_inverse=True)[1], dtype=np.int64)

    def with_order(self, feature: int, components: Iterable[int] | None) -> "ResolvedPriors":
        """These priors, for components whose means ascend in a feature (None: all components).

        Raises
        ------
        InvalidParameterError
            If there are no such components, or their priors differ.
        """
        k = self.n_components
        each = list(range(k) if components is None else components)
        if len(set(each)) != len(each) or max(each, default=k) >= k or feature >= self.n_features:
            raise InvalidParameterError(
                f"ordered={feature} and ordered_components={each} must be a feature below "
                f"{self.n_features} and distinct components below {k}."
            )
        if not self.equal_for(each):
            raise InvalidParameterError(
                "Means can be ordered only between components that have one prior, but "
                "concentration, mean_location, mean_sd or covariances differ between components "
                f"{each}. These priors already tell them apart: leave `ordered` out, or name "
                "components of one prior in ordered_components."
            )
        return replace(self, ordered=feature, ordered_components=tuple(each))

    def without_order(self) -> "ResolvedPriors":
        """The priors of which `ordered` keeps one of all permutations that are equally likely."""
        return replace(self, ordered=None, ordered_components=())

    def in_order(self, means: Array) -> Indices:
        """The order of components, (..., K), in which means (..., K, D) ascend as `ordered` says.

        Component k is to become component ``order[k]`` of those given.
        """
        order = np.array(np.broadcast_to(np.arange(means.shape[-2]), means.shape[:-1]))
        if self.ordered is not None:
            these = list(self.ordered_components)
            ascending = np.argsort(means[..., these, self.ordered], axis=-1, kind="stable")
            order[..., these] = np.array(these)[ascending]
        return order

    def best_order(self, mixture: Mixture) -> Indices:
        """The order of components that has the highest prior density, (K,).

        Given its scale, a log prior density is a sum over components, and the best order solves an
        assignment problem.
        """
        weights, means = mixture.weights, mixture.means
        location, sd = self.of_means()
        z = (means[:, np.newaxis] - location) / sd
        gain = -0.5 * (z**2).sum(axis=2) - np.log(sd).sum(axis=1)
        logs = np.log(np.maximum(weights, np.finfo(float).tiny))
        gain += (np.array(self.concentration) - 1.0) * logs[:, np.newaxis]
        if self.covariances.differs:
            families = [self.covariances.of_component(c) for c in range(len(means))]
            for c, part in enumerate(self.parts(mixture.covariances)):
                gain[c] += [each.log_density(part[np.newaxis]) for each in families]
        order: Indices = linear_sum_assignment(-gain.T)[1]
        return np.asarray(order[self.in_order(means[order])])

    def parts(self, covariances: Array) -> Array:
        """The independent parts of covariances (K, D, D): those that the family is the prior of.

        (m, D, D) matrices or (m, J) variances, with m = `n_covariances` and J = `n_axes`.
        """
        out = covariances[: self.n_covariances]
        if self.n_axes is None:
            return out
        variances = np.diagonal(out, axis1=1, axis2=2)
        return variances.mean(axis=1, keepdims=True) if self.n_axes == 1 else variances

    def expected_scale(self, mixture: MixtureLike) -> Array:
        """The scale of the covariances' family, or its mean given the mixture's covariances.

        Of shape (J,) for inverse-gamma, (D, D) for inverse-Wishart, with an axis of components in
        front where scales are given that differ.

        Raises
        ------
        InvalidParameterError
            If the family has no scale.
        """
        mixture = fitted_mixture("mixture", mixture)
        if isinstance(self.covariances, LKJ):
            raise InvalidParameterError("An LKJ prior has no scale.")
        return self.covariances.expected_scale(self.parts(mixture.covariances))

    def log_density(self, mixture: MixtureLike, scale: ArrayLike | None = None) -> float:
        """Joint log density of a mixture's parameters and the scale of its covariances, nats.

        In the weights (K - 1 of them), means and covariances themselves. Normalised, but for
        structures that tie parts of the covariances together (shape, volume or orientation
        alone), where it is the product of the K densities restricted to the structure. Minus
        infinity where means are not in the order that `ordered` names.

        Parameters
        ----------
        mixture : Mixture or fitted GaussianMixture
        scale : array-like of shape (J,) or (D, D), optional
            Of a hierarchical prior. None: the scale is integrated out.
        """
        mixture = fitted_mixture("mixture", mixture)
        k, d = mixture.means.shape
        if (k, d) != (self.n_components, self.n_features):
            raise InvalidParameterError(
                f"The priors are for {plural(self.n_components, 'component')} of {self.n_features} "
                f"features, but the mixture has {k} of {d}."
            )
        given = None if scale is None else self._checked_scale(scale)
        weights, means, a = mixture.weights, mixture.means, np.asarray(self.concentration)
        # The density under a concentration of 1 is flat, also at a weight of 0.
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(np.where(a == 1.0, 0.0, (a - 1.0) * np.log(weights)).sum())
        value += gammaln(a.sum()) - gammaln(a).sum()
        z = (means - np.asarray(self.mean_location)) / np.asarray(self.mean_sd)
        value -= 0.5 * (z**2).sum() + np.log(self.of_means()[1]).sum() + 0.5 * k * d * _LOG_2_PI
        if self.ordered is not None:
            ascending = np.diff(means[list(self.ordered_components), self.ordered]) >= 0.0
            value += gammaln(len(ascending) + 2.0) if ascending.all() else -np.inf
        value += self.covariances.log_density(self.parts(mixture.covariances), given)
        return float(value)

    def _checked_scale(self, scale: ArrayLike) -> Array:
        d, given = self.n_features, as_floats("scale", scale)
        shape = (d, d) if self.n_axes is None else (self.n_axes,)
        sizes = np.linalg.eigvalsh(given) if given.shape == (d, d) else given
        if given.shape != shape or sizes.min() <= 0.0:
            kind = "a positive definite matrix" if self.n_axes is None else "positive numbers"
            raise InvalidParameterError(
                f"scale must be {kind} of shape {shape}, not {shown(scale)}."
            )
        return given

    def transformed(self, shift: Array, scale: Array) -> "ResolvedPriors":
        """The same priors for rows (x - shift) * scale; shift and scale (D,)."""
        factor = scale if self.n_axes != 1 else scale[:1]
        return replace(
            self,
            mean_location=frozen((np.asarray(self.mean_location) - shift) * scale),
            mean_sd=frozen(np.asarray(self.mean_sd) * scale),
            covariances=self.covariances.scaled(factor),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "concentration": list(self.concentration),
            "mean_location": list(self.mean_location),
            "mean_sd": list(self.mean_sd),
            "covariances": family_to_dict(self.covariances),
            "covariance_type": self.covariance_type,
            "ordered": self.ordered,
            "ordered_components": list(self.ordered_components),
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "ResolvedPriors":
        """The inverse of `to_dict`.

        Raises
        ------
        InvalidParameterError
            If a field is missing, unknown, or out of its range.
        """
        if not isinstance(fields, dict) or fields.keys() != set(cls.__dataclass_fields__):
            raise InvalidParameterError(f"Priors cannot be read from {fields!r:.200}.")
        concentration = vector("concentration", fields["concentration"], positive=True)
        location = vector("mean_location", fields["mean_location"], positive=False, rows=True)
        sd = vector("mean_sd", fields["mean_sd"], positive=True, rows=True)
        d = np.shape(location)[-1]
        ordered, these = fields["ordered"], fields["ordered_components"]
        these = [check_count("ordered_components", each, least=0) for each in these]
        made = cls(
            concentration,
            location,
            vector_or_rows("mean_sd", sd, len(concentration), d),
            family_from_dict(fields["covariances"]),
            as_structure(fields["covariance_type"]).code,
        )
        if ordered is None:
            return made
        return made.with_order(check_count("ordered", ordered, least=0), these)


def n_covariances(structure: Structure, n_components: int, n_features: int) -> int:
    """Covariances with a prior: K, or 1 where components share one."""
    one, two = (structure.n_covariance_parameters(k, n_features) for k in (1, 2))
    return n_components if two > one else 1
