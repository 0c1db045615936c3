from .chosen_executor import as_executor as as_executor
from .dask_cluster import DaskExecutor as DaskExecutor
from .executor import Executor as Executor
from .executor import OpenRows as OpenRows
from .serial import SerialExecutor as SerialExecutor
from .threads import ThreadExecutor as ThreadExecutor

__all__ = [
    "DaskExecutor",
    "Executor",
    "OpenRows",
    "SerialExecutor",
    "ThreadExecutor",
    "as_executor",
]
