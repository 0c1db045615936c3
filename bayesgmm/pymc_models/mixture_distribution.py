"""The Gaussian mixture as a PyMC distribution, with the components of rows summed out."""

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.distribution import Distribution, _support_point
from pymc.distributions.shape_utils import rv_size_is_none
from pymc.logprob.abstract import _logprob
from pymc.pytensorf import normalize_rng_param
from pytensor.compile import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.tensor.random.utils import normalize_size_param

from bayesgmm.arguments import check_kind
from bayesgmm.arrays import Array, Booleans
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.error_covariances import unpacked
from bayesgmm.data.validation import check_data, check_labels, check_sample_weight
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.mixture.noise import Noise
from bayesgmm.mixture.parameter_checks import as_floats
from bayesgmm.mixture.partial_rows import roots_of
from bayesgmm.pymc_models.prior_distributions import SettingsRV
from bayesgmm.pymc_models.pytensor_op import MixtureLogDensity


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
    error_covariances: Any = None,
    sample_weight: Any = None,
    labels: Any = None,
    noise_weight: Any = None,
    **kwargs: Any,
) -> Any:
    """A Gaussian mixture with the components of rows summed out, as a variable of a PyMC model.

    For use inside ``with pm.Model():``, as ``pm.Mixture`` is. Density and gradient are computed by
    this package's compiled core; log-likelihoods of rows, and prior and posterior predictive draws
    are available.

    Parameters
    ----------
    name : str
    weights : tensor of shape (K,), or (n, K)
        Equal for all rows, or those of each row, which may follow from covariates (an example is
        below).
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
        Rows; NaN are missing at random, and summed out. Without rows the variable can be drawn,
        but not sampled by NUTS.
    error_covariances : array-like, optional
        Measurement errors of the rows: variances (n, D), covariances (n, D, D), or one covariance
        of all rows, (D, D). The mixture is that of the rows without them.
    sample_weight : array-like of shape (n,), optional
        The number of times that each observed row counts: the factor of its log density. Draws
        of rows do not depend on it.
    labels : array-like of shape (n,), or booleans (n, K), optional
        Known components of observed rows, -1 where unknown; or the components that each may have.
        Draws of rows do not depend on them.
    noise_weight : tensor of shape (), optional
        The weight of noise beside the components, uniform over the box of the observed rows.
    **kwargs
        Passed to PyMC, such as ``dims``.

    Returns
    -------
    TensorVariable

    Raises
    ------
    InputError, InputTypeError
        If observed rows cannot be used.
    InvalidParameterError
        If not exactly one kind of matrices is given, or shapes do not fit the covariance type.
    DerivativeError
        On evaluation of a second derivative.

    Notes
    -----
    All of PyMC's samplers can be used: "pymc" and "nutpie" call the compiled core from numba,
    "numpyro" and "blackjax" from JAX, on the CPU and in 64-bit arithmetic. JAX is not a dependency
    of this package: install numpyro, or a release of blackjax that PyMC supports (PyMC 6.4 cannot
    call blackjax 1.7; 1.2.4 works), which bring it with them.

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

    Membership that depends on a covariate, by a multinomial logistic regression of the weights
    (component 0 is the reference):

    >>> import numpy as np
    >>> import pytensor.tensor as pt
    >>> z = np.column_stack([np.ones(len(x)), np.linspace(-1.0, 1.0, len(x))])
    >>> with pm.Model():
    ...     slopes = pm.Normal("slopes", 0.0, 2.0, shape=(2, 2))
    ...     scores = pt.concatenate([np.zeros((len(x), 1)), z @ slopes], axis=1)
    ...     weights = pm.Deterministic("weights", pm.math.softmax(scores, axis=1))
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
    weights, means = _tensor("weights", weights, 1, 2), _tensor("means", means, 2)
    matrices = _expanded(_tensor(kind, value), weights, means, covariance_type)
    k, d = weights.type.shape[-1], means.type.shape[1]
    _check_shape("means", means, (k, d))
    _check_shape(kind, matrices, (k, d, d)[: matrices.type.ndim])
    settings: dict[str, Any] = {"kind": kind}
    more = {
        "error_covariances": error_covariances,
        "sample_weight": sample_weight,
        "labels": labels,
        "noise_weight": noise_weight,
    }
    if observed is None:
        _check_none(more, "observed rows")
    else:
        observed, settings = _checked_rows(observed, kind, weights, d, **more)
    if weights.type.ndim == 2:
        _check_batch(weights, means, observed)
    beside = () if noise_weight is None else (_tensor("noise_weight", noise_weight, 0),)
    return MarginalMixture(
        name, weights, means, matrices, *beside, observed=observed, **settings, **kwargs
    )


class MarginalMixtureRV(SettingsRV):
    """A Gaussian mixture whose weights may be a batch, (..., K)."""

    _print_name = ("MarginalMixture", "\\operatorname{MarginalMixture}")

    @classmethod
    def rv_op(
        cls,
        weights: Any,
        means: Any,
        matrices: Any,
        *noise: Any,
        kind: str,
        errors: Any = None,
        counts: Any = None,
        labels: Any = None,
        box: Any = None,
        rng: Any = None,
        size: Any = None,
    ) -> Any:
        """The variable: the component of each row, then its Gaussian; some rows are noise."""
        rng, size = normalize_rng_param(rng), normalize_size_param(size)
        batch = weights.shape[:-1] if rv_size_is_none(size) else size
        next_rng, drawn = pt.random.categorical(weights, size=batch, rng=rng, return_next_rng=True)
        shape = pt.concatenate([drawn.shape, means.shape[1:]])
        last_rng, standard = pt.random.normal(size=shape, rng=next_rng, return_next_rng=True)
        factors, diagonal = _factors(kind, matrices), matrices.type.ndim == 2
        if diagonal:
            rows = means[drawn] + factors[drawn] * standard
        else:
            rows = means[drawn] + (factors[drawn] @ standard[..., np.newaxis])[..., 0]
        if errors is not None:
            shape = pt.concatenate([drawn.shape, means.shape[1:]])
            last_rng, standard = pt.random.normal(size=shape, rng=last_rng, return_next_rng=True)
            rows = rows + _noise(errors, standard)
        if box is not None:
            last_rng, rows = _with_noise(noise[0], box, rows, drawn.shape, last_rng)
        rows = pt.specify_shape(rows, (*(None,) * (rows.type.ndim - 1), means.type.shape[1]))
        sizes = "(k,d)" if diagonal else "(k,d,d)"
        more = ",()" * len(noise)
        signature = f"[rng],[size],(k),(k,d),{sizes}{more}->[rng],(d)"
        inputs = [rng, size, weights, means, matrices, *noise]
        made = cls(inputs, [last_rng, rows], extended_signature=signature)
        made.settings = {
            "kind": kind, "errors": errors, "counts": counts, "labels": labels, "box": box
        }  # fmt: skip
        return made(*inputs)


class MarginalMixture(Distribution):  # type: ignore[misc]
    """Rows of a Gaussian mixture with the components summed out; see `marginal_mixture`."""

    rv_type = MarginalMixtureRV
    rv_op = MarginalMixtureRV.rv_op

    @classmethod
    def dist(cls, weights: Any, means: Any, matrices: Any, *noise: Any, **options: Any) -> Any:
        """The variable; options are the settings, and PyMC's own."""
        return super().dist([weights, means, matrices, *noise], **options)


@_logprob.register(MarginalMixtureRV)  # type: ignore[untyped-decorator]
def _log_density(
    op: Any,
    values: Any,
    rng: Any,
    size: Any,
    weights: Any,
    means: Any,
    matrices: Any,
    *noise: Any,
    **_: Any,
) -> Any:
    (value,), density = values, MixtureLogDensity(op.settings["kind"])
    errors = op.settings["errors"]
    errors = np.empty((0, 0)) if errors is None else errors.reshape(len(errors), -1)
    rows = value[np.newaxis] if value.type.ndim == 1 else value
    labels, box = op.settings["labels"], op.settings["box"]
    if weights.type.ndim == 1 and labels is None:
        out = density(weights, means, matrices, rows, errors)
    else:
        # The density of each component is that of a mixture of it alone.
        each = [
            density(np.ones(1), means[k : k + 1], matrices[k : k + 1], rows, errors)
            for k in range(means.type.shape[0])
        ]
        joint = pt.log(weights) + pt.stack(each, axis=1)
        if labels is not None:
            joint = pt.where(labels, joint, -np.inf)
        out = pt.logsumexp(joint, axis=1)
    if box is not None:
        out = _beside_noise(out, noise[0], box, rows, labels)
    if op.settings["counts"] is not None:
        out = op.settings["counts"] * out
    return out[0] if value.type.ndim == 1 else out


@_support_point.register(MarginalMixtureRV)  # type: ignore[untyped-decorator]
def _mean(
    op: Any, rv: Any, rng: Any, size: Any, weights: Any, means: Any, matrices: Any, *_: Any
) -> Any:
    return pt.broadcast_to(weights @ means, rv.shape)


def _possible(labels: Any, n: int, n_components: int | None) -> Booleans | None:
    """True (n, K) for the components that each row may have."""
    array = None if labels is None else np.asarray(labels)
    if array is None or n_components is None:
        _check_none({"labels": labels}, "means of a static shape")
        return None
    if array.dtype != np.bool_:
        found = check_labels(labels, n, n_components)
        if found is None:
            return None
        array = (found[:, np.newaxis] < 0) | (found[:, np.newaxis] == np.arange(n_components))
    if array.shape != (n, n_components) or not array.any(axis=1).all():
        raise InputError(
            f"labels that are booleans must be of shape ({n}, {n_components}), with a component "
            "that is possible for each row."
        )
    return array


def _beside_noise(
    densities: Any, weight: Any, box: tuple[Array, Array], rows: Any, labels: Booleans | None
) -> Any:
    """Log densities of rows of a mixture, or of noise."""
    lower, upper = box
    uniform = -pt.sum(pt.where(pt.isnan(rows), 0.0, np.log(upper - lower)), axis=1)
    of_mixture = pt.log1p(-weight) + densities
    both = pt.logaddexp(of_mixture, pt.log(weight) + uniform)
    return both if labels is None else pt.where(labels.all(axis=1), both, of_mixture)


def _with_noise(
    weight: Any, box: tuple[Array, Array], rows: Any, shape: Any, rng: Any
) -> tuple[Any, Any]:
    """The next state of `rng`, and rows of which some are replaced by uniform ones."""
    lower, upper = box
    rng, uniform = pt.random.uniform(size=rows.shape, rng=rng, return_next_rng=True)
    rng, chance = pt.random.uniform(size=shape, rng=rng, return_next_rng=True)
    far = lower + (upper - lower) * uniform
    return rng, pt.where((chance < weight)[..., np.newaxis], far, rows)


def _factors(kind: str, matrices: Any) -> Any:
    """Lower Cholesky factors, or standard deviations."""
    diagonal = matrices.type.ndim == 2
    if kind == "cholesky":
        return matrices
    if kind == "covariances":
        return pt.sqrt(matrices) if diagonal else pt.linalg.cholesky(matrices)
    if diagonal:
        return 1.0 / matrices
    return pt.linalg.solve_triangular(matrices.mT, pt.eye(matrices.shape[-1]), lower=True, b_ndim=2)


def _tensor(name: str, value: Any, *ndims: int) -> Any:
    """A tensor of numbers, with one of `ndims` dimensions if any are given."""
    tensor = pt.as_tensor(value if isinstance(value, Variable) else as_floats(name, value))
    if ndims and tensor.type.ndim not in ndims:
        wanted = " or ".join(map(str, ndims))
        raise InvalidParameterError(
            f"{name} must have {wanted} {'dimension' if wanted == '1' else 'dimensions'}, not "
            f"{tensor.type.ndim}."
        )
    return tensor


def _check_batch(weights: Any, means: Any, observed: Any) -> None:
    """Refuse weights of rows where the components or the rows cannot be counted, or differ."""
    if means.type.shape[0] is None:
        raise InvalidParameterError(
            "weights of shape (n, K) need a number of components that is known when the model is "
            "built. Give means a static shape, as shape=(K, D) does, or pt.specify_shape."
        )
    if observed is None:
        return
    # Rows in pm.Data may change in number, and weights may follow them.
    n, found = pt.as_tensor(observed).type.shape[0], weights.type.shape[0]
    if None not in (n, found) and n != found:
        raise InvalidParameterError(f"weights has {plural(found, 'row')}, but observed has {n}.")


def _expanded(matrices: Any, weights: Any, means: Any, covariance_type: str) -> Any:
    """Matrices (K, D, D) or (K, D), from the shape of scikit-learn's `covariances_`."""
    structure = as_structure(covariance_type)
    ndim = (2 if structure.diagonal else 3) - structure.spherical - structure.shared
    if matrices.type.ndim != ndim:
        raise InvalidParameterError(
            f"covariance_type={structure.name!r} takes matrices of {plural(ndim, 'dimension')}, "
            f"not {matrices.type.ndim}."
        )
    if structure.spherical:
        matrices = pt.repeat(matrices[..., np.newaxis], means.shape[1], axis=-1)
    if structure.shared:
        matrices = pt.repeat(matrices[np.newaxis], weights.shape[-1], axis=0)
    return matrices


def _check_shape(name: str, tensor: Any, expected: tuple[int | None, ...]) -> None:
    """Refuse a tensor whose known sizes are 0 or not those that are expected."""
    pairs = zip(tensor.type.shape, expected, strict=True)
    if any(None not in pair and (pair[0] != pair[1] or not pair[0]) for pair in pairs):
        k, d = expected[0], expected[-1]
        raise InvalidParameterError(
            f"{name} has the shape {tensor.type.shape}, which does not fit weights of "
            f"length {k} and means of length {d}."
        )


def _noise(errors: Array, standard: Any) -> Any:
    """Measurement errors (n, D) from standard normal numbers."""
    if errors.ndim == 2:
        return np.sqrt(errors) * standard
    roots = roots_of(errors.reshape(len(errors), -1), errors.shape[-1])
    return (roots @ standard[..., np.newaxis])[..., 0]


def _check_none(arguments: dict[str, Any], needed: str) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise InvalidParameterError(f"{name} needs {needed}.")


def _checked_rows(
    observed: Any,
    kind: str,
    weights: Any,
    n_features: int | None,
    **more: Any,
) -> tuple[Any, dict[str, Any]]:
    """Rows as PyMC takes them, and the settings of their distribution.

    These are the kind of matrices, errors (variances or covariances), counts (weights of rows),
    labels, and the box of noise.
    """
    values, settings = observed, dict[str, Any](kind=kind)
    if isinstance(observed, SharedVariable):
        values = observed.get_value(borrow=True)
    elif isinstance(observed, pt.TensorVariable):
        values = None
    if values is not None:
        data = check_data(
            values,
            name="observed",
            allow_nan=True,
            error_covariances=more["error_covariances"],
        )
        settings["counts"] = check_sample_weight(more["sample_weight"], len(data.X))
        k = weights.type.shape[-1]
        settings["labels"] = _possible(more["labels"], len(data.X), k)
        if data.errors is not None:
            settings["errors"] = unpacked(data.errors, data.X.shape[1])
        if more["noise_weight"] is not None:
            box = Noise.around(data)
            settings["box"] = box.lower, box.upper
        if values is observed:
            # A constant: PyMC would draw what an array has as NaN.
            observed = pt.constant(data.X) if data.has_missing else data.X
    else:
        _check_none(more, "observed rows of known values")
    columns = pt.as_tensor(observed).type.shape[-1]
    if None not in (columns, n_features) and columns != n_features:
        raise InputError(f"observed has {plural(columns, 'column')}, but means have {n_features}.")
    return observed, settings
