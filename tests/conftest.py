"""Mixtures and posteriors of known nature, and rows with names, made once for all tests."""

import os

import gibbs
import numpy as np
import pandas as pd
import pytest
from forked_commands import forked_commands
from matplotlib.figure import Figure
from xdist.scheduler import LoadFileScheduling

import bayesgmm
from bayesgmm import Mixture

# Graphs that tests interpret have inner graphs, which PyTensor would compile by C++ one by one.
os.environ["PYTENSOR_FLAGS"] = ",".join(["cxx=", *filter(None, [os.getenv("PYTENSOR_FLAGS")])])


def pytest_xdist_make_scheduler(config, log):
    """Keep the tests of a file in one process, which then makes what they share once."""
    return LoadFileScheduling(config, log)


@pytest.fixture(scope="session")
def galaxies():
    """Three clear components, each chain under labels of its own; 4 chains of 1,000 draws."""
    rows = bayesgmm.load_dataset("galaxies").X
    labels = bayesgmm.GaussianMixture(3, random_state=0).fit(rows).mixture_.classify(rows)
    starts = [np.array(order)[labels] for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0], [1, 0, 2])]
    return gibbs.posterior(rows, 3, starts=starts, draws=1000, thin=6, tune=200, rng=1)


@pytest.fixture(scope="session")
def overlapping():
    """Two components 2.4 standard deviations apart, whose labels switch now and then."""
    data = bayesgmm.simulate(Mixture([0.5, 0.5], [0.0, 2.4], [1.0, 1.0]), 150, rng=3)
    starts = [data.labels, 1 - data.labels] * 2
    return gibbs.posterior(data.X, 2, starts=starts, draws=1000, thin=8, tune=200, rng=2)


@pytest.fixture(scope="session")
def two_optima():
    """Three components on four corners: two chains merge the left pair, two the right."""
    corners = [[0, 0], [6, 0], [0, 6], [6, 6]]
    data = bayesgmm.simulate(Mixture([0.25] * 4, corners, [np.eye(2)] * 4), 400, rng=5)
    one, other = np.array([0, 0, 1, 2])[data.labels], np.array([1, 2, 0, 0])[data.labels]
    return gibbs.posterior(data.X, 3, starts=[one, one, other, other], draws=300, rng=3)


@pytest.fixture(scope="session", params=[10, 11, 12])
def too_many(request):
    """Four components on three clusters."""
    mixture = Mixture([0.4, 0.35, 0.25], [[0, 0], [6, 0], [0, 6]], [np.eye(2)] * 3)
    data = bayesgmm.simulate(mixture, 300, rng=request.param)
    rng = np.random.default_rng(request.param)
    starts = [np.where(rng.random(300) < 0.5, data.labels, 3) for _ in range(4)]
    return gibbs.posterior(data.X, 4, starts=starts, draws=500, tune=300, rng=4)


@pytest.fixture
def mixture():
    """Three components in three named features, at ordinary scales."""
    rng = np.random.default_rng(20)
    roots = rng.standard_normal((3, 3, 3))
    covariances = roots @ np.swapaxes(roots, 1, 2) + 0.3 * np.eye(3)
    covariances = (covariances + np.swapaxes(covariances, 1, 2)) / 2
    means = 3 * rng.standard_normal((3, 3))
    return Mixture([0.5, 0.3, 0.2], means, covariances, ["a", "b", "c"])


@pytest.fixture(scope="session")
def faithful():
    shipped = bayesgmm.load_dataset("faithful")
    return pd.DataFrame(shipped.X, columns=list(shipped.feature_names))


@pytest.fixture(scope="session")
def hostile():
    """A frame whose names would do harm if they were taken for anything but text."""
    names = [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(2)>',
        "</style></svg><script>alert(3)</script>",
        "=cmd|' /C calc'!A0",
        r"$\frac{1}{0$ {{ 7 * 7 }} {% raw %}",
        "a/b\x07\x1b[31m]]>&amp;",
        "☃ ünï 漢字 \u202e" + "x" * 300,
    ]
    rng = np.random.default_rng(3)
    X = rng.standard_normal((200, len(names))) + 6.0 * rng.integers(0, 2, (200, 1))
    return pd.DataFrame(X, columns=names)


@pytest.fixture(scope="session")
def hostile_title():
    return "</title><script>alert('title')</script> {{ title }}"


@pytest.fixture(scope="session")
def forked_command():
    """The path of a command that is `python -m bayesgmm`, with its imports behind it."""
    with forked_commands() as path:
        yield path


@pytest.fixture
def undrawn():
    """Figures of pages are made, but not drawn, which takes most of a page's time.

    For tests of the words and numbers of pages: figures are drawn in `reporting/test_page.py`,
    `test_report.py`, `test_pictures.py`, `test_hostile_inputs.py` and the tests of `explorer`.
    """
    empty = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><desc>-</desc></svg>'
    plain = Figure.savefig

    def savefig(self, file, **settings):
        return file.write(empty) if hasattr(file, "write") else plain(self, file, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield
