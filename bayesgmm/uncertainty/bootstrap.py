"""Standard errors from refits: rows drawn anew, or weighted at random."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from bayesgmm.arguments import check_count, check_rng
from bayesgmm.arrays import Array
from bayesgmm.data.validation import Data
from bayesgmm.display import progress
from bayesgmm.em.fit import fit_mixture
from bayesgmm.em.settings import (
    Settings,
)
from bayesgmm.em.spurious import Fault
from bayesgmm.errors import BayesGMMError, FitError, InputError
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.matching import match_components, matching_costs
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.uncertainty.outlier_information import named_values
from bayesgmm.uncertainty.parameter_vectors import flatten, joint_units
from bayesgmm.uncertainty.standard_errors import StandardErrors, assemble

# The proportion of failed refits beyond which the spread of the others is not meaningful.
_MOST_FAILED = 0.5


def bootstrap_errors(
    data: Data,
    row_weights: Array | None,
    mixture: Mixture,
    noise: Noise | None,
    outliers: Contamination | None,
    settings: Settings,
    method: str,
    *,
    n_resamples: int,
    rng: Any,
    n_jobs: int | None,
    progressbar: bool,
) -> StandardErrors:
    """Standard errors of a fit from refits, each started at the fit and relabelled to it.

    Held parameters are held in all of them.

    "bootstrap" draws as many rows as there are, with replacement (by their weights); the
    "weighted-bootstrap" gives each row an exponential weight, so that no row is ever missing.
    Every refit has its own stream of random numbers: the result does not depend on `n_jobs`. Errors
    are those of `GaussianMixture.standard_errors`.
    """
    n_resamples = check_count("n_resamples", n_resamples, least=2)
    n_jobs = None if n_jobs is None else check_count("n_jobs", n_jobs)
    seeds = np.random.SeedSequence(check_rng(rng).integers(2**63)).spawn(n_resamples)
    total = float(len(data.X)) if row_weights is None else float(row_weights.sum())
    if method == "bootstrap" and not 1.5 <= total <= 2.0**53:
        raise InputError(
            f"A bootstrap draws as many rows as sample_weight adds up to, {total:.3g}. Give "
            "weights that count rows, or use method='weighted-bootstrap'."
        )

    def refit(seed: np.random.SeedSequence) -> Array | None:
        weights = _draw(np.random.default_rng(seed), len(data.X), row_weights, total, method)
        try:
            found = fit_mixture(data, weights, settings)
        except BayesGMMError:
            # A draw on which no mixture exists is counted and reported, not dropped in silence.
            return None
        if found.degeneracy is not None and found.degeneracy.fault is not Fault.FEW_ROWS:
            return None
        made, held = found.parameters.mixture(), settings.held
        if held is None:
            order = match_components(made, mixture).order
        else:
            both = made.means, made.covariances, mixture.means, mixture.covariances
            order = held.matched(matching_costs(*both))
        made = made.permuted(order)
        broad = found.contamination and found.contamination.permuted(order)
        extras = [*named_values(found.noise, broad).values()]
        return np.append(flatten(made.weights, made.means, made.covariances), extras)

    with ThreadPoolExecutor(n_jobs or os.cpu_count()) as pool, progress(progressbar) as bar:
        refits = pool.map(refit, seeds)
        found = list(bar.track(refits, total=n_resamples, description="Refitting"))
    kept = [each for each in found if each is not None]
    failed = n_resamples - len(kept)
    if failed > _MOST_FAILED * n_resamples:
        raise FitError(
            f"{failed} of {n_resamples} refits collapsed: the fit does not survive another draw of "
            "its rows. Use fewer components, a structure that shares covariances, or a prior."
        )
    numbers = np.array(kept)
    values = named_values(noise, outliers)
    numbers, extras = np.split(numbers, [numbers.shape[1] - len(values)], axis=1)
    replicates = dict(zip(values, extras.T, strict=True))
    notes = (f"{failed} of {n_resamples} refits collapsed and were left out.",) if failed else ()
    hidden = np.zeros(numbers.shape[1], dtype=np.bool_)
    joint = np.cov((numbers / joint_units(mixture)).T).reshape(numbers.shape[1], -1)
    # Of what is held, rounding is left.
    constant = (numbers == numbers[0]).all(axis=0)
    joint[constant | constant[:, np.newaxis]] = 0.0
    made = assemble(mixture, joint, hidden, method, notes, numbers)
    errors = {name: float(each.std(ddof=1)) for name, each in replicates.items()}
    named = {name: (value, errors[name]) for name, value in values.items()}
    made = replace(made, noise=noise, contamination=outliers)
    return replace(made, extras=named, extra_replicates=replicates)


def _draw(
    rng: np.random.Generator, n: int, row_weights: Array | None, total: float, method: str
) -> Array:
    """Weights of the rows in one refit; their sum is that of the fit."""
    own = np.ones(n) if row_weights is None else row_weights
    if method == "bootstrap":
        counts = rng.multinomial(round(total), own / own.sum())
        return counts.astype(np.float64)
    weights = rng.exponential(size=n) * own
    return np.asarray(weights * (total / weights.sum()))
