"""The Gaussian mixture as a PyMC distribution, with the components of rows summed out."""

from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.shape_utils import rv_size_is_none
from pytensor.compile import SharedVariable
from pytensor.graph.basic import Variable

from bayesgmm.arguments import check_kind
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import check_data
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.mixture.parameter_checks import as_floats
from bayesgmm.posterior.pytensor_op import MixtureLogDensity


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
    """A Gaussian mixture with the components of rows summed out, as a variable of a PyMC model.

    For use inside ``with pm.Model():``, as ``pm.Mixture`` is. Density and gradient are computed by
    this package's compiled core; log-likelihoods of rows, and prior and posterior predictive draws
    are available.

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
        Rows of finite numbers. Without them the variable can be drawn, but not sampled by NUTS.
    **kwargs
        Passed to PyMC, such as ``dims``.

    Returns
    -------
    TensorVariable

    Raises
    ------
    InputError, InputTypeError
        If observed rows cannot be used; missing values are not imputed.
    InvalidParameterError
        If not exactly one kind of matrices is given, or shapes do not fit the covariance type.
    DerivativeError
        On evaluation of a second derivative.

    Notes
    -----
    All of PyMC's samplers can be used: "pymc" and "nutpie" call the compiled core from numba,
    "numpyro" and "blackjax" from JAX, on the CPU and in 64-bit arithmetic. JAX is not a dependency
    of this package.

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
    check_kind("name", name, str, "a text")
    kinds = ("covariances", "cholesky", "precision_cholesky")
    values = (covariances, cholesky, precision_cholesky)
    given = [pair for pair in zip(kinds, values, strict=True) if pair[1] is not None]
    if len(given) != 1:
        raise InvalidParameterError(
            "marginal_mixture needs exactly one of covariances, cholesky and precision_cholesky, "
            f"not {' and '.join(kind for kind, _ in given) or 'none'}."
        )
    kind, value = given[0]
    weights, means = _tensor("weights", weights, 1), _tensor("means", means, 2)
    matrices = _expanded(_tensor(kind, value), weights, means, covariance_type)
    k, d = weights.type.shape[0], means.type.shape[1]
    _check_shape("means", means, (k, d))
    _check_shape(kind, matrices, (k, d, d)[: matrices.type.ndim])
    if observed is not None:
        observed = _checked_rows(observed, d)
    return pm.CustomDist(
        name,
        weights,
        means,
        matrices,
        dist=partial(_draw, kind),
        logp=partial(_log_density, kind),
        support_point=_support_point,
        signature=f"(k),(k,d),{'(k,d,d)' if matrices.type.ndim == 3 else '(k,d)'}->(d)",
        class_name="MarginalMixture",
        observed=observed,
        **kwargs,
    )


def _tensor(name: str, value: Any, ndim: int | None = None) -> Any:
    """A tensor of numbers, with `ndim` dimensions if that is given."""
    tensor = pt.as_tensor(value if isinstance(value, Variable) else as_floats(name, value))
    if ndim not in (None, tensor.type.ndim):
        raise InvalidParameterError(
            f"{name} must have {ndim} {'dimension' if ndim == 1 else 'dimensions'}, not "
            f"{tensor.type.ndim}."
        )
    return tensor


def _expanded(matrices: Any, weights: Any, means: Any, covariance_type: str) -> Any:
    """Matrices (K, D, D) or (K, D), from the shape of scikit-learn's `covariances_`."""
    structure = as_structure(covariance_type)
    ndim = (2 if structure.diagonal else 3) - structure.spherical - structure.shared
    if matrices.type.ndim != ndim:
        raise InvalidParameterError(
            f"covariance_type={structure.name!r} takes matrices of {ndim} dimensions, not "
            f"{matrices.type.ndim}."
        )
    if structure.spherical:
        matrices = pt.repeat(matrices[..., np.newaxis], means.shape[1], axis=-1)
    if structure.shared:
        matrices = pt.repeat(matrices[np.newaxis], weights.shape[0], axis=0)
    return matrices


def _check_shape(name: str, tensor: Any, expected: tuple[int | None, ...]) -> None:
    """Refuse a tensor whose known sizes are 0 or not those that are expected."""
    pairs = zip(tensor.type.shape, expected, strict=True)
    if any(None not in pair and (pair[0] != pair[1] or not pair[0]) for pair in pairs):
        k, d = expected[0], expected[-1]
        raise InvalidParameterError(
            f"{name} has the shape {tensor.type.shape}, which does not fit {k} weights and means "
            f"of {d} features."
        )


def _checked_rows(observed: Any, n_features: int | None) -> Any:
    if isinstance(observed, SharedVariable):
        check_data(observed.get_value(borrow=True), name="observed")
    elif not isinstance(observed, pt.TensorVariable):
        observed = check_data(observed, name="observed").X
    columns = pt.as_tensor(observed).type.shape[-1]
    if None not in (columns, n_features) and columns != n_features:
        raise InputError(f"observed has {columns} columns, but means have {n_features}.")
    return observed


def _log_density(kind: str, value: Any, weights: Any, means: Any, matrices: Any) -> Any:
    if value.type.ndim == 1:
        return MixtureLogDensity(kind)(weights, means, matrices, value[np.newaxis])[0]
    return MixtureLogDensity(kind)(weights, means, matrices, value)


def _draw(kind: str, weights: Any, means: Any, matrices: Any, size: Any) -> Any:
    """Rows from the mixture: the component of each, then its Gaussian."""
    alone = rv_size_is_none(size)
    labels = pm.Categorical.dist(p=weights, size=None if alone else size)
    d = means.shape[1]
    noise = pm.Normal.dist(size=d[np.newaxis] if alone else pt.concatenate([size, d[np.newaxis]]))
    diagonal = matrices.type.ndim == 2
    if kind == "covariances":
        factors = pt.sqrt(matrices) if diagonal else pt.linalg.cholesky(matrices)
    elif kind == "cholesky":
        factors = matrices
    elif diagonal:
        factors = 1.0 / matrices
    else:
        factors = pt.linalg.solve_triangular(matrices.mT, pt.eye(d), lower=True)
    if diagonal:
        return means[labels] + factors[labels] * noise
    return means[labels] + (factors[labels] @ noise[..., np.newaxis])[..., 0]


def _support_point(rv: Any, size: Any, weights: Any, means: Any, matrices: Any) -> Any:
    return pt.broadcast_to(weights @ means, rv.shape)
