"""The partition of least expected loss over draws.

Several searches begin at draws and at random orders of the rows; each moves one row at a time to
the cluster where it adds least. From the best of their results further searches break up clusters
and place their rows anew. The method is that of SALSO.

References
----------
Dahl, Johnson and Müller (2022), Journal of Computational and Graphical Statistics 31, 1189-1201.
"""

from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np

from bayesgmm.arrays import Integers
from bayesgmm.core import native
from bayesgmm.likelihood.em_steps import n_threads
from bayesgmm.partitions.drawn_partitions import DrawnPartitions
from bayesgmm.partitions.losses import Loss

# Searches from draws; from random orders, more of them for fewer allocations; further ones, and
# clusters that each of these breaks up.
_FROM_DRAWS, _FURTHER, _ATTEMPTS = 2, 2, 4
_LEAST_ORDERS, _MOST_ORDERS, _ALLOCATIONS = 4, 60, 20_000_000


def least_expected_loss(
    drawn: DrawnPartitions, loss: Loss, rng: np.random.Generator, threads: int | None = None
) -> Integers:
    """Labels (n,) of the partition found, from 0, larger clusters first.

    The result depends on the draws and the generator, not on the number of threads.
    """
    chosen = rng.choice(len(drawn.labels), size=_FROM_DRAWS)
    starts = [np.zeros_like(drawn.labels[0]), *(in_order(drawn.labels[t]) for t in chosen)]
    orders = np.clip(_ALLOCATIONS // drawn.labels.size, _LEAST_ORDERS, _MOST_ORDERS)
    starts += [np.empty(0, dtype=np.int64)] * orders
    with ThreadPoolExecutor(threads or n_threads()) as pool:
        best = _best(pool, drawn, loss, starts, 0, rng)
        return _best(pool, drawn, loss, [best] * _FURTHER, _ATTEMPTS, rng)


def _best(
    pool: Executor,
    drawn: DrawnPartitions,
    loss: Loss,
    starts: list[Integers],
    attempts: int,
    rng: np.random.Generator,
) -> Integers:
    """The best of the partitions reached from some starts; the first among equals."""

    def search(start: Integers, seed: int) -> Integers:
        k = drawn.n_clusters
        return in_order(native.search_partition(drawn.labels, k, loss.h, start, attempts, seed))

    found = pool.map(search, starts, rng.integers(2**63, size=len(starts)).tolist())
    distinct = list({each.tobytes(): each for each in found}.values())
    expected = [loss.between(drawn.tables(each)).mean() for each in distinct]
    return distinct[int(np.argmin(expected))]


def in_order(labels: Integers) -> Integers:
    """The same partition with labels from 0, larger clusters first; of equal ones the first."""
    _, first, index, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -sizes))
    return np.argsort(order)[index].astype(np.int64)
