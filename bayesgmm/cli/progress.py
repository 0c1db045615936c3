"""What is being done, on standard error: shown in a terminal, silent elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

type Stage = Callable[[str], AbstractContextManager[None]]


@contextmanager
def stages(quiet: bool) -> Iterator[Stage]:
    """Yield what shows a stage of the work, with its time, while its block runs."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(finished_text="\N{CHECK MARK}"),
        TextColumn("{task.description}", markup=False),  # names of files may have brackets
        TimeElapsedColumn(),
    )
    shown = console.is_terminal and not quiet
    with Progress(*columns, console=console, disable=not shown) as progress:

        @contextmanager
        def stage(what: str) -> Iterator[None]:
            task = progress.add_task(what, total=1)
            yield
            progress.update(task, completed=1)

        yield stage
