"""Divergences, depths and energies under the names of several samplers."""

import numpy as np
import pytest
import xarray as xr

from bayesgmm.verdicts.sampler_statistics import read_transitions


def tree(**variables):
    group = xr.Dataset({name: (("chain", "draw"), each) for name, each in variables.items()})
    return xr.DataTree.from_dict({"sample_stats": group})


@pytest.mark.parametrize("name", ["maxdepth_reached", "reached_max_treedepth"])
def test_what_was_recorded(name):
    marks = np.zeros((2, 100), bool)
    marks[0, :3] = True
    rng = np.random.default_rng(1)
    found = read_transitions(
        tree(**{"diverging": marks, name: marks, "energy": rng.random((2, 100))})
    )
    assert (found.divergences, found.deepest) == (3, 0.015)
    assert 1.5 < found.energy < 2.5  # independent energies: E (x - y)^2 / var x = 2


def test_what_was_not():
    nothing = read_transitions(xr.Dataset())
    assert nothing.divergences is None
    assert np.isnan([nothing.deepest, nothing.energy]).all()
    assert read_transitions(tree(lp=np.zeros((2, 10)))).divergences is None


def test_divergences_of_the_run_before_jumping_chains():
    jumping = tree(diverging=np.zeros((2, 100), bool))
    jumping["sample_stats"].attrs |= {"preceding_divergences": 7, "preceding_transitions": 400}
    found = read_transitions(jumping)
    assert (found.divergences, found.preceding, found.all_divergences) == (0, (7, 400), 7)
    assert read_transitions(tree(diverging=np.ones((2, 10), bool))).all_divergences == 20


def test_k_hat_of_draws_at_the_mode():
    at_mode = tree(logp=np.zeros((2, 10)))
    at_mode["sample_stats"].attrs["khat"] = 0.31
    assert read_transitions(at_mode).k_hat == 0.31
    assert read_transitions(tree(logp=np.zeros((2, 10)))).k_hat is None
