"""Input of the commands: rows of data, and mixtures."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

import bayesgmm
from bayesgmm.cli.output import printable

if TYPE_CHECKING:
    from bayesgmm.data.validation import Data


class Rows(NamedTuple):
    """Checked rows to fit, the name of their source, and their known groups."""

    name: str
    X: "Data"
    labels: list[str] | None
    label_column: str | None


def read_rows(
    data: str,
    *,
    columns: list[str] | None,
    label_column: str | None,
    delimiter: str | None,
    header: bool | None,
    quiet: bool,
) -> Rows:
    """Read a file or a shipped data set, as `options.data_options` describe it."""
    from bayesgmm.arguments import did_you_mean
    from bayesgmm.data.table_files import read_table
    from bayesgmm.data.tables import Table, Text, row_counter, select
    from bayesgmm.data.validation import check_data
    from bayesgmm.datasets.load import dataset_names

    if data in dataset_names():
        shipped = bayesgmm.load_dataset(data)
        table = Table(shipped.feature_names, list(shipped.X.T))
        if shipped.labels is not None:
            groups = Text(shipped.labels.tolist(), 0)
            table = Table((*shipped.feature_names, "label"), [*table.columns, groups])
            label_column = label_column or "label"
        name = f"{data} (shipped with bayesgmm)"
    else:
        if data != "-" and not Path(data).exists():
            raise bayesgmm.errors.InputError(
                f"There is no file {data!r}, and no shipped data set of that name."
                + did_you_mean(data, dataset_names(), 0.5)
            )
        table = read_table(data, delimiter=delimiter, header=header)
        name = "standard input" if data == "-" else printable(data)
        counter = row_counter(table)
        if counter is not None and columns is None and label_column is None and not quiet:
            click.echo(
                f"Note: {counter} only numbers the rows. If it is not a measurement, name the "
                "columns to fit with --columns.",
                err=True,
            )
    X, names, labels = select(table, columns, label_column)
    rows = check_data(X, feature_names=names, allow_nan=True)
    return Rows(name, rows, labels, label_column)


def read_mixture(path: str) -> "bayesgmm.Mixture":
    """Read a mixture from a file of `fit -o`; "-" is standard input."""
    from bayesgmm.data.json_document import LARGEST
    from bayesgmm.data.table_files import open_binary

    if path != "-":
        return bayesgmm.Mixture.from_json(Path(path))
    with open_binary(path) as (_, file):
        return bayesgmm.Mixture.from_json(file.read(LARGEST + 1))
