"""The page of an explorer, whose reader chooses K and structure by native radio buttons."""

from collections.abc import Mapping
from typing import Any

import bayesgmm
from bayesgmm.covariance.structures import as_structure
from bayesgmm.display import text_table
from bayesgmm.explorer.panels import Panel
from bayesgmm.plots.style import short
from bayesgmm.reporting.page import Page, rendered
from bayesgmm.reporting.parts import Section
from bayesgmm.selection.selection_result import Selection

_SCHEMA, _VERSION = "bayesgmm.explorer", 1
# The choice of the structure that is best for each K, and its words.
BEST = "best"
_BEST_WORDS = "best for each K"


class Explorer(Page):
    """An explorer: one page of HTML on all models of a grid, and every number on it.

    Notebooks display the page. Equal inputs give the same bytes.

    Attributes
    ----------
    html : str
        The page: self-contained, without scripts or links to other pages.
    numbers : dict
        Every number shown, at full precision, and all sentences. None for what could not be
        computed.

    Examples
    --------
    >>> from bayesgmm import explore, load_dataset
    >>> page = explore(load_dataset("faithful").X, range(1, 4), "full", rng=0, progressbar=False)
    >>> [(each["n_components"], each["covariance_type"]) for each in page.numbers["models"]]
    [(1, 'VVV'), (2, 'VVV'), (3, 'VVV')]
    """

    def __str__(self) -> str:
        """A line for each model on the page."""
        rows = [["K", "structure", "BIC", "verdict"]]
        for each in self.numbers["models"]:
            fitted = "no_fit" not in each
            bic = each["sections"]["mixture"]["numbers"]["bic"] if fitted else None
            rows.append(
                [
                    str(each["n_components"]),
                    each["covariance_type"] or "",
                    "" if bic is None else f"{bic:.2f}",
                    each["verdict"].partition(":")[0].rstrip(".") if fitted else "No fit",
                ]
            )
        lines = text_table(rows, left=2).splitlines()
        return "\n".join([self._head(), "", *lines, "", self.numbers["choice"]["verdict"]])

    def _head(self) -> str:
        return f"{self.numbers['title']}: {self.numbers['subtitle']}"

    def __repr__(self) -> str:
        return f"<Explorer: {self.numbers['choice']['verdict']}>"


def assemble(
    title: str,
    subtitle: str,
    panels: Mapping[tuple[int, str], Panel],
    choice: Section,
    selection: Selection,
    command: str | None,
) -> Explorer:
    """Return the explorer of these panels.

    Parameters
    ----------
    title, subtitle : str
    panels : mapping of (int, str) to Panel
        By K and structure; `BEST` stands for the best structure of a K.
    choice : Section
        The models compared.
    selection : Selection
        Its best model is shown first.
    command : str, optional
        A command line that produces the same page.
    """
    structures = dict.fromkeys(code for _, code in panels)
    shown = [*dict.fromkeys(panels.values())]
    html = rendered(
        "explorer.html.j2",
        room="bayesgmm.explorer",
        title=short(title, 200),
        subtitle=subtitle,
        choices={key: each.key for key, each in panels.items()},
        sizes={k: panels[k, BEST].summary is not None for k, _ in panels},
        structures={code: _words(code) for code in structures},
        start=selection.best.n_components,
        panels=shown,
        choice=choice,
        command=command,
    )
    numbers: dict[str, Any] = {
        "schema": _SCHEMA,
        "version": _VERSION,
        "program": f"bayesgmm {bayesgmm.__version__}",
        "title": title,
        "subtitle": subtitle,
        "interrupted": selection.interrupted,
        "choice": choice.document(),
        "models": [each.document() for each in shown],
    }
    return Explorer(html, numbers)


def _words(code: str) -> str:
    return _BEST_WORDS if code == BEST else as_structure(code).words
