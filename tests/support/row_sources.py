"""One table of rows, with weights and errors, as every kind of source has it."""

import dask.array
import dask.dataframe
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from bayesgmm.executors import SerialExecutor
from bayesgmm.sources.array_rows import array_rows
from bayesgmm.sources.dask_rows import dask_rows
from bayesgmm.sources.npy_rows import npy_rows
from bayesgmm.sources.opening import open_rows
from bayesgmm.sources.parquet_rows import parquet_rows
from bayesgmm.sources.scanning import scan
from bayesgmm.sources.spooling import spooled

N = 2503
NAMES = ["a", "b", "c.d"]
RAGGED = (0, 700, 1, 0, 1499, 303)


def rows():
    """Rows with missing entries, one of them with nothing else."""
    rng = np.random.default_rng(16)
    x = rng.standard_normal((N, 3)) * [1.0, 1e-5, 1e3] + [0.0, 1e8, -3.0]
    x[rng.random((N, 3)) < 0.1] = np.nan
    x[17] = np.nan
    return x


def weights():
    return np.random.default_rng(17).integers(0, 4, N).astype(np.float64)


def errors():
    return np.random.default_rng(18).random((N, 3))


def frame():
    return pd.DataFrame(rows(), columns=NAMES)


def parts(values):
    """Parts of ragged sizes, some of them empty."""
    ends = np.cumsum(RAGGED)
    return [values[end - size : end] for end, size in zip(ends, RAGGED, strict=True)]


def write_folder(folder):
    """Parquet files of ragged row groups, one of them empty, one with its columns reversed."""
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(parts(frame())):
        columns = NAMES[::-1] if number == 4 else NAMES
        table = pyarrow.Table.from_pandas(part[columns], preserve_index=False)
        pyarrow.parquet.write_table(table, folder / f"part-{number}.parquet", row_group_size=400)
    (folder / "_SUCCESS").touch()
    return folder


def save(path, array):
    np.save(path, array)
    return path


def fortran_map(tmp_path):
    path = save(tmp_path / "map.npy", np.asfortranarray(rows()))
    return np.load(path, mmap_mode="r")


def csv(tmp_path):
    path = tmp_path / "rows.csv"
    frame().to_csv(path, sep=";", decimal=".", index=False, na_rep="NA")
    return path


def parquet(tmp_path):
    path = tmp_path / "rows.parquet"
    frame().to_parquet(path, row_group_size=1000)
    return path


# Each takes a folder, and keywords of what comes along.
SOURCES = {
    "array": lambda p, **more: array_rows(rows(), **more),
    "fortran": lambda p, **more: array_rows(np.asfortranarray(rows()), **more),
    "big-endian": lambda p, **more: array_rows(rows().astype(">f8"), **more),
    "list": lambda p, **more: open_rows(rows().tolist(), **more),
    "memory map": lambda p, **more: open_rows(fortran_map(p), **more),
    "masked": lambda p, **more: open_rows(
        np.ma.masked_where(np.isnan(rows()), np.where(np.isnan(rows()), 0.0, rows())), **more
    ),
    "pandas": lambda p, **more: open_rows(frame(), **more),
    "pyarrow": lambda p, **more: open_rows(
        pyarrow.Table.from_pandas(frame(), preserve_index=False), **more
    ),
    "npy": lambda p, **more: npy_rows(save(p / "c.npy", rows()), **more),
    "fortran npy": lambda p, **more: open_rows(
        save(p / "f.npy", np.asfortranarray(rows())), **more
    ),
    "big-endian npy": lambda p, **more: npy_rows(save(p / "b.npy", rows().astype(">f8")), **more),
    "parquet": lambda p, **more: open_rows(parquet(p), **more),
    "folder": lambda p, **more: parquet_rows(write_folder(p / "folder"), **more),
    "dask array": lambda p, **more: dask_rows(
        dask.array.concatenate([dask.array.from_array(each, chunks=-1) for each in parts(rows())]),
        **more,
    ),
    "dask chunks": lambda p, **more: open_rows(
        dask.array.from_array(rows(), chunks=(301, 2)), **more
    ),
    "dask unknown": lambda p, **more: open_rows(_unknown_chunks(), **more),
    "dask frame": lambda p, **more: dask_rows(
        dask.dataframe.from_pandas(frame(), npartitions=7), **more
    ),
    "csv": lambda p, **more: open_rows(csv(p), **more),
    "chunks": lambda p, **more: open_rows((each for each in parts(rows())), **more),
    "frames": lambda p, **more: open_rows(parts(frame()), **more),
    "spooled": lambda p, **more: spooled(open_rows(parquet(p), **more), p),
}


def _unknown_chunks():
    array = dask.array.from_array(rows(), chunks=(500, 3))
    return array[~dask.array.all(array == 0.5, axis=1)]


def scanned(source, block_rows=65_536, executor=None, **more):
    """What a pass over the blocks of a source finds."""
    with (executor or SerialExecutor()).open(source, block_rows) as opened:
        return scan(source, opened.each, **more)
