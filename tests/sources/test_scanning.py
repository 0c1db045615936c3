import numpy as np
import pandas as pd
import pytest
from row_sources import scanned

from bayesgmm.errors import InputError, InputTypeError, InvalidParameterError
from bayesgmm.sources.array_rows import array_rows
from bayesgmm.sources.npy_rows import npy_rows
from bayesgmm.sources.row_source import Block

N, D = 3001, 4
FEW = 501


@pytest.fixture
def X():
    return np.random.default_rng(0).standard_normal((N, D)) * [1.0, 10.0, 1e-3, 5.0] + 2.0


@pytest.mark.parametrize("block_rows", [1, 7, 1000, N, 10 * N])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_those_of_all_rows(X, block_rows, weighted):
    rng = np.random.default_rng(1)
    X[rng.random(X.shape) < 0.2] = np.nan
    X[[5, 9]] = np.nan
    w = rng.integers(0, 4, N).astype(float) if weighted else np.ones(N)
    w[5], w[9] = 2.0 if weighted else 1.0, 1.0
    found = scanned(array_rows(X, sample_weight=w if weighted else None), block_rows=block_rows)
    kept = w > 0
    seen = np.where(np.isnan(X), 0.0, w[:, None])
    means = (seen * np.nan_to_num(X)).sum(0) / seen.sum(0)
    variances = (seen * np.nan_to_num(X - means) ** 2).sum(0) / seen.sum(0)
    np.testing.assert_allclose(found.means, means, rtol=1e-13)
    np.testing.assert_allclose(found.variances, variances, rtol=1e-13)
    np.testing.assert_array_equal(found.ranges, [np.nanmin(X[kept], 0), np.nanmax(X[kept], 0)])
    np.testing.assert_array_equal(found.n_missing, np.isnan(X[kept]).sum(0))
    assert (found.n_rows, found.n_weightless) == (N, (~kept).sum())
    assert found.n_unseen == np.isnan(X[kept]).all(1).sum() >= 2
    assert found.total_weight == w.sum()


@pytest.mark.parametrize("block_rows", [1, 100, N])
@pytest.mark.parametrize("offset", [1e8, -1e12])
def test_an_offset_does_not_matter(X, block_rows, offset):
    # Multiples of 2^-8, so that the offset rounds nothing.
    X = np.round(X[:FEW] * 256.0) / 256.0
    moved = scanned(array_rows(X + offset), block_rows=block_rows)
    found = scanned(array_rows(X), block_rows=block_rows)
    np.testing.assert_allclose(moved.variances, found.variances, rtol=1e-10)


@pytest.mark.parametrize("exponent", [-1000, -500, 500, 1010])
@pytest.mark.parametrize("block_rows", [1, 100])
def test_scale_does_not_matter(X, block_rows, exponent):
    X = X[:FEW]
    found = scanned(array_rows(X), block_rows=block_rows).columns
    scaled = scanned(array_rows(np.ldexp(X, exponent)), block_rows=block_rows).columns
    for one, other in (
        (found.means, scaled.means),
        (found.standard_deviations, scaled.standard_deviations),
    ):
        np.testing.assert_allclose(np.ldexp(one, exponent), other, rtol=1e-13)


def test_the_largest_and_smallest_numbers():
    largest = np.finfo(float).max
    x = np.array([[largest, 0.0], [-largest, 5e-324], [largest, 0.0], [-largest, 5e-324]])
    for block_rows in (1, 2, 3, 4):
        found = scanned(array_rows(x), block_rows=block_rows)
        np.testing.assert_allclose(found.means, [0.0, 0.0], atol=5e-324)
        np.testing.assert_allclose(found.columns.standard_deviations[0], largest)
        assert found.variances[0] == np.inf
        assert not found.constant.any()


def test_constant_columns():
    x = np.column_stack([np.full(50, 1e8 + 0.1), np.r_[np.nan, np.ones(49)], np.arange(50.0)])
    for block_rows in (1, 7, 50):
        found = scanned(array_rows(x), block_rows=block_rows)
        assert found.constant.tolist() == [True, True, False]
        assert found.variances[:2].tolist() == [0.0, 0.0]


def test_weights_in_any_unit(X):
    w = np.random.default_rng(1).random(N) + 0.1
    found = scanned(array_rows(X, sample_weight=w), block_rows=100)
    for unit in (-200, 400):
        other = scanned(array_rows(X, sample_weight=np.ldexp(w, unit)), block_rows=100)
        assert other.means.tobytes() == found.means.tobytes()
        assert other.variances.tobytes() == found.variances.tobytes()


def test_the_sample_does_not_depend_on_blocks(X):
    errors = np.random.default_rng(1).random((N, D))
    source = array_rows(X, sample_weight=np.arange(N) + 1.0, error_covariances=errors)
    found = [scanned(source, block_rows=b, sample_size=100, rng=5) for b in (1, 7, 1000, N)]
    for each in found:
        rows = each.sample_rows
        assert rows.tolist() == sorted(set(rows.tolist())) == found[0].sample_rows.tolist()
        np.testing.assert_array_equal(each.sample.x, X[rows])
        np.testing.assert_array_equal(each.sample.weights, rows + 1.0)
        np.testing.assert_array_equal(each.sample.errors, errors[rows])
    other = scanned(source, sample_size=100, rng=6)
    assert other.sample_rows.tolist() != found[0].sample_rows.tolist()


@pytest.mark.parametrize("size", [0, 1, N, 5 * N])
def test_sizes_of_samples(X, size):
    for errors in (None, np.eye(D)):
        found = scanned(
            array_rows(X, error_covariances=errors), block_rows=100, sample_size=size, rng=1
        )
        assert found.sample.x.shape == (min(size, N), D)
        assert found.sample.weights is None
        assert found.has_errors is (errors is not None)
        assert errors is None or found.sample.errors.shape == (1, D * D)


def test_one_row():
    found = scanned(array_rows([[1.0, -2.0]]), sample_size=1)
    assert (found.means.tolist(), found.variances.tolist()) == ([1.0, -2.0], [0.0, 0.0])


def test_infinities_are_named(X):
    X[2100, 3], X[2950, 0] = np.inf, np.nan
    frame = pd.DataFrame(X, columns=["a", "b", "c", "Width"])
    message = (
        r"a data frame contains 1 infinite value in 1 of 1000 rows "
        r"\(first: row 2100, column 'Width'\)"
    )
    with pytest.raises(InputError, match=message) as caught:
        scanned(array_rows(frame), block_rows=1000)
    assert caught.value.__notes__ == ["In block 2 of 4 (rows 2000 to 2999, counted from 0)."]
    with pytest.raises(InputError, match="row 2100"):
        scanned(
            array_rows(frame, sample_weight=np.r_[np.ones(2100), 0.0, np.ones(N - 2101)]),
            block_rows=1000,
        )


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-1.0, r"sample_weight in an array must be at least 0, but row 2100 has -1"),
        (np.nan, r"sample_weight in an array contains 1 NaN .*row 2100"),
        (np.inf, r"sample_weight in an array contains 1 infinite .*row 2100"),
    ],
)
def test_weights_that_are_not(X, weight, message):
    w = np.ones(N)
    w[2100] = weight
    with pytest.raises(InputError, match=message):
        scanned(array_rows(X, sample_weight=w), block_rows=1000)


def test_weights_that_are_all_zero(X):
    with pytest.raises(InputError, match="every weight is zero"):
        scanned(array_rows(X, sample_weight=np.zeros(N)), block_rows=1000)
    w = np.zeros(N)
    w[2500] = 1.0
    found = scanned(array_rows(X, sample_weight=w), block_rows=1000)
    assert found.means.tolist() == X[2500].tolist()


def test_columns_that_are_missing(X):
    X[:, 1] = np.nan
    with pytest.raises(InputError, match="only NaN in column 1"):
        scanned(array_rows(X), block_rows=1000)
    X[7, 1] = 3.0
    assert scanned(array_rows(X), block_rows=1000).n_missing.tolist() == [0, N - 1, 0, 0]
    w = np.ones(N)
    w[7] = 0.0
    with pytest.raises(InputError, match="only NaN in column 1"):
        scanned(array_rows(X, sample_weight=w), block_rows=1000)


def test_errors_that_are_not(X):
    variances = np.ones((N, D))
    variances[2100, 2] = -1.0
    with pytest.raises(InputError, match="variance -1 in row 2100, column 2") as caught:
        scanned(array_rows(X, error_covariances=variances), block_rows=1000)
    assert caught.value.__notes__[0] == "In an array."
    matrices = np.tile(np.eye(D), (N, 1, 1))
    matrices[2100, 0, 1] = 0.5
    with pytest.raises(InputError, match="not symmetric in row 2100"):
        scanned(array_rows(X, error_covariances=matrices), block_rows=1000)
    matrices[2100, 1, 0] = 0.5 + 1e-7
    with pytest.raises(InputError, match="not symmetric in row 2100"):
        scanned(array_rows(X, error_covariances=matrices), block_rows=1000)
    single = (matrices / 3.0).astype(np.float32)
    single[2100, 1, 0] = np.nextafter(single[2100, 0, 1], np.float32(1.0))
    scanned(array_rows(X, error_covariances=single), block_rows=1000)
    variances[2100, 2] = np.nan
    X[2100, 2] = np.nan
    scanned(array_rows(X, error_covariances=variances), block_rows=1000)


def test_entries_that_are_no_numbers(X):
    array = X.astype(object)
    array[2100, 1] = "text"
    with pytest.raises(InputTypeError, match=r"text in column 1 .*row 2100") as caught:
        scanned(array_rows(array), block_rows=1000)
    assert caught.value.__notes__ == ["In block 2 of 4 (rows 2000 to 2999, counted from 0)."]


def test_a_file_that_changes_during_a_pass(tmp_path, X):
    np.save(tmp_path / "x.npy", X)
    source = npy_rows(tmp_path / "x.npy")
    np.save(tmp_path / "x.npy", X[:-1])
    with pytest.raises(InputError, match="has changed since it was opened") as caught:
        scanned(source)
    assert "In block 0 of 1" in caught.value.__notes__[0]


class Shrinking:
    """A source of ten rows that gives six."""

    n_rows, n_features, feature_names = 10, 1, None

    def read(self, start, stop):
        return Block(np.ones((min(stop, 6) - min(start, 6), 1)))

    def describe(self):
        return "a table"


def test_a_source_that_gives_other_rows_than_it_has():
    with pytest.raises(InputError, match="a table gave 6 rows, but it had 10"):
        scanned(Shrinking(), block_rows=2)


@pytest.mark.parametrize(
    "more", [{"block_rows": 0}, {"block_rows": 2.5}, {"sample_size": -1}, {"rng": "seed"}]
)
def test_parameters_that_are_not(X, more):
    with pytest.raises(InvalidParameterError):
        scanned(array_rows(X), **more)
