"""Files within a page: texts as data addresses, which need neither a script nor a network."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bayesgmm.data.csv_files import csv_text
from bayesgmm.plots.style import short
from bayesgmm.reporting.parts import Shown, Table


@dataclass(frozen=True)
class Download:
    """A file that a page offers.

    Attributes
    ----------
    name : str
        Of the file.
    words : str
        What it contains.
    text : str
    """

    name: str
    words: str
    text: str

    @property
    def address(self) -> str:
        """The text as a data address."""
        kind = "text/csv" if self.name.endswith(".csv") else "text/plain"
        return f"data:{kind};charset=utf-8,{quote(self.text, safe=',.:;()[]_-')}"


def as_csv(table: Table) -> Download:
    """A table at full precision; a cell of several numbers becomes several columns."""
    names: list[str] = []
    columns: list[Sequence[Any]] = []
    for head, cells in zip(table.heads, zip(*table.rows, strict=True), strict=True):
        values = [each.value if isinstance(each, Shown) else each for each in cells]
        words = dict.fromkeys(key for each in values if isinstance(each, dict) for key in each)
        if not words:
            names.append(head)
            columns.append([_plain(each) for each in values])
        for word in words:
            # A number without an error stands among those that have one.
            alone = [each if word == "value" else None for each in values]
            names.append(head if word == "value" else f"{head}: {word.replace('_', ' ')}")
            columns.append(
                [
                    _plain(each[word] if isinstance(each, dict) else other)
                    for each, other in zip(values, alone, strict=True)
                ]
            )
    name = re.sub(r"[^a-z0-9]+", "-", short(table.caption.partition(",")[0], 60).lower()).strip("-")
    return Download(f"{name}.csv", table.caption, csv_text(names, columns))


def _plain(value: Any) -> Any:
    return "" if value is None else value
