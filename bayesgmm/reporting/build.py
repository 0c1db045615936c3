"""`report`: all sections, or the reasons why they could not be made."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.data.validation import check_data, index_of
from bayesgmm.display import plural
from bayesgmm.errors import BayesGMMError, BayesGMMWarning, InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.marginal_likelihood.model_evidence import Evidence
from bayesgmm.mixture.fitted_mixture import MixtureLike
from bayesgmm.reporting.computed import computed
from bayesgmm.reporting.inputs import Inputs, gather
from bayesgmm.reporting.page import Report, assemble
from bayesgmm.reporting.parts import Section, UnavailableError
from bayesgmm.reporting.sections.classification import membership_section
from bayesgmm.reporting.sections.data import data_section
from bayesgmm.reporting.sections.em_and_posterior import engines_section
from bayesgmm.reporting.sections.em_starts import starts_section
from bayesgmm.reporting.sections.evidence import evidence_section, reconciled
from bayesgmm.reporting.sections.goodness_of_fit import fit_section
from bayesgmm.reporting.sections.labels import switching_section
from bayesgmm.reporting.sections.methods import methods_section
from bayesgmm.reporting.sections.model_choice import choice_section
from bayesgmm.reporting.sections.parameters import mixture_section
from bayesgmm.reporting.sections.partition import partition_section
from bayesgmm.reporting.sections.posterior import posterior_section
from bayesgmm.reporting.sections.recovery import recovery_section
from bayesgmm.reporting.verdict_box import summarise

_SECTIONS: tuple[tuple[str, str, Callable[[Inputs], Section]], ...] = (
    ("data", "Data", data_section),
    ("mixture", "The mixture", mixture_section),
    ("starts", "Starts", starts_section),
    ("choice", "Choice of K and structure", choice_section),
    ("evidence", "Number of components", evidence_section),
    ("posterior", "Posterior", posterior_section),
    ("switching", "Label switching", switching_section),
    ("engines", "EM and the posterior", engines_section),
    ("recovery", "Recovery of the truth", recovery_section),
    ("fit", "Goodness of fit", fit_section),
    ("membership", "Classification", membership_section),
    ("partition", "The partition", partition_section),
    ("methods", "Methods", methods_section),
)


def report(
    X: Any,
    n_components: int | None = None,
    *,
    em: GaussianMixture | None = None,
    posterior: Any = None,
    variables: Mapping[str, str] | None = None,
    truth: MixtureLike | None = None,
    labels: Sequence[Any] | None = None,
    selection: Any = None,
    evidence: Evidence | str | None = None,
    title: str | None = None,
    source: str | None = None,
    command: str | None = None,
    reading: str | None = None,
    error_covariances: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    noise_component: bool = False,
    contaminated: bool = False,
) -> Report:
    """One page on a fit: its parameters, diagnostics, and an overall verdict.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        The fitted rows; NaN are missing. Tables name rows by the index of a data frame.
    n_components : int, optional
        K of a mixture with full covariances that is fitted here, in place of `em`.
    em : GaussianMixture, optional
        Fitted to X. The mixture is evaluated on other rows, and the page says so.
    posterior : DataTree or Dataset, or True, optional
        Of `sample_posterior`, or any with weights, means and covariances, relabelled or not. True
        samples it here, for the size and structure of the fit.
    variables : mapping, optional
        Names of weights, means and covariances in the posterior, as for `relabel`.
    truth : Mixture or fitted GaussianMixture, optional
        The mixture that the rows were drawn from.
    labels : sequence of length n, optional
        Known groups, compared with the components.
    selection : Selection or data frame, optional
        Result of `select_mixture`, or its table.
    evidence : Evidence or str, optional
        Result of `evidence`: how probable each K is. A text is the reason why it could not be
        computed, which the page states.
    title : str, optional
    source : str, optional
        Origin of the rows, in words.
    command : str, optional
        A command line that produces the same page, shown in it.
    reading : str, optional
        Python code that reads the rows as ``X``, and ``weights``, ``errors`` and ``known`` if the
        fit had them, for the code shown in the page. None: lines to fill in.
    error_covariances : array-like, optional
        Measurement errors of the rows, as in `GaussianMixture.fit`. None: those of the fit or the
        posterior if X are their rows.
    sample_weight : array-like of shape (n,), optional
        The number of times that each row counts in the fit of `n_components` that is made here.
        The weights of `em` and of the posterior are theirs.
    noise_component : bool
        With `n_components`: add a component of uniform noise, as `GaussianMixture` does.
    contaminated : bool
        With `n_components`: give each component outliers of its own, as `GaussianMixture` does.

    Returns
    -------
    Report
        Displayed by notebooks; `save` writes one file, and `numbers` has every number.

    Raises
    ------
    InputError, InputTypeError
        If the rows cannot be used, or the arguments do not fit one another.
    InvalidParameterError
        If an argument is of another kind, or the fit is given twice or not at all.
    NotFittedError
        If `em` or `truth` was not fitted.

    Notes
    -----
    A section whose input is missing, or which could not be computed, states the reason.

    Examples
    --------
    >>> from bayesgmm import load_dataset, report
    >>> faithful = load_dataset("faithful")
    >>> page = report(faithful.X, 2, title="Old Faithful")
    >>> page.numbers["headline"]
    'Two components for 272 rows of 2 columns'
    """
    check_texts(title=title, source=source, command=command, reading=reading)
    data = check_data(X, allow_nan=True, error_covariances=error_covariances)
    data = data._replace(row_names=data.row_names or index_of(X))
    em, posterior = computed(
        data,
        n_components,
        em,
        posterior,
        sample_weight,
        noise_component=noise_component,
        contaminated=contaminated,
    )
    inputs = gather(
        data,
        em,
        posterior,
        variables,
        truth,
        labels,
        selection,
        source,
        command,
        evidence,
        reading,
    )
    sections = reconciled([made(key, name, make, inputs) for key, name, make in _SECTIONS])
    summary = summarise(inputs, sections)
    return assemble(title or "Gaussian mixture", subtitle_of(inputs), summary, sections)


def check_texts(**texts: Any) -> None:
    """Refuse what is neither a text nor None, by the name of its argument."""
    for name, text in texts.items():
        if not isinstance(text, str | None):
            raise InvalidParameterError(f"{name} must be a text, not a {type(text).__name__}.")


def subtitle_of(inputs: Inputs) -> str:
    """The size and origin of the rows."""
    n, d = inputs.observed.X.shape
    missing = int(np.isnan(inputs.observed.X).sum())
    parts = [plural(n, "row"), plural(d, "column"), inputs.source]
    parts += [f"{missing:,} of {n * d:,} entries missing"] if missing else []
    parts += ["measurement errors known"] if inputs.observed.errors is not None else []
    return ", ".join(parts)


def made(key: str, title: str, make: Callable[[Inputs], Section], inputs: Inputs) -> Section:
    """Make a section, or one that states why it is missing."""
    try:
        section = make(inputs)
    except UnavailableError as reason:
        section = Section("unknown", f"Not computed: {reason}.", asked=False)
    except BayesGMMError as error:
        section = Section("unknown", f"Could not be computed: {error}")
    except Exception as error:
        # An error in one section must not prevent the others; the page and a warning report it.
        message = f"omitted because of an internal error ({type(error).__name__}: {error})."
        warnings.warn(f"The page's section {title!r} was {message}", BayesGMMWarning, stacklevel=3)
        section = Section("unknown", f"This section was {message}")
    return replace(section, key=key, title=section.title or title)
