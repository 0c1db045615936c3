"""The time of an E-step on rows seen in part, through noise, or with weights, beside plain rows.

Run by

    pytest tests/benchmarks/test_partial_rows.py -o addopts= -s

Targets, on one thread: 16 patterns of missing entries (n = 1e5, D = 10, K = 5) in 3 times the time
of whole rows, every row its own pattern in 12; a covariance of its own for each row (1e5, 3, 5) 100
times faster than astroML's extreme deconvolution (`pip install astroML`, left out where it is
missing), beside NumPy's batched linear algebra in addition; 879,516 rows of 51 columns, K = 8, with
a variance for each entry in 60 s on two cores, in 4 GB
beside rows and variances. Nothing is asserted of speed.
"""

import subprocess
import sys
import time

import numpy as np
import pytest
from scipy.special import logsumexp
from timing import in_words, seconds

from bayesgmm.data.validation import Data
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters


def parameters(k, d, rng):
    factors = rng.standard_normal((k, d, d)) / np.sqrt(d) + np.eye(d)
    return Parameters(np.full(k, 1.0 / k), 2.0 * rng.standard_normal((k, d)), factors @ factors.mT)


def test_missing_entries(capsys):
    rng = np.random.default_rng(0)
    n, d, k = 100_000, 10, 5
    theta = parameters(k, d, rng)
    x = 3.0 * rng.standard_normal((n, d))
    few, own = x.copy(), x.copy()
    patterns = rng.random((16, d)) < 0.2
    few[patterns[rng.integers(0, 16, n)]] = np.nan
    own[rng.random((n, d)) < 0.2] = np.nan
    rows = [Rows(x, threads=1)]
    rows += [Rows.of(Data(each, None, True), threads=1) for each in (few, own)]
    whole, *others = (seconds(lambda r=r: r.e_step(*theta)) for r in rows)
    with capsys.disabled():
        for name, each in zip(("16 patterns", "own patterns"), others, strict=True):
            print(f"\n{name}: {each / whole:.1f} times whole rows ({in_words(each)})", end="")


@pytest.mark.parametrize(("d", "k"), [(2, 3), (3, 5), (5, 3), (10, 5)])
def test_row_weights(d, k, capsys):
    """1.15 times the time without weights are asked for."""
    rng = np.random.default_rng(0)
    theta, x = parameters(k, d, rng), rng.standard_normal((100_000, d))
    v = rng.uniform(0.5, 2.0, len(x))
    rows = Rows(x, threads=1), Rows(x, v, threads=1)
    whole, weighted = (seconds(lambda r=r: r.e_step(*theta)) for r in rows)
    with capsys.disabled():
        print(f"\n({d}, {k}): {weighted / whole:.2f} times the time without weights", end="")


def by_numpy(x, errors, theta):
    """The sums of an E-step under errors (n, D, D), by batched linear algebra."""
    weights, means, covariances = theta
    apart = x[:, np.newaxis] - means
    total = covariances + errors[:, np.newaxis]
    inverse = np.linalg.inv(total)
    z = np.einsum("nkij,nkj->nki", inverse, apart)
    logs = np.log(weights) - 0.5 * np.linalg.slogdet(total)[1]
    logs = logs - 0.5 * np.einsum("nki,nki->nk", z, apart)
    r = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
    b = np.einsum("kij,nkj->nki", covariances, z)
    spread = covariances - np.einsum("kij,nkjl,klm->nkim", covariances, inverse, covariances)
    seconds_ = np.einsum("nk,nki,nkj->kij", r, b, b) + np.einsum("nk,nkij->kij", r, spread)
    return r.sum(axis=0), np.einsum("nk,nki->ki", r, b), seconds_


def test_covariances_of_every_row(capsys):
    rng = np.random.default_rng(1)
    n, d, k = 100_000, 3, 5
    theta = parameters(k, d, rng)
    x = rng.standard_normal((n, d))
    factors = 0.5 * rng.standard_normal((n, d, d))
    errors = factors @ factors.mT
    rows = Rows(x, errors=errors.reshape(n, d * d), threads=1)
    found = rows.e_step(*theta)
    for ours, theirs in zip(
        (found.counts, found.firsts, found.seconds), by_numpy(x, errors, theta), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-6)
    ours = seconds(lambda: rows.e_step(*theta))
    theirs = seconds(lambda: by_numpy(x, errors, theta))
    with capsys.disabled():
        print(f"\n{theirs / ours:.0f} times as fast as NumPy ({in_words(ours)})", end="")
    deconvolution = pytest.importorskip("astroML.density_estimation")
    peer = deconvolution.XDGMM(k)

    def step():
        peer.alpha, peer.mu, peer.V = map(np.array, theta)
        peer._EMstep(x, errors)

    began = time.perf_counter()
    step()
    theirs = time.perf_counter() - began
    np.testing.assert_allclose(found.counts / n, peer.alpha, rtol=1e-9)
    with capsys.disabled():
        print(f"\n{theirs / ours:.0f} times as fast as astroML", end="")


def test_variances_of_many_columns(capsys):
    rng = np.random.default_rng(2)
    n, d, k = 8_000, 51, 8
    theta = parameters(k, d, rng)
    rows = Rows(rng.standard_normal((n, d)), errors=rng.random((n, d)), threads=2)
    scaled = seconds(lambda: rows.e_step(*theta)) * 879_516 / n
    with capsys.disabled():
        print(f"\n879,516 x 51, K = 8: {scaled:.1f} s an iteration on two cores (scaled up)")


# Peak of the resident memory above what rows and errors take, in bytes, by Linux's own count.
MEMORY = """
import sys
import numpy as np
from bayesgmm import GaussianMixture

n, d, k, patterns = (*map(int, sys.argv[1:]),)
rng = np.random.default_rng(0)


def kilobytes(what):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what))


def fit(x, errors):
    GaussianMixture(k, means_init=means, tol=1e9, max_iter=1, random_state=0).fit(
        x, error_covariances=errors
    )


x = rng.standard_normal((n, d))
means = x[:k].copy()
errors = rng.random((n, d))
if patterns:
    x[(rng.random((patterns, d)) < 0.1)[rng.integers(0, patterns, n)]] = np.nan
fit(x[:500].copy(), errors[:500].copy())
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = kilobytes("VmRSS")
fit(x, errors)
print(1024 * (kilobytes("VmHWM") - before))
"""


def peak(n, d, k, patterns):
    """Bytes above rows and errors that a fit of one iteration takes, in a process of its own."""
    line = [sys.executable, "-W", "ignore", "-c", MEMORY, *map(str, (n, d, k, patterns))]
    return int(subprocess.run(line, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc")
@pytest.mark.parametrize("patterns", [0, 16], ids=["whole rows", "16 patterns"])
def test_memory_of_many_columns(capsys, patterns):
    # Blocks of 65,536 rows take the same memory whatever n.
    small, large = 85_000, 115_000
    d, k = 51, 8
    some, more = peak(small, d, k, patterns), peak(large, d, k, patterns)
    slope = (more - some) / (large - small)
    whole = more + slope * (879_516 - large)
    with capsys.disabled():
        print(
            f"\n879,516 x 51, K = 8, {patterns or 'no'} patterns of missing entries: "
            f"{whole / 1e9:.2f} GB beside the data ({slope:.0f} bytes a row, scaled up)",
            end="",
        )
    assert whole < 4e9
