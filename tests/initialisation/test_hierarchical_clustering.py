"""The dendrogram against criteria computed from their definition, and against Ward's of scipy."""

import numpy as np
import pytest
from scipy.cluster.hierarchy import cut_tree, linkage

from bayesgmm import load_dataset
from bayesgmm.errors import InvalidParameterError
from bayesgmm.initialisation.hierarchical_clustering import CRITERIA, agglomerate
from bayesgmm.initialisation.starts import whitened

# Shares of the mean sum of squares that stand in for missing scatter, as the module states them.
STAND_IN = {"VVV": 0.1, "VII": 0.1, "EEE": 0.3}
# Costs are rounded to 2^-36, and by the sums that they are differences of.
ROUNDING = 2.0**-35


def scatter(rows):
    apart = rows - rows.mean(axis=0)
    return apart.T @ apart


def criterion(kind, groups, a):
    """The formulas of the module's first lines."""
    d = groups[0].shape[1]
    scatters = [scatter(each) for each in groups]
    sizes = [len(each) for each in groups]
    if kind == "EII":
        return sum(np.trace(w) for w in scatters)
    if kind == "EEE":
        return np.linalg.det(sum(scatters) + a / d * np.eye(d))
    if kind == "VII":
        return sum(
            n * d * np.log((np.trace(w) + a) / (d * n))
            for n, w in zip(sizes, scatters, strict=True)
        )
    return sum(
        n * np.log(np.linalg.det((w + a / d * np.eye(d)) / n))
        for n, w in zip(sizes, scatters, strict=True)
    )


def added(kind, groups, i, j, a, variance):
    merged = [each for m, each in enumerate(groups) if m not in (i, j)]
    merged.append(np.concatenate((groups[i], groups[j])))
    before, after = criterion(kind, groups, a), criterion(kind, merged, a)
    if kind == "EII":
        return (after - before) / variance
    return after / before - 1.0 if kind == "EEE" else after - before


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("kind", CRITERIA)
def test_every_merge_is_the_cheapest_by_the_criterions_definition(kind, d):
    rng = np.random.default_rng(d)
    # Some rows twice, and some on a line.
    x = rng.standard_normal((16, d)) * rng.uniform(0.5, 2.0, d)
    x[3], x[8:11] = x[7], x[8] * np.arange(1, 4)[:, np.newaxis]
    tree = agglomerate(x, kind)
    variance = np.square(x - x.mean(axis=0)).sum() / len(x)
    a = STAND_IN.get(kind, 0.0) * variance
    groups = {i: x[[i]] for i in range(len(x))}
    for (i, j), cost in zip(tree.merges, tree.costs, strict=True):
        names = list(groups)
        now = list(groups.values())
        costs = {
            (names[p], names[q]): added(kind, now, p, q, a, variance)
            for p in range(len(now))
            for q in range(p + 1, len(now))
        }
        assert cost == pytest.approx(min(costs.values()), abs=ROUNDING, rel=1e-9)
        assert costs[i, j] == pytest.approx(cost, abs=ROUNDING, rel=1e-9)
        groups[i] = np.concatenate((groups[i], groups.pop(j)))


def test_eii_merges_as_wards_method_does():
    x = np.random.default_rng(5).standard_normal((120, 3))
    tree = agglomerate(x, "EII")
    reference = linkage(x, "ward")
    variance = np.square(x - x.mean(axis=0)).sum() / len(x)
    # Ward's height is the root of twice what a merge adds to the sum of squares.
    np.testing.assert_allclose(tree.costs, reference[:, 2] ** 2 / 2 / variance, atol=ROUNDING)
    for k in range(1, 121):
        expected = cut_tree(reference, k)[:, 0]
        np.testing.assert_array_equal(tree.labels(k), numbered_by_first_rows(expected))


def numbered_by_first_rows(labels):
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


@pytest.mark.parametrize("kind", CRITERIA)
def test_cuts_are_nested_partitions_numbered_by_their_first_rows(kind):
    x = np.random.default_rng(1).standard_normal((40, 2))
    tree = agglomerate(x, kind)
    finer = tree.labels(40)
    np.testing.assert_array_equal(finer, np.arange(40))
    for k in range(39, 0, -1):
        labels = tree.labels(k)
        assert len(np.unique(labels)) == k
        np.testing.assert_array_equal(labels, numbered_by_first_rows(labels))
        assert len(np.unique(np.stack((labels, finer)), axis=1).T) == k + 1
        finer = labels
    for k in (0, 41):
        with pytest.raises(InvalidParameterError, match="1 to 40"):
            tree.labels(k)


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("exponent", [-500, -3, 480])
def test_powers_of_two_change_no_bit(kind, exponent):
    x = load_dataset("iris").X
    tree, scaled = agglomerate(x, kind), agglomerate(np.ldexp(x, exponent), kind)
    np.testing.assert_array_equal(scaled.merges, tree.merges)
    np.testing.assert_array_equal(scaled.costs, tree.costs)


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("name", ["faithful", "iris"])
def test_on_whitened_rows_affine_maps_change_nothing_ties_included(name, kind):
    """Both data sets are rounded, so that many distances are equal; iris has equal rows."""
    x = load_dataset(name).X
    d = x.shape[1]
    tree = agglomerate(whitened(x), kind)
    rng = np.random.default_rng(7)
    for _ in range(3):
        matrix = rng.standard_normal((d, d)) + 2.0 * np.eye(d)
        mapped = agglomerate(whitened(x @ matrix.T + rng.standard_normal(d)), kind)
        np.testing.assert_array_equal(mapped.merges, tree.merges)
        np.testing.assert_allclose(mapped.costs, tree.costs, rtol=1e-9, atol=2.0**-34)


@pytest.mark.parametrize("kind", CRITERIA)
def test_a_weight_is_a_number_of_equal_rows(kind):
    rng = np.random.default_rng(3)
    x, weights = rng.standard_normal((30, 2)), rng.integers(1, 4, 30)
    weighted = agglomerate(x, kind, weights.astype(float))
    repeated = agglomerate(np.repeat(x, weights, axis=0), kind)
    for k in (2, 3, 5, 10):
        np.testing.assert_array_equal(
            np.repeat(weighted.labels(k), weights), repeated.labels(k), err_msg=f"{k} groups"
        )


@pytest.mark.parametrize("kind", CRITERIA)
def test_equal_rows_come_together_first(kind):
    x = np.repeat(np.random.default_rng(2).standard_normal((6, 3)), 5, axis=0)
    tree = agglomerate(x, kind)
    np.testing.assert_array_equal(tree.labels(6), np.repeat(np.arange(6), 5))


@pytest.mark.parametrize("kind", CRITERIA)
@pytest.mark.parametrize("n", [1, 2, 7])
def test_rows_that_are_all_equal_merge_in_their_order(kind, n):
    tree = agglomerate(np.full((n, 2), 3.0), kind)
    assert tree.merges.shape == (n - 1, 2)
    assert np.isfinite(tree.costs).all()
    np.testing.assert_array_equal(tree.labels(1), np.zeros(n))


@pytest.mark.parametrize("kind", CRITERIA)
def test_more_columns_than_rows(kind):
    x = np.random.default_rng(4).standard_normal((30, 40))
    x[:15] += 2.0
    tree = agglomerate(x, kind)
    assert np.isfinite(tree.costs).all()
    # A determinant of 40 columns and 30 rows is that of the stand-in, by and large.
    if kind != "VVV":
        np.testing.assert_array_equal(tree.labels(2), np.repeat([0, 1], 15))


def test_parallel_ellipsoids_are_told_apart_where_spheres_are_not():
    rng = np.random.default_rng(6)
    x = rng.standard_normal((200, 2)) * [6.0, 0.3]
    x[100:, 1] += 3.0
    truth = np.repeat([0, 1], 100)
    np.testing.assert_array_equal(agglomerate(x, "EEE").labels(2), truth)
    assert not np.array_equal(agglomerate(x, "EII").labels(2), truth)


def test_an_unknown_criterion_is_refused():
    with pytest.raises(InvalidParameterError, match="VVV, EEE, VII, EII"):
        agglomerate(np.eye(3), "XYZ")
