"""The choice of the columns to fit: what cannot be read, and the command line that reads it."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import click

import bayesgmm
from bayesgmm.cli.command_line import command_line, joined
from bayesgmm.display import plural

if TYPE_CHECKING:
    from bayesgmm.data.csv_columns import Reading
    from bayesgmm.data.tables import ChosenColumns, Table, Text
    from bayesgmm.data.validation import Data


class _Unread(NamedTuple):
    """Columns to fit that hold no numbers as the table was read.

    Attributes
    ----------
    readings : dict of int to Reading
        By position: columns of numbers in another form, or among marks of missing values.
    others : list of int
        Columns of text, and empty ones.
    """

    readings: "dict[int, Reading]"
    others: list[int]


def select_numbers(
    table: "Table",
    columns: list[str] | None,
    label_column: str | None,
    exclude: Sequence[str],
    *,
    counted: bool,
    needed: bool,
) -> "ChosenColumns":
    """Return the columns to fit; an error has the command line that avoids it.

    If `counted`, the line leaves out columns that number the rows, too. If all columns are
    `needed`, it leaves out none.
    """
    from bayesgmm.data.tables import chosen_columns, row_counters, select

    chosen = chosen_columns(table, columns, label_column, exclude)
    unread = _unread(table, chosen)
    rest = [j for j in chosen if j not in unread.others and j not in unread.readings]
    counters = row_counters(table, rest) if counted else []
    counters = counters if len(counters) < len(rest) + len(unread.readings) else []
    without = [] if needed else [*unread.others, *counters]
    also = _are_counters(table, counters)
    if table.names is None and _is_header(table, chosen):
        raise bayesgmm.errors.InputTypeError(
            "The first line has words above columns of numbers, and was read as a row because "
            "another of its cells is a number. If it holds names:\n  "
            + command_line(extra=["--header"], without=["header"])
        )
    if unread.readings:
        raise bayesgmm.errors.InputTypeError(
            f"{_found(table, unread)}.{also} Read them so:\n  "
            + _line(table, list(unread.readings.values()), without)
        )
    try:
        return select(table, columns, label_column, exclude)
    except bayesgmm.errors.BayesGMMError as error:
        if not unread.others:
            raise
        message = f"{error} {_advice(table, unread.others, needed=needed)}{also}"
        if without and len(unread.others) < len(chosen):
            message += _lines_without(table, unread.others, without)
        raise type(error)(message) from None


def _is_header(table: "Table", chosen: Sequence[int]) -> bool:
    """Return whether the first row alone keeps columns from being numbers."""
    from bayesgmm.data.csv_columns import Notation

    texts = _texts(table, chosen)
    notation = Notation(table.marks[1])
    return any(
        each.row == 0
        and len(each.cells) > 1
        and all(notation.number(cell) is not None for cell in each.cells[1:])
        for each in texts.values()
    )


def _unread(table: "Table", chosen: Sequence[int]) -> _Unread:
    """Return the chosen columns that hold no numbers as they were read."""
    from bayesgmm.data.csv_columns import Notation, reading
    from bayesgmm.data.tables import is_empty

    delimiter, decimal = table.marks
    marks = click.get_current_context().params.get("na") or ()
    notation = Notation(decimal, frozenset(mark.strip().lower() for mark in marks))
    texts = _texts(table, chosen)
    readings = {
        j: found
        for j, each in texts.items()
        if not each.integer and (found := reading(each.cells, delimiter, notation)) is not None
    }
    others = [j for j in chosen if (j in texts and j not in readings) or is_empty(table.columns[j])]
    return _Unread(readings, others)


def _texts(table: "Table", chosen: Sequence[int]) -> "dict[int, Text]":
    from bayesgmm.data.tables import Text

    return {j: each for j in chosen if isinstance(each := table.columns[j], Text)}


def _found(table: "Table", unread: _Unread) -> str:
    """Words on numbers in another form, marks of missing values, and columns without numbers."""
    from bayesgmm.data.coercion import label

    found = []
    commas = [j for j, each in unread.readings.items() if each.decimal != table.marks[1]]
    if commas:
        first = next(cell for cell in _texts(table, commas)[commas[0]].cells if "," in cell)
        names = ", ".join(label(table.names, j) for j in commas)
        found.append(f"Numbers with a decimal comma in {names:.2000} (first: {first!r})")
    counts = _marks(list(unread.readings.values()))
    if counts:
        marked = [j for j, each in unread.readings.items() if each.marks]
        words = ", ".join(f"{word!r} in {plural(n, 'cell')}" for word, n in counts.items())
        names = ", ".join(label(table.names, j) for j in marked)
        found.append(f"{words:.500} of columns that are numbers otherwise ({names:.2000})")
    if unread.others:
        found.append(f"no numbers in {', '.join(label(table.names, j) for j in unread.others)}")
    return ", and ".join(found)[:4000]


def _marks(readings: "Sequence[Reading]") -> Counter[str]:
    """Return the words that mark missing values, and the number of their cells."""
    counts: Counter[str] = Counter()
    for each in readings:
        counts.update(each.marks)
    return counts


def _line(table: "Table", readings: "Sequence[Reading]", without: Sequence[int]) -> str:
    """Return the command line that reads numbers in another form, and leaves out columns."""
    marks = _marks(readings)
    decimals = {each.decimal for each in readings} - {table.marks[1]}
    extra = ["--decimal", *decimals] if decimals else []
    leave = ["decimal"] if decimals else []
    if marks:
        given = click.get_current_context().params.get("na") or []
        extra += ["--na", joined([*given, *marks])]
        leave.append("na")
    return _without_columns(table, without, *extra, leave=leave)


def _advice(table: "Table", others: Sequence[int], *, needed: bool) -> str:
    """A sentence on columns that hold no numbers."""
    if needed:
        return "The model needs these columns. Give numbers, and mark missing values with --na."
    texts = _texts(table, others)
    if any(each.integer for each in texts.values()):
        return "Or leave such columns out with --exclude or --columns."
    it = "it" if len(others) == 1 else "them"
    options = {each.name for each in click.get_current_context().command.params}
    labels = ", or name one with --label-column if it gives the group of each row"
    labels += ", or with --labels if its groups are the components" * ("known" in options)
    labels = labels if texts and "label_column" in options else ""
    return f"Leave {it} out with --exclude or --columns{labels}."


def _lines_without(table: "Table", others: Sequence[int], without: Sequence[int]) -> str:
    """Command lines that leave out columns, or compare the groups of one of `others`."""
    from bayesgmm.data.coercion import label

    left_out = _without_columns(table, without)
    groups = _column_of_groups(table, others)
    if groups is None:
        return f" For example:\n  {left_out}"
    name = table.names[groups] if table.names else ""
    rest = [j for j in without if j != groups]
    line = _without_columns(table, rest, "--label-column", name or str(groups))
    it = "it" if len(without) == 1 else "all of them"
    return (
        f"\nTo compare the groups of {label(table.names, groups)} with the components:\n  {line}\n"
        f"To leave {it} out:\n  {left_out}"
    )


def _column_of_groups(table: "Table", others: Sequence[int]) -> int | None:
    """The column of text with the fewest values, if rows share them and it can be compared."""
    context = click.get_current_context()
    if context.params.get("label_column", "") is not None:  # given, or no such option
        return None
    texts = _texts(table, others)
    sizes = {j: len(set(each.cells)) for j, each in texts.items() if not each.integer}
    found = min(sizes, key=lambda j: sizes[j], default=None)
    shared = found is not None and 1 < sizes[found] <= len(texts[found].cells) // 2
    return found if shared else None


def _without_columns(
    table: "Table",
    positions: Sequence[int],
    *extra: str,
    again: bool = False,
    leave: Sequence[str] = (),
) -> str:
    """Return the command line that leaves out further columns, with extra words."""
    names = table.names or ("",) * len(table.columns)
    words = [names[j] or str(j) for j in positions]
    return _with_more("exclude", words, *extra, again=again, leave=leave)


def _with_more(
    option: str, words: list[str], *extra: str, again: bool = False, leave: Sequence[str] = ()
) -> str:
    """Return the command line with more words in the list of an option, and extra words.

    Options to `leave` out are among the extra words.
    """
    if not words:
        return command_line(without=leave, extra=extra, again=again)
    given = click.get_current_context().params.get(option) or []
    more = [*extra, f"--{option}", joined([*given, *words])]
    return command_line(without=[option, *leave], extra=more, again=again)


def notes_on_names(table: "Table", chosen: Sequence[int]) -> list[str]:
    """Return a sentence on a first line that may have been taken for names, or for a row."""
    from bayesgmm.data.csv_columns import Notation
    from bayesgmm.data.tables import stands_above

    if "header" not in click.get_current_context().params:
        return []
    notation = Notation(table.marks[1])
    if table.names is None:
        columns = [table.columns[j] for j in chosen]
        if table.lines is None or len(columns) < 2 or not all(map(stands_above, columns)):
            return []
        line = command_line(extra=["--header"], without=["header"], again=True)
        return [
            "the first line was read as a row, and its numbers lie far from those of all other "
            f"rows. If it holds names:\n  {line}"
        ]
    numbers = [notation.number(name) for name in table.names]
    if None in numbers or all(float(each or 0.0).is_integer() for each in numbers):
        return []
    line = command_line(extra=["--no-header"], without=["header"], again=True)
    return [
        f"the first line was read as names, and all of these are numbers. If it is a row:\n  {line}"
    ]


def note_on_counters(table: "Table", chosen: Sequence[int]) -> list[str]:
    """Return a sentence on columns that may not be measurements, if there are any."""
    from bayesgmm.data.tables import row_counters

    counters = row_counters(table, chosen)
    if not 0 < len(counters) < len(chosen):
        return []
    return [
        f"{_are_counters(table, counters).lstrip()} To leave out what is not a measurement:\n  "
        + _without_columns(table, counters, again=True)
    ]


def _are_counters(table: "Table", columns: Sequence[int]) -> str:
    """A sentence on columns that number the rows; "" without any."""
    from bayesgmm.data.coercion import label

    if not columns:
        return ""
    names = ", ".join(label(table.names, j) for j in columns)
    names += "," * names.endswith("without a name")
    return f" {names[:1].upper()}{names[1:]} only number{'s' * (len(columns) == 1)} the rows."


def notes_on_marks(table: "Table", chosen: Sequence[int]) -> list[str]:
    """Return a sentence on each number that often marks missing values."""
    from bayesgmm.data.coercion import label
    from bayesgmm.data.tables import suspected_mark

    places: dict[float, list[str]] = {}
    for j in chosen:
        mark = suspected_mark(table.columns[j])
        if mark is not None:
            places.setdefault(mark, []).append(label(table.names, j))
    return [
        f"the number {mark:g} in {', '.join(where)} often marks a missing value. To read it so:\n  "
        + _with_more("na", [f"{mark:g}"], again=True)
        for mark, where in places.items()
    ]


def matching_columns(table: "Table", names: tuple[str, ...] | None) -> list[str] | None:
    """Return the columns of a table that a mixture has, in its order; None for all."""
    if names is None:
        return None
    listed = ", ".join(map(repr, names))
    if table.names is None:
        raise bayesgmm.errors.InputError(
            f"The columns of the data have no names, but the mixture has {listed:.2000}. Name "
            "their positions in this order with --columns."
        )
    found = [_name_in(table.names, name) for name in names]
    missing = [name for name, own in zip(names, found, strict=True) if own is None]
    if missing:
        raise bayesgmm.errors.InputError(
            f"The data have no column named {' or '.join(map(repr, missing)):.2000}. The mixture "
            f"has {listed:.2000}, the data "
            f"{', '.join(map(repr, table.names)):.2000}. Rename the columns of the data."
        )
    return [own for own in found if own is not None]


def _name_in(columns: Sequence[str], name: str) -> str | None:
    """Return the name itself, or the only column that has it apart from a unit."""
    from bayesgmm.data.tables import same_name

    alike = [name] if name in columns else [each for each in columns if same_name(each, name)]
    return alike[0] if len(alike) == 1 else None


def named_alike(X: "Data", names: tuple[str, ...] | None) -> "Data":
    """Return rows with the model's names of their columns, where these differ by units alone.

    Raises
    ------
    InputError
        If --columns gives columns of other names.
    """
    from bayesgmm.data.tables import same_name

    own = X.feature_names
    if names is None or own is None or len(own) != len(names) or set(own) == set(names):
        return X
    for mine, name in zip(own, names, strict=True):
        if not same_name(mine, name):
            raise bayesgmm.errors.InputError(
                f"--columns gives {mine!r} of the data for {name!r} of the model. Rename the "
                "column in the data if it is the same."
            )
    return X._replace(feature_names=names)
