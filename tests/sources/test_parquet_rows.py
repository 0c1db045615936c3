import tracemalloc

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from bayesgmm.errors import InputError, InputTypeError, MissingFileError
from bayesgmm.estimator.source_fit import opened_rows
from bayesgmm.executors import SerialExecutor
from bayesgmm.sources.parquet_rows import parquet_rows
from bayesgmm.sources.row_source import blocks_in_order
from bayesgmm.sources.scanning import scan


def write(path, columns, **more):
    table = columns if isinstance(columns, pyarrow.Table) else pyarrow.table(columns)
    pyarrow.parquet.write_table(table, path, **more)
    return path


def test_types_of_numbers_and_nulls(tmp_path):
    from decimal import Decimal

    columns = {
        "int": pyarrow.array([1, None, 3], pyarrow.int64()),
        "half": pyarrow.array(np.array([1, 2, 3], np.float16)),
        "single": pyarrow.array([0.1, None, float("nan")], pyarrow.float32()),
        "bool": pyarrow.array([True, False, None]),
        "decimal": pyarrow.array([Decimal("1.25"), None, Decimal("-2.00")]),
        "null": pyarrow.nulls(3),
        "unsigned": pyarrow.array([0, 255, None], pyarrow.uint8()),
    }
    x = parquet_rows(write(tmp_path / "x.parquet", columns)).read(0, 3).x
    nan, tenth = np.nan, float(np.float32(0.1))
    expected = [
        [1, 1, tenth, 1, 1.25, nan, 0],
        [nan, 2, nan, 0, nan, nan, 255],
        [3, 3, nan, nan, -2, nan, nan],
    ]
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize(
    "values",
    [
        pyarrow.array(["a", "b"]),
        pyarrow.array([0, 1], pyarrow.timestamp("s")),
        pyarrow.array([0, 1], pyarrow.duration("s")),
        pyarrow.array([b"a", b"b"]),
        pyarrow.array(["a", "b"]).dictionary_encode(),
        pyarrow.array([[1.0], [2.0]]),
        pyarrow.array([{"u": 1.0}, {"u": 2.0}]),
    ],
)
def test_other_types_are_named_when_the_file_is_opened(tmp_path, values):
    path = write(tmp_path / "x.parquet", {"sound": [1.0, 2.0], "other": values})
    with pytest.raises(InputTypeError, match="column 'other'"):
        parquet_rows(path)
    assert parquet_rows(path, columns=["sound"]).read(1, 2).x.tolist() == [[2.0]]


def test_columns_and_weights(tmp_path):
    path = write(
        tmp_path / "x.parquet",
        {"b.c": [1.0, 2.0], "b": [3.0, 4.0], "text": ["u", "v"], "w": [0, 5]},
    )
    source = parquet_rows(path, columns=["b", "b.c"], sample_weight="w")
    block = source.read(0, 2)
    assert source.feature_names == ("b", "b.c")
    assert block.x.tolist() == [[3.0, 1.0], [4.0, 2.0]]
    assert block.weights.tolist() == [0.0, 5.0]
    with pytest.raises(InputError, match="no column 'd'"):
        parquet_rows(path, columns=["d"])
    with pytest.raises(InputError, match="named twice: column 'w'"):
        parquet_rows(path, columns=["w"], sample_weight="w")


def test_columns_of_one_name(tmp_path):
    arrays = [pyarrow.array([1.0, 2.0]), pyarrow.array([3.0, 4.0])]
    table = pyarrow.Table.from_arrays(arrays, names=["a", "a"])
    source = parquet_rows(write(tmp_path / "x.parquet", table), columns=["a (2)", "a"])
    assert source.read(0, 2).x.tolist() == [[3.0, 1.0], [4.0, 2.0]]


def test_files_whose_columns_differ(tmp_path):
    write(tmp_path / "1.parquet", {"a": [1.0], "b": [2.0]})
    write(tmp_path / "2.parquet", {"a": [3.0], "c": [4.0]})
    with pytest.raises(InputError, match=r"2\.parquet' has .*'c'.*1\.parquet' has .*'b'"):
        parquet_rows(tmp_path)
    assert parquet_rows(tmp_path, columns=["a"]).read(0, 2).x.tolist() == [[1.0], [3.0]]
    with pytest.raises(InputError, match=r"2\.parquet' has"):
        parquet_rows(tmp_path, columns=["b"])
    write(tmp_path / "2.parquet", {"a": [3.0], "b": ["text"]})
    with pytest.raises(InputTypeError, match="column 'b'"):
        parquet_rows(tmp_path)


def test_folders(tmp_path):
    with pytest.raises(InputError, match="has no files that end in"):
        parquet_rows(tmp_path)
    (tmp_path / ".hidden.parquet").write_bytes(b"")
    (tmp_path / "_metadata.parquet").write_bytes(b"")
    (tmp_path / "within.parquet").mkdir()
    with pytest.raises(InputError, match="folders within it"):
        parquet_rows(tmp_path)
    pd.DataFrame({"z": []}).to_parquet(tmp_path / "0.parquet")
    with pytest.raises(InputError, match="has no rows"):
        parquet_rows(tmp_path)
    write(tmp_path / "10.parquet", {"a": [1.0]})
    write(tmp_path / "2.PARQUET", {"a": [2]})
    source = parquet_rows(tmp_path)
    assert source.read(0, 2).x.tolist() == [[1.0], [2.0]]
    assert source.describe() == f"{str(tmp_path)!r} (3 files)"
    (tmp_path / "3.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"3\.parquet' is not a readable Parquet file"):
        parquet_rows(tmp_path)


def test_damage_within_a_file(tmp_path):
    path = write(tmp_path / "x.parquet", {"a": np.random.default_rng(0).random(5000)})
    source = parquet_rows(path)
    content = bytearray(path.read_bytes())
    content[10:400] = bytes(390)
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.parquet' is not a readable Parquet file"):
        source.read(0, 5000)


def test_a_file_that_changes_between_passes(tmp_path):
    path = write(tmp_path / "x.parquet", {"a": np.arange(100.0)})
    source = parquet_rows(path)
    write(path, {"a": np.arange(90.0)})
    with pytest.raises(InputError, match="has changed since it was opened"):
        list(blocks_in_order(source, 10))
    path.unlink()
    with pytest.raises(MissingFileError):
        source.read(0, 1)


def test_only_row_groups_that_overlap_are_read(tmp_path, monkeypatch):
    path = write(tmp_path / "x.parquet", {"a": np.arange(1000.0)}, row_group_size=100)
    source, read = parquet_rows(path), []
    whole = pyarrow.parquet.ParquetFile.iter_batches

    def iter_batches(self, size, groups, **more):
        read.extend(groups)
        return whole(self, size, groups, **more)

    monkeypatch.setattr(pyarrow.parquet.ParquetFile, "iter_batches", iter_batches)
    assert source.read(250, 401).x.ravel().tolist() == list(range(250, 401))
    assert read == [2, 3, 4]


def test_an_integer_that_float64_cannot_hold_is_named(tmp_path):
    values = [0] * 70_000 + [2**60]
    path = write(tmp_path / "x.parquet", {"a": values})
    with pytest.raises(InputError, match=r"2\*\*53 in column 'a' \(first: row 70000\)"):
        parquet_rows(path).read(69_000, 70_001)


@pytest.fixture
def arrow_memory():
    """A pool that counts what Arrow allocates from now on."""
    former = pyarrow.default_memory_pool()
    pool = pyarrow.proxy_memory_pool(former)
    pyarrow.set_memory_pool(pool)
    yield pool
    pyarrow.set_memory_pool(former)


def test_memory_of_a_scan_does_not_grow_with_the_file(tmp_path, arrow_memory):
    """128 MB of numbers in two row groups, and blocks of 4 MB."""
    n, block = 2_000_000, 65536 * 8 * 8
    columns = {f"c{j}": np.arange(n, dtype=np.float64) + j for j in range(8)}
    path = write(tmp_path / "x.parquet", columns, use_dictionary=False, compression="none")
    source = parquet_rows(path)
    tracemalloc.start()
    try:
        with opened_rows(source, SerialExecutor()) as (rows, opened):
            found = scan(rows, opened.each, sample_size=1000, rng=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.n_rows == n
    assert found.ranges[:, 7].tolist() == [7.0, n + 6.0]
    assert peak < 10 * block
    assert arrow_memory.max_memory() < 10 * block
