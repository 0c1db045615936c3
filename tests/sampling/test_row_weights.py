"""Posteriors of rows that count several times, or not at all."""

import numpy as np
import pytest
import xarray as xr

from bayesgmm import (
    GaussianMixture,
    compare_engines,
    filled_components,
    label_switching,
    load_dataset,
    log_likelihood,
    mixture_model,
    relabel,
    report,
    sample_posterior,
)
from bayesgmm.errors import InputError
from bayesgmm.likelihood.responsibilities_of_draws import DrawnRows
from bayesgmm.posterior.reader import (
    read_draws,
    read_rows,
)

FAITHFUL = load_dataset("faithful").X
COUNTS = np.random.default_rng(0).integers(0, 4, len(FAITHFUL))
SHORT = {"draws": 200, "tune": 300, "chains": 2, "rng": 3, "progressbar": False}


@pytest.fixture(scope="module")
def weighted():
    return sample_posterior(FAITHFUL, 2, sample_weight=COUNTS, **SHORT)


@pytest.fixture(scope="module")
def repeated():
    return sample_posterior(np.repeat(FAITHFUL, COUNTS, axis=0), 2, **SHORT)


def test_weights_are_repetitions(weighted, repeated):
    """Means of 400 draws of two runs: within five standard errors, of some 200 effective draws."""
    one, other = (relabel(each)["posterior"].to_dataset() for each in (weighted, repeated))
    for name in ("weights", "means", "covariances"):
        spread = other[name].std(("chain", "draw")) / np.sqrt(100.0)
        apart = abs(one[name].mean(("chain", "draw")) - other[name].mean(("chain", "draw")))
        assert float((apart / spread).max()) < 5.0
    assert weighted["constant_data"]["em_log_likelihood"] == pytest.approx(
        float(repeated["constant_data"]["em_log_likelihood"]), rel=1e-9
    )


def test_the_weights_are_stored_and_read(weighted, repeated, tmp_path):
    weighted.to_netcdf(tmp_path / "posterior.nc")
    with xr.open_datatree(tmp_path / "posterior.nc") as found:
        again = found.load()
    for X in (None, FAITHFUL):
        np.testing.assert_array_equal(read_rows(again, 2, X).weights, COUNTS)
    assert read_rows(again, 2, FAITHFUL[::-1]).weights is None
    draws = read_draws(again)
    one, other = (
        DrawnRows(read_rows(tree, 2), *draws.stacked()).contract(np.ones((n, 1)))
        for tree, n in ((again, 272), (repeated, COUNTS.sum()))
    )
    np.testing.assert_allclose(one[0], other[0], rtol=1e-11)
    np.testing.assert_allclose(one[1], other[1], rtol=1e-11)
    # The log densities of rows are those of rows, whatever their weights.
    assert log_likelihood(again).shape == (2, 200, 272)


def test_diagnostics_count_rows_by_their_weights(weighted, repeated):
    """The same draws beside weighted and beside repeated rows."""
    beside = xr.DataTree.from_dict(
        {"posterior": weighted["posterior"].to_dataset(), "observed_data": xr.Dataset(
            {"X": (("row", "feature"), np.repeat(FAITHFUL, COUNTS, axis=0))}
        )}
    )  # fmt: skip
    for method in ("ecr", "stephens", "ecr-iterative-1", "data-based"):
        one, other = (
            label_switching(tree, method=method, reference=None) for tree in (weighted, beside)
        )
        np.testing.assert_array_equal(one.labelling.permutations, other.labelling.permutations)
        assert one.verdict == other.verdict
        np.testing.assert_allclose(one.labelling.exchanged, other.labelling.exchanged, atol=1e-12)
    assert filled_components(weighted, rng=0)["probability"][2] == 1.0


def test_engines_agree_under_weights(weighted):
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL, sample_weight=COUNTS)
    one = compare_engines(fit, relabel(weighted))
    other = compare_engines(None, relabel(weighted))
    assert one.verdict.startswith("EM and the posterior agree")
    np.testing.assert_allclose(
        one.table["standard_error"], other.table["standard_error"], rtol=1e-5
    )
    assert one.log_likelihood["em"] == pytest.approx(fit.log_likelihood_, rel=1e-9)


def test_a_weighted_fit_hands_its_weights_on():
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL, sample_weight=COUNTS)
    posterior = sample_posterior(FAITHFUL, init=fit, **SHORT)
    np.testing.assert_array_equal(posterior["constant_data"]["sample_weight"], COUNTS)
    page = report(FAITHFUL, em=fit, posterior=posterior)
    assert "Not computed: the rows have weights, which replicates lack" in page.html


def test_the_model_and_its_own_sampler_take_weights():
    posterior = sample_posterior(
        FAITHFUL, 2, sample_weight=COUNTS, nuts_sampler="pymc", draws=50, tune=200, chains=1,
        rng=1, progressbar=False,
    )  # fmt: skip
    np.testing.assert_array_equal(posterior["constant_data"]["sample_weight"], COUNTS)
    means = relabel(posterior)["posterior"]["means"].mean(("chain", "draw"))
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL, sample_weight=COUNTS)
    np.testing.assert_allclose(means, fit.means_, atol=1.0)


def test_a_weight_for_each_row():
    for call in (sample_posterior, mixture_model):
        with pytest.raises(InputError, match="one weight for each row"):
            call(FAITHFUL, 2, sample_weight=[1.0])
