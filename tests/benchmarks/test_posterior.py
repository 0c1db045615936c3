"""The posterior beside the ordinary PyMC model of the same rows, in this very process."""

import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from statistics import median

import arviz_stats as azs
import numpy as np
import nutpie
import pymc as pm
import pytest
import xarray as xr
from threadpoolctl import threadpool_limits
from timing import in_words, interleaved

from bayesgmm import Mixture, Priors, relabel, sample_posterior, simulate
from bayesgmm.pymc_models.mixture_distribution import marginal_mixture

N, D, K = 1000, 3, 3


def rows():
    means = np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 1.0], [0.0, 3.0, -1.0]])
    return simulate(Mixture([0.5, 0.3, 0.2], means, [np.eye(D)] * K), N, rng=1).X


def model(x, kind):
    """The same priors as our LKJ ones of these rows; several ways to write the likelihood."""
    priors = Priors(covariances="lkj").for_data(x, K)
    family = priors.covariances
    with pm.Model() as built:
        weights = pm.Dirichlet("weights", priors.concentration)
        means = pm.Normal("means", priors.mean_location, priors.mean_sd, shape=(K, D))
        sds = pm.LogNormal(
            "sds", family.log_scale_location, family.log_scale_spread, shape=(K, D)
        )  # fmt: skip
        factors = pm.LKJCorr("factors", n=D, eta=family.eta, shape=(K, D, D))
        lower = sds[:, :, None] * factors
        if kind == "ours":
            marginal_mixture("x", weights, means, cholesky=lower, observed=x)
        elif kind == "batched":
            pm.Mixture("x", w=weights, comp_dists=pm.MvNormal.dist(means, chol=lower), observed=x)
        else:
            parts = [pm.MvNormal.dist(mu=means[k], chol=lower[k]) for k in range(K)]
            pm.Mixture("x", w=weights, comp_dists=parts, observed=x)
    return built


def value_and_gradient(x, kind):
    """The compiled function at a point, and that point."""
    built = model(x, kind)
    function = built.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    at = pm.blocking.DictToArrayBijection.map(built.initial_point())
    at.data[:] = 0.1 * np.random.default_rng(0).standard_normal(at.data.size)
    return partial(function, at.data)


@pytest.mark.parametrize(("peer", "target", "rounds"), [("batched", 8, 200), ("list", 150, 200)])
def test_value_and_gradient(peer, target, rounds, benchmark, report):
    x = rows()
    functions = [value_and_gradient(x, kind) for kind in ("ours", peer)]
    # A BLAS of several threads may wait for them in every call: that is measured by itself.
    with threadpool_limits(1, user_api="blas"):
        ours, theirs = interleaved(*functions, rounds=rounds)
    report(
        f"value and gradient (1000, 3, 3) against pm.Mixture, {peer}, BLAS of one thread",
        in_words(median(ours)),
        in_words(median(theirs)),
        f"{median(theirs) / median(ours):.1f}x",
        f"{target}x",
    )
    np.testing.assert_allclose(functions[0]()[0], functions[1]()[0], rtol=1e-10)
    benchmark.pedantic(functions[0], rounds=rounds)


def test_value_and_gradient_as_a_process_begins(benchmark, report):
    """The first ten seconds of evaluations in a new process with BLAS as it is installed."""
    here = Path(__file__).parent
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from test_posterior import rows, value_and_gradient\n"
        "function = value_and_gradient(rows(), sys.argv[2])\n"
        "function(); began, calls = time.perf_counter(), 0\n"
        "while time.perf_counter() - began < 10.0: function(); calls += 1\n"
        "print((time.perf_counter() - began) / calls)"
    )

    def mean(kind):
        command = [sys.executable, "-W", "ignore", "-c", code, str(here), kind]
        return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    ours, theirs = mean("ours"), mean("list")
    report(
        "the same as a process begins, against the list, BLAS of all threads, mean",
        in_words(ours),
        in_words(theirs),
        f"{theirs / ours:.0f}x",
        "150x",
    )
    benchmark.pedantic(lambda: None)


def test_effective_draws_a_second(benchmark, report):
    """Least bulk ESS of relabelled weights, means and covariances, by the time of sampling alone.

    The peer is compiled before; both have the same priors, chains, draws and processors.
    """
    x = rows()
    began = time.perf_counter()
    posterior = sample_posterior(
        x, K, priors=Priors(covariances="lkj"), rng=1, with_log_likelihood=False, progressbar=False
    )
    ours_whole = time.perf_counter() - began
    ours_sampling = posterior.attrs["sampling_time"]
    began = time.perf_counter()
    compiled = nutpie.compile_pymc_model(model(x, "batched"))
    compiling = time.perf_counter() - began
    trace = nutpie.sample(compiled, draws=10, tune=10, chains=4, seed=2, progress_bar=False)
    began = time.perf_counter()
    trace = nutpie.sample(compiled, draws=1000, tune=1000, chains=4, seed=1, progress_bar=False)
    theirs_sampling = time.perf_counter() - began
    theirs_tree = as_posterior(trace["posterior"], posterior)
    (ours, our_rhat), (theirs, their_rhat) = map(least_ess, (posterior, theirs_tree))
    a_second = ours / ours_sampling, theirs / theirs_sampling
    report(
        "least effective draws a second of sampling alone, (1000, 3, 3)",
        f"{a_second[0]:.0f}",
        f"{a_second[1]:.0f}",
        f"{a_second[0] / a_second[1]:.1f}x",
        "6x",
        f"ESS {ours:.0f}, {theirs:.0f}; sampling {in_words(ours_sampling)}, "
        f"{in_words(theirs_sampling)}; R-hat {our_rhat:.3f}, {their_rhat:.3f}; "
        f"whole calls {in_words(ours_whole)}, {in_words(compiling + theirs_sampling)}",
    )
    assert max(our_rhat, their_rhat) < 1.05, "Chains in different modes have no ESS to compare."
    benchmark.pedantic(lambda: None)


def as_posterior(group, like):
    """The draws of the ordinary model under our names."""
    lower = group["sds"].values[..., None] * group["factors"].values
    whole = like["posterior"].to_dataset().copy()
    for name in ("weights", "means"):
        whole[name] = whole[name].dims, group[name].values
    whole["covariances"] = whole["covariances"].dims, lower @ lower.swapaxes(-1, -2)
    groups = {each: like[each].to_dataset() for each in ("observed_data", "constant_data")}
    return xr.DataTree.from_dict({"posterior": whole, **groups})


def least_ess(posterior):
    """Bulk ESS of the worst parameter after relabelling, and the largest R-hat."""
    group = relabel(posterior)["posterior"].to_dataset()[["weights", "means", "covariances"]]
    ess, rhat = azs.ess(group, method="bulk"), azs.rhat(group)
    return (
        min(float(each.min()) for each in ess.data_vars.values()),
        max(float(each.max()) for each in rhat.data_vars.values()),
    )


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
