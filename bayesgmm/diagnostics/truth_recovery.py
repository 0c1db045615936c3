"""How well a known truth was recovered: parameter by parameter, and as a density."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import adjusted_rand_score

from bayesgmm.arguments import check_kind, check_probability, check_rng
from bayesgmm.diagnostics.posterior_means import consistent_draws, deviations, mean_mixture
from bayesgmm.errors import InvalidParameterError, NotFittedError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.matching import match_components
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import Posterior
from bayesgmm.simulation.simulate import Simulation
from bayesgmm.uncertainty.standard_errors import (
    StandardErrors,
    quantities,
    reported,
    reported_errors,
)

type Array = NDArray[np.float64]
type Fit = GaussianMixture | StandardErrors | Mixture | Posterior

# Rows drawn from the truth for distances between densities and rates of error.
_DRAWS = 20_000


@dataclass(frozen=True, eq=False)
class Recovery:
    """What `recovery` found.

    Attributes
    ----------
    table : DataFrame
        A row for each weight, mean, standard deviation and correlation of the truth, under the
        truth's labels: truth, estimate, error (estimate less truth), spread (standard error or
        posterior standard deviation), lower, upper, covered, z (error / spread). NaN where there
        is nothing to compare with. `attrs` say the intervals' probability and kind.
    whole : DataFrame
        Index: quantity; columns value and error (Monte Carlo standard error; NaN where the value
        is not random). KL divergence of the fitted density from the true one (nats), their
        Hellinger distance, adjusted Rand index of fitted and true labels, error rate, and the
        least error rate that any classifier can have.
    order : ndarray of shape (K,)
        The fit's component that is matched to each of the truth's; -1 for none.
    notes : tuple of str
        What could not be compared, and why.
    """

    table: pd.DataFrame
    whole: pd.DataFrame
    order: NDArray[np.intp]
    notes: tuple[str, ...]


def recovery(
    fit: Fit,
    truth: Mixture | Simulation,
    *,
    prob: float = 0.9,
    variables: Mapping[str, str] | None = None,
    rng: Any = None,
) -> Recovery:
    """Compare a fit with the truth that its data were drawn from.

    Parameters
    ----------
    fit : GaussianMixture, StandardErrors, Mixture, DataTree or Dataset
        A fitted estimator; its standard errors by any method; a bare mixture; or a posterior,
        whose draws must be under one labelling (`relabel`).
    truth : Mixture or Simulation
        With a simulation, a fitted estimator's standard errors are made from its rows, and labels
        are compared on them; else on rows drawn from the truth.
    prob : float
        Probability of the intervals: normal ones about estimates, equal-tailed ones of posteriors.
    variables : mapping, optional
        What the posterior calls its variables.
    rng : anything that `numpy.random.default_rng` takes
        Of the rows drawn from the truth.

    Raises
    ------
    InvalidParameterError
        If the numbers of features differ, or `prob` is not between 0 and 1.
    InputError
        If a posterior's labels switch.

    Notes
    -----
    Components are matched to the truth's by assignment on the Hellinger distances of the
    Gaussians. Matching uses the truth: it is for looking at recovery, not for calibration.
    Of a posterior, the mixture of posterior means stands for the density.
    """
    prob, generator = check_probability("prob", prob), check_rng(rng)
    check_kind("truth", truth, Mixture | Simulation, "a Mixture or a Simulation")
    simulation = truth if isinstance(truth, Simulation) else None
    true = truth.mixture if isinstance(truth, Simulation) else truth
    found = _estimate(fit, true, simulation, prob, variables)
    matching = match_components(found.mixture, true)
    notes = [*found.notes]
    if matching.unmatched:
        names = ", ".join(map(str, matching.unmatched))
        notes.append(f"The fit's components {names} have no counterpart in the truth.")
    missing = np.flatnonzero(matching.order < 0)
    if missing.size:
        notes.append(f"The truth's components {', '.join(map(str, missing))} were not found.")
    table = _table(found, true, matching.order)
    table.attrs = {"prob": prob, "kind": found.kind}
    whole = _whole(found.mixture, true, matching.order, simulation, generator)
    return Recovery(table, whole, matching.order, tuple(notes))


@dataclass(frozen=True, eq=False)
class _Estimate:
    """A mixture, with spread and interval of each of its reported numbers."""

    mixture: Mixture
    spread: Array
    lower: Array
    upper: Array
    kind: str
    notes: tuple[str, ...] = ()


def _estimate(
    fit: Any,
    true: Mixture,
    simulation: Simulation | None,
    prob: float,
    variables: Mapping[str, str] | None,
) -> _Estimate:
    if isinstance(fit, xr.DataTree | xr.Dataset):
        draws = consistent_draws(fit, variables)
        values = quantities(*draws.stacked())
        tails = 0.5 - 0.5 * prob, 0.5 + 0.5 * prob
        lower, upper = np.quantile(values, tails, axis=0)
        return _Estimate(mean_mixture(draws), deviations(values), lower, upper, "quantile")
    if isinstance(fit, GaussianMixture):
        if not hasattr(fit, "mixture_"):
            raise NotFittedError("This GaussianMixture is not fitted yet. Call its fit first.")
        why = _why_no_errors(fit, simulation)
        if why is not None or simulation is None:
            return _bare(fit.mixture_, why)
        fit = fit.standard_errors(simulation.X)
    if isinstance(fit, StandardErrors):
        errors = reported_errors(fit)
        reach = norm.ppf(0.5 + 0.5 * prob) * errors
        values = reported(fit.estimate)[1]
        return _Estimate(fit.estimate, errors, values - reach, values + reach, "normal", fit.notes)
    if isinstance(fit, Mixture):
        return _bare(fit, "A bare mixture has no standard errors.")
    raise InvalidParameterError(
        "fit must be a fitted GaussianMixture, its StandardErrors, a Mixture or a posterior, not "
        f"{type(fit).__name__}."
    )


def _why_no_errors(fit: GaussianMixture, simulation: Simulation | None) -> str | None:
    """Why standard errors cannot be made from the simulation's rows; None if they can."""
    if simulation is None:
        return "Standard errors need the rows: give the Simulation as truth, or StandardErrors."
    if np.isnan(simulation.X).any():
        return "Rows with missing entries give no standard errors from the information."
    if fit.mixture_.n_features != simulation.mixture.n_features:
        return "The fit has other features than the truth."
    return None


def _bare(mixture: Mixture, note: str | None) -> _Estimate:
    nothing = np.full(len(reported(mixture)[1]), np.nan)
    return _Estimate(mixture, nothing, nothing, nothing, "none", (note,) if note else ())


def _table(found: _Estimate, true: Mixture, order: NDArray[np.intp]) -> pd.DataFrame:
    names, truth = reported(true)
    estimate = quantities(*_parameters(found.mixture))
    at = _positions(found.mixture, order)
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
    # A weight that is 1 whatever the data has an error and a spread of 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        table["z"] = table.error / table.spread
    inside = (table.lower <= table.truth) & (table.truth <= table.upper)
    table.insert(6, "covered", inside.astype("boolean").mask(table.lower.isna()))
    return table


def _parameters(mixture: Mixture) -> tuple[Array, Array, Array]:
    return mixture.weights, mixture.means, mixture.covariances


def _positions(mixture: Mixture, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each reported number of the truth stands among the fit's; -1 for nowhere."""
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
    order: NDArray[np.intp],
    simulation: Simulation | None,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Distances of the densities, and how alike the labels are."""
    x, labels = true.sample(_DRAWS, rng=rng)
    ratio = fitted.log_density(x) - true.log_density(x)
    error = ratio.std(ddof=1) / np.sqrt(_DRAWS)
    # 1 - E sqrt(q / p) = H^2; its error in H by the delta method.
    affinity = np.exp(0.5 * ratio)
    square = max(1.0 - affinity.mean(), 0.0)
    hellinger = np.sqrt(square)
    spread = affinity.std(ddof=1) / np.sqrt(_DRAWS)
    least = _rate(true.classify(x) != labels)
    seen, known = (x, labels)
    if simulation is not None and not np.isnan(simulation.X).any():
        seen, known = simulation.X, simulation.labels
    mine = fitted.classify(seen)
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


def _rate(wrong: NDArray[np.bool_]) -> tuple[float, float]:
    rate = float(wrong.mean())
    return rate, float(np.sqrt(rate * (1.0 - rate) / len(wrong)))
