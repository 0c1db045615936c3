"""Quantities of rows under a posterior: densities, co-clustering, missing entries, new rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayesgmm.arguments import check_count, check_rng
from bayesgmm.arrays import Array
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.likelihood.outliers import complete_rows, memberships, sample_rows
from bayesgmm.mixture.partial_rows import noise
from bayesgmm.posterior.reader import (
    SAMPLE_DIMS,
    Posterior,
    posterior_group,
    read_draws,
    read_rows,
)

# Pairs of rows whose co-clustering is kept: 1.6 GB.
_MOST_PAIRS = 200_000_000


def log_likelihood(
    posterior: Posterior, X: Any = None, *, variables: Mapping[str, str] | None = None
) -> xr.DataArray:
    """Log density of each row under each draw, in nats.

    Weights of rows do not enter; a weighted log-likelihood is their sum times the weights. A fitted
    row of known component has the density of that component, times its weight.

    Parameters
    ----------
    posterior : DataTree or Dataset
        Of `sample_posterior`, or any with weights, means and covariances.
    X : array-like of shape (n, D), optional
        Rows; by default the fitted ones.
    variables : mapping, optional
        Names of weights, means and covariances in the posterior, as for `relabel`.

    Returns
    -------
    DataArray of dims (chain, draw, row)
        The input of ``az.loo``, in the group ``log_likelihood``.

    Raises
    ------
    InputError
        If a group or variable is missing, or X has another number of features.

    Examples
    --------
    >>> from bayesgmm import load_dataset, log_likelihood, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, draws=200, rng=0)
    >>> dict(log_likelihood(posterior).sizes)
    {'chain': 4, 'draw': 200, 'row': 272}
    """
    draws = read_draws(posterior, variables)
    rows = read_rows(posterior, draws.n_features, X)
    values = draws.over(rows).densities()
    return _by_draw(posterior, values.reshape(draws.n_chains, draws.n_draws, -1), {})


def co_clustering(
    posterior: Posterior, X: Any = None, *, variables: Mapping[str, str] | None = None
) -> xr.DataArray:
    """Posterior probability that two rows belong to the same component, for all pairs.

    It does not depend on labels, so relabelling is not necessary.

    Parameters
    ----------
    posterior, X, variables
        As for `log_likelihood`.

    Returns
    -------
    DataArray of dims (row, row_bis)
        Symmetric, with 1 on the diagonal.

    Raises
    ------
    InputError
        If a group or variable is missing, X has another number of features, or there are more than
        14,000 rows: the result has n^2 entries.

    Examples
    --------
    >>> from bayesgmm import co_clustering, load_dataset, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, draws=200, rng=0)
    >>> together = co_clustering(posterior)
    >>> together.shape, together[0, 1:3].values.round(1)
    ((272, 272), array([0., 1.]))
    """
    draws = read_draws(posterior, variables)
    rows = read_rows(posterior, draws.n_features, X)
    n = len(rows.X)
    if n * n > _MOST_PAIRS:
        raise InputError(
            f"X has {n} rows, whose {n * n:.3g} pairs exceed the memory set aside for them. Give "
            "a subset of the rows as X."
        )
    out = np.zeros((n, n))
    for each in draws.each():
        r = memberships(rows, *each)[1]
        out += r @ r.T
    out /= draws.n_chains * draws.n_draws
    np.fill_diagonal(out, 1.0)
    coords = {"row": np.arange(n), "row_bis": np.arange(n)}
    return xr.DataArray(out, coords, list(coords), name="co_clustering")


def impute(
    posterior: Posterior,
    X: Any = None,
    *,
    n_imputations: int = 20,
    variables: Mapping[str, str] | None = None,
    rng: Any = None,
) -> xr.DataArray:
    """Rows with their missing entries drawn, each time given another draw of the posterior.

    Analyse each imputation as complete rows and combine the results (Rubin 1987): they carry the
    uncertainty of the parameters, too, which imputations from one estimate of the mixture
    (`GaussianMixture.impute`) do not.

    Parameters
    ----------
    posterior, X, variables
        As for `log_likelihood`. A fitted row of known component is filled from that component.
    n_imputations : int
        The number of draws of the posterior that are used, at equal distances.
    rng : anything that ``numpy.random.default_rng`` accepts

    Returns
    -------
    DataArray of dims (imputation, row, feature)
        In the data's units, with coordinates chain and draw. Entries that were seen stay; what is
        filled in has no measurement error.

    Raises
    ------
    InputError
        If a group or variable is missing, or X has another number of features.
    InvalidParameterError
        If the posterior has fewer draws.

    References
    ----------
    Rubin, D. B. (1987), Multiple Imputation for Nonresponse in Surveys, chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesgmm import impute, load_dataset, sample_posterior
    >>> X = load_dataset("faithful").X.copy()
    >>> X[:50, 1] = np.nan
    >>> posterior = sample_posterior(X, 2, draws=200, rng=0, progressbar=False)
    >>> filled = impute(posterior, n_imputations=10, rng=1)
    >>> filled.shape, bool(np.isnan(filled).any())
    ((10, 272, 2), False)
    """
    m = check_count("n_imputations", n_imputations)
    generator = check_rng(rng)
    draws = read_draws(posterior, variables)
    d, total = draws.n_features, draws.n_chains * draws.n_draws
    if m > total:
        raise InvalidParameterError(
            f"n_imputations={m} is more than the {total} draws of the posterior."
        )
    data = read_rows(posterior, d, X)
    filled = [complete_rows(data, *each, generator) for each in draws.each(m)]
    chains, positions = np.divmod(draws.positions(m), draws.n_draws)
    group = posterior_group(posterior)
    labels = {
        "row": np.arange(len(data.X)),
        "feature": list(draws.feature_names or range(d)),
        "chain": ("imputation", group["chain"].values[chains]),
        "draw": ("imputation", group["draw"].values[positions]),
    }
    return xr.DataArray(np.array(filled), labels, ("imputation", "row", "feature"), name="X")


def posterior_predictive(
    posterior: Posterior,
    n_samples: int | None = None,
    *,
    variables: Mapping[str, str] | None = None,
    rng: Any = None,
) -> xr.DataArray:
    """New rows from each draw of the posterior.

    Parameters
    ----------
    posterior, variables
        As for `log_likelihood`.
    n_samples : int, optional
        Rows for each draw, without measurement errors. None: replicates of the fitted rows, with
        their measurement errors.
    rng : anything that ``numpy.random.default_rng`` accepts

    Returns
    -------
    DataArray of dims (chain, draw, row, feature)
        In the data's units.

    Raises
    ------
    InputError
        If a group or variable is missing.

    Examples
    --------
    >>> from bayesgmm import load_dataset, posterior_predictive, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, draws=200, rng=0)
    >>> dict(posterior_predictive(posterior, 100, rng=1).sizes)
    {'chain': 4, 'draw': 200, 'row': 100, 'feature': 2}
    """
    draws = read_draws(posterior, variables)
    d = draws.n_features
    if n_samples is None:
        fitted = read_rows(posterior, d)
        n, errors = len(fitted.X), fitted.errors
    else:
        n, errors = check_count("n_samples", n_samples), None
    generator = check_rng(rng)
    rows = np.array([sample_rows(n, *each, generator)[0] for each in draws.each()])
    if errors is not None:
        rows += [noise(errors, n, d, generator) for _ in rows]
    features = list(draws.feature_names or range(d))
    return _by_draw(
        posterior, rows.reshape(draws.n_chains, draws.n_draws, n, d), {"feature": features}
    )


def _by_draw(posterior: Posterior, values: Array, coords: Mapping[str, Any]) -> xr.DataArray:
    """Values (chain, draw, row, ...) under the posterior's numbers of chains and draws."""
    group = posterior_group(posterior)
    labels = {name: group[name].values for name in SAMPLE_DIMS}
    labels |= {"row": np.arange(values.shape[2]), **coords}
    return xr.DataArray(values, labels, list(labels), name="X")
