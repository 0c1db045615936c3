"""scikit-learn's own checks of a classifier, no failure expected."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from bayesgmm import GaussianMixtureClassifier


@parametrize_with_checks(
    [
        GaussianMixtureClassifier(),
        GaussianMixtureClassifier((1, 2), covariance_type=("EII", "VVI", "EEE")),
        GaussianMixtureClassifier(family="EDDA", missing="raise"),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks_of_a_classifier(estimator, check):
    check(estimator)
