"""BIC for other numbers of components, where K and the structure were given."""

import numpy as np
import pytest

import bayesgmm
from bayesgmm import GaussianMixture, Priors, report
from bayesgmm.reporting import neighbours

pytestmark = pytest.mark.usefixtures("undrawn")


def choice(page):
    return page.numbers["sections"]["choice"]


def test_bic_is_compared_for_1_to_k_plus_3_components(faithful_em, faithful_page):
    section = choice(faithful_page)
    grid = {row["n_components"]: row["bic"] for row in section["numbers"]["grid"]}
    assert sorted(grid) == [1, 2, 3, 4, 5]
    assert grid[2] == pytest.approx(faithful_em.bic(), abs=1e-4)
    assert section["state"] == "good"
    assert "BIC is smallest for the given K" in section["verdict"]
    assert "evidence for K = 2 among full covariances alone; --select" in section["verdict"]
    assert (
        "ICL, which favours components that overlap less, selects VVV with 2 components, too"
        in section["verdict"]
    )
    assert "--select" in section["notes"][0]
    assert "evidence(X)" in section["notes"][-1]


def test_another_k_of_smaller_bic_is_told(faithful):
    section = choice(report(faithful, 5))
    assert section["state"] == "care"
    assert "BIC is smallest for VVV with 2 components" in section["verdict"]
    assert "evidence against K = 5 among full covariances alone" in section["verdict"]


def test_the_page_marks_its_own_model_in_the_figure(faithful, faithful_page):
    assert "circle marks the smallest BIC, that of this page&#39;s model." in faithful_page.html
    other = report(faithful, 3).html
    assert "the smallest BIC; the diamond marks the model of this page." in other


@pytest.mark.parametrize(("seed", "clusters"), [(0, "2 clusters"), (2, "1 cluster")])
def test_components_of_one_skewed_group_are_not_taken_for_clusters(seed, clusters):
    x = np.random.default_rng(seed).gamma(2.0, size=(250, 2))
    section = choice(report(x, 3))
    assert section["state"] == "care"
    assert "may describe one group that is not normal" in section["verdict"]
    assert f"the 3 components are {clusters}." in section["verdict"]


def test_overlap_of_known_groups_is_not_told(faithful):
    x = np.random.default_rng(2).gamma(2.0, size=(250, 2))
    known = np.full(250, -1)
    known[:2] = 0, 1
    em = GaussianMixture(2, random_state=0).fit(x, labels=known)
    assert "not normal" not in choice(report(x, em=em))["verdict"]


def test_a_maximum_that_em_missed_is_told(faithful):
    em = GaussianMixture(3, init_params="random", n_init=1, random_state=3).fit(faithful)
    best = GaussianMixture(3, n_init=20, random_state=0).fit(faithful)
    missed = best.log_likelihood_ - em.log_likelihood_
    section = choice(report(faithful, em=em))
    assert missed > 0.1
    assert section["state"] == "care"
    assert "a maximum is known that is" in section["verdict"]


def test_one_column_has_structures_of_its_own():
    galaxies = bayesgmm.load_dataset("galaxies").X
    section = choice(report(galaxies, 3))
    assert {row["covariance_type"] for row in section["numbers"]["grid"]} == {"V"}


@pytest.mark.parametrize("why", ["priors", "weights", "many rows", "other rows", "no fit"])
def test_nothing_is_fitted_where_it_does_not_apply(faithful, why, monkeypatch, posterior_of):
    monkeypatch.setattr(neighbours, "select_mixture", None)
    em = GaussianMixture(2, random_state=0)
    rows = faithful.to_numpy()
    arguments = {}
    if why == "priors":
        em.set_params(priors=Priors(hierarchical=False))
    elif why == "weights":
        arguments = {"sample_weight": np.arange(272.0)}
    elif why == "many rows":
        rows = bayesgmm.simulate(bayesgmm.scenario("blobs"), 50_000, rng=1).X
    em.fit(rows, **arguments)
    if why == "no fit":
        made = report(rows, posterior=posterior_of(em, 272, draws=20))
    else:
        made = report(rows[:100] if why == "other rows" else rows, em=em)
    assert choice(made)["state"] == "unknown"
    assert "not compared" in choice(made)["verdict"]
