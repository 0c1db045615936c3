import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import scipy.sparse

from bayesgmm.errors import FileError, InputError, InputTypeError, InvalidParameterError
from bayesgmm.sources.array_rows import array_rows
from bayesgmm.sources.npy_rows import NpyRows
from bayesgmm.sources.opening import open_rows
from bayesgmm.sources.parquet_rows import ParquetRows
from bayesgmm.sources.spooling import SpooledRows

X = np.random.default_rng(0).standard_normal((40, 3))


def test_files_are_known_by_their_first_bytes(tmp_path):
    frame = pd.DataFrame(X, columns=list("abc"))
    with open(tmp_path / "1.dat", "wb") as file:
        np.save(file, X)
    frame.to_parquet(tmp_path / "2.dat")
    frame.to_csv(tmp_path / "3.dat", index=False)
    kinds = [type(open_rows(tmp_path / f"{i}.dat")) for i in (1, 2, 3)]
    assert kinds == [NpyRows, ParquetRows, SpooledRows]
    assert type(open_rows(str(tmp_path / "2.dat"), sample_weight="a")) is ParquetRows
    (tmp_path / "2.dat").rename(tmp_path / "2.pq")
    assert open_rows(tmp_path, columns=["b"]).describe().endswith("(1 file)")


def test_a_source_is_itself():
    source = array_rows(X)
    assert open_rows(source) is source
    with pytest.raises(InvalidParameterError, match="columns cannot be given beside"):
        open_rows(source, columns=[0])


def test_lists_are_rows_or_chunks(tmp_path):
    assert open_rows([[1, 2], [3, 4]]).read(0, 2).x.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert open_rows(list(X)).n_rows == 40
    assert open_rows([X, X]).n_rows == 80
    pd.DataFrame(X).to_csv(tmp_path / "x.csv", index=False)
    with pd.read_csv(tmp_path / "x.csv", chunksize=7) as reader:
        assert open_rows(reader).n_rows == 40


@pytest.mark.parametrize(
    "source",
    [None, 5, b"rows.csv", {"a": [1.0]}, {1.0, 2.0}, object(), scipy.sparse.eye(3), [], ""],
)
def test_other_kinds(source):
    with pytest.raises((InputError, InputTypeError, InvalidParameterError)):
        open_rows(source)


def test_the_message_for_other_kinds():
    with pytest.raises(InputTypeError, match=r"cannot be read from 5\. Give a path, an array,"):
        open_rows(5)


@pytest.mark.parametrize("name", ["none.npy", "none/rows.parquet", "none"])
def test_paths_that_lead_nowhere(tmp_path, name):
    with pytest.raises(FileError, match="none"):
        open_rows(tmp_path / name)


def test_dask_is_not_imported():
    code = (
        "import sys, numpy as np\n"
        "from bayesgmm.sources.opening import open_rows\n"
        "open_rows(np.ones((3, 2))).read(0, 2)\n"
        "open_rows(iter([np.ones((3, 2))])).read(0, 2)\n"
        "sys.exit('dask' in sys.modules or 'pyarrow' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_table_of_another_package_in_parts():
    table = pyarrow.table({"a": X[:, 0], "b": X[:, 1]})
    assert open_rows(table.to_reader()).read(0, 40).x.tolist() == X[:, :2].tolist()
