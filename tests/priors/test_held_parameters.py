"""Values that a fit holds: what is refused, and in which component they end."""

import numpy as np
import pytest

from bayesgmm.covariance.structures import as_structure, structures
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.priors.held_parameters import HeldParameters, held_parameters

NAN = np.nan
FREE = np.full((2, 2), NAN)


def held(fixed, k=3, d=2, structure="full", equal_weights=False):
    return held_parameters(fixed, equal_weights, k, d, as_structure(structure))


@pytest.mark.parametrize(
    "fixed", [None, {}, {"weights": None}, {"weights": [NAN] * 3, "means": np.full((3, 2), NAN)}]
)
def test_nothing_held_is_none(fixed):
    assert held(fixed) is None


@pytest.mark.parametrize(
    ("structure", "k", "d", "value"),
    [
        ("full", 2, 3, np.tile(np.diag([1.0, 2.0, 3.0]), (2, 1, 1))),
        ("tied", 2, 3, np.diag([1.0, 2.0, 3.0])),
        ("tied", 2, 3, np.tile(np.diag([1.0, 2.0, 3.0]), (2, 1, 1))),
        ("diag", 2, 3, [[1.0, 2.0, 3.0], [2.0, 1.0, 1.0]]),
        ("diag", 2, 3, np.tile(np.diag([1.0, 2.0, 3.0]), (2, 1, 1))),
        ("EEI", 2, 3, [1.0, 2.0, 3.0]),
        ("spherical", 2, 3, [1.0, 2.0]),
        ("spherical", 2, 3, [[1.0] * 3, [2.0] * 3]),
        ("EII", 2, 3, 2.0),
        ("E", 2, 1, 2.0),
        ("V", 2, 1, [2.0, 3.0]),
        ("full", 2, 1, [2.0, 3.0]),
        ("full", 2, 1, [[[2.0]], [[3.0]]]),
    ],
)
def test_covariances_in_every_shape(structure, k, d, value):
    found = held({"covariances": value}, k, d, structure)
    kind = as_structure(structure)
    assert found.covariances.shape == ((k, d) if kind.diagonal else (k, d, d))
    value = np.asarray(value)
    compact = kind.compact(found.covariances)
    if value.shape == compact.shape:
        assert np.array_equal(compact, value)
    else:
        assert set(np.unique(found.covariances)) <= set(np.unique(value))
    assert found.masks[2].all()


@pytest.mark.parametrize("kind", structures(), ids=lambda each: each.code)
def test_members_of_a_structure_are_held_bit_for_bit(kind):
    rng = np.random.default_rng(4)
    roots = rng.standard_normal((3, 2, 2))
    scatters = roots @ roots.mT + 0.2 * np.eye(2)
    if kind.diagonal:
        scatters = np.einsum("kii->ki", scatters).copy()
    for unit in (1.0, 1e-9, 1e12):
        member = kind.covariances(np.ones(3), scatters) * unit
        found = held({"covariances": member}, structure=kind.code)
        assert np.array_equal(found.covariances, member)
    if kind.code == "VVV":
        return
    # Unlike in volume, shape and orientation, and so of no other structure.
    other = np.array([[[1.0, 0.3], [0.3, 2.0]], [[4.0, -1.0], [-1.0, 0.7]], 0.3 * np.eye(2)])
    with pytest.raises(InvalidParameterError, match=r"not of covariance_type.*component \d"):
        held({"covariances": other}, structure=kind.code)


@pytest.mark.parametrize(
    ("fixed", "message"),
    [
        ({"weight": [0.1]}, "key 'weight'.*Did you mean 'weights'"),
        ({"weights": [0.2, 0.3]}, r"shape \(3,\).*not \(2,\)"),
        ({"weights": [0.2, -0.3, NAN]}, "component 1 has -0.3"),
        ({"weights": [0.0, 0.3, NAN]}, "component 0 has 0"),
        ({"weights": [0.5, 0.5, NAN]}, "adds up to 1,.*component 2"),
        ({"weights": [0.7, 0.5, NAN]}, "adds up to 1.2,.*component 2"),
        ({"weights": [0.2, 0.3, 0.4]}, "add up to 0.9"),
        ({"weights": ["a", 0.3, 0.4]}, "real numbers"),
        ({"means": [[0.0, 1.0]]}, r"shape \(3, 2\)"),
        ({"means": [[0.0, np.inf], [0.0, 0.0], [0.0, 0.0]]}, "finite"),
        ({"covariances": np.eye(2)}, r"shape \(3, 2, 2\)"),
        ({"covariances": [[[1.0, NAN], [NAN, 1.0]], FREE, FREE]}, r"component 0: entry \(0, 1\)"),
        ({"covariances": [FREE, [[1.0, 2.0], [2.0, 1.0]], FREE]}, "definite, but component 1"),
        ({"covariances": [FREE, [[1.0, 0.2], [0.1, 1.0]], FREE]}, "symmetric, but component 1"),
        ({"covariances": [FREE, FREE, [[1.0, 0.0], [0.0, -1.0]]]}, "component 2 has variance -1"),
    ],
)
def test_contradictions_name_component_and_entry(fixed, message):
    with pytest.raises(InvalidParameterError, match=message):
        held(fixed)


@pytest.mark.parametrize(
    ("structure", "value", "message"),
    [
        ("diag", [[[1.0, 0.3], [0.3, 1.0]], FREE, FREE], r"component 0 has 0.3 at \([01], [01]\)"),
        ("spherical", [[1.0, 2.0], [NAN, NAN], [NAN, NAN]], "component 0 has"),
        ("EVI", [[1.0, 2.0], [NAN, NAN], [2.0, 1.0]], "volume,.*component 1 is free.*'diag'"),
        ("VEE", [np.eye(2), FREE, FREE], "shape and orientation.*component 1 is free.*'full'"),
        ("EII", [[1.0, 1.0], [NAN, NAN], [NAN, NAN]], "volume,.*'spherical'"),
        ("tied", [np.eye(2), 2 * np.eye(2), np.eye(2)], "not of covariance_type='tied'"),
    ],
)
def test_covariances_that_a_structure_cannot_have(structure, value, message):
    with pytest.raises(InvalidParameterError, match=message):
        held({"covariances": value}, structure=structure)


def test_equal_weights_are_held_weights():
    found = held(None, equal_weights=True)
    assert np.array_equal(found.weights, [1 / 3] * 3)
    assert found.exchangeable
    assert held({"weights": [NAN] * 3}, equal_weights=True).masks[0].all()
    with pytest.raises(InvalidParameterError, match=r"equal_weights=True.*'weights'"):
        held({"weights": [0.2, NAN, NAN]}, equal_weights=True)


def test_free_parameters():
    full, tied = as_structure("full"), as_structure("tied")
    assert held(None, equal_weights=True).n_parameters(full) == 6 + 9
    assert held({"weights": [0.2, NAN, NAN]}).n_parameters(full) == 1 + 6 + 9
    # One free weight is what the others leave.
    assert held({"weights": [0.2, 0.3, NAN]}).n_parameters(full) == 6 + 9
    assert held({"means": [[0.0, NAN], [NAN, NAN], [NAN, 1.0]]}).n_parameters(full) == 2 + 4 + 9
    assert held({"covariances": [np.eye(2), FREE, FREE]}).n_parameters(full) == 2 + 6 + 6
    assert held({"covariances": np.eye(2)}, structure="tied").n_parameters(tied) == 2 + 6
    assert held({"means": np.zeros((3, 2))}, structure="tied").n_parameters(tied) == 2 + 3


def test_components_are_matched_to_what_is_held():
    mixture = Mixture(
        [0.5, 0.2, 0.3], [[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]], [np.eye(2), np.eye(2), 4 * np.eye(2)]
    )
    by_means = held({"means": [[0.3, 4.0], [4.0, 0.1], [NAN, NAN]]})
    assert by_means.best_order(mixture).tolist() == [2, 1, 0]
    assert held({"means": [[NAN, NAN], [4.0, NAN], [NAN, NAN]]}).best_order(mixture)[1] == 1
    assert held({"weights": [0.25, NAN, 0.6]}).best_order(mixture)[2] == 0
    assert held({"covariances": [FREE, 4.4 * np.eye(2), FREE]}).best_order(mixture)[1] == 2


def test_held_values_in_a_mixture():
    found = held({"weights": [0.2, NAN, NAN], "means": [[NAN, 7.0], [NAN, NAN], [NAN, NAN]]})
    theta = np.array([0.5, 0.4, 0.1]), np.zeros((3, 2)), np.tile(np.eye(2), (3, 1, 1))
    weights, means, covariances = found.put_into(*theta)
    np.testing.assert_allclose(weights, [0.2, 0.64, 0.16], rtol=1e-15)
    assert means.tolist() == [[0.0, 7.0], [0.0, 0.0], [0.0, 0.0]]
    assert np.array_equal(covariances, theta[2])


def test_groups_keep_the_order_of_held_values():
    found = held({"means": [[9.0, 9.0], [NAN, NAN], [NAN, NAN]]})
    assert not found.exchangeable
    assert found.in_order(np.array([[9.0, 9.0], [3.0, 0.0], [1.0, 0.0]])).tolist() == [0, 2, 1]
    costs = np.array([[9.0, 0.0, 0.0], [0.0, 0.5, 0.1], [0.0, 0.1, 0.5]])
    assert found.matched(costs).tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("fixed", "words"),
    [
        ({"weights": [1 / 3] * 3}, "the weights of all components"),
        ({"weights": [0.2, NAN, NAN]}, "the weight of component 0"),
        ({"means": [[0.0, 1.0], [2.0, 3.0], [NAN, NAN]]}, "the means of components 0 and 1"),
        (
            {"weights": [NAN, 0.3, NAN], "means": [[0.0, 1.0], [2.0, NAN], [NAN, NAN]]},
            "the weight of component 1, the mean of component 0 and entries of the mean of "
            "component 1",
        ),
        ({"covariances": [FREE, np.eye(2), FREE]}, "the covariance of component 1"),
    ],
)
def test_words(fixed, words):
    assert held(fixed).words == words


def test_values_in_other_units():
    found = held(
        {"means": [[1.0, NAN], [NAN, NAN], [NAN, 2.0]], "covariances": [FREE, np.eye(2), FREE]}
    )
    moved = found.transformed(np.array([1.0, 0.0]), np.array([2.0, 4.0]))
    assert isinstance(moved, HeldParameters)
    np.testing.assert_array_equal(moved.means, [[0.0, NAN], [NAN, NAN], [NAN, 8.0]])
    np.testing.assert_array_equal(moved.covariances[1], [[4.0, 0.0], [0.0, 16.0]])
