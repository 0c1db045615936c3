"""Each method against R's label.switching, and against its own definition by brute force."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from memberships import Probabilities

from bayesgmm import Mixture
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.labels import relabelling_methods as methods
from bayesgmm.labels.assignment import assign, composed, inverse
from bayesgmm.labels.memberships import Allocations, Responsibilities
from bayesgmm.posterior.draws import Draws

# Made with label.switching 1.8 in R 4.2.2: `_about` in the file says how to read it.
FIXTURE = json.loads((Path(__file__).parent / "label_switching_k3.json").read_text())["fix3"]
K = FIXTURE["K"]
Y = np.array(FIXTURE["y"])[:, None]
Z = np.array(FIXTURE["z"])
THETA = np.array(FIXTURE["theta"])
BEST = FIXTURE["best"]
DRAWS = Draws(
    THETA[None, :, :, 2], THETA[None, :, :, 0][..., None], THETA[None, :, :, 1][..., None, None]
)
P = np.array(
    [Mixture(draw[:, 2] / draw[:, 2].sum(), draw[:, 0], draw[:, 1]).responsibilities(Y)
     for draw in THETA]
)  # fmt: skip


def reference(method):
    return np.array(FIXTURE["perms"][method])


def as_reference(permutations, expected):
    """Permutations followed by the one permutation that makes the first draw's equal."""
    common = composed(inverse(permutations[0]), expected[0])
    return composed(permutations, np.tile(common, (len(permutations), 1)))


def misplaced(z, permutations, pivot):
    labels = np.take_along_axis(inverse(permutations), z, axis=1)
    return (labels != pivot).sum(axis=1)


@pytest.mark.parametrize(
    "memberships",
    [Probabilities(P), Responsibilities(DRAWS, Data(Y, None))],
    ids=["given", "formed"],
)
def test_stephens_equals_r_on_every_draw(memberships):
    expected = reference("STEPHENS")
    found = methods.stephens(memberships)
    assert found.settled
    np.testing.assert_array_equal(as_reference(found.permutations, expected), expected)


def test_pra_equals_r_on_every_draw():
    found = methods.pra(THETA, THETA[BEST])
    np.testing.assert_array_equal(found.permutations, reference("PRA"))


def test_ecr_costs_what_r_s_does():
    found = methods.ecr(Allocations(Z, K), Z[BEST])
    np.testing.assert_array_equal(found.costs, misplaced(Z, found.permutations, Z[BEST]))
    np.testing.assert_array_equal(found.costs, misplaced(Z, reference("ECR"), Z[BEST]))
    clear = found.ambiguity > 0
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(found.permutations[clear], reference("ECR")[clear])


@pytest.mark.parametrize(("method", "averaged"), [(1, Allocations(Z, K)), (2, Probabilities(P))])
def test_iterative_ecr_costs_what_r_s_does(method, averaged):
    expected = reference(f"ECR-ITERATIVE-{method}")
    found = methods.ecr_iterative(Allocations(Z, K), averaged)
    assert found.settled
    pivot = averaged.average(expected).argmax(axis=1)
    np.testing.assert_array_equal(found.costs, misplaced(Z, expected, pivot))
    mine = as_reference(found.permutations, expected)
    clear = found.ambiguity > 0
    np.testing.assert_array_equal(mine[clear], expected[clear])


def test_ordering_equals_r_on_every_draw():
    found = methods.ordered(THETA[:, :, 0])
    np.testing.assert_array_equal(found.permutations, reference("AIC"))
    gaps = np.diff(np.sort(THETA[:, :, 0], axis=1), axis=1).min(axis=1)
    np.testing.assert_allclose(found.ambiguity, gaps, atol=1e-14)


def test_data_based_labels_agree_with_r_s():
    """R renews means after every draw, starting from where the rows lie: costs may differ a bit."""
    expected = reference("DATA-BASED")
    start = methods.ecr(Allocations(Z, K), Z[BEST]).permutations
    found = methods.data_based(Allocations(Z, K), Y, start)
    assert found.settled
    equal = (as_reference(found.permutations, expected) == expected).all(axis=1)
    assert equal.mean() > 0.95


# --- definitions ----------------------------------------------------------------------------------


def every_permutation(k):
    return np.array(list(itertools.permutations(range(k))))


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("integers", [False, True])
def test_best_and_second_best_of_all_permutations(k, integers):
    rng = np.random.default_rng(k)
    costs = rng.standard_normal((200, k, k))
    if integers:
        # Ties in abundance: whole numbers are added up exactly.
        costs = np.rint(2 * costs)
    every = every_permutation(k)
    totals = costs[:, np.arange(k), every].sum(axis=-1)
    totals.sort(axis=1)
    found = assign(costs)
    second = totals[:, 1] - totals[:, 0] if k > 1 else np.full(200, np.inf)
    np.testing.assert_allclose(found.costs, totals[:, 0], atol=1e-13)
    np.testing.assert_allclose(found.ambiguity, second, atol=1e-13)
    chosen = np.take_along_axis(costs, found.permutations[..., None], axis=2)[..., 0]
    np.testing.assert_allclose(chosen.sum(axis=1), totals[:, 0], atol=1e-13)


def test_many_components_against_scipy():
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(20)
    costs = rng.gamma(1.0, size=(50, 20, 20))
    found = assign(costs)
    for cost, total, ambiguity in zip(costs, found.costs, found.ambiguity, strict=True):
        rows, columns = linear_sum_assignment(cost)
        best = cost[rows, columns].sum()
        np.testing.assert_allclose(total, best, rtol=1e-13)
        # The second best lacks at least one of the best's pairs.
        others = []
        for row, column in zip(rows, columns, strict=True):
            forbidden = cost.copy()
            forbidden[row, column] = 1e6
            others.append(forbidden[linear_sum_assignment(forbidden)].sum())
        np.testing.assert_allclose(total + ambiguity, min(others), rtol=1e-13)


def test_memberships_of_every_form_have_the_same_sums():
    rng = np.random.default_rng(7)
    q = rng.standard_normal((len(Y), 4))
    permutations = rng.permuted(np.tile(np.arange(K), (len(Z), 1)), axis=1)
    hard = np.eye(K)[P.argmax(axis=2)]
    pairs = [
        (Allocations(Z, K), Probabilities(np.eye(K)[Z])),
        (Responsibilities(DRAWS, Data(Y, None)), Probabilities(P)),
        (Responsibilities(DRAWS, Data(Y, None), hard=True), Probabilities(hard)),
    ]
    for one, other in pairs:
        assert one.shape == other.shape
        np.testing.assert_allclose(one.tables(q), other.tables(q), atol=1e-12)
        np.testing.assert_allclose(
            one.average(permutations), other.average(permutations), atol=1e-12
        )


def test_log_likelihoods_of_draws():
    found = Responsibilities(DRAWS, Data(Y, None)).log_likelihoods()
    expected = [DRAWS.mixture(0, t).log_density(Y).sum() for t in range(len(THETA))]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_stephens_brute_force_fixed_point():
    """No permutation of any draw has a smaller divergence from the mean that the result has."""
    found = methods.stephens(Probabilities(P))
    moved = np.take_along_axis(P, found.permutations[:, None, :], axis=2)
    q = np.maximum(moved.mean(axis=0), 1e-6)
    for draw, best in zip(P, found.permutations, strict=True):
        costs = [
            np.sum(draw[:, every] * (np.log(np.maximum(draw[:, every], 1e-300)) - np.log(q)))
            for every in every_permutation(K)
        ]
        np.testing.assert_array_equal(every_permutation(K)[int(np.argmin(costs))], best)


def test_what_is_no_membership_is_said():
    with pytest.raises(InputError, match=r"between 0 and 2 .* from 0 to 3"):
        Allocations([[0, 3]], 3)
    with pytest.raises(InputError, match="integers of shape"):
        Allocations([0.5], 3)
    with pytest.raises(InvalidParameterError, match="from 0 to 3"):
        methods.ecr(Allocations(Z, K), np.full(len(Y), 3) * (np.arange(len(Y)) > 0))
    with pytest.raises(InputError, match=r"1 of 2 draws .*first: draw 1"):
        assign(np.array([np.eye(2), [[0, np.nan], [1, 1]]]))
