import os

import numpy as np
import pytest

from bayesgmm.errors import InputError, InputTypeError, MissingFileError
from bayesgmm.sources.npy_rows import npy_rows

X = np.random.default_rng(0).standard_normal((40, 3))


def saved(tmp_path, array, name="x.npy"):
    np.save(tmp_path / name, array)
    return tmp_path / name


@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8", "g", "i1", ">i4", "u8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_any_real_type(tmp_path, dtype, order):
    array = np.asarray(np.abs(X) * 100, dtype=dtype, order=order)
    block = npy_rows(saved(tmp_path, array)).read(11, 23)
    assert block.x.tobytes() == array[11:23].astype(np.float64).tobytes()
    assert block.x.dtype == np.float64
    assert block.x.flags.c_contiguous


def test_one_feature_and_one_row(tmp_path):
    assert npy_rows(saved(tmp_path, X[:, 0])).read(3, 5).x.tolist() == X[3:5, :1].tolist()
    assert npy_rows(saved(tmp_path, X[:1])).read(0, 1).x.tolist() == X[:1].tolist()


def test_columns_and_weights_of_the_file(tmp_path):
    positive = np.abs(X)
    source = npy_rows(saved(tmp_path, positive), columns=[2], sample_weight=0)
    block = source.read(5, 9)
    assert block.x.tolist() == positive[5:9, 2:].tolist()
    assert block.weights.tolist() == positive[5:9, 0].tolist()
    rest = npy_rows(saved(tmp_path, positive), sample_weight="1")
    assert rest.read(5, 9).x.tolist() == positive[5:9, [0, 2]].tolist()


@pytest.mark.parametrize(
    "array",
    [
        np.array([["a", "b"]]),
        np.zeros((2, 2, 2)),
        np.zeros((0, 2)),
        np.zeros((3, 0)),
        np.ones((2, 2), complex),
    ],
)
def test_what_holds_no_rows_of_numbers(tmp_path, array):
    with pytest.raises(InputError, match=r"x\.npy"):
        npy_rows(saved(tmp_path, array))


def test_objects_are_not_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    np.save(tmp_path / "x.npy", np.array([[Bomb()]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="object"):
        npy_rows(tmp_path / "x.npy")


@pytest.mark.parametrize("cut", [3, 20, 120, -1])
def test_a_truncated_file(tmp_path, cut):
    path = saved(tmp_path, X)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(InputError, match="not a readable NPY file"):
        npy_rows(path)


def test_a_head_that_promises_too_much(tmp_path):
    path = saved(tmp_path, X)
    content = path.read_bytes()
    for shape in (b"(-4, 3)", b"(9**9,3)", b"(4e1, 3)", b"(10**9, 3)"):
        path.write_bytes(content.replace(b"(40, 3)", shape))
        with pytest.raises(InputError, match="not a readable NPY file"):
            npy_rows(path)
    path.write_bytes(content.replace(b"(40, 3)", b"(4000000000000, 3)"))
    with pytest.raises(InputError, match="not a readable NPY file"):
        npy_rows(path)


def test_a_file_that_changes_between_passes(tmp_path):
    path = saved(tmp_path, X)
    source = npy_rows(path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="has changed since it was opened"):
        source.read(0, 1)
    path.unlink()
    with pytest.raises(MissingFileError):
        source.read(0, 1)


def test_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "x.npy")
    with pytest.raises(InputError, match="more than once"):
        npy_rows(tmp_path / "x.npy")


def test_another_folder_at_work_does_not_matter(tmp_path, monkeypatch):
    saved(tmp_path, X)
    monkeypatch.chdir(tmp_path)
    source = npy_rows("x.npy")
    monkeypatch.chdir("/")
    assert source.read(0, 40).x.tolist() == X.tolist()


def test_an_integer_that_float64_cannot_hold_is_named(tmp_path):
    array = np.zeros((40, 2), dtype=np.int64)
    array[30, 1] = 2**53 + 1
    source = npy_rows(saved(tmp_path, array))
    source.read(0, 30)
    with pytest.raises(InputError, match=r"2\*\*53 in column 1 \(first: row 30\)"):
        source.read(25, 40)


def test_companions_that_do_not_fit(tmp_path):
    path = saved(tmp_path, X)
    with pytest.raises(InputError, match=r"shape \(40,\).*\(39,\)"):
        npy_rows(path, sample_weight=np.ones(39))
    with pytest.raises(InputError, match=r"shape \(40, 2\)"):
        npy_rows(path, error_covariances=np.ones((40, 2)))
    with pytest.raises(InputError, match="not positive semi-definite in the covariance of all"):
        npy_rows(path, error_covariances=[[1, 2, 0], [2, 1, 0], [0, 0, 1]])
    with pytest.raises(InputTypeError, match="text"):
        npy_rows(path, sample_weight=["a"] * 40)
    with pytest.raises(InputError, match=r"no column '3'.*from 0 to 2"):
        npy_rows(path, columns=[3])
    with pytest.raises(InputError, match="named twice: column 1"):
        npy_rows(path, columns=[1, "1"])
    with pytest.raises(ValueError, match="sequence of names or positions"):
        npy_rows(path, columns="0")
    with pytest.raises(ValueError, match="not by True"):
        npy_rows(path, sample_weight=True)
