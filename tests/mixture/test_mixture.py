import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.mixture.mixture import Mixture

EYE = np.eye(2)


def test_log_density_agrees_with_scipy(mixture):
    X = np.random.default_rng(0).standard_normal((50, 3))
    density = sum(
        weight * multivariate_normal(mean, covariance).pdf(X)
        for weight, mean, covariance in zip(
            mixture.weights, mixture.means, mixture.covariances, strict=True
        )
    )
    assert_allclose(mixture.log_density(X), np.log(density), rtol=1e-12)
    joint = np.exp(mixture.log_joint(X))
    assert_allclose(mixture.responsibilities(X), joint / density[:, None], rtol=1e-11)
    assert np.array_equal(mixture.classify(X), joint.argmax(axis=1))


def test_one_feature_from_variances():
    short = Mixture([0.5, 0.5], [-1, 1], [1.0, 4.0])
    assert short == Mixture([0.5, 0.5], [[-1], [1]], [[[1.0]], [[4.0]]])
    assert short.variances.tolist() == [[1.0], [4.0]]
    x = np.linspace(-3, 3, 7)
    assert np.array_equal(short.log_density(x), short.log_density(x[:, None]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5, 0.6], [0, 1], [1, 1]), r"sum to 1.1"),
        (([1.5, -0.5], [0, 1], [1, 1]), r"component 1 has weight -0.5"),
        (([0.5, np.nan], [0, 1], [1, 1]), r"weights\[1\] is nan"),
        (([], [], []), r"shape \(K,\)"),
        ((["1"], [0], [1]), r"real numbers"),
        (([True], [0], [1]), r"real numbers"),
        (([1.0], [1j], [1]), r"real numbers"),
        (([0.5, 0.5], [0, 1, 2], [1, 1]), r"means must have shape"),
        (([1.0], [[0, 1]], [1.0]), r"covariances must have shape"),
        (([1.0], [[0, 1], [2]], [EYE]), r"ragged"),
        (([0.5, 0.5], [0, 1], [1, 0]), r"component 1 has variance 0 in feature 0"),
        (([0.5, 0.5], [[0, 0]] * 2, [EYE, [[1, 0.5], [0.4, 1]]]), r"symmetric, but component 1"),
        (([0.5, 0.5], [[0, 0]] * 2, [EYE, [[1, 2], [2, 1]]]), r"definite, but component 1"),
        (([1.0], [[0, 0]], [[[1, 1], [1, 1 + 2e-16]]]), r"definite, but component 0"),
        (([1.0], [[0, 0]], [EYE], ["a"]), r"one name for each of the 2"),
        (([1.0], [[0, 0]], [EYE], ["a", "a"]), r"'a' occurs twice"),
        (([1.0], [[0, 0]], [EYE], "ab"), r"sequence of names"),
        (([1.0], [[0, 0]], [EYE], ["a", 2]), r"must be strings"),
    ],
)
def test_bad_parameters_are_named(arguments, message):
    with pytest.raises(InvalidParameterError, match=message):
        Mixture(*arguments)


def test_rounding_in_weights_and_covariances_is_mended_once():
    covariance = [[2.0, 0.3], [0.3 + 1e-12, 1.0]]
    mixture = Mixture([0.3, 0.7 + 1e-10], [[0, 0], [1, 1]], [covariance, EYE])
    assert abs(mixture.weights.sum() - 1) < 1e-15
    assert np.array_equal(mixture.covariances, np.swapaxes(mixture.covariances, 1, 2))
    assert Mixture(mixture.weights, mixture.means, mixture.covariances) == mixture


def test_values_do_not_change(mixture):
    source = np.array([0.5, 0.5])
    copied = Mixture(source, [0, 1], [1, 1])
    source[0] = 0.0
    assert copied.weights[0] == 0.5
    with pytest.raises(ValueError, match="read-only"):
        mixture.means[0, 0] = 1.0
    with pytest.raises(AttributeError):
        mixture.weights = source


@pytest.mark.parametrize(
    "remake", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_value_semantics(mixture, remake):
    twin = remake(mixture)
    assert twin == mixture
    assert hash(twin) == hash(mixture)
    assert not twin.covariances.flags.writeable
    assert mixture.permuted([1, 0, 2]) != mixture
    assert mixture != "mixture"
    assert repr(mixture) == "Mixture(n_components=3, n_features=3, weights=[0.5, 0.3, 0.2])"


def test_permuted_components(mixture):
    X = np.random.default_rng(0).standard_normal((20, 3))
    other = mixture.permuted([2, 0, 1])
    assert np.array_equal(other.responsibilities(X).shape, (20, 3))
    assert_allclose(
        other.responsibilities(X), mixture.responsibilities(X)[:, [2, 0, 1]], rtol=1e-14
    )
    assert_allclose(other.log_density(X), mixture.log_density(X), rtol=1e-14)
    assert other.feature_names == ("a", "b", "c")
    for order in ([0, 1], [0, 0, 1], [0, 1, 3], [0.0, 1.0, 2.0]):
        with pytest.raises(InvalidParameterError, match="order"):
            mixture.permuted(order)


@pytest.mark.parametrize("A", [3.0, [2.0, -0.5, 1e4], [[2, 1, 0], [0, 1, -1], [0, 0, 3.0]]])
def test_affine_maps_shift_the_log_density_by_their_determinant(mixture, A):
    b = np.array([1.0, -2.0, 5.0])
    X, _ = mixture.sample(30, rng=1)
    matrix = np.asarray(A)
    full = matrix if matrix.ndim == 2 else np.diag(np.broadcast_to(matrix, 3))
    moved = mixture.transformed(A, b)
    shift = np.linalg.slogdet(full)[1]
    assert_allclose(moved.log_density(X @ full.T + b), mixture.log_density(X) - shift, rtol=1e-10)
    assert moved.feature_names == (("a", "b", "c") if matrix.ndim < 2 else None)


@pytest.mark.parametrize("exponent", [-498, 498])
def test_powers_of_two_are_exact_scales(mixture, exponent):
    X, _ = mixture.sample(30, rng=1)
    scaled = mixture.transformed(2.0**exponent)
    shift = 3 * exponent * np.log(2.0)
    assert_allclose(
        scaled.log_density(X * 2.0**exponent), mixture.log_density(X) - shift, rtol=1e-14
    )
    assert np.array_equal(scaled.classify(X * 2.0**exponent), mixture.classify(X))


def test_projections_are_marginals(mixture):
    plane = mixture.transformed([[0, 0, 1.0], [1, 0, 0]])
    marginal = mixture.marginal(["c", "a"])
    assert_allclose(plane.means, marginal.means)
    assert_allclose(plane.covariances, marginal.covariances)
    assert marginal.feature_names == ("c", "a")
    assert mixture.marginal("b") == mixture.marginal(1) == mixture.marginal([-2])


@pytest.mark.parametrize(
    ("A", "b"),
    [([[1, 0, 0], [2, 0, 0]], 0), ([1, 2], 0), (np.ones((2, 2)), 0), (2.0, [1, 2]), (0.0, 0)],
)
def test_bad_affine_maps(mixture, A, b):
    with pytest.raises(InvalidParameterError):
        mixture.transformed(A, b)


@pytest.mark.parametrize("given", [{"a": 0.7}, {2: -1.0, "a": 0.4}, {0: 1.0, 1: 2.0}])
def test_joint_is_marginal_times_conditional(mixture, given):
    indices = [mixture.feature_names.index(key) if isinstance(key, str) else key for key in given]
    rest = [j for j in range(3) if j not in indices]
    X = np.random.default_rng(2).standard_normal((40, 3))
    X[:, indices] = list(given.values())
    conditional = mixture.conditional(given)
    assert conditional.feature_names == tuple("abc"[j] for j in rest)
    known = mixture.marginal(list(given)).log_density(X[:, indices])
    assert_allclose(known + conditional.log_density(X[:, rest]), mixture.log_density(X), rtol=1e-12)


def test_conditional_on_nothing_and_far_away(mixture):
    assert mixture.conditional({}) == mixture
    far = mixture.conditional({"a": 1e160})
    assert far.weights.max() == 1.0
    assert np.isfinite(far.means).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda m: m.marginal([]),
        lambda m: m.marginal(["z"]),
        lambda m: m.marginal([3]),
        lambda m: m.marginal(["a", 0]),
        lambda m: m.marginal([0.5]),
        lambda m: m.conditional({"a": 1, "b": 1, "c": 1}),
        lambda m: m.conditional({"z": 1}),
        lambda m: m.conditional({"a": [1, 2]}),
        lambda m: m.log_density(np.ones((2, 2))),
        lambda m: m.log_density(np.ones(3)),
        lambda m: m.log_density([[1, 2, np.inf]]),
    ],
)
def test_bad_features_and_rows(mixture, call):
    with pytest.raises(InputError):
        call(mixture)


def test_columns_in_another_order_are_an_error(mixture):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(np.ones((2, 3)), columns=list("abc"))
    assert mixture.log_density(frame).shape == (2,)
    with pytest.raises(InputError, match=r"Select them in this order"):
        mixture.log_density(frame[["b", "a", "c"]])


def test_rows_far_away_have_sound_responsibilities(mixture):
    X = np.array([[1e155] * 3, [1e300, -1e300, 0], [-1.7e308] * 3, [1.7e308, 0, 0]])
    r = mixture.responsibilities(X)
    assert np.isfinite(r).all()
    assert np.array_equal(r.sum(axis=1), np.ones(4))
    inverses = np.linalg.inv(mixture.covariances)
    for x, row, label in zip(X, r, mixture.classify(X), strict=True):
        unit = x / np.abs(x).max()
        nearest = np.argmin(np.einsum("i,kij,j->k", unit, inverses, unit))
        assert row[nearest] == 1.0
        assert label == nearest
    assert np.array_equal(mixture.log_density(X), np.full(4, -np.inf))


def test_exact_ties_far_away_go_by_weight():
    tied = Mixture([0.0625, 0.9375, 0.0], [0.0, 1.0, 2.0], [1.0, 1.0, 9.0])
    assert_allclose(tied.responsibilities([[1e300]]), [[0.0625, 0.9375, 0.0]], rtol=1e-15)
    assert tied.classify([[1e300]]).tolist() == [1]


def test_weights_of_zero_take_no_part():
    mixture = Mixture([1.0, 0.0], [0.0, 5.0], [1.0, 1.0])
    assert mixture.responsibilities([[5.0]]).tolist() == [[1.0, 0.0]]
    assert mixture.log_joint([[5.0]])[0, 1] == -np.inf
    assert set(mixture.sample(100, rng=0)[1].tolist()) == {0}


def test_samples_have_the_moments_of_the_mixture(mixture):
    n = 200_000
    X, labels = mixture.sample(n, rng=7)
    spread = np.sqrt(mixture.covariance().diagonal() / n)
    assert (np.abs(X.mean(axis=0) - mixture.mean()) < 4 * spread).all()
    error = np.sqrt(mixture.weights * (1 - mixture.weights) / n)
    assert (np.abs(np.bincount(labels, minlength=3) / n - mixture.weights) < 4 * error).all()
    centred = X - mixture.mean()
    products = centred[:, :, None] * centred[:, None, :]
    gap = np.abs(products.mean(axis=0) - mixture.covariance())
    assert (gap < 4 * products.std(axis=0) / np.sqrt(n)).all()
    for k in range(3):
        mine = X[labels == k]
        spread = np.sqrt(mixture.variances[k] / len(mine))
        assert (np.abs(mine.mean(axis=0) - mixture.means[k]) < 4 * spread).all()


def test_samples_repeat_with_the_seed_and_leave_global_state_alone(mixture):
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the state that must not move
    X, labels = mixture.sample(10, rng=3)
    assert np.array_equal(X, mixture.sample(10, rng=np.random.default_rng(3))[0])
    assert not np.array_equal(X, mixture.sample(10, rng=4)[0])
    assert labels.dtype == np.int64
    after = np.random.get_state()[1]  # noqa: NPY002 - as above
    assert np.array_equal(before, after)
    assert mixture.sample(0, rng=0)[0].shape == (0, 3)
    for n in (-1, 2.0, True, "3"):
        with pytest.raises(InvalidParameterError, match="n_samples must be"):
            mixture.sample(n)


def test_components_have_names():
    named = Mixture([0.3, 0.7], [[0.0, 0.0], [4.0, 1.0]], [np.eye(2)] * 2, ["x", "y"], ["a", "b"])
    assert named.permuted([1, 0]).component_names == ("b", "a")
    for other in (
        named.marginal("x"),
        named.conditional({"y": 0.5}),
        named.transformed(2.0 * np.eye(2), np.zeros(2)),
        Mixture.from_json(named.to_json()),
        pickle.loads(pickle.dumps(named)),
    ):
        assert other.component_names == ("a", "b")
    plain = Mixture(named.weights, named.means, named.covariances, named.feature_names)
    assert plain != named
    assert plain.component_names is None
    assert plain.component_words == ("0", "1")
    assert "component_names" not in plain.to_json()
    for names in (["a"], ["a", "a"], "ab", [1, 2]):
        with pytest.raises(InvalidParameterError, match="component_names"):
            Mixture(named.weights, named.means, named.covariances, None, names)
