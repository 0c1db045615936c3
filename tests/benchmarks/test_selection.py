"""The grid of fourteen structures by K = 1 to 9, beside R's mclust where that is on the machine."""

import shutil
import subprocess
from statistics import median

import numpy as np
import pytest
from timing import in_words, seconds

from bayesgmm import load_dataset, select_mixture

R_CODE = """
suppressMessages(library(mclust)); X <- as.matrix(read.csv(commandArgs(TRUE)[1], header = FALSE))
invisible(mclustBIC(X, verbose = FALSE))
cat(min(replicate(5, system.time(mclustBIC(X, verbose = FALSE))["elapsed"])))
"""


def time_of_mclust(X, path):
    """Seconds of mclustBIC, or None without R or mclust."""
    if shutil.which("Rscript") is None:
        return None
    np.savetxt(path, X, delimiter=",")
    done = subprocess.run(
        ["Rscript", "-e", R_CODE, str(path)], capture_output=True, text=True, check=False
    )
    return float(done.stdout) if done.returncode == 0 else None


@pytest.mark.parametrize(("name", "target"), [("faithful", 0.45), ("iris", 0.4)])
def test_whole_grid(name, target, benchmark, report, tmp_path):
    X = load_dataset(name).X
    select_mixture(X, rng=0)
    times = [seconds(lambda: select_mixture(X, rng=0)) for _ in range(7)]
    benchmark.pedantic(select_mixture, args=(X,), kwargs={"rng": 0}, rounds=1)
    theirs = time_of_mclust(X, tmp_path / "rows.csv")
    report(
        f"select_mixture({name}), 14 structures by K = 1 to 9",
        in_words(median(times)),
        "no R" if theirs is None else in_words(theirs),
        "" if theirs is None else f"{theirs / median(times):.2f}",
        f"{target} s",
        "R with mclust is not on this machine" if theirs is None else "mclustBIC",
    )
