"""Choosing K and structure: against mclust's grids, the lattice of structures, and hostile data.

Reference grids: R 4.2.2, mclust 6.0.0, `write.csv(mclustBIC(X)[,])`; mclust's sign is the other.
Best known log-likelihoods of K = 2 and 3: mclust from 28 to 37 starts at tol 1e-11.
"""

import warnings
from itertools import permutations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.linalg import eigh

from bayesgmm import (
    GaussianMixture,
    load_dataset,
    plot_selection,
    random_mixture,
    select_mixture,
    simulate,
)
from bayesgmm.covariance.structures import as_structure
from bayesgmm.errors import (
    BayesGMMWarning,
    DegeneracyWarning,
    FitError,
    InputError,
    InvalidParameterError,
)
from bayesgmm.selection.candidate import is_nested

# Where the best lies is not what most of these tests are about.
pytestmark = pytest.mark.filterwarnings("ignore:The selected model")

FAITHFUL, IRIS = load_dataset("faithful").X, load_dataset("iris").X

# mclustBIC's grids in its sign.
MCLUST = {
    name: pd.read_csv(Path(__file__).with_name(f"mclust_bic_{name}.csv"), index_col=0)
    for name in ("faithful", "iris")
}
BEST_KNOWN = pd.read_csv(Path(__file__).with_name("best_known_loglik.csv"))


def lattice_violations(table):
    """Nats by which a structure has less than one that it contains, of every pair in every K."""
    found = []
    for k, group in table.groupby("n_components"):
        values = dict(zip(group["covariance_type"], group["log_likelihood"], strict=True))
        for small in values:
            for large in values:
                if is_nested(as_structure(small), as_structure(large)):
                    gap = values[small] - values[large]
                    if np.isfinite(gap):
                        found.append((gap, k, small, large))
    return sorted(found, reverse=True)


@pytest.fixture(scope="module")
def selections():
    return {
        "faithful": select_mixture(FAITHFUL, rng=0),
        "iris": select_mixture(IRIS, rng=0),
    }


@pytest.mark.parametrize("name", MCLUST)
def test_no_cell_is_worse_than_mclusts(selections, name):
    table = selections[name].table
    sound = (table["note"] == "") | table["note"].str.contains("simpler structure")
    found = -table[sound].pivot(index="n_components", columns="covariance_type", values="bic")
    # VVE's M-step is not that of its likelihood there; models that mclust gave up are empty.
    expected = MCLUST[name].drop(columns="VVE").stack().dropna()
    assert len(expected) > 100
    for (k, code), value in expected.items():
        nats = 0.5 * (value - found.loc[k, code])
        assert nats <= 0.01, (k, code, nats)


@pytest.mark.parametrize("name", MCLUST)
def test_no_cell_of_two_or_three_is_below_the_best_known(selections, name):
    table = selections[name].table.set_index(["n_components", "covariance_type"])
    known = BEST_KNOWN[BEST_KNOWN["data"] == name]
    assert len(known) == 26
    for row in known.itertuples():
        found = table.loc[row.n_components, row.model]
        assert found["note"] == ""
        assert found["log_likelihood"] >= row.best_known_loglik - 1e-4, (
            row.n_components,
            row.model,
        )


def test_the_best_of_old_faithful_and_iris(selections):
    first = selections["faithful"].ranked().iloc[0]
    assert (first["covariance_type"], first["n_components"]) == ("EEE", 3)
    assert first["bic"] <= 2314.3163
    first = selections["iris"].ranked().iloc[0]
    assert (first["covariance_type"], first["n_components"]) == ("VEV", 2)
    assert first["bic"] == pytest.approx(561.7285, abs=1e-3)


def test_icl_is_mclusts(selections):
    """As `summary(Mclust(X))` of mclust 6 prints it, in its sign.

    Iris to all digits. Old Faithful's EM ends there .0101 nats below the maximum, along a direction
    in which ICL moves by a hundred times as much as BIC.
    """
    iris = selections["iris"].ranked().iloc[0]
    assert iris["icl"] == pytest.approx(561.7289, abs=6e-5)
    faithful = selections["faithful"].ranked().iloc[0]
    assert faithful["log_likelihood"] + 1126.326 == pytest.approx(0.0101, abs=6e-4)
    assert faithful["icl"] == pytest.approx(2357.824, abs=1.0)


@pytest.mark.parametrize("name", ["faithful", "iris"])
def test_the_table_is_that_of_the_fits(selections, name):
    chosen, X = selections[name], {"faithful": FAITHFUL, "iris": IRIS}[name]
    best, first = chosen.best, chosen.ranked().iloc[0]
    assert best.converged_
    assert best.log_likelihood_ == pytest.approx(first["log_likelihood"], abs=1e-5)
    assert best.bic(X) == pytest.approx(first["bic"], abs=2e-5)
    assert best.icl(X) == pytest.approx(first["icl"], abs=1e-2)
    assert best.aic(X) == pytest.approx(first["aic"], abs=2e-5)
    assert best.n_parameters_ == first["n_parameters"]
    assert len(chosen.table) == 126


def test_a_sound_structure_has_no_less_than_what_it_contains(selections):
    for chosen in selections.values():
        sound = chosen.table[chosen.table["note"] == ""]
        assert lattice_violations(sound)[0][0] <= 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_the_lattice_on_simulated_data(seed):
    d = 2 + seed % 3
    truth = random_mixture(3, d, average_overlap=0.05, rng=seed)
    X = simulate(truth, 200 + 50 * seed, rng=seed).X
    chosen = select_mixture(X, rng=seed)
    assert lattice_violations(chosen.table[chosen.table["note"] == ""])[0][0] <= 1e-6


def test_one_seed_one_answer_for_any_number_of_threads(monkeypatch):
    first = select_mixture(FAITHFUL, range(1, 5), ["EEE", "VVV", "VVE"], rng=3)
    monkeypatch.setattr("bayesgmm.selection.model_selection.n_threads", lambda: 1)
    second = select_mixture(FAITHFUL, range(1, 5), ["EEE", "VVV", "VVE"], rng=3)
    assert first.table.equals(second.table)
    np.testing.assert_array_equal(first.best.means_, second.best.means_)


@pytest.mark.parametrize(("factor", "offset"), [(1e-100, 0.0), (1e4, 0.0), (1.0, 1e6)])
def test_units_do_not_change_the_choice(factor, offset):
    base = select_mixture(FAITHFUL, range(1, 4), rng=0)
    moved = select_mixture(FAITHFUL * factor + offset, range(1, 4), rng=0)
    shift = FAITHFUL.size * np.log(factor)
    np.testing.assert_allclose(
        moved.table["log_likelihood"] + shift, base.table["log_likelihood"], atol=1e-3
    )
    assert moved.ranked().iloc[0]["covariance_type"] == base.ranked().iloc[0]["covariance_type"]


def test_criteria_rank_by_their_own_column():
    for criterion in ("icl", "aic"):
        chosen = select_mixture(FAITHFUL, range(1, 4), criterion=criterion, rng=0)
        assert chosen.ranked().iloc[0][criterion] == chosen.table[criterion].min()


def test_cross_validation_holds_rows_out():
    rng = np.random.default_rng(7)
    X = np.vstack([rng.normal(0, 1, (150, 2)), rng.normal(6, 1, (150, 2))])
    chosen = select_mixture(X, range(1, 4), ["EII", "VVV"], criterion="cv", rng=1)
    assert chosen.ranked().iloc[0]["n_components"] == 2
    again = select_mixture(X, range(1, 4), ["EII", "VVV"], criterion="cv", rng=1)
    assert chosen.table.equals(again.table)
    table = chosen.table
    # Unlike the likelihood itself, that of held-out rows does not grow with every parameter.
    assert (table["cv_log_likelihood"] < table["log_likelihood"]).all()


def test_one_feature_has_two_structures():
    X = load_dataset("galaxies").X
    chosen = select_mixture(X, range(1, 5), rng=0)
    assert set(chosen.table["covariance_type"]) == {"E", "V"}
    first = chosen.ranked().iloc[0]
    assert (first["covariance_type"], first["n_components"]) == ("V", 3)


def test_a_bound_on_eigenvalues_holds_in_any_unit():
    """The best maximum of Old Faithful's VVV, 3 has a ratio of 48."""
    free = select_mixture(FAITHFUL, [3], "VVV", rng=0).best
    assert variance_ratio(free) == pytest.approx(48.24, abs=0.01)
    for units in (1.0, np.array([1e3, 1e-3])):
        jacobian = 272.0 * np.log(np.broadcast_to(units, 2)).sum()
        held = select_mixture(FAITHFUL * units, [3], "VVV", eigenvalue_ratio=40.0, rng=0).best
        fit = GaussianMixture(3, eigenvalue_ratio=40.0, random_state=0).fit(FAITHFUL * units)
        for each in (held, fit):
            assert variance_ratio(each) == pytest.approx(40.0, rel=1e-9)
            assert each.converged_
            lost = free.log_likelihood_ - each.log_likelihood_ - jacobian
            assert 0.0 < lost < 0.5


def variance_ratio(fit):
    """The largest ratio of the variances of two components in a direction."""
    pairs = permutations(fit.mixture_.covariances, 2)
    return max(float(eigh(a, b, eigvals_only=True)[-1]) for a, b in pairs)


def test_a_bound_that_nothing_meets_is_said():
    """In VEV volumes and axes vary, and no start of iris keeps a bound of 1."""
    with pytest.raises(FitError, match="is too flat: in one direction another's variance is"):
        select_mixture(FAITHFUL, [3], "VEV", eigenvalue_ratio=1.0, rng=0)
    with pytest.warns(DegeneracyWarning, match="is too flat: in one direction"):
        GaussianMixture(3, covariance_type="VEV", eigenvalue_ratio=1.0, random_state=0).fit(
            FAITHFUL
        )


def test_rounded_values_do_not_win_by_the_lines_they_lie_on():
    """Every whole number is a plane of rows, on which the likelihood is unbounded."""
    X = np.random.default_rng(1).integers(0, 4, (300, 3)).astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.warns(BayesGMMWarning, match="only 4 distinct values"):
            best = select_mixture(X, range(1, 6), rng=0).best
    assert best.converged_
    assert variance_ratio(best) < 1e4


def test_columns_that_no_common_unit_holds():
    units = np.array([1e150, 1.0, 1e-150, 1.0])
    table, other = (
        select_mixture(IRIS * each, range(1, 4), ["EII", "EEE", "VVV"], rng=0).table
        for each in (units, 1.0)
    )
    free = table["covariance_type"] != "EII"
    jacobian = 150.0 * np.log(units).sum()
    np.testing.assert_allclose(
        table["log_likelihood"][free] + jacobian, other["log_likelihood"][free], atol=1e-4
    )


def test_impossible_cells_say_why_and_do_not_end_the_grid():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((12, 4))
    chosen = select_mixture(X, range(1, 4), rng=0)
    table = chosen.table.set_index(["n_components", "covariance_type"])
    assert "needs at least 15" in table.loc[(3, "VVV"), "note"]
    assert np.isnan(table.loc[(3, "VVV"), "log_likelihood"])
    assert table.loc[(1, "VVV"), "note"] == ""
    few = np.repeat(rng.standard_normal((3, 2)), 20, axis=0)
    with pytest.warns(BayesGMMWarning, match="only 3 distinct values"):
        noted = select_mixture(few, [1, 5], "EEE", rng=0).table
    assert "3 distinct rows" in noted.loc[noted["n_components"] == 5, "note"].item()


def test_dependent_columns_leave_the_diagonal_structures():
    X = np.c_[FAITHFUL, FAITHFUL.sum(axis=1)]
    chosen = select_mixture(X, [2], rng=0)
    empty = chosen.table.set_index("covariance_type")["note"].str.contains("rank 2")
    assert set(empty[empty].index) == {
        "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"
    }  # fmt: skip


def test_the_edge_of_the_grid_warns():
    with pytest.warns(BayesGMMWarning, match="EEE with 3 components, lies at the edge.*more"):
        select_mixture(FAITHFUL, range(1, 4), ["EEE"], rng=0)
    with pytest.warns(
        BayesGMMWarning, match=r"preferred to K = 3, but K = 1 was not.*range\(1, 4\)"
    ):
        select_mixture(FAITHFUL, [2, 3], ["VVV"], rng=0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"criterion": "bicc"}, InvalidParameterError, "bicc"),
        ({"covariance_type": ["EEE", "VVW"]}, InvalidParameterError, "Did you mean"),
        ({"covariance_type": []}, InvalidParameterError, "empty"),
        ({"covariance_type": "V"}, InvalidParameterError, "one column"),
        ({"n_components": []}, InvalidParameterError, "empty"),
        ({"n_components": [0]}, InvalidParameterError, "at least 1"),
        ({"eigenvalue_ratio": 0.5}, InvalidParameterError, "at least 1"),
        ({"n_components": [2.0]}, InvalidParameterError, "integer of at least 1"),
        ({"n_components": [500]}, FitError, "272 distinct|distinct rows"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        select_mixture(FAITHFUL, **arguments)


def test_bad_data():
    with pytest.raises(InputError, match="NaN"):
        select_mixture([[1.0, np.nan], [2.0, 3.0]], missing="raise")
    with pytest.raises(InputError, match="constant"):
        select_mixture(np.c_[FAITHFUL, np.ones(272)])


def test_the_plot_shows_every_structure(selections):
    ax = plot_selection(selections["faithful"])
    labels = [line.get_label() for line in ax.get_lines()]
    assert labels[:-1] == [*selections["faithful"].to_mclust().columns]
    assert labels[-1] == "best: EEE, 3"
    assert "BIC" in ax.get_ylabel()
    low, high = ax.get_ylim()
    assert low < 2314.3 < high
    assert plot_selection(selections["faithful"], ax=ax) is ax
    plt.close(ax.figure)


def test_words(selections):
    text = selections["iris"].summary()
    assert "VEV (ellipsoidal, equal shape) with 2 components" in text
    assert "561.728" in text
    assert repr(selections["iris"]) == text
    assert "561.728" in selections["iris"]._repr_html_()


@pytest.mark.parametrize(
    ("criterion", "sentences"),
    [
        (
            "bic",
            [
                "strong to 10, very strong above).",
                "BIC favours",
                "ICL, which favours",
                "VVE with 2 components",
            ],
        ),
        ("icl", ["from the best model.", "selects EEE with 3 components"]),
    ],
)
def test_the_summary_says_what_its_criterion_selects_and_what_others_do(criterion, sentences):
    text = select_mixture(
        FAITHFUL, range(1, 5), ["EEE", "VVE"], criterion=criterion, rng=0, progressbar=False
    ).summary()
    for each in (*sentences, "evidence(X)", "posterior_partition", "Is this K right?"):
        assert each in text
    assert "behind" not in text


def test_the_summary_gives_the_reasons_why_models_have_no_fit():
    found = select_mixture(FAITHFUL[:30], [1, 2, 6], ["EEE", "VVV", "EVV"], rng=0)
    failed = found.table[found.table["note"] != ""]
    text = found.summary()
    assert len(failed) > 0
    for note in failed["note"].unique()[:3]:
        assert note.rstrip(".") in text
    code, k = failed.iloc[0][["covariance_type", "n_components"]]
    assert f"{code} with {k} components" in text


def test_rows_that_agree_exactly_are_no_component():
    """Eleven waits of 83 minutes lie on a line: the likelihood is unbounded on them."""
    held_in = np.delete(
        FAITHFUL, np.array_split(np.random.default_rng(0).permutation(272), 5)[4], 0
    )
    chosen = select_mixture(held_in, [5], ["EVE", "VVE", "VVV"], rng=1)
    sound = chosen.table[chosen.table["note"] == ""]
    assert len(sound) > 0
    # A component of them alone has -543.9 at the limit of rounding.
    assert sound["log_likelihood"].max() < -850.0


@pytest.mark.parametrize("code", ["VVV", "VEV", "EEE"])
def test_structures_for_several_columns_serve_one(code):
    table = select_mixture(FAITHFUL[:, :1], [1, 2, 3], code, rng=0).table
    one = select_mixture(FAITHFUL[:, :1], [1, 2, 3], "E" if code == "EEE" else "V", rng=0).table
    if code != "VEV":
        np.testing.assert_allclose(table["log_likelihood"], one["log_likelihood"], rtol=1e-9)
    assert table["converged"].all()


def test_a_structure_that_one_unit_does_not_serve_is_an_empty_cell():
    x = np.random.default_rng(0).normal(size=(60, 2)) * [1.0, 1e150]
    table = select_mixture(x, [1, 2], ["VVV", "VEV", "EII"], rng=0).table
    empty = table["log_likelihood"].isna()
    assert (empty == (table["covariance_type"] != "VVV")).all()
    assert table["note"][empty].str.contains("too far apart").all()


@pytest.mark.parametrize("name", ["faithful", "iris"])
def test_equal_weights_in_every_model(name, selections):
    x = {"faithful": FAITHFUL, "iris": IRIS}[name]
    equal = select_mixture(x, range(1, 4), rng=0, equal_weights=True)
    table = equal.table.set_index(["n_components", "covariance_type"])
    free = selections[name].table.set_index(["n_components", "covariance_type"])
    free = free.loc[table.index]
    more = table.index.get_level_values(0) - 1
    assert ((free["n_parameters"] - table["n_parameters"]) == more).all()
    assert (table["log_likelihood"] <= free["log_likelihood"] + 1e-6).all()
    expected = -2 * table["log_likelihood"] + table["n_parameters"] * np.log(len(x))
    np.testing.assert_allclose(table["bic"], expected, rtol=1e-9)
    for large in table.loc[3].index:
        for small in table.loc[3].index:
            if is_nested(as_structure(small), as_structure(large)):
                pair = table.loc[[(3, small), (3, large)], "log_likelihood"]
                assert pair.iloc[0] <= pair.iloc[1] + 1e-6
    best = equal.best
    assert np.array_equal(best.weights_, np.full(len(best.weights_), 1 / len(best.weights_)))
    # The starts of the estimator lead no higher.
    for code in ("EEE", "VVV", "VEV"):
        fit = GaussianMixture(3, covariance_type=code, equal_weights=True, random_state=0).fit(x)
        assert fit.log_likelihood_ <= table.loc[(3, code), "log_likelihood"] + 1e-5


def test_equal_weights_in_cross_validation():
    found = select_mixture(
        FAITHFUL, [2, 3], ["EEE"], criterion="cv", rng=0, equal_weights=True, progressbar=False
    )
    plain = select_mixture(FAITHFUL, [2, 3], ["EEE"], criterion="cv", rng=0, progressbar=False)
    column = "cv_log_likelihood"
    # A third of the rows and two thirds, by halves: worse out of sample, too.
    assert found.table[column][0] < plain.table[column][0] - 5.0


def test_equal_weights_are_those_of_mclust():
    # R 4.2.2, mclust 6.0.0: for each m,
    # Mclust(faithful, G=2:3, modelNames=m, control=emControl(equalPro=TRUE))$BIC, in its sign.
    # Its figures of VVI are not those of a likelihood; of K = 3 its maxima are lower than these.
    bic = {(2, "EEE"): 2341.308, (2, "VVV"): 2339.434, (2, "VEI"): 2367.615}
    upper = {(3, "EEE"): 2312.612, (3, "VVV"): 2338.424, (3, "VEI"): 2327.710}
    found = select_mixture(FAITHFUL, [2, 3], ["EEE", "VVV", "VEI"], rng=0, equal_weights=True)
    table = found.table.set_index(["n_components", "covariance_type"])["bic"]
    for key, value in bic.items():
        assert table[key] == pytest.approx(value, abs=6e-4)
    for key, value in upper.items():
        assert table[key] <= value + 6e-4
