"""The command line: parse, call one function, write.

Results go to standard output and messages to standard error. The exit status is 0, 1 (the data or
the fit), 2 (usage), or 130 after Ctrl-C.
"""

import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

# What takes time to import is loaded where it is used: help and usage errors come at once.
import bayesgmm

if TYPE_CHECKING:
    from bayesgmm.crosstable import CrossTable

_SCHEMA, _VERSION = "bayesgmm.fit", 1
_DEBUG = "bayesgmm.debug"


class _Commands(click.Group):
    """A group whose commands end in a sentence and an exit status, not in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            # Whoever read the results has enough. Python would complain once more when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if ctx.meta.get(_DEBUG):
                raise
            raise _as_sentence(error) from error


def _as_sentence(error: Exception) -> click.ClickException:
    if isinstance(error, bayesgmm.errors.InvalidParameterError):
        return click.UsageError(str(error))
    if isinstance(error, bayesgmm.errors.BayesGMMError):
        return click.ClickException(str(error))
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return click.ClickException(f"{where}{error.strerror or error}.")
    if isinstance(error, MemoryError):
        return click.ClickException("The data do not fit into memory.")
    return click.ClickException(
        f"{type(error).__name__}: {error}\nThis is an error of the program, not of yours. Run it "
        "again with --debug to see where it happened."
    )


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[_DEBUG] = value


def _check_structure(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    from bayesgmm.model import as_structure

    try:
        as_structure(value)
    except bayesgmm.errors.InvalidParameterError as error:
        raise click.BadParameter(str(error)) from None
    return value


def _split(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Cut a list of names at its commas; names that hold a comma stand in double quotes."""
    if value is None:
        return None
    import csv

    return next(csv.reader([value], skipinitialspace=True), [])


def _delimiter(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    value = {"\\t": "\t", "tab": "\t", "space": " "}.get(value or "", value)
    if value is not None and (len(value) != 1 or value in '"\r\n'):
        raise click.BadParameter("must be one character, or tab, or space.")
    return value


def _seed_option(what: str) -> Callable[[Any], Any]:
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help=f"{what} The same seed gives the same result.",
    )


_debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember_debug,
    help="Show the traceback of an error.",
)
_force_option = click.option("--force", is_flag=True, help="Replace an output file that exists.")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bayesgmm")
def main() -> None:
    """Finite Gaussian mixtures: fit them to data, and draw data from them.

    Results are written to standard output, messages to standard error. Exit status: 0, 1 (the data
    or the fit), 2 (usage).
    """


@main.command()
@click.argument("data")
@click.option(
    "-k", "--components", type=click.IntRange(min=1), required=True, help="Number of components."
)
@click.option(
    "--covariance",
    default="full",
    show_default=True,
    callback=_check_structure,
    help="full, tied, diag, spherical, or a code of mclust such as VVV.",
)
@_seed_option("Seed of the starts.")
@click.option("--columns", callback=_split, help="Columns to fit: names or positions, as a,b,2.")
@click.option("--label-column", help="A column of known groups: not fitted, but compared.")
@click.option(
    "--delimiter", callback=_delimiter, help="One character, tab or space.  [default: found]"
)
@click.option(
    "--header/--no-header", default=None, help="Whether a CSV begins with names.  [default: found]"
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of the summary.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Also write the mixture, as JSON."
)
@_force_option
@click.option("--quiet", is_flag=True, help="No warnings and messages; errors are still shown.")
@_debug_option
def fit(
    data: str,
    components: int,
    covariance: str,
    seed: int,
    columns: list[str] | None,
    label_column: str | None,
    delimiter: str | None,
    header: bool | None,
    as_json: bool,
    output: Path | None,
    force: bool,
    quiet: bool,
) -> None:
    r"""Fit a mixture to DATA by maximum likelihood.

    DATA is a shipped data set (faithful, galaxies, iris) or a file: CSV, Parquet or NPY, or - for
    CSV from standard input. Write ./iris for a file of a data set's name.

    \b
    Examples:
      bayesgmm fit faithful -k 2
      bayesgmm fit measurements.csv -k 3 --columns width,height --json
    """
    from bayesgmm.crosstable import cross_table
    from bayesgmm.files import check_target, write_atomically

    if output is not None:
        check_target(output, force=force)
    rows = _load(data, columns, label_column, delimiter, header, quiet)
    with _heard_warnings(quiet) as heard:
        model = bayesgmm.GaussianMixture(
            components, covariance_type=covariance, random_state=seed
        ).fit(rows.X)
    table = None
    if rows.labels is not None:
        table = cross_table(rows.labels, model.predict(rows.X), components)
    if as_json:
        text = json.dumps(_fit_document(model, rows, table, seed, heard), allow_nan=False, indent=2)
    else:
        text = f"Data: {rows.name}\n\n{model.summary(rows.X)}"
        if table is not None:
            text += (
                f"\n\nKnown groups and components: {table.agreement:.2%} of rows agree, adjusted "
                f"Rand index {table.adjusted_rand_index:.4f}\n{table}"
            )
    try:
        if output is not None:
            write_atomically(output, model.mixture_.to_json().encode() + b"\n", force=force)
            if not quiet:
                click.echo(f"The mixture was written to {output}.", err=True)
    finally:
        click.echo(text)


@main.command()
@click.argument("model")
@click.option(
    "-n", "--rows", type=click.IntRange(min=1), required=True, help="Number of rows to draw."
)
@_seed_option("Seed of the draws.")
@click.option(
    "--missing",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Share of entries to remove completely at random.",
)
@click.option("--labels", is_flag=True, help="Add a last column: the component of each row.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write, .csv or .npy.  [default: CSV on standard output]",
)
@_force_option
@_debug_option
def simulate(
    model: str,
    rows: int,
    seed: int,
    missing: float,
    labels: bool,
    output: Path | None,
    force: bool,
) -> None:
    r"""Draw rows from MODEL: a worked example, or a file that `fit -o` wrote.

    \b
    Worked examples: rusty_machine, heights, overlapping_ellipses, blobs

    \b
    Example:
      bayesgmm simulate blobs -n 800 --labels -o blobs.csv
      bayesgmm fit blobs.csv -k 4 --label-column component
    """
    import numpy as np

    from bayesgmm.files import check_target, csv_text, npy_bytes, write_atomically

    if output is not None:
        if output.suffix.lower() not in {".csv", ".npy"}:
            raise click.UsageError(f"The output {str(output)!r} must end in .csv or .npy.")
        check_target(output, force=force)
    if model in bayesgmm.scenarios() or not Path(model).exists():
        mixture = bayesgmm.scenario(model)
    else:
        mixture = bayesgmm.Mixture.from_json(Path(model))
    drawn = bayesgmm.simulate(mixture, rows, rng=seed, missing=missing)
    if output is not None and output.suffix.lower() == ".npy":
        array = np.column_stack([drawn.X, drawn.labels]) if labels else drawn.X
        write_atomically(output, npy_bytes(array), force=force)
        return
    names = list(mixture.feature_names or (f"x{j}" for j in range(mixture.n_features)))
    columns: list[Any] = list(drawn.X.T)
    if labels:
        names.append("component")
        columns.append(drawn.labels)
    text = csv_text(names, columns)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_atomically(output, text.encode(), force=force)


@main.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@_debug_option
def datasets(name: str | None, as_json: bool) -> None:
    """List the shipped data sets with their sizes and sources, or print one as CSV."""
    from bayesgmm.datasets import dataset_names
    from bayesgmm.files import csv_text

    if name is None:
        described = [_describe(each) for each in dataset_names()]
        if as_json:
            click.echo(json.dumps(described, indent=2))
        else:
            click.echo("\n\n".join(_paragraph(each) for each in described))
        return
    found = bayesgmm.load_dataset(name)
    if as_json:
        rows = {"rows": found.X.tolist()}
        labels = None if found.labels is None else found.labels.tolist()
        click.echo(json.dumps({**_describe(name), **rows, "labels": labels}))
        return
    names, columns = list(found.feature_names), list(found.X.T)
    if found.labels is not None:
        names.append("label")
        columns.append(found.labels)
    click.echo(csv_text(names, columns), nl=False)


class _Rows(NamedTuple):
    """What is fitted: a frame where columns have names, and the groups that are known."""

    name: str
    X: Any
    labels: list[str] | None
    label_column: str | None


def _load(
    data: str,
    columns: list[str] | None,
    label_column: str | None,
    delimiter: str | None,
    header: bool | None,
    quiet: bool,
) -> _Rows:
    import pandas as pd

    from bayesgmm.datasets import dataset_names
    from bayesgmm.files import Table, Text, read_table, row_counter, select

    if data in dataset_names():
        shipped = bayesgmm.load_dataset(data)
        table = Table(shipped.feature_names, list(shipped.X.T))
        if shipped.labels is not None:
            table = Table(
                (*shipped.feature_names, "label"),
                [*table.columns, Text(shipped.labels.tolist(), 0)],
            )
            label_column = label_column or "label"
        name = f"{data} (shipped with bayesgmm)"
    else:
        if data != "-" and not Path(data).exists():
            raise bayesgmm.errors.InputError(_no_such_data(data, dataset_names()))
        table = read_table(data, delimiter=delimiter, header=header)
        name = "standard input" if data == "-" else data
        counter = row_counter(table)
        if counter is not None and columns is None and label_column is None and not quiet:
            click.echo(
                f"Note: {counter} only counts the rows. If it is no measurement, name those to "
                "fit with --columns.",
                err=True,
            )
    chosen = select(table, columns, label_column)
    X: Any = chosen.X
    if chosen.feature_names is not None:
        X = pd.DataFrame(chosen.X, columns=list(chosen.feature_names), copy=False)
    return _Rows(name, X, chosen.labels, label_column)


def _no_such_data(data: str, known: tuple[str, ...]) -> str:
    import difflib

    near = difflib.get_close_matches(data.lower(), known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no file {data!r}, and no shipped data set of that name.{hint}"


@contextmanager
def _heard_warnings(quiet: bool) -> Iterator[list[str]]:
    """Collect the package's warnings as sentences, and say them unless `quiet`."""
    heard: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", bayesgmm.errors.BayesGMMWarning)
        plain = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if not issubclass(category, bayesgmm.errors.BayesGMMWarning):
                plain(message, category, *rest, **more)
                return
            heard.append(str(message))
            if not quiet:
                click.echo(f"Warning: {message}", err=True)

        warnings.showwarning = show
        yield heard


def _fit_document(
    model: "bayesgmm.GaussianMixture",
    rows: _Rows,
    table: "CrossTable | None",
    seed: int,
    heard: list[str],
) -> dict[str, Any]:
    """Everything that the summary shows, at full precision."""
    import numpy as np

    from bayesgmm.em.summary import agreement
    from bayesgmm.model import as_structure, bhattacharyya

    mixture, structure = model.mixture_, as_structure(model.covariance_type)
    starts = model.starts_.to_dict("records")
    values = [start["log_likelihood"] for start in starts]
    agreed, made = agreement(values, model.log_likelihood_)
    groups = None
    if table is not None:
        groups = {
            "column": rows.label_column,
            "groups": list(table.groups),
            "counts": table.counts.tolist(),
            "agreement": table.agreement,
            "adjusted_rand_index": table.adjusted_rand_index,
        }
    return {
        "schema": _SCHEMA,
        "version": _VERSION,
        "program": f"bayesgmm {bayesgmm.__version__}",
        "data": rows.name,
        "n_rows": len(rows.X),
        "n_features": mixture.n_features,
        "n_components": mixture.n_components,
        "covariance_type": structure.name,
        "covariance_code": structure.code,
        "covariance_words": structure.words,
        "seed": seed,
        "log_likelihood": model.log_likelihood_,
        "n_parameters": model.n_parameters_,
        "bic": model.bic(rows.X),
        "aic": model.aic(rows.X),
        "icl": model.icl(rows.X),
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
        "remaining": _plain(model.remaining_),
        "sizes": np.bincount(model.predict(rows.X), minlength=mixture.n_components).tolist(),
        "feature_names": mixture.feature_names,
        "weights": mixture.weights.tolist(),
        "means": mixture.means.tolist(),
        "covariances": mixture.covariances.tolist(),
        "bhattacharyya": bhattacharyya(mixture).tolist(),
        "starts_made": made,
        "starts_agreed": agreed,
        "starts": [{key: _plain(value) for key, value in start.items()} for start in starts],
        "known_groups": groups,
        "warnings": heard,
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: a number that is none becomes null."""
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _describe(name: str) -> dict[str, Any]:
    found = bayesgmm.load_dataset(name)
    return {
        "name": name,
        "n_rows": len(found.X),
        "feature_names": list(found.feature_names),
        "groups": None if found.labels is None else sorted({str(each) for each in found.labels}),
        "source": found.source,
    }


def _paragraph(described: dict[str, Any]) -> str:
    names = described["feature_names"]
    lines = [f"{described['name']}: {described['n_rows']} rows, {len(names)} columns"]
    lines[0] += f" ({', '.join(names)})"
    if described["groups"]:
        lines.append(f"Known groups: {', '.join(described['groups'])}.")
    lines.append(described["source"])
    return "\n".join(click.wrap_text(line, 88, "", "  ") for line in lines)
