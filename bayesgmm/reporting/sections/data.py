"""The data: rows, columns, ranges, missing entries, known groups."""

import numpy as np

from bayesgmm.data.coarse_columns import copied_rows, unsuitable_columns
from bayesgmm.display import listed, plural
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.other_rows import other_rows
from bayesgmm.reporting.parts import (
    NOTHING,
    Row,
    Section,
    Shown,
    State,
    Table,
    count,
    decimals_for,
    fixed,
    significant,
)

_MOST_COLUMNS = 30


def data_section(inputs: Inputs) -> Section:
    """Description of the rows."""
    X, (n, d) = inputs.observed.X, inputs.observed.X.shape
    missing = np.isnan(X).sum(axis=0)
    incomplete = n - int(inputs.complete.sum())
    distinct = len(np.unique(X, axis=0))
    sentences = [f"{plural(n, 'row')} of {plural(d, 'column')} from {inputs.source}"]
    state: State | None = None
    if missing.any():
        entries = "entry" if missing.sum() == 1 else "entries"
        sentences[0] += f"; {missing.sum():,} {entries} missing in {plural(incomplete, 'row')}."
        sentences.append(
            "Rows count as far as they were seen, which is right if entries are missing at random: "
            "that one is missing must not depend on its value, given the rest of the row."
        )
        empty = np.flatnonzero(np.isnan(X).all(axis=1))
        if empty.size:
            sentences.append(
                f"Nothing was seen of {plural(len(empty), 'row')} (first: "
                f"{inputs.observed.row(int(empty[0]))}), whose probabilities are the weights of "
                "the components."
            )
    else:
        sentences[0] += ", without missing entries."
    if inputs.observed.errors is not None:
        sentences.append(
            "They were measured with known errors: the mixture is that of the rows without them, "
            "and pictures show the rows as measured."
        )
    if distinct < n:
        sentences.append(f"{distinct:,} of them are distinct.")
    if inputs.known is not None:
        given = int((inputs.known >= 0).sum())
        sentences.append(f"The component of {plural(given, 'row')} was known to the fit.")
    if inputs.unseen_groups is not None:
        groups = len(set(inputs.unseen_groups) - {""})
        sentences.append(
            f"A column of {plural(groups, 'known group')} is compared with the components, and was "
            "not fitted."
        )
    if n <= 10 * d:
        state = "care"
        sentences.append(
            "At no more than ten rows for each column, covariances are poorly determined."
        )
    if inputs.observed.errors is None:
        unsuitable = unsuitable_columns(X, inputs.names) or copied_rows(X)
        state = "care" if unsuitable else state
        sentences += unsuitable
    others = other_rows(inputs)
    if others:
        state = "care"
        sentences += others
    shown = min(d, _MOST_COLUMNS)
    rows = [_row(inputs, j, int(missing[j])) for j in range(shown)]
    note = ""
    if shown < d:
        note = f"The first {shown} of {d} columns. {_ranges(X)}"
    table = Table(
        "Columns",
        ("column", "mean", "standard deviation", "smallest", "median", "largest", "missing"),
        rows,
        note,
    )
    numbers = {
        "n_rows": n,
        "n_columns": d,
        "n_missing": int(missing.sum()),
        "n_incomplete_rows": incomplete,
        "n_distinct_rows": distinct,
        "columns": list(inputs.names),
    }
    reason = " ".join(others)
    return Section(state, " ".join(sentences), tables=(table,), numbers=numbers, reason=reason)


def _row(inputs: Inputs, j: int, missing: int) -> Row:
    column = inputs.observed.X[:, j]
    column = column[~np.isnan(column)]
    # In units of the largest entry, as squares may overflow.
    unit = float(np.abs(column).max()) or 1.0
    scaled = column / unit
    spread = float(scaled.std(ddof=1)) * unit if len(column) > 1 else float("nan")
    values = (
        float(scaled.mean()) * unit,
        spread,
        float(column.min()),
        float(np.median(scaled)) * unit,
        float(column.max()),
    )
    decimals = decimals_for(spread, 4)
    return (
        inputs.labels_short[j],
        *(fixed(value, decimals) for value in values),
        count(missing) if missing else Shown(0, NOTHING),
    )


def _ranges(X: np.ndarray) -> str:
    low, high = float(np.nanmin(X)), float(np.nanmax(X))
    span = listed([significant(low).text, significant(high).text])
    return f"All entries lie between {span}."
