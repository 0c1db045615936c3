"""Recovery of a known truth: parameter by parameter, and as a density."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.metrics import adjusted_rand_score

from bayesgmm.arguments import check_probability, check_rng
from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.data.validation import check_data
from bayesgmm.diagnostics.point_estimates import point_estimate
from bayesgmm.diagnostics.posterior_means import summarised
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.labels.consistent_draws import consistent_draws
from bayesgmm.mixture.fitted_mixture import MixtureLike, fitted_mixture
from bayesgmm.mixture.matching import match_components
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.reader import (
    Posterior,
)
from bayesgmm.results import Result
from bayesgmm.simulation.simulate import Simulation
from bayesgmm.uncertainty.intervals import normal_intervals
from bayesgmm.uncertainty.parameter_vectors import reported
from bayesgmm.uncertainty.standard_errors import StandardErrors, reported_errors

type Fit = GaussianMixture | StandardErrors | Mixture | Posterior

# Rows drawn from the truth, for distances between densities and error rates.
_DRAWS = 20_000


@dataclass(frozen=True, eq=False, repr=False)
class Recovery(Result):
    """Result of `recovery`.

    Attributes
    ----------
    table : DataFrame
        A row for each weight, mean, standard deviation and correlation of the truth, with the
        truth's labels: truth, estimate, error (estimate minus truth), spread (standard error or
        posterior standard deviation), lower, upper, covered, z (error / spread, NaN for a spread
        of 0). NaN for components without a counterpart. `attrs` give the probability and the kind
        of the intervals.
    whole : DataFrame
        Index: quantity; columns value and error (Monte Carlo standard error; NaN if the value is
        not random). KL divergence of the fitted density from the true one (nats), their Hellinger
        distance, adjusted Rand index of fitted and true labels, error rate, and the least error
        rate of any classifier.
    order : ndarray of shape (K,)
        The component of the fit matched to each true component; -1 for none.
    notes : tuple of str
        What could not be compared, and why.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, recovery, scenario, simulate
    >>> drawn = simulate(scenario("blobs"), 800, rng=1)
    >>> found = recovery(GaussianMixture(4, random_state=0).fit(drawn.X), drawn, rng=0)
    >>> found.whole.round(3)
                         value  error
    quantity
    KL divergence        0.012  0.001
    Hellinger distance   0.053  0.005
    adjusted Rand index  0.944    NaN
    error rate           0.021  0.005
    least error rate     0.019  0.001
    """

    table: pd.DataFrame
    whole: pd.DataFrame
    order: Indices
    notes: tuple[str, ...]

    def _paragraphs(self) -> list[str | pd.DataFrame]:
        return [self.whole, self.table, *self.notes]


def recovery(
    fit: Fit,
    truth: MixtureLike | Simulation,
    *,
    prob: float = 0.9,
    variables: Mapping[str, str] | None = None,
    rng: Any = None,
) -> Recovery:
    """Compare a fit with the mixture that its data were drawn from.

    Parameters
    ----------
    fit : GaussianMixture, StandardErrors, Mixture, DataTree or Dataset
        A fitted estimator; its standard errors by any method; a bare mixture; or a posterior,
        whose draws must have one labelling (`relabel`).
    truth : Mixture, fitted GaussianMixture or Simulation
        With a simulation, the standard errors of a fitted estimator are computed from its rows,
        and labels are compared on them; otherwise on rows drawn from the truth.
    prob : float
        Probability of the intervals: normal for estimates, as in
        `StandardErrors.intervals`, equal-tailed for posteriors.
    variables : mapping, optional
        Names of weights, means and covariances in the posterior, as for `relabel`.
    rng : anything that `numpy.random.default_rng` accepts
        Source of the rows drawn from the truth.

    Raises
    ------
    InvalidParameterError
        If the numbers of features differ, or `prob` is not between 0 and 1.
    InputError
        If a posterior's labels switch.

    Notes
    -----
    Components are matched to true components by assignment on the Hellinger distances of the
    Gaussians. As matching uses the truth, it suits the study of recovery, but not calibration.
    The density of a posterior is that of the posterior means.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, recovery, scenario, simulate
    >>> truth = scenario("overlapping_ellipses")
    >>> fit = GaussianMixture(2, random_state=0).fit(simulate(truth, 1000, rng=1).X)
    >>> found = recovery(fit.standard_errors(), truth, rng=0)
    >>> found.table.head(2).round(3)
               truth  estimate  error  spread  lower  upper  covered      z
    parameter
    weight[0]    0.5      0.51   0.01   0.027  0.465  0.555     True  0.362
    weight[1]    0.5      0.49  -0.01   0.027  0.445  0.535     True -0.362
    """
    prob, generator = check_probability("prob", prob), check_rng(rng)
    simulation = truth if isinstance(truth, Simulation) else None
    true = fitted_mixture("truth", simulation.mixture if simulation else truth)
    estimate = estimated(fit, simulation, prob, variables)
    matching = match_components(estimate.mixture, true)
    notes = [*estimate.notes]
    if matching.unmatched:
        names = ", ".join(map(str, matching.unmatched))
        notes.append(f"Components without a counterpart in the truth: {names}.")
    missing = np.flatnonzero(matching.order < 0)
    if missing.size:
        names = ", ".join(map(str, missing))
        notes.append(f"True components without a counterpart in the fit: {names}.")
    table = _table(estimate, true, matching.order)
    table.attrs = {"prob": prob, "kind": estimate.kind}
    whole = _whole(estimate.mixture, true, matching.order, simulation, generator)
    return Recovery(table, whole, matching.order, tuple(notes))


@dataclass(frozen=True, eq=False)
class Estimate:
    """A mixture, with the spread and interval of each of its reported quantities."""

    mixture: Mixture
    spread: Array
    lower: Array
    upper: Array
    kind: str
    notes: tuple[str, ...] = ()


def estimated(
    fit: Any,
    simulation: Simulation | None,
    prob: float,
    variables: Mapping[str, str] | None = None,
) -> Estimate:
    """The estimate of a fit of any kind, with standard errors from the simulation's rows."""
    if isinstance(fit, xr.DataTree | xr.Dataset):
        draws = consistent_draws(fit, variables)
        _, sd, lower, upper = summarised(draws, prob)
        return Estimate(draws.mean(), sd, lower, upper, "quantile")
    mixture, errors = point_estimate("fit", fit)
    reason = None if errors is not None else _why_no_errors(fit, mixture, simulation)
    if errors is None and reason is None and simulation is not None:
        rows = check_data(
            simulation.X, allow_nan=True, error_covariances=simulation.error_covariances
        )
        _, errors = point_estimate("fit", fit, rows)
    names, values = reported(mixture)
    if errors is None:
        unknown = np.full(len(values), np.nan)
        return Estimate(mixture, unknown, unknown, unknown, "none", (reason or "",))
    spread = reported_errors(errors)
    lower, upper = normal_intervals(names, values, spread, prob)
    return Estimate(mixture, spread, lower, upper, "normal", errors.notes)


def _why_no_errors(fit: Any, mixture: Mixture, simulation: Simulation | None) -> str | None:
    """The reason why standard errors cannot be computed from the simulation; None if they can."""
    if isinstance(fit, Mixture):
        return "No standard errors: a bare mixture was given."
    if simulation is None:
        return (
            "No standard errors without the rows: give the Simulation as truth, or StandardErrors."
        )
    if mixture.n_features != simulation.mixture.n_features:
        return "No standard errors: the fit has other features than the truth."
    return None


def _table(found: Estimate, true: Mixture, order: Indices) -> pd.DataFrame:
    names, truth = reported(true)
    estimate = reported(found.mixture)[1]
    at = positions(found.mixture, order)
    columns = {"truth": truth}
    for name, values in (
        ("estimate", estimate),
        ("spread", found.spread),
        ("lower", found.lower),
        ("upper", found.upper),
    ):
        columns[name] = np.where(at < 0, np.nan, values[at])
    table = pd.DataFrame(columns, index=pd.Index(names, name="parameter"))
    table.insert(2, "error", table.estimate - table.truth)
    # Held parameters, and the weight of a single component, have a spread of 0.
    table["z"] = table.error / table.spread.where(table.spread > 0.0)
    inside = (table.lower <= table.truth) & (table.truth <= table.upper)
    table.insert(6, "covered", inside.astype("boolean").mask(table.lower.isna()))
    return table


def positions(mixture: Mixture, order: Indices) -> Indices:
    """Index of each reported quantity of the truth among those of the fit; -1 for none."""
    k, d = mixture.means.shape
    at, start = [], 0
    for width in (1, d, d, d * (d - 1) // 2):
        each = start + order[:, np.newaxis] * width + np.arange(width)
        at.append(np.where(order[:, np.newaxis] < 0, -1, each).ravel())
        start += k * width
    return np.concatenate(at)


def _whole(
    fitted: Mixture,
    true: Mixture,
    order: Indices,
    simulation: Simulation | None,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Distances between the densities, and agreement of the labels."""
    x, labels = true.sample(_DRAWS, rng=rng)
    ratio = fitted.log_density(x) - true.log_density(x)
    error = ratio.std(ddof=1) / np.sqrt(_DRAWS)
    # 1 - E sqrt(q / p) = H^2; the error of H by the delta method.
    affinity = np.exp(0.5 * ratio)
    square = max(1.0 - affinity.mean(), 0.0)
    hellinger = np.sqrt(square)
    spread = affinity.std(ddof=1) / np.sqrt(_DRAWS)
    least = _rate(true.classify(x) != labels)
    if simulation is None:
        known, mine = labels, fitted.classify(x)
    else:
        known = simulation.labels
        mine = fitted.classify(simulation.X, simulation.error_covariances)
    own = np.full(fitted.n_components, -1)
    own[order[order >= 0]] = np.flatnonzero(order >= 0)
    wrong = own[mine] != known
    rows = {
        "KL divergence": (-ratio.mean(), error),
        "Hellinger distance": (hellinger, spread / (2.0 * hellinger) if hellinger > 0 else spread),
        "adjusted Rand index": (adjusted_rand_score(known, mine), np.nan),
        "error rate": _rate(wrong),
        "least error rate": least,
    }
    out = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "error"])
    out.index.name = "quantity"
    return out


def _rate(wrong: Booleans) -> tuple[float, float]:
    rate = float(wrong.mean())
    return rate, float(np.sqrt(rate * (1.0 - rate) / len(wrong)))
