"""Ctrl-C while a grid is searched: the models that were fitted come back, marked."""

import pytest
from interrupts import interrupt_after

from bayesgmm import load_dataset, scenario, select_mixture, simulate
from bayesgmm.selection import grid_search

X = load_dataset("faithful").X


def test_models_that_were_fitted_are_ranked(monkeypatch):
    whole = select_mixture(X, range(1, 5), rng=0, progressbar=False)
    interrupt_after(monkeypatch, 20)
    found = select_mixture(X, range(1, 5), rng=0, progressbar=False)
    assert found.interrupted
    assert not whole.interrupted
    table = found.table
    assert (
        table[["n_components", "covariance_type"]]
        == whole.table[["n_components", "covariance_type"]]
    ).all(axis=None)
    missing = table["note"] == "not fitted: the search was interrupted"
    # Fits that had begun when the signal came were completed.
    assert 20 <= len(table) - missing.sum() < len(table)
    assert table.loc[missing, "log_likelihood"].isna().all()
    assert (table["log_likelihood"] <= whole.table["log_likelihood"] + 1e-5)[~missing].all()
    assert found.best.mixture_.n_components in set(table.loc[~missing, "n_components"])
    assert "INTERRUPTED" in found.summary()
    assert "INTERRUPTED" not in whole.summary()


def test_an_interrupt_of_a_later_sweep_is_reported(monkeypatch):
    interrupt_after(monkeypatch, 14 * 4 + 3)
    found = select_mixture(X, range(1, 5), rng=0, progressbar=False)
    assert found.interrupted
    assert (found.table["note"] == "").all()


def test_without_a_fit_to_all_rows_the_interrupt_is_passed_on(monkeypatch):
    many = simulate(scenario("blobs"), 3000, rng=0).X
    interrupt_after(monkeypatch, 5)
    with pytest.raises(KeyboardInterrupt):
        select_mixture(many, 3, ["EEE", "VVV"], rng=0, progressbar=False)


def test_an_interrupt_of_cross_validation_is_passed_on(monkeypatch):
    for after in (5, 12):  # in the search, and in a fold
        interrupt_after(monkeypatch, after)
        with pytest.raises(KeyboardInterrupt):
            select_mixture(X, 3, ["EEE"], criterion="cv", rng=0, progressbar=False)
        monkeypatch.undo()


def test_the_progress_of_a_search_is_its_whole(monkeypatch):
    from bayesgmm.selection import model_selection

    parts = []
    plain = model_selection.search_grid

    def search(*args, advance, **given):
        return plain(*args, advance=parts.append, **given)

    monkeypatch.setattr(model_selection, "search_grid", search)
    for rows in (X, simulate(scenario("blobs"), 3000, rng=0).X):
        parts.clear()
        select_mixture(rows, 3, ["EEE", "VVV"], rng=0, progressbar=False)
        assert sum(parts) == pytest.approx(1.0)


def test_a_fit_that_fails_is_raised_once(monkeypatch):
    """And not once for each model that waits for it."""

    def improve(self, key, starts):
        raise ZeroDivisionError(key[0])

    monkeypatch.setattr(grid_search._Search, "_improve", improve)
    with pytest.raises(ZeroDivisionError, match=r"^1$") as raised:
        select_mixture(X, range(1, 9), rng=0)
    assert sum(each.name == "task" for each in raised.traceback) == 1
