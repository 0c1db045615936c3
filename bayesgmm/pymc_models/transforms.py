"""Transforms of a PyMC model's variables to the coordinates in which a posterior is sampled."""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.pymc_models.loop_ops import Covariances, Means, Weights


class WeightsTransform(Transform):  # type: ignore[misc]
    """Weights softmax(y, -sum y); the coordinates are those of PyMC's simplex transform."""

    name = "simplex"
    ndim_supp = 1

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Coordinates y: centred logs of the weights but the last."""
        logs = pt.log(value)
        return (logs - logs.mean())[:-1]

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Weights, (K,)."""
        return Weights()(value)[0]

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log |d weights / dy|."""
        return Weights()(value)[1]


class MeansTransform(Transform):  # type: ignore[misc]
    """Means mu = shift + A m; where means ascend, m has the first of them and logs of the steps.

    Row j of A is its diagonal alone for the feature j in which they ascend, so that their steps are
    those of the coordinates.
    """

    name = "frame"

    def __init__(
        self, frame: Coordinates, ordered: int | None = None, components: tuple[int, ...] = ()
    ) -> None:
        self._shift, self._frame = frame.shift, frame.user_frame
        self._ordered, self._components = ordered, list(components)
        if ordered is not None:
            first = np.argsort(np.arange(len(self._shift)) != ordered, kind="stable")
            within = self._frame @ self._frame.T
            self._frame[np.ix_(first, first)] = np.linalg.cholesky(within[np.ix_(first, first)])
        self._inverse = np.linalg.inv(self._frame)
        self._log_det = float(np.linalg.slogdet(self._frame)[1])

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Coordinates m of means."""
        m = (pt.as_tensor(value) - self._shift) @ self._inverse.T
        if self._ordered is None:
            return m
        at = m[self._components, self._ordered]
        logs = pt.concatenate([at[:1], pt.log(pt.diff(at))])
        return m[self._components, self._ordered].set(logs)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Means in the data's units."""
        if self._ordered is not None:
            at = value[self._components, self._ordered]
            steps = pt.concatenate([at[:1], pt.exp(at[1:])])
            value = value[self._components, self._ordered].set(pt.cumsum(steps))
        return Means()(value, self._shift, self._frame)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log |d means / dm| of all components together."""
        constant = pt.as_tensor(value.shape[0] * self._log_det)
        if self._ordered is None:
            return constant
        return constant + value[self._components[1:], self._ordered].sum()


class CoordinatesOfCovariances(Op):  # type: ignore[misc]
    """Rows of Q, with logs of its diagonal, of covariances A (Q' Q)^-1 A' (G, D, D), and A.

    By NumPy: initial points alone need them, and a graph of constants takes the C compiler, which
    PyTensor calls to fold them, two seconds.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """(G, D (D + 1) / 2)."""
        covariances, frame = (pt.as_tensor(each, dtype="float64") for each in inputs)
        groups, d, _ = covariances.type.shape
        size = d and d * (d + 1) // 2
        return Apply(self, [covariances, frame], [pt.tensor(dtype="float64", shape=(groups, size))])

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Evaluate outside a compiled graph."""
        covariances, frame = inputs
        lower = np.linalg.solve(frame, np.linalg.cholesky(covariances))
        i, j = np.tril_indices(len(frame))
        packed = np.linalg.inv(lower)[:, i, j]
        packed[:, i == j] = np.log(packed[:, i == j])
        output_storage[0][0] = packed


class CovariancesTransform(Transform):  # type: ignore[misc]
    """Sigma = A (Q' Q)^-1 A'; the coordinates are the rows of Q, with logs of its diagonal."""

    name = "frame"

    def __init__(self, frame: Coordinates) -> None:
        self._frame = frame.user_frame

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Coordinates of covariances: rows of Q, (G, D (D + 1) / 2)."""
        return CoordinatesOfCovariances()(value, self._frame)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Covariances in the data's units."""
        return Covariances()(value, self._frame)[0]

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log |dSigma / dq| of all covariances together."""
        return Covariances()(value, self._frame)[1]


class VariancesTransform(Transform):  # type: ignore[misc]
    """Variances sigma^2 = (A / exp q)^2."""

    name = "frame"

    def __init__(self, frame: Coordinates) -> None:
        self._logs = np.log(np.diagonal(frame.user_frame)[: frame.axes])

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Logs of inverse standard deviations."""
        return self._logs - 0.5 * pt.log(value)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Variances in the data's units."""
        return pt.exp(2.0 * (self._logs - value))

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log |d sigma^2 / dq| of all variances together."""
        return (np.log(2.0) + 2.0 * (self._logs - value)).sum()
