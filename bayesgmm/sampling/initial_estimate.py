"""Initial estimate of a posterior: the maximum of the likelihood, or the posterior mode."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.data.validation import Data
from bayesgmm.display import plural
from bayesgmm.errors import DegeneracyWarning, FitError
from bayesgmm.estimator.fit_summary import agreed_starts
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.executors.executor import Executor
from bayesgmm.likelihood.outliers import memberships
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.fitted_mixture import fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.posterior.model import Model
from bayesgmm.priors.families import LKJ
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.sources.row_source import RowSource

# Outliers at the start of chains near a mixture without them.
_FEW, _BROAD = 0.05, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The estimate near which chains begin.

    Attributes
    ----------
    mixture : Mixture
    outliers : tuple of ndarray
        The weight of noise, or shares and inflation of outliers.
    log_likelihood : float
        Nats, of the rows.
    priors : ResolvedPriors or None
        The priors of a penalised likelihood.
    note : str
        The reason for the penalty; empty for the maximum of the likelihood.
    agreed : bool
        True if all starts of EM reached this maximum, or none is known to have reached another.
    """

    mixture: Mixture
    outliers: tuple[Array, ...]
    log_likelihood: float
    priors: ResolvedPriors | None = None
    note: str = ""
    agreed: bool = True

    @property
    def parameters(self) -> tuple[Array, ...]:
        """In the order of `Coordinates.variables`."""
        mixture = self.mixture
        return mixture.weights, mixture.means, mixture.covariances, *self.outliers

    def permuted(self, order: Indices) -> "Estimate":
        """The estimate whose component k is this one's component ``order[k]``."""
        outliers = tuple(each[order] if np.ndim(each) else each for each in self.outliers)
        return replace(self, mixture=self.mixture.permuted(order), outliers=outliers)


def estimate(
    model: Model,
    rng: np.random.Generator,
    init: GaussianMixture | Mixture | None = None,
    source: RowSource | None = None,
    executor: Executor | None = None,
) -> Estimate:
    """The maximum of the likelihood, as EM finds it or as given; if degenerate, the posterior mode.

    A likelihood grows without bound where a component shrinks onto too few rows; a posterior under
    conjugate priors does not. Warns once in that case.

    Parameters
    ----------
    model : Model
    rng : Generator
    init : GaussianMixture or Mixture, optional
        In place of a fit of its own.
    source : RowSource, optional
        All rows, where those of the model are a part of them; `executor` takes passes over them.

    Raises
    ------
    InputError
        If the rows cannot be fitted.
    FitError
        If every start collapsed under priors that do not keep covariances from collapsing: LKJ,
        or a learned scale where a row is repeated too often.
    """
    first, second = rng.spawn(2)
    data, resolved = model.data, None
    fit, failure, heard = init, None, []
    if fit is None:
        fit = as_fit(model, random_state=first)
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                if source is None:
                    fit.fit(data, sample_weight=data.weights)
                else:
                    fit.fit(source, executor=executor)
            except FitError as error:
                failure = error
    degeneracy = None if failure or isinstance(fit, Mixture) else fit.degeneracy_
    if failure or degeneracy:
        resolved = model.resolved
    if resolved is None or isinstance(resolved.covariances, LKJ):
        if failure:
            raise failure
        for each in heard:
            warnings.warn(each.message, stacklevel=3)
        mixture = fitted_mixture("init", fit, with_outliers=True)
        outliers = _outliers(model, fit)
        beside = _beside(model, outliers)
        densities = memberships(data, mixture, *beside)[0]
        v = np.ones(len(densities)) if data.weights is None else data.weights
        likelihood = float(v[v > 0.0] @ densities[v > 0.0])
        penalty = None if isinstance(fit, Mixture) else fit.priors_
        note = "" if penalty is None else "The estimate is the posterior mode under init's priors."
        return Estimate(mixture, outliers, likelihood, penalty, note, _agreed(fit))
    _check_repeats(data, resolved)
    reason = (
        f"Every start of EM with {plural(model.n_components, 'component')} collapsed"
        if failure
        else f"The maximum-likelihood fit is degenerate: {degeneracy}"
    )
    note = (
        f"{reason}. The posterior mode is used instead; where the data carry little information "
        "it reflects the priors."
    )
    warnings.warn(note, DegeneracyWarning, stacklevel=3)
    fit = as_fit(model, priors=as_penalty(resolved), random_state=second)
    with warnings.catch_warnings():
        # The warning above covers components of few rows.
        warnings.simplefilter("ignore", DegeneracyWarning)
        fit.fit(data, sample_weight=data.weights)
    outliers = _outliers(model, fit)
    return Estimate(fit.mixture_, outliers, fit.log_likelihood_, fit.priors_, note, _agreed(fit))


def as_fit(model: Model, **options: Any) -> GaussianMixture:
    """An estimator of the model by EM, not yet fitted.

    EM knows no priors beside outliers of components; with priors it is one without outliers.
    """
    fixed = None
    if model.held is not None:
        weights, means, covariances = model.held.masks
        values = {"weights": weights, "means": means, "covariances": covariances}
        fixed = {name: getattr(model.held, name) for name, mask in values.items() if mask.any()}
    return GaussianMixture(
        model.n_components,
        covariance_type=model.structure.code,
        fixed=fixed,
        noise_component=model.outliers.noise,
        contaminated=model.outliers.contaminated and options.get("priors") is None,
        **options,
    )


def parameters_of(model: Model, fit: GaussianMixture) -> tuple[Array, ...]:
    """The parameters of a fit, in the order of `Coordinates.variables`."""
    mixture = fit.mixture_
    return mixture.weights, mixture.means, mixture.covariances, *_outliers(model, fit)


def _outliers(model: Model, fit: GaussianMixture | Mixture) -> tuple[Array, ...]:
    """Noise and outliers of a fit; of a mixture alone, a few."""
    k, beside = model.n_components, model.outliers
    if isinstance(fit, GaussianMixture) and fit.noise_ is not None:
        return (np.array(fit.noise_.weight),)
    if isinstance(fit, GaussianMixture) and fit.contamination_ is not None:
        return fit.contamination_.proportions, fit.contamination_.inflation
    if beside.noise:
        return (np.array(_FEW),)
    return (np.full(k, _FEW), np.full(k, _BROAD)) if beside.contaminated else ()


def _beside(model: Model, outliers: tuple[Array, ...]) -> tuple[Noise | None, Contamination | None]:
    if model.noise is not None:
        return replace(model.noise, weight=float(outliers[0])), None
    return None, Contamination(*outliers) if outliers else None


def _agreed(fit: GaussianMixture | Mixture) -> bool:
    if isinstance(fit, Mixture):
        return True
    agreed, made = agreed_starts(fit)
    return agreed == made


def _check_repeats(data: Data, priors: ResolvedPriors) -> None:
    """Refuse rows and priors whose posterior has no finite mass.

    Let m covariances have an inverse-Wishart prior of nu degrees of freedom, whose scale has a
    Wishart prior of p. Where one variance of one component is e, in the direction in which its N
    rows do not differ, prior and likelihood integrated over the mean and the other directions are
    e^((p + (m - 1) nu - N - 1) / 2) near e = 0, which has a finite integral for N < p +
    (m - 1) nu + 1 alone. A row and D - 1 others always lie in a plane.
    """
    assert not isinstance(priors.covariances, LKJ)
    nu, p, _ = priors.covariances.terms
    d, m = priors.n_features, priors.n_covariances
    if p is None or m == 1:
        return
    rows, which = np.unique(data.X, axis=0, return_inverse=True)
    counts = np.bincount(which.ravel(), data.weights)
    repeats = float(counts.max())
    if priors.n_axes is None:
        held = repeats + d - 1
    else:
        held = 1 + (repeats - 1) * (d if priors.n_axes == 1 else 1)
    if repeats > 1 and held >= p + (m - 1) * nu + 1.0:
        raise FitError(
            f"X repeats the row {rows[counts.argmax()].tolist()!r:.80} {repeats:g} times. Under "
            "priors whose scale of the covariances is learned a component may shrink onto it "
            "without end: the posterior is improper. Use Priors(hierarchical=False), fewer "
            "repeated rows or fewer components."
        )


def as_penalty(priors: ResolvedPriors) -> Priors:
    """Conjugate priors as EM can maximise under them for any data.

    A learned scale is held at its prior mean (with it, a component could still shrink onto equal
    rows), and a concentration below 1, under which weights have no mode, is 1.
    """
    family = priors.covariances
    assert not isinstance(family, LKJ)
    least = tuple(max(each, 1.0) for each in priors.concentration)
    held = replace(family, scale=family.mean_scale)  # type: ignore[arg-type]
    return Priors.from_resolved(replace(priors, concentration=least, covariances=held))
