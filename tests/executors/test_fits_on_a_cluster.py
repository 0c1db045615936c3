"""Fits whose workers are killed: the bits of threads, or an error from which a fit goes on."""

import os
import threading
import time

import numpy as np
import pytest
from executor_rows import LoggedRows, kill, kill_all

from bayesgmm import GaussianMixture, open_rows, random_mixture, sample_posterior
from bayesgmm.em.checkpoint import Passes
from bayesgmm.errors import ExecutorError
from bayesgmm.executors import DaskExecutor, ThreadExecutor, chosen_executor

MIXTURE = random_mixture(3, 2, average_overlap=0.15, rng=3)
X = MIXTURE.sample(150_000, rng=4)[0]


def fitted(executor, **more):
    return GaussianMixture(3, random_state=0).fit(open_rows(X), executor=executor, **more)


def bits(fit):
    numbers = fit.weights_, fit.means_, fit.covariances_
    return fit.log_likelihood_, fit.n_iter_, *(each.tobytes() for each in numbers)


@pytest.fixture(scope="module")
def by_threads():
    return fitted(ThreadExecutor(2))


def at_pass(monkeypatch, number, act):
    """Call a function in a thread of its own just after a pass has begun."""
    plain = Passes.sums

    def sums(self, theta, made):
        if self.n_asked == number:
            threading.Thread(target=lambda: (time.sleep(0.005), act())).start()
        return plain(self, theta, made)

    monkeypatch.setattr(Passes, "sums", sums)


@pytest.mark.parametrize("fatal", ["first", "middle", "last"])
def test_a_killed_worker_changes_no_bit(client, by_threads, monkeypatch, fatal):
    number = {"first": 0, "middle": by_threads.n_iter_ // 2, "last": by_threads.n_iter_}[fatal]
    killed = []

    def one_dies():
        killed.extend(list(client.run(os.getpid).values())[:1])
        kill(killed)

    at_pass(monkeypatch, number, one_dies)
    assert bits(fitted(DaskExecutor(client))) == bits(by_threads)
    assert len(killed) == 1


def test_the_workers_read_a_file_once_for_all_passes(a_client, by_threads, tmp_path):
    np.save(tmp_path / "rows.npy", X)
    (tmp_path / "log").mkdir()
    source = LoggedRows(open_rows(tmp_path / "rows.npy"), tmp_path / "log")
    with a_client(2) as client:
        fit = GaussianMixture(3, random_state=0).fit(source, executor=DaskExecutor(client))
        workers = set(client.run(os.getpid).values())
    assert bits(fit) == bits(by_threads)
    log = [each.name.split("-") for each in (tmp_path / "log").iterdir()]
    assert {int(process) for process, _, _ in log} == workers
    assert sorted(int(start) for _, start, _ in log) == [0, 65_536, 131_072]


def test_an_error_names_the_checkpoint_from_which_a_fit_goes_on(
    a_client, by_threads, monkeypatch, tmp_path
):
    path = tmp_path / "passes.json"
    with a_client(2) as doomed:
        at_pass(monkeypatch, 3, lambda: kill_all(doomed))
        executor = DaskExecutor(doomed, no_worker_timeout=1.0)
        with pytest.raises(ExecutorError, match=r"3 passes are in '.*passes.json': the same fit"):
            fitted(executor, checkpoint=path)
    monkeypatch.undo()
    assert bits(fitted(ThreadExecutor(1), checkpoint=path)) == bits(by_threads)


def test_an_error_without_a_pass_names_no_checkpoint(a_client, tmp_path):
    with a_client(1) as doomed:
        kill_all(doomed)
        with pytest.raises(ExecutorError) as caught:
            fitted(DaskExecutor(doomed, no_worker_timeout=1.0), checkpoint=tmp_path / "p.json")
    assert "p.json" not in str(caught.value)


def test_a_posterior_by_workers_is_that_by_threads(client, monkeypatch):
    options = {"method": "laplace", "draws": 100, "rng": 1, "progressbar": False}
    by_workers = sample_posterior(open_rows(X), 3, **options)
    monkeypatch.setattr(chosen_executor, "_active_client", lambda: None)
    by_threads = sample_posterior(open_rows(X), 3, **options)
    assert by_workers["posterior"].equals(by_threads["posterior"])
