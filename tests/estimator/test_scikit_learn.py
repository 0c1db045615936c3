"""scikit-learn's own checks of an estimator, no failure expected, and those it keeps to itself."""

import pytest
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

from bayesgmm import GaussianMixture


@parametrize_with_checks(
    [
        GaussianMixture(),
        GaussianMixture(covariance_type="tied"),
        GaussianMixture(covariance_type="diag"),
        GaussianMixture(covariance_type="spherical"),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.DegeneracyWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "name",
    [
        "check_param_validation",
        "check_dataframe_column_names_consistency",
        "check_n_features_in_after_fitting",
        "check_f_contiguous_array_estimator",
        "check_do_not_raise_errors_in_init_or_set_params",
    ],
)
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.DegeneracyWarning")
def test_checks_that_scikit_learn_runs_on_itself(name):
    getattr(estimator_checks, name)("GaussianMixture", GaussianMixture())
