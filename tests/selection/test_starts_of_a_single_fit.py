"""No model with noise, outliers, labels or `n_init` is below the default of a single fit."""

import numpy as np
import pytest
from noisy_rows import TWO, with_noise

from bayesgmm import GaussianMixture, select_mixture

CODES = ["EII", "VVI", "EEE", "VEV", "VVV"]
KS = [1, 2, 4]


@pytest.mark.parametrize("kind", ["noise_component", "contaminated", "labels", "n_init"])
@pytest.mark.filterwarnings("ignore:The selected model")
@pytest.mark.filterwarnings("ignore:The fit is degenerate")
def test_models_of_up_to_too_many_components(kind):
    x, is_noise = with_noise(3, 285, 15)
    known = np.where(is_noise | (np.arange(len(x)) % 8 > 0), -1, 1 - TWO.classify(x))
    labels = {"labels": known} if kind == "labels" else {}
    switch = {"n_init": 1} if kind == "n_init" else {} if labels else {kind: True}
    found = select_mixture(x, KS, CODES, **switch, **labels, rng=0)
    assert len(found.table) == len(KS) * len(CODES)
    for _, row in found.table[found.table["n_components"] > bool(labels)].iterrows():
        k, code = row["n_components"], row["covariance_type"]
        fit = GaussianMixture(k, covariance_type=code, random_state=0, **switch).fit(x, **labels)
        assert fit.degeneracy_ is None
        assert row["log_likelihood"] > fit.log_likelihood_ - 0.01, (k, code)
