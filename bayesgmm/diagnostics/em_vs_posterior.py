"""Comparison of maximum likelihood with the posterior, parameter by parameter."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.arguments import check_probability
from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.diagnostics.point_estimates import outliers_of, point_estimate
from bayesgmm.diagnostics.posterior_means import PosteriorSummary, summarised
from bayesgmm.diagnostics.sampled_rows import other_rows
from bayesgmm.display import plural
from bayesgmm.errors import InputError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.labels.consistent_draws import consistent_draws
from bayesgmm.likelihood.outliers import memberships
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.matching import match_components
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.posterior.draws import Draws
from bayesgmm.posterior.reader import (
    Posterior,
    estimated_outliers,
    held_values,
    posterior_group,
    read_estimate,
    read_rows,
)
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.results import Result
from bayesgmm.uncertainty.curvature import curvature_errors
from bayesgmm.uncertainty.outlier_information import named_values
from bayesgmm.uncertainty.parameter_vectors import reported
from bayesgmm.uncertainty.standard_errors import StandardErrors, reported_errors

# Posterior standard deviations between estimate and posterior mean.
_SAME, _NEAR = 0.25, 1.0
# Ratio of standard error and posterior standard deviation.
_ALIKE = 1.25


@dataclass(frozen=True, eq=False, repr=False)
class Agreement(Result):
    """Result of `compare_engines`.

    Attributes
    ----------
    table : DataFrame
        A row for each weight, mean, standard deviation and correlation, with EM's labels, and for
        the weight of noise, or the outliers of components and the log of their inflation: em,
        standard_error, posterior_mean, posterior_sd, lower, upper, difference (posterior mean minus
        EM, in posterior standard deviations), contraction (1 minus the ratio of posterior to prior
        variance, for weights and means; NaN if the prior is not known). `attrs` give the
        probability and the kind of the intervals.
    log_likelihood : dict
        Nats: at EM's mixture ("em") and at the posterior means ("posterior_mean"); NaN without
        rows.
    verdict : str
        One sentence.
    notes : tuple of str
        What could not be computed, and why.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, compare_engines, load_dataset
    >>> from bayesgmm import relabel, sample_posterior
    >>> X = load_dataset("faithful").X
    >>> fit = GaussianMixture(2, random_state=0).fit(X)
    >>> agreement = compare_engines(fit, relabel(sample_posterior(X, 2, rng=0)))
    >>> agreement.table[["em", "posterior_mean"]].head(3).round(1)
                  em  posterior_mean
    parameter
    weight[0]    0.4             0.4
    weight[1]    0.6             0.6
    mean[0, x0]  2.0             2.0
    """

    table: pd.DataFrame
    log_likelihood: dict[str, float]
    verdict: str
    notes: tuple[str, ...]

    def _paragraphs(self) -> list[str | pd.DataFrame]:
        return [self.verdict, self.table, *self.notes]


def compare_engines(
    em: GaussianMixture | StandardErrors | Mixture | None,
    posterior: Posterior,
    *,
    X: Any = None,
    prob: float = 0.9,
    variables: Mapping[str, str] | None = None,
) -> Agreement:
    """Compare maximum likelihood with the posterior, parameter by parameter.

    Parameters
    ----------
    em : GaussianMixture, StandardErrors, Mixture or None
        A fit, whose standard errors are computed from the rows; standard errors by any method; a
        bare estimate; or None for EM's estimate that `sample_posterior` stores with the draws.
    posterior : DataTree or Dataset
        Draws with one labelling: relabel them first, preferably with this fit as the reference.
    X : array-like of shape (n, D), optional
        The fitted rows; by default those in ``observed_data``.
    prob : float
        Probability of the posterior's equal-tailed intervals.
    variables : mapping, optional
        Names of weights, means and covariances in the posterior, as for `relabel`.

    Raises
    ------
    InputError
        If the posterior's labels switch, it has another size than the fit, one of them alone has
        noise, outliers, known labels or held parameters, X are other rows than those of the
        posterior or of the fit, or `em` is None and the posterior does not include
        EM's estimate.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, compare_engines, load_dataset
    >>> from bayesgmm import relabel, sample_posterior
    >>> X = load_dataset("faithful").X
    >>> fit = GaussianMixture(2, random_state=0).fit(X)
    >>> agreement = compare_engines(fit, relabel(sample_posterior(X, 2, rng=0)))
    >>> print(agreement.verdict)
    EM and the posterior agree within one posterior standard deviation: ...
    """
    prob = check_probability("prob", prob)
    if em is None:
        mixture, beside = _stored_estimate(posterior), estimated_outliers(posterior)
    else:
        mixture, beside = point_estimate("em", em, with_outliers=True)[0], outliers_of(em)
    draws = consistent_draws(posterior, variables)
    if (draws.n_components, draws.n_features) != mixture.means.shape:
        k, d = mixture.means.shape
        raise InputError(
            f"The fit has {plural(k, 'component')} in {plural(d, 'feature')}, but the posterior "
            f"has {draws.n_components} in {draws.n_features}. Compare fits of the same size."
        )
    notes: list[str] = []
    rows = _rows(posterior, draws.n_features, X, notes)
    _check_same_model(em, beside, draws, rows)
    if em is None:
        errors = _errors_of_stored(mixture, beside, posterior, rows, notes)
    else:
        errors = point_estimate("em", em, rows, with_outliers=True)[1]
    if errors is not None:
        notes.extend(errors.notes)
    order = np.arange(draws.n_components)
    if draws.groups is None:
        order = match_components(draws.mean(), mixture).order
    draws = draws.permuted(np.broadcast_to(order, draws.weights.shape))
    table = _table(mixture, beside, errors, summarised(draws, prob))
    table.attrs = {"prob": prob, "kind": "equal-tailed"}
    table["contraction"] = _contraction(posterior, table.posterior_sd.to_numpy(), notes)
    value = {"em": np.nan, "posterior_mean": np.nan}
    if rows is not None:
        value = {
            "em": _log_likelihood(rows, mixture, *beside),
            "posterior_mean": _log_likelihood(rows, draws.mean(), *draws.mean_outliers()),
        }
    return Agreement(table, value, verdict_of(table), tuple(notes))


def _rows(posterior: Posterior, n_features: int, X: Any, notes: list[str]) -> Data | None:
    """The rows; None, with a note, if they are not known."""
    if X is not None:
        rows = read_rows(posterior, n_features, X)
        sampled = other_rows(posterior, rows.X)
        if sampled is not None:
            raise InputError(
                f"X are {plural(len(rows.X), 'other row')} than the {sampled} for which the "
                "posterior was "
                "sampled (its group 'observed_data'). Omit X, or sample the posterior of these "
                "rows."
            )
        return rows
    try:
        return read_rows(posterior, n_features)
    except InputError as error:
        notes.append(f"No standard errors and log-likelihoods without the rows: {error}")
        return None


def _check_same_model(
    em: Any, beside: tuple[Noise | None, Contamination | None], draws: Draws, rows: Data | None
) -> None:
    """Refuse a fit and a posterior of which one alone has noise, outliers, labels, held values."""
    noise, outliers = beside
    has = {
        "noise": (noise is not None, draws.noise is not None),
        "outliers": (outliers is not None, draws.outliers is not None),
    }
    if isinstance(em, GaussianMixture):
        has["held parameters"] = em._held is not None, draws.held
        if rows is not None:
            has["known labels"] = em.labels_of(rows.X) is not None, rows.labels is not None
    for word, (of_fit, of_draws) in has.items():
        if of_fit != of_draws:
            one, other = ("fit", "posterior") if of_fit else ("posterior", "fit")
            raise InputError(
                f"The {one} has {word}, but the {other} has none. Compare fits of one model."
            )


def _log_likelihood(
    rows: Data, mixture: Mixture, noise: Noise | None, outliers: Contamination | None
) -> float:
    densities = mixture.log_density(rows._replace(labels=None))
    if rows.labels is not None or noise is not None or outliers is not None:
        densities = memberships(rows, mixture, noise, outliers)[0]
    if rows.weights is None:
        return float(densities.sum())
    present = rows.weights > 0.0
    return float(rows.weights[present] @ densities[present])


def _stored_estimate(posterior: Posterior) -> Mixture:
    """EM's estimate that `sample_posterior` stores."""
    mixture = read_estimate(posterior)
    if mixture is None:
        raise InputError(
            "The posterior does not include EM's estimate (group 'constant_data'). Give a fit."
        )
    return mixture


def _errors_of_stored(
    mixture: Mixture,
    beside: tuple[Noise | None, Contamination | None],
    posterior: Posterior,
    rows: Data | None,
    notes: list[str],
) -> StandardErrors | None:
    """Standard errors of that estimate under the structure and the priors stored with it."""
    attributes, held = posterior_group(posterior).attrs, held_values(posterior)
    if "em_note" in attributes:
        notes.append(attributes["em_note"])
    if rows is None:
        return None
    structure = as_structure(attributes["covariance_type"])
    priors = None
    if "em_priors" in attributes:
        priors = ResolvedPriors.from_dict(json.loads(attributes["em_priors"]))
    try:
        return curvature_errors(
            rows, rows.weights, mixture, structure, "information", priors, held, *beside
        )
    except InputError as error:
        notes.append(f"No standard errors: {error}")
        return None


def _table(
    mixture: Mixture,
    beside: tuple[Noise | None, Contamination | None],
    errors: StandardErrors | None,
    posterior: PosteriorSummary,
) -> pd.DataFrame:
    names, estimate = reported(mixture)
    extras = _of_outliers(beside, errors)
    names, estimate = [*names, *extras], np.append(estimate, [each for each, _ in extras.values()])
    standard_errors = np.full(len(names), np.nan)
    if errors is not None:
        own = [error for _, error in extras.values()]
        standard_errors = np.append(reported_errors(errors), own)
    mean, sd = posterior.mean, posterior.sd
    # The weight of a single component is 1 in every draw.
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = np.where(sd > 0.0, (mean - estimate) / sd, np.nan)
    return pd.DataFrame(
        {
            "em": estimate,
            "standard_error": standard_errors,
            "posterior_mean": mean,
            "posterior_sd": sd,
            "lower": posterior.lower,
            "upper": posterior.upper,
            "difference": difference,
        },
        index=pd.Index(names, name="parameter"),
    )


def _of_outliers(
    beside: tuple[Noise | None, Contamination | None], errors: StandardErrors | None
) -> dict[str, tuple[float, float]]:
    """Estimates of noise and outliers and their standard errors; inflation by its logarithm."""
    found = {}
    for name, value in named_values(*beside).items():
        error = np.nan if errors is None else errors.extras[name][1]
        logs = name.startswith("inflation")
        found[f"log {name}" if logs else name] = (
            (float(np.log(value)), error / value) if logs else (value, error)
        )
    return found


def _contraction(posterior: Posterior, sd: Array, notes: list[str]) -> Array:
    """1 - posterior variance / prior variance, for weights and means."""
    text = posterior_group(posterior).attrs.get("priors")
    out = np.full(len(sd), np.nan)
    if text is None:
        notes.append("No contraction: the posterior does not state its priors.")
        return out
    priors = ResolvedPriors.from_dict(json.loads(text))
    a = np.asarray(priors.concentration)
    total = a.sum()
    weights = a * (total - a) / (total**2 * (total + 1.0))
    shape = priors.n_components, priors.n_features
    means = np.broadcast_to(priors.mean_sd, shape).ravel() ** 2
    variance = np.concatenate((weights, means))
    known = len(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        out[:known] = np.where(variance > 0.0, 1.0 - sd[:known] ** 2 / variance, np.nan)
    return out


def verdict_of(table: pd.DataFrame) -> str:
    """The sentence on a table of `compare_engines`."""
    size = table.difference.abs()
    if size.isna().all():
        return "EM and the posterior cannot be compared: every posterior standard deviation is 0."
    worst, most = str(size.idxmax()), float(size.max())
    where = f"the largest difference is {most:.2f} posterior standard deviations, in {worst}"
    if most > _NEAR:
        return f"EM and the posterior differ: {where}. {_cause(table, worst)}."
    ratio = (table.standard_error / table.posterior_sd).dropna()
    ratio = ratio[np.isfinite(ratio) & (ratio > 0.0)]
    spread = ""
    if len(ratio):
        farthest = str(np.abs(np.log(ratio)).idxmax())
        factor = float(ratio[farthest])
        if not 1.0 / _ALIKE <= factor <= _ALIKE:
            spread = (
                f". The standard error of {farthest} is {factor:.2f} times its posterior standard "
                "deviation"
            )
    if most <= _SAME:
        return f"EM and the posterior agree: {where}{spread}."
    return f"EM and the posterior agree within one posterior standard deviation: {where}{spread}."


def _cause(table: pd.DataFrame, worst: str) -> str:
    """Advice on the largest difference: EM is a mode, the other a mean of the posterior."""
    row, prob = table.loc[worst], table.attrs["prob"]
    if row.lower <= row.em <= row.upper:
        return (
            f"EM's estimate lies within the {100 * prob:.0f} % interval, off the posterior mean: "
            "the posterior is skewed, or the priors move it. Prefer intervals to standard errors, "
            "and see how other priors change them"
        )
    return (
        f"EM's estimate lies outside the {100 * prob:.0f} % interval. Look for other local maxima, "
        "or an informative prior"
    )
