"""Passes over open rows: threads, repetition, row weights, and company in the process."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from plain_statistics import (
    discrepancy,
    one_pass,
    plain_statistics,
    random_mixture_arrays,
    same_bits,
)
from tolerances import KERNEL, SUMS

from bayesgmm.core import native
from bayesgmm.likelihood.em_steps import Rows, e_step, n_threads
from bayesgmm.mixture.mixture import Mixture


def in_new_process(code, **environment):
    """Standard output of a script, which must succeed within two minutes."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# A whole number of chunks, one row more, and a number of chunks that is no power of two.
@pytest.mark.parametrize("n", [64 * native.CHUNK, 64 * native.CHUNK + 1, 99_991])
@pytest.mark.parametrize(("d", "diagonal"), [(1, False), (2, False), (5, False), (3, True)])
def test_any_number_of_threads_gives_the_same_bits(n, d, diagonal):
    rng = np.random.default_rng([n, d])
    parameters = random_mixture_arrays(rng, 4, d, diagonal=diagonal)
    x = rng.standard_normal((n, d))
    v = rng.uniform(0.0, 2.0, n)
    alone = one_pass(x, v, parameters, threads=1)
    for threads in 2, 3, 5:
        rows = Rows(x, v, threads=threads)
        assert all(same_bits(rows.e_step(*parameters), alone) for _ in range(3))


def test_threads_sum_to_the_definition():
    rng = np.random.default_rng(1)
    parameters = random_mixture_arrays(rng, 3, 4)
    x = rng.standard_normal((40 * native.CHUNK + 77, 4))
    found = Rows(x, threads=3).e_step(*parameters)
    assert discrepancy(found, plain_statistics(x, *parameters)) <= KERNEL


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted by /proc")
@pytest.mark.parametrize(("n", "threads", "expected"), [(4_000_000, 3, 3), (100, 3, 1)])
def test_threads_are_as_many_as_asked_for_and_end_with_the_pass(n, threads, expected):
    out = in_new_process(
        f"""
        import os, threading, time
        import numpy as np
        from bayesgmm.likelihood.em_steps import Rows

        def count():
            return len(os.listdir("/proc/self/task"))

        x = np.zeros(({n}, 2))
        theta = (np.full(4, 0.25), np.zeros((4, 2)), np.array([np.eye(2)] * 4))
        rows = Rows(x, threads={threads})
        seen = []
        over = threading.Event()

        def watch():
            while not over.is_set():
                seen.append(count())
                time.sleep(0.0005)

        watcher = threading.Thread(target=watch)
        watcher.start()
        before = count()
        for _ in range(20):
            rows.e_step(*theta)
        over.set()
        watcher.join()
        # The system may show a thread for a moment after it has been joined.
        deadline = time.monotonic() + 5.0
        while count() >= before and time.monotonic() < deadline:
            time.sleep(0.001)
        print(max(seen) - before + 1, count() - before + 1)
        """
    )
    # A short pass ends before a second thread has begun.
    assert out.split() == [str(expected), "0"]


def test_threads_by_default(monkeypatch):
    assert n_threads() >= 1
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", "3")
    assert n_threads() == Rows(np.zeros((1, 1))).most_threads == 3


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("diagonal", [False, True])
def test_passes_at_other_parameters_do_not_see_one_another(diagonal, threads):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((40_000, 3))
    several = [random_mixture_arrays(rng, 4, 3, diagonal=diagonal) for _ in range(6)]
    fresh = [one_pass(x, None, each, threads=1) for each in several]
    rows = Rows(x, threads=threads)
    for _ in range(5):
        for each, expected in zip(several, fresh, strict=True):
            assert same_bits(rows.e_step(*each), expected)


def test_statistics_outlive_the_next_pass_and_the_rows():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((50_000, 2))
    one, other = (random_mixture_arrays(rng, 4, 2) for _ in range(2))
    for threads in 1, 2:
        rows = Rows(x, threads=threads)
        first = rows.e_step(*one)
        kept = [first.counts.copy(), first.firsts.copy(), first.seconds.copy()]
        rows.e_step(*other)
        del rows
        assert np.array_equal(first.counts, kept[0])
        assert np.array_equal(first.firsts, kept[1])
        assert np.array_equal(first.seconds, kept[2])


def test_neither_data_nor_parameters_are_modified():
    rng = np.random.default_rng(6)
    x, v = rng.standard_normal((5000, 3)), rng.uniform(0.0, 2.0, 5000)
    parameters = random_mixture_arrays(rng, 3, 3)
    given = [x, v, *parameters]
    before = [each.copy() for each in given]
    one_pass(x, v, parameters)
    assert all(np.array_equal(a, b) for a, b in zip(given, before, strict=True))


def test_read_only_data_give_the_same_bits():
    rng = np.random.default_rng(7)
    mixture = Mixture(*random_mixture_arrays(rng, 3, 2))
    x = rng.standard_normal((5000, 2))
    expected = e_step(x, mixture)
    x.flags.writeable = False
    assert same_bits(e_step(x, mixture), expected)


def test_several_rows_open_in_several_threads():
    rng = np.random.default_rng(8)
    jobs = []
    for i, diagonal in enumerate([False, True, False, True]):
        x = rng.standard_normal((60_000 + 1000 * i, 2 + i % 3))
        parameters = random_mixture_arrays(rng, 4, x.shape[1], diagonal=diagonal)
        expected = one_pass(x, None, parameters, threads=1)
        jobs.append((x, parameters, expected))
    wrong = []

    def work(i, x, parameters, expected):
        rows = Rows(x, threads=2)
        wrong.extend(i for _ in range(20) if not same_bits(rows.e_step(*parameters), expected))

    threads = [threading.Thread(target=work, args=(i, *job)) for i, job in enumerate(jobs)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(timeout=60)
        assert not each.is_alive()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("opened", ["before", "after"])
def test_rows_in_a_forked_child(opened):
    out = in_new_process(
        f"""
        import os, warnings
        import numpy as np
        from bayesgmm.likelihood.em_steps import Rows

        warnings.simplefilter("ignore", DeprecationWarning)
        x = np.random.default_rng(1).standard_normal((80_000, 2))
        theta = (np.full(4, 0.25), np.arange(8.0).reshape(4, 2) / 4, np.array([np.eye(2)] * 4))
        rows = Rows(x, threads=3)
        here = rows.e_step(*theta)
        child = os.fork()
        if child == 0:
            if {opened!r} == "after":
                rows = Rows(x, threads=3)
            same = all(
                np.array_equal(rows.e_step(*theta).seconds, here.seconds) for _ in range(3)
            )
            os._exit(0 if same else 3)
        _, status = os.waitpid(child, 0)
        print("child", os.waitstatus_to_exitcode(status))
        print("parent", np.array_equal(rows.e_step(*theta).seconds, here.seconds))
        """
    )
    assert out.split() == ["child", "0", "parent", "True"]


def test_a_pass_leaves_other_python_threads_running():
    rng = np.random.default_rng(10)
    x = rng.standard_normal((400_000, 16))
    parameters = random_mixture_arrays(rng, 16, 16)
    rows = Rows(x, threads=1)
    rows.e_step(*parameters)
    ticks = []
    over = threading.Event()

    def tick():
        while not over.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    start = time.perf_counter()
    rows.e_step(*parameters)
    end = time.perf_counter()
    over.set()
    ticker.join()
    length = end - start
    inside = sum(start + 0.1 * length < each < end - 0.1 * length for each in ticks)
    # With the lock held there would be none at all.
    assert length > 0.02
    assert inside >= 5


@pytest.mark.parametrize("diagonal", [False, True])
def test_a_row_weight_of_zero_is_removal(diagonal):
    rng = np.random.default_rng([11, diagonal])
    parameters = random_mixture_arrays(rng, 3, 3, diagonal=diagonal)
    x = rng.standard_normal((2500, 3))
    v = (rng.random(2500) < 0.6).astype(float)
    weighted = one_pass(x, v, parameters)
    removed = one_pass(x[v > 0].copy(), None, parameters)
    assert_close(weighted, removed)
    assert weighted.weight == pytest.approx(v.sum(), rel=SUMS)


@pytest.mark.parametrize("diagonal", [False, True])
def test_integer_row_weights_are_repetition(diagonal):
    rng = np.random.default_rng([12, diagonal])
    parameters = random_mixture_arrays(rng, 3, 3, diagonal=diagonal)
    x = rng.standard_normal((2500, 3))
    times = rng.integers(0, 5, 2500)
    weighted = one_pass(x, times.astype(float), parameters)
    repeated = one_pass(np.repeat(x, times, axis=0), None, parameters)
    assert_close(weighted, repeated)


@pytest.mark.parametrize("diagonal", [False, True])
def test_all_row_weights_zero_leave_nothing(diagonal):
    rng = np.random.default_rng(13)
    parameters = random_mixture_arrays(rng, 2, 2, diagonal=diagonal)
    rows = Rows(rng.standard_normal((500, 2)), np.zeros(500))
    found = rows.e_step(*parameters)
    assert (found.log_likelihood, found.weight) == (0.0, 0.0)
    assert not found.counts.any()
    assert not found.seconds.any()


def assert_close(a, b):
    variances = a.seconds if a.seconds.ndim == 2 else np.einsum("kii->ki", a.seconds)
    assert a.log_likelihood == pytest.approx(b.log_likelihood, rel=SUMS)
    assert a.weight == pytest.approx(b.weight, rel=SUMS)
    np.testing.assert_allclose(a.counts, b.counts, rtol=SUMS)
    scale = np.sqrt(a.counts[:, None] * variances)
    np.testing.assert_allclose(a.firsts / scale, b.firsts / scale, rtol=0, atol=SUMS)
    if a.seconds.ndim == 3:
        scale = np.sqrt(variances[:, :, None] * variances[:, None, :])
    else:
        scale = variances
    np.testing.assert_allclose(a.seconds / scale, b.seconds / scale, rtol=0, atol=SUMS)
