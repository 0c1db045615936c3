"""What workers read of sources that are read best in one go."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bayesgmm import open_rows
from bayesgmm.executors.row_blocks import RowBlocks
from bayesgmm.executors.worker_tasks import LoadGroup


def test_a_group_of_parquet_rows_is_decoded_once(tmp_path, monkeypatch):
    x = np.random.default_rng(1).normal(size=(1000, 2))
    table = pa.table({"a": x[:, 0], "b": x[:, 1], "w": np.arange(1000.0)})
    pq.write_table(table, tmp_path / "x.parquet")
    source = open_rows(tmp_path / "x.parquet", sample_weight="w")
    blocks = RowBlocks(1000, 64)
    expected = [source.read(*blocks.bounds(i)) for i in range(len(blocks))]
    plain, ranges = type(source).read, []

    def read(self, start, stop):
        ranges.append((start, stop))
        return plain(self, start, stop)

    monkeypatch.setattr(type(source), "read", read)
    load = LoadGroup(source, blocks, 8)
    found = [block for first in (0, 8) for block in load(first)]
    assert ranges == [(0, 512), (512, 1000)]
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.x, other.x)
        assert np.array_equal(one.weights, other.weights)
