"""The quantities on which chains have to agree."""

import numpy as np
import pytest
import xarray as xr

from bayesgmm.convergence.monitored import monitored
from bayesgmm.labels.labelling import Request, label_draws
from bayesgmm.posterior.reader import (
    read_draws,
)


def quantities(tree):
    return monitored(label_draws(tree, Request()))


def reordered(tree, orders):
    draws = read_draws(tree).permuted(orders)
    group = tree["posterior"].to_dataset().copy()
    for name in ("weights", "means", "covariances"):
        values = getattr(draws, name).reshape(group[name].shape)
        group[name] = group[name].copy(data=values)
    return xr.DataTree.from_dict({"posterior": group, "observed_data": tree["observed_data"]})


def test_invariants_do_not_depend_on_labels(two_optima):
    rng = np.random.default_rng(2)
    shape = read_draws(two_optima).means.shape[:2]
    orders = rng.permuted(np.tile(np.arange(3), (*shape, 1)), axis=-1)
    before, after = (
        quantities(each).invariant for each in (two_optima, reordered(two_optima, orders))
    )
    assert list(before) == list(after)
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, rtol=1e-9, atol=1e-12)


def test_invariants_are_what_they_say(two_optima):
    draws = read_draws(two_optima)
    rows = two_optima["observed_data"]["X"].values
    found = quantities(two_optima).invariant
    mixture = draws.mixture(2, 40)
    cell = {name: values[2, 40] for name, values in found.items()}
    assert cell["log-likelihood"] == pytest.approx(mixture.log_density(rows).sum(), rel=1e-12)
    entropy = -(mixture.weights * np.log(mixture.weights)).sum()
    assert cell["entropy of weights"] == pytest.approx(entropy, rel=1e-12)
    name = next(each for each in cell if each.startswith("log density at row"))
    row = int(name.split()[-1])
    assert cell[name] == pytest.approx(mixture.log_density(rows[[row]])[0], rel=1e-10)
    name = next(each for each in cell if each.endswith("together"))
    one, other = mixture.responsibilities(rows[[int(name.split()[i]) for i in (1, 3)]])
    assert cell[name] == pytest.approx(one @ other, abs=1e-10)


def test_modes_are_monitored_where_a_sampler_found_several(two_optima):
    assert quantities(two_optima).modes == {}
    at = (np.arange(read_draws(two_optima).weights[..., 0].size) % 3 == 0).astype(int)
    stats = xr.Dataset(
        {"mode": (("chain", "draw"), at.reshape(read_draws(two_optima).means.shape[:2]))}
    )
    tree = two_optima.copy()
    tree["sample_stats"] = xr.DataTree(stats)
    found = quantities(tree)
    assert list(found.modes) == ["draws at mode 0", "draws at mode 1"]
    np.testing.assert_array_equal(found.modes["draws at mode 1"], stats["mode"])
    assert set(found.modes) < set(found.invariant)
