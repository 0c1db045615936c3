"""Measurements that a noisy machine spoils as little as can be."""

import time
import warnings
from statistics import median

import numpy as np


def seconds(action):
    """Wall time of one call; warnings are not what is measured."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        action()
        return time.perf_counter() - start


def interleaved(*actions, rounds):
    """Times of each action, taken in turn: whatever slows the machine down slows all of them."""
    times = [[seconds(action) for action in actions] for _ in range(rounds)]
    return [list(each) for each in zip(*times, strict=True)]


def dgemm_rate(size=1500, rounds=7):
    """Floating-point operations a second of NumPy's matrix product, with all of its threads."""
    a, b = np.random.default_rng(0).standard_normal((2, size, size))
    out = np.empty((size, size))
    times = [seconds(lambda: np.matmul(a, b, out=out)) for _ in range(rounds)]
    return 2.0 * size**3 / median(times[1:])


def in_words(duration):
    """A duration with a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if duration >= size:
            return f"{duration / size:.3g} {unit}"
    return f"{duration * 1e6:.3g} us"
