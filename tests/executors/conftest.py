"""Clusters of worker processes, none of which outlives its module."""

from contextlib import contextmanager

import dask
import pytest
from distributed import Client, LocalCluster


@pytest.fixture(scope="session")
def a_client():
    """Return a context manager of a client on a new cluster of workers of one thread."""

    @contextmanager
    def opened(n_workers, **config):
        settings = {f"distributed.scheduler.{name}": value for name, value in config.items()}
        with dask.config.set(settings):
            # Any free port for the page that Dask shows: others test on this machine, too.
            cluster = LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
            )
        # A local cluster drops a worker that is not there so long after a death, even if it died
        # once more meanwhile and is just starting.
        patience = {"distributed.deploy.lost-worker-timeout": "1 hour"}
        with dask.config.set(patience), cluster, Client(cluster) as client:
            yield client

    return opened


@pytest.fixture(scope="module")
def client(a_client):
    """Two workers, which are started again when they die."""
    with a_client(2) as client:
        yield client
