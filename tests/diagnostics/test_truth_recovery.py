"""Recovery of a known truth: by hand-made fits, EM and posteriors."""

import gibbs
import numpy as np
import pytest
from scipy import stats

from bayesgmm import GaussianMixture, Mixture, random_mixture, relabel, simulate
from bayesgmm.diagnostics.em_vs_posterior import compare_engines
from bayesgmm.diagnostics.truth_recovery import recovery
from bayesgmm.errors import InputError, InvalidParameterError, NotFittedError

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


@pytest.fixture(scope="module")
def sampled():
    """Data of known truth, EM's fit, and a posterior whose chains have labels of their own."""
    data = simulate(TRUTH, 400, rng=5)
    starts = [data.labels, 1 - data.labels] * 2
    tree = gibbs.posterior(data.X, 2, starts=starts, draws=500, thin=2, tune=100, rng=6)
    return data, GaussianMixture(2, random_state=0).fit(data.X), tree


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


def test_the_engines_agree(sampled):
    _, fit, tree = sampled
    with pytest.raises(InputError, match="another labelling"):
        compare_engines(fit, tree)
    found = compare_engines(fit, relabel(tree, reference=fit))
    table = found.table
    assert found.verdict.startswith("EM and the posterior agree")
    assert table.loc["mean[1, x0]", "em"] == fit.means_[1, 0]
    np.testing.assert_allclose(table.standard_error, table.posterior_sd, rtol=0.2)
    assert table.difference.abs().max() < 0.5
    assert found.log_likelihood["em"] == pytest.approx(fit.log_likelihood_)
    assert found.log_likelihood["em"] > found.log_likelihood["posterior_mean"]
    assert table.contraction.isna().all()
    assert "does not state its priors" in " ".join(found.notes)


def test_a_wrong_or_missing_estimate_is_refused(sampled):
    _, _, tree = sampled
    with pytest.raises(InvalidParameterError, match="em must be a Mixture or a fitted Gaussian"):
        compare_engines(tree, tree)
    with pytest.raises(NotFittedError, match="em is a GaussianMixture that is not fitted"):
        compare_engines(GaussianMixture(2), tree)
    with pytest.raises(InputError, match="does not include EM's estimate"):
        compare_engines(None, tree)


def test_other_labels_of_the_fit_do_not_matter(sampled):
    _, fit, tree = sampled
    aligned = relabel(tree, reference=fit)
    plain = compare_engines(fit.mixture_, aligned).table
    turned = compare_engines(fit.mixture_.permuted([1, 0]), aligned).table
    assert turned.loc["mean[0, x0]"].equals(plain.loc["mean[1, x0]"])
    assert plain.standard_error.isna().all()


def test_priors_give_contraction_and_engines_may_differ(sampled):
    import json

    from bayesgmm import Priors

    data, fit, tree = sampled
    aligned = relabel(tree, reference=fit)
    priors = Priors().for_data(data.X, 2)
    aligned["posterior"].attrs["priors"] = json.dumps(priors.to_dict())
    table = compare_engines(fit, aligned).table
    sd = table.posterior_sd
    expected = 1 - sd["mean[0, x0]"] ** 2 / priors.mean_sd[0] ** 2
    assert table.contraction["mean[0, x0]"] == pytest.approx(expected)
    # Dirichlet(2, 2) has variance 1 / 20.
    assert table.contraction["weight[0]"] == pytest.approx(1 - sd["weight[0]"] ** 2 * 20)
    off = Mixture([0.3, 0.7], [0.5, 4.0], [1.0, 0.25])
    found = compare_engines(off, aligned)
    assert found.verdict.startswith("EM and the posterior differ")
    assert "mean[0, x0]" in found.verdict


def test_without_rows_and_with_another_size(sampled):
    _, fit, tree = sampled
    aligned = relabel(tree, reference=fit)
    found = compare_engines(fit, aligned["posterior"].to_dataset())
    assert found.table.standard_error.isna().all()
    assert np.isnan(found.log_likelihood["em"])
    assert "without the rows" in found.notes[0]
    with pytest.raises(InputError, match="3 components in 1 features"):
        compare_engines(Mixture([0.2, 0.3, 0.5], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0]), aligned)
