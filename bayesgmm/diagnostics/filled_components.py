"""The number of components that hold rows, under a posterior."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base.array import array_stats

from bayesgmm.arguments import check_rng
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.posterior.draws import Posterior, read_draws, read_rows


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
    depend on labels. Under a sparse prior of the weights (a concentration well below 1) and more
    components than the data need, it estimates the number of clusters.

    Parameters
    ----------
    posterior, X, variables
        As for `log_likelihood`.
    rng : anything that ``numpy.random.default_rng`` takes

    Returns
    -------
    DataFrame
        Indexed by the number of components from 1 to K: ``probability``, and its Monte Carlo
        standard error ``mcse`` (NaN where all draws agree).

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
    >>> posterior = sample_posterior(X, 3, priors=sparse, draws=200, rng=1)
    >>> filled_components(posterior, rng=2).columns.tolist()
    ['probability', 'mcse']
    """
    draws = read_draws(posterior, variables)
    rows, generator = read_rows(posterior, draws.n_features, X), check_rng(rng)
    counts = []
    for mixture in draws.mixtures():
        cumulative = np.cumsum(membership(rows, mixture)[1], axis=1)
        places = generator.random((len(rows.X), 1)) * cumulative[:, -1:]
        counts.append(len(np.unique((cumulative <= places).sum(axis=1))))
    k = draws.n_components
    filled = np.array(counts).reshape(draws.n_chains, draws.n_draws)
    each = [(filled == number).astype(float) for number in range(1, k + 1)]
    errors = [array_stats.mcse(one, method="mean") if np.ptp(one) else np.nan for one in each]
    return pd.DataFrame(
        {"probability": [one.mean() for one in each], "mcse": np.array(errors, dtype=float)},
        index=pd.RangeIndex(1, k + 1, name="components"),
    )
