"""Read the data sets that ship with the package."""

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arguments import unknown_name
from bayesgmm.arrays import Array
from bayesgmm.errors import InputError
from bayesgmm.results import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(Result):
    """A data set.

    Attributes
    ----------
    X : (n, D)
        Float64, read-only.
    feature_names : tuple of str
    units : tuple of str
        Of the features.
    labels : (n,) array of str, or None
        The group that each row is known to come from.
    source : str
        Publication, units and variant of the data.

    Examples
    --------
    >>> from bayesgmm import load_dataset
    >>> iris = load_dataset("iris")
    >>> iris.X.shape, iris.feature_names[0], str(iris.labels[0])
    ((150, 4), 'sepal_length', 'setosa')
    >>> iris.frame.columns[0]
    'sepal_length (cm)'
    """

    X: Array
    feature_names: tuple[str, ...]
    units: tuple[str, ...]
    labels: NDArray[np.str_] | None
    source: str

    @property
    def frame(self) -> "pd.DataFrame":
        """The rows as a data frame, whose columns are named with their units, for plots."""
        import pandas as pd

        named = zip(self.feature_names, self.units, strict=True)
        return pd.DataFrame(self.X, columns=[f"{name} ({unit})" for name, unit in named])

    def _paragraphs(self) -> list[str]:
        columns = ", ".join(self.feature_names)
        return [f"{len(self.X)} rows of {columns}", self.source]


_SOURCES = {
    "faithful": (
        "Old Faithful geyser, 272 eruptions: duration and waiting time to the next, in minutes. "
        "Azzalini, A. & Bowman, A. W. (1990), A look at some data on the Old Faithful geyser, "
        "Applied Statistics 39, 357-365; as in R's datasets."
    ),
    "galaxies": (
        "Velocities of 82 galaxies of the Corona Borealis region, in 1000 km/s. Postman, M., "
        "Huchra, J. P. & Geller, M. J. (1986); Roeder, K. (1990), JASA 85, 617-624. The 78th value "
        "is 26.96, as in Richardson & Green (1997); R's MASS has 26.69 there, which its help page "
        "calls a typing error."
    ),
    "iris": (
        "Sepal and petal lengths and widths of 150 irises of three species, in cm. Fisher, R. A. "
        "(1936), The use of multiple measurements in taxonomic problems, Annals of Eugenics 7, "
        "179-188; as in R's datasets."
    ),
}
_UNITS = {"faithful": ("min",) * 2, "galaxies": ("1000 km/s",), "iris": ("cm",) * 4}
_LABEL_COLUMNS = {"iris": "species"}


def dataset_names() -> tuple[str, ...]:
    """Return the names that ``load_dataset`` takes."""
    return tuple(_SOURCES)


def load_dataset(name: Literal["faithful", "galaxies", "iris"] | str) -> Dataset:
    """Return a shipped data set: ``"faithful"``, ``"galaxies"`` or ``"iris"``.

    Raises
    ------
    InputError
        If the name is unknown; the message lists all, and the nearest.

    Examples
    --------
    >>> from bayesgmm import load_dataset
    >>> faithful = load_dataset("faithful")
    >>> faithful.feature_names, faithful.X[0].tolist()
    (('eruptions', 'waiting'), [3.6, 79.0])
    """
    if not isinstance(name, str) or name not in dataset_names():
        raise InputError(unknown_name("data set", name, _SOURCES))
    text = files("bayesgmm.datasets").joinpath(f"{name}.csv").read_text(encoding="utf-8")
    header, *rows = csv.reader(text.splitlines())
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    labels = columns.pop(_LABEL_COLUMNS.get(name, ""), None)
    X = np.array(list(columns.values()), dtype=np.float64).T.copy()
    X.flags.writeable = False
    return Dataset(
        X,
        tuple(columns),
        _UNITS[name],
        None if labels is None else np.array(labels, dtype=np.str_),
        _SOURCES[name],
    )
