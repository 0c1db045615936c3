"""Tables that tests write and read again."""

import numpy as np

ROWS = [[1.5, -2.0], [3.25, 4e-300], [0.1, 5.0]]


def written(tmp_path, text, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def values(table):
    return np.column_stack(table.columns).tolist()
