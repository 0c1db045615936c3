"""The passes of a run over a source of rows, kept in a file.

A run depends on its rows only through the sums of its passes. These are few numbers, so that the
file holds all of them: a run that is resumed is given the sums that it had, and takes the same
way, bit for bit, until it needs new ones.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.file_access import PathLike, as_path
from bayesgmm.data.json_document import dump_document, load_document, read_text, write_document
from bayesgmm.errors import InputError

_SCHEMA, _VERSION, _FIELDS = "bayesgmm.checkpoint", 1, {"of", "passes"}


class Passes:
    """Sums of the passes of a run, in order: those of a file first, then new ones.

    Parameters
    ----------
    path : path-like or None
        Written after each new pass, in one step. None keeps nothing.
    of : mapping of str to (str or int)
        What the run is of: rows, settings and seed.
    """

    def __init__(self, path: PathLike | None, of: Mapping[str, str | int]) -> None:
        self.n_asked = 0
        self._path: Path | None = None if path is None else as_path(path)
        self._of = dict(of)
        self._made: list[tuple[list[float], list[float]]] = []

    @classmethod
    def resumed(cls, path: PathLike | None, of: Mapping[str, str | int]) -> Self:
        """Those of a file, if it exists, and of this run.

        Raises
        ------
        ModelFormatError
            If the file is not a checkpoint.
        FileError
            If it cannot be read.
        InputError
            If it is of another run; the message names what differs.
        """
        out = cls(path, of)
        if out._path is None or not out._path.exists():
            return out
        found = load_document(read_text(out._path), _SCHEMA, _VERSION, _FIELDS)
        given: dict[str, Any] = found["of"]
        differing = [key for key in of if given.get(key) != of[key]]
        if differing:
            key = differing[0]
            raise InputError(
                f"The checkpoint {out._path} is of another run: its {key} is {given.get(key)!r}, "
                f"and this one's {of[key]!r}. Give the rows and settings of that run, or another "
                "file."
            )
        out._made = [(list(theta), list(sums)) for theta, sums in found["passes"]]
        return out

    @property
    def n_made(self) -> int:
        """The number of passes whose sums are known."""
        return len(self._made)

    def sums(self, theta: Array, made: Callable[[], Array]) -> Array:
        """The sums of the next pass, at theta; `made` forms them where they are not known yet.

        Raises
        ------
        InputError
            If the run has left the way that the file has.
        """
        number, at = self.n_asked, theta.tolist()
        self.n_asked += 1
        if number < len(self._made):
            kept, sums = self._made[number]
            if kept != at:
                raise InputError(
                    f"Pass {number + 1} of the checkpoint {self._path} is at other parameters than "
                    "this run's: it was made with another release, or by processors with another "
                    "instruction set. Remove the file to begin anew."
                )
            return np.array(sums)
        found = made()
        if self._path is not None:
            self._made.append((at, found.tolist()))
            passes = [[theta, sums] for theta, sums in self._made]
            text = dump_document(_SCHEMA, _VERSION, {"of": self._of, "passes": passes})
            write_document(self._path, text)
        return found
