"""Comparison of EM with posteriors of known nature."""

import json

import numpy as np
import pandas as pd
import pytest

from bayesgmm import GaussianMixture, Mixture, Priors, relabel, sample_posterior
from bayesgmm.diagnostics.em_vs_posterior import compare_engines
from bayesgmm.errors import InputError, InvalidParameterError, NotFittedError


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


@pytest.mark.parametrize("kind", ["labels", "fixed"])
def test_a_fit_and_a_posterior_of_two_models_are_refused(sampled, kind):
    """Their differences are not those of the engines."""
    data, plain, _ = sampled
    labels = np.where(np.arange(len(data.X)) < 20, data.labels, -1)
    if kind == "labels":
        other = GaussianMixture(2, random_state=0).fit(data.X, labels=labels)
    else:
        held = {"means": [[0.0], [np.nan]]}
        other = GaussianMixture(2, fixed=held, random_state=0).fit(data.X)
    short = {"draws": 20, "tune": 200, "chains": 1, "progressbar": False, "rng": 1}
    words = {"labels": "known labels", "fixed": "held parameters"}[kind]
    posteriors = [relabel(sample_posterior(data.X, init=fit, **short)) for fit in (plain, other)]
    with pytest.raises(InputError, match=f"The fit has {words}, but the posterior has none"):
        compare_engines(other, posteriors[0])
    with pytest.raises(InputError, match=f"The posterior has {words}, but the fit has none"):
        compare_engines(plain, posteriors[1])
    assert len(compare_engines(other, posteriors[1]).table) == 6


def test_priors_give_contraction_and_engines_may_differ(sampled):
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
    with pytest.raises(InputError, match="3 components in 1 feature"):
        compare_engines(Mixture([0.2, 0.3, 0.5], [0.0, 1.0, 2.0], [1.0, 1.0, 1.0]), aligned)


def test_other_rows_than_the_posterior_s_are_refused(sampled):
    data, fit, tree = sampled
    aligned = relabel(tree, reference=fit)
    whole = compare_engines(fit, aligned, X=data.X)
    # Standard errors are sums over the rows, whose rounding depends on their order.
    turned = compare_engines(fit, aligned, X=data.X[::-1])
    pd.testing.assert_frame_equal(whole.table, turned.table, rtol=1e-9)
    half = GaussianMixture(2, random_state=0).fit(data.X[:200])
    with pytest.raises(InputError, match="X are 200 other rows than the 400 for which"):
        compare_engines(half, aligned, X=data.X[:200])
    with pytest.raises(InputError, match="not a maximum for X"):
        compare_engines(half, aligned)
