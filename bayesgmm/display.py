"""Progress on standard error, tables of text, number of nouns: one form for all rooms."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, SupportsFloat

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

type Stage = Callable[[str], AbstractContextManager[None]]


def is_watched(wanted: bool) -> bool:
    """Return whether progress is wanted and visible: on a terminal or in a notebook."""
    from rich.console import Console

    console = Console(stderr=True)
    return wanted and (console.is_terminal or console.is_jupyter)


def is_notebook(wanted: bool) -> bool:
    """Return whether progress is wanted and shown in a notebook."""
    from rich.console import Console

    return wanted and Console(stderr=True).is_jupyter


def progress(wanted: bool, *columns: "ProgressColumn", transient: bool = True) -> "Progress":
    """Return rich's progress display on standard error, silent except on a terminal.

    Parameters
    ----------
    wanted : bool
        False keeps it silent on a terminal too.
    *columns : ProgressColumn
        Parts of a line. None: a description, a bar and the time that is left.
    transient : bool
        Remove the display at its end.
    """
    from rich.console import Console
    from rich.progress import Progress, TextColumn

    columns = columns or (*Progress.get_default_columns(), TextColumn("left"))
    console = Console(stderr=True)
    disable = not (wanted and console.is_terminal)
    return Progress(*columns, console=console, transient=transient, disable=disable)


@contextmanager
def stages(wanted: bool) -> Iterator[Stage]:
    """Yield a context manager that says what stage of the work begins, on standard error.

    On a terminal it shows the time, while the stage runs; elsewhere each stage is a line.
    """
    from rich.console import Console

    console = Console(stderr=True)
    if wanted and not console.is_terminal:

        @contextmanager
        def line(what: str) -> Iterator[None]:
            console.print(what, markup=False, highlight=False, soft_wrap=True)
            yield

        yield line
        return
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(finished_text="\N{CHECK MARK}"),
        TextColumn("{task.description}", markup=False),  # names of files may have brackets
        TimeElapsedColumn(),
    )
    with progress(wanted, *columns, transient=False) as bar:

        @contextmanager
        def stage(what: str) -> Iterator[None]:
            task = bar.add_task(what, total=1)
            yield
            bar.update(task, completed=1)

        yield stage


def text_table(rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return rows of cells, the heads first, as columns of text two blanks apart.

    The first `left` columns are flush left, the others flush right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if j < left else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def plural(count: "SupportsFloat", noun: str) -> str:
    """Return "1 row", "2 rows", "2 classes", "2 entries"."""
    count = float(count)
    if count != 1.0:
        noun = re.sub("(?<![aeo])y$", "ie", re.sub("s$", "se", noun)) + "s"
    return f"{count:,.12g} {noun}"


def listed(words: Sequence[str]) -> str:
    """Return "a", "a and b", "a, b and c"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
