"""scikit-learn's own tests of its GaussianMixture, run with our class in its place.

They are taken from the scikit-learn that is installed. Left out are those of its private
functions, of its array-API support, and those named in NOT_OURS, each with the reason.
"""

import inspect

import numpy as np
import pytest
from sklearn.mixture.tests import test_gaussian_mixture as theirs

from bayesgmm import GaussianMixture

NOT_OURS = {
    "test_gaussian_mixture_fit_convergence_warning": "looks at the sentence of the warning",
    "test_gaussian_mixture_n_parameters": "calls a private method; see test_estimator",
    "test_gaussian_mixture_aic_bic": "calls a private method; see test_estimator",
    "test_gaussian_mixture_precisions_init": "calls a private method; see test_estimator",
    "test_gaussian_mixture_precisions_init_diag": "counts the iterations from its default start",
    "test_regularisation": "looks at the sentence of an error; ours names the distinct rows",
    "test_gaussian_mixture_setting_best_params": "expects parameters from a collapsed run",
}
PRIVATE = ("suffstat", "log_det", "array_api", "does_not_estimate_gaussian_parameters")

PUBLIC = [
    name
    for name, _ in inspect.getmembers(theirs, inspect.isfunction)
    if name.startswith("test_") and name not in NOT_OURS and not any(w in name for w in PRIVATE)
]


def _cases(function):
    """Values of the arguments that pytest's marks and scikit-learn's fixtures would fill in."""
    cases = [{}]
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names = [each.strip() for each in mark.args[0].split(",")]
            values = [v if len(names) > 1 else (v,) for v in mark.args[1]]
            cases = [case | dict(zip(names, v, strict=True)) for case in cases for v in values]
    for name, values in {"global_dtype": [np.float64], "global_random_seed": [0, 1, 2]}.items():
        if name in inspect.signature(function).parameters:
            cases = [case | {name: value} for case in cases for value in values]
    return cases


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.filterwarnings("ignore")  # theirs may warn; ours are tested elsewhere
def test_holds_with_our_class(name, monkeypatch, capsys):
    monkeypatch.setattr(theirs, "GaussianMixture", GaussianMixture)
    function = getattr(theirs, name)
    for case in _cases(function):
        function(**case)


def test_enough_of_them_are_run():
    assert len(PUBLIC) >= 25
