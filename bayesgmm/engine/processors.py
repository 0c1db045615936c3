"""Where threads run: away from the thread that leads them.

Linux starts a thread on the processor of its maker and moves it only after some tens of
milliseconds. Until then two threads that wait for one another without sleeping share one processor,
and a fit of that length sees no second thread at all.
"""

import ctypes
import os
import sys


def others() -> frozenset[int]:
    """The processors of this process without the one that the caller runs on.

    Empty where the system does not tell, or there is no other.
    """
    if sys.platform != "linux":
        return frozenset()
    try:
        here = ctypes.CDLL(None).sched_getcpu()
    except (AttributeError, OSError):
        # A C library without that call: threads then start wherever the system puts them.
        return frozenset()
    return frozenset(os.sched_getaffinity(0)) - {here}


def move_to(processors: frozenset[int]) -> None:
    """Let the calling thread run on these processors alone; on any if there are none."""
    if processors:
        os.sched_setaffinity(0, processors)
