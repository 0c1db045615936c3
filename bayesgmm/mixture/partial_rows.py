"""Rows seen in part, or through noise, under a mixture: densities and conditional moments.

Of a row z from the mixture x_o = z_o + e is observed: o are the entries that are not NaN, and
e ~ N(0, S) with the row's own S. In component k, with T = Sigma_oo + S_oo = L L',

    x_o ~ N(mu_o, T),   E[z | x] = mu + Y'q,   Cov[z | x] = Sigma - Y'Y,
    q = L^-1 (x_o - mu_o),   Y = L^-1 Sigma_o.

References
----------
Ghahramani and Jordan (1994), NIPS 6, 120-127 (missing entries); Bovy, Hogg and Roweis (2011),
Annals of Applied Statistics 5, 1657-1677, equations 15 and 16 (errors).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Indices, Integers
from bayesgmm.mixture.gaussian_densities import LOG_2PI
from bayesgmm.mixture.regression import ConditionalMoments

if TYPE_CHECKING:
    from bayesgmm.mixture.mixture import Mixture

# Numbers of rows x components x features x features that a block of rows may hold.
_BLOCK = 2**21


class _Block(NamedTuple):
    """Rows that were seen in the same entries: log joint densities, and moments in each component.

    Attributes
    ----------
    rows : ndarray of shape (m,)
        Positions of the rows.
    log_joint : ndarray of shape (K, m)
    means : ndarray of shape (K, m, D)
    covariances : ndarray of shape (K, m, D, D)
        In units of `unit`.
    unit : ndarray of shape (D,)
    """

    rows: Indices
    log_joint: Array
    means: Array
    covariances: Array
    unit: Array

    @property
    def shares(self) -> Array:
        """Responsibilities (K, m)."""
        shares = np.exp(self.log_joint - self.log_joint.max(axis=0))
        return np.asarray(shares / shares.sum(axis=0))


def pattern_order(x: Array) -> Indices | None:
    """An order of the rows in which those seen in the same entries are neighbours.

    None if nothing is missing.
    """
    missing = np.isnan(x)
    if not missing.any():
        return None
    packed = np.packbits(missing, axis=1)
    return np.lexsort(packed.T[::-1])


def _blocks(
    mixture: "Mixture", x: Array, errors: Array | None, *, far: bool = False
) -> Iterator[_Block]:
    """Blocks of rows; `far`: in place of densities minus squared distances, in each row's unit."""
    d, k = mixture.n_features, mixture.n_components
    # Powers of two near the standard deviations: nothing over- or underflows, or is rounded.
    unit = np.ldexp(1.0, np.frexp(np.sqrt(np.diagonal(mixture.covariance())))[1])
    noise = None if errors is None else _matrices(errors, d) / unit / unit[:, np.newaxis]
    sigma = (mixture.covariances / unit / unit[:, np.newaxis])[:, np.newaxis]
    means = mixture.means[:, np.newaxis]
    order = pattern_order(x)
    order = np.arange(len(x)) if order is None else order
    missing = np.isnan(x[order])
    changes = np.flatnonzero((missing[1:] != missing[:-1]).any(axis=1)) + 1
    for group in np.split(order, changes):
        o = np.flatnonzero(~np.isnan(x[group[0]]))
        for rows in np.split(group, range(0, len(group), max(_BLOCK // (k * d * d), 1))[1:]):
            total = sigma[:, :, o[:, np.newaxis], o]
            if noise is not None:
                each = noise if len(noise) == 1 else noise[rows]
                total = total + each[:, o[:, np.newaxis], o]
            lower = _roots(total)
            apart = (x[np.ix_(rows, o)] - means[:, :, o]) / unit[o]
            if far:
                apart /= np.abs(apart).max(axis=(0, 2))[:, np.newaxis]
            q = np.linalg.solve(lower, apart[..., np.newaxis])
            y = np.linalg.solve(lower, np.broadcast_to(sigma, (k, 1, d, d))[:, :, o])
            logs = np.log(np.diagonal(lower, axis1=2, axis2=3)).sum(axis=2) + np.log(unit[o]).sum()
            with np.errstate(over="ignore"):
                log_joint = -0.5 * (q[..., 0] ** 2).sum(axis=2)
            if not far:
                log_joint += mixture.log_weights[:, np.newaxis] - logs - 0.5 * len(o) * LOG_2PI
            yield _Block(
                rows,
                log_joint,
                means + unit * (y.mT @ q)[..., 0],
                np.broadcast_to(sigma - y.mT @ y, (k, len(rows), d, d)),
                unit,
            )


def _roots(total: Array) -> Array:
    """Cholesky factors of matrices (..., D, D); of those that rounding made singular, nearly."""
    try:
        return np.linalg.cholesky(total)
    except np.linalg.LinAlgError:
        pass
    out = np.empty_like(total)
    rounding = 8.0 * np.finfo(np.float64).eps * total.shape[-1]
    for at in np.ndindex(total.shape[:-2]):
        try:
            out[at] = np.linalg.cholesky(total[at])
        except np.linalg.LinAlgError:
            # A singular S hides Sigma: what is left of it is below the rounding of S.
            out[at] = np.linalg.cholesky(total[at] + rounding * np.diag(np.diagonal(total[at])))
    return out


def _matrices(errors: Array, d: int) -> Array:
    """Error covariances (m, D, D) of checked errors."""
    if errors.shape[1] == d and d > 1:
        return np.asarray(errors[:, :, np.newaxis] * np.eye(d))
    return errors.reshape(len(errors), d, d)


def log_joint(mixture: "Mixture", x: Array, errors: Array | None) -> Array:
    """Log w_k + log p(x_i | component k), nats, (n, K)."""
    out = np.empty((len(x), mixture.n_components))
    for block in _blocks(mixture, x, errors):
        out[block.rows] = block.log_joint.T
    return out


def scaled_distances(mixture: "Mixture", x: Array, errors: Array | None) -> Array:
    """Squared distances (n, K) from the components, each row in a unit of its own.

    For rows that are so far from every component that squared distances overflow.
    """
    out = np.empty((len(x), mixture.n_components))
    for block in _blocks(mixture, x, errors, far=True):
        out[block.rows] = -2.0 * block.log_joint.T
    return out


def conditional_moments(mixture: "Mixture", x: Array, errors: Array | None) -> ConditionalMoments:
    """Mean and covariance of each z given what was observed of it."""
    (n, d), k = x.shape, mixture.n_components
    found = ConditionalMoments(
        np.empty((n, d)), np.empty((n, d, d)), np.empty((n, k)), mixture.feature_names
    )
    for block in _blocks(mixture, x, errors):
        shares, unit = block.shares, block.unit
        mean = np.einsum("km,kma->ma", shares, block.means)
        apart = block.means - mean
        within = np.einsum("km,kmab->mab", shares, block.covariances) * unit * unit[:, np.newaxis]
        found.mean[block.rows] = mean
        found.covariance[block.rows] = within + np.einsum("km,kma,kmb->mab", shares, apart, apart)
        found.weights[block.rows] = shares.T
    return found


def draws(
    mixture: "Mixture",
    x: Array,
    errors: Array | None,
    rng: np.random.Generator,
    components: Integers | None = None,
) -> Array:
    """One draw of each z given what was observed of it, (n, D); entries seen without noise stay.

    `components` (n,) are those of the rows; by default they are drawn, too.
    """
    out = x.copy()
    for block in _blocks(mixture, x, errors):
        m, d = len(block.rows), x.shape[1]
        if components is None:
            chosen = (rng.random(m) > np.cumsum(block.shares, axis=0)[:-1]).sum(axis=0)
        else:
            chosen = components[block.rows]
        at = np.arange(m)
        # Entries that were seen have no variance left: a root by eigenvalues takes that.
        values, vectors = np.linalg.eigh(block.covariances[chosen, at])
        normal = rng.standard_normal((m, d, 1))
        apart = vectors @ (np.sqrt(np.maximum(values, 0.0))[..., np.newaxis] * normal)
        z = block.means[chosen, at] + block.unit * apart[..., 0]
        if errors is None:
            seen = ~np.isnan(x[block.rows])
            z = np.where(seen, x[block.rows], z)
        out[block.rows] = z
    return out


def noise(errors: Array, n: int, d: int, rng: np.random.Generator) -> Array:
    """Draws (n, D) of measurement errors with checked covariances."""
    normal = rng.standard_normal((n, d))
    if errors.shape[1] == d:
        return np.sqrt(errors) * normal
    return np.asarray((roots_of(errors, d) @ normal[..., np.newaxis])[..., 0])


def roots_of(errors: Array, d: int) -> Array:
    """Matrices R (m, D, D) with R R' the checked error covariances, which may be singular."""
    values, vectors = np.linalg.eigh(_matrices(errors, d))
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[:, np.newaxis])
