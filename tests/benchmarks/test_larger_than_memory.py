"""Rows larger than memory: passes over files and by workers, memory under a limit, passes needed.

Run by

    pytest tests/benchmarks/test_larger_than_memory.py -o addopts= -s

Targets: 2e7 rows of 8 columns from Parquet (1.3 GB) fit under a limit of 600 MB of memory above the
interpreter's own, at 75 % of the rows per second in memory; two Dask workers of one thread pass at
70 % of the rate of two threads; 1e7 rows of two columns and three overlapping components need 8
passes to within 1e-6 nats of the maximum. Nothing is asserted of speed.
The first two need 4 GB of disk.
"""

import subprocess
import sys
import time
from functools import partial
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sklearn.mixture
from distributed import Client, LocalCluster
from timing import seconds

from bayesgmm import GaussianMixture, open_rows, random_mixture
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.em.loop import StopRule, maximise
from bayesgmm.em.streamed_fit import BLOCK_ROWS, BlockSums
from bayesgmm.executors import DaskExecutor, ThreadExecutor
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective
from bayesgmm.uncertainty.curvature import _in_chart, information_of

D = K = 8
MILLION = 1_000_000
MIXTURE = random_mixture(K, D, average_overlap=0.02, rng=1)
LIMITED = """
import resource, sys, time
import pyarrow.parquet
from bayesgmm import GaussianMixture, open_rows
import bayesgmm.estimator.source_fit

def kilobytes(key):
    (line,) = [line for line in open("/proc/self/status") if line.startswith(key)]
    return int(line.split()[1])

data, resident = kilobytes("VmData"), kilobytes("VmRSS")
resource.setrlimit(resource.RLIMIT_DATA, (1024 * data + 600_000_000,) * 2)
began = time.perf_counter()
fit = GaussianMixture(8, random_state=0).fit(open_rows(sys.argv[1]))
seconds = time.perf_counter() - began
above = (kilobytes("VmHWM") - resident) / 1000
print(f"{fit.n_iter_} passes in {seconds:.0f} s, {above:.0f} MB resident", fit.converged_)
"""


def rows(millions):
    return np.concatenate([MIXTURE.sample(MILLION, rng=100 + i)[0] for i in range(millions)])


def test_a_limit_of_memory(tmp_path, capsys):
    path = str(tmp_path / "rows.parquet")
    with pq.ParquetWriter(path, pa.schema([(f"x{j}", pa.float64()) for j in range(D)])) as writer:
        for i in range(20):
            part = MIXTURE.sample(MILLION, rng=100 + i)[0]
            table = pa.table({f"x{j}": part[:, j] for j in range(D)})
            writer.write_table(table, row_group_size=MILLION // 4)
    command = [sys.executable, "-c", LIMITED, path]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    with capsys.disabled():
        print(f"\nunder 600 MB: {ended.stdout}", end="")


def test_passes(tmp_path, capsys):
    n = 20 * MILLION
    x, path, at = rows(20), str(tmp_path / "rows.npy"), MIXTURE.mean()
    np.save(path, x)
    theta = Parameters(MIXTURE.weights, MIXTURE.means - at, MIXTURE.covariances)
    of_block = BlockSums(theta, at, np.ones(D), 1.0, finished=False)
    memory = Rows(x, None, at, np.ones(D), threads=2)
    found = {"memory": [seconds(partial(memory.e_step, *theta)) for _ in range(5)]}
    sums = []

    def timed(name, executor):
        with executor.open(open_rows(path), BLOCK_ROWS) as opened:
            sums.append(opened.sum(of_block).tobytes())
            found[name] = [seconds(partial(opened.sum, of_block)) for _ in range(5)]

    timed("two threads, NPY", ThreadExecutor(2))
    del x, memory
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        timed("two workers", DaskExecutor(client))
    assert len(set(sums)) == 1
    with capsys.disabled():
        for name, times in found.items():
            share = median(found["memory"]) / median(times)
            print(f"\n{name}: {n / median(times):.3g} rows/s, {share:.0%} of memory", end="")


def gain_left(fit, x):
    """Half the squared norm of the score in the metric of the information: nats to the maximum."""
    found = information_of(Data(x, None, False), fit.mixture_, None, None, None)
    jacobian, hessian = _in_chart(found, fit.mixture_, as_structure("full"))
    slope = jacobian.T @ found.gradient
    return float(slope @ np.linalg.solve(-hessian, slope) / 2.0)


@pytest.mark.parametrize(("overlap", "seed"), [(0.1, 1), (0.1, 2), (0.05, 3)])
@pytest.mark.filterwarnings("ignore")
def test_few_passes_over_many_rows(overlap, seed, capsys):
    x = random_mixture(3, 2, average_overlap=overlap, rng=seed).sample(
        10 * MILLION, rng=100 + seed
    )[0]
    began = time.perf_counter()
    fit = GaussianMixture(3, random_state=0).fit(x)
    lines = [f"1e7 rows: {time.perf_counter() - began:.1f} s, {fit.n_iter_} passes, "]
    lines[0] += f"{gain_left(fit, x):.1e} nats below the maximum"
    # A twin of 1e6 rows, beside plain EM from another start, and scikit-learn.
    few = x[:MILLION]
    began = time.perf_counter()
    twin = GaussianMixture(3, random_state=0).fit(few)
    lines.append(f"1e6 rows: {time.perf_counter() - began:.1f} s, {twin.n_iter_} passes")
    at = few.mean(axis=0)
    start = sklearn.mixture.GaussianMixture(3, max_iter=1, random_state=0).fit(few)
    theta = Parameters(start.weights_, start.means_ - at, start.covariances_)
    plain = partial(maximise, Rows(few - at), Objective(as_structure("full")), theta)
    began = time.perf_counter()
    run = plain(StopRule(0.0, None, 10_001), accelerate=False)
    gap = twin.log_likelihood_ - run.statistics.log_likelihood
    took = time.perf_counter() - began
    lines.append(f"plain EM, {run.n_e_steps} passes: {took:.1f} s, ours {gap:+.1e} nats")
    for tol in (1e-3, 1e-6, 1e-9):
        peer = sklearn.mixture.GaussianMixture(3, tol=tol, max_iter=100_000, random_state=0)
        took = seconds(partial(peer.fit, few))
        gap = twin.log_likelihood_ - MILLION * peer.score(few)
        lines.append(
            f"scikit-learn, tol={tol:g}: {took:.1f} s, {peer.n_iter_} passes, {gap:.1e} nats below"
        )
    with capsys.disabled():
        print("\n" + "\n".join(lines), end="")
