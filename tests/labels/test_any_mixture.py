"""Labels from memberships alone: mixtures of Poissons and of regressions, sampled by PyMC."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from bayesgmm import label_switching, relabel
from bayesgmm.errors import InputError, InvalidParameterError


def sample(model, name, values):
    """Four chains, of which two begin with exchanged components."""
    initial = [{name: values}, {name: values[::-1]}] * 2
    with model:
        return pm.sample(
            draws=300, tune=300, chains=4, cores=1, initvals=initial, random_seed=1,
            progressbar=False, compute_convergence_checks=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def poissons():
    """Counts of two rates; the posterior has each row's probabilities."""
    rng = np.random.default_rng(1)
    y = rng.poisson(np.where(np.arange(120) < 40, 2.0, 11.0))
    with pm.Model(coords={"component": range(2), "row": range(120)}) as model:
        w = pm.Dirichlet("w", np.ones(2), dims="component")
        rate = pm.Gamma("rate", 2.0, 0.3, dims="component")
        logs = pm.math.log(w) + pm.logp(pm.Poisson.dist(rate), y[:, None])
        pm.Potential("likelihood", pm.math.logsumexp(logs, axis=1).sum())
        shares = pm.math.exp(logs - pm.math.logsumexp(logs, axis=1, keepdims=True))
        pm.Deterministic("p", shares, dims=("row", "component"))
    return sample(model, "rate", np.array([2.0, 11.0]))


@pytest.fixture(scope="module")
def regressions():
    """Two lines; allocations are drawn from each draw's probabilities afterwards."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-2, 2, size=150)
    first = np.arange(150) < 60
    y = np.where(first, 3.0 + 1.0 * x, -3.0 - 1.0 * x) + 0.5 * rng.standard_normal(150)
    with pm.Model(coords={"component": range(2), "term": range(2)}) as model:
        w = pm.Dirichlet("w", np.ones(2), dims="component")
        beta = pm.Normal("beta", 0.0, 3.0, dims=("term", "component"))
        sigma = pm.HalfNormal("sigma", 1.0)
        mean = beta[0] + beta[1] * x[:, None]
        logs = pm.math.log(w) + pm.logp(pm.Normal.dist(mean, sigma), y[:, None])
        pm.Potential("likelihood", pm.math.logsumexp(logs, axis=1).sum())
    tree = sample(model, "beta", np.array([[3.0, -3.0], [1.0, -1.0]])[:, ::1])
    group = tree["posterior"].to_dataset()
    beta, sigma = group["beta"].values, group["sigma"].values[..., None, None]
    apart = y[:, None] - beta[..., None, 0, :] - beta[..., None, 1, :] * x[:, None]
    joint = np.log(group["w"].values)[..., None, :] - 0.5 * (apart / sigma) ** 2
    z = (joint + rng.gumbel(size=joint.shape)).argmax(axis=-1)
    tree["posterior"] = xr.DataTree(group.assign(z=(("chain", "draw", "row"), z)))
    # Two chains under the other labels, whatever the sampler did.
    turned = tree["posterior"].to_dataset().isel(chain=[1, 3])
    turned = turned.isel(component=[1, 0]).assign(z=1 - turned["z"])
    kept = tree["posterior"].to_dataset().isel(chain=[0, 2])
    both = xr.concat([kept, turned.assign_coords(component=[0, 1])], dim="chain")
    return xr.DataTree.from_dict({"posterior": both.assign_coords(chain=range(4))})


def rates(tree):
    return tree["posterior"]["rate"].mean("draw").values


def test_a_mixture_of_poissons_from_probabilities(poissons):
    raw = rates(poissons)
    assert np.ptp(raw[:, 0]) > 5.0  # the chains have labels of their own
    found = relabel(poissons, probabilities="p")
    moved = rates(found)
    assert np.ptp(moved, axis=0).max() < 1.0
    # Weights, rates and probabilities moved together.
    orders = found["relabelling"]["label_permutations"].values
    for name in ("w", "rate"):
        expected = np.take_along_axis(poissons["posterior"][name].values, orders, axis=2)
        np.testing.assert_array_equal(found["posterior"][name].values, expected)
    p = np.take_along_axis(poissons["posterior"]["p"].values, orders[:, :, None, :], axis=3)
    np.testing.assert_array_equal(found["posterior"]["p"].values, p)
    for method in ("stephens", "ecr-iterative-1", "ecr-iterative-2"):
        other = rates(relabel(poissons, method=method, probabilities="p"))
        np.testing.assert_array_equal(np.sort(other, axis=1), np.sort(moved, axis=1))
        assert np.ptp(other, axis=0).max() < 1.0
    ordered = relabel(poissons, method="ordered", by="rate", probabilities="p")
    assert (np.diff(ordered["posterior"]["rate"].values, axis=-1) > 0).all()


def test_the_verdict_on_a_mixture_of_poissons(poissons):
    found = label_switching(poissons, probabilities="p")
    assert found.verdict == "between chains"
    assert found.r_hat("as sampled") > 1.5
    assert found.r_hat("relabelled") <= 1.02
    assert {"rate [0]", "w [1]"} <= set(found.statistics["quantity"])
    # Redundancy and the rows are not known for other families, and that weighs.
    assert found.state == "care"
    assert (found.evidence["result"] == "not checked").sum() >= 2
    again = label_switching(found.relabelled(), probabilities="p")
    np.testing.assert_array_equal(again.permutations, found.permutations)


def test_a_mixture_of_regressions_from_allocations(regressions):
    found = relabel(regressions, allocations="z")["posterior"]
    means = found["beta"].mean("draw").values
    assert np.ptp(means, axis=0).max() < 0.5
    z = found["z"].values
    assert (z[..., :60] == z[0, 0, 0]).mean() > 0.9
    assert (z[..., 60:] != z[0, 0, 0]).mean() > 0.9
    verdict = label_switching(regressions, allocations="z")
    assert verdict.verdict == "between chains"
    assert "beta[0] [1]" in set(verdict.statistics["quantity"])


def test_what_memberships_alone_do_not_allow(poissons):
    with pytest.raises(InvalidParameterError, match="needs draws of weights, means"):
        relabel(poissons, method="pra", probabilities="p")
    with pytest.raises(InvalidParameterError, match="same memberships: give one"):
        relabel(poissons, probabilities="p", allocations="z")
    with pytest.raises(InputError, match="no variable 'q' of probabilities"):
        relabel(poissons, probabilities="q")
    with pytest.raises(InputError, match="must have the axes"):
        relabel(poissons, probabilities="rate")
    with pytest.raises(InvalidParameterError, match="by must be"):
        relabel(poissons, method="ordered", probabilities="p")
    broken = poissons.copy()
    broken["posterior"] = xr.DataTree(
        poissons["posterior"].to_dataset().assign(p=2.0 * poissons["posterior"]["p"])
    )
    with pytest.raises(InputError, match=r"row 0 in draw 0 .*sum 1"):
        relabel(broken, probabilities="p")
