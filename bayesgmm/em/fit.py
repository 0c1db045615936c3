"""The fit of a mixture to data under checked settings."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.coarse_columns import coarse_values
from bayesgmm.data.coercion import label
from bayesgmm.data.degeneracy import (
    check_enough_rows,
    check_full_rank,
    check_spread,
)
from bayesgmm.data.validation import Data
from bayesgmm.em.collapsed_starts import all_collapsed
from bayesgmm.em.completed_rows import completed, with_means
from bayesgmm.em.component_order import check_reference, component_order
from bayesgmm.em.exploration import climb_on_all, explore
from bayesgmm.em.loop import StopRule
from bayesgmm.em.many_rows import finish_by_part, first_of, part_size
from bayesgmm.em.multistart import (
    Attempt,
    adapted,
    attempt,
    finish,
    with_held,
    with_outliers,
)
from bayesgmm.em.pairs import check_alone, components, contamination, rows_of_pairs
from bayesgmm.em.settings import Fit, Settings, StartRecord
from bayesgmm.em.spurious import Degeneracy, Fault
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.initialisation.starts import (
    Sample,
    Start,
    Views,
    from_known_labels,
    portfolio,
    sample_size,
)
from bayesgmm.initialisation.user_given import chosen_starts, given_parameters
from bayesgmm.likelihood.em_steps import Rows, n_threads
from bayesgmm.likelihood.scaling import Units, about_one, check_common_unit, fit_units
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.priors.objective import Objective, check_penalty
from bayesgmm.priors.resolved_priors import ResolvedPriors

_EXACT = StopRule()
# Estimated remaining gain (nats) of a contaminated fit: rounding of the inflations moves the steps
# of pairs by more than the exact rule leaves.
_OF_PAIRS = 1e-14
_MOST_E_STEPS = 2**31 - 1
# Limits of the sum of the weights, without and with a prior.
_MOST_WEIGHT = 1e290
_FEWEST_ROWS, _MOST_ROWS = 1e-100, 2.0**53
# Added to the diagonals, in units of the columns' variances, where rows are fewer than columns.
_FEW_ROWS = 1e-6


def fit_mixture(data: Data, row_weights: Array | None, settings: Settings) -> Fit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    data : Data
        Rows, which may be seen in part or through noise.
    row_weights : ndarray of shape (n,), optional
    settings : Settings

    Raises
    ------
    InputError
        If no mixture of this size and structure can be fitted to the rows.
    InvalidParameterError
        If a setting does not suit the rows.
    FitError
        If every start collapsed.
    """
    names = data.feature_names
    if isinstance(settings.order_by, Mixture):
        shape = settings.n_components, data.X.shape[1]
        check_reference("order_by", settings.order_by, shape, names)
    data, row_weights, kept, weight_unit = _counted(data, row_weights, settings)
    if kept is not None and data.has_missing:
        _check_seen(data)
    ridge = _check_rows(data.X, names, settings)
    x = with_means(data.X, row_weights)
    check_common_unit(x, row_weights, settings.structure, settings.reg_covar or 0.0)
    units = fit_units(x, row_weights, settings.structure, settings.reg_covar or 0.0)
    if data.has_missing:
        x = completed(data, row_weights, units, settings.random_state)
    noise = Noise.around(data) if settings.noise else None
    priors = None if settings.priors is None else _resolve(data, row_weights, settings)
    objective = _objective(settings, priors, ridge, units)
    given = given_parameters(settings, x.shape[1], settings.structure, units)
    given_start = settings.previous is not None or any(each is not None for each in given)
    if given_start or settings.init_params is not None or settings.max_iter is not None:
        best, attempts = _run_given(
            data, x, row_weights, kept, units, objective, settings, given, noise
        )
    else:
        best, attempts = _run_portfolio(data, x, row_weights, units, objective, settings, noise)
    if best is None or best.run is None or best.collapsed:
        raise all_collapsed(attempts, settings, x, names, units)
    parameters, noise, outliers = apart(
        units.to_user(best.run.parameters), noise, settings.contaminated
    )
    if not np.isfinite(parameters.covariances).all():
        raise InputError("The covariances of the fit are beyond float64. Rescale the columns.")
    order = _order(parameters, settings, given_start or data.labels is not None, priors)
    records = [_record(each, units, weight_unit).permuted(order) for each in attempts]
    degeneracy = None if best.degeneracy is None else best.degeneracy.permuted(order)
    if ridge and degeneracy is None:
        degeneracy = Degeneracy(Fault.FEW_ROWS, None, x.shape)
    parameters = parameters.permuted(order)
    if settings.held is not None:
        # The way to the fit's units and back rounds.
        parameters = Parameters(*settings.held.put_into(*parameters))
    if outliers is not None:
        outliers = outliers.permuted(order)
    return Fit(
        parameters, best.run, units, degeneracy, records, priors, weight_unit, noise, outliers
    )


def apart(
    parameters: Parameters, noise: Noise | None, contaminated: bool
) -> tuple[Parameters, Noise | None, Contamination | None]:
    """The components of a run, with weights of sum 1; the noise with what was left; outliers."""
    if contaminated:
        return components(parameters), None, contamination(parameters)
    if noise is None:
        return parameters, None, None
    total = float(parameters.weights.sum())
    weights = parameters.weights / total
    noise = replace(noise, weight=max(1.0 - total, 0.0))
    return parameters._replace(weights=weights), noise, None


def _objective(
    settings: Settings, priors: ResolvedPriors | None, ridge: float, units: Units
) -> Objective:
    """What EM maximises, in the units of the fit."""
    objective = Objective(settings.structure, eigenvalue_ratio=settings.eigenvalue_ratio)
    held = settings.held
    if priors is not None:
        penalty = priors.transformed(units.shift, units.scale)
        objective = replace(objective, priors=penalty)
    elif settings.reg_covar:
        amounts = settings.reg_covar * units.scale**2
        objective = replace(objective, ridge=tuple(amounts.tolist()))
    elif ridge:
        objective = replace(objective, ridge=(ridge,) * len(units.scale))
    if settings.contaminated:
        others = {"priors": priors is not None, "fixed or equal_weights": held is not None}
        check_alone({**others, "noise_component": settings.noise})
        return replace(objective, contaminated=True)
    if held is None:
        return objective
    if settings.noise and held.masks[0].any():
        raise InvalidParameterError(
            "noise_component=True takes a share of each weight, and fixed or equal_weights holds "
            "weights. Leave one of them out."
        )
    held.check_beside(settings.reg_covar, settings.order_by is not None, priors)
    return replace(objective, held=held.transformed(units.shift, units.scale))


def _order(
    parameters: Parameters, settings: Settings, numbered: bool, priors: ResolvedPriors | None
) -> Indices:
    """The order of components by the settings, a start, labels, priors or held parameters."""
    if settings.order_by is not None:
        return component_order(parameters.mixture(), settings.order_by)
    if priors is not None and not priors.exchangeable:
        return priors.in_order(parameters.means)
    if numbered:
        return np.arange(settings.n_components)
    if settings.held is not None:
        return settings.held.in_order(parameters.means)
    return np.lexsort(parameters.means.T[::-1])


def _counted(
    data: Data, weights: Array | None, settings: Settings
) -> tuple[Data, Array | None, Booleans | None, float]:
    """Rows of positive weight, their weights in a unit near 1, their mask, and that unit.

    No result depends on the unit of the weights. With a prior, weights are numbers of rows and have
    no unit.
    """
    if weights is None:
        return data, None, None, 1.0
    largest = float(weights.max())
    if float((weights / largest).sum()) * largest > _MOST_WEIGHT:
        raise InputError(
            f"sample_weight adds up to more than {_MOST_WEIGHT:g} (largest: {largest:.3g}), and "
            "log-likelihoods would be beyond float64. "
            "Divide the weights by a constant."
        )
    scaled, unit = about_one(weights)
    if settings.priors is not None:
        total = float(weights.sum())
        if not _FEWEST_ROWS <= total <= _MOST_ROWS:
            raise InputError(
                f"With a prior, sample_weight counts rows, and it adds up to {total:.3g} rows. "
                "Give the number of times that each row counts."
            )
        scaled, unit = np.where(scaled > 0.0, weights, 0.0), 1.0
    weights = scaled
    kept = weights > 0.0
    if kept.all():
        return data, weights, None, unit
    return data.take(kept), weights[kept], kept, unit


def _check_seen(data: Data) -> None:
    """Refuse columns that were seen in rows of weight 0 alone."""
    unseen = np.isnan(data.X).all(axis=0)
    if unseen.any():
        where = label(data.feature_names, int(unseen.argmax()))
        raise InputError(
            f"X has only NaN in {where} in the rows of positive sample_weight. Drop it, or give "
            "weight to rows in which it was seen."
        )


def _resolve(data: Data, row_weights: Array | None, settings: Settings) -> ResolvedPriors:
    """The priors of a penalised fit, in the user's units."""
    assert settings.priors is not None
    if settings.reg_covar:
        raise InvalidParameterError(
            "priors and reg_covar both keep covariances from collapsing: give one of them."
        )
    structure, k = settings.structure, settings.n_components
    priors = settings.priors.for_data(data, k, structure, sample_weight=row_weights)
    check_penalty(priors)
    if settings.order_by is not None and not priors.exchangeable:
        raise InvalidParameterError(
            "order_by renumbers components, but these priors differ between components or order "
            "their means, and so number them already. Leave order_by out."
        )
    return priors


def _check_rows(x: Array, names: tuple[str, ...] | None, settings: Settings) -> float:
    """Refuse data to which no mixture of this size and structure can be fitted.

    Returns a constant for the diagonals of the covariances, in units of the columns' variances:
    0 unless there are too few rows for any covariance of full rank.
    """
    n, d = x.shape
    structure = as_structure(settings.structure, d)
    diagonal = structure.diagonal
    if n < 2:
        raise InputError(
            f"X has {n} row (n_samples={n}) while a minimum of 2 is required: one row has no "
            "variance."
        )
    check_enough_rows(x, settings.n_components)
    all_held = settings.held is not None and bool(settings.held.masks[2].all())
    if settings.reg_covar or all_held:
        check_spread(x, names, some=False)
        return 0.0
    if settings.priors is not None:
        check_spread(x, names)
        return 0.0
    if diagonal or n <= d:
        check_spread(x, names)
    else:
        check_full_rank(x, names)
    if diagonal or n > d:
        return 0.0
    return _FEW_ROWS


def _rule(settings: Settings) -> StopRule:
    e_steps = _EXACT.max_e_steps if settings.max_iter is None else settings.max_iter + 1
    remaining = _OF_PAIRS if settings.contaminated else _EXACT.remaining
    return StopRule(remaining, settings.tol, min(e_steps, _MOST_E_STEPS))


def _run_given(
    data: Data,
    x: Array,
    weights: Array | None,
    kept: Booleans | None,
    units: Units,
    objective: Objective,
    settings: Settings,
    given: tuple[Array | None, Array | None, Array | None],
    noise: Noise | None,
) -> tuple[Attempt | None, list[Attempt]]:
    """Full runs from the starts that the settings name or hold; the best of them.

    x (n, D): the rows with their missing entries filled.
    """
    rng = np.random.default_rng(settings.random_state)
    starts: Iterator[Start]
    if settings.previous is not None:
        starts = iter([Start("previous solution", units.from_user(settings.previous))])
    else:
        starts = chosen_starts(settings, x, weights, kept, units, objective, given, rng)
    attempts = []
    rows = _rows(data, weights, units, settings, noise)
    numbered = settings.previous is not None or any(each is not None for each in given)
    sample = Sample(units.to_fit(x), np.ones(len(x)), whole=True, labels=data.labels)
    rule = _rule(settings)
    for made in starts:
        start = with_held(made, objective) if numbered else adapted(made, sample, objective)
        if len(start.parameters.weights) == settings.n_components:
            start = with_outliers(start, rows, objective)
        found = attempt(rows, objective, start, rule, settings.accelerate)
        attempts.append(found)
        _say(found, units, settings)
    sound = [each for each in attempts if not each.collapsed]
    return max(sound, key=Attempt.merit, default=None), attempts


def _run_portfolio(
    data: Data,
    x: Array,
    weights: Array | None,
    units: Units,
    objective: Objective,
    settings: Settings,
    noise: Noise | None,
) -> tuple[Attempt | None, list[Attempt]]:
    """First runs from many starts, on a sample of many rows; the best is continued.

    x (n, D): the rows with their missing entries filled.
    """
    rng = np.random.default_rng(settings.random_state)
    k, fast = settings.n_components, settings.accelerate
    chosen = _chosen(len(x), weights, sample_size(settings.structure, k, x.shape[1]), rng)
    row_weights = np.ones(len(x)) if weights is None else weights
    labels = None if data.labels is None else data.labels[chosen]
    sample = Sample(units.to_fit(x[chosen]), row_weights[chosen], len(chosen) == len(x), labels)
    known = from_known_labels(sample, k, objective)
    starts = chain(
        () if known is None else (known,), portfolio(Views(sample, rng), k, objective, rng)
    )
    rows = few = _rows(data, weights, units, settings, noise)
    if not sample.whole:
        few = _rows(data.take(chosen), sample.weights, units, settings, noise)
        few = replace(few, coarse=rows.coarse)
    rule = _rule(settings)
    attempts = explore(few, objective, starts, sample, rng, fewest=settings.n_init, fast=fast)
    for each in attempts:
        _say(each, units, settings)
    # Under a ridge the steps of EM lead past the maximum, and Newton's to it.
    size = part_size(len(x), len(chosen)) if fast and objective.ridge is None else 0
    if size:
        drawn = _chosen(len(x), weights, size, rng)

        def part(n_rows: int) -> Rows:
            some = first_of(drawn, n_rows)
            given = None if weights is None else weights[some]
            return _rows(data.take(some), given, units, settings, noise)

        last = finish_by_part(rows, part, size, objective, attempts, sample, rng, rule)
        if last is not None:
            return last, attempts
    best, attempts = finish(rows, objective, attempts, rule, fast=fast, whole=sample.whole)
    if best is not None and not sample.whole:
        higher = climb_on_all(rows, objective, best, sample, rng, fast=fast)
        if higher is not None:
            assert higher.run is not None
            start = Start(higher.name, higher.run.parameters)
            best = max(attempt(rows, objective, start, rule, fast), best, key=Attempt.merit)
    return best, attempts


def _rows(
    data: Data, weights: Array | None, units: Units, settings: Settings, noise: Noise | None
) -> Rows:
    """Rows in the units of the fit, with the threads of its beginning."""
    rows = Rows.of(data, weights, units.shift, units.scale, n_threads(), noise)
    rows = replace(rows, coarse=coarse_values(data.X))
    return rows_of_pairs(rows, settings.n_components) if settings.contaminated else rows


def _chosen(n: int, weights: Array | None, size: int, rng: np.random.Generator) -> Indices:
    """Rows for making starts: all, or a sample of sufficient size, chosen by the seed."""
    if n <= size:
        return np.arange(n)
    chosen = np.sort(rng.choice(n, size, replace=False))
    return chosen if weights is None else chosen[weights[chosen] > 0.0]


def _say(found: Attempt, units: Units, settings: Settings) -> None:
    if settings.verbose:
        record = _record(found, units, 1.0)
        print(f"{record.start}: {record.log_likelihood:.6f} nats, {record.outcome}")


def _record(found: Attempt, units: Units, weight_unit: float) -> StartRecord:
    """A row of `starts_`; a run that collapsed has no log-likelihood."""
    run = found.run
    value, iterations = np.nan, 0
    if run is not None:
        iterations = run.n_e_steps - 1
        if not found.collapsed:
            value = units.log_likelihood(run.log_likelihood, run.seen) * weight_unit
    converged = run is not None and run.converged
    return StartRecord(found.name, value, iterations, found.degeneracy, converged, found.n_rows)
