"""A grid over columns that no Gaussian fits takes no more passes than one without them."""

import numpy as np
import pytest
from unsuitable_columns import thirteen_columns, unsuitable

import bayesgmm.selection.grid_search as grid_search
from bayesgmm import select_mixture


@pytest.fixture
def e_steps(monkeypatch):
    """A list with the E-steps of runs of EM."""
    made = []
    first_better = grid_search.first_better

    def counted(*arguments, **options):
        found = first_better(*arguments, **options)
        made.append(found.n_e_steps)
        return found

    monkeypatch.setattr(grid_search, "first_better", counted)
    return made


@pytest.mark.filterwarnings("ignore:The selected model")
def test_the_time_of_a_grid_is_bounded(e_steps):
    chosen, structures = range(1, 5), ["EEI", "VVI", "EEE", "EVE", "VVE", "VEV", "VVV"]
    select_mixture(thirteen_columns()[0], chosen, structures, rng=0)
    sound = sum(e_steps)
    for X in unsuitable().values():
        e_steps.clear()
        with pytest.warns(UserWarning, match="distinct values|the value 0|are distinct"):
            select_mixture(X, chosen, structures, rng=0)
        assert sum(e_steps) <= 3 * sound
    e_steps.clear()
    x = thirteen_columns()[0]
    twice = np.column_stack((x, x[:, 0] + 1e-9 * np.random.default_rng(0).normal(size=len(x))))
    with pytest.warns(UserWarning, match="depends linearly on"):
        select_mixture(twice, chosen, structures, rng=0)
    assert sum(e_steps) <= 3 * sound
