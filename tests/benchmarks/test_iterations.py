"""Time of one EM iteration, as a ratio to scikit-learn's in the same process.

Run by

    pytest tests/benchmarks -o addopts=

(and, say, `--benchmark-json=benchmarks.json`). Every fit starts from the same given parameters with
`tol=0`, so nothing but the number of iterations differs between a short and a long one; the time
of one is the difference of two such fits over that of their numbers. Clusters lie about a standard
deviation apart: no row belongs to one component alone.

Targets: a ratio of 60, 60, 85, 35, 16, 7 for full covariances and 18 for diagonal ones; 80 % of
the rate of the machine's matrix product at 30 features or more. Nothing is asserted of speed.
"""

from functools import partial
from statistics import median

import numpy as np
import pytest
import sklearn.mixture
from threadpoolctl import threadpool_limits
from timing import dgemm_rate, in_words, interleaved, seconds

import bayesgmm
from bayesgmm.covariance.structures import as_structure
from bayesgmm.em.loop import StopRule, maximise
from bayesgmm.likelihood.em_steps import Rows, n_threads
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

# n, d, K, structure, target, and by how many iterations our and their fits differ.
CASES = [
    (100_000, 1, 3, "full", 60, 200, 10),
    (100_000, 2, 3, "full", 60, 200, 10),
    (100_000, 2, 10, "full", 85, 100, 10),
    (200_000, 10, 10, "full", 35, 20, 4),
    (100_000, 30, 10, "full", 16, 10, 4),
    (50_000, 64, 20, "full", 7, 6, 3),
    (200_000, 10, 10, "diag", 18, 30, 6),
]
ROUNDS = 5


def overlapping(n, d, k, covariance_type):
    """Rows, and a start that is near to them: weights, means, precisions."""
    rng = np.random.default_rng([n, d, k])
    centres = rng.standard_normal((k, d)) / np.sqrt(d)
    x = rng.standard_normal((n, d)) + centres[rng.integers(k, size=n)]
    means = centres + 0.1 * rng.standard_normal((k, d))
    precisions = np.ones((k, d)) if covariance_type == "diag" else np.array([np.eye(d)] * k)
    return x, np.full(k, 1 / k), means, precisions


def fit(estimator, x, start, iterations, **parameters):
    weights, means, precisions = start
    estimator(
        len(weights),
        tol=0.0,
        max_iter=iterations,
        weights_init=weights,
        means_init=means,
        precisions_init=precisions,
        **parameters,
    ).fit(x)


@pytest.mark.parametrize(
    ("n", "d", "k", "covariance_type", "target", "our_iterations", "their_iterations"),
    CASES,
    ids=lambda each: f"{each:g}" if isinstance(each, int) else each,
)
def test_time_of_an_iteration(
    n, d, k, covariance_type, target, our_iterations, their_iterations, benchmark, report
):
    x, *start = overlapping(n, d, k, covariance_type)
    ours = partial(
        fit,
        bayesgmm.GaussianMixture,
        x,
        start,
        covariance_type=covariance_type,
        acceleration=None,
    )
    # Its own start is computed and thrown away where one is given: take the cheapest.
    theirs = partial(
        fit,
        sklearn.mixture.GaussianMixture,
        x,
        start,
        covariance_type=covariance_type,
        init_params="random",
        random_state=0,
    )
    seconds(partial(ours, 2))
    with threadpool_limits(limits=n_threads()):
        our_short, our_long, their_short, their_long = interleaved(
            partial(ours, 2),
            partial(ours, 2 + our_iterations),
            partial(theirs, 2),
            partial(theirs, 2 + their_iterations),
            rounds=ROUNDS,
        )
        our_time = (median(our_long) - median(our_short)) / our_iterations
        their_time = (median(their_long) - median(their_short)) / their_iterations
        note = ""
        if d >= 30:
            flops = n * k * (2 * d * (d + 1) + 4 * d)
            share = flops / our_time / dgemm_rate()
            note = f"{share:.0%} of the DGEMM rate (target 80%)"
            benchmark.extra_info["dgemm_share"] = share
        benchmark.extra_info["ratio"] = their_time / our_time
        report(
            f"iteration n={n:g} d={d} K={k} {covariance_type}",
            in_words(our_time),
            in_words(their_time),
            f"{their_time / our_time:.1f}x",
            f"{target}x",
            note,
        )
        benchmark.pedantic(seconds, args=(partial(ours, 2 + our_iterations),), rounds=3)


def test_two_threads_against_one(benchmark, report):
    x, weights, means, precisions = overlapping(100_000, 1, 3, "full")
    iterations, objective = 400, Objective(as_structure("V"))
    start = Parameters(weights, means, precisions[:, :, 0].copy())

    def run(threads):
        rule = StopRule(remaining=-1.0, max_e_steps=iterations)
        maximise(Rows(x, threads=threads), objective, start, rule, accelerate=False)

    one, two = partial(run, 1), partial(run, 2)
    one()
    two()
    ones, twos = interleaved(one, two, rounds=15)
    alone, together = median(ones) / iterations, median(twos) / iterations
    report(
        "pass n=1e5 d=1 K=3: two threads against one",
        in_words(together),
        in_words(alone),
        f"{alone / together:.2f}x",
        "1.9x",
        "" if n_threads() > 1 else "one processor only",
    )
    benchmark.pedantic(two, rounds=5)
