"""Posteriors of known kind: what the right verdict on each of them is, is known beforehand.

Draws of clear components are made from the conjugate posterior of the rows of each component
(Gelman et al., Bayesian Data Analysis, 3rd edition, section 3.6, with a flat prior on the means and
an inverse Wishart of little weight): given the allocations, weights are Dirichlet, covariances
inverse Wishart, means normal. The standard normal variables behind them are first-order
autoregressive over the draws of a chain, so chains have the autocorrelation that is asked for and
are otherwise healthy. A kind then spoils them in one way.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.stats import chi2, gamma, norm


@dataclass(frozen=True)
class Known:
    """A posterior with the verdicts that are right for it."""

    kind: str
    tree: object
    right: tuple[str, ...]
    options: dict


def centres(k, d, separation):
    """Means at a distance of at least `separation` standard deviations."""
    means = np.zeros((k, d))
    for j in range(k):
        means[j, j % d] = separation * (1 + j // d) * (1 if (j // d) % 2 == 0 else -1)
        means[j] += 0.3 * separation * (j // d)
    return means


def normals(rng, chains, draws, size, correlation):
    """Stationary AR(1) standard normals, (chain, draw, size)."""
    noise = rng.standard_normal((chains, draws, size))
    out = np.empty_like(noise)
    out[:, 0] = noise[:, 0]
    for t in range(1, draws):
        out[:, t] = correlation * out[:, t - 1] + np.sqrt(1 - correlation**2) * noise[:, t]
    return out


def healthy(rng, k, d, n, *, chains=4, draws=1000, correlation=0.3, separation=8.0, weights=None):
    """Rows, allocations, and arrays of weights, means and covariances."""
    weights = np.full(k, 1 / k) if weights is None else np.asarray(weights)
    z = np.repeat(np.arange(k), np.maximum(np.round(weights * n).astype(int), d + 8))
    means = centres(k, d, separation)
    x = means[z] + rng.standard_normal((len(z), d))
    half = d * (d - 1) // 2
    per = 1 + d + half + d
    u = normals(rng, chains, draws, k * per, correlation).reshape(chains, draws, k, per)
    uniform = norm.cdf(u)
    out_m = np.empty((chains, draws, k, d))
    out_c = np.empty((chains, draws, k, d, d))
    shares = np.empty((chains, draws, k))
    for j in range(k):
        rows = x[z == j]
        m = len(rows)
        shares[..., j] = gamma.ppf(uniform[:, :, j, 0], m + 1.0)
        scale = (rows - rows.mean(axis=0)).T @ (rows - rows.mean(axis=0)) + np.eye(d)
        degrees = m + d + 1.0
        a = np.zeros((chains, draws, d, d))
        diagonal = np.arange(d)
        a[..., diagonal, diagonal] = np.sqrt(
            chi2.ppf(uniform[:, :, j, 1 : 1 + d], degrees - diagonal)
        )
        low = np.tril_indices(d, -1)
        a[..., low[0], low[1]] = u[:, :, j, 1 + d : 1 + d + half]
        root = np.linalg.cholesky(scale) @ np.swapaxes(np.linalg.inv(a), -1, -2)
        out_c[:, :, j] = root @ np.swapaxes(root, -1, -2)
        factor = np.linalg.cholesky(out_c[:, :, j])
        noise = (factor @ u[:, :, j, 1 + d + half :, None])[..., 0]
        out_m[:, :, j] = rows.mean(axis=0) + noise / np.sqrt(m)
    return x, z, [shares / shares.sum(axis=-1, keepdims=True), out_m, out_c]


def permuted(arrays, orders):
    w, m, c = arrays
    return [
        np.take_along_axis(w, orders, axis=2),
        np.take_along_axis(m, orders[..., None], axis=2),
        np.take_along_axis(c, orders[..., None, None], axis=2),
    ]


def tree(x, arrays, *, rows=True, diverging=0, energy=True, rng=None):
    w, m, c = arrays
    dims = ("chain", "draw", "component", "feature", "feature_bis")
    groups = {
        "posterior": xr.Dataset(
            {"weights": (dims[:3], w), "means": (dims[:4], m), "covariances": (dims, c)}
        )
    }
    if diverging is not None:
        marks = np.zeros(w.shape[:2], bool)
        marks.ravel()[:diverging] = True
        groups["sample_stats"] = xr.Dataset({"diverging": (dims[:2], marks)})
    if rows:
        groups["observed_data"] = xr.Dataset({"X": (("row", "feature"), x)})
    return xr.DataTree.from_dict(groups)


def orders_of(rng, chains, draws, k, *, every=None, cyclic=False):
    """Labels: one order for each chain, or a new one at random times."""
    orders = np.empty((chains, draws, k), dtype=int)
    for c in range(chains):
        current = np.roll(np.arange(k), c) if every is None else rng.permutation(k)
        for t in range(draws):
            if every is not None and rng.random() < 1 / every:
                current = np.roll(current, 1) if cyclic else rng.permutation(k)
            orders[c, t] = current
    return orders


NO = ("no convergence",)
OVERFITTED = ("overfitted or unidentified component",)


def make(kind, seed, *, k=3, d=2, n=300, rows=True, **options):
    """A posterior of a kind."""
    rng = np.random.default_rng([seed, k, d, n, sum(map(ord, kind))])
    x, z, arrays = healthy(rng, k, d, n, **options)
    chains, draws = arrays[0].shape[:2]
    diverging, right = 0, ("no switching",)
    w, m, c = arrays
    if kind == "between":
        arrays, right = permuted(arrays, orders_of(rng, chains, draws, k)), ("between chains",)
    elif kind == "within":
        arrays, right = (
            permuted(arrays, orders_of(rng, chains, draws, k, every=60)),
            ("within chains",),
        )
    elif kind == "cyclic":
        orders = orders_of(rng, chains, draws, k, every=60, cyclic=True)
        arrays, right = permuted(arrays, orders), ("within chains",)
    elif kind == "excursion":
        orders = np.tile(np.arange(k), (chains, draws, 1))
        orders[1, 500:506] = np.roll(np.arange(k), 1)
        arrays, right = permuted(arrays, orders), ("within chains",)
    elif kind == "frozen":
        for each in arrays:
            each[2] = each[2, :1]
        right = NO
    elif kind == "stuck":
        for each in arrays:
            each[1, 300:500] = each[1, 300:301]
        right = NO
    elif kind == "trending":
        sd = np.sqrt(np.diagonal(c, axis1=-2, axis2=-1))
        m += (np.linspace(-1, 1, draws)[:, None, None] * sd * 0.7) * np.array([1, -1, 1, -1])[
            :, None, None, None
        ]
        right = NO
    elif kind == "random walk":
        walk = np.cumsum(rng.standard_normal((chains, draws, k, d)), axis=1) / np.sqrt(draws)
        m += 0.7 * walk * np.sqrt(np.diagonal(c, axis1=-2, axis2=-1))
        right = NO
    elif kind == "bimodal between":
        m[:2, :, 0] += 1.0
        right = NO
    elif kind == "bimodal within, slow":
        m[:, :, 0] += (np.arange(draws) // 250 % 2)[:, None] * 1.0
        right = (*NO, "several modes")
    elif kind == "bimodal within, fast":
        m[:, :, 0] += (rng.random((chains, draws, 1)) < 0.4) * 1.0
        right = ("several modes",)
    elif kind == "identical":
        w[..., 0] = 0.5 * (w[..., 0] + w[..., 1])
        w[..., 1] = w[..., 0]
        m[:, :, 1] = m[:, :, 0] + m[:, :, 1] - m[:, :, 1].mean(axis=(0, 1))
        c[:, :, 1] = c[:, :, 0]
        keep = z != 1
        x = np.concatenate([x[keep], x[z == 0][: (z == 1).sum()]])
        right = OVERFITTED
    elif kind == "empty":
        share = rng.beta(1, len(x), size=(chains, draws))
        w[..., -1] = 0.0
        w /= w.sum(axis=-1, keepdims=True)
        w *= 1 - share[..., None]
        w[..., -1] = share
        centre, spread = x[z < k - 1].mean(axis=0), x[z < k - 1].std(axis=0)
        m[:, :, -1] = centre + spread * rng.standard_normal((chains, draws, d)) * 1.5
        c[:, :, -1] = np.diag(spread**2) * rng.gamma(2, 0.5, size=(chains, draws, 1, 1))
        x = x[z < k - 1]
        right = OVERFITTED
    elif kind == "off-diagonal":
        sd = np.sqrt(np.diagonal(c, axis1=-2, axis2=-1))
        sign = np.where(np.arange(chains) < chains // 2, 0.45, -0.45)[:, None, None]
        for i, j in ((0, 1), (1, 0)):
            c[..., i, j] = sign * sd[..., i] * sd[..., j]
        right = NO
    elif kind == "shifted rows":
        x = x + 20.0
        right = ("rows not described",)
    elif kind == "rescaled rows":
        x = 3.0 * x
        right = ("rows not described",)
    elif kind == "divergent":
        diverging, right = 22, ("divergent transitions",)
    elif kind != "none":
        raise ValueError(kind)
    return Known(kind, tree(x, arrays, rows=rows, diverging=diverging), right,
                 {"k": k, "d": d, "n": n, "rows": rows, "seed": seed, **options})  # fmt: skip
