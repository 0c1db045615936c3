"""Starts: what they depend on, and that the choice among maxima does not depend on the units."""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, load_dataset, random_mixture, simulate
from bayesgmm.covariance.structures import as_structure
from bayesgmm.initialisation.starts import Sample, Views, portfolio
from bayesgmm.priors.objective import Objective


def views_of(x, seed=0):
    return Views(Sample(x, np.ones(len(x)), whole=True), np.random.default_rng(seed))


def gram(z):
    centred = z - z.mean(axis=0)
    return centred @ centred.T


def affine(rng, d):
    return rng.standard_normal((d, d)) + 2.0 * np.eye(d)


def test_whitened_rows_and_the_near_metric_see_no_linear_map():
    rng = np.random.default_rng(0)
    x = load_dataset("iris").X
    mapped = x @ affine(rng, 4).T
    for view in ("whitened", "near"):
        here, there = (gram(getattr(views_of(each), view)) for each in (x, mapped))
        np.testing.assert_allclose(here, there, atol=1e-9 * abs(here).max(), err_msg=view)


def test_near_pairs_find_the_covariance_within_groups():
    """Three groups of one covariance far apart: all rows' covariance says nothing of it."""
    rng = np.random.default_rng(1)
    within = np.array([[4.0, 1.9], [1.9, 1.0]])
    centres = 60.0 * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    x = np.repeat(centres, 200, axis=0)
    x += rng.multivariate_normal(np.zeros(2), within, len(x))
    conditions = [
        np.linalg.cond(np.mean([np.cov(each.T) for each in z.reshape(3, 200, 2)], axis=0))
        for z in (views_of(x).whitened, views_of(x).near)
    ]
    assert conditions[0] > 50.0
    assert conditions[1] < 0.2 * conditions[0]


def test_the_four_kinds_come_first_then_each_merge_tree_once():
    x = load_dataset("faithful").X
    names = {}
    for code in ("VVV", "EEE", "VVI", "VII"):
        structure = as_structure(code)
        rng = np.random.default_rng(0)
        starts = portfolio(views_of(x), 3, Objective(structure), rng)
        names[code] = [next(starts).name for _ in range(20)]
    first = ["k-means", "random rows", "k-means", "k-means, whitened"]
    for each in names.values():
        assert each[:4] == first
        assert all(name.startswith("hierarchical") for name in each[4:7])
        assert not any(name.startswith("hierarchical") for name in each[7:])
    assert names["VVV"][4:7] == ["hierarchical, VVV", "hierarchical, EEE", "hierarchical, EII"]


def test_trees_are_made_of_a_part_of_many_rows_chosen_by_the_seed():
    x = np.random.default_rng(2).standard_normal((1500, 2))
    one, again, other = views_of(x), views_of(x), views_of(x, seed=1)
    assert len(one.chosen) == 1000
    np.testing.assert_array_equal(one.chosen, again.chosen)
    assert not np.array_equal(one.chosen, other.chosen)
    made = one.cut("EEE", "whitened", 4, Objective(as_structure("VVV")))
    assert made is not None
    assert made.parameters.weights.sum() == pytest.approx(1.0, abs=1e-14)
    few = views_of(x[:30] @ np.ones((2, 40)) + np.random.default_rng(3).standard_normal((30, 40)))
    assert few.cut("VVV", "whitened", 31, Objective(as_structure("VVV"))) is None


def simulated(seed):
    truth = random_mixture(4, 3, average_overlap=0.03, rng=seed)
    return simulate(truth, 200, rng=seed).X


DATA = {
    "faithful": load_dataset("faithful").X,
    "iris": load_dataset("iris").X,
    "simulated": simulated(0),
}


def rotation(rng, d):
    return np.linalg.qr(rng.standard_normal((d, d)))[0] * np.exp(rng.uniform(-5, 5))


# What may be done to the data without leaving the structure.
FREEDOM = {
    "full": affine,
    "tied": affine,
    "diag": lambda rng, d: np.diag(np.exp(rng.uniform(-5, 5, d))),
    "spherical": rotation,
}


@pytest.mark.parametrize("covariance_type", FREEDOM)
@pytest.mark.parametrize("name", DATA)
def test_the_choice_among_optima_does_not_depend_on_coordinates(name, covariance_type):
    """Two to six components, two maps each."""
    x = DATA[name]
    n, d = x.shape
    rng = np.random.default_rng(11)
    for k in (2, 3, 4, 5, 6):
        fit = GaussianMixture(k, covariance_type=covariance_type, random_state=k).fit(x)
        for _ in range(2):
            matrix = FREEDOM[covariance_type](rng, d)
            mapped = GaussianMixture(k, covariance_type=covariance_type, random_state=k)
            mapped.fit(x @ matrix.T + rng.standard_normal(d))
            shift = n * np.linalg.slogdet(matrix)[1]
            assert mapped.log_likelihood_ + shift == pytest.approx(fit.log_likelihood_, abs=1e-6)


def test_merge_trees_that_collapse_are_discarded_with_their_reason():
    """Six equal rows inside a group: a tree keeps them together, and EM collapses on them."""
    rng = np.random.default_rng(5)
    x = np.concatenate((rng.standard_normal((100, 2)), np.full((6, 2), 1.5)))
    fit = GaussianMixture(4, random_state=0).fit(x)
    trees = fit.starts_[fit.starts_["start"].str.startswith("hierarchical")]
    lost = trees["outcome"].str.contains("collapsed onto too few distinct rows")
    assert lost.any()
    assert np.isnan(trees["log_likelihood"][lost]).all()
    assert fit.converged_
    assert fit.covariances_.shape == (4, 2, 2)
    assert np.linalg.eigvalsh(fit.covariances_).min() > 1e-6
