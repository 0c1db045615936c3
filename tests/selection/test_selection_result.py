"""Other models of a grid than the selected one."""

import pickle

import numpy as np
import pytest

from bayesgmm import load_dataset, select_mixture
from bayesgmm.errors import FitError, InputError, InvalidParameterError

X = load_dataset("faithful").X
pytestmark = pytest.mark.filterwarnings("ignore:The selected model:bayesgmm.errors.BayesGMMWarning")


@pytest.fixture(scope="module")
def selection():
    return select_mixture(X, range(1, 4), ["EEE", "VVV", "EII"], rng=0, progressbar=False)


def test_every_model_can_be_had_at_the_maximum_that_was_found(selection):
    for row in selection.table.itertuples():
        fit = selection.fit(row.n_components, row.covariance_type)
        assert fit.converged_
        assert fit.log_likelihood_ == pytest.approx(row.log_likelihood, abs=2e-6)
        assert fit.bic() == pytest.approx(row.bic, abs=1e-5)
        assert (np.diff(fit.means_[:, 0]) >= 0).all()


def test_by_default_it_is_the_best_structure_for_k(selection):
    for k in range(1, 4):
        fit = selection.fit(k)
        own = selection.table[selection.table["n_components"] == k]
        assert fit.bic() == pytest.approx(own["bic"].min(), abs=1e-5)
    best = selection.best
    assert selection.fit(best.n_components).log_likelihood_ == best.log_likelihood_


def test_weights_and_errors_are_those_of_the_selection():
    weights = np.arange(len(X)) % 4
    errors = np.broadcast_to([0.01, 4.0], X.shape)
    found = select_mixture(
        X, 2, "VVV", sample_weight=weights, error_covariances=errors, rng=0, progressbar=False
    )
    fit = found.fit(2)
    assert fit.log_likelihood_ == found.best.log_likelihood_
    assert (fit.weights_of(X) == weights).all()


def test_what_cannot_be_had_is_an_error(selection):
    with pytest.raises(InvalidParameterError, match=r"no EEE with K = 7"):
        selection.fit(7, "EEE")
    with pytest.raises(InvalidParameterError, match="no EVE with K = 2"):
        selection.fit(2, "EVE")
    with pytest.raises(InputError, match="not stored in a file"):
        pickle.loads(pickle.dumps(selection)).fit(2)
    few = select_mixture(X[:8], [1, 4], "VVV", rng=0, progressbar=False)
    with pytest.raises(FitError, match="8 rows"):
        few.fit(4)
