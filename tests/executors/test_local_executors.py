"""Passes by one thread and by several: the same bits, few blocks in memory, errors."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from executor_rows import BadRows, FailsAt, MadeRows, Slow, WatchedRows, first_row, moments

from bayesgmm.errors import InvalidParameterError
from bayesgmm.executors import SerialExecutor, ThreadExecutor

EXECUTORS = [SerialExecutor(), *map(ThreadExecutor, (None, 1, 2, 5))]


def total(executor, source, block_rows, of_block=moments):
    with executor.open(source, block_rows) as rows:
        return rows.sum(of_block)


@pytest.mark.parametrize("block_rows", [1, 7, 64, 1000, 5000])
@pytest.mark.parametrize("n_rows", [0, 1, 999, 1000, 1001])
def test_same_bits_and_a_plain_sum(n_rows, block_rows):
    source = MadeRows(n_rows)
    sums = [total(executor, source, block_rows) for executor in EXECUTORS]
    assert len({each.tobytes() for each in sums}) == 1
    np.testing.assert_allclose(sums[0], moments(source.read(0, n_rows)), rtol=1e-12)


def test_several_passes():
    with ThreadExecutor(3).open(MadeRows(500), 7) as rows:
        assert len({rows.sum(moments).tobytes() for _ in range(20)}) == 1


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("n_rows", [0, 1, 100])
def test_values_in_order(executor, n_rows):
    source = MadeRows(n_rows)
    with executor.open(source, 7) as rows:
        values = list(rows.each(first_row))
    np.testing.assert_array_equal(np.concatenate(values), source.read(0, n_rows).x[::7])


def test_look_ahead_is_bounded():
    source = WatchedRows(MadeRows(100))
    with ThreadExecutor(2).open(source, 1) as rows:
        values = rows.each(moments)
        next(values)
        time.sleep(0.2)
        assert len(source.read_at) <= 4
        next(values)
        time.sleep(0.2)
        assert len(source.read_at) <= 5
        values.close()
    assert len(source.read_at) <= 5


def test_as_many_blocks_in_memory_as_threads():
    now, most, lock = 0, 0, threading.Lock()

    class Counted(MadeRows):
        def read(self, start, stop):
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            return super().read(start, stop)

    def of_block(block):
        nonlocal now
        time.sleep(0.002)
        with lock:
            now -= 1
        return moments(block)

    total(ThreadExecutor(3), Counted(60), 1, of_block)
    assert most == 3


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_error_names_the_first_block(executor):
    source = MadeRows(1000)
    with executor.open(source, 7) as rows:
        with pytest.raises(ZeroDivisionError, match="no weight") as caught:
            rows.sum(FailsAt(source, 30))
        assert caught.value.__notes__ == ["In block 4 of 143 (rows 28 to 34, counted from 0)."]
        with pytest.raises(ZeroDivisionError):
            list(rows.each(FailsAt(source, 30)))
        assert rows.sum(moments).tobytes() == total(SerialExecutor(), source, 7).tobytes()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_error_of_the_source(executor):
    with pytest.raises(ValueError, match="Row 12 is damaged") as caught:
        total(executor, BadRows(100, 12), 10)
    assert "In block 1 of 10 (rows 10 to 19" in caught.value.__notes__[0]


def test_the_first_error_is_raised_and_the_rest_left_out():
    """Block 1 fails at once, block 0 later: what is raised does not depend on the threads."""
    source = WatchedRows(MadeRows(1000))

    def fails(block):
        if block.x[0, 0] == 1e4:  # row 0
            time.sleep(0.1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        total(ThreadExecutor(2), source, 1, fails)
    assert "In block 0" in caught.value.__notes__[0]
    assert len(source.read_at) <= 8


@pytest.mark.parametrize("executor", [SerialExecutor(), ThreadExecutor(2)])
def test_control_c(executor, tmp_path):
    source, begun = WatchedRows(MadeRows(400)), tmp_path / "begun"
    n_threads = threading.active_count()

    def interrupt():
        while not begun.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    with executor.open(source, 1) as rows:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            rows.sum(Slow(begun, 0.05))
        thread.join()
        assert len(source.read_at) < 20
        assert rows.sum(moments).tobytes() == total(SerialExecutor(), source, 1).tobytes()
    assert threading.active_count() == n_threads


@pytest.mark.parametrize("n_threads", [0, -1, 1.0, True, "2"])
def test_bad_numbers_of_threads(n_threads):
    with pytest.raises(InvalidParameterError, match="n_threads must be an integer"):
        ThreadExecutor(n_threads)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_bad_block_rows(executor):
    with pytest.raises(InvalidParameterError, match="block_rows"), executor.open(MadeRows(3), 0):
        pass


def test_vectors_of_other_lengths():
    with pytest.raises(InvalidParameterError, match="vectors of one length"):
        total(SerialExecutor(), MadeRows(3), 2, lambda block: block.x[:, 0])
