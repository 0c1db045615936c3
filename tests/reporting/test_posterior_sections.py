"""What a report says of a posterior, of a truth and of a grid, whole or in part."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesgmm
from bayesgmm import GaussianMixture, report
from bayesgmm.labels import labelling
from bayesgmm.selection.model_selection import STANDS_FOR_BOTH

pytestmark = pytest.mark.usefixtures("undrawn")

FAITHFUL_ROWS = 272


@pytest.fixture(scope="module")
def made(faithful, faithful_em, posterior_of):
    posterior = posterior_of(faithful_em, FAITHFUL_ROWS)
    return report(faithful, em=faithful_em, posterior=posterior)


def test_labels_are_undone_before_anything_is_summarised(made):
    sections = made.numbers["sections"]
    assert sections["switching"]["numbers"]["verdict"] == "between chains"
    assert sections["switching"]["state"] == "good"
    assert sections["posterior"]["state"] == "good"
    assert sections["posterior"]["numbers"]["largest_r_hat"] < 1.02
    table = {row[0]: row[1:] for row in sections["posterior"]["tables"][0]["rows"]}
    mean, error, spread, low, high = table["mean of waiting, component 1"][:5]
    assert error == pytest.approx(spread / np.sqrt(4000), rel=0.2)
    assert mean == pytest.approx(79.968, abs=5 * spread / np.sqrt(4000))
    assert low < mean < high
    assert sections["fit"]["numbers"]["replicates_from"] == "posterior"


def test_the_partition_is_that_of_the_posterior(made):
    section = made.numbers["sections"]["partition"]
    assert section["verdict"].startswith("The draws as a whole support 2 clusters")
    rows = {row[0]: row[1:] for row in section["tables"][0]["rows"]}
    # Clusters have the numbers of their components, as in the other sections.
    assert [rows[f"cluster {k}"][0] for k in range(2)] == [97, 175]
    assert section["numbers"]["draws"] == 4000
    assert [row[0] for row in section["tables"][1]["rows"]] == [
        "fewest clusters", "most clusters", "farthest",
    ]  # fmt: skip


def test_the_partition_of_many_rows_is_that_of_fewer_draws(
    faithful, faithful_em, posterior_of, monkeypatch
):
    room = "bayesgmm.reporting.sections.partition._ALLOCATIONS"
    posterior = posterior_of(faithful_em, FAITHFUL_ROWS, draws=100)
    monkeypatch.setattr(room, FAITHFUL_ROWS * 200)
    thinned = report(faithful, em=faithful_em, posterior=posterior).numbers["sections"]
    assert thinned["partition"]["numbers"]["draws"] == 200
    monkeypatch.setattr(room, FAITHFUL_ROWS * 20)
    none = report(faithful, em=faithful_em, posterior=posterior).numbers["sections"]["partition"]
    assert "272 rows are too many" in none["verdict"]


def test_clusters_of_components_that_overlap_may_be_parts_of_a_group(made, posterior_of):
    x = np.random.default_rng(2).gamma(2.0, size=(250, 2))
    em = GaussianMixture(3, random_state=0).fit(x)
    skewed = report(x, em=em, posterior=posterior_of(em, 250, draws=50)).numbers["sections"]
    words = "several may be parts of one group that is not normal."
    assert words in skewed["partition"]["verdict"]
    assert words not in made.numbers["sections"]["partition"]["verdict"]


def test_the_predictive_check_names_the_origin_of_its_replicates(made, faithful_page):
    of_em, of_draws = (page.numbers["sections"]["fit"]["verdict"] for page in (faithful_page, made))
    assert of_em.startswith("Replicates drawn from the fitted mixture are")
    assert of_draws.startswith("Replicates drawn from the posterior predictive distribution are")


def test_weights_and_means_are_shown_before_others_beside_em(posterior_of):
    iris = bayesgmm.load_dataset("iris").frame
    em = GaussianMixture(3, random_state=0).fit(iris)
    page = report(iris, em=em, posterior=posterior_of(em, 150, draws=50))
    (table,) = page.numbers["sections"]["engines"]["tables"]
    names = [row[0] for row in table["rows"]]
    assert len(names) == 40
    assert sum(name.startswith("mean of ") for name in names) == 12
    assert sum(name.startswith("weight, ") for name in names) == 3
    assert "Shown are 40 of 45 parameters" in page.html


def test_the_engines_agree_where_the_posterior_is_around_em(made):
    section = made.numbers["sections"]["engines"]
    assert section["state"] == "good"
    assert section["numbers"]["largest_difference"] < 0.5


def test_nothing_is_missing_but_what_was_not_asked_for(made):
    for section in made.numbers["sections"].values():
        missing = section["verdict"].startswith(("Not computed", "Could not be computed"))
        assert not missing, section["verdict"]
    # K and the structure were given: K is compared with others, which cost little here.
    assert made.numbers["verdict"] == "All checks passed."
    assert made.numbers["sections"]["recovery"]["state"] is None
    assert made.numbers["sections"]["choice"]["state"] == "good"


def test_a_report_labels_the_posterior_once(faithful, faithful_em, posterior_of, monkeypatch):
    calls = []
    plain = labelling.GAUSSIAN["ecr"]
    monkeypatch.setitem(labelling.GAUSSIAN, "ecr", lambda p: calls.append(1) or plain(p))
    posterior = posterior_of(faithful_em, FAITHFUL_ROWS, draws=100)
    made = report(faithful, em=faithful_em, posterior=posterior, truth=faithful_em.mixture_)
    assert len(calls) == 1
    for key in ("posterior", "switching", "engines", "recovery", "fit"):
        assert not made.numbers["sections"][key]["verdict"].startswith(("Could not", "Omitted"))


def test_names_of_variables_do_not_matter(faithful, faithful_em, posterior_of):
    posterior = posterior_of(faithful_em, FAITHFUL_ROWS, draws=100)
    names = {"weights": "w", "means": "mu", "covariances": "sigma"}
    foreign = posterior["posterior"].to_dataset().rename(names)
    pages = [
        report(faithful, em=faithful_em, posterior=tree, truth=faithful_em.mixture_, **variables)
        for tree, variables in (
            (posterior, {}),
            (
                xr.DataTree.from_dict(
                    {name: posterior[name].dataset for name in ("sample_stats", "modes")}
                    | {"posterior": foreign}
                ),
                {"variables": names},
            ),
        )
    ]
    assert pages[0].html == pages[1].html
    # A Dataset has no record of divergent transitions, and that is said.
    alone = report(faithful, em=faithful_em, posterior=foreign, variables=names)
    assert alone.numbers["sections"]["switching"]["state"] == "care"
    assert "the sampler reports no trouble" in alone.html


def test_a_posterior_alone_is_enough(faithful, faithful_em, posterior_of):
    numbers = report(faithful, posterior=posterior_of(faithful_em, FAITHFUL_ROWS)).numbers
    assert numbers["headline"] == "Two components for 272 rows of 2 columns"
    assert numbers["sections"]["membership"]["numbers"]["n_uncertain"] <= 2
    assert numbers["sections"]["mixture"]["state"] == "unknown"


def test_one_chain_of_four_draws_is_not_called_converged(faithful, faithful_em, posterior_of):
    posterior = posterior_of(faithful_em, FAITHFUL_ROWS, chains=1, draws=4)
    sections = report(faithful, em=faithful_em, posterior=posterior).numbers["sections"]
    assert sections["posterior"]["state"] == "care"
    assert "too few to assess convergence" in sections["posterior"]["verdict"]
    assert sections["posterior"]["numbers"]["largest_r_hat"] is None
    assert sections["switching"]["state"] == "care"


@pytest.mark.parametrize("missing", ["posterior", "weights", "covariances"])
def test_missing_groups_and_variables_are_named(faithful, faithful_em, posterior_of, missing):
    tree = posterior_of(faithful_em, FAITHFUL_ROWS, draws=10)
    if missing == "posterior":
        tree = xr.DataTree.from_dict({"prior": tree["posterior"].dataset})
    else:
        tree = xr.DataTree.from_dict({"posterior": tree["posterior"].dataset.drop_vars(missing)})
    numbers = report(faithful, em=faithful_em, posterior=tree).numbers
    for key in ("posterior", "switching", "engines"):
        section = numbers["sections"][key]
        assert section["state"] == "unknown"
        assert section["verdict"].startswith("Could not be computed")
        assert missing in section["verdict"]
    # What does not need the posterior is there.
    assert numbers["sections"]["mixture"]["state"] == "good"
    assert numbers["sections"]["membership"]["state"] == "good"


def test_chains_at_different_modes_are_not_believed(faithful, faithful_em, posterior_of):
    tree = posterior_of(faithful_em, FAITHFUL_ROWS)
    tree["posterior"]["means"][0, :, :, 1] += 4.0
    numbers = report(faithful, em=faithful_em, posterior=tree).numbers
    assert numbers["state"] == "bad"
    assert numbers["sections"]["posterior"]["state"] == "bad"
    assert numbers["sections"]["switching"]["state"] == "bad"


def test_divergences_are_counted(faithful, faithful_em, posterior_of):
    tree = posterior_of(faithful_em, FAITHFUL_ROWS)
    diverging = np.zeros((4, 1000), dtype=bool)
    diverging[1, :3] = True
    statistics = xr.Dataset({"diverging": (("chain", "draw"), diverging)})
    tree = xr.DataTree.from_dict(
        {"posterior": tree["posterior"].dataset, "sample_stats": statistics}
    )
    section = report(faithful, em=faithful_em, posterior=tree).numbers["sections"]["posterior"]
    assert section["numbers"]["divergences"] == 3
    assert section["state"] == "care"


def test_a_known_truth_is_recovered_or_not():
    truth = bayesgmm.scenario("blobs")
    drawn = bayesgmm.simulate(truth, 800, rng=4)
    em = GaussianMixture(4, random_state=0).fit(drawn.X)
    section = report(drawn.X, em=em, truth=truth).numbers["sections"]["recovery"]
    assert section["state"] == "good"
    assert section["numbers"]["share_covered"] > 0.7
    wrong = truth.transformed(1.0, 1.5)
    section = report(drawn.X, em=em, truth=wrong).numbers["sections"]["recovery"]
    assert section["state"] == "care"
    assert section["numbers"]["share_covered"] < 0.7


def test_the_choice_is_said_and_compared_with_the_fit(faithful, faithful_em):
    records = []
    for k in (1, 2, 3):
        for word in ("full", "tied"):
            fit = GaussianMixture(k, covariance_type=word, random_state=0).fit(faithful)
            records.append(
                {
                    "n_components": k,
                    "covariance_type": word,
                    "log_likelihood": fit.log_likelihood_,
                    "n_parameters": fit.n_parameters_,
                    "bic": fit.bic(faithful),
                    "aic": fit.aic(faithful),
                    "icl": fit.icl(faithful),
                    "converged": fit.converged_,
                    "note": "",
                }
            )
    failed = {**records[0], "n_components": 9, "bic": np.nan, "icl": np.nan, "note": "collapsed"}
    nested = {**records[0], "n_components": 8, "note": STANDS_FOR_BOTH}
    table = pd.DataFrame([*records, nested, failed])
    section = report(faithful, em=faithful_em, selection=table).numbers["sections"]["choice"]
    # mclust's BIC of faithful is largest at EEE,3: -2314.316 from its default start.
    assert section["verdict"].startswith("BIC selects EEE with 3 components (2,314.3")
    assert section["state"] == "care"
    assert "not the selected model" in section["verdict"]
    assert "weak evidence for K = 2 among full covariances alone" in section["verdict"]
    assert "evidence(X)" in section["notes"][-1]
    assert "The best fit found for 1 model of the grid is that of a simpler" in section["verdict"]
    assert "No admissible fit was found for 1 model of the grid." in section["verdict"]
    assert section["numbers"]["n_failed"] == 2
    assert section["numbers"]["grid"][-1]["bic"] is None


def test_the_priors_are_shown_in_full(faithful, faithful_em):
    posterior = bayesgmm.sample_posterior(
        faithful, init=faithful_em, draws=50, tune=50, rng=1, progressbar=False
    )
    sections = report(faithful, em=faithful_em, posterior=posterior).numbers["sections"]
    (table,) = (each for each in sections["methods"]["tables"] if each["caption"] == "Priors")
    rows = dict(table["rows"])
    assert rows["weights"] == "Dirichlet(2, 2)"
    # The median and the range of the column (`Priors`).
    assert (faithful.waiting.median(), np.ptp(faithful.waiting)) == (76.0, 53.0)
    assert rows["mean of waiting"] == "normal, location 76, standard deviation 53"
    assert rows["covariances"] == "InverseWishart"
    assert rows["covariances: scale: scale"].startswith("diagonal ")


def test_the_summary_of_the_posterior_has_all_parameters():
    """Correlations, the weight of noise and the shares of outliers were missing."""
    X = bayesgmm.load_dataset("faithful").frame
    names = {
        "noise_component": ["weight of noise"],
        "contaminated": ["proportion of outliers, component 1", "log inflation, component 0"],
    }
    for switch, beside in names.items():
        em = GaussianMixture(2, random_state=0).set_params(**{switch: True}).fit(X)
        posterior = bayesgmm.sample_posterior(
            X, init=em, draws=30, tune=60, chains=2, rng=0, progressbar=False
        )
        section = report(X, em=em, posterior=posterior).numbers["sections"]["posterior"]
        (table,) = section["tables"]
        rows = {row[0]: row[1:] for row in table["rows"]}
        correlation = "correlation of eruptions (min) and waiting (min), component 0"
        assert {*beside, correlation, "s.d. of waiting (min), component 1"} <= rows.keys()
        assert all(np.isfinite(value) for value in rows[correlation][:5])
