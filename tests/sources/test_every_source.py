"""What every source gives for the same rows: the same bits."""

import pickle

import cloudpickle
import numpy as np
import pytest
from row_sources import SOURCES, N, errors, rows, scanned, weights

from bayesgmm.data.error_covariances import unpacked
from bayesgmm.errors import InvalidParameterError
from bayesgmm.sources.row_source import RowSource, blocks_in_order


@pytest.fixture(params=list(SOURCES))
def made(request, tmp_path):
    """A function that makes a source of the rows."""
    return lambda **more: SOURCES[request.param](tmp_path, **more)


def same(one, other):
    return one.dtype == other.dtype == np.float64 and one.tobytes() == other.tobytes()


def test_blocks_have_the_same_bits(made):
    source, x = made(), rows()
    assert isinstance(source, RowSource)
    assert (source.n_rows, source.n_features) == x.shape
    for size, some in ((1, range(0, N, 251)), (7, range(0, N, 301)), (1000, [0, 1000, 2000])):
        for start in [*some, N - 1]:
            block = source.read(start, min(start + size, N))
            assert same(block.x, x[start : start + size])
            assert block.x.flags.c_contiguous
            assert (block.weights, block.errors) == (None, None)
    assert same(source.read(0, N).x, x)
    for size in (7, 1000, N, 2 * N):
        blocks = [block.x for block in blocks_in_order(source, size)]
        assert {len(each) for each in blocks[:-1]} <= {size}
        assert same(np.concatenate(blocks), x)


def test_no_rows_and_rows_that_are_not_there(made):
    source = made()
    assert source.read(5, 5).x.shape == (0, 3)
    assert source.read(N, N).x.shape == (0, 3)
    for start, stop in ((-1, 3), (0, N + 1), (4, 3)):
        with pytest.raises(InvalidParameterError, match=f"{start} to {stop}"):
            source.read(start, stop)


def test_weights_and_errors_come_along(made):
    source = made(sample_weight=weights(), error_covariances=errors())
    seen = np.where(np.isnan(rows()), 0.0, errors())
    for start, stop in ((0, 7), (650, 1800), (N - 1, N), (40, 40)):
        block = source.read(start, stop)
        assert same(block.weights, weights()[start:stop])
        assert same(block.errors, seen[start:stop])
    blocks = list(blocks_in_order(source, 1000))
    assert same(np.concatenate([block.weights for block in blocks]), weights())
    assert same(np.concatenate([block.errors for block in blocks]), seen)


def test_matrices_of_errors(made):
    each = errors()[:, :, np.newaxis] * np.eye(3)
    block = made(error_covariances=each).read(10, 20)
    absent = np.isnan(rows()[10:20])
    expected = np.where(absent[:, :, np.newaxis] | absent[:, np.newaxis], 0.0, each[10:20])
    assert same(unpacked(block.errors, 3), expected)
    block = made(error_covariances=np.eye(3)).read(10, 20)
    assert block.errors.shape == (1, 9)
    # Three rows of three columns: the form of a block stays that of its source.
    block = made(error_covariances=errors()).read(20, 23)
    assert block.errors.shape == (3, 3)


def test_pickled(made):
    source = made(sample_weight=weights())
    for dumped in (pickle, cloudpickle):
        copy = dumped.loads(dumped.dumps(source))
        assert same(copy.read(700, 1300).x, rows()[700:1300])
        assert same(copy.read(700, 1300).weights, weights()[700:1300])
        assert copy.feature_names == source.feature_names


def test_a_scan_has_the_same_bits(made, tmp_path):
    found = scanned(made(sample_weight=weights()), block_rows=400, sample_size=50, rng=3)
    reference = scanned(
        SOURCES["array"](tmp_path, sample_weight=weights()), block_rows=400, sample_size=50, rng=3
    )
    for one, other in zip(found.columns, reference.columns, strict=True):
        assert one.tobytes() == other.tobytes()
    assert same(found.sample.x, reference.sample.x)
    assert found.sample_rows.tolist() == reference.sample_rows.tolist()
    assert found.total_weight == weights().sum()


def test_a_row_of_infinity_is_named(made, monkeypatch):
    bad = rows()
    bad[1234, 1] = -np.inf
    monkeypatch.setattr("row_sources.rows", lambda: bad)
    source = made()
    names = source.feature_names
    column = "column 1" if names is None else "column 'b'"
    with pytest.raises(ValueError, match=rf"\(first: row 1234, {column}\)") as caught:
        scanned(source, block_rows=300)
    assert caught.value.__notes__ == ["In block 4 of 9 (rows 1200 to 1499, counted from 0)."]
