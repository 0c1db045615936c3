"""Initial estimate of a posterior: the maximum of the likelihood, or the posterior mode."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesgmm.covariance.structures import Structure
from bayesgmm.data.validation import Data
from bayesgmm.display import plural
from bayesgmm.errors import DegeneracyWarning, FitError
from bayesgmm.estimator.fit_summary import agreed_starts
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.mixture.fitted_mixture import fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.priors.families import LKJ
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The estimate near which chains begin.

    Attributes
    ----------
    mixture : Mixture
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
    log_likelihood: float
    priors: ResolvedPriors | None = None
    note: str = ""
    agreed: bool = True


def estimate(
    data: Data,
    n_components: int,
    structure: Structure,
    priors: Priors,
    rng: np.random.Generator,
    init: GaussianMixture | Mixture | None = None,
) -> Estimate:
    """The maximum of the likelihood, as EM finds it or as given; if degenerate, the posterior mode.

    A likelihood grows without bound where a component shrinks onto too few rows; a posterior under
    conjugate priors does not. Warns once in that case.

    Parameters
    ----------
    data : Data
    n_components : int
    structure : Structure
    priors : Priors
    rng : Generator
    init : GaussianMixture or Mixture, optional
        In place of a fit of its own.

    Raises
    ------
    InputError
        If the rows cannot be fitted.
    FitError
        If every start collapsed under priors that do not keep covariances from collapsing: LKJ,
        or a learned scale where a row is repeated too often.
    """
    first, second = rng.spawn(2)
    options: dict[str, Any] = {"covariance_type": structure}
    fit, failure, heard = init, None, []
    if fit is None:
        fit = GaussianMixture(n_components, **options, random_state=first)
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                fit.fit(data, sample_weight=data.weights)
            except FitError as error:
                failure = error
    degeneracy = None if failure or isinstance(fit, Mixture) else fit.degeneracy_
    resolved = None
    if failure or degeneracy:
        resolved = priors.for_data(data, n_components, structure, sample_weight=data.weights)
    if resolved is None or isinstance(resolved.covariances, LKJ):
        if failure:
            raise failure
        for each in heard:
            warnings.warn(each.message, stacklevel=3)
        mixture = fitted_mixture("init", fit)
        densities = membership(data, mixture, densities_alone=True)[0]
        v = np.ones(len(densities)) if data.weights is None else data.weights
        likelihood = float(v[v > 0.0] @ densities[v > 0.0])
        penalty = None if isinstance(fit, Mixture) else fit.priors_
        note = "" if penalty is None else "The estimate is the posterior mode under init's priors."
        return Estimate(mixture, likelihood, penalty, note, _agreed(fit))
    _check_repeats(data, resolved)
    reason = (
        f"Every start of EM with {plural(n_components, 'component')} collapsed"
        if failure
        else f"The maximum-likelihood fit is degenerate: {degeneracy}"
    )
    note = (
        f"{reason}. The posterior mode is used instead; where the data carry little information "
        "it reflects the priors."
    )
    warnings.warn(note, DegeneracyWarning, stacklevel=3)
    fit = GaussianMixture(n_components, **options, priors=as_penalty(resolved), random_state=second)
    with warnings.catch_warnings():
        # The warning above covers components of few rows.
        warnings.simplefilter("ignore", DegeneracyWarning)
        fit.fit(data, sample_weight=data.weights)
    return Estimate(fit.mixture_, fit.log_likelihood_, fit.priors_, note, _agreed(fit))


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
