"""The size of a value as a message to another process."""

import pickle
from typing import Any

import cloudpickle

# Larger values travel once and not with every task.
_LARGE = 1_000_000


def is_large(value: Any) -> bool:
    """Return whether a value is pickled to more than a megabyte; the rest is not pickled."""
    counter = _Counter()
    try:
        cloudpickle.Pickler(
            counter, protocol=pickle.HIGHEST_PROTOCOL, buffer_callback=counter.add_buffer
        ).dump(value)
    except _LimitPassedError:
        return True
    return False


class _LimitPassedError(Exception):
    """Ends the pickling."""


class _Counter:
    """A file that counts what is written, up to the limit."""

    def __init__(self) -> None:
        self._n_bytes = 0

    def write(self, data: bytes) -> int:
        self._add(len(data))
        return len(data)

    def add_buffer(self, buffer: pickle.PickleBuffer) -> None:
        """Count an array that is not copied."""
        self._add(buffer.raw().nbytes)

    def _add(self, n_bytes: int) -> None:
        self._n_bytes += n_bytes
        if self._n_bytes > _LARGE:
            raise _LimitPassedError
