"""Maxima known from elsewhere, reached at default settings.

Numbers: mclust 6.0.0 from 28 to 37 starts at tolerance 1e-11 (R 4.2.2), except where said.
"""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, load_dataset

MAXIMA = {
    ("faithful", "full"): -1130.2639601847,
    ("faithful", "tied"): -1140.186759,
    ("faithful", "diag"): -1147.806353,
    ("faithful", "spherical"): -1709.529282,
    ("iris", "full"): -214.354704,
    ("iris", "tied"): -296.447575,
    ("iris", "diag"): -386.185347,
    ("iris", "spherical"): -478.559096,
}
IRIS_3 = -180.185477


@pytest.mark.parametrize(("name", "structure"), MAXIMA)
def test_two_components(name, structure):
    X = load_dataset(name).X
    fit = GaussianMixture(2, covariance_type=structure, random_state=0).fit(X)
    # The references are printed to six digits, one of them to ten.
    tolerance = 1e-7 if (name, structure) == ("faithful", "full") else 6e-7
    assert fit.log_likelihood_ == pytest.approx(MAXIMA[name, structure], abs=tolerance)
    assert fit.converged_


def test_parameters_of_old_faithful():
    fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
    # The fixed point of 20 EM steps in 40-digit arithmetic (mpmath) from a converged float64 fit.
    assert fit.weights_[0] == pytest.approx(0.355872857105708, abs=1e-12)
    assert fit.covariances_[0, 1, 1] == pytest.approx(33.6972820723022, abs=1e-9)
    assert fit.covariances_[1, 1, 1] == pytest.approx(36.0462113175532, abs=1e-9)
    # mclust's, which end about 1e-8 nats short of it: its largest error, of the last covariance,
    # is 1.011e-6.
    expected = {
        "weights_": [0.355872859688, 0.644127140312],
        "means_": [[2.0363884609, 54.4785164402], [4.28966197866, 79.96811524111]],
        "covariances_": [
            [[0.0691676775483, 0.435167676502], [0.435167676502, 33.697282427214]],
            [[0.169968428688, 0.940609229484], [0.940609229484, 36.046210306669]],
        ],
    }
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(fit, name), value, rtol=0, atol=1.02e-6, err_msg=name)


def test_galaxies_with_masss_value_of_the_78th_row():
    """82 rows with the 78th value 26.69, as in R's MASS: mclust's V,3."""
    X = load_dataset("galaxies").X.copy()
    assert X[77, 0] == 26.96
    X[77, 0] = 26.69
    fit = GaussianMixture(3, random_state=0).fit(X)
    assert fit.log_likelihood_ == pytest.approx(-203.1792279651, abs=1e-8)


def test_iris_reaches_one_optimum_for_a_thousand_seeds():
    X = load_dataset("iris").X
    for seed in range(1000):
        found = GaussianMixture(3, random_state=seed).fit(X).log_likelihood_
        assert found == pytest.approx(IRIS_3, abs=1e-5), f"seed {seed}"
