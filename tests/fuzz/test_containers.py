"""Data in any container: the numbers that are in it, or a sentence."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
from fuzzing import fuzz, outcome
from hypothesis import given
from hypothesis import strategies as st

from bayesgmm import GaussianMixture, Mixture
from bayesgmm.data.validation import check_data, check_sample_weight
from bayesgmm.errors import BayesGMMError

NUMBERS = (
    st.floats()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([np.float32(0.1), np.int8(3), np.uint64(2**63), 10**400])
)
ODD = st.sampled_from(
    [
        None, pd.NA, pd.NaT, "1", b"1", "", True, np.True_, 1j, Decimal("0.1"), Decimal("sNaN"),
        Fraction(1, 3), Fraction(10**400), date(2020, 1, 1), np.datetime64("2020"), object(), [],
        [1.0], {}, {1: 2}, np.ma.masked, np.array(1.0), np.array([1.0]), pd.Timestamp(0), ...,
    ]
)  # fmt: skip
CELLS = st.one_of(NUMBERS, NUMBERS, NUMBERS, ODD)


@st.composite
def containers(draw):
    """Cells as nested lists, tuples, object arrays, frames, masked arrays; at times ragged."""
    d = draw(st.integers(0, 3))
    cells = draw(st.lists(st.lists(CELLS, min_size=d, max_size=d), max_size=4))
    kind = draw(st.sampled_from(["lists", "tuples", "object", "frame", "masked", "ragged"]))
    if kind == "tuples":
        return tuple(map(tuple, cells))
    if kind == "object":
        array = np.empty((len(cells), d), dtype=object)
        for i, row in enumerate(cells):
            for j, cell in enumerate(row):
                array[i, j] = cell
        return array
    if kind == "frame":
        return pd.DataFrame({j: pd.Series([row[j] for row in cells]) for j in range(d)})
    if kind == "masked":
        shape = len(cells), max(d, 1)
        return np.ma.array(np.ones(shape), mask=draw(st.booleans()))
    if kind == "ragged" and cells:
        return [*cells, draw(st.lists(CELLS, max_size=3))]
    return cells


def as_float(cell):
    return float(cell.item() if isinstance(cell, np.ndarray) else cell)


@fuzz(300)
@given(containers(), st.booleans())
def test_data_are_the_numbers_they_hold_or_refused(X, allow_nan):
    found = outcome(check_data, X, allow_nan=allow_nan)
    if isinstance(found, BayesGMMError):
        return
    assert not np.ma.is_masked(X)
    rows = X.to_numpy(dtype=object) if isinstance(X, pd.DataFrame) else X
    for own, row in zip(found.X, rows, strict=True):
        for number, cell in zip(own, row, strict=True):
            if np.isnan(number):
                assert allow_nan
            else:
                assert not isinstance(cell, str | bytes)
                assert number == as_float(cell)


@fuzz(100)
@given(containers())
def test_every_other_door_takes_the_same_data(X):
    outcome(GaussianMixture(1).fit, X)
    outcome(check_sample_weight, X, 3)
    for part in ("weights", "means", "covariances"):
        sound = {"weights": [1.0], "means": [[0.0]], "covariances": [[[1.0]]]}
        outcome(Mixture, **sound | {part: X})
    outcome(Mixture([1.0], [0.0], [1.0]).log_density, X)
