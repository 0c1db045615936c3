"""Replications of a simulation in parallel processes, with the same result for any number."""

import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import closing

import joblib

from bayesgmm.display import progress


def replicated[T](
    simulate: Callable[[int], T],
    numbers: Iterable[int],
    n_jobs: int | None,
    progressbar: bool,
    description: str,
) -> list[T]:
    """Simulate some numbers in order; after Ctrl-C return those before the first unfinished one.

    Parameters
    ----------
    simulate : callable
        From a number to an outcome, of which the number alone is the seed. Its warnings are hidden.
    numbers : iterable of int
    n_jobs : int or None
        Processes; None for one on each processor.
    progressbar : bool
    description : str
        Of the progress.

    Raises
    ------
    KeyboardInterrupt
        If nothing was finished.
    """
    done: list[T] = []
    # Processes: the filters of warnings, which fits change, belong to all threads of one.
    parallel = joblib.Parallel(n_jobs or os.cpu_count(), return_as="generator")
    tasks = [joblib.delayed(_quietly)(simulate, number) for number in numbers]
    with (
        warnings.catch_warnings(),
        progress(progressbar) as bar,
        closing(parallel(tasks)) as results,
    ):
        # joblib replaces workers whose memory has grown, and says so.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
        try:
            for each in bar.track(results, total=len(tasks), description=description):
                done.append(each)
        except KeyboardInterrupt:
            if not done:
                raise
    return done


def _quietly[T](simulate: Callable[[int], T], number: int) -> T:
    with warnings.catch_warnings():
        # Samples of few rows, of which there are many, make fits degenerate, as they may.
        warnings.simplefilter("ignore")
        return simulate(number)
