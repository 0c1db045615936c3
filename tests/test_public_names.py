import subprocess
import sys
from importlib.metadata import version

import pytest

import bayesgmm

HEAVY = ["pymc", "pytensor", "matplotlib", "dask", "pandas", "sklearn", "numba", "scipy", "numpy"]


def test_every_public_name_resolves():
    for name in bayesgmm.__all__:
        assert getattr(bayesgmm, name) is not None, name
        assert name in dir(bayesgmm)


def test_names_come_from_their_rooms():
    from bayesgmm.estimator.gaussian_mixture import GaussianMixture

    assert bayesgmm.GaussianMixture is GaussianMixture
    assert bayesgmm.__version__ == version("bayesgmm")
    assert issubclass(bayesgmm.errors.InputError, bayesgmm.errors.BayesGMMError)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="GaussianMixtures"):
        bayesgmm.GaussianMixtures  # noqa: B018  # the look itself is the test


def imported(statement):
    code = f"{statement}\nimport sys\nprint(*(set({HEAVY!r}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    assert imported("import bayesgmm") == set()
    assert imported("import bayesgmm.cli") == set()


def test_the_estimator_needs_neither_pymc_nor_matplotlib_nor_dask():
    loaded = imported("from bayesgmm import GaussianMixture, simulate, load_dataset")
    assert not loaded & {"pymc", "pytensor", "matplotlib", "dask"}


def test_errors_and_data_need_no_scikit_learn():
    statement = "from bayesgmm import errors, load_dataset; errors.InvalidParameterError"
    assert imported(f"{statement}; load_dataset('iris')") == {"numpy"}


def test_rows_are_drawn_without_scipy():
    statement = "from bayesgmm import scenario, simulate; simulate(scenario('blobs'), 9, rng=0)"
    assert imported(statement) == {"numpy"}
