"""Summaries of results, as text and for notebook cells."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


# Rows of a table that are shown unasked; `summary` has all.
_IN_CONSOLES, _IN_CELLS = 12, 40


def _number(value: float) -> str:
    return f"{value:.4g}"


def as_text(paragraphs: "Sequence[str | pd.DataFrame]", most: int | None = None) -> str:
    """Sentences and tables, of at most so many rows, as text; an empty line between any two."""
    return "\n\n".join(
        part if isinstance(part, str) else part.to_string(float_format=_number, max_rows=most)
        for part in paragraphs
    )


def as_html(paragraphs: "Sequence[str | pd.DataFrame]") -> str:
    """Sentences and tables for a notebook cell."""
    return "\n".join(
        f"<p>{escape(part)}</p>"
        if isinstance(part, str)
        else part.to_html(float_format=_number, border=0, max_rows=_IN_CELLS, na_rep="")
        for part in paragraphs
    )


class Result(ABC):
    """A result of an analysis, made of paragraphs: sentences and tables, in order."""

    __slots__ = ()

    @abstractmethod
    def _paragraphs(self) -> "Sequence[str | pd.DataFrame]":
        """The sentences and tables of the summary."""

    def summary(self) -> str:
        """The result in words and tables, as text."""
        return as_text(self._paragraphs())

    def __repr__(self) -> str:
        return as_text(self._paragraphs(), _IN_CONSOLES)

    def _repr_html_(self) -> str:
        return as_html(self._paragraphs())
