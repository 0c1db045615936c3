import dask
import dask.array
import dask.dataframe
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from bayesgmm.errors import InputError, InputTypeError
from bayesgmm.sources.dask_rows import dask_rows
from bayesgmm.sources.opening import open_rows
from bayesgmm.sources.row_source import blocks_in_order

X = np.random.default_rng(0).standard_normal((40, 3))


def counted(parts, computed):
    """A Dask array of parts that notes which are computed."""

    def load(number):
        computed.append(number)
        return parts[number]

    arrays = [
        dask.array.from_delayed(dask.delayed(load)(i), part.shape, part.dtype)
        for i, part in enumerate(parts)
    ]
    return dask.array.concatenate(arrays)


def test_only_chunks_that_overlap_are_computed():
    computed = []
    source = dask_rows(counted(np.split(X, [0, 10, 10, 25]), computed))
    assert computed == []
    assert source.read(12, 20).x.tolist() == X[12:20].tolist()
    assert computed == [3]
    computed.clear()
    assert len(list(blocks_in_order(source, 3))) == 14
    assert sorted(computed) == [1, 3, 4]
    assert source.describe() == "a Dask array (3 chunks)"


def test_frames_compute_columns_and_weights():
    frame = pd.DataFrame(X, columns=list("abc")).assign(text="u")
    collection = dask.dataframe.from_pandas(frame, npartitions=3)
    source = dask_rows(collection, columns=["c", "a"], sample_weight="b")
    assert source.feature_names == ("c", "a")
    assert source.read(9, 30).x.tolist() == X[9:30][:, [2, 0]].tolist()
    assert source.read(9, 30).weights.tolist() == X[9:30, 1].tolist()
    assert source.describe() == "a Dask data frame (3 partitions)"
    with pytest.raises(InputTypeError, match="column 'text'"):
        dask_rows(collection)
    empty = dask_rows(collection[collection.a > X[20, 0]][["a"]])
    assert empty.read(0, empty.n_rows).x.ravel().tolist() == X[X[:, 0] > X[20, 0], 0].tolist()


def test_the_collection_is_not_modified():
    array = dask.array.from_array(X, chunks=(7, 3))
    array = array[array[:, 0] > 0.0]
    source = dask_rows(array)
    assert np.isnan(array.chunks[0]).all()
    assert source.n_rows == (X[:, 0] > 0.0).sum()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dask.array.ones(4), "2D"),
        (lambda: dask.array.ones((0, 2)), "0 sample"),
        (lambda: dask.array.ones((4, 2), dtype=complex), "Complex"),
        (lambda: dask.delayed(len)(X), "Delayed has no rows"),
        (lambda: dask.dataframe.from_pandas(pd.Series([1.0]), npartitions=1), "to_frame"),
    ],
)
def test_other_collections(make, message):
    with pytest.raises((InputError, InputTypeError), match=message):
        open_rows(make())


def test_parts_that_change_between_passes():
    parts = [X[:10], X[10:]]
    source = dask_rows(counted(parts, []))
    parts[1] = X[:3]
    with pytest.raises(InputError, match=r"Part 1 of a Dask array .* has 3 rows, but it had 30"):
        source.read(5, 12)


def test_an_entry_that_is_no_number_is_named_by_its_global_row():
    frame = pd.DataFrame({"a": np.zeros(40, object)})
    frame.loc[30, "a"] = [1]
    with dask.config.set({"dataframe.convert-string": False}):
        collection = dask.dataframe.from_pandas(frame, npartitions=4)
        with pytest.raises(InputTypeError, match=r"column 'a' .*row 30"):
            dask_rows(collection).read(25, 35)


def test_a_persisted_collection_is_read_from_its_cluster():
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None
    ) as client:
        array = client.persist(dask.array.from_array(X, chunks=(9, 3)))
        assert dask_rows(array).read(5, 30).x.tolist() == X[5:30].tolist()
        # Within a task of the only thread, whose scheduler would wait for it.
        source = dask_rows(dask.array.from_array(X, chunks=(9, 3)))
        found = client.submit(source.read, 5, 30).result(timeout=20)
        assert found.x.tolist() == X[5:30].tolist()
