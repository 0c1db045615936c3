"""Where EM begins: mixtures made from a sample of the rows."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.em.acceleration import Parameters
from bayesgmm.em.clustering import k_means
from bayesgmm.model import Structure

type Array = NDArray[np.float64]

# Rows of the sample on which starts are made and compared: enough for each component's covariance.
_SAMPLE, _SAMPLE_PER_PARAMETER = 2048, 8
_LLOYD = 20


class Sample(NamedTuple):
    """Rows on which starts are made, in the fit's units.

    Attributes
    ----------
    rows : ndarray of shape (m, D)
    weights : ndarray of shape (m,)
    whole : bool
        Whether it holds every row of the data.
    """

    rows: Array
    weights: Array
    whole: bool


class Start(NamedTuple):
    """A mixture to begin from, and how it was made."""

    name: str
    parameters: Parameters

    def same(self, other: "Start") -> bool:
        """Whether both begin at one point."""
        return np.array_equal(self.parameters.means, other.parameters.means)


def sample_size(n_components: int, n_features: int) -> int:
    """How many rows suffice to make and compare starts."""
    return max(_SAMPLE, _SAMPLE_PER_PARAMETER * n_components * n_features)


def from_labels(
    sample: Sample, labels: NDArray[np.int64], n_components: int, structure: Structure
) -> Parameters | None:
    """Weights and means of a partition, with its pooled covariance; None if a part is empty.

    The covariance within all parts together does not collapse where one part is small.
    """
    members = (labels == np.arange(n_components)[:, np.newaxis]) * sample.weights
    return from_responsibilities(sample.rows, members, structure)


def from_responsibilities(
    rows: Array, responsibilities: Array, structure: Structure
) -> Parameters | None:
    """As `from_labels`, for responsibilities (K, n)."""
    counts = responsibilities.sum(axis=1)
    if not counts.min() > 0.0:
        return None
    means = responsibilities @ rows / counts[:, np.newaxis]
    total = counts.sum()
    # Rows are centred and scaled here: enough digits are left for a start.
    row_weights = responsibilities.sum(axis=0)
    if structure.diagonal:
        pooled = row_weights @ rows**2 - counts @ means**2
    else:
        pooled = (rows.T * row_weights) @ rows - (means.T * counts) @ means
    scatters = counts.reshape(-1, *(1,) * pooled.ndim) * (pooled / total)
    return Parameters(counts / total, means, structure.covariances(counts, scatters))


def portfolio(
    sample: Sample, n_components: int, structure: Structure, rng: np.random.Generator
) -> Iterator[Start]:
    """Starts without end, of three kinds in turn.

    k-means in the columns' own units finds groups that stand apart along the axes; on whitened
    rows, groups whatever the correlations (and does not depend on the axes); nearest of random
    rows, the rest.
    """
    rows = sample.rows
    scaled = rows / rows.std(axis=0)
    white: Array | None = None
    order = ("k-means", "random rows", "k-means", "k-means, whitened")
    labels = np.empty(len(rows), dtype=np.int64)
    turn = 0
    while True:
        name = order[turn % len(order)]
        turn += 1
        if name == "k-means":
            z, lloyd = scaled, _LLOYD
        else:
            if white is None:
                white = whitened(rows)
            z, lloyd = white, _LLOYD if name == "k-means, whitened" else 0
        if name == "random rows":
            # Without replacement, by weight: the first arrivals of Poisson processes of that rate.
            arrivals = rng.exponential(size=len(rows)) / sample.weights
            chosen = np.argpartition(arrivals, n_components - 1)[:n_components]
            distances = [np.square(z - z[row]).sum(axis=1) for row in chosen]
            labels = np.argmin(distances, axis=0)
        else:
            k_means(z, sample.weights, n_components, rng.random(n_components), lloyd, labels)
        parameters = from_labels(sample, labels, n_components, structure)
        if parameters is not None:
            yield Start(name, parameters)


def whitened(rows: Array) -> Array:
    """Rows with the identity for a covariance (up to directions in which they do not vary)."""
    centred = rows - rows.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    keep = singular > 1e-12 * singular[0]
    return np.ascontiguousarray(centred @ (directions[keep].T / singular[keep]))
