"""The posterior beside the ordinary PyMC model of the same rows, in this very process."""

import subprocess
import sys
import time
from functools import partial
from statistics import median

import arviz_stats as azs
import numpy as np
import pymc as pm
import pytest
from timing import in_words, interleaved

from bayesgmm import Mixture, sample_posterior, simulate
from bayesgmm.posterior.likelihood import marginal_mixture

N, D, K = 1000, 3, 3


def rows():
    means = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 1.0], [0.0, 3.0, -1.0]])
    return simulate(Mixture([0.5, 0.3, 0.2], means, [np.eye(D)] * K), N, rng=1).X


def model(x, kind):
    """Weights, means and Cholesky factors under one prior; three ways to write the likelihood."""
    with pm.Model() as built:
        weights = pm.Dirichlet("weights", np.full(K, 2.0))
        means = pm.Normal("means", 0.0, 5.0, shape=(K, D))
        sds = pm.LogNormal("sds", 0.0, 0.7, shape=(K, D))
        lower = sds[:, :, None] * pm.LKJCorr("correlations", n=D, eta=2.0, shape=(K, D, D))
        if kind == "ours":
            marginal_mixture("x", weights, means, cholesky=lower, observed=x)
        elif kind == "batched":
            parts = pm.MvNormal.dist(means, chol=lower)
            pm.Mixture("x", weights, parts, observed=x)
        else:
            parts = [pm.MvNormal.dist(means[k], chol=lower[k]) for k in range(K)]
            pm.Mixture("x", weights, parts, observed=x)
    return built


@pytest.mark.parametrize(("peer", "target", "rounds"), [("batched", 8, 200), ("list", 150, 20)])
def test_value_and_gradient(peer, target, rounds, benchmark, report):
    x = rows()
    functions = []
    for kind in ("ours", peer):
        built = model(x, kind)
        function = built.logp_dlogp_function(ravel_inputs=True)
        function.set_extra_values({})
        at = pm.blocking.DictToArrayBijection.map(built.initial_point())
        at.data[:] = 0.1 * np.random.default_rng(0).standard_normal(at.data.size)
        functions.append(partial(function, at.data))
    ours, theirs = interleaved(*functions, rounds=rounds)
    ratio = median(theirs) / median(ours)
    report(
        f"value and gradient (1000, 3, 3) against pm.Mixture, {peer}",
        in_words(median(ours)),
        in_words(median(theirs)),
        f"{ratio:.1f}x",
        f"{target}x",
    )
    np.testing.assert_allclose(functions[0]()[0], functions[1]()[0], rtol=1e-10)
    benchmark.pedantic(functions[0], rounds=rounds)


def test_effective_draws_a_second(benchmark, report):
    x = rows()
    began = time.perf_counter()
    posterior = sample_posterior(x, K, rng=1, with_log_likelihood=False, progressbar=False)
    ours_whole = time.perf_counter() - began
    group = posterior["posterior"].to_dataset()
    by_weight = np.argsort(group["weights"].mean("draw").values, axis=1)
    for name in ("weights", "means", "covariances"):
        for chain, order in enumerate(by_weight):
            group[name][chain] = group[name][chain].isel(component=order).values
    ours = least_ess(group[["weights", "means"]]) / ours_whole
    with model(x, "batched"):
        began = time.perf_counter()
        trace = pm.sample(
            draws=1000, tune=1000, chains=4, random_seed=1, progressbar=False,
            nuts_sampler="nutpie", compute_convergence_checks=False,
        )  # fmt: skip
        theirs_whole = time.perf_counter() - began
    theirs_group = trace["posterior"].to_dataset()[["weights", "means"]]
    # Chains of the ordinary model keep their labels here, each its own.
    per_chain = [least_ess(theirs_group.isel(chain=[c])) for c in range(4)]
    theirs = sum(per_chain) / theirs_whole
    note = f"whole calls: {in_words(ours_whole)}, {in_words(theirs_whole)}"
    report(
        "least effective draws a second of the whole call, (1000, 3, 3)",
        f"{ours:.0f}",
        f"{theirs:.0f}",
        f"{ours / theirs:.1f}x",
        "",
        note,
    )
    benchmark.pedantic(lambda: None)


def least_ess(group):
    return min(float(each.min()) for each in azs.ess(group).data_vars.values())


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
