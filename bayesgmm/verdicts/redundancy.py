"""Components that the rows do not support: empty ones, and two for one cluster."""

from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.validation import Data
from bayesgmm.mixture.merged_components import merged
from bayesgmm.posterior.draws import Draws

# Number of densities computed for redundancy: a fraction of a second.
_BUDGET = 2e8
_LEAST_DRAWS, _MOST_DRAWS = 25, 200


class Redundancy(NamedTuple):
    """Losses of doing without a component, for some draws spread over the chains.

    Attributes
    ----------
    losses : ndarray of shape (chain, some draws)
        Loss of log-likelihood, in nats, if the two components of least loss are merged into one of
        the same weight, mean and covariance, or the component of least loss is removed. Negative
        for a gain.
    parameters : int
        The number of a component's parameters, p.
    n_rows : float
    """

    losses: Array
    parameters: int
    n_rows: float

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


def redundancy(
    draws: Draws, rows: Data, n_rows: float | None = None, structure: Structure | None = None
) -> Redundancy:
    """Loss of log-likelihood of merging two components or removing one, whichever is least.

    Components i and j become one of weight w = w_i + w_j, mean m = (w_i m_i + w_j m_j) / w and
    covariance sum_k w_k (S_k + (m_k - m)(m_k - m)') / w, the Gaussian nearest to the two by KL
    divergence. Its covariance has the form that all draws have (diagonal, spherical, shared by the
    components), or follows from an M-step of the structure; this also gives the number of
    parameters. The loss is 0 for two equal components.
    Where a component is removed, the weights of the others are divided by their sum: the loss is
    about the number of its rows if it is empty but for its prior, however far away it lies.

    Parameters
    ----------
    draws : Draws
    rows : Data
    n_rows : float, optional
        The number of rows on which the posterior rests, if `rows` only stand in for them: losses
        are scaled to it.
    structure : Structure, optional
        Of the draws. None: one without shared parts, which their covariances show.

    References
    ----------
    McLachlan (1987), Journal of the Royal Statistical Society C 36, 318-324.
    """
    k, d = draws.n_components, draws.n_features
    form: _Form | _SharedParts = _form(draws.covariances)
    if structure is not None and structure.shares_parts(k, d):
        form = _SharedParts(structure)
    parameters = 1 + d + form.parameters(k, d) + 2 * (draws.outliers is not None)
    size = rows.total if n_rows is None else n_rows
    if k == 1:
        return Redundancy(np.full((draws.n_chains, 1), np.inf), parameters, size)
    pairs = np.array([(i, j) for i in range(k) for j in range(i)])
    affordable = int(_BUDGET / ((len(pairs) + k) * len(rows.X) * k)) // draws.n_chains
    count = min(draws.n_draws, max(min(affordable, _MOST_DRAWS), _LEAST_DRAWS))
    chosen = np.unique(np.linspace(0, draws.n_draws - 1, count).astype(np.int64))
    some = draws.of_draws(chosen)
    # Known labels name components, of which there would be fewer.
    rows, nothing = rows._replace(labels=None), np.empty((len(rows.X), 0))
    weights, means, covariances = some.stacked()
    before = some.over(rows).contract(nothing)[1]
    after = np.full(len(weights), -np.inf)
    fewer = [(j, i, _merged(weights, means, covariances, i, j, form)) for i, j in pairs]
    fewer += [(i, i, _without(weights, means, covariances, i)) for i in range(k)]
    for left_out, into, each in fewer:
        drawn = _beside(some, each, left_out, into).over(rows)
        after = np.maximum(after, drawn.contract(nothing)[1])
    losses = (before - after) * (size / rows.total)
    return Redundancy(losses.reshape(draws.n_chains, -1), parameters, size)


class _Form(NamedTuple):
    """The form of the covariances of all draws."""

    shared: bool
    diagonal: bool
    spherical: bool

    def parameters(self, k: int, d: int) -> int:
        """Parameters of the covariance of one component more."""
        if self.shared:
            return 0
        return 1 if self.spherical else d if self.diagonal else d * (d + 1) // 2

    def project(self, covariances: Array) -> Array:
        """The nearest covariances (..., D, D) of this form, for one component."""
        if not self.diagonal:
            return covariances
        variances = np.diagonal(covariances, axis1=-2, axis2=-1)
        if self.spherical:
            variances = np.broadcast_to(variances.mean(axis=-1, keepdims=True), variances.shape)
        return np.asarray(variances[..., np.newaxis] * np.eye(covariances.shape[-1]))


class _SharedParts(NamedTuple):
    """A structure whose components share a part of their covariances."""

    structure: Structure

    def parameters(self, k: int, d: int) -> int:
        """Parameters of the covariance of one component more."""
        whole, fewer = (self.structure.n_covariance_parameters(each, d) for each in (k, k - 1))
        return whole - fewer

    def of_moments(self, weights: Array, moments: Array) -> Array:
        """Covariances of the structure for those within each component, (T, K, D, D)."""
        diagonal = self.structure.diagonal
        within = np.diagonal(moments, axis1=-2, axis2=-1) if diagonal else moments
        shares = weights.reshape(*weights.shape, *(1,) * (within.ndim - 2))
        scatters = np.ascontiguousarray(shares * within)
        found = np.array(
            [self.structure.about(w, each) for w, each in zip(weights, scatters, strict=True)]
        )
        return found[..., np.newaxis] * np.eye(found.shape[-1]) if diagonal else found


def _form(covariances: Array) -> _Form:
    d = covariances.shape[-1]
    variances = np.diagonal(covariances, axis1=-2, axis2=-1)
    diagonal = not (covariances * (1.0 - np.eye(d))).any()
    return _Form(
        shared=covariances.shape[2] > 1 and bool((covariances == covariances[:, :, :1]).all()),
        diagonal=diagonal,
        spherical=diagonal and bool((variances == variances[..., :1]).all()),
    )


def _merged(
    weights: Array, means: Array, covariances: Array, i: int, j: int, form: _Form | _SharedParts
) -> tuple[Array, Array, Array]:
    """Mixtures with components i and j merged into component i."""
    pair = [i, j]
    parts = weights[:, pair].T, means[:, pair].swapaxes(0, 1), covariances[:, pair].swapaxes(0, 1)
    weights, means, covariances = weights.copy(), means.copy(), covariances.copy()
    weights[:, i], means[:, i], inner = merged(*parts)
    if isinstance(form, _SharedParts):
        covariances[:, i] = inner
        weights, means, covariances = _without(weights, means, covariances, j)
        return weights, means, form.of_moments(weights, covariances)
    if form.shared:
        # What lies between the two is spread over all components.
        between = (inner - covariances[:, i]) * weights[:, i, np.newaxis, np.newaxis]
        covariances = covariances + form.project(between)[:, np.newaxis]
    else:
        covariances[:, i] = form.project(inner)
    return _without(weights, means, covariances, j)


def _beside(
    draws: Draws, parameters: tuple[Array, Array, Array], left_out: int, into: int
) -> Draws:
    """Draws with the parameters of one component fewer, and the noise and outliers of `draws`.

    Component `left_out` is gone; its outliers are shared with those of component `into`.
    """
    shape = draws.weights.shape[:2]
    weights, means, covariances = (each.reshape(*shape, *each.shape[1:]) for each in parameters)
    outliers = None
    if draws.outliers is not None:
        kept, w = np.arange(draws.n_components) != left_out, draws.weights
        both = w[..., [left_out, into]]
        both = both / np.maximum(both.sum(axis=-1, keepdims=True), np.finfo(np.float64).tiny)
        shared = []
        for each in draws.outliers:
            moved = each.copy()
            moved[..., into] = (both * each[..., [left_out, into]]).sum(axis=-1)
            shared.append(moved[..., kept])
        outliers = shared[0], np.maximum(shared[1], 1.0)
    return Draws(
        weights,
        means,
        covariances,
        noise=draws.noise,
        noise_weight=draws.noise_weight,
        outliers=outliers,
    )


def _without(
    weights: Array, means: Array, covariances: Array, j: int
) -> tuple[Array, Array, Array]:
    """Mixtures without component j."""
    kept = np.arange(weights.shape[1]) != j
    shares = np.maximum(weights[:, kept], np.finfo(np.float64).tiny)
    return (
        np.ascontiguousarray(shares / shares.sum(axis=1, keepdims=True)),
        np.ascontiguousarray(means[:, kept]),
        np.ascontiguousarray(covariances[:, kept]),
    )
