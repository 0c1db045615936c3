"""The executor that an argument stands for."""

import sys
from typing import Any

from bayesgmm.arguments import shown
from bayesgmm.errors import InvalidParameterError
from bayesgmm.executors.executor import Executor
from bayesgmm.executors.threads import ThreadExecutor


def as_executor(executor: Executor | None = None) -> Executor:
    """Return an executor, that of the active Dask client, or threads.

    Parameters
    ----------
    executor : Executor or None
        None for the Dask client that is active in this process (other than an asynchronous one),
        or threads where there is none. Dask is not imported for this.

    Raises
    ------
    InvalidParameterError
        If it is neither.
    """
    if isinstance(executor, Executor):
        return executor
    if executor is not None:
        raise InvalidParameterError(
            "executor must be None, SerialExecutor(), ThreadExecutor(n_threads) or "
            f"DaskExecutor(client), not {shown(executor)}."
        )
    client = _active_client()
    if client is None:
        return ThreadExecutor()
    from bayesgmm.executors.dask_cluster import DaskExecutor

    return DaskExecutor(client)


def _active_client() -> Any:
    """Return Dask's default client, or None."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        client = distributed.default_client()
    except ValueError:  # there is none
        return None
    return None if client.asynchronous else client
