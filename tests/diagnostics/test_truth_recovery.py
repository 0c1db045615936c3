"""Recovery of a known truth: by hand-made fits, EM and posteriors."""

import numpy as np
import pytest
from scipy import stats

from bayesgmm import GaussianMixture, Mixture, random_mixture, relabel, simulate
from bayesgmm.diagnostics.truth_recovery import recovery
from bayesgmm.errors import InputError, InvalidParameterError

TRUTH = Mixture([0.3, 0.7], [0.0, 4.0], [1.0, 0.25])


def test_a_bare_mixture_under_other_labels():
    fit = Mixture([0.6, 0.4], [4.1, 0.2], [0.25, 1.44])
    found = recovery(fit, TRUTH)
    table = found.table
    assert found.order.tolist() == [1, 0]
    assert table.loc["weight[0]", ["truth", "estimate", "error"]].tolist() == pytest.approx(
        [0.3, 0.4, 0.1]
    )
    assert table.loc["sd[0, x0]", "estimate"] == pytest.approx(1.2)
    assert table[["spread", "lower", "upper", "covered", "z"]].isna().all().all()
    assert "No standard errors" in found.notes[0]


def test_distances_of_densities_are_those_of_one_gaussian():
    # KL and Hellinger of two Gaussians in closed form.
    p, q = Mixture([1.0], [0.0], [1.0]), Mixture([1.0], [0.5], [2.0])
    whole = recovery(q, p).whole
    kl = 0.5 * (1 / 2 + 0.25 / 2 - 1 + np.log(2.0))
    affinity = np.sqrt(2 * np.sqrt(2.0) / 3) * np.exp(-0.25 * 0.25 / 3)
    for name, exact in (
        ("KL divergence", kl),
        ("Hellinger distance", np.sqrt(1 - affinity)),
    ):
        value, error = whole.loc[name]
        # Four standard errors: a false alarm in 16,000.
        assert abs(value - exact) < 4 * error
        assert error < 0.02


def test_rates_of_error():
    truth = Mixture([0.5, 0.5], [0.0, 2.0], [1.0, 1.0])
    whole = recovery(truth, truth).whole
    assert whole.value["KL divergence"] == 0.0
    assert whole.value["Hellinger distance"] == 0.0
    assert whole.value["error rate"] == whole.value["least error rate"]
    value, error = whole.loc["least error rate"]
    assert abs(value - stats.norm.cdf(-1.0)) < 4 * error


def test_an_em_fit_with_its_simulation():
    truth = random_mixture(3, 2, average_overlap=0.01, rng=1)
    data = simulate(truth, 1000, rng=2)
    fit = GaussianMixture(3, random_state=0).fit(data.X)
    found = recovery(fit, data, prob=0.9)
    assert found.notes == ()
    assert found.table.attrs == {"prob": 0.9, "kind": "normal"}
    errors = fit.standard_errors(data.X)
    k = found.order[1]
    row = found.table.loc["mean[1, x0]"]
    assert row.spread == errors.means[k, 0]
    assert row.z == pytest.approx((fit.means_[k, 0] - truth.means[1, 0]) / errors.means[k, 0])
    assert row.covered == (abs(row.z) <= stats.norm.ppf(0.95))
    assert found.whole.value["adjusted Rand index"] > 0.9
    # Of 21 numbers at 90 %: binomial, false alarm below 1e-4.
    assert found.table.covered.sum() >= stats.binom.ppf(1e-4, 21, 0.85)
    given = recovery(errors, data).table
    assert given.equals(found.table)
    bare = recovery(fit, truth)
    assert "Simulation" in bare.notes[0]


def test_numbers_of_components_that_differ():
    truth = random_mixture(3, 2, average_overlap=0.001, rng=3)
    two = Mixture([0.5, 0.5], truth.means[[2, 0]], truth.covariances[[2, 0]])
    found = recovery(two, truth)
    assert found.order.tolist() == [1, -1, 0]
    assert "True components without a counterpart in the fit: 1." in " ".join(found.notes)
    assert found.table.loc["mean[1, x0]"].isna().sum() >= 5
    assert found.table.loc["mean[2, x1]", "error"] == 0.0
    back = recovery(truth, two)
    assert "Components without a counterpart in the truth: 1." in " ".join(back.notes)
    assert back.table.estimate.notna().all()
    with pytest.raises(InvalidParameterError, match="2 features"):
        recovery(truth, TRUTH)
    with pytest.raises(InvalidParameterError, match="prob"):
        recovery(truth, truth, prob=0.0)
    with pytest.raises(InvalidParameterError, match="prob must be a number between"):
        recovery(truth, truth, prob="a")
    with pytest.raises(
        InvalidParameterError, match="fit must be a Mixture or a fitted GaussianMixture, not 'fit'"
    ):
        recovery("fit", truth)


def test_a_posterior(sampled):
    data, fit, tree = sampled
    with pytest.raises(InputError, match="Relabel first"):
        recovery(tree, data)
    found = recovery(relabel(tree, reference=fit), data, prob=0.8)
    assert found.table.attrs == {"prob": 0.8, "kind": "quantile"}
    assert found.table.z.abs().max() < 4
    width = found.table.upper - found.table.lower
    # Nearly normal: 80 % intervals of 2.56 standard deviations.
    np.testing.assert_allclose(width / found.table.spread, 2 * stats.norm.ppf(0.9), rtol=0.1)
