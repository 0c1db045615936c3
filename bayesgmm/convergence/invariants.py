"""Label-invariant quantities of draws, which measure convergence even if labels switch."""

from itertools import pairwise

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.data.validation import Data
from bayesgmm.em.completed_rows import with_means
from bayesgmm.errors import InputError
from bayesgmm.labels.component_values import Values
from bayesgmm.labels.memberships import Memberships
from bayesgmm.posterior.draws import Draws

# Points of the predictive density; pairs of neighbours are co-clustered.
_POINTS = 12


def sorted_values(values: Values, draws: Draws | None) -> dict[str, Array]:
    """Quantities of the components of each draw, sorted; and the entropy of the weights (nats).

    Parameters
    ----------
    values : dict from name to ndarray of shape (chain, draw, K)
    draws : Draws, or None
        For log determinants of the covariances; standard deviations and correlations are left out.

    Returns
    -------
    dict from name to ndarray of shape (chain, draw)
    """
    found: dict[str, Array] = {}
    if draws is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(draws.weights > 0, draws.weights * np.log(draws.weights), 0.0)
        found["entropy of weights"] = -terms.sum(axis=-1)
        plain = ("weight", *(f"mean of {name}" for name in draws.feature_words))
        determinants = np.linalg.slogdet(draws.covariances)[1]
        values = {name: values[name] for name in plain} | {"log det of covariance": determinants}
    for name, each in values.items():
        ordered = np.sort(each, axis=-1)
        found |= {f"{name}, sorted [{k}]": ordered[..., k] for k in range(each.shape[-1])}
    return found


def density_values(draws: Draws, rows: Data, *, known: bool = True) -> dict[str, Array]:
    """Functionals of the density of each draw: log densities (nats) of all rows, and of some.

    Parameters
    ----------
    draws : Draws
    rows : Data
    known : bool
        False for rows that stand in for the fitted ones.

    Returns
    -------
    dict from name to ndarray of shape (chain, draw)
        Of some rows at even ranks along the first principal axis.
    """
    shape = draws.means.shape[:2]
    total = draws.over(rows).contract(np.empty((len(rows.X), 0)))[1]
    found = {"log-likelihood" if known else "log density of simulated rows": total.reshape(shape)}
    if draws.noise_weight is not None:
        found["weight of noise"] = draws.noise_weight
    chosen = _spread_rows(with_means(rows.X, None))
    densities, _ = draws.over(rows.take(chosen)).each()
    for i, row in enumerate(chosen):
        found[f"log density at {_noun(known)} {row}"] = densities[:, i].reshape(shape)
    return found


def togetherness(draws: Draws, rows: Data, *, known: bool = True) -> dict[str, Array]:
    """Probabilities that neighbours among some rows belong to the same component.

    Parameters and rows are those of `density_values`.
    """
    chosen = _spread_rows(with_means(rows.X, None))
    _, responsibilities = draws.over(rows.take(chosen)).each()
    together = (responsibilities[..., 1:] * responsibilities[..., :-1]).sum(axis=1)
    return {
        f"{_noun(known)}s {one} and {other} together": together[:, i].reshape(draws.means.shape[:2])
        for i, (one, other) in enumerate(pairwise(chosen))
    }


def _noun(known: bool) -> str:
    return "row" if known else "simulated row"


def coclustering(memberships: Memberships, shape: tuple[int, int]) -> dict[str, Array]:
    """Proportions of rows that share a component with some rows, for mixtures of any family.

    Parameters
    ----------
    memberships : Memberships of T draws
    shape : tuple of int
        Chains and draws.

    Returns
    -------
    dict from name to ndarray of shape (chain, draw)
        The expected proportion of pairs of rows in one component, and for some rows the
        proportion of the other rows in the row's component.
    """
    _, n, _ = memberships.shape
    chosen = np.unique(np.linspace(0, n - 1, _POINTS).astype(np.intp))
    indicators = np.zeros((n, len(chosen)))
    indicators[chosen, np.arange(len(chosen))] = 1.0
    tables = memberships.tables(np.hstack([np.ones((n, 1)), indicators]))
    counts, own = tables[..., :1], tables[..., 1:]
    found = {"pairs of rows together": (np.square(counts[..., 0]).sum(axis=1) / n**2)}
    shared = (own * counts).sum(axis=1) / n
    found |= {f"rows together with row {row}": shared[:, i] for i, row in enumerate(chosen)}
    return {name: each.reshape(shape) for name, each in found.items()}


def _spread_rows(rows: Array) -> Indices:
    """Indices of rows at even ranks along the first principal axis, in that order."""
    apart = rows - rows.mean(axis=0)
    scale = np.sqrt(np.square(apart).mean(axis=0))
    if not np.isfinite(scale).all():
        raise InputError("The squares of values of X overflow. Rescale its columns.")
    apart /= np.where(scale > 0, scale, 1.0)
    axis = np.linalg.eigh(apart.T @ apart / len(rows))[1][:, -1]
    # The sign of the axis is arbitrary: its largest entry is made positive.
    along = apart @ (axis * np.sign(axis[np.abs(axis).argmax()]))
    ranks = np.unique(np.linspace(0, len(rows) - 1, _POINTS + 2).round().astype(np.int64))
    inner = ranks[1:-1] if len(ranks) > 2 else ranks
    return np.argsort(along, kind="stable")[inner]
