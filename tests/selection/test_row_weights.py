"""Selection of models for rows that count several times, or not at all."""

import numpy as np
import pytest

from bayesgmm import bootstrap_lrt, load_dataset, select_mixture
from bayesgmm.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:The selected model:bayesgmm.errors.BayesGMMWarning")
FAITHFUL = load_dataset("faithful").X


@pytest.mark.filterwarnings("ignore:Only 201 of 433 rows of X are distinct")
@pytest.mark.parametrize("criterion", ["bic", "icl"])
def test_weights_are_repetitions(criterion):
    v = np.random.default_rng(0).integers(0, 4, len(FAITHFUL))
    weighted = select_mixture(FAITHFUL, range(1, 4), sample_weight=v, criterion=criterion, rng=0)
    repeated = select_mixture(
        np.repeat(FAITHFUL, v, axis=0), range(1, 4), criterion=criterion, rng=0
    )
    for column in "log_likelihood", "bic", "icl", "aic":
        np.testing.assert_allclose(
            weighted.table[column], repeated.table[column], rtol=0.0, atol=2e-2
        )
    assert weighted.best.covariance_type == repeated.best.covariance_type
    assert weighted.best.n_rows_ == pytest.approx(v.sum(), rel=1e-12)


def test_equal_weights_are_those_of_no_weights():
    plain = select_mixture(FAITHFUL, range(1, 4), rng=0)
    equal = select_mixture(FAITHFUL, range(1, 4), sample_weight=np.full(272, 1.0), rng=0)
    np.testing.assert_allclose(plain.table["bic"], equal.table["bic"], atol=1e-5)
    tiny = select_mixture(FAITHFUL, range(1, 4), sample_weight=np.full(272, 1e-150), rng=0)
    np.testing.assert_allclose(
        tiny.table["log_likelihood"] * 1e150, plain.table["log_likelihood"], rtol=1e-9
    )


def test_cross_validation_counts_the_held_out_rows_by_their_weights():
    v = np.full(272, 2.0)
    plain = select_mixture(FAITHFUL, (1, 2), "EEE", criterion="cv", rng=1)
    twice = select_mixture(FAITHFUL, (1, 2), "EEE", criterion="cv", sample_weight=v, rng=1)
    np.testing.assert_allclose(
        twice.table["cv_log_likelihood"], 2.0 * plain.table["cv_log_likelihood"], rtol=1e-6
    )


def test_weights_of_other_rows_are_refused():
    with pytest.raises(InputError, match="sample_weight"):
        select_mixture(FAITHFUL, 2, sample_weight=np.ones(3))


def test_the_bootstrap_test_draws_as_many_rows_as_count():
    x = FAITHFUL[:60]
    v = np.random.default_rng(1).integers(0, 4, 60)
    options = {"n_resamples": 20, "rng": 2, "progressbar": False}
    weighted = bootstrap_lrt(x, 1, sample_weight=v, **options)
    repeated = bootstrap_lrt(np.repeat(x, v, axis=0), 1, **options)
    assert weighted.statistic == pytest.approx(repeated.statistic, abs=1e-5)
    np.testing.assert_allclose(weighted.replicates, repeated.replicates, atol=1e-4)
    with pytest.raises(InputError, match=r"0.5 in row 0"):
        bootstrap_lrt(x, 1, sample_weight=np.full(60, 0.5))
