"""PyTensor operations on the parameters of a mixture, by the loops of `bayesgmm.pymc_models.loops`.

Each has the graph of the same formula, which takes its place where PyTensor compiles for JAX.
"""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.gradient import DisconnectedType, grad_not_implemented, pullback
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.tensor.rewriting.basic import register_specialize
from pytensor.tensor.shape import SpecifyShape
from pytensor.tensor.special import log_softmax

from bayesgmm.errors import DerivativeError
from bayesgmm.priors.families import LKJ, Family

_CONSTANT = "Coordinates and priors are constants here, not parameters."


class LoopOp(Op):  # type: ignore[misc]
    """A function of an array and of constants, with its gradient in the array."""

    __props__: tuple[str, ...] = ()
    function: ClassVar[str]
    """The name of the loops; those of the gradient begin with the same word."""

    def __init__(self) -> None:
        # Numba is imported with the first graph, not with this module.
        import bayesgmm.pymc_models.numba_backend  # noqa: F401  # registers this operation

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    @property
    def loops(self) -> Any:
        """The compiled loops."""
        from bayesgmm.pymc_models import loops

        return getattr(loops, self.function)

    @abstractmethod
    def graph(self, *inputs: Any) -> list[Any]:
        """The results as graphs of PyTensor."""

    @abstractmethod
    def outputs(self, first: Any) -> list[Any]:
        """Variables of the types of the results, from the first input."""

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """The inputs are float64."""
        tensors = [pt.as_tensor(each, dtype="float64") for each in inputs]
        return Apply(self, tensors, self.outputs(tensors[0]))

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Evaluate outside a compiled graph."""
        from bayesgmm.pymc_models.loops import by_the_interpreter

        found = by_the_interpreter(self.loops)(*map(np.ascontiguousarray, inputs))
        found = found if isinstance(found, tuple) else (found,)
        for storage, output, each in zip(output_storage, node.outputs, found, strict=True):
            storage[0] = np.asarray(each).reshape(each.shape if output.type.ndim else ())

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """The gradient in the first input; the others are constants."""
        given = [
            pt.zeros_like(output) if isinstance(each.type, DisconnectedType) else each
            for output, each in zip(outputs, cotangents, strict=True)
        ]
        rest = range(1, len(inputs))
        return [
            GradientOp(self, len(inputs))(*inputs, *given),
            *(grad_not_implemented(self, i, inputs[i], _CONSTANT) for i in rest),
        ]


class GradientOp(LoopOp):
    """The gradient of a `LoopOp` in its first input, from its inputs and cotangents."""

    __props__ = ("of", "n_inputs")

    def __init__(self, of: LoopOp, n_inputs: int) -> None:
        super().__init__()
        self.of, self.n_inputs = of, n_inputs

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.of, self.n_inputs)

    @property
    def function(self) -> str:  # type: ignore[override]
        """The name of the loops."""
        return f"{self.of.function.partition('_')[0]}_gradient"

    def graph(self, *inputs: Any) -> list[Any]:
        """The pullback of the other operation's graph."""
        given, cotangents = inputs[: self.n_inputs], inputs[self.n_inputs :]
        return [pullback(self.of.graph(*given), given[0], list(cotangents))]

    def outputs(self, first: Any) -> list[Any]:
        """A gradient has the type of its variable."""
        return [first.type()]


class Weights(LoopOp):
    """Weights softmax(y, -sum y) of coordinates y (K - 1,), and log |d weights / dy|."""

    function = "weights_of"

    def graph(self, *inputs: Any) -> list[Any]:
        """As `loops.weights_of`."""
        (y,) = inputs
        logs = log_softmax(pt.concatenate([y, -y.sum(keepdims=True)]))
        return [pt.exp(logs), logs.sum() + pt.log(y.shape[0] + 1.0)]

    def outputs(self, first: Any) -> list[Any]:
        """(K,) and ()."""
        size = first.type.shape[0]
        return [pt.tensor(dtype="float64", shape=(size and size + 1,)), pt.dscalar()]


class Means(LoopOp):
    """Means shift + A m, (K, D), of coordinates m (K, D), shift (D,) and A (D, D)."""

    function = "means_of"

    def graph(self, *inputs: Any) -> list[Any]:
        """As `loops.means_of`."""
        m, shift, frame = inputs
        return [shift + m @ frame.T]

    def outputs(self, first: Any) -> list[Any]:
        """(K, D)."""
        return [first.type()]


class Covariances(LoopOp):
    """Sigma = A (Q' Q)^-1 A' (G, D, D) of coordinates (G, D (D + 1) / 2), and log |dSigma / dq|.

    The coordinates are the rows of lower triangular Q, with logs of its diagonal; A is (D, D).
    """

    function = "covariances_of"

    def graph(self, *inputs: Any) -> list[Any]:
        """As `loops.covariances_of`."""
        q, frame = inputs
        d = frame.type.shape[0]
        i, j = np.tril_indices(d)
        entries = pt.where(i == j, pt.exp(q), q)
        factors = pt.zeros((q.shape[0], d, d))[:, i, j].set(entries)
        inverse = pt.linalg.solve_triangular(factors, np.eye(d), lower=True, b_ndim=2)
        lower = frame @ inverse
        powers = np.arange(1, d + 1) - 2.0 * (d + 1)
        logs = pt.log(pt.diagonal(frame))
        each = d * np.log(2.0) - ((powers + np.arange(d, 0, -1)) * logs).sum()
        return [lower @ lower.mT, ((powers + 1.0) * q[:, i == j]).sum() + each * q.shape[0]]

    def outputs(self, first: Any) -> list[Any]:
        """(G, D, D) and ()."""
        groups, size = first.type.shape
        d = size and round(np.sqrt(2.0 * size + 0.25) - 0.5)
        return [pt.tensor(dtype="float64", shape=(groups, d, d)), pt.dscalar()]


class DensityOp(LoopOp):
    """A log density of an array, and its gradient, as two results."""

    def outputs(self, first: Any) -> list[Any]:
        """() and the type of the array."""
        return [pt.dscalar(), first.type()]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """The value's cotangent times the gradient among the outputs."""
        if not isinstance(cotangents[1].type, DisconnectedType):
            raise DerivativeError(
                "Priors of a mixture's parameters have first derivatives alone. Use differences of "
                "gradients."
            )
        rest = range(1, len(inputs))
        constants = (grad_not_implemented(self, i, inputs[i], _CONSTANT) for i in rest)
        return [cotangents[0] * outputs[1], *constants]


class WeightsDensity(DensityOp):
    """Log density of weights (K,) under a Dirichlet prior but for its constant, and its gradient.

    The other input is the concentration (K,).
    """

    function = "prior_of_weights"

    def graph(self, *inputs: Any) -> list[Any]:
        """As `loops.prior_of_weights`."""
        weights, concentration = inputs
        power = concentration - 1.0
        return [(power * pt.log(weights)).sum(), power / weights]


class MeansDensity(DensityOp):
    """Log density of means (K, D) under normal priors but for its constant, and its gradient.

    The other inputs are locations and standard deviations (K, D).
    """

    function = "prior_of_means"

    def graph(self, *inputs: Any) -> list[Any]:
        """As `loops.prior_of_means`."""
        means, location, sd = inputs
        z = (means - location) / sd
        return [-0.5 * (z * z).sum(), -z / sd]


class CovarianceDensity(DensityOp):
    """Log density of covariance matrices (G, D, D) under the prior of a family, and its gradient.

    The other inputs are numbers of the family, and its scale or logs of scales.
    """

    def __init__(self, family: Family) -> None:
        super().__init__()
        self.family = family

    @property
    def function(self) -> str:  # type: ignore[override]
        """The name of the loops."""
        return "lkj_prior" if isinstance(self.family, LKJ) else "prior_of_covariances"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.family,)

    def graph(self, *inputs: Any) -> list[Any]:
        """As `loops.prior_of_covariances`."""
        covariances = inputs[0]
        value = self.family.log_density(covariances, count=covariances.type.shape[0], xp=pt)
        slopes = pt.grad(value, covariances)
        return [value, 0.5 * (slopes + slopes.mT)]


def log_prior_of_weights(concentration: Any, weights: Any) -> Any:
    """Log density of weights (K,) under Dirichlet(a), nats, as an operation of PyTensor."""
    constant = pt.gammaln(concentration.sum()) - pt.gammaln(concentration).sum()
    return WeightsDensity()(weights, concentration)[0] + constant


def log_prior_of_means(location: Any, sd: Any, means: Any) -> Any:
    """Log density of independent normal means (K, D), nats, as an operation of PyTensor."""
    constant = -(pt.log(sd) + 0.5 * np.log(2.0 * np.pi)).sum()
    return MeansDensity()(means, location, sd)[0] + constant


def log_prior_of_covariances(family: Family, groups: int, covariances: Any) -> Any:
    """Log density of covariance matrices (G, D, D), nats, as an operation of PyTensor."""
    # The normalising constant, from the density at identity matrices, whose logs are 0.
    if isinstance(family, LKJ):
        location = np.atleast_2d(np.asarray(family.log_scale_location, dtype=np.float64))
        d = location.shape[-1]
        scale, spread = np.broadcast_to(location, (groups, d)), family.log_scale_spread
        numbers = [spread, 1.0 - family.eta, 2.0 * family.eta - 1.0 + d]
        at_identity = 0.5 * ((scale / spread) ** 2).sum()
    else:
        nu, p, scale = family.terms
        d = scale.shape[-1]
        learned = 0.0 if p is None else p + groups * nu
        numbers = [learned, 0.5 * (nu + d + 1.0)]
        if learned:
            at_identity = 0.5 * learned * np.linalg.slogdet(scale[0] + groups * np.eye(d))[1]
        else:
            at_identity = 0.5 * np.trace(scale, axis1=1, axis2=2).sum() * groups / len(scale)
    at_identity += family.log_density(np.tile(np.eye(d), (groups, 1, 1)))
    constants = np.array([*numbers, at_identity]), scale
    return CovarianceDensity(family)(covariances, *map(pt.constant, constants))[0]


_OPERATIONS = [
    GradientOp, Weights, Means, Covariances, WeightsDensity, MeansDensity, CovarianceDensity,
]  # fmt: skip


@register_specialize  # type: ignore[untyped-decorator]
@node_rewriter([GradientOp, Weights])  # type: ignore[untyped-decorator]
def without_check_of_shape(fgraph: Any, node: Any) -> list[Any] | None:
    """Leave out a check of the shape of coordinates, which takes numba seconds to compile."""
    first, *others = node.inputs
    if first.owner is None or not isinstance(first.owner.op, SpecifyShape):
        return None
    outputs = [each.type() for each in node.outputs]
    Apply(node.op, [first.owner.inputs[0], *others], outputs)
    return outputs


@node_rewriter(_OPERATIONS)  # type: ignore[untyped-decorator]
def in_graphs(fgraph: Any, node: Any) -> list[Any]:
    """Replace the operations by their graphs."""
    return list(node.op.graph(*node.inputs))


optdb.register("loops_in_jax", dfs_rewriter(in_graphs), "jax", position=0.9)
