"""The likelihood of a mixture as a PyTensor operation and a PyMC distribution.

Value and gradients come out of one pass of the core's kernel. `MixtureLogLikelihood` has both
as outputs, and its pullback takes the gradients from there: a model's density and its gradient
share one node. `MixtureLogDensity` gives each row's own log density, which PyMC asks for; wherever
a graph sums them up, a rewrite puts the other in its place.
"""

from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.shape_utils import rv_size_is_none
from pytensor.compile.mode import optdb
from pytensor.gradient import DisconnectedType, grad_not_implemented
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.tensor.basic import Alloc
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.rewriting.basic import register_canonicalize, register_specialize

from bayesgmm.arguments import check_kind
from bayesgmm.core import native
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import check_data
from bayesgmm.errors import DerivativeError, InputError, InvalidParameterError
from bayesgmm.mixture.parameter_checks import as_floats

# What the matrices of a likelihood are, as the core takes it: Sigma, its Cholesky factor L, or U
# with U U' = Sigma^-1 (scikit-learn's `precisions_cholesky_`).
_CODES = {"covariances": 0, "cholesky": 1, "precision_cholesky": 2}


class _RowsOp(Op):  # type: ignore[misc]
    """Common inputs: weights (K,), means (K, D), matrices (K, D, D) or (K, D), rows (n, D)."""

    __props__ = ("kind",)

    def __init__(self, kind: str) -> None:
        # Numba is loaded here, by whoever makes a graph, and not with this module.
        import bayesgmm.posterior.numba_backend  # noqa: F401  # registers this operation

        self.kind = kind
        self.code = _CODES[kind]

    def _inputs(self, *inputs: Any) -> list[Any]:
        tensors = [pt.as_tensor(each, dtype="float64") for each in inputs]
        for tensor, least, most in zip(tensors, (1, 2, 2, 2), (1, 2, 3, 2), strict=False):
            if not least <= tensor.type.ndim <= most:
                raise InvalidParameterError(
                    "A mixture's likelihood takes weights (K,), means (K, D), matrices (K, D, D) "
                    f"or (K, D), and rows (n, D), not {tensor.type}."
                )
        return tensors


class MixtureLogLikelihood(_RowsOp):
    """Log-likelihood of rows, and its gradient in weights, means and matrices, by one pass.

    A fifth input holds row weights (n,), or none (0,) where each row counts once.

    Parameters
    ----------
    kind : {"covariances", "cholesky", "precision_cholesky"}
        What the matrices are. Variances, standard deviations or their inverses if they are (K, D).
    """

    def make_node(
        self, weights: Any, means: Any, matrices: Any, rows: Any, row_weights: Any = ()
    ) -> Apply[Any]:
        """Outputs: the value (), and gradients in the shapes of the first three inputs."""
        inputs = self._inputs(weights, means, matrices, rows, row_weights)
        outputs = [pt.dscalar(), *(each.type() for each in inputs[:3])]
        return Apply(self, inputs, outputs)

    def infer_shape(self, node: Any, shapes: Any) -> list[Any]:
        """Of the outputs."""
        return [(), *shapes[:3]]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Without a compiled graph."""
        value, flat = native.log_likelihood(self.code, *map(_plain, inputs))
        k, size = inputs[0].size, inputs[1].size
        output_storage[0][0] = np.asarray(value)
        for storage, part, like in zip(
            output_storage[1:], np.split(flat, (k, k + size)), inputs, strict=False
        ):
            storage[0] = part.reshape(like.shape)

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """The value's cotangent times the gradients that are there already."""
        if not all(isinstance(each.type, DisconnectedType) for each in cotangents[1:]):
            raise DerivativeError(
                "The likelihood of a mixture has first derivatives alone: its second derivatives "
                "(Hessians, Laplace approximations) are not offered. Use differences of gradients."
            )
        return [
            *(cotangents[0] * each for each in outputs[1:]),
            *(_no_gradient(self, inputs, i) for i in (3, 4)),
        ]


class MixtureLogDensity(_RowsOp):
    """Log density of each row, (n,). Parameters as of `MixtureLogLikelihood`."""

    def make_node(self, weights: Any, means: Any, matrices: Any, rows: Any) -> Apply[Any]:
        """Output: nats, one for each row."""
        inputs = self._inputs(weights, means, matrices, rows)
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=inputs[3].type.shape[:1])])

    def infer_shape(self, node: Any, shapes: Any) -> list[Any]:
        """Of the output."""
        return [(shapes[3][0],)]

    def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
        """Without a compiled graph."""
        output_storage[0][0] = native.log_densities(self.code, *map(_plain, inputs))

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """The gradient of the rows' weighted sum: one pass with the cotangents for weights."""
        found = MixtureLogLikelihood(self.kind)(*inputs, cotangents[0])
        return [*found[1:], _no_gradient(self, inputs, 3)]


def _plain(array: Any) -> Any:
    """An array as the core takes it."""
    return np.ascontiguousarray(array, dtype=np.float64)


def _no_gradient(op: Op, inputs: Any, i: int) -> Any:
    return grad_not_implemented(op, i, inputs[i], "Rows are data here, not parameters.")


# --- rewrites: rows' densities that are summed up are not formed ----------------------------------


@register_canonicalize  # type: ignore[untyped-decorator]
@register_specialize  # type: ignore[untyped-decorator]
@node_rewriter([Sum])  # type: ignore[untyped-decorator]
def sum_of_log_densities(fgraph: Any, node: Any) -> list[Any] | None:
    """sum(MixtureLogDensity(...)) is the value of MixtureLogLikelihood(...)."""
    inner = node.inputs[0].owner
    if inner is None or not isinstance(inner.op, MixtureLogDensity):
        return None
    return [_alone(inner.op.kind, inner.inputs)[0]]


@register_canonicalize  # type: ignore[untyped-decorator]
@register_specialize  # type: ignore[untyped-decorator]
@node_rewriter([MixtureLogLikelihood])  # type: ignore[untyped-decorator]
def equal_row_weights(fgraph: Any, node: Any) -> list[Any] | None:
    """Row weights that are one number c: value and gradients are c times those without."""
    *inputs, row_weights = node.inputs
    factor = _one_number(row_weights)
    if factor is None:
        return None
    return [factor * each for each in _alone(node.op.kind, inputs)]


@node_rewriter([MixtureLogLikelihood, MixtureLogDensity])  # type: ignore[untyped-decorator]
def in_jax(fgraph: Any, node: Any) -> None:
    """Rewrites nothing: where PyTensor makes a graph ready for JAX, the operations are too."""
    import bayesgmm.posterior.jax_backend  # noqa: F401  # registers these operations


optdb.register("mixture_likelihood_in_jax", dfs_rewriter(in_jax), "jax", position=100)


def _alone(kind: str, inputs: Any) -> Any:
    return MixtureLogLikelihood(kind)(*inputs, pt.constant(np.empty(0)))


def _one_number(vector: Any) -> Any:
    """The number that a vector repeats, if its graph says so."""
    owner = vector.owner
    if isinstance(vector, Constant):
        data = vector.data
        return pt.constant(data[0]) if data.size and (data == data[0]).all() else None
    if owner is None:
        return None
    inner = None
    if isinstance(owner.op, Alloc):
        inner = owner.inputs[0]
    elif isinstance(owner.op, Elemwise) and owner.op == pt.second:
        inner = owner.inputs[1]
    elif isinstance(owner.op, DimShuffle) and owner.inputs[0].type.ndim == 0:
        return owner.inputs[0]
    if inner is None:
        return None
    if inner.type.ndim == 0:
        return inner
    return inner[0] if inner.type.broadcastable == (True,) else _one_number(inner)


# --- the distribution -----------------------------------------------------------------------------


def marginal_mixture(
    name: str,
    weights: Any,
    means: Any,
    *,
    covariances: Any = None,
    cholesky: Any = None,
    precision_cholesky: Any = None,
    covariance_type: str = "full",
    observed: Any = None,
    **kwargs: Any,
) -> Any:
    """A Gaussian mixture with the labels of rows summed out, as a variable of a PyMC model.

    To be used as ``pm.Mixture`` is, inside ``with pm.Model():``. Its density and gradient are the
    engine's; it has per-row log-likelihoods, and prior and posterior predictive draws.

    Parameters
    ----------
    name : str
    weights : tensor of shape (K,)
    means : tensor of shape (K, D)
    covariances, cholesky, precision_cholesky : tensor
        Exactly one of: covariances; their lower Cholesky factors L; upper factors U with
        U U' = Sigma^-1, as scikit-learn's ``precisions_cholesky_``. The shape is that of
        scikit-learn's ``covariances_``: (K, D, D) for "full", (D, D) for "tied", (K, D) for
        "diag", (K,) for "spherical", where the last two hold variances, standard deviations or
        their inverses.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Or mclust's code of one of these (also "EEI", (D,), and "EII", ()).
    observed : array-like of shape (n, D) or pm.Data, optional
        Rows: finite numbers. Without it the variable can be drawn from, but not sampled by NUTS.
    **kwargs
        As ``dims``, for PyMC.

    Returns
    -------
    TensorVariable

    Raises
    ------
    InputError, InputTypeError
        If observed rows cannot be used; missing values are never imputed.
    InvalidParameterError
        If not exactly one kind of matrices is given, or shapes do not fit the covariance type.
    DerivativeError
        When a second derivative is asked for.

    Notes
    -----
    Any of PyMC's samplers can be used: "pymc" and "nutpie" call the compiled core from numba,
    "numpyro" and "blackjax" from JAX, on the CPU and with numbers of 64 bits. JAX is not installed
    with this package.

    Examples
    --------
    >>> import pymc as pm
    >>> from bayesgmm import load_dataset, marginal_mixture
    >>> x = load_dataset("galaxies").X
    >>> with pm.Model():
    ...     weights = pm.Dirichlet("weights", [2.0, 2.0, 2.0])
    ...     means = pm.Normal("means", 20.0, 10.0, shape=(3, 1))
    ...     sds = pm.HalfNormal("sds", 5.0, shape=3)
    ...     rows = marginal_mixture(
    ...         "x", weights, means, cholesky=sds, covariance_type="spherical", observed=x
    ...     )
    """
    given = {
        "covariances": covariances,
        "cholesky": cholesky,
        "precision_cholesky": precision_cholesky,
    }
    kinds = [kind for kind, each in given.items() if each is not None]
    if len(kinds) != 1:
        raise InvalidParameterError(
            "marginal_mixture needs exactly one of covariances, cholesky and precision_cholesky, "
            f"not {' and '.join(kinds) or 'none'}."
        )
    (kind,) = kinds
    check_kind("name", name, str, "a text")
    weights, means = _tensor("weights", weights, 1), _tensor("means", means, 2)
    matrices = _expanded(_tensor(kind, given[kind]), weights, means, covariance_type)
    k, d = weights.type.shape[0], means.type.shape[1]
    for argument, tensor, shape in (("means", means, (k, d)), (kind, matrices, (k, d, d))):
        known = [pair for pair in zip(tensor.type.shape, shape, strict=False) if None not in pair]
        if any(found != expected or not found for found, expected in known):
            raise InvalidParameterError(
                f"{argument} has the shape {tensor.type.shape}, which does not fit {k} weights and "
                f"means of {d} features."
            )
    if observed is not None:
        observed = _checked_rows(observed)
        found, expected = pt.as_tensor(observed).type.shape[-1], means.type.shape[1]
        if None not in (found, expected) and found != expected:
            raise InputError(f"observed has {found} columns, but means have {expected}.")
    core = "(k,d,d)" if matrices.type.ndim == 3 else "(k,d)"

    def log_density(value: Any, weights: Any, means: Any, matrices: Any) -> Any:
        if value.type.ndim == 1:
            return MixtureLogDensity(kind)(weights, means, matrices, value[np.newaxis])[0]
        return MixtureLogDensity(kind)(weights, means, matrices, value)

    return pm.CustomDist(
        name,
        weights,
        means,
        matrices,
        dist=partial(_draw, kind),
        logp=log_density,
        support_point=_support_point,
        signature=f"(k),(k,d),{core}->(d)",
        class_name="MarginalMixture",
        observed=observed,
        **kwargs,
    )


def _tensor(name: str, value: Any, ndim: int | None = None) -> Any:
    """A tensor of numbers, of as many dimensions as there must be."""
    if not isinstance(value, Variable):
        value = as_floats(name, value)
    tensor = pt.as_tensor(value)
    if ndim is not None and tensor.type.ndim != ndim:
        raise InvalidParameterError(
            f"{name} must have {ndim} {'dimension' if ndim == 1 else 'dimensions'}, not "
            f"{tensor.type.ndim}."
        )
    return tensor


def _expanded(matrices: Any, weights: Any, means: Any, covariance_type: str) -> Any:
    """Matrices (K, D, D) or (K, D), from the shape of scikit-learn's `covariances_`."""
    structure = as_structure(covariance_type)
    k, d = weights.shape[0], means.shape[1]
    # What the structure makes of no data says how its compact form is laid out.
    whole = np.zeros((2, 3) if structure.diagonal else (2, 3, 3))
    compact = structure.compact(whole)
    shared = compact.ndim == 0 or compact.shape[0] != 2
    isotropic = compact.size in (1, 2)
    if matrices.type.ndim != compact.ndim:
        raise InvalidParameterError(
            f"covariance_type={structure.name!r} takes matrices of {compact.ndim} dimensions, not "
            f"{matrices.type.ndim}."
        )
    if isotropic:
        matrices = pt.repeat(matrices[..., np.newaxis], d, axis=-1)
    if shared:
        matrices = pt.repeat(matrices[np.newaxis], k, axis=0)
    return matrices


def _checked_rows(observed: Any) -> Any:
    if isinstance(observed, pytensor.compile.SharedVariable):
        check_data(observed.get_value(borrow=True), name="observed")
        return observed
    if isinstance(observed, pt.TensorVariable):
        return observed
    return check_data(observed, name="observed").X


def _draw(kind: str, weights: Any, means: Any, matrices: Any, size: Any) -> Any:
    """Rows from the mixture: the component of each, then its Gaussian."""
    alone = rv_size_is_none(size)
    labels = pm.Categorical.dist(p=weights, size=None if alone else size)
    d = means.shape[1]
    noise = pm.Normal.dist(size=d[np.newaxis] if alone else pt.concatenate([size, d[np.newaxis]]))
    if matrices.type.ndim == 2:
        deviations = {
            "covariances": pt.sqrt,
            "cholesky": lambda each: each,
            "precision_cholesky": lambda each: 1.0 / each,
        }[kind](matrices)
        return means[labels] + deviations[labels] * noise
    if kind == "precision_cholesky":
        factors = pt.linalg.solve_triangular(matrices.mT, pt.eye(d), lower=True)
    else:
        factors = pt.linalg.cholesky(matrices) if kind == "covariances" else matrices
    return means[labels] + (factors[labels] @ noise[..., np.newaxis])[..., 0]


def _support_point(rv: Any, size: Any, weights: Any, means: Any, matrices: Any) -> Any:
    return pt.broadcast_to(weights @ means, rv.shape)
