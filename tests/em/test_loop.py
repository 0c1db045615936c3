"""Runs that have nothing to reach end: at a singular covariance, or where nothing is gained."""

import pytest
from unsuitable_columns import unsuitable

from bayesgmm import GaussianMixture
from bayesgmm.covariance.structures import structures
from bayesgmm.errors import FitError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("name", list(unsuitable()))
@pytest.mark.parametrize("code", [each.code for each in structures()])
def test_no_run_chases_a_singular_solution(name, code):
    for k in (3, 6) if code in ("VVV", "EVE", "VEI", "VII") else (3,):
        try:
            fit = GaussianMixture(k, covariance_type=code, random_state=0).fit(unsuitable()[name])
        except FitError:
            continue
        assert fit.n_iter_ < 1000
        assert fit.starts_["iterations"].max() < 1000
        assert fit.converged_ or fit.degeneracy_ is not None
