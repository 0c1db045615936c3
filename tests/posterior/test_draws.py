"""Posteriors are read by name, in every form that a mixture's scale comes in."""

import arviz as az
import numpy as np
import pytest
import xarray as xr

from bayesgmm.errors import InputError, InputTypeError, InvalidParameterError
from bayesgmm.posterior.reader import (
    component_dims,
    read_draws,
    read_rows,
)

C, S, K, D = 2, 5, 3, 2
DIMS = {
    "weights": ["component"],
    "means": ["component", "feature"],
    "covariances": ["component", "feature", "feature_bis"],
}


def arrays(d=D):
    rng = np.random.default_rng(8)
    factors = rng.standard_normal((C, S, K, d, d)) + 2 * np.eye(d)
    return {
        "weights": rng.dirichlet(np.ones(K), (C, S)),
        "means": rng.standard_normal((C, S, K, d)),
        "covariances": factors @ np.swapaxes(factors, -1, -2),
    }


def tree(posterior, observed=None, dims=None, coords=None):
    groups = {"posterior": posterior}
    if observed is not None:
        groups["observed_data"] = observed
    return az.from_dict(groups, dims=DIMS if dims is None else dims, coords=coords)


def test_the_package_own_names():
    expected = arrays()
    found = read_draws(tree(expected, coords={"feature": ["width", "a/b"]}))
    np.testing.assert_array_equal(found.weights, expected["weights"])
    np.testing.assert_array_equal(found.means, expected["means"])
    np.testing.assert_array_equal(found.covariances, expected["covariances"])
    assert found.feature_names == ("width", "a/b")
    assert (found.n_chains, found.n_draws, found.n_components, found.n_features) == (C, S, K, D)


def test_axes_are_taken_by_name_and_a_dataset_will_do():
    expected = arrays()
    group = tree(expected)["posterior"].to_dataset()
    found = read_draws(group.transpose("component", "draw", ..., "chain"))
    # Only chain and draw are found by name: what follows them keeps its order.
    np.testing.assert_array_equal(found.weights, expected["weights"])


@pytest.mark.parametrize("word", ["variances", "standard_deviations", "covariances"])
def test_one_feature_under_foreign_names(word):
    rng = np.random.default_rng(1)
    scale = rng.uniform(0.5, 2.0, (C, S, K))
    posterior = {
        "w": rng.dirichlet(np.ones(K), (C, S)),
        "mu": rng.standard_normal((C, S, K)),
        "s": scale,
    }
    names = {"weights": "w", "means": "mu", word: "s"}
    found = read_draws(tree(posterior, dims={}), names)
    np.testing.assert_array_equal(found.means[..., 0], posterior["mu"])
    variances = scale**2 if word == "standard_deviations" else scale
    np.testing.assert_array_equal(found.covariances[..., 0, 0], variances)
    assert component_dims(tree(posterior, dims={})["posterior"].to_dataset(), names) == {
        "w_dim_0",
        "mu_dim_0",
        "s_dim_0",
    }


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("covariances", (D, D)),
        ("variances", (K, D)),
        ("variances", (K,)),
        ("standard_deviations", ()),
    ],
)
def test_shared_diagonal_and_round_scales(word, shape):
    base = arrays()
    if word == "covariances":
        values = base["covariances"][:, :, 0]
        expected = np.repeat(values[:, :, None], K, axis=2)
    else:
        values = np.random.default_rng(2).uniform(0.5, 2.0, (C, S, *shape))
        variances = values if word == "variances" else values**2
        spread = variances.reshape(C, S, *shape, *[1] * (2 - len(shape)))
        expected = np.broadcast_to(spread, (C, S, K, D))[..., None] * np.eye(D)
    posterior = {"weights": base["weights"], "means": base["means"], "s": values}
    found = read_draws(tree(posterior, dims={}), {word: "s"})
    np.testing.assert_array_equal(found.covariances, expected)
    group = tree(posterior, dims={})["posterior"].to_dataset()
    expects_own = len(shape) > 0 and word != "covariances"
    assert ("s_dim_0" in component_dims(group, {word: "s"})) == expects_own


def test_permuted_draws_move_whole_components():
    draws = read_draws(tree(arrays()))
    rng = np.random.default_rng(3)
    permutations = rng.permuted(np.tile(np.arange(K), (C, S, 1)), axis=-1)
    moved = draws.permuted(permutations)
    for c in range(C):
        for s in range(S):
            assert moved.mixture(c, s) == draws.mixture(c, s).permuted(permutations[c, s])


def test_mixtures_of_all_draws_or_of_some():
    draws = read_draws(tree(arrays()))
    every = list(draws.mixtures())
    assert every == [draws.mixture(c, s) for c in range(C) for s in range(S)]
    assert list(draws.mixtures(4)) == [every[t] for t in (0, 3, 6, 9)]
    np.testing.assert_allclose(draws.mean().means, draws.means.mean((0, 1)), rtol=1e-12)


def test_rows_of_the_posterior_or_given():
    rows = np.random.default_rng(4).standard_normal((7, D))
    posterior = tree(arrays(), {"X": rows, "names": np.array(list("abcdefg"))})
    np.testing.assert_array_equal(read_rows(posterior, D).X, rows)
    np.testing.assert_array_equal(read_rows(tree(arrays()), D, rows).X, rows)
    np.testing.assert_array_equal(read_rows(posterior, 1, rows[:, 0]).X, rows[:, :1])
    with pytest.raises(InputError, match="no group 'observed_data'"):
        read_rows(tree(arrays()), D)
    with pytest.raises(InputError, match="has 2 variables with 2 columns"):
        read_rows(tree(arrays(), {"X": rows, "Z": rows}), D)
    with pytest.raises(InputError, match="has 0 variables with 3 columns"):
        read_rows(posterior, 3)
    with pytest.raises(InputError, match="X has 2 features, but the posterior's means have 3"):
        read_rows(posterior, 3, rows)


def without(name):
    return {key: value for key, value in arrays().items() if key != name}


@pytest.mark.parametrize(
    ("posterior", "variables", "message"),
    [
        (xr.DataTree.from_dict({"/prior": xr.Dataset()}), None, "no group 'posterior'.*prior"),
        (tree(without("means")), None, "no variable 'means'.*weights, covariances"),
        (tree(arrays()), {"means": "mu"}, "no variable 'mu'"),
        (tree(arrays() | {"weights": np.ones((C, S))}, dims={}), None, "must have the axes"),
        (tree(arrays() | {"weights": np.ones((C, S, 2)) / 2}, dims={}), None, "2 components as"),
        (tree(arrays() | {"weights": np.ones((C, S, K))}), None, "sum 3"),
        (tree(arrays()), {"variances": "covariances"}, "does not fit variances of 3 components"),
        (tree(arrays() | {"covariances": -arrays()["covariances"]}), None, "not positive"),
        (tree(arrays()).isel(draw=slice(0)), None, "is empty"),
        (
            tree(arrays() | {"means": np.where(np.arange(S)[:, None, None] == 3, np.nan, 0.0)
                             + np.zeros((C, S, K, D))}),
            None,
            "'means' is not finite in 2 of 10 draws \\(first: chain 0, draw 3\\)",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(posterior, variables, message):
    with pytest.raises(InputError, match=message):
        read_draws(posterior, variables)


def test_what_is_no_posterior_is_said():
    with pytest.raises(InputTypeError, match="not dict"):
        read_draws({"weights": 1})
    with pytest.raises(InputError, match="has no axis 'chain' and 'draw'"):
        read_draws(xr.Dataset({"weights": ("component", np.ones(3) / 3)}))
    with pytest.raises(InvalidParameterError, match="unknown: sigma"):
        read_draws(tree(arrays()), {"sigma": "s"})
    with pytest.raises(InvalidParameterError, match="not both: variances, standard_dev"):
        read_draws(tree(arrays()), {"variances": "s", "standard_deviations": "s"})


@pytest.mark.parametrize(
    ("mean", "sd"), [(1e300, 1.0), (1e10, 1e-145), (0.0, 1e-152), (0.0, 1e152)]
)
def test_draws_too_wide_for_float64_are_named(mean, sd):
    values = arrays()
    values["means"][0, 0, 0, 1] = mean
    values["covariances"] = np.broadcast_to(np.diag([1.0, sd**2]), (C, S, K, D, D))
    with pytest.raises(InputError, match=r"draws of column 1 .* Rescale"):
        read_draws(tree(values))


def test_outliers_are_read_from_the_posterior_alone():
    beside = {"outlier_proportion": np.full((C, S, K), 0.1), "inflation": np.full((C, S, K), 9.0)}
    dims = DIMS | {name: ["component"] for name in beside}
    found = read_draws(tree(arrays() | beside, dims=dims)["posterior"].to_dataset())
    np.testing.assert_array_equal(found.outliers, list(beside.values()))


def test_a_weight_of_noise_needs_the_box():
    """Without it, the weights would be taken for those of all rows."""
    posterior = tree(arrays() | {"noise_weight": np.full((C, S), 0.1)})
    for each in (posterior, posterior["posterior"].to_dataset()):
        with pytest.raises(InputError, match="Give the whole tree of sample_posterior"):
            read_draws(each)
    posterior["constant_data"] = xr.DataTree(
        xr.Dataset({"noise_lower": ("feature", [0.0, 0.0]), "noise_upper": ("feature", [1.0, 4.0])})
    )
    found = read_draws(posterior)
    assert (found.noise_weight == 0.1).all()
    assert found.noise.upper.tolist() == [1.0, 4.0]
