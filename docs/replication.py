"""Write the tables of docs/replication.md: `python docs/replication.py`."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import bayesgmm
from bayesgmm.labels import relabelling_methods
from bayesgmm.labels.memberships import Allocations

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests"
# Richardson and Green's table 1, k = 1 to 8.
_PUBLISHED = (0.0, 0.0, 0.061, 0.128, 0.182, 0.199, 0.160, 0.109)
# BIC that mclust's stopping rule leaves.
_STOPPED = 0.1
_START, _END = "<!-- results -->", "<!-- end of results -->"


def mclust() -> str:
    """BIC of fourteen structures and nine K, and the published summary of Old Faithful."""
    lines = [
        "| data | models | equal | ours larger (at most by) | mclust's larger | "
        "no admissible fit | mclust selects | we select |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ("faithful", "iris"):
        theirs = pd.read_csv(TESTS / "selection" / f"mclust_bic_{name}.csv", index_col=0)
        chosen = bayesgmm.select_mixture(bayesgmm.load_dataset(name).X, rng=0, progressbar=False)
        table = chosen.table[chosen.table["note"] == ""]
        ours = -table.pivot(index="n_components", columns="covariance_type", values="bic")
        both = ours.reindex(columns=theirs.columns), theirs
        gap = both[0].sub(both[1]).stack().dropna()
        equal, larger = (abs(gap) <= _STOPPED).sum(), (gap > _STOPPED).sum()
        selected = []
        for each in both:
            k, code = each.stack().idxmax()
            selected.append(f"{code}, {k} ({each.max().max():.2f})")
        lines.append(
            f"| {name} | {theirs.size} | {equal} | {larger} ({gap.max():.1f}) | "
            f"{(gap < -_STOPPED).sum()} | {theirs.size - len(gap)} | {selected[1]} | "
            f"{selected[0]} |"
        )
    return "\n".join(lines)


def richardson_green() -> str:
    """p(k) of the galaxies among 1 to 8 components."""
    file = TESTS / "marginal_likelihood" / "richardson_green_galaxies.json"
    reference = json.loads(file.read_text("utf-8"))
    published = np.array(_PUBLISHED)
    long = np.array([reference["p_k"][str(k)] for k in range(1, 9)])
    X, priors = bayesgmm.load_dataset("galaxies").X, bayesgmm.Priors.richardson_green()
    found = bayesgmm.evidence(X, range(1, 9), priors=priors, rng=1, progressbar=False).table
    lines = ["| k | published (1997) | Nmix, four million sweeps | ours | standard error |",
             "|---|---|---|---|---|"]  # fmt: skip
    for k, a, b in zip(found.index, published / published.sum(), long / long.sum(), strict=True):
        p, se = found.loc[k, ["probability", "probability_se"]]
        lines.append(f"| {k} | {a:.3f} | {b:.3f} | {p:.3f} | {se:.3f} |")
    return "\n".join(lines)


def label_switching() -> str:
    """Relabelling of the draws that R's label.switching was given."""
    reference = json.loads((TESTS / "labels" / "label_switching_k3.json").read_text("utf-8"))
    given = reference["fix3"]
    z, theta, best = np.array(given["z"]), np.array(given["theta"]), given["best"]
    found = {
        "ECR": relabelling_methods.ecr(Allocations(z, given["K"]), z[best]),
        "PRA": relabelling_methods.pra(theta, theta[best]),
        "AIC": relabelling_methods.ordered(theta[:, :, 0]),
    }
    names = {"AIC": "ordering constraint (AIC)"}
    lines = ["| method | draws | labelled as by R | of the others, ties |", "|---|---|---|---|"]
    for name, mine in found.items():
        equal = (mine.permutations == np.array(given["perms"][name])).all(axis=1)
        ties = (mine.ambiguity[~equal] == 0).sum()
        lines.append(
            f"| {names.get(name, name)} | {len(z)} | {equal.sum()} | {ties} of {(~equal).sum()} |"
        )
    return "\n".join(lines)


def iris() -> str:
    """A hundred seeds of EM for three components."""
    data = bayesgmm.load_dataset("iris")
    fits = [bayesgmm.GaussianMixture(3, random_state=seed).fit(data.X) for seed in range(100)]
    groups = pd.factorize(np.asarray(data.labels))[0]
    shares = []
    for fit in fits:
        table = pd.crosstab(fit.predict(data.X), groups).to_numpy()
        shares.append(table.max(axis=1).sum() / len(groups))
    values = np.array([fit.log_likelihood_ for fit in fits])
    return (
        "| | textbook's EM, 1,000 seeds | ours, 100 seeds |\n|---|---|---|\n"
        f"| agreement with the species | 0.52 to 0.99, 0.74 on average; 0.96 printed | "
        f"{min(shares):.3f} to {max(shares):.3f} |\n"
        f"| log-likelihood (nats) | | {values.min():.6f} to {values.max():.6f} |"
    )


def posteriordb() -> str:
    """Two components of a thousand rows under the priors of posteriordb."""
    import pymc as pm

    file = TESTS / "sampling" / "low_dim_gauss_mix.json"
    reference = json.loads(file.read_text("utf-8"))
    with pm.Model():
        theta = pm.Beta("theta", 5.0, 5.0)
        mu = pm.Normal("mu", 0.0, 2.0, shape=2)
        sigma = pm.HalfNormal("sigma", 2.0, shape=2)
        bayesgmm.marginal_mixture(
            "y", pm.math.stack([theta, 1.0 - theta]), mu[:, None], cholesky=sigma,
            covariance_type="spherical", observed=np.array(reference["data"]["y"])[:, None],
        )  # fmt: skip
        draws = pm.sample(2500, random_seed=1, nuts_sampler="nutpie", progressbar=False)
    group = draws["posterior"].to_dataset()
    order = np.argsort(group["mu"].values, axis=-1)
    mu, sigma = (np.take_along_axis(group[each].values, order, -1) for each in ("mu", "sigma"))
    share = np.where(order[..., 0] == 0, group["theta"].values, 1.0 - group["theta"].values)
    parts = {"theta": share, **{f"mu[{j + 1}]": mu[..., j] for j in (0, 1)}}
    parts |= {f"sigma[{j + 1}]": sigma[..., j] for j in (0, 1)}
    lines = ["| parameter | mean: posteriordb | ours | s.d.: posteriordb | ours |",
             "|---|---|---|---|---|"]  # fmt: skip
    for name, values in parts.items():
        theirs = reference["reference"]["summary"][name]
        lines.append(f"| {name} | {theirs['mean']:.4f} | {values.mean():.4f} | "
                     f"{theirs['sd']:.4f} | {values.std():.4f} |")  # fmt: skip
    return "\n".join(lines)


SECTIONS = {
    "mclust": mclust,
    "Richardson and Green's galaxies": richardson_green,
    "label.switching": label_switching,
    "posteriordb": posteriordb,
    "Iris in a textbook": iris,
}


def main() -> None:
    """Write the tables of all sections, or of those that are named, between their marks."""
    page = HERE / "replication.md"
    text = page.read_text("utf-8")
    for title, make in SECTIONS.items():
        if sys.argv[1:] and make.__name__ not in sys.argv[1:]:
            continue
        before, rest = text.split(f"## {title}\n", 1)
        start = rest.index(_START) + len(_START)
        rest = f"{rest[:start]}\n\n{make()}\n\n{rest[rest.index(_END) :]}"
        text = f"{before}## {title}\n{rest}"
        page.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
