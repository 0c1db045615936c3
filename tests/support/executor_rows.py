"""Sources of rows and functions of blocks that processes of a cluster can import."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bayesgmm.sources.row_source import Block, RowSource


@dataclass(frozen=True)
class MadeRows:
    """Rows of two columns that are computed from their numbers, at an offset of 1e4."""

    n_rows: int
    n_features: int = 2

    def read(self, start, stop):
        i = np.arange(start, stop, dtype=float)
        x = 1e4 + np.column_stack([np.sin(i), np.cos(3.0 * i)])
        return Block(x, 1.0 + np.sin(i) ** 2, None)


@dataclass(frozen=True)
class ArrayRows:
    """Rows in memory."""

    x: np.ndarray

    @property
    def n_rows(self):
        return len(self.x)

    def read(self, start, stop):
        return Block(self.x[start:stop], None, None)


@dataclass(frozen=True)
class WatchedRows:
    """Rows that note where blocks were read."""

    rows: MadeRows
    read_at: list = field(default_factory=list)

    @property
    def n_rows(self):
        return self.rows.n_rows

    def read(self, start, stop):
        self.read_at.append(start)
        return self.rows.read(start, stop)


@dataclass(frozen=True)
class LoggedRows:
    """Rows of another source; each reading makes a file of its process and its first row."""

    rows: RowSource
    folder: Path
    feature_names: None = None

    @property
    def n_rows(self):
        return self.rows.n_rows

    @property
    def n_features(self):
        return self.rows.n_features

    def describe(self):
        return "logged rows"

    def read(self, start, stop):
        (self.folder / f"{os.getpid()}-{start}-{time.monotonic_ns()}").touch()
        return self.rows.read(start, stop)


@dataclass(frozen=True)
class BadRows:
    """Rows of which some cannot be read."""

    n_rows: int
    bad: int

    def read(self, start, stop):
        if start <= self.bad < stop:
            raise ValueError(f"Row {self.bad} is damaged.")
        return MadeRows(self.n_rows).read(start, stop)


def moments(block):
    """Weighted sums, in which every change of the order of additions shows."""
    w = np.ones(len(block.x)) if block.weights is None else block.weights
    return np.concatenate([[w.sum()], w @ block.x, w @ block.x**2, w @ np.exp(block.x - 1e4)])


def first_row(block):
    return block.x[:1].copy()


def large_value(block):
    return np.zeros(10_000_000)


@dataclass(frozen=True)
class Weighted:
    """The moments times a factor of each, of any size as a message."""

    factors: np.ndarray

    def __call__(self, block):
        return moments(block) * self.factors[:7]


@dataclass(frozen=True)
class FailsAt:
    """The moments, but an error for the block that has a row."""

    source: MadeRows
    row: int
    error: Exception = field(default_factory=lambda: ZeroDivisionError("no weight"))

    def __call__(self, block):
        if (block.x == self.source.read(self.row, self.row + 1).x).all(axis=1).any():
            raise self.error
        return moments(block)


@dataclass(frozen=True)
class Slow:
    """The moments, after a time; a file says that it has begun."""

    begun: Path
    seconds: float

    def __call__(self, block):
        self.begun.touch()
        time.sleep(self.seconds)
        return moments(block)


@dataclass(frozen=True)
class KillsItsProcess:
    """The moments, but the process dies at the block that has a row, `times` times."""

    source: MadeRows
    row: int
    folder: Path
    times: int = 1

    def __call__(self, block):
        if (block.x == self.source.read(self.row, self.row + 1).x).all(axis=1).any():
            die(self.folder, self.times)
        return moments(block)


@dataclass(frozen=True)
class RowsThatKill:
    """Rows of which one kills the process that reads it, once."""

    n_rows: int
    row: int
    folder: Path

    def read(self, start, stop):
        if start <= self.row < stop:
            die(self.folder, 1)
        return MadeRows(self.n_rows).read(start, stop)


def die(folder, times):
    """Kill this process unless that has been done so many times."""
    for i in range(times):
        try:
            (folder / f"death-{i}").touch(exist_ok=False)
        except FileExistsError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)


def kill(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def kill_all(client):
    """Kill the workers, which are not started again."""
    pids = client.run(os.getpid).values()
    for nanny in client.cluster.workers.values():
        nanny.close_gracefully()
    kill(pids)
