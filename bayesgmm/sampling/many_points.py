"""Log posterior densities at many points, by threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.likelihood.em_steps import n_threads
from bayesgmm.posterior.log_density import Problem
from bayesgmm.sampling.streamed_posterior import StreamedPosterior

# Points of a task: few, so that Ctrl-C does not wait for long.
_TASK = 8


def log_densities(problem: Problem | StreamedPosterior, points: Array) -> tuple[Array, Array]:
    """Log posterior densities (T,) at points (T, size), nats, and gradients (T, size).

    NaN or infinite outside the range of float64. The bits do not depend on the number of threads.
    """
    if isinstance(problem, StreamedPosterior):
        return problem.log_densities(points)
    pool = ThreadPoolExecutor(n_threads(), thread_name_prefix="bayesgmm")
    try:
        tasks = [
            pool.submit(_one_by_one, problem, points[at : at + _TASK])
            for at in range(0, len(points), _TASK)
        ]
        found = [each for task in tasks for each in task.result()]
    finally:
        pool.shutdown(cancel_futures=True)
    return np.array([value for value, _ in found]), np.array([slope for _, slope in found])


def _one_by_one(problem: Problem, points: Array) -> list[tuple[float, Array]]:
    return [problem.log_density(u) for u in points]
