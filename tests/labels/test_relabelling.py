"""Relabelling renames components, the same way in all draws, and changes nothing else."""

import arviz as az
import gibbs
import numpy as np
import pytest
import xarray as xr
from scipy.special import logsumexp

import bayesgmm
from bayesgmm.errors import InputError, InvalidParameterError, NotFittedError
from bayesgmm.labels.relabelling import relabel
from bayesgmm.posterior.reader import (
    read_draws,
)

METHODS = [
    "ecr",
    "ecr-iterative-1",
    "ecr-iterative-2",
    "stephens",
    "pra",
    "data-based",
    "ordered",
]


def permutations(tree):
    return tree["relabelling"]["label_permutations"].values


def permuted(tree, orders):
    """The tree with the components of every draw permuted."""
    copy = tree.copy()
    draws = read_draws(tree).permuted(orders)
    for name in ("weights", "means", "covariances"):
        copy["posterior"][name] = copy["posterior"][name].copy(data=getattr(draws, name))
    return copy


@pytest.fixture(scope="module")
def fit(galaxies):
    return bayesgmm.GaussianMixture(3, random_state=0).fit(galaxies["observed_data"]["X"].values)


@pytest.mark.parametrize("method", METHODS)
def test_chains_under_four_labellings_are_brought_to_one(galaxies, method):
    assert az.rhat(galaxies, var_names="means")["means"].max() > 1.5
    found = relabel(galaxies, method=method)
    for name, r_hats in az.rhat(found, var_names=["weights", "means", "covariances"]).items():
        assert r_hats.max() <= 1.01, name
    # No reference: labels in the order of the means.
    assert (np.diff(found["posterior"]["means"].mean(("chain", "draw")).values[:, 0]) > 0).all()
    assert found["posterior"].attrs["relabelled"] == method
    assert "relabelled" not in galaxies["posterior"].attrs


@pytest.mark.parametrize("method", METHODS)
def test_components_move_as_wholes_and_no_draw_is_lost(overlapping, method):
    found = relabel(overlapping, method=method)
    before, after = read_draws(overlapping), read_draws(found)
    expected = before.permuted(permutations(found))
    np.testing.assert_array_equal(after.weights, expected.weights)
    np.testing.assert_array_equal(after.means, expected.means)
    np.testing.assert_array_equal(after.covariances, expected.covariances)
    assert (np.sort(permutations(found), axis=-1) == np.arange(2)).all()
    assert (found["relabelling"]["ambiguity"] >= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_relabelling_twice_is_relabelling_once(overlapping, method):
    once = relabel(overlapping, method=method)
    twice = relabel(once, method=method)
    xr.testing.assert_identical(once["posterior"].to_dataset(), twice["posterior"].to_dataset())
    # Permutations still lead from the draws as they were sampled.
    np.testing.assert_array_equal(permutations(once), permutations(twice))


def test_allocations_of_a_relabelled_posterior(galaxies, fit):
    once = relabel(galaxies, reference=fit, allocations="z")
    turned = fit.mixture_.permuted([2, 0, 1])
    twice = relabel(once, reference=turned, allocations="z")
    xr.testing.assert_identical(twice, relabel(galaxies, reference=turned, allocations="z"))


@pytest.mark.parametrize("method", METHODS)
def test_neither_the_order_of_chains_nor_the_sampled_labels_matter(overlapping, method):
    found = read_draws(relabel(overlapping, method=method))
    turned = overlapping.isel(chain=[2, 0, 3, 1])
    np.testing.assert_array_equal(
        read_draws(relabel(turned, method=method)).means, found.means[[2, 0, 3, 1]]
    )
    rng = np.random.default_rng(1)
    orders = rng.permuted(np.tile(np.arange(2), (*found.means.shape[:2], 1)), axis=-1)
    shuffled = relabel(permuted(overlapping, orders), method=method)
    np.testing.assert_array_equal(read_draws(shuffled).means, found.means)


@pytest.mark.parametrize("method", [each for each in METHODS if each != "ordered"])
def test_labels_are_those_of_the_reference(galaxies, fit, method):
    order = [2, 0, 1]
    found = relabel(galaxies, method=method, reference=fit.mixture_.permuted(order))
    means = found["posterior"]["means"].mean(("chain", "draw")).values[:, 0]
    np.testing.assert_allclose(means, fit.means_[order, 0], atol=1.0)
    same = relabel(galaxies, method=method, reference=fit)
    np.testing.assert_array_equal(permutations(found), permutations(same)[..., order])


def test_ecr_finds_the_labels_under_which_most_rows_agree(overlapping):
    """By brute force, with scipy's densities, on some draws."""
    rows = overlapping["observed_data"]["X"].values
    reference = bayesgmm.GaussianMixture(2, random_state=0).fit(rows).mixture_
    found = relabel(overlapping, reference=reference)
    draws, pivot = read_draws(overlapping), reference.classify(rows)
    for c, s in np.random.default_rng(0).integers((4, 1000), size=(40, 2)):
        joint = gibbs.log_joint(
            rows, draws.weights[c, s][None], draws.means[c, s][None], draws.covariances[c, s][None]
        )[0]
        p = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        misplaced = [len(rows) - p[np.arange(len(rows)), order[pivot]].sum()
                     for order in (np.array([0, 1]), np.array([1, 0]))]  # fmt: skip
        record = found["relabelling"].isel(chain=c, draw=s)
        np.testing.assert_allclose(record["cost"], min(misplaced), rtol=1e-9)
        np.testing.assert_allclose(record["ambiguity"], np.ptp(misplaced), rtol=1e-8)
        expected = [0, 1] if misplaced[0] < misplaced[1] else [1, 0]
        assert record["label_permutations"].values.tolist() == expected


def test_allocations_move_by_the_inverse_and_others_along(galaxies, fit):
    extended = galaxies.copy()
    group = extended["posterior"].to_dataset()
    group["label_of_interest"] = group["means"].isel(feature=0) ** 2
    group["by_feature_first"] = group["means"].transpose("feature", "component", "draw", "chain")
    extended["posterior"] = xr.DataTree(group)
    found = relabel(extended, reference=fit, allocations="z")["posterior"]
    orders = permutations(relabel(extended, reference=fit, allocations="z"))
    z = galaxies["posterior"]["z"].values
    moved = found["z"].values
    # The component that a row stands in is the same one under its new name.
    np.testing.assert_array_equal(np.take_along_axis(orders, moved, axis=-1), z)
    np.testing.assert_array_equal(
        found["label_of_interest"].values, found["means"].values[..., 0] ** 2
    )
    assert found["by_feature_first"].dims == ("feature", "component", "draw", "chain")
    xr.testing.assert_equal(
        found["by_feature_first"].transpose(*found["means"].dims).drop_vars("component"),
        found["means"].drop_vars("component"),
    )


def test_a_posterior_from_elsewhere(galaxies, fit):
    group = galaxies["posterior"]
    foreign = az.from_dict(
        {
            "posterior": {
                "w": group["weights"].values,
                "mu": group["means"].values[..., 0],
                "sigma": np.sqrt(group["covariances"].values[..., 0, 0]),
                "other": np.zeros((4, 1000, 3)),
            }
        }
    )
    names = {"weights": "w", "means": "mu", "standard_deviations": "sigma"}
    rows = galaxies["observed_data"]["X"].values
    found = relabel(foreign, reference=fit, X=rows, variables=names)
    expected = relabel(galaxies, reference=fit)["posterior"]
    np.testing.assert_array_equal(found["posterior"]["mu"], expected["means"][..., 0])
    np.testing.assert_array_equal(found["posterior"]["w"], expected["weights"])
    np.testing.assert_array_equal(
        found["posterior"]["sigma"] ** 2, np.sqrt(expected["covariances"][..., 0, 0]) ** 2
    )
    alone = relabel(foreign["posterior"].to_dataset(), reference=fit, X=rows, variables=names)
    np.testing.assert_array_equal(alone["posterior"]["mu"], found["posterior"]["mu"])


def test_order_by_a_parameter():
    x = bayesgmm.load_dataset("iris").X
    starts = [np.arange(150) // 50, 2 - np.arange(150) // 50]
    tree = gibbs.posterior(x, 3, starts=starts, draws=50, tune=20, rng=1)
    for by, feature in (("weights", 0), ("means", 3), ("variances", 1)):
        found = relabel(tree, method="ordered", by=by, feature=feature)["posterior"]
        values = {
            "weights": found["weights"],
            "means": found["means"].isel(feature=feature),
            "variances": found["covariances"].isel(feature=feature, feature_bis=feature),
        }[by].values
        assert (np.diff(values, axis=-1) > 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_without_rows_simulated_ones_stand_in(galaxies, method):
    bare = galaxies["posterior"].to_dataset()
    found = relabel(bare, method=method)
    assert az.rhat(found, var_names="means")["means"].max() <= 1.01
    # The same draws in another order of the chains have the same labels.
    turned = relabel(bare.isel(chain=[3, 1, 0, 2]), method=method)
    np.testing.assert_array_equal(
        turned["posterior"]["means"].values, found["posterior"]["means"].values[[3, 1, 0, 2]]
    )


def separated(rng, means, n):
    """Draws of clear components whose labels never switch: rows, weights, means, variances."""
    k, draws = len(means), 2000
    counts = np.full(k, n // k)
    x = np.concatenate([m + rng.standard_normal(n // k) for m in means])
    weights = rng.dirichlet(counts + 1.0, size=(2, draws))
    centres = means + rng.standard_normal((2, draws, k)) / np.sqrt(counts)
    variances = counts / rng.chisquare(counts, size=(2, draws, k))
    dims = ("chain", "draw", "component")
    return x[:, None], xr.Dataset(
        {
            "weights": (dims, weights),
            "means": ((*dims, "feature"), centres[..., None]),
            "variances": (dims, variances),
        }
    )


@pytest.mark.parametrize("method", [*METHODS, "pra-raw"])
@pytest.mark.parametrize("rows", [True, False])
@pytest.mark.parametrize(
    ("means", "n"), [([0.0, 50.0, 100.0], 300), ([0.0, 6.0, 12.0, 18.0], 400)], ids=["50", "6"]
)
def test_components_that_never_switched_stay_in_order(means, n, rows, method):
    """At most .1 % of the draws out of order; 41 and 63 % with units over all components."""
    x, draws = separated(np.random.default_rng(n), means, n)
    names = {"variances": "variances"}
    found = relabel(draws, method=method, X=x if rows else None, variables=names)
    moved = permutations(found)
    assert (moved != moved[0, 0]).any(axis=-1).mean() <= 1e-3
    np.testing.assert_array_equal(moved[0, 0], np.arange(len(means)))


def test_one_draw_and_one_component(galaxies):
    single = galaxies.isel(chain=[0], draw=[0])
    assert permutations(relabel(single)).shape == (1, 1, 3)
    rows = galaxies["observed_data"]["X"].values
    tree = gibbs.posterior(rows, 1, starts=[np.zeros(82, int)] * 2, draws=10, tune=0, rng=1)
    for method in METHODS:
        assert (permutations(relabel(tree, method=method)) == 0).all()


def test_what_cannot_be_relabelled_is_said(galaxies, fit):
    with pytest.raises(InvalidParameterError, match=r"'stephens'.*not 'kl'"):
        relabel(galaxies, method="kl")
    with pytest.raises(InputError, match="reference has 2 components in 1 feature, but the post"):
        relabel(galaxies, reference=bayesgmm.Mixture([0.5, 0.5], [0.0, 1.0], [1.0, 1.0]))
    with pytest.raises(NotFittedError):
        relabel(galaxies, reference=bayesgmm.GaussianMixture(3))
    with pytest.raises(
        InvalidParameterError, match="reference must be a Mixture or a fitted GaussianMixture"
    ):
        relabel(galaxies, reference=fit.means_)
    with pytest.raises(InvalidParameterError, match="by must be"):
        relabel(galaxies, method="ordered", by="size")
    with pytest.raises(InputError, match=r"'width' is not a feature"):
        relabel(galaxies, method="ordered", feature="width")
    with pytest.raises(InputError, match="no variable 'y' of allocations"):
        relabel(galaxies, allocations="y")
    with pytest.raises(InputError, match="with as many rows as were fitted"):
        relabel(galaxies, allocations="means")


@pytest.mark.parametrize("unit", [1e-100, 1e100])
def test_parameters_of_any_size_are_relabelled_alike(galaxies, unit):
    """Their variances' variances are beyond float64."""
    group = galaxies["posterior"].to_dataset()
    scaled = group.assign(means=group["means"] * unit, covariances=group["covariances"] * unit**2)
    here, there = (relabel(each, method="pra")["posterior"] for each in (group, scaled))
    np.testing.assert_allclose(there["means"].values / unit, here["means"].values, rtol=1e-12)
