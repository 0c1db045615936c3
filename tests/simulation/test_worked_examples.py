"""The worked examples: their published parameters and names."""

import numpy as np
import pytest

from bayesgmm.errors import InputError
from bayesgmm.simulation.misclassification import overlap
from bayesgmm.simulation.worked_examples import scenario, scenarios


def test_every_scenario_has_a_line_and_feature_names():
    assert list(scenarios()) == ["rusty_machine", "heights", "overlapping_ellipses", "blobs"]
    for name, line in scenarios().items():
        assert "\n" not in line
        assert line.endswith(".")
        mixture = scenario(name)
        assert len(mixture.feature_names) == mixture.n_features
        assert scenario(name) == mixture


def test_published_parameters():
    rusty_machine = scenario("rusty_machine")
    np.testing.assert_array_equal(rusty_machine.weights, [0.5, 0.25, 0.25])
    np.testing.assert_array_equal(rusty_machine.means[:, 0], [-3, 0, 3])
    np.testing.assert_array_equal(rusty_machine.variances[:, 0], [1, 0.5, 0.25])
    ellipses = scenario("overlapping_ellipses")
    np.testing.assert_array_equal(ellipses.means, [[3, 3], [1.5, 1.5]])
    np.testing.assert_array_equal(ellipses.variances, 1.0)
    np.testing.assert_array_equal(ellipses.covariances[:, 0, 1], [0.6, -0.7])


def test_heights_are_the_growth_chart_rounded_to_a_millimetre():
    heights = scenario("heights")
    # M and S of 2000 CDC Growth Charts, table "statage", boys, at 120.5, 180.5 and 240 months.
    M = np.array([138.8234114, 170.139255, 176.8492322])
    S = np.array([0.047610108, 0.045889585, 0.040369574])
    np.testing.assert_allclose(heights.means[:, 0], M, rtol=0, atol=0.0501)
    np.testing.assert_allclose(np.sqrt(heights.variances[:, 0]), M * S, rtol=0, atol=0.0501)
    np.testing.assert_allclose(heights.weights, 1 / 3)
    assert heights.feature_names == ("height_cm",)


def test_blobs_are_round_and_can_be_told_apart():
    blobs = scenario("blobs")
    np.testing.assert_array_equal(blobs.covariances, np.tile(0.25 * np.eye(2), (4, 1, 1)))
    omega = overlap(blobs)
    assert omega[~np.eye(4, dtype=bool)].max() < 0.03


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("Blobs", "blobs"), ("rusty machine", "rusty_machine"), ("hieghts", "heights")],
)
def test_unknown_names_get_the_nearest_one(name, nearest):
    with pytest.raises(InputError, match=f"Did you mean '{nearest}'"):
        scenario(name)


@pytest.mark.parametrize("name", [None, 3, ["blobs"], "zzzzzz"])
def test_what_is_no_name_gets_the_list(name):
    with pytest.raises(InputError, match="Use one of rusty_machine, heights"):
        scenario(name)
