"""`report`: sections from whatever was given, each whole or saying why it is not."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from bayesgmm.errors import BayesGMMError, BayesGMMWarning, InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.reporting.inputs import Inputs, gather
from bayesgmm.reporting.page import Report, assemble
from bayesgmm.reporting.parts import Section, UnavailableError, plural
from bayesgmm.reporting.sections.classification import membership_section
from bayesgmm.reporting.sections.data import data_section
from bayesgmm.reporting.sections.em_and_posterior import engines_section
from bayesgmm.reporting.sections.goodness_of_fit import fit_section
from bayesgmm.reporting.sections.methods import methods_section
from bayesgmm.reporting.sections.mixture import mixture_section
from bayesgmm.reporting.sections.model_choice import choice_section
from bayesgmm.reporting.sections.posterior import posterior_section
from bayesgmm.reporting.sections.recovery import recovery_section
from bayesgmm.reporting.sections.starts import starts_section
from bayesgmm.reporting.sections.switching import switching_section
from bayesgmm.reporting.verdict_box import summarise

_SECTIONS: tuple[tuple[str, str, Callable[[Inputs], Section]], ...] = (
    ("data", "Data", data_section),
    ("mixture", "The mixture", mixture_section),
    ("starts", "Starts", starts_section),
    ("choice", "Choice of K and structure", choice_section),
    ("posterior", "Posterior", posterior_section),
    ("switching", "Label switching", switching_section),
    ("engines", "EM against the posterior", engines_section),
    ("recovery", "Recovery of the truth", recovery_section),
    ("fit", "Fit to the data", fit_section),
    ("membership", "Membership", membership_section),
    ("methods", "Methods", methods_section),
)


def report(
    X: Any,
    *,
    em: GaussianMixture | None = None,
    posterior: Any = None,
    truth: Mixture | None = None,
    labels: Sequence[Any] | None = None,
    selection: Any = None,
    title: str | None = None,
    source: str | None = None,
    command: str | None = None,
) -> Report:
    """Say in one page what was fitted to data, and whether to believe it.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        The rows that were fitted.
    em : GaussianMixture, optional
        Fitted to X.
    posterior : xarray.DataTree, optional
        Of `sample_posterior` or another sampler, relabelled or not.
    truth : Mixture, optional
        What the rows were drawn from.
    labels : sequence of length n, optional
        Known groups: compared with the components.
    selection : Selection or data frame, optional
        What `select_mixture` returned: the choice of K and structure.
    title : str, optional
    source : str, optional
        Where the rows came from, in words.
    command : str, optional
        A command line that makes the same page, to be shown in it.

    Returns
    -------
    Report
        Shown by a notebook as it is; `save` writes one file, `numbers` has every number.

    Raises
    ------
    InputError, InputTypeError
        If the rows cannot be used, or the parts do not belong to one another.
    InvalidParameterError
        If a part is of another kind than it must be.
    NotFittedError
        If `em` was not fitted.

    Notes
    -----
    A section whose input is absent, or for which something could not be computed, says so and why.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset, report
    >>> faithful = load_dataset("faithful")
    >>> em = GaussianMixture(2, random_state=0).fit(faithful.X)
    >>> page = report(faithful.X, em=em, title="Old Faithful")
    >>> page.numbers["headline"]
    'Two components for 272 rows of 2 columns'
    """
    for name, text in (("title", title), ("source", source), ("command", command)):
        if not isinstance(text, str | None):
            raise InvalidParameterError(f"{name} must be a text, not a {type(text).__name__}.")
    inputs = gather(X, em, posterior, truth, labels, selection, source, command)
    sections = [_made(key, name, make, inputs) for key, name, make in _SECTIONS]
    n, d = inputs.X.shape
    subtitle = f"{plural(n, 'row')}, {plural(d, 'column')}, {inputs.source}"
    return assemble(title or "Gaussian mixture", subtitle, summarise(inputs, sections), sections)


def _made(key: str, title: str, make: Callable[[Inputs], Section], inputs: Inputs) -> Section:
    """Make a section, or one that says why it is missing."""
    try:
        return make(inputs)
    except UnavailableError as reason:
        return Section(key, title, "unknown", f"Not computed: {reason}.")
    except BayesGMMError as error:
        return Section(key, title, "unknown", f"Could not be computed: {error}")
    except Exception as error:
        # One part of a page must not take the others with it; the reader and the caller are told.
        said = f"{type(error).__name__}: {error}"
        warnings.warn(
            f"The report's section {title!r} was left out, by an error of the program ({said}).",
            BayesGMMWarning,
            stacklevel=3,
        )
        return Section(key, title, "unknown", f"Left out, by an error of the program ({said}).")
