import contextlib
import datetime
import decimal
import fractions
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow
import pytest
import scipy.sparse

from bayesgmm.data import validation as data_module
from bayesgmm.data.validation import check_data, check_sample_weight
from bayesgmm.errors import InputError, InputTypeError

PLAIN = np.arange(12.0).reshape(4, 3) / 7


def frame(**columns):
    return pd.DataFrame(columns)


def with_entry(value):
    objects = np.ones((3, 2), dtype=object)
    objects[1, 1] = value
    return objects


def test_sound_arrays_are_not_copied():
    X, names, *_ = check_data(PLAIN)
    assert X is PLAIN
    assert names is None
    frozen = PLAIN.copy()
    frozen.flags.writeable = False
    assert check_data(frozen).X is frozen


def unaligned(X):
    room = np.empty(X.nbytes + 1, dtype=np.uint8)[1:].view(np.float64).reshape(X.shape)
    room[:] = X
    return room


@pytest.mark.parametrize(
    "disguise",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X[::-1].copy()[::-1],
        lambda X: X.astype(">f8"),
        unaligned,
        lambda X: X.astype(object),
        lambda X: X.tolist(),
        lambda X: tuple(map(tuple, X)),
        np.ma.MaskedArray,
        pd.DataFrame,
        lambda X: pd.DataFrame(X).astype("Float64"),
        lambda X: pd.DataFrame(X).astype(object),
    ],
    ids=range(12),
)
def test_other_layouts_give_the_same_bits_and_stay_as_they_are(disguise):
    given = disguise(PLAIN)
    before = repr(given)
    X = check_data(given).X
    assert X.tobytes() == PLAIN.tobytes()
    assert X.dtype == np.float64
    assert X.dtype.isnative
    assert X.flags.c_contiguous
    assert X.flags.aligned
    assert repr(given) == before


def test_memory_maps(tmp_path):
    np.save(tmp_path / "x.npy", PLAIN)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    X = check_data(mapped).X
    assert X.tobytes() == PLAIN.tobytes()
    assert np.shares_memory(X, mapped)


@pytest.mark.parametrize("dtype", ["f2", "f4", "i1", "u2", "i4", "i8", "u8", "?", "longdouble"])
def test_narrow_numbers_widen_exactly(dtype):
    given = np.array([[0, 1], [1, 0]], dtype=dtype)
    X = check_data(given).X
    assert X.dtype == np.float64
    assert X.tolist() == [[0, 1], [1, 0]]


def test_numbers_in_objects():
    entries = [[1, 2.5], [fractions.Fraction(1, 2), decimal.Decimal("0.25")], [np.int8(3), True]]
    assert check_data(np.array(entries, dtype=object)).X.tolist() == [[1, 2.5], [0.5, 0.25], [3, 1]]


def test_exact_words_of_missing_values():
    X = np.ones((400, 2))
    X[2, 1] = X[5, 0] = X[5, 1] = np.nan
    message = r"^Input X contains 3 NaN in 2 of 400 rows \(first: row 2, column 'b'\)\. Complete"
    with pytest.raises(InputError, match=message):
        check_data(pd.DataFrame(X, columns=["a", "b"]))
    with pytest.raises(InputError, match=r"^Input rows contains 3 NaN .* column 1\)\.$"):
        check_data(X, name="rows")


def test_missing_values_across_blocks(monkeypatch):
    monkeypatch.setattr(data_module, "_BLOCK", 8)
    X = np.ones((50, 3))
    X[[20, 41], [1, 2]] = np.inf
    X[41, 0] = np.nan
    message = r"1 NaN and 2 infinite values in 2 of 50 rows \(first: row 20, column 1\)"
    with pytest.raises(InputError, match=message):
        check_data(X)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinities_are_never_taken(bad):
    X = PLAIN.copy()
    X[3, 0] = bad
    for allow_nan in (False, True):
        first = r"1 infinite value in 1 of 4 rows \(first: row 3, column 0"
        with pytest.raises(InputError, match=first):
            check_data(X, allow_nan=allow_nan)


def test_nan_where_it_is_taken():
    X = PLAIN.copy()
    X[1, 1] = np.nan
    assert check_data(X, allow_nan=True).X is X
    table = frame(a=pd.array([1, None, 3], dtype="Int64"), b=[None, 1.5, pd.NA])
    assert np.isnan(check_data(table, allow_nan=True).X).tolist() == [
        [False, True],
        [True, False],
        [False, True],
    ]
    X[:, 2] = np.nan
    with pytest.raises(InputError, match="only NaN in column 2"):
        check_data(X, allow_nan=True)


def test_large_finite_values_are_no_infinities():
    X = np.full((100, 2), 1.7e308)
    assert check_data(X).X is X


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (np.array([["1", "2"]]), InputTypeError, "text"),
        ([[1, 2], [3, "4"]], InputTypeError, r"text in column 1 \(first: row 1\)"),
        (with_entry("5"), InputTypeError, r"text in column 1 \(first: row 1\)"),
        (with_entry(b"5"), InputTypeError, "column 1"),
        (with_entry({}), TypeError, "argument must be .* string.* number"),
        (with_entry(1j), InputError, r"Complex data not supported.*column 1"),
        (with_entry(pd.NaT), InputTypeError, "column 1"),
        (with_entry(datetime.date(2020, 1, 1)), InputTypeError, "column 1"),
        (with_entry(None), InputError, r"1 NaN in 1 of 3 rows \(first: row 1, column 1"),
        (with_entry(pd.NA), InputError, "1 NaN"),
        (with_entry(2**53 + 1), InputError, r"2\*\*53 in column 1"),
        (np.ones((2, 2), dtype=complex), ValueError, "Complex data not supported"),
        (np.array([["2020-01-01"]], dtype="M8[D]"), InputTypeError, "times"),
        (np.array([[1]], dtype="m8[s]"), InputTypeError, "time spans"),
        ([[np.datetime64("2020-01-01")]], InputTypeError, "column 0"),
        (np.zeros((2, 2), dtype="i4,i4"), InputTypeError, "non-numeric values"),
        (np.ma.MaskedArray(PLAIN, PLAIN > 1.5), InputError, "1 NaN in 1 of 4 rows .*column 2"),
        (np.array([[1, 2], [3, 2**53 + 1]]), InputError, r"2\*\*53 in column 1 .*row 1"),
        (np.array([[-(2**60)]]), InputError, r"2\*\*53 in column 0"),
        (np.array([[2**63]], dtype=np.uint64), InputError, r"2\*\*53"),
        (frame(a=[1.0], b=["x"]), InputTypeError, "text .*column 'b'"),
        (frame(a=[1.0], b=pd.Series(["1"], dtype=object)), InputTypeError, "text in column 'b'"),
        (frame(a=pd.Categorical([1, 2])), InputTypeError, r"category.*column 'a'"),
        (frame(a=pd.to_datetime(["2020-01-01"])), InputTypeError, "times.*column 'a'"),
        (frame(a=pd.to_datetime(["2020"], utc=True)), InputTypeError, "times.*column 'a'"),
        (frame(a=pd.to_timedelta([1], unit="s")), InputTypeError, "time spans.*column 'a'"),
        (frame(a=pd.period_range("2020", periods=2, freq="D")), InputTypeError, "column 'a'"),
        (frame(a=[1j]), InputError, "Complex data not supported.*column 'a'"),
        (frame(a=pd.array([0, 1], dtype="Sparse[int]")), InputTypeError, "Sparse"),
        (frame(a=pd.array([2**60, None], dtype="Int64")), InputError, r"2\*\*53 in column 'a'"),
        (scipy.sparse.csr_array(PLAIN), InputTypeError, "Sparse"),
        (scipy.sparse.dok_matrix(PLAIN), InputTypeError, "Sparse"),
        ([[1, 2], [3]], InputError, "ragged"),
        (np.ones(3), InputError, "Reshape your data"),
        (pd.Series([1.0, 2.0]), InputError, "Reshape your data"),
        (np.ones((2, 2, 2)), InputError, "3D"),
        (5.0, InputError, "0D"),
        (None, InputError, "0D"),
        ("text", InputTypeError, "text"),
        ({1, 2}, InputTypeError, "set"),
        (np.ones((0, 3)), InputError, r"0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1"),
        (np.ones((3, 0)), InputError, r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is"),
        ([], InputError, "1D"),
        (pd.DataFrame(), InputError, "0 sample"),
    ],
    ids=range(44),
)
def test_what_is_no_table_of_numbers_is_refused(given, kind, message):
    with pytest.raises(kind, match=message):
        check_data(given)


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["a", "b", "c"], ("a", "b", "c")),
        ([0, 1, 2], None),
        (["a", "a", "a (2)"], ("a", "a (3)", "a (2)")),
        (["", 1, ("x", "y")], ("", "1", "('x', 'y')")),
        (["<script>", "=cmd", "é/" * 500], ("<script>", "=cmd", "é/" * 500)),
    ],
)
def test_feature_names_are_different_strings(columns, names):
    table = pd.DataFrame(PLAIN)
    table.columns = pd.Index(columns, dtype=object)
    X, found, *_ = check_data(table)
    assert found == names
    assert X.tobytes() == PLAIN.tobytes()


def test_feature_names_from_the_caller():
    assert check_data(PLAIN, feature_names=["a", "b", "c"]).feature_names == ("a", "b", "c")
    with pytest.raises(InputError, match="2 names but X has 3 columns"):
        check_data(PLAIN, feature_names=["a", "b"])


def test_other_frames_through_narwhals():
    table = pyarrow.table({"a": [1, 2], "b": [0.5, None], "c": [True, False]})
    X, names, *_ = check_data(table, allow_nan=True)
    assert names == ("a", "b", "c")
    np.testing.assert_array_equal(X, [[1, 0.5, 1], [2, np.nan, 0]])
    with pytest.raises(InputError, match="column 'b'"):
        check_data(table)
    for column, message in [
        (["x", "y"], "text .*column 't'"),
        ([datetime.datetime(2020, 1, 1)] * 2, "times .*column 't'"),
        ([2**60, None], r"2\*\*53 in column 't'"),
    ]:
        with pytest.raises((InputError, InputTypeError), match=message):
            check_data(pyarrow.table({"t": column}))


def test_no_second_array_for_large_data():
    X = np.ones((200_000, 5))
    tracemalloc.start()
    check_data(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 50


def test_sample_weights():
    assert check_sample_weight(None, 3) is None
    assert check_sample_weight([0, 1, True], 3).tolist() == [0.0, 1.0, 1.0]
    given = np.array([0.5, 2.0])
    assert check_sample_weight(given, 2) is given
    assert check_sample_weight(pd.Series([1, 2]), 2).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("weights", "kind", "message"),
    [
        ([0.0, 0.0], InputError, "weight.*zero"),
        ([1.0, -2.0], InputError, r"row 1 has -2 \(negative\)"),
        ([1.0, np.nan], InputError, "Input sample_weight contains 1 NaN in 1 of 2 rows"),
        ([np.inf, 1.0], InputError, "infinite"),
        ([1.0, 1.0, 1.0], InputError, r"shape \(2,\)"),
        ([[1.0], [1.0]], InputError, r"shape \(2,\)"),
        (1.0, InputError, r"shape \(2,\)"),
        (["1", "2"], InputTypeError, "text"),
        ([None, 1.0], InputError, "NaN"),
    ],
)
def test_bad_sample_weights(weights, kind, message):
    with pytest.raises(kind, match=message):
        check_sample_weight(weights, 2)


@pytest.mark.parametrize("bad", ["a\0b", "half \ud800"])
def test_names_that_no_file_holds_are_refused(bad):
    columns = pd.Index(["sound", bad], dtype=object)
    with pytest.raises(InputError, match=r"The name of column 1 of X, .* Rename it"):
        check_data(pd.DataFrame(np.ones((3, 2)), columns=columns))
    with pytest.raises(InputError, match="The name of column 0"):
        check_data(np.ones((3, 1)), feature_names=[bad])


class Foreign:
    def __array__(self, *_, **__):
        raise RuntimeError("on another device")


class Moody(float):
    def __float__(self):
        raise ZeroDivisionError("not today")


MASKED = np.ma.MaskedArray([1.0, 2.0], [False, True])


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        (
            with_entry(fractions.Fraction(10**400)),
            InputError,
            r"2\*\*53 in column 1 \(first: row 1",
        ),
        (with_entry(fractions.Fraction(10**400, 3)), InputError, "Fraction in column 1 .*row 1"),
        (with_entry(decimal.Decimal("sNaN")), InputError, "Decimal in column 1 .*signaling NaN"),
        (with_entry(decimal.Decimal(2**53 + 1)), InputError, r"2\*\*53 in column 1"),
        (with_entry(fractions.Fraction(2**53 + 1)), InputError, r"2\*\*53 in column 1"),
        (with_entry(decimal.Decimal("1e400")), InputError, "1 infinite"),
        (with_entry(decimal.Decimal("NaN")), InputError, "1 NaN"),
        (with_entry(10**400), InputError, r"2\*\*53 in column 1"),
        (with_entry(Moody(1)), InputError, "Moody in column 1 .*not today"),
        (with_entry(np.ma.masked), InputTypeError, "masked entries in column 1"),
        (with_entry([1.0]), InputTypeError, "non-numeric entry in column 1"),
        (frame(a=[fractions.Fraction(10**400, 3)]), InputError, "Fraction in column 'a'"),
        ([[2**53 + 1, 0.5]], InputError, r"2\*\*53 in column 0 \(first: row 0"),
        ([[1, 0.5], (0.25, -(2**53) - 1)], InputError, r"2\*\*53 in column 1 \(first: row 1"),
        ([[2**63, -1]], InputError, r"2\*\*53 in column 0"),
        ([np.array([1, 2**60]), np.array([0.5, 1])], InputError, r"2\*\*53 in column 1"),
        (frame(a=pd.array([None, 1, 2**60], dtype="Int64")), InputError, "first: row 2"),
        ([MASKED, MASKED], InputTypeError, "masked"),
        ([[1.0, np.ma.masked]], InputTypeError, "masked"),
        (np.ma.zeros(3, dtype="i4,f8"), InputTypeError, "non-numeric values"),
        (np.array([["a"]], dtype=np.dtypes.StringDType()), InputTypeError, "text"),
        (Foreign(), InputTypeError, "Foreign.*on another device"),
    ],
    ids=range(22),
)
def test_odd_objects_are_sentences(given, kind, message):
    with pytest.raises(kind, match=message):
        check_data(given)


def test_large_floats_and_unmasked_rows_stay_welcome():
    assert check_data([[2.0**60, 1], [3, 4]]).X.tolist() == [[2.0**60, 1], [3, 4]]
    assert check_data([[2**53, 0.5]]).X.tolist() == [[2.0**53, 0.5]]
    assert check_data([np.ma.MaskedArray([1.0, 2.0])]).X.tolist() == [[1.0, 2.0]]
    assert check_data(with_entry(decimal.Decimal("1E30"))).X[1, 1] == 1e30


def test_other_frames_with_repeated_names_decimals_and_gaps():
    table = pyarrow.table([[1, 2], [3.0, 4.0], [5, 6]], names=["a", "a", "a (2)"])
    X, names, *_ = check_data(table)
    assert names == ("a", "a (3)", "a (2)")
    assert X.tolist() == [[1, 3, 5], [2, 4, 6]]
    exact = pyarrow.table({"d": [decimal.Decimal("1.5"), None]})
    np.testing.assert_array_equal(check_data(exact, allow_nan=True).X, [[1.5], [np.nan]])
    with pytest.raises(InputError, match=r"2\*\*53 in column 'd'"):
        check_data(pyarrow.table({"d": [decimal.Decimal(2**53 + 1)]}))
    with pytest.raises(InputError, match="first: row 1"):
        check_data(pyarrow.table({"t": [None, 2**60]}))


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (3, InputTypeError, "sequence of str"),
        ("a", InputTypeError, "sequence of str"),
        ({"a": 1}, InputTypeError, "sequence of str"),
        ([3], InputTypeError, "sequence of str"),
        (["a", "b"], InputError, "2 names but X has 1 column"),
    ],
)
def test_names_from_the_caller_that_are_none(names, kind, message):
    with pytest.raises(kind, match=message):
        check_data(np.ones((3, 1)), feature_names=names)
    with pytest.raises(InputError, match="'a' occurs twice"):
        check_data(np.ones((3, 2)), feature_names=["a", "a"])


def test_random_objects_are_numbers_or_sentences():
    rng = np.random.default_rng(0)
    odd = [
        *(None, True, 0, -1.5, 2**53, 2**53 + 1, 10**400, "1", "", b"1", 1j, [], {}, (), set()),
        *(fractions.Fraction(1, 3), fractions.Fraction(10**400, 7), decimal.Decimal("sNaN")),
        *(decimal.Decimal("-Infinity"), np.ma.masked, np.float16(1), np.longdouble(2), np.int8(3)),
        *(
            np.datetime64("NaT", "s"),
            np.timedelta64(1, "s"),
            np.str_("x"),
            np.void(b"ab"),
            pd.NA,
            pd.NaT,
        ),
        *(Moody(1), Foreign(), MASKED, np.ones(2), datetime.date(2020, 1, 1), float, range(2)),
    ]
    for _ in range(400):
        n, d = rng.integers(1, 4, 2)
        rows = [[odd[rng.integers(len(odd))] for _ in range(d)] for _ in range(n)]
        objects = np.empty((n, d), dtype=object)
        for i, j in np.ndindex(n, d):
            objects[i, j] = rows[i][j]
        try:
            frame = pd.DataFrame(objects)
        except OverflowError:  # pandas 2 infers the columns' types, and fails at 10**400
            frame = pd.DataFrame(objects, dtype=object)
        for given in (rows, objects, frame):
            with contextlib.suppress(InputError, InputTypeError):
                assert np.isfinite(check_data(given).X).all()


def test_checked_data_are_not_checked_again():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, np.nan]})
    data = check_data(frame, allow_nan=True)
    assert check_data(data, allow_nan=True) is data
    assert data.has_missing
    with pytest.raises(InputError, match="1 NaN in 1 of 2 rows"):
        check_data(data)
    whole = check_data(frame.fillna(0.0))
    assert check_data(whole) is whole
    assert check_data(whole, feature_names=["u", "v"]).feature_names == ("u", "v")
