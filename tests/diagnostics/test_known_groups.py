import numpy as np
import pytest

from bayesgmm.diagnostics.known_groups import cross_table


def test_counts_agreement_and_rand_index():
    labels = ["b", "b", "a", "a", "a", "c"]
    table = cross_table(labels, np.array([0, 0, 1, 1, 0, 1]), 2)
    assert table.groups == ("a", "b", "c")
    assert table.counts.tolist() == [[1, 2], [2, 0], [0, 1]]
    # Components stand for groups b and a: rows 0, 1, 2 and 3 agree.
    assert table.agreement == pytest.approx(4 / 6)
    # Hubert & Arabie by hand: pairs together in both 2, in labels 4, in components 6, in all 15.
    expected = (2 - 4 * 6 / 15) / ((4 + 6) / 2 - 4 * 6 / 15)
    assert table.adjusted_rand_index == pytest.approx(expected)
    assert str(table).splitlines()[0].split() == ["component", "0", "component", "1"]


def test_renumbered_components_agree_wholly():
    table = cross_table(["x"] * 3 + ["y"] * 2, np.array([1, 1, 1, 0, 0]), 2)
    assert table.agreement == 1.0
    assert table.adjusted_rand_index == 1.0


def test_noise_is_a_column_that_no_group_is_matched_to():
    labels = ["x", "x", "y", "y", "stray", "stray"]
    table = cross_table(labels, np.array([0, 0, 1, 1, -1, -1]), 2)
    assert table.columns == ("component 0", "component 1", "noise")
    assert table.counts.tolist() == [[0, 0, 2], [2, 0, 0], [0, 2, 0]]
    assert table.agreement == 4 / 6
    assert table.adjusted_rand_index == 1.0
    assert "noise" in str(table).splitlines()[0]


def test_rows_of_unknown_group_do_not_count():
    """Empty names were a group of their own, and 42 % of the rows agreed where all do."""
    components = np.array([0, 0, 1, 1, 0, 1])
    found = cross_table(["a", "a", "b", "", "", "b"], components, 2)
    assert (found.groups, found.n_rows, found.agreement) == (("a", "b"), 4, 1.0)
    assert cross_table(["", ""], components[:2], 2) is None
