"""Label-invariant quantities of draws, which measure convergence even if labels switch."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.errors import InputError
from bayesgmm.likelihood.responsibilities_of_draws import DrawnRows
from bayesgmm.mixture.merged_components import merged
from bayesgmm.posterior.draws import Draws

type Array = NDArray[np.float64]

# Points of the predictive density; pairs of neighbours are co-clustered.
_POINTS = 12
# Number of densities computed for redundancy: a fraction of a second.
_BUDGET = 2e8
_LEAST_DRAWS, _MOST_DRAWS = 25, 200


class Redundancy(NamedTuple):
    """Losses of merging two components, for some draws spread over the chains.

    Attributes
    ----------
    losses : ndarray of shape (chain, some draws)
        Loss of log-likelihood, in nats, if the two components of least loss are merged into one of
        the same weight, mean and covariance. Negative for a gain.
    parameters : int
        The number of a component's parameters, p.
    n_rows : int
    """

    losses: Array
    parameters: int
    n_rows: int

    @property
    def redundant(self) -> Array:
        """Proportion of each chain's draws with a loss below p nats, (chain,).

        This is the AIC penalty for a component, and about the gain by chance of one component more
        than there are clusters: twice the gain has a mean near 2 p (McLachlan 1987).
        """
        shares: Array = (self.losses < self.parameters).mean(axis=1)
        return shares

    @property
    def unsupported(self) -> Array:
        """Proportion of each chain's draws with a loss below p/2 log n nats, (chain,).

        This is the BIC penalty for a component.
        """
        shares: Array = (self.losses < 0.5 * self.parameters * np.log(self.n_rows)).mean(axis=1)
        return shares


def invariants(draws: Draws, rows: Array | None) -> dict[str, Array]:
    """Label-invariant functionals of each draw.

    Parameters
    ----------
    draws : Draws
    rows : ndarray of shape (n, D), or None
        Without rows, only the functionals of the parameters.

    Returns
    -------
    dict from name to ndarray of shape (chain, draw)
        Entropy of the weights (nats); weights, means and log determinants of the covariances, each
        sorted; the log-likelihood; log predictive densities at some rows, at even ranks along the
        first principal axis; and the probability that neighbours among these rows belong to the
        same component.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(draws.weights > 0, draws.weights * np.log(draws.weights), 0.0)
    found = {"entropy of weights": -terms.sum(axis=-1)}
    found |= _sorted("weight", draws.weights)
    for j, name in enumerate(draws.feature_words):
        found |= _sorted(f"mean of {name}", draws.means[..., j])
    found |= _sorted("log det of covariance", np.linalg.slogdet(draws.covariances)[1])
    if rows is None:
        return found
    shape = draws.means.shape[:2]
    stacked = draws.stacked()
    total = DrawnRows(rows, *stacked).contract(np.empty((len(rows), 0)))[1]
    found["log-likelihood"] = total.reshape(shape)
    chosen = _spread_rows(rows)
    densities, responsibilities = DrawnRows(rows[chosen], *stacked).each()
    together = (responsibilities[..., 1:] * responsibilities[..., :-1]).sum(axis=1)
    for i, row in enumerate(chosen):
        found[f"log density at row {row}"] = densities[:, i].reshape(shape)
    for i, (one, other) in enumerate(pairwise(chosen)):
        found[f"rows {one} and {other} together"] = together[:, i].reshape(shape)
    return found


def redundancy(draws: Draws, rows: Array) -> Redundancy:
    """Loss of log-likelihood of merging two components, for the pair of least loss.

    Components i and j become one of weight w = w_i + w_j, mean m = (w_i m_i + w_j m_j) / w and
    covariance sum_k w_k (S_k + (m_k - m)(m_k - m)') / w, the Gaussian nearest to the two by KL
    divergence. The loss is 0 for an empty component and for two equal ones.

    References
    ----------
    McLachlan (1987), Journal of the Royal Statistical Society C 36, 318-324.
    """
    k, d = draws.n_components, draws.n_features
    parameters = 1 + d + d * (d + 1) // 2
    if k == 1:
        return Redundancy(np.full((draws.n_chains, 1), np.inf), parameters, len(rows))
    pairs = np.array([(i, j) for i in range(k) for j in range(i)])
    affordable = int(_BUDGET / (len(pairs) * len(rows) * k)) // draws.n_chains
    size = min(draws.n_draws, max(min(affordable, _MOST_DRAWS), _LEAST_DRAWS))
    chosen = np.unique(np.linspace(0, draws.n_draws - 1, size).astype(np.int64))
    some = Draws(draws.weights[:, chosen], draws.means[:, chosen], draws.covariances[:, chosen])
    weights, means, covariances = some.stacked()
    nothing = np.empty((len(rows), 0))
    before = DrawnRows(rows, weights, means, covariances).contract(nothing)[1]
    after = np.full(len(weights), -np.inf)
    for i, j in pairs:
        fewer = _merged(weights, means, covariances, i, j)
        after = np.maximum(after, DrawnRows(rows, *fewer).contract(nothing)[1])
    return Redundancy((before - after).reshape(draws.n_chains, -1), parameters, len(rows))


def _merged(
    weights: Array, means: Array, covariances: Array, i: int, j: int
) -> tuple[Array, Array, Array]:
    """Mixtures with components i and j merged into component i."""
    pair = [i, j]
    parts = weights[:, pair].T, means[:, pair].swapaxes(0, 1), covariances[:, pair].swapaxes(0, 1)
    weights, means, covariances = weights.copy(), means.copy(), covariances.copy()
    weights[:, i], means[:, i], covariances[:, i] = merged(*parts)
    kept = np.arange(weights.shape[1]) != j
    return (
        np.ascontiguousarray(weights[:, kept]),
        np.ascontiguousarray(means[:, kept]),
        np.ascontiguousarray(covariances[:, kept]),
    )


def _sorted(name: str, values: Array) -> dict[str, Array]:
    ordered = np.sort(values, axis=-1)
    return {f"{name}, sorted [{k}]": ordered[..., k] for k in range(values.shape[-1])}


def _spread_rows(rows: Array) -> NDArray[np.intp]:
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
