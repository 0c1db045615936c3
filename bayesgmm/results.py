"""Summaries of results, as text and for notebook cells."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def _number(value: float) -> str:
    return f"{value:.4g}"


def as_text(paragraphs: "Sequence[str | pd.DataFrame]") -> str:
    """Sentences and tables as text, an empty line between any two."""
    return "\n\n".join(
        part if isinstance(part, str) else part.to_string(float_format=_number)
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
        return self.summary()

    def _repr_html_(self) -> str:
        return "\n".join(
            f"<p>{escape(part)}</p>"
            if isinstance(part, str)
            else part.to_html(float_format=_number, border=0)
            for part in self._paragraphs()
        )
