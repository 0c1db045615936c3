"""The bootstrap likelihood-ratio test: known answers, reproducibility, calibration."""

import numpy as np
import pytest
from scipy.stats import binom

from bayesgmm import GaussianMixture, bootstrap_lrt, load_dataset
from bayesgmm.errors import FitError, InputError, InvalidParameterError
from bayesgmm.selection.likelihood_ratio_test import BootstrapLRT

FAITHFUL = load_dataset("faithful").X


def test_old_faithful_has_more_than_one_component():
    found = bootstrap_lrt(FAITHFUL, 1, n_resamples=39, rng=0)
    fits = [GaussianMixture(k, random_state=0).fit(FAITHFUL).log_likelihood_ for k in (1, 2)]
    assert found.statistic == pytest.approx(2 * (fits[1] - fits[0]), abs=1e-8)
    assert found.p_value == 1 / 40
    assert found.replicates.shape == (39,)
    assert (found.replicates >= 0.0).all()
    assert found.replicates.max() < found.statistic
    assert found.verdict.startswith("2 components fit significantly better than 1")
    np.testing.assert_allclose(found.null.mean(), FAITHFUL.mean(axis=0), rtol=1e-12)


def test_the_number_of_threads_changes_no_bit():
    x = np.random.default_rng(0).standard_normal((80, 2))
    one, three = (
        bootstrap_lrt(x, 1, covariance_type="tied", n_resamples=12, n_jobs=n, rng=5) for n in (1, 3)
    )
    assert one.statistic == three.statistic
    np.testing.assert_array_equal(one.replicates, three.replicates)
    other = bootstrap_lrt(x, 1, covariance_type="tied", n_resamples=12, rng=6)
    assert not np.array_equal(one.replicates, other.replicates)


def test_p_value_and_its_error_count_replicates_that_are_at_least_as_large():
    null = GaussianMixture(1).fit(FAITHFUL).mixture_
    replicates = np.array([1.0, 5.0, 3.0, np.nan, 7.0])
    found = BootstrapLRT(1, "full", 5.0, replicates, null)
    assert found.p_value == 3 / 5
    assert found.standard_error == pytest.approx(np.sqrt(0.6 * 0.4 / 5))
    assert "2 components do not fit significantly better than 1" in found.verdict
    near = BootstrapLRT(1, "full", 5.0, np.arange(19.0) / 4.0, null)
    assert near.p_value == 1 / 20
    assert "p is near .05" in near.verdict


@pytest.mark.parametrize(
    ("made", "exceeding", "sentence"),
    [
        (1, 0, "exceeds that of the only replicate, which give no p-value below 0.5 ("),
        (9, 0, "exceeds that of all 9 replicates, which give no p-value below 0.1 ("),
        (19, 0, "exceeds that of all 19 replicates, which give no p-value below 0.05 ("),
        (39, 0, "2 components fit significantly better than 1 ("),
        (999, 0, "2 components fit significantly better than 1 ("),
        (9, 1, "2 components do not fit significantly better than 1 ("),
        (199, 7, "2 components fit significantly better than 1 ("),
    ],
)
def test_a_verdict_does_not_go_beyond_the_resolution(made, exceeding, sentence):
    null = GaussianMixture(1).fit(FAITHFUL).mixture_
    replicates = np.where(np.arange(made) < exceeding, 9.0, 1.0)
    verdict = BootstrapLRT(1, "full", 5.0, replicates, null).verdict
    assert sentence in verdict
    more = {9: "Make 99 ", 19: "Make 99 ", 39: "Make 99 ", 199: "Make 1999 ", 1: "Make 99 "}
    assert (more[made] in verdict) if made in more else "Make" not in verdict


def test_progress_is_not_written_where_there_is_no_terminal(capfd):
    x = np.random.default_rng(0).standard_normal((40, 1))
    bootstrap_lrt(x, 1, n_resamples=2, rng=0, progressbar=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bad", [{"n_components": 0}, {"n_resamples": 0}, {"n_jobs": 1.5}])
def test_numbers_out_of_range_are_refused(bad):
    with pytest.raises(InvalidParameterError, match=next(iter(bad))):
        bootstrap_lrt(FAITHFUL, **bad)


def test_bad_rows_and_unfittable_rows_are_refused():
    with pytest.raises(InputError, match="infinite"):
        bootstrap_lrt([[1.0], [np.inf]])
    with pytest.raises((InputError, FitError)):
        bootstrap_lrt([[1.0], [1.0], [2.0]], 2)


def test_p_values_are_uniform_where_the_null_hypothesis_is_true():
    """40 data sets of one Gaussian, 5 replicates each: P(p <= m / 6) = m / 6.

    The parameters of the null are estimated, which for one Gaussian does not matter: the
    statistic of an affine map of the data is the same.
    """
    rng = np.random.default_rng(17)
    values = np.array(
        [
            bootstrap_lrt(
                rng.standard_normal((60, 1)), 1, covariance_type="tied", n_resamples=5, rng=seed
            ).p_value
            for seed in range(40)
        ]
    )
    for m in (1, 2, 3, 5):
        found = np.sum(values <= m / 6 + 1e-12)
        low, high = binom.ppf([1e-5, 1 - 1e-5], 40, m / 6)
        assert low <= found <= high, f"{found} of 40 at most {m}/6"
