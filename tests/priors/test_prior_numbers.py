"""The numbers of priors reach the core by position: both sides list the same fields."""

import re
from pathlib import Path

import numpy as np
import pytest

from bayesgmm import LKJ, Gamma, InverseGamma, InverseWishart, Priors, Wishart
from bayesgmm.priors.prior_numbers import PriorNumbers, prior_numbers

CORE = Path(__file__).parents[2] / "bayesgmm" / "core"
# Beside an installed wheel there is no source of the core.
pytestmark = pytest.mark.skipif(not CORE.exists(), reason="needs the source of the core")
X = np.random.default_rng(0).standard_normal((30, 2)) * [1.0, 3.0]
C = np.array([[2.0, 0.5], [0.5, 1.0]])
EACH = [[0.5, 2.0], [1.0, 1.0], [3.0, 4.0]]


def between(file, first, last):
    """The text of a file between two others, without comments."""
    text = (CORE / file).read_text().split(first, 1)[1].split(last, 1)[0]
    return re.sub(r"//.*", "", text)


def test_the_fields_are_those_of_the_core():
    members = between("likelihood/prior.hpp", "struct Prior {", "bool fits")
    assert tuple(re.findall(r"(\w+)\s*[,;]", members)) == PriorNumbers._fields
    unpacked = between("binding_arguments.hpp", "Prior prior_of(const PriorArguments", "require")
    names = unpacked.split("[", 1)[1].split("]", 1)[0]
    assert tuple(re.findall(r"\w+", names)) == PriorNumbers._fields


@pytest.mark.parametrize(
    ("word", "family", "kind", "strength", "scale"),
    [
        ("diag", InverseGamma(3.0, [0.5, 2.0]), "FIXED", (3.0, 0.0), [[0.5, 2.0]] * 3),
        ("diag", InverseGamma(3.0, Gamma(0.4, 5.0)), "LEARNED", (3.0, 0.4), [5.0, 5.0]),
        ("spherical", InverseGamma(3.0, 0.5), "FIXED", (3.0, 0.0), [0.5] * 3),
        ("full", InverseWishart(7.0, C), "FIXED", (7.0, 0.0), [C] * 3),
        ("full", InverseWishart(7.0, [C, 2 * C, C]), "FIXED", (7.0, 0.0), [C, 2 * C, C]),
        ("diag", InverseGamma(3.0, EACH), "FIXED", (3.0, 0.0), EACH),
        ("tied", InverseWishart(7.0, Wishart(4.0, C)), "LEARNED", (7.0, 4.0), np.linalg.inv(C)),
        ("full", LKJ(1.5, [0.1, 0.2], 0.3), "SEPARATE", (1.5, 0.3), np.zeros((2, 2))),
    ],
)
def test_the_numbers_are_those_of_the_families(word, family, kind, strength, scale):
    kinds = between("likelihood/prior.hpp", "enum Family : int {", "}")
    found = prior_numbers(Priors(covariances=family).for_data(X, 3, word))
    assert found.family == re.findall(r"\w+", kinds).index(kind)
    assert tuple(found.strength) == strength
    np.testing.assert_allclose(found.scale, np.ravel(scale), rtol=1e-14)
    axes = {"diag": 2, "spherical": 1}.get(word, 0)
    assert (found.groups, found.axes) == (1 if word == "tied" else 3, axes)
    expected = [[0.1, 0.2]] * 3 if kind == "SEPARATE" else np.zeros((found.groups, 2))
    np.testing.assert_array_equal(found.log_scales, expected)


def test_the_means_of_each_component():
    location, sd = [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], [1.0, 2.0]
    found = prior_numbers(Priors(mean_location=location, mean_sd=sd).for_data(X, 3))
    np.testing.assert_array_equal(found.location, location)
    np.testing.assert_array_equal(found.precision, [[1.0, 0.5]] * 3)
