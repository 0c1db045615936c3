"""Ctrl-C during a run of the core: the previous fit or no fit, at once."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

# Jobs in the background of a shell ignore the signal, and so would what they start.
LONG = """
import signal
import numpy as np
from bayesgmm import GaussianMixture

signal.signal(signal.SIGINT, signal.default_int_handler)
x = np.random.default_rng(0).standard_normal((200_000, 2))
fit = GaussianMixture(2, random_state=0, max_iter=3, tol=0.0).fit(x)
before = fit.means_.copy()
fit.set_params(max_iter=10_000_000, acceleration=None)
print("begun", flush=True)
try:
    fit.fit(x)
except KeyboardInterrupt:
    print("interrupted", np.array_equal(fit.means_, before), flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of another kind")
def test_a_run_ends_soon_after_the_signal_and_leaves_the_previous_fit():
    code = "import warnings; warnings.simplefilter('ignore')\n" + textwrap.dedent(LONG)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(1.0)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        assert process.stdout.readline() == "interrupted True\n"
        assert time.monotonic() - sent < 10.0
        assert process.wait(timeout=30) == 0
