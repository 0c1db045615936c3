import numpy as np
import pandas as pd
import pytest
from sklearn.mixture import BayesianGaussianMixture
from sklearn.mixture import GaussianMixture as TheirMixture

from bayesgmm import GaussianMixture, Mixture, load_dataset
from bayesgmm.errors import InvalidParameterError

FAITHFUL = load_dataset("faithful")


@pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("estimator", [TheirMixture, BayesianGaussianMixture])
def test_there_and_back(kind, estimator):
    frame = pd.DataFrame(FAITHFUL.X, columns=FAITHFUL.feature_names)
    theirs = estimator(n_components=2, covariance_type=kind, random_state=0).fit(frame)
    mixture = Mixture.from_sklearn(theirs)
    assert mixture.feature_names == tuple(frame.columns)
    if estimator is TheirMixture:
        np.testing.assert_allclose(mixture.log_density(frame), theirs.score_samples(frame))
    np.testing.assert_allclose(mixture.covariances.shape, (2, 2, 2))
    back = mixture.to_sklearn()
    np.testing.assert_allclose(back.score_samples(frame), mixture.log_density(frame))
    np.testing.assert_allclose(back.predict_proba(frame), mixture.responsibilities(frame))
    assert back.sample(5)[0].shape == (5, 2)
    assert Mixture.from_sklearn(back) == mixture


def test_a_fit_of_this_package_has_the_same_attributes():
    fit = GaussianMixture(2, covariance_type="tied", random_state=0).fit(FAITHFUL.X)
    assert Mixture.from_sklearn(fit) == fit.mixture_


@pytest.mark.parametrize("model", [TheirMixture(2), "text", None])
def test_other_objects_are_refused(model):
    with pytest.raises(InvalidParameterError, match="weights_"):
        Mixture.from_sklearn(model)
