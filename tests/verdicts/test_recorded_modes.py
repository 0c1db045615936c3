"""The record of modes in a posterior, and the places of modes in words."""

import numpy as np
import pytest
import xarray as xr

from bayesgmm.verdicts.recorded_modes import read_modes


def record(state):
    """Three modes of two components in two features, which differ in the second most."""
    means = [[[1.0, 5.0], [2.0, 9.0]], [[1.1, 30.0], [2.0, 5.5]], [[1.0, 5.0], [2.0, 9.5]]]
    group = xr.Dataset(
        {
            "weights": (("mode", "component"), [[0.6, 0.4], [0.1, 0.9], [0.5, 0.5]]),
            "means": (("mode", "component", "feature"), means),
            "draws": (("mode",), [3900, 100, 0]),
            "mass": (("mode",), [0.975, 0.025, np.nan]),
            "laplace_share": (("mode",), [0.96, 0.03, 0.01]),
            "state": (("mode",), [state, state, "left out"]),
        },
        {"feature": ["width", "height"]},
    )
    return xr.DataTree.from_dict({"modes": group})


def test_modes_are_named_by_their_parameters():
    found = read_modes(record("joined"))
    assert (found.masses, found.left_out, found.bound) == ((0.975, 0.025), 1, 0.01)
    assert found.joined
    assert found.places == (
        "97.5 %, at weights 0.60, 0.40 and means of height 5, 9",
        "2.5 %, at weights 0.90, 0.10 and means of height 5.5, 30",
    )
    assert found.left_places == ("1.0 %, at weights 0.50, 0.50 and means of height 5, 9.5",)


def test_chains_that_stay_have_masses_of_laplace_and_their_draws():
    found = read_modes(record("not joined"))
    assert found.masses == (0.96, 0.03)
    assert not found.joined
    assert found.places[1] == (
        "3.0 %, with 100 draws, at weights 0.90, 0.10 and means of height 5.5, 30"
    )


@pytest.mark.parametrize("state", ["crossed", "not joined"])
def test_a_rare_mode_without_a_draw_is_left_out(state):
    tree = record(state)
    group = tree["modes"].to_dataset()
    group["draws"], group["mass"] = ("mode", [4000, 0, 0]), ("mode", [1.0, 0.0, np.nan])
    found = read_modes(xr.DataTree.from_dict({"modes": group}))
    assert not found.joined
    assert found.masses == (0.96, 0.03)
    assert "3.0 %, with 0 draws" in found.places[1]
    group["laplace_share"] = "mode", [0.9994, 0.0005, 0.0001]
    found = read_modes(xr.DataTree.from_dict({"modes": group}))
    assert found.joined == (state == "crossed")
    assert found.left_out == (2 if found.joined else 1)
    assert found.bound == pytest.approx(0.0006 if found.joined else 0.0001)


def test_without_a_record():
    assert read_modes(xr.Dataset()) is None
    assert (
        read_modes(xr.DataTree.from_dict({"modes": xr.Dataset({"state": ("mode", ["a"])})})) is None
    )
