"""The posterior beside the ordinary PyMC model of the same rows, in this very process."""

import subprocess
import sys
import time
from functools import partial
from statistics import median

import numpy as np
import pymc as pm
from timing import in_words, interleaved

from bayesgmm import Mixture, sample_posterior, simulate
from bayesgmm.posterior.likelihood import marginal_mixture

N, D, K = 1000, 3, 3
ROUNDS = 200


def rows():
    means = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 1.0], [0.0, 3.0, -1.0]])
    return simulate(Mixture([0.5, 0.3, 0.2], means, [np.eye(D)] * K), N, rng=1).X


def model(x, kind):
    """Weights, means and Cholesky factors under one prior; two ways to write the likelihood."""
    with pm.Model() as built:
        weights = pm.Dirichlet("weights", np.full(K, 2.0))
        means = pm.Normal("means", 0.0, 5.0, shape=(K, D))
        sds = pm.LogNormal("sds", 0.0, 0.7, shape=(K, D))
        lower = sds[:, :, None] * pm.LKJCorr("correlations", n=D, eta=2.0, shape=(K, D, D))
        if kind == "ours":
            marginal_mixture("x", weights, means, cholesky=lower, observed=x)
        else:
            pm.Mixture("x", weights, pm.MvNormal.dist(means, chol=lower), observed=x)
    return built


def test_value_and_gradient(benchmark, report):
    x = rows()
    functions = []
    for kind in ("ours", "batched"):
        built = model(x, kind)
        function = built.logp_dlogp_function(ravel_inputs=True)
        function.set_extra_values({})
        at = pm.blocking.DictToArrayBijection.map(built.initial_point())
        at.data[:] = 0.1 * np.random.default_rng(0).standard_normal(at.data.size)
        functions.append(partial(function, at.data))
    ours, theirs = interleaved(*functions, rounds=ROUNDS)
    ratio = median(theirs) / median(ours)
    report(
        "value and gradient (1000, 3, 3) against pm.Mixture, batched",
        in_words(median(ours)),
        in_words(median(theirs)),
        f"{ratio:.1f}x",
        "8x",
    )
    np.testing.assert_allclose(functions[0]()[0], functions[1]()[0], rtol=1e-10)
    benchmark.pedantic(functions[0], rounds=ROUNDS)


def test_a_new_process(benchmark, report):
    code = (
        "from bayesgmm import load_dataset, sample_posterior\n"
        "p = sample_posterior(load_dataset('faithful').X, 2, rng=1)\n"
        "print(p.attrs['sampling_time'])"
    )

    def call():
        began = time.perf_counter()
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return time.perf_counter() - began, float(run.stdout)

    call()
    times = [call() for _ in range(3)]
    whole, sampling = (min(each) for each in zip(*times, strict=True))
    report("new process, faithful, 4 x (1000 + 1000)", in_words(whole), "", "", "6 s at most")
    report("of which sampling", in_words(sampling), "", "", "1 s at most")
    benchmark.pedantic(call, rounds=1)


def test_many_rows(benchmark, report):
    means = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    x = simulate(Mixture([0.5, 0.3, 0.2], means, [np.eye(2)] * 3), 100_000, rng=1).X
    run = partial(
        sample_posterior, x, 3, draws=500, tune=500, rng=1, progressbar=False,
        with_log_likelihood=False,
    )  # fmt: skip
    posterior = benchmark.pedantic(run, rounds=1)
    report("1e5 rows, d=2, K=3, 4 x (500 + 500)", in_words(posterior.attrs["wall_time"]), "", "",
           "60 s at most")  # fmt: skip
