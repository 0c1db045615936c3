"""Missing entries filled, for what needs whole rows: checks, units and starts."""

from typing import Any

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.em.loop import StopRule, maximise
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.scaling import Units
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture import partial_rows
from bayesgmm.priors.objective import Objective

# Close enough to a single Gaussian's maximum for drawing from it.
_NEAR = StopRule(remaining=1e-2, max_e_steps=200)


def with_means(x: Array, row_weights: Array | None) -> Array:
    """Rows (n, D) with the means of what was seen of the columns in place of missing entries.

    Of a column that was never seen they are 0.
    """
    missing = np.isnan(x)
    if not missing.any():
        return x
    v = np.ones(len(x)) if row_weights is None else row_weights
    shares = np.where(missing, 0.0, v[:, np.newaxis])
    total = shares.sum(axis=0)
    shares /= np.where(total > 0.0, total, 1.0)
    return np.where(missing, (shares * np.where(missing, 0.0, x)).sum(axis=0), x)


def completed(data: Data, row_weights: Array | None, units: Units, rng: Any) -> Array:
    """Rows (n, D) whose missing entries are drawn given the others, under one Gaussian.

    Means would leave rows on a line, and starts without covariances.
    """
    d = data.X.shape[1]
    rows = Rows.of(data._replace(errors=None), row_weights, units.shift, units.scale)
    starts = [("EEE", np.eye(d)[np.newaxis])] * (d > 1) + [("EEI", np.ones((1, d)))]
    for code, covariance in starts:
        start = Parameters(np.ones(1), np.zeros((1, d)), covariance)
        run = maximise(rows, Objective(as_structure(code, d)), start, _NEAR)
        fitted = units.to_user(run.parameters)
        # A column that was seen once has no variance.
        variances = fitted.covariances
        if variances.ndim == 3:
            variances = np.einsum("kii->ki", variances)
        if run.collapsed is None and (variances > 0.0).all():
            mixture = fitted.mixture()
            generator = np.random.default_rng(rng)
            return partial_rows.draws(mixture, data.X, None, generator)
    return with_means(data.X, row_weights)
