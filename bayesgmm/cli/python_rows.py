"""Python code that reads the rows of a command, for the listing of its page."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayesgmm.cli.input_rows import Rows
from bayesgmm.cli.output import printable

if TYPE_CHECKING:
    from bayesgmm.data.tables import Table

# Marks of missing values that pandas does not know.
_MARKS = ("n.a.", "?", ".", "-", "--")


def python_rows(
    rows: Rows,
    data: str,
    *,
    columns: list[str] | None = None,
    exclude: list[str] | None = None,
    errors: list[str] | None = None,
    weights: str | None = None,
    known: str | None = None,
    na: list[str] | None = None,
    drop_missing: bool = False,
    **_: Any,
) -> str | None:
    """Return lines that make X, and weights, errors, known and groups where they were given.

    None for rows of standard input, which cannot be read again.

    Parameters
    ----------
    rows : Rows
    data : str
        The source; the rest are the options of `options.data_options`.
    """
    from bayesgmm.data.tables import chosen_columns

    if data == "-":
        return None
    others = [each for each in (weights, known) if each]
    left_out = [*(exclude or []), *(errors or []), *others]
    chosen = chosen_columns(rows.table, columns, rows.label_column, left_out)
    lines = _table(rows, data, na or [])
    picked = _picked(rows.table, chosen)
    if drop_missing:
        names = [rows.table.names[j] if rows.table.names else j for j in chosen]
        lines.append(f"table = table.dropna(subset={names!r})")
    index = "" if rows.named_by is None else f".set_axis({_column(rows, rows.named_by)})"
    lines.append(f"X = {picked}{index}")
    if weights:
        lines.append(f"weights = {_column(rows, weights)}")
    if errors:
        own = [_position(rows.table, each) for each in errors]
        lines.append(f"errors = {_picked(rows.table, own)}.to_numpy() ** 2")
    if known:
        column = _column(rows, known)
        named = rows.X.group_names is not None
        lines.append(
            f"known = pd.Categorical({column}).codes" if named else f"known = {column}.fillna(-1)"
        )
    if rows.labels is not None and rows.label_column is not None:
        lines.append(f"groups = {_column(rows, rows.label_column)}")
    return "\n".join(lines)


def _table(rows: Rows, data: str, na: Sequence[str]) -> list[str]:
    """Lines that make `table`, with all columns of the source."""
    import numpy as np

    from bayesgmm.data.table_files import MAGIC, file_kind, open_binary
    from bayesgmm.datasets.load import dataset_names

    if data in dataset_names():
        groups = ".assign(label=data.labels)" if rows.labels is not None else ""
        return [
            "import pandas as pd",
            f"data = bg.load_dataset({data!r})",
            f"table = pd.DataFrame(data.X, columns=data.feature_names){groups}",
        ]
    with open_binary(data) as (_name, file):
        kind = file_kind(data, file.read(MAGIC))
    path = repr(printable(data))
    if kind == "npy":
        lines = ["import numpy as np", "import pandas as pd"]
        lines.append(f"table = pd.DataFrame(np.load({path}))")
    elif kind == "parquet":
        lines = ["import pandas as pd", f"table = pd.read_parquet({path})"]
    else:
        numbers = [each for each in rows.table.columns if isinstance(each, np.ndarray)]
        lacking = any(np.isnan(each).any() for each in numbers)
        missing = [*na, *_MARKS] if lacking else list(na)
        lines = ["import pandas as pd", f"table = pd.read_csv({path}{_form(rows.table, missing)})"]
    if kind != "csv" and na:
        lines.append(f"table = table.replace({[float(each) for each in na]!r}, float('nan'))")
    if rows.table.names is not None and kind == "csv":
        lines.append(f"table.columns = {list(rows.table.names)!r}")
    return lines


def _form(table: "Table", missing: Sequence[str]) -> str:
    """Arguments of pandas.read_csv for the form of a file, where it is not the usual one."""
    delimiter, decimal = table.marks
    words = []
    if delimiter == " ":
        words.append(r'sep=r"\s+"')
    elif delimiter != ",":
        words.append(f"sep={delimiter!r}")
    words += [f"decimal={decimal!r}"] * (decimal != ".")
    words += ["header=None"] * (table.names is None)
    words += [f"na_values={list(missing)!r}"] * bool(missing)
    words += ['encoding="cp1252"'] * any("Windows-1252" in note for note in table.notes)
    return "".join(f", {word}" for word in words)


def _picked(table: "Table", positions: Sequence[int]) -> str:
    """An expression for some columns of `table`."""
    if list(positions) == list(range(len(table.columns))):
        return "table"
    if table.names is None:
        return f"table.iloc[:, {list(positions)!r}]"
    return f"table[{[table.names[j] for j in positions]!r}]"


def _column(rows: Rows, word: str) -> str:
    """An expression for a column of `table`, by its name or position."""
    return f"{_picked(rows.table, [_position(rows.table, word)])}.iloc[:, 0]"


def _position(table: "Table", word: str) -> int:
    from bayesgmm.data.tables import column_position

    return column_position(table.names, len(table.columns), word)
