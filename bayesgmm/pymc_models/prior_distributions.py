"""Prior distributions of a mixture's parameters as variables of a PyMC model.

Classes, and not functions given to ``pm.CustomDist``, so that models can be pickled.
"""

import copyreg
from multiprocessing.reduction import ForkingPickler
from types import MethodType
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.distribution import (
    Distribution,
    SymbolicRandomVariable,
    _support_point,
)
from pymc.distributions.transforms import _default_transform
from pymc.logprob.abstract import _logprob
from pymc.pytensorf import normalize_rng_param
from pytensor.raise_op import CheckAndRaise
from pytensor.tensor.random.basic import DirichletRV
from pytensor.tensor.random.utils import normalize_size_param
from scipy.special import gammaln

from bayesgmm.errors import InvalidParameterError
from bayesgmm.priors.families import LKJ, Family
from bayesgmm.pymc_models.loop_ops import (
    log_prior_of_covariances,
    log_prior_of_means,
    log_prior_of_weights,
)
from bayesgmm.pymc_models.transforms import WeightsTransform


def _method(method: MethodType) -> tuple[Any, ...]:
    """The call that makes a bound method again, for pickle.

    By default that is a look-up by the function's name. PyMC binds functions to variables under
    names of their own (``str_repr``), some of which are partial and have none.
    """
    owner, name = method.__self__, getattr(method.__func__, "__name__", "")
    if getattr(owner, name, None) == method:
        return getattr, (owner, name)
    return _bound, (method.__func__, owner)


def _bound(function: Any, owner: Any) -> MethodType:
    return MethodType(function, owner)


copyreg.pickle(MethodType, _method)
# multiprocessing has a table of its own.
ForkingPickler.register(MethodType, _method)


class SettingsRV(SymbolicRandomVariable):  # type: ignore[misc]
    """A variable whose graph depends on settings beside its parameters."""

    settings: dict[str, Any]

    def rebuild_rv(self, *parameters: Any, **options: Any) -> Any:
        """The variable of other parameters or size."""
        return self.rv_op(*parameters, **self.settings, **options)


# --- weights --------------------------------------------------------------------------------------


class _WeightsRV(DirichletRV):  # type: ignore[misc]
    """A Dirichlet distribution whose density is not checked at every step."""


class WeightsPrior(pm.Dirichlet):  # type: ignore[misc]
    """Weights ~ Dirichlet(a)."""

    rv_op = _WeightsRV()

    def logp(value: Any, a: Any) -> Any:  # noqa: N805  # by PyMC's rules
        """Log density in K - 1 of the weights."""
        return log_prior_of_weights(a, value)


@_default_transform.register(_WeightsRV)  # type: ignore[untyped-decorator]
def _coordinates_of_weights(op: Any, rv: Any) -> Any:
    return WeightsTransform()


# --- means ----------------------------------------------------------------------------------------


class MeansRV(SettingsRV):
    """Independent normal means; or sorted, so that some components ascend in a feature."""

    extended_signature = "[rng],[size],(k,d),(k,d)->[rng],(k,d)"

    @classmethod
    def rv_op(
        cls, location: Any, sd: Any, *, rng: Any = None, size: Any = None, **order: Any
    ) -> Any:
        """The variable, of the shape of location and sd (K, D)."""
        location, sd = pt.as_tensor(location), pt.as_tensor(sd)
        rng, size = normalize_rng_param(rng), normalize_size_param(size)
        next_rng, means = pt.random.normal(location, sd, rng=rng, return_next_rng=True)
        name = "Normal"
        if order["feature"] is not None:
            these, name = list(order["components"]), "OrderedNormal"
            ascending = pt.argsort(means[these, order["feature"]])
            means = means[these].set(means[these][ascending])
        made = cls([rng, size, location, sd], [next_rng, means])
        made.settings, made._print_name = order, (name, f"\\operatorname{{{name}}}")
        return made(rng, size, location, sd)


class MeansPrior(Distribution):  # type: ignore[misc]
    """Means ~ N(location, sd^2), or ascending in a feature; those in order have one prior."""

    rv_type = MeansRV
    rv_op = MeansRV.rv_op

    @classmethod
    def dist(cls, location: Any, sd: Any, **options: Any) -> Any:
        """The variable; options are `feature` and `components`, and PyMC's own."""
        return super().dist([location, sd], **options)


@_logprob.register(MeansRV)  # type: ignore[untyped-decorator]
def _log_density_of_means(
    op: Any, values: Any, rng: Any, size: Any, *numbers: Any, **_: Any
) -> Any:
    (value,), (location, sd) = values, numbers
    density = log_prior_of_means(location, sd, value)
    if op.settings["feature"] is None:
        return density
    return density + gammaln(len(op.settings["components"]) + 1.0)


@_support_point.register(MeansRV)  # type: ignore[untyped-decorator]
def _start_of_means(op: Any, rv: Any, rng: Any, size: Any, location: Any, sd: Any) -> Any:
    """The locations; those in order are one standard deviation from the first to the last."""
    if op.settings["feature"] is None:
        return location
    these = list(op.settings["components"])
    steps = np.linspace(-0.5, 0.5, len(these))
    place = these, op.settings["feature"]
    return location[place].set(location[place] + steps * sd[place])


# --- covariances ----------------------------------------------------------------------------------


class CovariancesRV(SettingsRV):
    """Covariances (G, D, D), or variances (G, J), from the prior of a family."""

    @classmethod
    def rv_op(cls, *, rng: Any = None, size: Any = None, **settings: Any) -> Any:
        """The variable; settings are `family`, `start` (a point to begin from) and `restricted`.

        Covariances that share parts, or of which some are held, have a restricted prior, without
        draws.
        """
        rng, size = normalize_rng_param(rng), normalize_size_param(size)
        family, start = settings["family"], settings["start"]
        if settings.get("restricted"):
            next_rng, drawn = _refused(start, rng)
        else:
            next_rng, drawn = _draw(family, len(start), start.shape[-1], rng)
        axes = "g,d,e" if start.ndim == 3 else "g,j"
        signature = f"[rng],[size]->[rng],({axes})"
        made = cls([rng, size], [next_rng, drawn], extended_signature=signature)
        name = type(family).__name__
        made.settings, made._print_name = settings, (name, f"\\operatorname{{{name}}}")
        return made(rng, size)


class CovariancesPrior(Distribution):  # type: ignore[misc]
    """Covariances ~ family."""

    rv_type = CovariancesRV
    rv_op = CovariancesRV.rv_op

    @classmethod
    def dist(cls, **options: Any) -> Any:
        """The variable; options are those of `CovariancesRV`, and PyMC's own."""
        return super().dist([], **options)


@_logprob.register(CovariancesRV)  # type: ignore[untyped-decorator]
def _log_density_of_covariances(op: Any, values: Any, *_: Any, **__: Any) -> Any:
    (value,), groups = values, len(op.settings["start"])
    family = op.settings["family"]
    if value.type.ndim == 3:
        return log_prior_of_covariances(family, groups, value)
    return family.log_density(value, count=groups, xp=pt)


@_support_point.register(CovariancesRV)  # type: ignore[untyped-decorator]
def _start_of_covariances(op: Any, rv: Any, *_: Any) -> Any:
    return pt.constant(op.settings["start"])


def _draw(family: Family, groups: int, d: int, rng: Any) -> tuple[Any, Any]:
    """The next state of `rng`, and covariances (G, D, D) or variances (G, J) from their prior."""
    if isinstance(family, LKJ):
        return _draw_lkj(family, groups, d, rng)
    nu, p, scale = family.terms
    if scale.ndim == 2:
        if p is not None:
            rng, chi = _chi_squared(p, scale.shape[1:], rng)
            scale = chi / scale[0]
        rng, chi = _chi_squared(nu, (groups, d), rng)
        return rng, scale / chi
    half = np.linalg.cholesky(scale)
    if p is not None:
        rng, factors = _bartlett(p, 1, d, rng)
        half = np.linalg.cholesky(np.linalg.inv(scale[0])) @ factors[0]
    rng, factors = _bartlett(nu, groups, d, rng)
    inverse = pt.linalg.solve_triangular(factors, np.eye(d), lower=True, b_ndim=2)
    lower = half @ inverse.mT
    return rng, lower @ lower.mT


def _refused(start: Any, rng: Any) -> tuple[Any, Any]:
    """In place of draws, an error when they are evaluated."""
    next_rng, _ = pt.random.normal(rng=rng, return_next_rng=True)
    message = (
        "The prior of covariances that share a part of volume, shape or orientation, or of which "
        "some are held, has no direct draws. Sample a model without rows, or use a structure whose "
        "covariances are free."
    )
    return next_rng, CheckAndRaise(InvalidParameterError, message)(pt.constant(start), False)


def _chi_squared(df: Any, size: Any, rng: Any) -> Any:
    return pt.random.gamma(0.5 * df, scale=2.0, size=size, rng=rng, return_next_rng=True)


def _bartlett(df: float, groups: int, d: int, rng: Any) -> tuple[Any, Any]:
    """Lower triangular T with T T' ~ Wishart(df, I), (G, D, D)."""
    rng, chi = _chi_squared(df - np.arange(d), (groups, d), rng)
    rng, noise = pt.random.normal(size=(groups, d, d), rng=rng, return_next_rng=True)
    return rng, noise * np.tril(np.ones((d, d)), -1) + pt.sqrt(chi)[:, :, np.newaxis] * np.eye(d)


def _draw_lkj(family: LKJ, groups: int, d: int, rng: Any) -> tuple[Any, Any]:
    """Covariances by the onion method (Lewandowski, Kurowicka and Joe 2009, section 3.2).

    Row i of a Cholesky factor of correlations has a squared length of its first i entries of
    Beta(i / 2, eta + (D - 1 - i) / 2), in a uniform direction.
    """
    location = np.broadcast_to(np.asarray(family.log_scale_location), (groups, d))
    rng, logs = pt.random.normal(location, family.log_scale_spread, rng=rng, return_next_rng=True)
    sds = pt.exp(logs)
    if d == 1:
        return rng, sds[:, :, np.newaxis] ** 2
    i = np.arange(1, d)
    rng, squares = pt.random.beta(
        0.5 * i, family.eta + 0.5 * (d - 1 - i), size=(groups, d - 1), rng=rng, return_next_rng=True
    )
    rng, noise = pt.random.normal(size=(groups, d - 1, d), rng=rng, return_next_rng=True)
    noise = noise * np.tril(np.ones((d - 1, d)))
    directions = noise / pt.sqrt((noise**2).sum(axis=2, keepdims=True))
    below = directions * pt.sqrt(squares)[:, :, np.newaxis]
    below += pt.sqrt(1.0 - squares)[:, :, np.newaxis] * np.eye(d)[1:]
    first = np.tile(np.eye(d)[:1], (groups, 1, 1))
    lower = sds[:, :, np.newaxis] * pt.concatenate([first, below], axis=1)
    return rng, lower @ lower.mT
