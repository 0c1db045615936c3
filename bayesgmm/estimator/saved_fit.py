"""Fitted estimators as JSON documents: parameters and results of the fit, without the rows."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from bayesgmm.arrays import Array, Integers
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.json_document import dump_document, load_document, read_text, write_document
from bayesgmm.em.settings import (
    StartRecord,
)
from bayesgmm.em.spurious import Degeneracy, Fault
from bayesgmm.errors import ModelFormatError
from bayesgmm.estimator.columns import names_in, set_names_in
from bayesgmm.estimator.json_values import JsonValues
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.fitted_mixture import Fitted as FittedEstimator
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.priors.families import LKJ, InverseGamma, InverseWishart
from bayesgmm.priors.held_parameters import HeldParameters
from bayesgmm.priors.hyperpriors import Gamma, Wishart
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors

if TYPE_CHECKING:
    from bayesgmm.estimator.gaussian_mixture import GaussianMixture

SCHEMA = "bayesgmm.estimator"
_VERSION = 1
_FIELDS = {"estimator", "parameters", "fit"}


@dataclass(frozen=True, slots=True, eq=False)
class FitResults:
    """The results of a fit of `GaussianMixture`, with the names of its attributes.

    Attributes
    ----------
    row_extras : tuple, optional
        A fingerprint of the rows, and their weights, errors and labels, by which other calls with
        the same rows recognise them.
    """

    structure: str
    parameters: Parameters
    feature_names: tuple[str, ...] | None
    feature_names_in: tuple[str, ...] | None
    held: HeldParameters | None
    noise: Noise | None
    contamination: Contamination | None
    priors: ResolvedPriors | None
    log_likelihood: float
    log_posterior: float | None
    n_parameters: int
    n_rows: float
    converged: bool
    n_iter: int
    remaining: float
    lower_bound: float
    lower_bounds: list[float]
    degeneracy: Degeneracy | None
    starts: list[StartRecord]
    row_extras: tuple[bytes, Array | None, Array | None, Integers | None] | None
    component_names: tuple[str, ...] | None = None


# The classes of parameters and results; a document names no others.
CLASSES: tuple[type, ...] = (
    Parameters,
    Mixture,
    Noise,
    Contamination,
    HeldParameters,
    Priors,
    ResolvedPriors,
    Gamma,
    Wishart,
    InverseGamma,
    InverseWishart,
    LKJ,
    Degeneracy,
    Fault,
    StartRecord,
    FitResults,
)


def save_estimator(
    estimator: BaseEstimator,
    results: Any,
    values: JsonValues,
    path: str | os.PathLike[str] | None,
) -> str:
    """Return an estimator and the results of its fit as JSON text; also write it to `path`.

    Raises
    ------
    InputError
        If a parameter is of a kind that no file holds, such as a function.
    """
    parameters = {
        name: values.written(value.mixture_ if isinstance(value, FittedEstimator) else value, name)
        for name, value in estimator.get_params(deep=False).items()
    }
    kind = type(estimator).__name__
    fields = {"estimator": kind, "parameters": parameters, "fit": values.written(results, "fit")}
    text = dump_document(SCHEMA, _VERSION, fields)
    if path is not None:
        write_document(path, text)
    return text


def load_estimator(
    kind: type[BaseEstimator], source: Any, results: type, values: JsonValues
) -> tuple[Any, Any]:
    """Read an estimator, not fitted, and the results of its fit.

    Parameters that a document of an earlier release lacks have their defaults.

    Raises
    ------
    ModelFormatError
        If the text is damaged, foreign, of another estimator or of a newer version.
    """
    fields = load_document(read_text(source), SCHEMA, _VERSION, _FIELDS)
    if fields["estimator"] != kind.__name__:
        raise ModelFormatError(
            f"The model is a {fields['estimator']!r:.80}, not a {kind.__name__}: read it by the "
            "from_json of its own class."
        )
    parameters = fields["parameters"]
    if not isinstance(parameters, dict):
        raise ModelFormatError(f"The model has no parameters of a {kind.__name__}.")
    unknown = sorted(parameters.keys() - kind().get_params().keys())
    if unknown:
        raise ModelFormatError(
            f"The model has parameters that {kind.__name__} lacks: {unknown!r:.200}. Update "
            "bayesgmm to read it."
        )
    found = values.read(fields["fit"])
    if not isinstance(found, results):
        raise ModelFormatError(f"The model has no results of a fit of {kind.__name__}.")
    return kind(**{name: values.read(value) for name, value in parameters.items()}), found


def results_of(fit: "GaussianMixture") -> FitResults:
    """The results of a fit."""
    return FitResults(
        structure=fit._structure.code,
        parameters=fit._parameters,
        feature_names=fit.mixture_.feature_names,
        feature_names_in=names_in(fit),
        held=fit._held,
        noise=fit.noise_,
        contamination=fit.contamination_,
        priors=fit.priors_,
        log_likelihood=fit.log_likelihood_,
        log_posterior=fit.log_posterior_,
        n_parameters=fit.n_parameters_,
        n_rows=fit.n_rows_,
        converged=fit.converged_,
        n_iter=fit.n_iter_,
        remaining=fit.remaining_,
        lower_bound=fit.lower_bound_,
        lower_bounds=fit.lower_bounds_,
        degeneracy=fit.degeneracy_,
        starts=fit._records,
        row_extras=fit._fitted,
        component_names=fit.mixture_.component_names,
    )


def restore(fit: "GaussianMixture", results: FitResults) -> None:
    """Give an estimator the results of its fit.

    Raises
    ------
    ModelFormatError
        If they contradict one another.
    """
    try:
        names = results.feature_names, results.component_names
        mixture = results.parameters.mixture(*names)
        fit._structure = as_structure(results.structure, mixture.n_features)
        if fit._structure.diagonal != (results.parameters.covariances.ndim == 2):
            raise ValueError("the covariances are not those of its structure")
        set_names_in(fit, mixture.n_features, results.feature_names_in)
    except (ValueError, TypeError, IndexError) as error:
        raise ModelFormatError(f"The model does not describe a valid fit: {error}") from error
    fit._store_mixture(results.parameters, mixture)
    fit._held, fit._records, fit._fitted = results.held, results.starts, results.row_extras
    fit.noise_, fit.contamination_ = results.noise, results.contamination
    fit.priors_ = results.priors
    fit.log_likelihood_, fit.log_posterior_ = results.log_likelihood, results.log_posterior
    fit.n_parameters_, fit.n_rows_ = results.n_parameters, results.n_rows
    fit.converged_, fit.n_iter_, fit.remaining_ = (
        results.converged,
        results.n_iter,
        results.remaining,
    )
    fit.lower_bound_, fit.lower_bounds_ = results.lower_bound, results.lower_bounds
    fit.degeneracy_ = results.degeneracy


VALUES = JsonValues(CLASSES)
