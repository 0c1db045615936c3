"""Posteriors of known kind: what the right verdict on each of them is, is known beforehand.

Draws of clear components are made from the conjugate posterior of the rows of each component
(Gelman et al., Bayesian Data Analysis, 3rd edition, section 3.6, with a flat prior on the means and
an inverse Wishart of little weight): given the allocations, weights are Dirichlet, covariances
inverse Wishart, means normal. The standard normal variables behind them are first-order
autoregressive over the draws of a chain, so chains have the autocorrelation that is asked for and
are otherwise healthy. A kind then spoils them in one way.
"""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import gibbs
import numpy as np
import xarray as xr
from scipy.stats import chi2, gamma, norm

import bayesgmm

# The verdicts of each seed, by kind.
RECORD = Path(__file__).parents[1] / "verdicts" / "known_verdicts.json"


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


# The record of a sampler that found one mode; its parameters, which are shown only beside those of
# others, are of one component.
ONE_MODE = xr.Dataset(
    {
        "mass": ("mode", [1.0]),
        "laplace_share": ("mode", [1.0]),
        "state": ("mode", ["only"]),
        "draws": ("mode", [1]),
        "weights": (("mode", "component"), [[1.0]]),
        "means": (("mode", "component", "feature"), [[[0.0]]]),
    },
    {"feature": ["x0"]},
)


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
        groups["modes"] = ONE_MODE
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
        c *= np.where(np.eye(d, dtype=bool), 1.0, 0.3)
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


# --- sampled by Gibbs --------------------------------------------------------------------------


def sampled(kind, seed):
    """A posterior from a Gibbs sampler, of a kind that shows in its verdict."""
    rng = np.random.default_rng([seed, 99])
    weights, means, k, n = {
        "sampled, clear": ([0.5, 0.3, 0.2], [[0, 0], [7, 0], [0, 7]], 3, 300),
        "sampled, overlapping": ([0.5, 0.5], [[0.0], [2.4]], 2, 150),
        "sampled, one too many": ([0.4, 0.35, 0.25], [[0, 0], [6, 0], [0, 6]], 4, 300),
        "sampled, two too many": ([0.5, 0.5], [[0, 0], [6, 0]], 4, 300),
        "sampled, two maxima": ([0.25] * 4, [[0, 0], [6, 0], [0, 6], [6, 6]], 3, 400),
    }[kind]
    means = np.array(means, float)
    z = rng.choice(len(weights), size=n, p=weights)
    x = means[z] + rng.standard_normal((n, means.shape[1]))
    right, starts, draws, thin = ("no switching", "between chains"), [], 1000, 4
    if kind == "sampled, overlapping":
        # One data set that supports two components although they overlap; chains of many seeds.
        data = bayesgmm.simulate(bayesgmm.Mixture(weights, means, [1.0, 1.0]), n, rng=3)
        x, z = data.X, data.labels
        starts, right, draws, thin = [z, 1 - z] * 2, ("within chains",), 2000, 10
    elif kind == "sampled, one too many":
        starts, right = [np.where(rng.random(n) < 0.5, z, 3) for _ in range(4)], OVERFITTED
    elif kind == "sampled, two too many":
        starts, right = [rng.integers(0, 4, n) for _ in range(4)], OVERFITTED
    elif kind == "sampled, two maxima":
        one, other = np.array([0, 0, 1, 2])[z], np.array([1, 2, 0, 0])[z]
        starts, right, draws = [one, one, other, other], NO, 300
    else:
        starts = [np.array(order)[z] for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0], [0, 2, 1])]
    made = gibbs.posterior(x, k, starts=starts, draws=draws, thin=thin, tune=200, rng=seed)
    quiet = xr.Dataset({"diverging": (("chain", "draw"), np.zeros((4, draws), bool))})
    made["sample_stats"], made["modes"] = xr.DataTree(quiet), xr.DataTree(ONE_MODE)
    return Known(kind, made, right, {"seed": seed, "k": k})


SAMPLED = (
    "sampled, clear",
    "sampled, overlapping",
    "sampled, one too many",
    "sampled, two too many",
    "sampled, two maxima",
)
HEALTHY = ("none", "between", "within", "cyclic", "excursion")
SPOILT = (
    "frozen",
    "stuck",
    "trending",
    "random walk",
    "bimodal between",
    "bimodal within, slow",
    "bimodal within, fast",
    "identical",
    "empty",
    "off-diagonal",
    "shifted rows",
    "rescaled rows",
    "divergent",
)
# Components, features and rows; weights; with or without the rows.
CASES = (
    {"k": 3, "d": 2, "n": 300},
    {"k": 4, "d": 3, "n": 400, "weights": (0.55, 0.25, 0.15, 0.05)},
    {"k": 2, "d": 1, "n": 400},
    {"k": 3, "d": 2, "n": 300, "rows": False},
    {"k": 4, "d": 3, "n": 400, "rows": False},
    {"k": 10, "d": 2, "n": 800},
)


def all_of_them(seeds, thin=1):
    """Every posterior of the bench, for some seeds; two from Gibbs for each kind and seed.

    With `thin=2` half of them: of one kind every other case, of the next kind the cases between.
    """
    for at, kind in enumerate((*HEALTHY, *SPOILT)):
        for case in CASES[at % thin :: thin]:
            without = not case.get("rows", True)
            if (
                (without and "rows" in kind)
                or (case["d"] == 1 and kind == "off-diagonal")
                or (case["k"] == 2 and kind in ("cyclic", "identical", "empty"))
            ):
                continue
            for seed in seeds:
                yield make(kind, seed, **case)
    for kind in SAMPLED:
        for seed in seeds:
            yield from (sampled(kind, 2 * seed + i) for i in range(0, 2, thin))


def recorded_table():
    """The table of docs/verdicts.md: verdicts on record, summed over seeds."""
    sums = defaultdict(Counter)
    for of_seed in json.loads(RECORD.read_text("utf-8")):
        for kind, counts in of_seed.items():
            sums[kind].update(counts)
    lines = ["| kind | posteriors | verdicts |", "|---|---|---|"]
    for kind, counts in sums.items():
        verdicts = ", ".join(f"{name} {count}" for name, count in counts.most_common())
        lines.append(f"| {kind} | {counts.total()} | {verdicts} |")
    return "\n".join(lines)
