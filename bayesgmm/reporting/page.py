"""Sections as one self-contained HTML page, and as a document of numbers."""

import html
import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

import bayesgmm
from bayesgmm.data.json_document import write_document
from bayesgmm.plots.style import short
from bayesgmm.reporting.downloads import files_of
from bayesgmm.reporting.parts import Section, Shown
from bayesgmm.reporting.svg import with_own_ids
from bayesgmm.reporting.verdict_box import Summary

_SCHEMA, _VERSION = "bayesgmm.report", 1
_BADGES = {
    "good": ("\N{CHECK MARK}", "good"),
    "care": ("!", "with care"),
    "bad": ("\N{MULTIPLICATION X}", "bad"),
    "unknown": ("?", "not checked"),
}


@dataclass(frozen=True, eq=False)
class Page(ABC):
    """A page of HTML, and every number on it.

    Notebooks display the page. Equal inputs give the same bytes.

    Attributes
    ----------
    html : str
        The page: self-contained, without scripts or links to other pages.
    numbers : dict
        Every number shown, at full precision, and all sentences. None for what could not be
        computed.
    """

    html: str
    numbers: dict[str, Any]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file, completely or not at all.

        An existing file is replaced and keeps its mode; symbolic links are followed.

        Raises
        ------
        FileError
            If the file cannot be written.

        Examples
        --------
        >>> from bayesgmm import load_dataset, report
        >>> report(load_dataset("faithful").X, 2).save("report.html")
        """
        write_document(path, self.html)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return `numbers` as JSON text; also write it to ``path``."""
        text = json.dumps(self.numbers, allow_nan=False, indent=1)
        if path is not None:
            write_document(path, text)
        return text

    @abstractmethod
    def __str__(self) -> str:
        """The page in a few lines of text."""

    def _repr_html_(self) -> str:
        """Return the page in a frame, which keeps its style and names apart from the notebook."""
        return (
            f'<iframe sandbox srcdoc="{html.escape(self.html)}" '
            f'title="{html.escape(self.numbers["title"])}" '
            'style="width: 100%; height: 48rem; border: 1px solid #8888"></iframe>'
        )


class Report(Page):
    """A report: one page of HTML on a fit, and every number on it.

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
    >>> from bayesgmm import load_dataset, report
    >>> page = report(load_dataset("faithful").X, 2)
    >>> page.numbers["verdict"].split(". ")[0]
    'All checks passed'
    >>> page.html[:15]
    '<!DOCTYPE html>'
    """

    def __str__(self) -> str:
        """The box at the head of the page, as text."""
        numbers = self.numbers
        good = numbers["state"] == "good"
        lines = [] if good else [numbers["verdict"], ""]
        lines.append(f"{numbers['title']}: {numbers['headline']}")
        lines += [f"  {sentence}" for sentence in numbers["components"]]
        fitted = numbers["sections"]["mixture"]["numbers"]
        if "log_likelihood" in fitted:
            lines += [
                "",
                f"log-likelihood {fitted['log_likelihood']:.6f} nats, BIC {fitted['bic']:.4f}, "
                f"ICL {fitted['icl']:.4f} (smaller is better)",
            ]
        lines += ["", numbers["verdict"]] if good else [""]
        for reason in numbers["reasons"]:
            section = numbers["sections"][reason["section"]]
            mark = _BADGES[reason["state"]][0]
            lines.append(f"  {mark} {section['title']}: {section['reason']}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<Report: {self.numbers['verdict']}>"


def assemble(title: str, subtitle: str, summary: Summary, sections: Sequence[Section]) -> Report:
    """Return the report of these sections, in this order."""
    text = rendered(
        "page.html.j2",
        title=short(title, 200),
        subtitle=subtitle,
        summary=summary,
        sections=sections,
    )
    numbers = {
        "schema": _SCHEMA,
        "version": _VERSION,
        "program": f"bayesgmm {bayesgmm.__version__}",
        "title": title,
        "subtitle": subtitle,
        **summary.document(),
        "sections": {section.key: section.document() for section in sections},
    }
    return Report(text, numbers)


def rendered(template: str, room: str = "bayesgmm.reporting", **values: Any) -> str:
    """The text of a template of a room, which may use those of this room."""
    return _environment(room).get_template(template).render(**values)


@cache
def unbroken(text: str) -> Markup:
    """Return a sentence as HTML whose options (--select) are not cut at the end of a line."""
    escaped = html.escape(text)
    return Markup(re.sub(r"(?<!\S)--[a-z-]+", r'<span class="option">\g<0></span>', escaped))


def _environment(room: str) -> jinja2.Environment:
    rooms = dict.fromkeys((room, "bayesgmm.reporting"))
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(each) for each in rooms]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(version=bayesgmm.__version__, badges=_BADGES)
    environment.globals.update(with_own_ids=with_own_ids, files_of=files_of)
    environment.tests["shown"] = lambda cell: isinstance(cell, Shown)
    environment.filters["short"] = short
    environment.filters["unbroken"] = unbroken
    return environment
