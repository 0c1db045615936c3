"""Passes by the workers of a cluster: the bits of one thread, few tasks, nothing left behind."""

import asyncio
import os
import signal
import threading
import time

import numpy as np
import pytest
from distributed import Client
from distributed.diagnostics.plugin import SchedulerPlugin
from executor_rows import (
    ArrayRows,
    BadRows,
    FailsAt,
    MadeRows,
    Slow,
    WatchedRows,
    Weighted,
    first_row,
    large_value,
    moments,
)

from bayesgmm.errors import ExecutorError, InvalidParameterError, SingularCovarianceError
from bayesgmm.executors import DaskExecutor, SerialExecutor


def total(executor, source, block_rows, of_block=moments):
    with executor.open(source, block_rows) as rows:
        return rows.sum(of_block)


def until(holds, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "It did not come to hold."
        time.sleep(0.01)


class Finished(SchedulerPlugin):
    """Keys of the tasks that were finished."""

    def __init__(self):
        self.keys = []

    def transition(self, key, start, finish, *args, **kwargs):
        if start == "processing" and finish == "memory":
            self.keys.append(key)

    def count(self, name):
        return sum(str(key).startswith(name) for key in self.keys)


@pytest.fixture
def finished(client):
    plugin = Finished()
    client.cluster.scheduler.add_plugin(plugin, name="finished")
    yield plugin
    client.cluster.scheduler.remove_plugin("finished")


@pytest.mark.parametrize(("n_rows", "block_rows"), [(0, 7), (1, 7), (1001, 7), (1000, 1000)])
def test_same_bits(client, n_rows, block_rows):
    source = MadeRows(n_rows)
    by_workers = total(DaskExecutor(client), source, block_rows)
    assert by_workers.tobytes() == total(SerialExecutor(), source, block_rows).tobytes()


def test_same_bits_on_one_worker(a_client):
    source = MadeRows(1001)
    with a_client(1) as client:
        by_worker = total(DaskExecutor(client), source, 7)
    assert by_worker.tobytes() == total(SerialExecutor(), source, 7).tobytes()


def test_functions_that_only_this_process_knows(client):
    def of_block(block):
        return block.x.sum(axis=0)

    by_workers = total(DaskExecutor(client), MadeRows(100), 7, of_block)
    assert by_workers.tobytes() == total(SerialExecutor(), MadeRows(100), 7, of_block).tobytes()


def test_as_many_tasks_in_each_pass_and_none_left(client, finished):
    scheduler = client.cluster.scheduler
    with DaskExecutor(client).open(MadeRows(1001), 7) as rows:
        first = rows.sum(moments)
        n_loads = finished.count("load-rows")
        assert 8 <= n_loads <= 32
        for _ in range(49):
            assert rows.sum(moments).tobytes() == first.tobytes()
            assert len(client.futures) <= 2 * n_loads
        assert finished.count("load-rows") == n_loads
        assert finished.count("sum-of-rows") == 50 * n_loads
        until(lambda: len(client.futures) == n_loads == len(scheduler.tasks))
    until(lambda: not client.futures and not scheduler.tasks)


def test_rows_in_memory_are_sent_once(client, finished):
    messages = []

    class Watched(ArrayRows):
        def __reduce__(self):
            messages.append(1)
            return ArrayRows, (self.x,)

    source = Watched(MadeRows(100_000).read(0, 100_000).x)
    with DaskExecutor(client).open(source, 5000) as rows:
        sums = {rows.sum(moments).tobytes() for _ in range(3)}
    assert sums == {total(SerialExecutor(), source, 5000).tobytes()}
    assert len(messages) == 1  # to see that it is large
    assert finished.count("hold-rows") == 10
    until(lambda: not client.futures and not client.cluster.scheduler.tasks)


def test_an_error_while_rows_are_sent(client):
    class Damaged(ArrayRows):
        def read(self, start, stop):
            if start >= 50_000:
                raise ValueError("Row 50000 is damaged.")
            return super().read(start, stop)

    source = Damaged(MadeRows(100_000).read(0, 100_000).x)
    with (
        pytest.raises(ValueError, match="damaged") as caught,
        DaskExecutor(client).open(source, 5000),
    ):
        pass
    assert "In block 10 of 20 (rows 50000 to 54999" in caught.value.__notes__[0]
    until(lambda: not client.futures and not client.cluster.scheduler.tasks)


def test_a_large_function_is_sent_once(client, finished):
    factors = np.random.default_rng(0).standard_normal(300_000)
    by_workers = total(DaskExecutor(client), MadeRows(500), 7, Weighted(factors))
    serial = total(SerialExecutor(), MadeRows(500), 7, Weighted(factors))
    assert by_workers.tobytes() == serial.tobytes()
    assert finished.count("function-of-rows") == 1
    until(lambda: not client.futures)


@pytest.mark.parametrize("n_rows", [0, 1, 50])
def test_values_in_order(client, n_rows):
    source = MadeRows(n_rows)
    with DaskExecutor(client).open(source, 3) as rows:
        values = list(rows.each(first_row))
    np.testing.assert_array_equal(np.concatenate(values), source.read(0, n_rows).x[::3])
    until(lambda: not client.futures)


def test_values_that_take_longer_to_come_than_a_look_at_the_workers(client):
    with DaskExecutor(client, no_worker_timeout=1.0).open(MadeRows(2), 1) as rows:
        values = list(rows.each(large_value))
    assert [each.nbytes for each in values] == [80_000_000] * 2


def test_look_ahead_is_bounded(client, finished):
    with DaskExecutor(client).open(MadeRows(60), 1) as rows:
        values = rows.each(first_row)
        next(values)
        time.sleep(0.3)
        assert finished.count("value-of-rows") <= 6
        values.close()
        assert sum(1 for _ in rows.each(first_row)) == 60


def test_an_error_names_the_first_block(client):
    source = MadeRows(1000)
    with DaskExecutor(client).open(source, 7) as rows:
        with pytest.raises(ZeroDivisionError, match="no weight") as caught:
            rows.sum(FailsAt(source, 30))
        assert caught.value.__notes__ == ["In block 4 of 143 (rows 28 to 34, counted from 0)."]
        with pytest.raises(ZeroDivisionError):
            list(rows.each(FailsAt(source, 30)))
        assert rows.sum(moments).tobytes() == total(SerialExecutor(), source, 7).tobytes()
    until(lambda: not client.futures and not client.cluster.scheduler.tasks)


def test_an_error_of_the_source(client):
    with pytest.raises(ValueError, match="Row 12 is damaged") as caught:
        total(DaskExecutor(client), BadRows(100, 12), 10)
    assert "In block 1 of 10 (rows 10 to 19" in caught.value.__notes__[0]


@pytest.mark.parametrize("error", [SingularCovarianceError(3), TimeoutError("A disk is slow.")])
def test_errors_arrive_as_they_were(client, error):
    source = MadeRows(100)
    with pytest.raises(type(error)) as caught:
        total(DaskExecutor(client), source, 7, FailsAt(source, 30, error))
    assert str(caught.value) == str(error)
    assert getattr(caught.value, "component", None) == getattr(error, "component", None)
    assert "In block 4" in caught.value.__notes__[0]


def test_an_error_cancels_the_rest(client, finished, tmp_path):
    def of_block(block):
        time.sleep(0.1)
        raise ZeroDivisionError

    with DaskExecutor(client).open(MadeRows(1600), 100) as rows:
        rows.sum(moments)
        with pytest.raises(ZeroDivisionError):
            rows.sum(of_block)
        until(lambda: len(client.cluster.scheduler.tasks) == len(rows.loads) == 16)
        before = time.monotonic()
        rows.sum(moments)
        assert time.monotonic() - before < 0.7  # 16 blocks take two workers .8 seconds


def test_control_c(client, tmp_path):
    source, begun = MadeRows(100), tmp_path / "begun"

    def interrupt():
        until(begun.exists)
        os.kill(os.getpid(), signal.SIGINT)

    with DaskExecutor(client).open(source, 1) as rows:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            rows.sum(Slow(begun, 0.05))
        thread.join()
        assert rows.sum(moments).tobytes() == total(SerialExecutor(), source, 1).tobytes()
    assert client.submit(len, "abc").result() == 3
    until(lambda: not client.futures and not client.cluster.scheduler.tasks)


@pytest.mark.parametrize("client", [None, "tcp://127.0.0.1:8786", WatchedRows], indirect=False)
def test_no_client(client):
    with pytest.raises(InvalidParameterError, match="client must be a dask"):
        DaskExecutor(client)


def test_asynchronous_client(client):
    async def executor():
        async with Client(client.cluster.scheduler_address, asynchronous=True) as other:
            DaskExecutor(other)

    with pytest.raises(InvalidParameterError, match="asynchronous"):
        asyncio.run(executor())


@pytest.mark.parametrize(
    ("name", "value"),
    [("retries", -1), ("retries", 1.5), ("no_worker_timeout", 0.0), ("no_worker_timeout", "3")],
)
def test_bad_parameters(client, name, value):
    with pytest.raises(InvalidParameterError, match=name):
        DaskExecutor(client, **{name: value})


def test_closed_client(client):
    other = Client(client.cluster, set_as_default=False)
    other.close()
    with (
        pytest.raises(ExecutorError, match="client is closed"),
        DaskExecutor(other).open(MadeRows(3), 1),
    ):
        pass
