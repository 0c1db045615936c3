"""Input of the commands: rows of data, and mixtures."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import bayesgmm
from bayesgmm.cli.columns_to_fit import (
    matching_columns,
    named_alike,
    note_on_counters,
    notes_on_marks,
    notes_on_names,
    select_numbers,
)
from bayesgmm.cli.command_line import command_line
from bayesgmm.cli.output import printable
from bayesgmm.cli.wording import remember_lines
from bayesgmm.display import plural

if TYPE_CHECKING:
    from bayesgmm.arrays import Array, Indices
    from bayesgmm.data.tables import ChosenColumns, Table
    from bayesgmm.data.validation import Data

type Model = bayesgmm.Mixture | bayesgmm.GaussianMixture | bayesgmm.GaussianMixtureClassifier
type Choice = Callable[["Table"], list[str] | None]


class Rows(NamedTuple):
    """Checked rows to fit, and where they come from.

    Attributes
    ----------
    name : str
        The source, in words.
    X : Data
    labels : list of n str, or None
        Known groups.
    label_column : str or None
    table : Table
        All columns of the source.
    kept : (n,)
        Indices of the rows of the source.
    weights : (n,), or None
        The number of times that each row counts.
    known : (n,), or None
        The component of each row; -1 where it is not known.
    named_by : str or None
        The column that was left out and names the rows.
    """

    name: str
    X: "Data"
    labels: list[str] | None
    label_column: str | None
    table: "Table"
    kept: "Indices"
    weights: "Array | None" = None
    known: "Array | None" = None
    named_by: str | None = None


def read_rows(
    data: str,
    *,
    columns: list[str] | None,
    exclude: list[str] | None,
    errors: list[str] | None,
    label_column: str | None,
    drop_missing: bool,
    quiet: bool,
    weights: str | None = None,
    known: str | None = None,
    choice: Choice | None = None,
    allow_unseen: bool = False,
    **form: Any,
) -> Rows:
    """Read a file or a shipped data set, as `options.data_options` describe it.

    Without `columns`, the columns are those that `choice` finds, or else all. Columns of which
    nothing was seen are refused unless `allow_unseen`. Arguments in `form` are those of
    `read_table`.
    """
    from bayesgmm.data.tables import chosen_columns, select
    from bayesgmm.data.validation import unseen_rows

    needed = choice is not None
    others = [each for each in (weights, known) if each]
    exclude = [*(exclude or []), *(errors or []), *others]
    table, name, label_column = _source(data, label_column, form)
    remember_lines(table.lines)
    named = columns is not None or needed
    if columns is None and choice is not None:
        columns = choice(table)
    if not quiet:
        _echo_notes(table.notes)
    chosen = select_numbers(table, columns, label_column, exclude, counted=not named, needed=needed)
    if not quiet:
        positions = chosen_columns(table, columns, label_column, exclude)
        counters = [] if named else note_on_counters(table, positions)
        names = notes_on_names(table, positions)
        _echo_notes([*names, *counters, *notes_on_marks(table, positions)])
    kept = _kept(chosen.X, drop_missing)
    dropped = len(chosen.X) - len(kept)
    labels = chosen.labels
    rows = _checked(chosen, _variances(table, chosen, errors), allow_unseen=allow_unseen)
    named_by, row_names = _row_names(table, exclude)
    rows = rows._replace(row_names=row_names)
    if dropped:
        name += f" ({plural(dropped, 'row')} with missing values left out)"
        rows, labels = rows.take(kept), None if labels is None else [labels[i] for i in kept]
        rows = rows._replace(has_missing=False)
    elif rows.has_missing and not quiet:
        click.echo(f"Note: {_missing(rows)}", err=True)
        _echo_notes(unseen_rows(rows, table.lines))
    counts = None if weights is None else select(table, [weights], None, []).X[kept, 0]
    components = None
    if known is not None:
        components, groups = _components(table, known, quiet=quiet)
        components, rows = components[kept], rows._replace(group_names=groups)
    remember_lines(None if table.lines is None else table.lines[kept])
    return Rows(name, rows, labels, label_column, table, kept, counts, components, named_by)


def _row_names(
    table: "Table", exclude: Sequence[str]
) -> tuple[str, list[object]] | tuple[None, None]:
    """Return the first column left out that has a value of its own for each row, and the values."""
    import numpy as np

    from bayesgmm.data.tables import Text, column_of

    for name in exclude:
        column = column_of(table, name)
        if isinstance(column, Text):
            values: list[object] = list(column.cells)
        else:
            whole = not np.isnan(column).any() and (column == np.floor(column)).all()
            values = column.astype(np.int64).tolist() if whole else []
        if values and len(set(values)) == len(values):
            return name, values
    return None, None


def _echo_notes(notes: Iterable[str]) -> None:
    for note in notes:
        click.echo(f"Note: {note}", err=True)


def _components(
    table: "Table", column: str, *, quiet: bool
) -> tuple["Array", tuple[str, ...] | None]:
    """Return the numbers of known components, -1 for empty cells, and the names of groups.

    Groups of a column of text are numbered in alphabetical order, and a note says so.
    """
    import numpy as np

    from bayesgmm.data.csv_columns import Notation
    from bayesgmm.data.tables import Text, column_of

    found = column_of(table, column)
    if not isinstance(found, Text):
        return np.where(np.isnan(found), -1.0, found), None
    read = Notation(
        missing=frozenset(map(str.lower, click.get_current_context().params["na"] or ()))
    )
    numbers = [i for i, cell in enumerate(found.cells) if read.is_number(cell)]
    if numbers:
        raise bayesgmm.errors.InputTypeError(
            f"--labels: the column {column!r} holds both text (row {found.row}, "
            f"{found.cells[found.row]!r:.80}) and numbers (row {numbers[0]}). Give the numbers of "
            "components, 0, 1, ..., or names of groups, and leave the cell empty where the "
            "component is unknown; --na names another mark of unknown ones."
        )
    known = np.array([not read.is_missing(cell) for cell in found.cells])
    names, codes = np.unique(np.array(found.cells)[known], return_inverse=True)
    groups = tuple(names.tolist())
    _check_number_of_groups(column, groups)
    out = np.full(len(known), -1.0)
    out[known] = codes
    if not quiet:
        numbered = ", ".join(f"{k} {group}" for k, group in enumerate(groups))
        click.echo(f"Note: components by --labels {column}: {numbered:.300}.", err=True)
    return out, groups


def _check_number_of_groups(column: str, groups: tuple[str, ...]) -> None:
    """Refuse more groups than components."""
    k = click.get_current_context().params.get("components")
    if k is not None and len(groups) > k:
        raise click.UsageError(
            f"--labels {column} names {plural(len(groups), 'group')} ({', '.join(groups):.300}), "
            f"more than the {plural(k, 'component')} of -k. Give -k {len(groups)} or more, or "
            "empty the cells of groups that are not components. To compare the groups with the "
            f"components instead, give --label-column {column}."
        )


def _kept(X: "Array", drop_missing: bool) -> "Indices":
    """Return the rows to keep: all, or those without missing values."""
    import numpy as np

    if not drop_missing:
        return np.arange(len(X))
    kept = np.flatnonzero(~np.isnan(X).any(axis=1))
    if not len(kept):
        raise bayesgmm.errors.InputError(
            "Every row has a missing value. Leave out the columns that have most of them with "
            "--exclude."
        )
    return kept


def _variances(table: "Table", chosen: "ChosenColumns", errors: list[str] | None) -> "Array | None":
    """Return the squares of the columns of standard errors, in the order of the chosen columns."""
    import numpy as np

    from bayesgmm.data.tables import select

    if not errors:
        return None
    if len(errors) != chosen.X.shape[1]:
        raise bayesgmm.errors.InputError(
            f"--errors names {plural(len(errors), 'column')}, but {chosen.X.shape[1]} are fitted. "
            "Name the column of the standard errors of each, in their order."
        )
    found = select(table, errors, None, []).X
    negative = np.argwhere(found < 0.0)
    if len(negative):
        row, j = negative[0]
        raise bayesgmm.errors.InputError(
            f"--errors: the standard error in row {row}, column {errors[j]!r}, is negative."
        )
    with np.errstate(over="ignore", under="ignore"):  # the check of variances names them
        return found**2


def _checked(chosen: "ChosenColumns", variances: "Array | None", *, allow_unseen: bool) -> "Data":
    """Check rows, which may lack entries, and their errors."""
    from bayesgmm.data.validation import check_data

    return check_data(
        chosen.X,
        feature_names=chosen.feature_names,
        allow_nan=True,
        allow_unseen=allow_unseen,
        error_covariances=variances,
    )


def _missing(rows: "Data") -> str:
    """Return a sentence on missing entries, with the command line that leaves their rows out."""
    import numpy as np

    missing = np.isnan(rows.X)
    n = int(missing.any(axis=1).sum())
    verb = "is" if missing.sum() == 1 else "are"
    return (
        f"{plural(int(missing.sum()), 'entry')} in {n:,} of {plural(len(rows.X), 'row')} {verb} "
        "missing. Rows count as far as they were seen, which is right if entries are missing at "
        f"random. To leave these rows out:\n  {command_line(extra=['--drop-missing'], again=True)}"
    )


def _source(
    data: str, label_column: str | None, form: dict[str, Any]
) -> tuple["Table", str, str | None]:
    """Return a table, its name in words, and its label column."""
    from bayesgmm.arguments import did_you_mean
    from bayesgmm.data.table_files import read_table
    from bayesgmm.data.tables import Table, Text
    from bayesgmm.datasets.load import dataset_names

    if data in dataset_names():
        shipped = bayesgmm.load_dataset(data)
        table = Table(shipped.feature_names, list(shipped.X.T))
        if shipped.labels is not None:
            groups = Text(shipped.labels.tolist(), 0)
            table = Table((*shipped.feature_names, "label"), [*table.columns, groups])
            label_column = label_column or "label"
        return table, f"{data} (shipped with bayesgmm)", label_column
    if data != "-" and not Path(data).exists():
        raise bayesgmm.errors.InputError(
            f"There is no file {data!r}, and no shipped data set of that name."
            + did_you_mean(data, dataset_names(), 0.5)
        )
    table = read_table(data, **{**form, "na": form["na"] or ()})
    return table, "standard input" if data == "-" else printable(data), label_column


def read_model(path: str) -> Model:
    """Read a mixture or a fitted estimator from a file of JSON; "-" is standard input."""
    from bayesgmm.data.json_document import LARGEST, parse_document, read_text
    from bayesgmm.data.table_files import open_binary

    if path != "-":
        text = read_text(Path(path))
    else:
        with open_binary(path) as (_, file):
            text = read_text(file.read(LARGEST + 1))
    document = parse_document(text)
    if document.get("schema") != "bayesgmm.estimator":
        return bayesgmm.Mixture.from_json(text)
    if document.get("estimator") == "GaussianMixtureClassifier":
        return bayesgmm.GaussianMixtureClassifier.from_json(text)
    return bayesgmm.GaussianMixture.from_json(text)


def read_start(path: str, components: int | None) -> "bayesgmm.GaussianMixture":
    """Read the fit that --init names, of the number of components that -k asks for, if any."""
    model = read_model(path)
    if not isinstance(model, bayesgmm.GaussianMixture):
        raise bayesgmm.errors.InputError(
            f"{path!r} holds a {type(model).__name__}, not a fit. Give --init a file that "
            "`bayesgmm fit -o` wrote."
        )
    k = model.mixture_.n_components
    if components not in {None, k}:
        line = command_line("fit", without={"output", "force", "priors"}, extra=["-o", "fit.json"])
        raise click.UsageError(
            f"The fit of --init has {plural(k, 'component')}, but -k {components} is asked for. "
            f"Leave out -k, or give --init the file of a fit with -k {components}:\n  {line}"
        )
    return model


def read_rows_of(names: tuple[str, ...] | None, **source: Any) -> Rows:
    """Read the rows, as `read_rows` does, with the columns of a model of these names, if any.

    Columns that are named, or some of which are left out, are those of the user.
    """
    own = names is None or source["exclude"] is not None
    rows = read_rows(choice=None if own else lambda table: matching_columns(table, names), **source)
    return rows if own else rows._replace(X=named_alike(rows.X, names))


def read_mixture(path: str) -> "bayesgmm.Mixture":
    """Read a mixture, or that of a fitted estimator, as `read_model` does.

    Raises
    ------
    InputError
        If the fit has noise or outliers, which its mixture lacks.
    """
    model = read_model(path)
    if isinstance(model, bayesgmm.Mixture):
        return model
    if any(getattr(model, name, None) is not None for name in ("noise_", "contamination_")):
        raise bayesgmm.errors.InputError(
            f"The model in {printable(path)} has noise or outliers beside its components. Give a "
            "mixture without."
        )
    return model.mixture_
