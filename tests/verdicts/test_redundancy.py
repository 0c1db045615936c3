"""Redundancy counts the parameters of the structure that the draws have."""

from dataclasses import replace

import known_posteriors
import numpy as np
import pytest

from bayesgmm import GaussianMixture, Mixture, label_switching, load_dataset
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.posterior.draws import Draws
from bayesgmm.posterior.reader import (
    read_draws,
)
from bayesgmm.verdicts.redundancy import redundancy

FORMS = {"full": 1 + 10 + 55, "diag": 1 + 10 + 10, "spherical": 1 + 10 + 1, "tied": 1 + 10}


def restricted(covariances, form):
    """Covariances (chain, draw, K, D, D) brought to a form."""
    d = covariances.shape[-1]
    variances = np.diagonal(covariances, axis1=-2, axis2=-1)
    if form == "spherical":
        variances = np.broadcast_to(variances.mean(axis=-1, keepdims=True), variances.shape)
    if form in ("diag", "spherical"):
        return variances[..., np.newaxis] * np.eye(d)
    if form == "tied":
        pooled = covariances.mean(axis=2, keepdims=True)
        return np.ascontiguousarray(np.broadcast_to(pooled, covariances.shape))
    return covariances


@pytest.fixture(scope="module")
def clear():
    return known_posteriors.make("none", 1, k=3, d=10, n=240, separation=6.0, draws=400).tree


@pytest.mark.parametrize("form", FORMS)
def test_clear_clusters_are_not_redundant_under_any_structure(clear, form):
    """Three clusters of 80 rows in ten columns, 6 standard deviations apart."""
    tree = clear.copy()
    group = tree["posterior"].to_dataset()
    dims = group["covariances"].dims
    tree["posterior"] = group.assign(
        covariances=(dims, restricted(group["covariances"].values, form))
    )
    found = redundancy(read_draws(tree), Data(tree["observed_data"]["X"].values, None))
    assert found.parameters == FORMS[form]
    verdict = label_switching(tree)
    assert verdict.verdict == "no switching", verdict.explanation
    assert verdict.evidence.loc["no component is redundant", "figure"] == 0.0


@pytest.mark.parametrize("form", ["diag", "spherical", "tied"])
def test_the_merged_mixture_has_the_structure(form):
    """Against mixtures made by hand, on one draw of two components that cannot be removed."""
    known = known_posteriors.make("none", 3, k=2, d=2, n=120, separation=3.0)
    draws, X = read_draws(known.tree), known.tree["observed_data"]["X"].values
    one = Draws(
        draws.weights[:1, :1], draws.means[:1, :1], restricted(draws.covariances[:1, :1], form)
    )
    mixture = one.mixture(0, 0)
    whole = restricted(mixture.covariance()[None, None, None], form)[0, 0]
    alone = Mixture([1.0], [mixture.mean()], whole)
    expected = (mixture.log_density(X) - alone.log_density(X)).sum()
    assert redundancy(one, Data(X, None)).losses[0, 0] == pytest.approx(expected, abs=1e-8)


TIED = ["VEI", "EVI", "VEE", "EVV", "EVE", "VVE", "EEV", "VEV"]


@pytest.mark.parametrize("code", TIED)
def test_components_that_share_parts_have_fewer_parameters(code):
    """Two clear clusters, and one component too many for one of them."""
    structure = as_structure(code)
    X = np.concatenate([load_dataset("faithful").X / [1.0, 14.0]])
    fit = GaussianMixture(2, covariance_type=code, random_state=0).fit(X)
    two = fit.mixture_
    three = Mixture(
        [two.weights[0], *[0.5 * two.weights[1]] * 2],
        two.means[[0, 1, 1]],
        two.covariances[[0, 1, 1]],
    )
    for mixture, spare in ((two, 0.0), (three, 1.0)):
        shape = (2, 30)
        draws = Draws(
            *(np.broadcast_to(each, (*shape, *each.shape)).copy()
              for each in (mixture.weights, mixture.means, mixture.covariances))
        )  # fmt: skip
        found = redundancy(draws, Data(X, None), structure=structure)
        k = mixture.n_components
        fewer = [structure.n_parameters(each, 2) for each in (k, k - 1)]
        assert found.parameters == fewer[0] - fewer[1]
        assert found.redundant.tolist() == [spare, spare]
    # Two equal components merged are the two components of the fit.
    np.testing.assert_allclose(found.losses, 0.0, atol=0.05)


def test_outliers_are_parameters_of_their_component():
    known = known_posteriors.make("none", 3, k=2, d=2, n=120, separation=3.0)
    draws, X = read_draws(known.tree), Data(known.tree["observed_data"]["X"].values, None)
    share, inflation = np.full(draws.weights.shape, 0.1), np.full(draws.weights.shape, 9.0)
    contaminated = replace(draws, outliers=(share, inflation))
    assert redundancy(contaminated, X).parameters == redundancy(draws, X).parameters + 2
