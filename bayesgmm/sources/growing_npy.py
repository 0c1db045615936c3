"""An NPY file of float64 that grows by rows, whose number is not known before the last one."""

from pathlib import Path
from typing import Self

import numpy as np

from bayesgmm.arrays import Array


class GrowingNpy:
    """A new NPY file, open for rows to be appended; its head is complete when it is closed.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._shape: tuple[int, ...] = (0,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.seek(0)
            self._write_head()

    def append(self, rows: Array) -> None:
        """Add rows (m,) or (m, D), as many columns each time."""
        if not self._shape[0]:
            self._shape = (0, *rows.shape[1:])
            self._write_head()
        self._file.write(np.ascontiguousarray(rows).reshape(-1).view(np.uint8))
        self._shape = (self._shape[0] + len(rows), *rows.shape[1:])

    def _write_head(self) -> None:
        """Write the head, which has room for any number of rows."""
        descr = np.lib.format.dtype_to_descr(np.dtype(np.float64))
        head = {"descr": descr, "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(self._file, head)
