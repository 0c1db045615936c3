"""Covariances that share parts, as variables of a PyMC model.

The graph is that of ``covariance_coordinates.hpp`` and `TiedChart`, by PyTensor's own operations.
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from bayesgmm.arrays import Array
from bayesgmm.posterior.tied_covariances import TiedChart


class CoordinatesOfTied(Op):  # type: ignore[misc]
    """Coordinates (size,) of covariances (K, D, D), or variances (K, D), that share parts.

    By NumPy, as `CoordinatesOfCovariances`.
    """

    def __init__(self, chart: TiedChart) -> None:
        self.chart = chart

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.chart,)

    def make_node(self, covariances: Any) -> Apply[Any]:
        """(size,)."""
        size = self.chart.n_components * self.chart.n_own + self.chart.n_shared
        tensor = pt.as_tensor(covariances, dtype="float64")
        return Apply(self, [tensor], [pt.tensor(dtype="float64", shape=(size,))])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Evaluate outside a compiled graph."""
        (covariances,), k = inputs, self.chart.n_components
        if covariances.ndim == 2:
            covariances = covariances[:, :, np.newaxis] * np.eye(covariances.shape[1])
        own, shared = self.chart.of(np.full(k, 1.0 / k), covariances)
        output_storage[0][0] = np.concatenate((own.ravel(), shared))


class TiedTransform(Transform):  # type: ignore[misc]
    """Covariances (K, D, D), or variances (K, D), of their coordinates (size,)."""

    name = "parts"

    def __init__(self, chart: TiedChart) -> None:
        self._chart = chart

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Coordinates of covariances."""
        return CoordinatesOfTied(self._chart)(value)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Covariances in the data's units."""
        return covariances_and_measure(self._chart, value)[0]

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log of the measure of all covariances together (`TiedChart.log_measure`)."""
        return covariances_and_measure(self._chart, value)[1]


def covariances_and_measure(chart: TiedChart, u: Any) -> tuple[Any, Any]:
    """Covariances (K, D, D), or variances (K, D), at coordinates; and the log of the measure."""
    k, own = chart.n_components, chart.n_own
    parts = _parts(chart, u[: k * own].reshape((k, own)), u[k * own :])
    if chart.reference is not None:
        return _along_axes(chart, *parts)
    return _by_factors(chart, *parts)


def _parts(chart: TiedChart, own: Any, shared: Any) -> list[Any]:
    """Volumes (1 or K, 1), shapes and orientations (1 or K, size); shared ones are one."""
    found, ends = [], [0, 0]
    for size, common in zip(chart.sizes, chart.shared, strict=True):
        start = ends[common]
        ends[common] += size
        found.append((shared[np.newaxis] if common else own)[:, start : ends[common]])
    return found


def _each(part: Any, k: int, common: bool) -> Any:
    return pt.repeat(part, k, axis=0) if common else part


def _log_dets(chart: TiedChart, volumes: Any) -> Any:
    """The sum of log |Sigma_k| of volumes (K, 1)."""
    frame = chart.frame if chart.frame.ndim == 1 else np.diagonal(chart.frame)
    return (2.0 * np.log(frame).sum() - 2.0 * len(frame) * volumes).sum()


def _by_factors(chart: TiedChart, volume: Any, shape: Any, _: Any) -> tuple[Any, Any]:
    k, d, (equal_volume, equal_shape, _) = chart.n_components, len(chart.frame), chart.shared
    volumes = _each(volume, k, equal_volume)
    diagonal = chart.frame.ndim == 1
    i, j = (np.arange(d),) * 2 if diagonal else np.tril_indices(d)
    logs = shape[:, np.flatnonzero(i == j)[:-1]]
    last = -logs.sum(axis=1, keepdims=True)
    whole = pt.concatenate([shape, last], axis=1)
    if diagonal:
        q = volumes + _each(whole, k, equal_shape)
        variances = pt.exp(2.0 * (np.log(chart.frame) - q))
        return variances, _log_dets(chart, volumes)
    entries = pt.where(i == j, pt.exp(whole), whole)
    factors = pt.zeros((shape.shape[0], d, d))[:, i, j].set(entries)
    inverse = pt.linalg.solve_triangular(factors, np.eye(d), lower=True, b_ndim=2)
    lower = _each(chart.frame @ inverse, k, equal_shape) * pt.exp(-volumes)[:, :, np.newaxis]
    powers = np.arange(1.0, d + 1.0) - d
    measure = (pt.concatenate([logs, last], axis=1) * powers).sum()
    return lower @ lower.mT, measure + 0.5 * (d + 1.0) * _log_dets(chart, volumes)


def _along_axes(chart: TiedChart, volume: Any, shape: Any, z: Any) -> tuple[Any, Any]:
    assert chart.reference is not None
    k, d, (equal_volume, equal_shape, equal_axes) = (
        chart.n_components,
        len(chart.frame),
        chart.shared,
    )
    volumes, measure = _each(volume, k, equal_volume), pt.log(pt.cosh(z)).sum()
    if equal_shape:
        steps = pt.cumsum(pt.exp(shape), axis=1)
        s = pt.concatenate([pt.zeros((1, 1)), steps], axis=1)
        s, measure = s - s.mean(axis=1, keepdims=True), measure + shape.sum()
    else:
        s = pt.concatenate([shape, -shape.sum(axis=1, keepdims=True)], axis=1)
    shapes = _each(s, k, equal_shape)
    axes = []
    for each in range(1 if equal_axes else k):
        turned, log_det = _rotation(z[each], d)
        axes.append(chart.reference @ turned)
        measure -= (d - 1.0) * log_det
    unit = np.exp(2.0 * np.log(np.diagonal(chart.frame)).mean())
    variances = unit * pt.exp(-2.0 * (volumes + shapes))
    covariances = [
        (axes[0 if equal_axes else c] * variances[c]) @ axes[0 if equal_axes else c].T
        for c in range(k)
    ]
    i, j = np.tril_indices(d, -1)
    squares = pt.sinh(shapes[:, i] - shapes[:, j]) ** 2
    squares = squares.sum(axis=0) if equal_axes else squares
    measure += 0.5 * pt.log(squares).sum() + 0.5 * (d + 1.0) * _log_dets(chart, volumes)
    return pt.stack(covariances), measure


def _rotation(z: Any, d: int) -> tuple[Any, Any]:
    """The rotation (I - O)^-1 (I + O) of coordinates z, and log |I - O|."""
    below: Array = np.zeros((d, d))
    i, j = np.tril_indices(d, -1)
    skew = pt.as_tensor(below)[i, j].set(pt.sinh(z))
    skew = skew - skew.T
    inverse = pt.linalg.inv(np.eye(d) - skew)
    return 2.0 * inverse - np.eye(d), -pt.linalg.slogdet(inverse)[1]
