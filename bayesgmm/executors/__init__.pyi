from .chosen_executor import as_executor as as_executor
from .dask_cluster import DaskExecutor as DaskExecutor
from .executor import Executor as Executor
from .executor import OpenRows as OpenRows
from .row_blocks import Block as Block
from .row_blocks import RowSource as RowSource
from .serial import SerialExecutor as SerialExecutor
from .threads import ThreadExecutor as ThreadExecutor

__all__ = [
    "Block",
    "DaskExecutor",
    "Executor",
    "OpenRows",
    "RowSource",
    "SerialExecutor",
    "ThreadExecutor",
    "as_executor",
]
