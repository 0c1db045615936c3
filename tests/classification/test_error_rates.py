"""Error rates of ten-fold cross-validation beside those of mclust's MclustDA, on the same folds."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn import datasets
from studies import size

from bayesgmm import GaussianMixtureClassifier

MCLUST = json.loads((Path(__file__).parent / "mclust_da.json").read_text())
# Rows more that may be wrong, in proportion to all rows.
MARGIN = 0.01


def folds_of(name):
    return np.array([*MCLUST["folds"][name]], dtype=int)


def wrong_and_brier(name, *, first=10, **arguments):
    """Wrong classes and the Brier score in the first of the ten folds."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    folds = folds_of(name)
    wrong, brier = 0, 0.0
    for fold in range(first):
        test = folds == fold
        fit = GaussianMixtureClassifier(**arguments).fit(X[~test], y[~test])
        wrong += int((fit.predict(X[test]) != y[test]).sum())
        brier += test.sum() * fit.brier_score(X[test], y[test])
    return wrong, brier / len(y)


@pytest.mark.parametrize("name", MCLUST["folds"])
def test_the_default_is_not_above_mclust(name):
    wrong, _ = wrong_and_brier(name)
    n = len(MCLUST["folds"][name])
    assert wrong <= min(sum(each["wrong"]) for each in MCLUST[name].values()) + MARGIN * n


@pytest.mark.parametrize("name", ["iris", "breast_cancer"])
def test_one_structure_over_all_classes_makes_the_errors_of_mclust(name):
    wrong, brier = wrong_and_brier(name, family="EDDA")
    assert wrong == sum(MCLUST[name]["EDDA"]["wrong"])
    assert brier == pytest.approx(MCLUST[name]["EDDA"]["brier"], abs=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.BayesGMMWarning")
@pytest.mark.parametrize("name", MCLUST["folds"])
def test_mixtures_of_one_to_five_components_are_not_above_mclust(name):
    first = size(ci={"breast_cancer": 1, "wine": 3, "iris": 10}[name], full=10)
    wrong, _ = wrong_and_brier(name, first=first, n_components=range(1, 6))
    n = (folds_of(name) < first).sum()
    assert wrong <= sum(MCLUST[name]["MclustDA"]["wrong"][:first]) + MARGIN * n
