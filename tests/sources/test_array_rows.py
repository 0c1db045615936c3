import decimal

import numpy as np
import pandas as pd
import pyarrow
import pytest

from bayesgmm.errors import InputError, InputTypeError
from bayesgmm.sources.array_rows import array_rows

X = np.random.default_rng(0).standard_normal((40, 3))


def test_rows_of_a_plain_array_are_not_copied():
    assert np.shares_memory(array_rows(X).read(3, 9).x, X)


@pytest.mark.parametrize("dtype", [bool, np.int16, np.float32, ">f8", np.longdouble, object])
@pytest.mark.parametrize("part", [np.s_[:, :], np.s_[::-2, ::-1]])
def test_any_real_type_in_any_layout(dtype, part):
    array = (X * 10).astype(dtype)[part]
    array.flags.writeable = False
    x = array_rows(array).read(2, 9).x
    assert x.tolist() == array[2:9].astype(np.float64).tolist()
    assert x.flags.c_contiguous


def test_a_memory_map_is_read_in_parts(tmp_path):
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    source = array_rows(mapped)
    assert type(source.read(5, 7).x) is np.ndarray
    assert source.read(5, 7).x.tolist() == mapped[5:7].tolist()
    assert source.describe() == repr(str(tmp_path / "x.npy"))
    with open(tmp_path / "x.npy", "r+b") as file:
        file.truncate(200)
    with pytest.raises(InputError, match="has changed since it was opened"):
        source.read(0, 1)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"a": [1, 2], "w": [0.5, 2.0], "text": ["u", "v"]}),
        pyarrow.table({"a": [1, 2], "w": [0.5, 2.0], "text": ["u", "v"]}),
    ],
)
def test_columns_and_weights_of_frames(frame):
    source = array_rows(frame, columns=["a"], sample_weight="w")
    assert source.feature_names == ("a",)
    block = source.read(1, 2)
    assert (block.x.tolist(), block.weights.tolist()) == ([[2.0]], [2.0])
    with pytest.raises(InputTypeError, match="column 'text'"):
        array_rows(frame)
    with pytest.raises(InputError, match=r"'b'.*'a', 'w', 'text'"):
        array_rows(frame, columns=["b"])


def test_names_that_repeat():
    frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=["a", "a"])
    assert array_rows(frame, columns=["a (2)"]).read(0, 2).x.ravel().tolist() == [2.0, 4.0]
    table = pyarrow.Table.from_arrays([pyarrow.array([1.0]), pyarrow.array([2.0])], ["a", "a"])
    assert array_rows(table).feature_names == ("a", "a (2)")


@pytest.mark.parametrize(
    ("entry", "kind", "message"),
    [
        ("text", InputTypeError, "text in column 1 .*row 30"),
        (1j, InputError, "Complex.*column 1 .*row 30"),
        (2**60, InputError, r"2\*\*53 in column 1 .*row 30"),
        (decimal.Decimal("sNaN"), InputError, "Decimal in column 1 .*row 30"),
        ([1], InputTypeError, "column 1 .*row 30"),
    ],
)
def test_an_entry_that_is_no_number_is_named_by_its_global_row(entry, kind, message):
    array = X.astype(object)
    array[30, 1] = entry
    source = array_rows(array)
    source.read(0, 30)
    with pytest.raises(kind, match=message):
        source.read(25, 35)
    with pytest.raises(kind, match=message.replace("column 1", "column 'b'")):
        array_rows(pd.DataFrame(array, columns=list("abc"))).read(25, 35)


@pytest.mark.parametrize("array", [X[:0], X[:, :0], X[0], X[None], np.zeros((2, 2), "M8[s]"), 1.0])
def test_what_has_no_rows_of_numbers(array):
    with pytest.raises((InputError, InputTypeError), match=r"X.*(2D|0 |times)"):
        array_rows(array)


def test_companions_are_converted_in_parts(tmp_path):
    np.save(tmp_path / "w.npy", np.arange(40, dtype=np.int16))
    weights = np.load(tmp_path / "w.npy", mmap_mode="r")
    errors = np.ones((40, 3, 3), np.float32)
    block = array_rows(X, sample_weight=weights, error_covariances=errors).read(38, 40)
    assert block.weights.dtype == block.errors.dtype == np.float64
    assert block.weights.tolist() == [38.0, 39.0]
    assert block.errors.tolist() == [[1.0] * 9] * 2
    big = np.zeros(40, np.int64)
    big[30] = 2**60
    with pytest.raises(InputError, match=r"2\*\*53.*row 30"):
        array_rows(X, sample_weight=big).read(20, 40)


def test_errors_in_the_order_of_other_columns():
    frame = pd.DataFrame(X, columns=list("abc"))
    with pytest.raises(InputError, match="in one order"):
        array_rows(frame, error_covariances=frame[["b", "a", "c"]] ** 2)
    source = array_rows(X[:, :1], error_covariances=np.arange(40.0))
    assert source.read(3, 5).errors.tolist() == [[3.0], [4.0]]
