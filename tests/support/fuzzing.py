"""Hostile data for property tests, and how long these search.

Without `BAYESGMM_FUZZ` the examples are few and the same each time. With a number in it there are
that many times more, at random.
"""

import os
import warnings

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from bayesgmm.covariance.structures import structures
from bayesgmm.errors import BayesGMMError, BayesGMMWarning
from bayesgmm.mixture.mixture import Mixture

FACTOR = int(os.environ.get("BAYESGMM_FUZZ", "0"))


def fuzz(examples):
    """Settings of a property test with so many examples."""
    return settings(
        max_examples=examples * max(FACTOR, 1),
        derandomize=not FACTOR,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def outcome(call, *args, **kwargs):
    """What a call returns, or its error of the package; every warning of others is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", BayesGMMWarning)
        try:
            return call(*args, **kwargs)
        except BayesGMMError as error:
            found = error
    assert len(str(found)) > 20, f"no sentence: {found!r}"
    return found


generators = st.integers(0, 2**32 - 1).map(np.random.default_rng)
codes = st.sampled_from([each.code for each in structures()])


@st.composite
def columns(draw, n, rng):
    """One column: groups, small integers, a constant, an outlier; of any size and offset."""
    kind = draw(st.sampled_from(["groups"] * 3 + ["lattice", "heap", "constant", "outlier"]))
    x = rng.standard_normal(n)
    if kind == "groups":
        x += 6.0 * rng.integers(0, 3, n)
    elif kind == "lattice":
        x = rng.integers(0, draw(st.integers(2, 4)), n).astype(float)
    elif kind == "heap":
        x[rng.random(n) < 0.4] = 1.06
    elif kind == "constant":
        x[:] = 3.0
    else:
        x[rng.integers(n)] = draw(st.sampled_from([1e3, 1e12, -1e150, 1e300]))
    scale = draw(st.sampled_from([1.0] * 6 + [1e-150, 1e-20, 1e20, 1e150]))
    with np.errstate(over="ignore"):
        x = x * scale + draw(st.sampled_from([0.0] * 4 + [1e8])) * scale
    return np.nan_to_num(x)


@st.composite
def rows(draw, most=30, features=3):
    """Rows (n, D) that a careless user might bring: few, repeated, dependent, of any unit."""
    n, d = draw(st.integers(1, most)), draw(st.integers(1, features))
    rng = draw(generators)
    x = np.column_stack([draw(columns(n, rng)) for _ in range(d)])
    if draw(st.integers(0, 4)) == 0:
        x = x[rng.integers(0, max(n // 3, 1), n)]
    if d > 1 and draw(st.integers(0, 7)) == 0:
        x[:, 1] = -0.5 * x[:, 0]
    return x


@st.composite
def groups(draw, fewest=20, most=60, features=3, separation=4.0):
    """Rows of two groups in general position, and the labels of a start."""
    n, d = draw(st.integers(fewest, most)), draw(st.integers(1, features))
    rng = draw(generators)
    labels = np.arange(n) % 2
    return rng.standard_normal((n, d)) + separation * labels[:, np.newaxis], labels


@st.composite
def line_mixtures(draw):
    """Mixtures of one feature whose standard deviations run from 1e-`span` to 1e`span`."""
    rng = draw(generators)
    span = draw(st.sampled_from([0.5, 3.0, 12.0, 150.0]))
    k = draw(st.integers(1, 6))
    weights = rng.dirichlet(np.full(k, draw(st.sampled_from([0.2, 5.0]))))
    deviations = 10.0 ** rng.uniform(-span, span, k)
    means = rng.choice([-1.0, 0.0, 1.0], k) * 10.0 ** rng.uniform(-span, span, k)
    if draw(st.integers(0, 3)) == 0:
        means[:] = means[0]
    if draw(st.integers(0, 3)) == 0:
        deviations[:] = deviations[0]
    if draw(st.integers(0, 3)) == 0:
        means += 1e12 * deviations.max()
    return Mixture(weights / weights.sum(), means, np.square(deviations))
