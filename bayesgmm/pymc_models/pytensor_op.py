"""The likelihood of a mixture as PyTensor operations.

One pass of the core's kernel gives value and gradients. Both are outputs of
`MixtureLogLikelihood`, and its pullback uses these gradients, so that a model's density and its
gradient share one node. `MixtureLogDensity` gives the log density of each row, which PyMC requires;
where a graph sums these, a rewrite replaces the sum by the other operation.
"""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.gradient import DisconnectedType, grad_not_implemented
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.tensor.basic import Alloc
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.rewriting.basic import register_canonicalize, register_specialize

from bayesgmm.core import native
from bayesgmm.errors import DerivativeError, InvalidParameterError

# Kinds of matrices as the core takes them: Sigma, its Cholesky factor L, or U with
# U U' = Sigma^-1 (scikit-learn's `precisions_cholesky_`).
_CODES = {"covariances": 0, "cholesky": 1, "precision_cholesky": 2}
# Errors of rows that were measured without.
_NONE = np.empty((0, 0))


class _RowsOp(Op):  # type: ignore[misc]
    """Common inputs: weights (K,), means (K, D), matrices (K, D, D) or (K, D), rows and errors.

    Rows are (n, D), NaN where they were not seen; errors, their variances (n, D) or covariances
    (n, D * D), one row for all of them, or (0, 0) for none.
    """

    __props__ = ("kind",)

    def __init__(self, kind: str) -> None:
        # Numba is imported with the first graph, not with this module.
        import bayesgmm.pymc_models.numba_backend  # noqa: F401  # registers this operation

        self.kind = kind
        self.code = _CODES[kind]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.kind,)

    def _inputs(self, *inputs: Any) -> list[Any]:
        tensors = [pt.as_tensor(each, dtype="float64") for each in inputs]
        for tensor, least, most in zip(tensors, (1, 2, 2, 2, 2), (1, 2, 3, 2, 2), strict=False):
            if not least <= tensor.type.ndim <= most:
                raise InvalidParameterError(
                    "A mixture's likelihood takes weights (K,), means (K, D), matrices (K, D, D) "
                    f"or (K, D), rows (n, D) and errors (n, D), not {tensor.type}."
                )
        return tensors


class MixtureLogLikelihood(_RowsOp):
    """Log-likelihood of rows, and its gradient in weights, means and matrices, by one pass.

    A sixth input holds row weights, (n,), or is empty, (0,), for weights of 1.

    Parameters
    ----------
    kind : {"covariances", "cholesky", "precision_cholesky"}
        The kind of matrices; variances, standard deviations or their inverses if they are (K, D).
    """

    def make_node(
        self,
        weights: Any,
        means: Any,
        matrices: Any,
        rows: Any,
        errors: Any = _NONE,
        row_weights: Any = (),
    ) -> Apply[Any]:
        """Outputs: the value (), and gradients in the shapes of the first three inputs."""
        inputs = self._inputs(weights, means, matrices, rows, errors, row_weights)
        outputs = [pt.dscalar(), *(each.type() for each in inputs[:3])]
        return Apply(self, inputs, outputs)

    def infer_shape(self, node: Any, shapes: Any) -> list[Any]:
        """Shapes of the outputs."""
        return [(), *shapes[:3]]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Evaluate outside a compiled graph."""
        value, flat = native.log_likelihood(self.code, *map(_plain, inputs))
        k, size = inputs[0].size, inputs[1].size
        output_storage[0][0] = np.asarray(value)
        for storage, part, like in zip(
            output_storage[1:], np.split(flat, (k, k + size)), inputs, strict=False
        ):
            storage[0] = part.reshape(like.shape)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """The value's cotangent times the gradients among the outputs."""
        if not all(isinstance(each.type, DisconnectedType) for each in cotangents[1:]):
            raise DerivativeError(
                "The likelihood of a mixture has first derivatives alone, not second derivatives "
                "(as for Hessians or Laplace approximations). Use differences of gradients."
            )
        return [
            *(cotangents[0] * each for each in outputs[1:]),
            *(_no_gradient(self, inputs, i) for i in (3, 4, 5)),
        ]


class MixtureLogDensity(_RowsOp):
    """Log density of each row, (n,); parameters are those of `MixtureLogLikelihood`."""

    def make_node(
        self, weights: Any, means: Any, matrices: Any, rows: Any, errors: Any = _NONE
    ) -> Apply[Any]:
        """Output: log densities, nats, (n,)."""
        inputs = self._inputs(weights, means, matrices, rows, errors)
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=inputs[3].type.shape[:1])])

    def infer_shape(self, node: Any, shapes: Any) -> list[Any]:
        """Shape of the output."""
        return [(shapes[3][0],)]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Evaluate outside a compiled graph."""
        output_storage[0][0] = native.log_densities(self.code, *map(_plain, inputs))

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """The gradient of the weighted sum over rows: one pass with the cotangents as weights."""
        _, *gradients = MixtureLogLikelihood(self.kind)(*inputs, cotangents[0])
        return [*gradients, *(_no_gradient(self, inputs, i) for i in (3, 4))]


def _plain(array: Any) -> Any:
    """An array as the core takes it."""
    return np.ascontiguousarray(array, dtype=np.float64)


def _no_gradient(op: Op, inputs: Any, i: int) -> Any:
    return grad_not_implemented(op, i, inputs[i], "Rows are data here, not parameters.")


# --- rewrites: densities of rows are not formed where their sum is taken --------------------------


@register_canonicalize  # type: ignore[untyped-decorator]
@register_specialize  # type: ignore[untyped-decorator]
@node_rewriter([Sum])  # type: ignore[untyped-decorator]
def sum_of_log_densities(fgraph: Any, node: Any) -> list[Any] | None:
    """sum(v * MixtureLogDensity(...)), or without v, is the value of MixtureLogLikelihood(...)."""
    inner, v = node.inputs[0].owner, pt.constant(np.empty(0))
    if inner is not None and inner.op == pt.mul and len(inner.inputs) == 2:
        own = [each for each in inner.inputs if _is_density(each)]
        if len(own) == 1:
            (v,) = (each for each in inner.inputs if each is not own[0])
            inner = own[0].owner
    if inner is None or not isinstance(inner.op, MixtureLogDensity) or v.type.ndim != 1:
        return None
    return [MixtureLogLikelihood(inner.op.kind)(*inner.inputs, v)[0]]


def _is_density(tensor: Any) -> bool:
    return tensor.owner is not None and isinstance(tensor.owner.op, MixtureLogDensity)


@register_canonicalize  # type: ignore[untyped-decorator]
@register_specialize  # type: ignore[untyped-decorator]
@node_rewriter([MixtureLogLikelihood])  # type: ignore[untyped-decorator]
def equal_row_weights(fgraph: Any, node: Any) -> list[Any] | None:
    """Equal row weights c: value and gradients are c times those without weights."""
    *inputs, row_weights = node.inputs
    factor = _one_number(row_weights)
    if factor is None:
        return None
    return [factor * each for each in _alone(node.op.kind, inputs)]


@node_rewriter([MixtureLogLikelihood, MixtureLogDensity])  # type: ignore[untyped-decorator]
def in_jax(fgraph: Any, node: Any) -> None:
    """Register the operations with JAX when PyTensor prepares a graph for it; rewrite nothing."""
    import bayesgmm.pymc_models.jax_backend  # noqa: F401  # registers these operations


optdb.register("mixture_likelihood_in_jax", dfs_rewriter(in_jax), "jax", position=100)


def _alone(kind: str, inputs: Any) -> Any:
    return MixtureLogLikelihood(kind)(*inputs, pt.constant(np.empty(0)))


def _one_number(vector: Any) -> Any:
    """The number that a vector repeats, if its graph shows this; else None."""
    if isinstance(vector, Constant):
        data = vector.data
        return pt.constant(data[0]) if data.size and (data == data[0]).all() else None
    op, inputs = (vector.owner.op, vector.owner.inputs) if vector.owner else (None, [])
    if isinstance(op, Alloc) or (isinstance(op, DimShuffle) and inputs[0].type.ndim == 0):
        inner = inputs[0]
    elif isinstance(op, Elemwise) and op == pt.second:
        inner = inputs[1]
    else:
        return None
    if inner.type.ndim == 0:
        return inner
    return inner[0] if inner.type.broadcastable == (True,) else _one_number(inner)
