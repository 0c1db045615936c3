"""The number of components that hold rows, under a posterior."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base.array import array_stats

from bayesgmm.arguments import check_rng
from bayesgmm.likelihood.outliers import memberships
from bayesgmm.posterior.reader import (
    Posterior,
    read_draws,
    read_rows,
)


def filled_components(
    posterior: Posterior,
    X: Any = None,
    *,
    variables: Mapping[str, str] | None = None,
    rng: Any = None,
) -> pd.DataFrame:
    """Posterior distribution of the number of components that hold at least one row.

    For each draw the rows are allocated to components at random, with their posterior
    probabilities under the draw, and the components with a row are counted. The count does not
    depend on labels. A row of weight v is allocated v times (rounded, at least once), one of
    weight 0 never; a row that is allocated to noise fills no component. Under a sparse prior of the
    weights (a concentration well below 1) and more components than the data need, it estimates the
    number of clusters.

    Parameters
    ----------
    posterior, X, variables
        As for `log_likelihood`.
    rng : anything that ``numpy.random.default_rng`` takes

    Returns
    -------
    DataFrame
        Indexed by the number of components from 1 to K, with noise from 0: ``probability``, and its
        Monte Carlo standard error ``mcse`` (NaN where all draws agree).

    Raises
    ------
    InputError
        If a group or variable is missing, or X has another number of features.

    References
    ----------
    Malsiner-Walli, Frühwirth-Schnatter and Grün (2016), Statistics and Computing 26, 303-324,
    section 4.2.

    Examples
    --------
    >>> from bayesgmm import Priors, filled_components, load_dataset, sample_posterior
    >>> sparse = Priors(concentration=0.01)
    >>> X = load_dataset("faithful").X
    >>> posterior = sample_posterior(X, 3, priors=sparse, draws=50, tune=200, chains=2, rng=1)
    >>> filled_components(posterior, rng=2).columns.tolist()
    ['probability', 'mcse']
    """
    draws = read_draws(posterior, variables)
    rows, generator = read_rows(posterior, draws.n_features, X), check_rng(rng)
    v = np.ones(len(rows.X)) if rows.weights is None else rows.weights
    times = np.where(v > 0.0, np.maximum(np.rint(v), 1.0), 0.0).astype(np.int64)
    copies, counts = np.repeat(np.arange(len(v)), times), []
    k, noise = draws.n_components, draws.noise is not None
    for each in draws.each():
        cumulative = np.cumsum(memberships(rows, *each)[1], axis=1)[copies]
        # What the components leave of 1 is the probability of noise, number k.
        places = generator.random((len(copies), 1)) * (1.0 if noise else cumulative[:, -1:])
        components = (cumulative <= places).sum(axis=1)
        counts.append(len(np.unique(components[components < k])))
    filled = np.array(counts).reshape(draws.n_chains, draws.n_draws)
    numbers = pd.RangeIndex(0 if noise else 1, k + 1, name="components")
    shares = [(filled == number).astype(float) for number in numbers]
    errors = [array_stats.mcse(one, method="mean") if np.ptp(one) else np.nan for one in shares]
    return pd.DataFrame(
        {"probability": [one.mean() for one in shares], "mcse": np.array(errors, dtype=float)},
        index=numbers,
    )
