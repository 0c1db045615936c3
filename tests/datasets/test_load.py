import subprocess
import sys

import numpy as np
import pytest

from bayesgmm.datasets.load import dataset_names, load_dataset
from bayesgmm.errors import InputError


# Sums as R gives them for its own copies; its galaxies have 26.69 where ours have 26.96.
@pytest.mark.parametrize(
    ("name", "shape", "names", "total"),
    [
        ("faithful", (272, 2), ("eruptions", "waiting"), 948.677 + 19284),
        ("galaxies", (82, 1), ("velocity",), 1707.91 + 0.27),
        (
            "iris",
            (150, 4),
            ("sepal_length", "sepal_width", "petal_length", "petal_width"),
            876.5 + 458.6 + 563.7 + 179.9,
        ),
    ],
)
def test_contents(name, shape, names, total):
    data = load_dataset(name)
    assert data.X.shape == shape
    assert data.X.dtype == np.float64
    assert data.X.flags.c_contiguous
    assert data.feature_names == names
    assert data.X.sum() == pytest.approx(total, rel=1e-12)
    assert len(data.source) > 50
    assert data.frame.shape == shape
    np.testing.assert_array_equal(data.frame, data.X)
    assert [each.split(" (")[0] for each in data.frame.columns] == list(names)
    assert all(f"({unit})" in each for unit, each in zip(data.units, data.frame, strict=True))
    with pytest.raises(ValueError, match="read-only"):
        data.X[0, 0] = 0.0


def test_labels_and_the_disputed_galaxy():
    iris = load_dataset("iris")
    species, counts = np.unique(iris.labels, return_counts=True)
    assert species.tolist() == ["setosa", "versicolor", "virginica"]
    assert counts.tolist() == [50, 50, 50]
    galaxies = load_dataset("galaxies")
    assert galaxies.labels is None
    assert galaxies.X[77, 0] == 26.96
    assert "26.96" in galaxies.source


def test_unknown_names_list_all_and_the_nearest():
    with pytest.raises(InputError, match=r"'faithful'\? Use one of faithful, galaxies, iris"):
        load_dataset("Faithfull")
    for name in ("../iris", "", None, 3):
        with pytest.raises(InputError, match="no data set"):
            load_dataset(name)
    assert dataset_names() == ("faithful", "galaxies", "iris")


def test_reading_needs_no_pandas():
    # A module that is None in sys.modules cannot be imported.
    code = (
        "import sys; import bayesgmm.errors; sys.modules['pandas'] = None; "
        "from bayesgmm.datasets.load import load_dataset; load_dataset('iris')"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
