"""Statistics add: over any split of rows, and only where they mean the same."""

import numpy as np
import pytest
from cases import one_pass, random_parameters, relative_difference
from tolerances import SUMS

from bayesgmm.core import native
from bayesgmm.errors import InputError


def split(x, size):
    return [x[a : a + size].copy() for a in range(0, len(x), size)]


@pytest.mark.parametrize(("n", "size"), [(1111, 1), (3001, 7), (5500, 1000), (5500, native.CHUNK)])
@pytest.mark.parametrize("d", [1, 3])
def test_chunks_sum_to_the_whole(structure, d, n, size):
    rng = np.random.default_rng([n, d])
    theta = random_parameters(structure, rng, 3, d)
    x = rng.standard_normal((n, d))
    first, *rest = (one_pass(each, theta) for each in split(x, size))
    assert relative_difference(one_pass(x, theta), sum(rest, first)) <= SUMS


def test_uneven_chunks_in_any_order_sum_to_the_whole(structure):
    rng = np.random.default_rng(1)
    theta = random_parameters(structure, rng, 3, 2)
    x = rng.standard_normal((5000, 2))
    chunks = np.split(x, np.sort(rng.choice(5000, 20, replace=False)))
    order = rng.permutation(len(chunks))
    first, *rest = (one_pass(chunks[i].copy(), theta) for i in order)
    assert relative_difference(one_pass(x, theta), sum(rest, first)) <= SUMS


@pytest.mark.parametrize("n", [4096, 8192, 8192 - 100])
def test_whole_subtrees_sum_to_the_same_bits(structure, n):
    rng = np.random.default_rng(n)
    theta = random_parameters(structure, rng, 3, 3)
    x = rng.standard_normal((n, 3))
    whole = one_pass(x, theta)
    parts = [one_pass(each, theta) for each in split(x, 2 * native.CHUNK)]
    while len(parts) > 1:
        parts = [parts[i] + parts[i + 1] for i in range(0, len(parts), 2)]
    assert parts[0].log_likelihood == whole.log_likelihood
    assert parts[0].weight == whole.weight
    assert np.array_equal(parts[0].counts, whole.counts)
    assert np.array_equal(parts[0].firsts, whole.firsts)
    if structure.diagonal:
        assert np.array_equal(parts[0].seconds, whole.seconds)
    else:
        # Full second moments are centred once a pass, after its own rows are summed.
        assert relative_difference(whole, parts[0]) <= SUMS


def test_statistics_about_other_means_do_not_add(structure):
    rng = np.random.default_rng(2)
    theta = random_parameters(structure, rng, 3, 2)
    means = theta.means.copy()
    means[1, 0] = np.nextafter(means[1, 0], np.inf)
    x = rng.standard_normal((100, 2))
    here = one_pass(x, theta)
    there = one_pass(x, theta._replace(means=means))
    with pytest.raises(InputError, match=r"different means \(component 1:"):
        here + there
    # Equal means in another array do add.
    twice = here + one_pass(x, theta._replace(means=theta.means.copy()))
    assert twice.weight == 200.0


def test_statistics_of_other_shapes_do_not_add(structure):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((100, 2))
    two, three = (one_pass(x, random_parameters(structure, rng, k, 2)) for k in (2, 3))
    with pytest.raises(InputError, match="do not add"):
        two + three
    with pytest.raises(TypeError):
        two + 1.0


def test_a_row_weight_is_repetition(structure):
    rng = np.random.default_rng(4)
    theta = random_parameters(structure, rng, 3, 2)
    x = rng.standard_normal((1500, 2))
    times = rng.integers(0, 4, 1500)
    weighted = one_pass(x, theta, times.astype(float))
    repeated = one_pass(np.repeat(x, times, axis=0), theta)
    assert relative_difference(weighted, repeated) <= SUMS


def test_row_weights_are_linear(structure):
    rng = np.random.default_rng(5)
    theta = random_parameters(structure, rng, 3, 2)
    x = rng.standard_normal((1500, 2))
    u, v = rng.uniform(0.0, 2.0, (2, 1500))
    parts = one_pass(x, theta, u) + one_pass(x, theta, v)
    assert relative_difference(one_pass(x, theta, u + v), parts) <= SUMS
