from .dask_cluster import DaskExecutor as DaskExecutor
from .serial import SerialExecutor as SerialExecutor
from .threads import ThreadExecutor as ThreadExecutor

__all__ = ["DaskExecutor", "SerialExecutor", "ThreadExecutor"]
