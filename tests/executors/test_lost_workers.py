"""Workers that are killed: the bits of one thread, or an error after a bounded time."""

import os
import signal
import threading
import time

import pytest
from distributed import wait
from executor_rows import (
    ArrayRows,
    KillsItsProcess,
    MadeRows,
    RowsThatKill,
    Slow,
    kill,
    kill_all,
    moments,
)

from bayesgmm.errors import BayesGMMError, ExecutorError
from bayesgmm.executors import DaskExecutor, SerialExecutor

SOURCE = MadeRows(500)


def serial(source=SOURCE, block_rows=7):
    with SerialExecutor().open(source, block_rows) as rows:
        return rows.sum(moments).tobytes()


@pytest.fixture(autouse=True)
def no_hang():
    """End a test that hangs by an exception in the main thread."""

    def alarm(*_):
        raise AssertionError("The test hangs.")

    before = signal.signal(signal.SIGALRM, alarm)
    signal.alarm(50)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("fatal", [0, 2, 4])
def test_a_worker_dies_in_a_pass(client, tmp_path, fatal):
    with DaskExecutor(client).open(SOURCE, 7) as rows:
        for i in range(5):
            of_block = KillsItsProcess(SOURCE, 100, tmp_path) if i == fatal else moments
            assert rows.sum(of_block).tobytes() == serial()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_worker_dies_as_it_reads(client, tmp_path):
    with DaskExecutor(client).open(RowsThatKill(500, 100, tmp_path), 7) as rows:
        assert rows.sum(moments).tobytes() == serial()
    assert len(list(tmp_path.iterdir())) == 1


def test_a_worker_dies_while_values_come_back(client, tmp_path):
    with DaskExecutor(client).open(SOURCE, 7) as rows:
        values = list(rows.each(KillsItsProcess(SOURCE, 100, tmp_path)))
        expected = list(rows.each(moments))
    assert [each.tobytes() for each in values] == [each.tobytes() for each in expected]
    assert len(list(tmp_path.iterdir())) == 1


def test_both_workers_die_between_passes_with_rows_of_this_process(client):
    source = ArrayRows(MadeRows(100_000).read(0, 100_000).x)
    with DaskExecutor(client).open(source, 5000) as rows:
        rows.sum(moments)
        kill(client.run(os.getpid).values())
        assert rows.sum(moments).tobytes() == serial(source, 5000)


@pytest.fixture(scope="module")
def strict_client(a_client):
    """Two workers of a cluster that gives a task up when one worker died with it."""
    with a_client(2, **{"allowed-failures": 0}) as client:
        yield client


def test_tasks_that_dask_gives_up_are_tried_again(strict_client, tmp_path):
    with DaskExecutor(strict_client, retries=1).open(SOURCE, 7) as rows:
        assert rows.sum(KillsItsProcess(SOURCE, 100, tmp_path)).tobytes() == serial()


def test_rows_on_which_every_worker_dies(strict_client, tmp_path):
    with DaskExecutor(strict_client, retries=1).open(SOURCE, 7) as rows:
        with pytest.raises(ExecutorError, match="died again and again") as caught:
            rows.sum(KillsItsProcess(SOURCE, 100, tmp_path, times=100))
        assert rows.sum(moments).tobytes() == serial()
    assert isinstance(caught.value, BayesGMMError)
    assert len(list(tmp_path.iterdir())) == 2


def test_all_workers_die(a_client, client, tmp_path):
    begun = tmp_path / "begun"

    def kill_when_begun():
        while not begun.exists():
            time.sleep(0.01)
        kill_all(doomed)

    with a_client(2) as doomed, DaskExecutor(doomed, no_worker_timeout=1.0).open(SOURCE, 7) as rows:
        thread = threading.Thread(target=kill_when_begun)
        thread.start()
        with pytest.raises(ExecutorError, match="For 1 second the Dask cluster had no worker"):
            rows.sum(Slow(begun, 0.1))
        thread.join()
        # A pass that finds no worker.
        before = time.monotonic()
        with pytest.raises(ExecutorError, match="For 1 second the Dask cluster had no worker"):
            rows.sum(moments)
        assert 0.9 < time.monotonic() - before < 5.0
    with DaskExecutor(client).open(SOURCE, 7) as rows:
        assert rows.sum(moments).tobytes() == serial()


def test_no_worker_at_all(a_client):
    with a_client(0) as client:
        executor = DaskExecutor(client, no_worker_timeout=0.5)
        with (
            pytest.raises(ExecutorError, match=r"For 0\.5 seconds the Dask cluster had no worker"),
            executor.open(SOURCE, 7),
        ):
            pass


def test_a_scheduler_that_stops_between_the_end_of_a_task_and_its_result(client, monkeypatch):
    def sync(*_, **__):
        raise TimeoutError

    with DaskExecutor(client, no_worker_timeout=0.5).open(SOURCE, 7) as rows:
        wait(rows.loads)
        with monkeypatch.context() as stopped:
            stopped.setattr(client, "sync", sync)
            with pytest.raises(ExecutorError, match="not answer"):
                rows.cluster.results(rows.loads)
        assert rows.sum(moments).tobytes() == serial()


def test_no_scheduler(a_client):
    with a_client(1) as client, DaskExecutor(client, no_worker_timeout=3.0).open(SOURCE, 7) as rows:
        rows.sum(moments)
        client.cluster.close()
        with pytest.raises(ExecutorError, match="Connect a new client"):
            rows.sum(moments)
