"""Paths and text where numbers are needed: what they are, and how the numbers are read."""

import os
import re
from collections.abc import Iterable
from typing import Any

from bayesgmm.errors import InputTypeError

_DECIMAL_COMMA = re.compile(r"\s*[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?\s*")


def path_given(path: str | os.PathLike[str], name: str) -> InputTypeError:
    """Return the error for a path, or the name of a data set, in the place of rows."""
    text = str(os.fspath(path))
    code = f"{text!r:.80}"
    read = f"pandas.read_csv({code})"
    if text.lower().endswith(".npy"):
        read = f"numpy.load({code})"
    elif text.lower().endswith((".parquet", ".pq")):
        read = f"pandas.read_parquet({code})"
    shipped = f"For a shipped data set, give load_dataset({code}).frame. "
    is_file = "." in text or os.sep in text
    return InputTypeError(
        f"Input {name} is the text {code}, not rows of numbers. {'' if is_file else shipped}Read a "
        f"file first, as by {read}; GaussianMixture.fit also takes open_rows({code})."
    )


def advice_on_text(values: Iterable[Any]) -> str:
    """Return a sentence on how text is turned into numbers, by its first entry that is not one.

    Values that are not text count as missing.
    """
    first = None
    for value in values:
        if isinstance(value, str):
            first = value if first is None else first
            if not _is_number(value):
                first = value
                break
    if first is None:
        return "Convert it to numbers or drop it."
    if _DECIMAL_COMMA.fullmatch(first):
        return (
            f"{first!r:.40} has a decimal comma: read the file by pandas.read_csv(path, "
            "decimal=','), or replace the commas by points."
        )
    if _is_number(first):
        return f"{first!r:.40} is a number as text: convert the column by pandas.to_numeric."
    return "Convert it to numbers or drop it."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
