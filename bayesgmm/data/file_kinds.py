"""Files of other kinds than a table of rows or a saved model, known by their first bytes."""

import re
from typing import NamedTuple


class Kind(NamedTuple):
    """What a file is, as a noun, and what to do where rows of data were expected."""

    noun: str
    remedy: str


_AS_CSV = "Save its sheet as CSV"
_JSON = re.compile(rb"\s*\{\s*(\"|$)")
_KINDS = {
    b"PK\3\4": Kind("a ZIP archive, as workbooks of spreadsheets (.xlsx, .ods) are", _AS_CSV),
    b"\xd0\xcf\x11\xe0": Kind("a workbook of Excel (.xls)", _AS_CSV),
    b"\x89HDF": Kind(
        "an HDF5 or NetCDF file, as draws of `bayesgmm sample -o` are",
        "Save its rows as CSV, Parquet or NPY; draws are read in Python, by xarray.open_datatree",
    ),
    **{
        b"CDF" + version: Kind("a NetCDF file", "Save its rows as CSV, Parquet or NPY")
        for version in (b"\1", b"\2", b"\5")
    },
    b"\x1f\x8b": Kind("compressed by gzip", "Unpack it"),
    b"\xfd7zXZ": Kind("compressed by xz", "Unpack it"),
    b"%PDF": Kind("a PDF document", "Save its table as CSV"),
    b"\x80\x04\x95": Kind("a pickle, which is never loaded", "Save its rows as CSV or Parquet"),
    b"\x80\x05\x95": Kind("a pickle, which is never loaded", "Save its rows as CSV or Parquet"),
}
_A_MODEL = Kind(
    "a JSON object, as saved models are",
    "Name the file of the rows; `bayesgmm simulate` draws rows from a model",
)


def foreign_kind(head: bytes) -> Kind | None:
    """Return the kind of a file that is no table, by its first six bytes or more; else None."""
    if _JSON.match(head):
        return _A_MODEL
    return next((kind for magic, kind in _KINDS.items() if head.startswith(magic)), None)
