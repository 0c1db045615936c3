"""Rows that are read in parts: the options for it, their source, and who reads them."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import bayesgmm
from bayesgmm.cli.input_rows import Model
from bayesgmm.cli.output import printable

if TYPE_CHECKING:
    from bayesgmm.executors.executor import Executor
    from bayesgmm.sources.row_source import RowSource

# Parameters that need rows in memory.
_IN_MEMORY = (
    "exclude",
    "errors",
    "label_column",
    "drop_missing",
    "known",
    "noise",
    "contaminated",
    "priors",
)
_LOCAL = "local"


class Stream(NamedTuple):
    """How rows are read in parts.

    Attributes
    ----------
    dask : str or None
        The address of a Dask scheduler, or "local" for workers on this machine. None: by threads.
    checkpoint : Path or None
        The file for the passes of a fit.
    """

    dask: str | None
    checkpoint: Path | None


def stream_options(*, checkpoint: bool) -> Callable[[Any], Any]:
    """Return a decorator that adds the options of `Stream`, passed as `stream`; None without."""

    def add(command: Any) -> Any:
        @functools.wraps(command)
        def run(
            *, stream: bool, dask: str | None, checkpoint: Path | None = None, **rest: Any
        ) -> Any:
            wanted = stream or dask is not None or checkpoint is not None
            return command(stream=Stream(dask, checkpoint) if wanted else None, **rest)

        if checkpoint:
            run = click.option(
                "--checkpoint",
                type=click.Path(path_type=Path, dir_okay=False),
                help="With --stream: file of the passes that were made, from which the same "
                "command goes on.",
            )(run)
        for option in (
            click.option(
                "--dask",
                metavar="ADDRESS|local",
                help="With --stream: workers of a Dask cluster, or of this machine.",
            ),
            click.option(
                "--stream", is_flag=True, help="Read the rows in parts: they may exceed memory."
            ),
        ):
            run = option(run)
        return run

    return add


def check_streamed(memberships: Path | None) -> None:
    """Refuse options that need rows in memory, and a file of memberships of another kind."""
    from bayesgmm.classification.membership_files import suffix_of

    context = click.get_current_context()
    for parameter in context.command.params:
        name = str(parameter.name)
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if name in _IN_MEMORY and given:
            advice = " Name the columns to read with --columns." if name == "exclude" else ""
            raise click.UsageError(
                f"{parameter.opts[0]} needs the rows in memory, and cannot be used with "
                f"--stream.{advice}"
            )
    if memberships is not None:
        suffix_of(memberships)


def open_source(
    data: str, *, columns: list[str] | None, weights: str | None = None, **form: Any
) -> "RowSource":
    """Open DATA, in which `columns` are read, and `weights` names the column of weights.

    A CSV is copied to a temporary file first. Of the arguments in `form`, those of `read_table`
    count.
    """
    from bayesgmm.data.csv_columns import Notation
    from bayesgmm.data.csv_files import Form
    from bayesgmm.datasets.load import dataset_names
    from bayesgmm.sources.opening import open_path

    if data in dataset_names():
        shipped = bayesgmm.load_dataset(data)
        frame = shipped.frame.set_axis([*shipped.feature_names], axis=1)
        return bayesgmm.open_rows(frame, columns=columns, sample_weight=weights)
    marks = frozenset(mark.strip().lower() for mark in form["na"] or ())
    notation = Notation(form["decimal"], marks)
    return open_path(
        data,
        Form(form["delimiter"], form["header"], notation),
        columns=columns,
        sample_weight=weights,
    )


@contextmanager
def opened_executor(dask: str | None) -> Iterator["Executor | None"]:
    """Yield workers of a cluster, which end with the context if they are of this machine."""
    if dask is None:
        yield None
        return
    try:
        from distributed import Client, LocalCluster

        from bayesgmm.executors import DaskExecutor
    except ModuleNotFoundError:
        raise click.UsageError(
            "--dask needs dask and distributed: pip install 'bayesgmm[dask]'."
        ) from None
    from bayesgmm.likelihood.em_steps import n_threads

    if dask == _LOCAL:
        with (
            LocalCluster(n_threads(), threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster) as client,
        ):
            yield DaskExecutor(client)
        return
    try:
        client = Client(dask)
    except (OSError, ValueError) as error:
        raise bayesgmm.errors.ExecutorError(
            f"--dask: no Dask scheduler answers at {dask!r} ({error}). Give an address such as "
            "tcp://10.0.0.1:8786, or local for workers of this machine."
        ) from error
    with client:
        yield DaskExecutor(client)


def write_parts(
    model: Model,
    rows: "RowSource",
    path: Path,
    executor: "Executor | None",
    force: bool,
    quiet: bool,
) -> None:
    """Write the memberships of rows in a model, and unless `quiet` a sentence."""
    bayesgmm.write_memberships(model, rows, path, executor=executor, force=force)
    if not quiet:
        click.echo(f"The memberships were written to {printable(path)}.", err=True)
