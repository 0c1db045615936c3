"""Results in the order of their tasks, with a bounded number of tasks begun."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator


def results_in_order[Task, T](
    tasks: Iterable[Task],
    result: Callable[[Task], T],
    drop: Callable[[Task], object],
    look_ahead: int,
) -> Iterator[T]:
    """Yield the results of tasks, which begin as they are taken from `tasks`.

    Parameters
    ----------
    tasks : iterable
    result : callable
        Waits for the result of a task.
    drop : callable
        Gives a task up, finished or not. Every task that was taken is dropped in the end.
    look_ahead : int
        At most so many tasks have been taken and not dropped.
    """
    taken: deque[Task] = deque()

    def first() -> T:
        value = result(taken[0])
        drop(taken.popleft())
        return value

    try:
        for task in tasks:
            taken.append(task)
            if len(taken) == look_ahead:
                yield first()
        while taken:
            yield first()
    finally:
        for task in taken:
            drop(task)
