"""`explore`: the models of a grid on one page, to be stepped through."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import pandas as pd
from numpy.typing import ArrayLike

from bayesgmm.covariance.structures import CovarianceType
from bayesgmm.data.validation import check_data
from bayesgmm.display import progress
from bayesgmm.errors import BayesGMMWarning, FitError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.explorer.explorer_page import BEST, Explorer, assemble
from bayesgmm.explorer.panels import Panel, empty_panel, fitted_panel, marked_curve
from bayesgmm.reporting.build import check_texts, made, subtitle_of
from bayesgmm.reporting.inputs import Inputs, gather, label_texts
from bayesgmm.reporting.mixture_pictures import Drawing
from bayesgmm.reporting.parts import Section
from bayesgmm.reporting.sections.model_choice import choice_section
from bayesgmm.selection.model_selection import select_mixture
from bayesgmm.selection.selection_result import Selection

# Models up to which each has a panel; of a larger grid the best structure for each K has one.
_MOST_PANELS = 40
# Bytes up to which the page has them, and rows of all pictures above which they are images.
_LARGEST, _MOST_DRAWN = 4_500_000, 2000


def explore(
    X: Any,
    n_components: int | Iterable[int] = range(1, 10),
    covariance_type: Literal["all"] | CovarianceType | Iterable[CovarianceType] = "all",
    *,
    labels: Sequence[Any] | None = None,
    title: str | None = None,
    source: str | None = None,
    command: str | None = None,
    sample_weight: ArrayLike | None = None,
    error_covariances: ArrayLike | None = None,
    noise_component: bool = False,
    rng: Any = 0,
    progressbar: bool = True,
) -> Explorer:
    """One page on the models of a grid, whose reader steps through K and structure.

    For each K the page shows the mixture over the rows, its BIC among the others, the components
    and their rows, and the verdicts of `report`. It needs no server, no script and no network.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        Numbers; NaN are missing.
    n_components : int or iterable of int
        The K of the grid.
    covariance_type : "all", str, Structure, or iterable of these
        As in `select_mixture`. With at most 40 models, and if the page stays below 5 MB, the reader
        chooses the structure too; otherwise the page shows that of the smallest BIC for each K.
    labels : sequence of length n, optional
        Known groups, compared with the components.
    title : str, optional
    source : str, optional
        Origin of the rows, in words.
    command : str, optional
        A command line that produces the same page, shown in it.
    sample_weight : array-like of shape (n,), optional
        The number of times that each row counts.
    error_covariances : array-like, optional
        Measurement errors of the rows, as in `GaussianMixture.fit`.
    noise_component : bool
        Add a component of uniform noise to every model, as in `select_mixture`.
    rng : int, Generator, SeedSequence or None
        As in `select_mixture`. By default equal rows give equal pages.
    progressbar : bool
        Show progress on a terminal.

    Returns
    -------
    Explorer
        Displayed by notebooks; `save` writes one file, and `numbers` has every number.

    Raises
    ------
    InputError, InputTypeError
        If the rows cannot be used, or the arguments do not fit one another.
    InvalidParameterError
        If a parameter is out of its range, or of another kind.
    FitError
        If no model has an admissible fit.

    Notes
    -----
    Ctrl-C ends the search; the page is then made of the models that were fitted until then. A K
    without a fit has the reason in its place.

    Examples
    --------
    >>> from bayesgmm import explore, load_dataset
    >>> page = explore(load_dataset("faithful").X, range(1, 5), ["EEE", "VVV"])
    >>> page.numbers["models"][2]["status"]
    'K = 2, VVV: BIC 2,322.19, 7.90 above the smallest'
    """
    check_texts(title=title, source=source, command=command)
    data = check_data(X, allow_nan=True, error_covariances=error_covariances)
    labels = label_texts(labels, len(data.X))
    selection = select_mixture(
        data,
        n_components,
        covariance_type,
        sample_weight=sample_weight,
        noise_component=noise_component,
        rng=rng,
        progressbar=progressbar,
    )
    origin = source or "rows given to explore()"
    origin += "; interrupted before the end" * selection.interrupted
    fits, table = _fits(selection)
    inputs = replace(
        gather(data, selection.best, None, None, None, labels, table, origin, command),
        drawing=Drawing.common(data, selection.best.mixture_, _MOST_DRAWN // len(fits)),
    )
    best = dict(reversed(fits))
    drawn: dict[tuple[int, str], Panel] = {}
    with progress(progressbar) as bar:
        task = bar.add_task("Diagnosing, drawing", total=len(best))

        def page(models: Iterable[tuple[int, str]], *, choosable: bool) -> Explorer:
            for k, code in models:
                drawn[k, code] = fitted_panel(inputs, fits[k, code], code)
                bar.advance(task)
            panels = _arranged(drawn, best, table, choosable=choosable)
            choice = _choice(inputs, table, [*dict.fromkeys(panels.values())], choosable=choosable)
            name = title or "Gaussian mixtures"
            return assemble(name, subtitle_of(inputs), panels, choice, selection, command)

        found = page(best.items(), choosable=False)
        if len(table) > len(set(table["n_components"])) and len(table) <= _MOST_PANELS:
            others = [each for each in fits if each not in drawn]
            if len(found.html) * len(fits) <= _LARGEST * len(best):
                bar.update(task, total=len(fits))
                found = page(others, choosable=True)
    return found


def _fits(selection: Selection) -> tuple[dict[tuple[int, str], GaussianMixture], pd.DataFrame]:
    """The models that may have a panel, the best of each K first, and the table.

    Of a large grid they are the best of each K. A model that collapses nearer to convergence than
    the search went has a note in the table.
    """
    table, ranked = selection.table.copy(), selection.ranked()
    fits = {}
    for k in sorted(set(ranked["n_components"])):
        for code in ranked.loc[ranked["n_components"] == k, "covariance_type"]:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", BayesGMMWarning)  # the panel has it
                    fits[k, code] = selection.fit(k, code)
            except FitError as error:
                here = (table["n_components"] == k) & (table["covariance_type"] == code)
                table.loc[here, "note"] = str(error).rstrip(".")
                continue
            if len(table) > _MOST_PANELS:
                break
    return fits, table


def _arranged(
    drawn: Mapping[tuple[int, str], Panel],
    best: Mapping[int, str],
    table: pd.DataFrame,
    *,
    choosable: bool,
) -> dict[tuple[int, str], Panel]:
    """The panel of each K with its best structure and, if it can be chosen, with every other."""
    panels = {}
    for k, rows in table.groupby("n_components"):
        notes = dict(zip(rows["covariance_type"], rows["note"], strict=True))
        panels[k, BEST] = drawn[k, best[k]] if k in best else empty_panel(k, notes)
        for code in notes if choosable else ():
            panels[k, code] = drawn.get((k, code)) or empty_panel(k, {code: notes[code]}, code)
    return panels


def _choice(
    inputs: Inputs, table: pd.DataFrame, panels: Sequence[Panel], *, choosable: bool
) -> Section:
    """The section on all models, in whose picture each panel is marked."""
    choice = made("choice", "Choice of K and structure", choice_section, inputs)
    notes = list(choice.notes)
    if not choosable and table["covariance_type"].nunique() > 1:
        notes.insert(
            0,
            "For each K, the structure of the smallest BIC is shown: a page of all "
            f"{len(table)} models would be too large. Of fewer models, each can be shown.",
        )
    return replace(choice, figures=(marked_curve(table, panels),), notes=notes)
