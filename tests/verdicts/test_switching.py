"""The verdicts, each on a posterior of which it is known to be true."""

import json

import arviz as az
import numpy as np
import pytest
import xarray as xr

import bayesgmm
from bayesgmm.convergence.agreement import r_hat_and_ess
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError
from bayesgmm.labels import labelling
from bayesgmm.labels.relabelling import relabel
from bayesgmm.posterior.reader import (
    read_draws,
)
from bayesgmm.verdicts.redundancy import redundancy
from bayesgmm.verdicts.switching import (
    INVARIANT,
    RELABELLED,
    SAMPLED,
    label_switching,
)


def test_between_chains(galaxies):
    found = label_switching(galaxies)
    assert found.verdict == "between chains"
    assert found.r_hat(SAMPLED) > 1.5
    assert found.r_hat(RELABELLED) <= 1.01
    assert found.r_hat(INVARIANT) <= 1.01
    assert found.chains["modal labelling"].nunique() == 4
    assert (found.chains["proportion"] > 0.99).all()
    modal = found.labellings.iloc[:4]
    np.testing.assert_allclose(modal["proportion"], 0.25, atol=0.005)
    # A labelling that a chain never leaves is known no better than by four coin throws.
    assert (modal["mcse"] > 0.1).all()


def test_within_chains(overlapping):
    found = label_switching(overlapping)
    assert found.verdict == "within chains"
    assert found.r_hat(SAMPLED) > 1.1
    assert found.r_hat(RELABELLED) <= 1.01
    assert found.chains["switches"].sum() >= 4
    assert found.ambiguous.mean() > 0
    assert found.labellings["proportion"].sum() == pytest.approx(1.0)


def test_two_optima_are_never_repaired(two_optima):
    found = label_switching(two_optima)
    assert found.verdict == "no convergence"
    assert found.r_hat(RELABELLED) > 1.5
    assert found.r_hat(INVARIANT) > 1.5
    for method in ("ecr", "stephens", "pra", "ecr-iterative-2"):
        assert az.rhat(relabel(two_optima, method=method), var_names="means")["means"].max() > 1.5


def test_one_component_too_many(too_many):
    found = label_switching(too_many)
    assert found.verdict == "overfitted or unidentified component"
    assert "Fit 3 components" in found.advice


def test_no_switching(galaxies):
    found = label_switching(relabel(galaxies)["posterior"].to_dataset(),
                            X=galaxies["observed_data"]["X"].values)  # fmt: skip
    assert found.verdict == "no switching"
    assert found.r_hat(SAMPLED) <= 1.01


def test_a_relabelled_posterior_is_seen_as_it_was_sampled(galaxies):
    raw, relabelled = label_switching(galaxies), label_switching(relabel(galaxies))
    assert relabelled.verdict == raw.verdict
    np.testing.assert_array_equal(relabelled.permutations, raw.permutations)
    assert relabelled.statistics.equals(raw.statistics)


def test_one_labelling_serves_diagnosis_and_relabelling(galaxies, monkeypatch):
    calls = []
    plain = labelling.GAUSSIAN["ecr"]
    monkeypatch.setitem(labelling.GAUSSIAN, "ecr", lambda p: calls.append(1) or plain(p))
    found = label_switching(galaxies)
    tree = found.relabelled()
    assert len(calls) == 1
    xr.testing.assert_identical(tree, relabel(galaxies))
    again = label_switching(tree)
    xr.testing.assert_identical(again.relabelled(), tree)


def test_redundancy_is_the_loss_of_merging_or_removing(too_many):
    """Against mixtures made by hand, on one draw."""
    draws, rows = read_draws(too_many), too_many["observed_data"]["X"].values
    found = redundancy(draws, Data(rows, None))
    assert found.parameters == 6
    mixture = draws.mixture(0, 0)
    losses = []
    for i in range(4):
        for j in range(i):
            pair = mixture.weights[[i, j]] / mixture.weights[[i, j]].sum()
            both = bayesgmm.Mixture(pair, mixture.means[[i, j]], mixture.covariances[[i, j]])
            rest = [k for k in range(4) if k not in (i, j)]
            merged = bayesgmm.Mixture(
                [*mixture.weights[rest], mixture.weights[[i, j]].sum()],
                [*mixture.means[rest], both.mean()],
                [*mixture.covariances[rest], both.covariance()],
            )
            losses.append((mixture.log_density(rows) - merged.log_density(rows)).sum())
    for i in range(4):
        rest = [k for k in range(4) if k != i]
        fewer = bayesgmm.Mixture(
            mixture.weights[rest] / mixture.weights[rest].sum(),
            mixture.means[rest],
            mixture.covariances[rest],
        )
        losses.append((mixture.log_density(rows) - fewer.log_density(rows)).sum())
    assert found.losses[0, 0] == pytest.approx(min(losses), abs=1e-8)


def test_tables_and_texts(galaxies):
    found = label_switching(galaxies)
    assert list(found.table.index) == [SAMPLED, RELABELLED, INVARIANT]
    parameters = (found.statistics["form"] == SAMPLED).sum()
    assert parameters == 3 * (1 + 1 + 1) == (found.statistics["form"] == RELABELLED).sum()
    text = found.summary()
    for said in (found.verdict, found.explanation, found.advice, found.caveat, "modal labelling"):
        assert said in text
    assert "not that they cover the whole posterior" in found.caveat
    assert json.loads(json.dumps(found.to_dict(), default=float))["verdict"] == "between chains"


def test_r_hat_and_ess_are_arviz_s(galaxies):
    means = galaxies["posterior"]["means"].values[..., 1, 0]
    r_hat, bulk, tail = r_hat_and_ess(means)
    assert r_hat == float(az.rhat(galaxies, var_names="means")["means"][1, 0])
    assert bulk == float(az.ess(galaxies, var_names="means", method="bulk")["means"][1, 0])
    assert tail == float(
        az.ess(galaxies, var_names="means", method="tail", prob=(0.05, 0.95))["means"][1, 0]
    )


def test_r_hat_where_it_is_not_defined():
    rng = np.random.default_rng(0)
    assert np.isnan(r_hat_and_ess(rng.standard_normal((4, 3)))).all()
    assert np.isnan(r_hat_and_ess(np.ones((4, 100)))).all()
    assert r_hat_and_ess(np.repeat([[1.0], [2.0]], 100, axis=1))[0] == np.inf
    r_hat, bulk, _ = r_hat_and_ess(rng.standard_normal((1, 100)))
    assert np.isnan(r_hat)
    assert bulk > 0


def test_one_chain(galaxies):
    found = label_switching(galaxies.isel(chain=[0]))
    assert found.verdict == "convergence not assessed"
    assert "with a single chain" in found.explanation
    assert any("compares chains" in note for note in found.notes)
    assert "nan" in found.summary().lower()


@pytest.mark.parametrize("draws", [1, 2, 4])
def test_few_draws(galaxies, draws):
    found = label_switching(galaxies.isel(draw=slice(draws)))
    assert found.permutations.shape == (4, draws, 3)
    assert found.verdict == ("no convergence" if draws == 4 else "convergence not assessed")
    assert any("at least 4 draws" in note for note in found.notes) == (draws < 4)
    found.summary()


def test_missing_groups(galaxies):
    found = label_switching(galaxies["posterior"].to_dataset())
    assert found.method == "ecr"
    assert found.chains["modal labelling"].nunique() == 4
    assert found.r_hat(RELABELLED) <= 1.01
    assert any("no observed_data" in note for note in found.notes)
    assert (found.chains["redundant"] < 0.1).all()
    assert found.state == "care"
    assert found.evidence.loc["the draws describe the rows", "result"] == "not checked"
    with pytest.raises(InputError, match="no group 'posterior'"):
        label_switching(galaxies.filter(lambda node: node.name == "observed_data"))


def test_one_component_has_no_labels():
    import gibbs

    rows = bayesgmm.load_dataset("galaxies").X
    tree = gibbs.posterior(rows, 1, starts=[np.zeros(82, int)] * 4, draws=300, tune=10, rng=1)
    assert label_switching(tree).verdict == "no switching"
