"""Whether the two engines say the same: maximum likelihood beside the posterior."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesgmm.arguments import check_probability
from bayesgmm.diagnostics.posterior_means import consistent_draws, deviations, mean_mixture
from bayesgmm.errors import InputError, InvalidParameterError, NotFittedError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.matching import match_components
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import Draws, Posterior, posterior_group, read_rows
from bayesgmm.priors.priors import ResolvedPriors
from bayesgmm.uncertainty.standard_errors import (
    StandardErrors,
    quantities,
    reported,
    reported_errors,
)

type Array = NDArray[np.float64]

# Posterior standard deviations between estimate and posterior mean.
_SAME, _NEAR = 0.25, 1.0
# Factor between standard error and posterior standard deviation.
_ALIKE = 1.25


@dataclass(frozen=True, eq=False)
class Agreement:
    """What `compare_engines` found.

    Attributes
    ----------
    table : DataFrame
        A row for each weight, mean, standard deviation and correlation, under EM's labels: em,
        standard_error, posterior_mean, posterior_sd, lower, upper, difference (posterior mean less
        EM, in posterior standard deviations), contraction (1 less the ratio of posterior to prior
        variance; NaN where the prior is not known). `attrs` say the interval's probability and
        kind.
    log_likelihood : dict
        Nats: at EM's mixture ("em") and at the posterior means ("posterior_mean"); NaN without
        rows.
    verdict : str
        One line.
    notes : tuple of str
        What could not be computed, and why.
    """

    table: pd.DataFrame
    log_likelihood: dict[str, float]
    verdict: str
    notes: tuple[str, ...]


def compare_engines(
    em: GaussianMixture | StandardErrors | Mixture,
    posterior: Posterior,
    *,
    X: Any = None,
    prob: float = 0.9,
    variables: Mapping[str, str] | None = None,
) -> Agreement:
    """Put maximum likelihood and the posterior side by side.

    Parameters
    ----------
    em : GaussianMixture, StandardErrors or Mixture
        A fit, whose standard errors are made from the rows; standard errors by any method; or the
        estimate alone.
    posterior : DataTree or Dataset
        Draws under one labelling: relabel them first, best with this fit as the reference.
    X : array-like of shape (n, D), optional
        The rows that were fitted; by default those in ``observed_data``.
    prob : float
        Probability of the posterior's equal-tailed intervals.
    variables : mapping, optional
        What the posterior calls its variables.

    Raises
    ------
    InputError
        If the posterior's labels switch, or it has another shape than the fit.
    """
    prob = check_probability("prob", prob)
    mixture = _mixture_of(em)
    draws = consistent_draws(posterior, variables)
    if (draws.n_components, draws.n_features) != mixture.means.shape:
        k, d = mixture.means.shape
        raise InputError(
            f"The fit has {k} components of {d} features, the posterior {draws.n_components} of "
            f"{draws.n_features}. Compare fits of one size."
        )
    notes: list[str] = []
    rows = _rows(posterior, draws, X, notes)
    order = match_components(mean_mixture(draws), mixture).order
    shape = (draws.n_chains, draws.n_draws, draws.n_components)
    draws = draws.permuted(np.broadcast_to(order, shape))
    centre = mean_mixture(draws)
    table = _table(mixture, _errors(em, rows, notes), draws, prob)
    table["contraction"] = _contraction(posterior, table.posterior_sd.to_numpy(), notes)
    table.attrs = {"prob": prob, "kind": "equal-tailed"}
    value = {"em": np.nan, "posterior_mean": np.nan}
    if rows is not None:
        value = {
            "em": float(mixture.log_density(rows).sum()),
            "posterior_mean": float(centre.log_density(rows).sum()),
        }
    return Agreement(table, value, _verdict(table), tuple(notes))


def _mixture_of(em: Any) -> Mixture:
    if isinstance(em, GaussianMixture):
        if not hasattr(em, "mixture_"):
            raise NotFittedError("This GaussianMixture is not fitted yet. Call its fit first.")
        return em.mixture_
    if isinstance(em, StandardErrors):
        return em.estimate
    if isinstance(em, Mixture):
        return em
    raise InvalidParameterError(
        "em must be a fitted GaussianMixture, its StandardErrors or a Mixture, not "
        f"{type(em).__name__}."
    )


def _rows(posterior: Posterior, draws: Draws, X: Any, notes: list[str]) -> Array | None:
    """The rows; None, with a note, if nobody has them."""
    try:
        return read_rows(posterior, draws.n_features, X)
    except InputError as error:
        if X is not None:
            raise
        notes.append(f"Without the rows there are no standard errors and likelihoods: {error}")
        return None


def _errors(em: Any, rows: Array | None, notes: list[str]) -> Array | None:
    """Standard errors in the order of `reported`; None if there are none."""
    if isinstance(em, GaussianMixture) and rows is not None:
        # The rows came from the posterior; the fit knows them under its own names.
        names = getattr(em, "feature_names_in_", None)
        em = em.standard_errors(rows if names is None else pd.DataFrame(rows, columns=names))
    if not isinstance(em, StandardErrors):
        return None
    notes.extend(em.notes)
    return reported_errors(em)


def _table(mixture: Mixture, errors: Array | None, draws: Draws, prob: float) -> pd.DataFrame:
    names, estimate = reported(mixture)
    values = quantities(*draws.stacked())
    tails = 0.5 - 0.5 * prob, 0.5 + 0.5 * prob
    lower, upper = np.quantile(values, tails, axis=0)
    mean, sd = values.mean(axis=0), deviations(values)
    # The one weight of a mixture of one component is 1 in every draw.
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.where(sd > 0.0, (mean - estimate) / sd, np.nan)
    return pd.DataFrame(
        {
            "em": estimate,
            "standard_error": np.full(len(names), np.nan) if errors is None else errors,
            "posterior_mean": mean,
            "posterior_sd": sd,
            "lower": lower,
            "upper": upper,
            "difference": difference,
        },
        index=pd.Index(names, name="parameter"),
    )


def _contraction(posterior: Posterior, sd: Array, notes: list[str]) -> Array:
    """1 - posterior variance / prior variance, of weights and means."""
    text = posterior_group(posterior).attrs.get("priors")
    out = np.full(len(sd), np.nan)
    if text is None:
        notes.append("The posterior does not say its priors, so contraction is unknown.")
        return out
    priors = ResolvedPriors.from_dict(json.loads(text))
    k, d = priors.n_components, priors.n_features
    a = np.asarray(priors.concentration)
    total = a.sum()
    weights = a * (total - a) / (total**2 * (total + 1.0))
    variance = np.concatenate((weights, np.tile(np.asarray(priors.mean_sd) ** 2, k)))
    known = len(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:known] = np.where(variance > 0.0, 1.0 - sd[:known] ** 2 / variance, np.nan)
    notes.append(
        f"Contraction is that of weights and means ({k + k * d} numbers): the scales' prior "
        "variance need not exist."
    )
    return out


def _verdict(table: pd.DataFrame) -> str:
    size = table.difference.abs()
    if size.isna().all():
        return "Nothing to compare: no parameter has a posterior spread."
    worst, most = str(size.idxmax()), float(size.max())
    where = f"largest difference {most:.2f} posterior standard deviations, in {worst}"
    if most > _NEAR:
        advice = "Look for other local maxima, or use an informative prior"
        return f"EM and the posterior differ: {where}. {advice}."
    ratio = (table.standard_error / table.posterior_sd).dropna()
    ratio = ratio[np.isfinite(ratio) & (ratio > 0.0)]
    spread = ""
    if len(ratio):
        farthest = str(np.abs(np.log(ratio)).idxmax())
        factor = float(ratio[farthest])
        if not 1.0 / _ALIKE <= factor <= _ALIKE:
            spread = f"; the standard error of {farthest} is {factor:.2f} of the posterior's"
    if most <= _SAME:
        return f"EM and the posterior agree: {where}{spread}."
    return f"EM and the posterior agree within one posterior standard deviation: {where}{spread}."
