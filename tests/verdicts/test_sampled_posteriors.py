"""The diagnostics on the package's own posterior."""

import numpy as np
import pytest
import xarray as xr

import bayesgmm
from bayesgmm import Mixture
from bayesgmm.data.validation import Data
from bayesgmm.posterior.reader import (
    read_draws,
)


@pytest.fixture(scope="module")
def sampled():
    mixture = Mixture([0.5, 0.3, 0.2], [[0, 0], [7, 0], [0, 7]], [np.eye(2)] * 3, ["width", "a/b"])
    rows = bayesgmm.simulate(mixture, 120, rng=1).X
    frame = {"X": rows, "fit": bayesgmm.GaussianMixture(3, random_state=0).fit(rows)}
    frame["posterior"] = bayesgmm.sample_posterior(rows, 3, draws=1000, rng=5, progressbar=False)
    return frame


def test_labels_are_em_s_after_relabelling(sampled):
    found = bayesgmm.label_switching(sampled["posterior"])
    assert found.verdict == "between chains"
    assert found.r_hat("as sampled") > 1.5
    assert found.r_hat("relabelled") <= 1.01
    relabelled = bayesgmm.relabel(sampled["posterior"])
    assert relabelled["relabelling"].attrs["reference"] == "EM's fit"
    means = relabelled["posterior"]["means"].mean(("chain", "draw"))
    np.testing.assert_allclose(means, sampled["fit"].means_, atol=0.5)
    given = bayesgmm.relabel(sampled["posterior"], reference=sampled["fit"])
    xr.testing.assert_identical(
        given["posterior"].to_dataset(), relabelled["posterior"].to_dataset()
    )


def test_every_group_survives_and_netcdf_takes_it(sampled, tmp_path):
    relabelled = bayesgmm.relabel(sampled["posterior"])
    assert set(relabelled.children) == {*sampled["posterior"].children, "relabelling"}
    relabelled.to_netcdf(tmp_path / "posterior.nc")
    with xr.open_datatree(tmp_path / "posterior.nc") as back:
        assert back["posterior"].attrs["relabelled"] == "ecr"
        np.testing.assert_array_equal(read_draws(back).means, read_draws(relabelled).means)


def test_the_log_likelihood_is_the_sampler_s(sampled):
    from bayesgmm.labels.memberships import Responsibilities

    draws = read_draws(sampled["posterior"])
    ours = Responsibilities(draws, Data(sampled["X"], None)).log_likelihoods()
    theirs = sampled["posterior"]["log_likelihood"]["X"].sum("row").values.ravel()
    np.testing.assert_allclose(ours, theirs, rtol=1e-11)
