"""Passes and runs by several threads of the core, several of them at once.

Few imports and short runs: CI repeats this file under a thread sanitizer.
"""

import threading

import numpy as np
import pytest

from bayesgmm.core import native

VVV = (2, 2, 2)
MODEL = VVV, None, None, None, False, np.inf


def rows(seed, n=30_000, d=3):
    return np.random.default_rng(seed).standard_normal((n, d)) + np.arange(n)[:, None] % 2


def start(k=4, d=3):
    means = np.linspace(-1.0, 2.0, k)[:, None] * np.ones(d)
    return np.full(k, 1 / k), means, np.array([np.eye(d)] * k)


def one_pass(x, threads):
    return native.e_step(x, None, np.zeros(3), np.ones(3), None, None, *start(), threads, True)[1]


def one_run(x, threads, plain=3):
    theta, *_ = native.run_em(
        x, None, np.zeros(3), np.ones(3), None, None, MODEL, *start(),
        (-1.0, np.nan, 12, -np.inf, plain, False), None, threads,
    )  # fmt: skip
    return theta


@pytest.mark.parametrize("work", [one_pass, one_run])
@pytest.mark.parametrize("threads", [2, 3, 8])
def test_threads_change_no_bit(work, threads):
    x = rows(1)
    np.testing.assert_array_equal(work(x, threads), work(x, 1))


def test_several_runs_at_once():
    data = [rows(seed) for seed in range(4)]
    expected = [one_run(x, 1) for x in data]
    found = [None] * 4

    def run(i):
        for _ in range(3):
            found[i] = one_run(data[i], 2 + i % 2)

    team = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for each in team:
        each.start()
    for each in team:
        each.join(timeout=300)
        assert not each.is_alive()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_draws_are_shared_among_threads():
    rng = np.random.default_rng(2)
    x, t = rows(3, 2000), 40
    weights, means, covariances = start()
    draws = (
        np.tile(weights, (t, 1)),
        means + 0.1 * rng.standard_normal((t, 4, 3)),
        np.tile(covariances, (t, 1, 1, 1)),
        False,
    )
    units = (None, np.zeros(3), np.ones(3), None, None)
    q = rng.random((len(x), 4))
    permutations = np.array([rng.permutation(4) for _ in range(t)])
    for threads in 2, 5:
        for one, other in [
            (native.drawn_tables(x, *units, draws, False, each, q) for each in (1, threads)),
            (native.drawn_average(x, *units, draws, True, each, permutations)
             for each in (1, threads)),
            (native.drawn_densities(x, *units, draws, False, each) for each in (1, threads)),
            (native.drawn_allocations(x, *units, draws, False, each, 7) for each in (1, threads)),
        ]:  # fmt: skip
            for a, b in zip(one[1:], other[1:], strict=True):
                np.testing.assert_array_equal(a, b)
