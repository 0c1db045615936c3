"""Parts of a page: numbers with their texts, tables, figures and sections."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

import numpy as np

# Judgement of a section; None if there is nothing to judge.
type State = Literal["good", "care", "bad", "unknown"]
_BETTER_FIRST: tuple[State, ...] = "good", "unknown", "care", "bad"

# Of intervals.
PROBABILITY = 0.9
NOTHING = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


def worst(*states: State) -> State:
    """The judgement of several together; what was not checked is worse than what is good."""
    return max(states, key=_BETTER_FIRST.index)


class UnavailableError(Exception):
    """Raised if a section cannot be made from the input; the message says why."""


@dataclass(frozen=True)
class Shown:
    """A number with its text.

    Attributes
    ----------
    value : JSON value
        None for NaN and infinities.
    text : str
    """

    value: Any
    text: str


# The first cell of a row is its name.
type Row = tuple[str | Shown, ...]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    caption : str
    heads : tuple of str
    rows : sequence of Row
    note : str
        A sentence below the table.
    """

    caption: str
    heads: tuple[str, ...]
    rows: Sequence[Row]
    note: str = ""

    def numbers(self) -> dict[str, Any]:
        """Return the table at full precision."""
        cells = [[c.value if isinstance(c, Shown) else c for c in row] for row in self.rows]
        return {"caption": self.caption, "columns": list(self.heads), "rows": cells}


@dataclass(frozen=True)
class Figure:
    """A picture as inline SVG.

    Attributes
    ----------
    svg : str
        As returned by `svg.to_svg`.
    alt : str
        Alternative text.
    caption : str
    wide : bool
        True for several panels side by side, which may be scrolled on a phone.
    """

    svg: str
    alt: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Download:
    """A file within a page.

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
        """The text as a data address, which needs neither a script nor a network."""
        kind = "text/csv" if self.name.endswith(".csv") else "text/plain"
        return f"data:{kind};charset=utf-8,{quote(self.text, safe=',.:;()[]_-')}"


@dataclass(frozen=True)
class Section:
    """A section: verdict, figures, tables.

    Attributes
    ----------
    state : State or None
    verdict : str
        One or more sentences.
    reason : str
        A shorter verdict for the head of the page, if any.
    figures, tables, notes
    numbers : mapping
        Numbers of the sentences and figures that are not in a table.
    listings : sequence of (str, str)
        Code with its heading.
    downloads : sequence of Download
    key : str
        Anchor in the page, and name among the numbers.
    title : str
        "" for that of the list of sections.
    asked : bool
        False if its input was not given: the page has a line for it.
    """

    state: State | None
    verdict: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
    numbers: Mapping[str, Any] = field(default_factory=dict)
    listings: Sequence[tuple[str, str]] = ()
    downloads: Sequence[Download] = ()
    reason: str = ""
    key: str = ""
    title: str = ""
    asked: bool = True

    def document(self) -> dict[str, Any]:
        """Return every number of the section."""
        return {
            "title": self.title,
            "state": self.state,
            "verdict": self.verdict,
            "reason": self.reason or self.verdict,
            "notes": list(self.notes),
            "numbers": plain(dict(self.numbers)),
            "tables": [plain(table.numbers()) for table in self.tables],
        }


def plain(value: Any) -> Any:
    """Return a value for JSON: arrays become lists, NaN and infinities null."""
    match value:
        case Shown():
            out = plain(value.value)
        case np.ndarray() | np.generic():
            out = plain(value.tolist())
        case Mapping():
            out = {str(key): plain(each) for key, each in value.items()}
        case None | str() | bool() | int():
            out = value
        case float():
            out = value if math.isfinite(value) else None
        case Iterable():
            out = [plain(each) for each in value]
        case _:
            out = str(value)
    return out


# --- numbers and their texts ----------------------------------------------------------------------


def count(value: float | np.integer[Any]) -> Shown:
    """Return a number truncated to an integer, with separators of thousands."""
    if not math.isfinite(value):
        return Shown(None, NOTHING)
    return Shown(int(value), f"{int(value):,}".replace("-", _MINUS))


def fixed(value: float, decimals: int) -> Shown:
    """Return a number with fixed decimals."""
    return Shown(plain(float(value)), _fixed_text(float(value), decimals))


def significant(value: float, digits: int = 4) -> Shown:
    """Return a number with significant digits."""
    value = float(value)
    return Shown(plain(value), _fixed_text(value, digits - 1 - _exponent(value)))


def percent(value: float, decimals: int = 1) -> Shown:
    """Return a proportion as a percentage."""
    value = float(value)
    text = f"{value:.{decimals}%}" if math.isfinite(value) else NOTHING
    return Shown(plain(value), text.replace("%", " %").replace("-", _MINUS))


def estimate(value: float, error: float | None) -> Shown:
    """Return a number with its standard error in brackets, to two digits of that error."""
    value = float(value)
    if error is None or not math.isfinite(error) or error <= 0 or not math.isfinite(value):
        return significant(value)
    error = float(error)
    decimals = 1 - _exponent(error)
    text = f"{_fixed_text(value, decimals)} ({_fixed_text(error, decimals)})"
    return Shown({"value": value, "standard_error": error}, text)


def between(value: float, low: float, high: float) -> Shown:
    """Return a number with the ends of an interval, to two digits of its length."""
    value, low, high = float(value), float(low), float(high)
    decimals = 1 - _exponent(high - low)
    texts = [_fixed_text(each, decimals) for each in (value, low, high)]
    document = {"value": plain(value), "low": plain(low), "high": plain(high)}
    return Shown(document, f"{texts[0]} [{texts[1]}, {texts[2]}]")


def decimals_for(spread: float, digits: int) -> int:
    """Return the number of decimals that shows `digits` significant digits of a spread."""
    return digits - 1 - _exponent(spread)


def _exponent(value: float) -> int:
    if not math.isfinite(value) or value == 0:
        return 0
    return math.floor(math.log10(abs(value)))


def _fixed_text(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return NOTHING
    exponent = _exponent(value)
    # Beyond these limits digits would be insignificant zeros.
    if exponent >= 9 or decimals > 9:
        text = f"{value:.{min(max(decimals + exponent, 0), 6)}e}"
    else:
        text = f"{value:,.{max(decimals, 0)}f}"
        if float(text.replace(",", "")) == 0:
            text = text.lstrip("-")
    return text.replace("-", _MINUS)


# --- words ----------------------------------------------------------------------------------------

_NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def numeral(value: int) -> str:
    """Return a small number as a word, a larger one in digits."""
    return _NUMERALS[value] if 0 <= value < len(_NUMERALS) else f"{value:,}"
