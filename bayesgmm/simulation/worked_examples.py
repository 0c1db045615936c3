"""Well-known mixtures of the literature, by name."""

from dataclasses import dataclass

import numpy as np

from bayesgmm.arguments import unknown_name
from bayesgmm.errors import InputError
from bayesgmm.mixture.mixture import Mixture

# Stature of boys, 2000 CDC Growth Charts (Kuczmarski et al. 2002, Vital and Health Statistics
# 11(246); table "statage", sex 1): at 120.5, 180.5 and 240 months M = 138.823, 170.139, 176.849 cm
# and S = 0.047610, 0.045890, 0.040370. M is the median and S the coefficient of variation after
# the chart's Box-Cox transform, whose skewness is small here; M and M S serve as mean and standard
# deviation, to 0.1 cm.
_HEIGHT_MEANS_CM = (138.8, 170.1, 176.8)
_HEIGHT_DEVIATIONS_CM = (6.6, 7.8, 7.1)

_BLOB_CENTRES = ((0.0, 0.0), (2.0, 0.5), (0.5, 2.5), (3.0, 3.0))


@dataclass(frozen=True)
class _Scenario:
    description: str
    mixture: Mixture


_SCENARIOS = {
    "rusty_machine": _Scenario(
        "Three components in one dimension: weights .5 .25 .25, means -3 0 3, variances 1 .5 .25 "
        "(n = 1000).",
        Mixture([0.5, 0.25, 0.25], [-3.0, 0.0, 3.0], [1.0, 0.5, 0.25], ["x"]),
    ),
    "heights": _Scenario(
        "Heights in cm of males aged 10, 15 and 20 in one room, as many of each; after the 2000 "
        "CDC Growth Charts.",
        Mixture(
            np.full(3, 1 / 3), _HEIGHT_MEANS_CM, np.square(_HEIGHT_DEVIATIONS_CM), ["height_cm"]
        ),
    ),
    "overlapping_ellipses": _Scenario(
        "Two equally likely ellipses around (3, 3) and (1.5, 1.5): unit variances, correlations "
        ".6 and -.7.",
        Mixture(
            [0.5, 0.5],
            [[3.0, 3.0], [1.5, 1.5]],
            [[[1.0, 0.6], [0.6, 1.0]], [[1.0, -0.7], [-0.7, 1.0]]],
            ["x", "y"],
        ),
    ),
    "blobs": _Scenario(
        "Four equally likely round clusters of standard deviation .5 in two dimensions (n = 800).",
        Mixture(np.full(4, 0.25), _BLOB_CENTRES, np.tile(0.25 * np.eye(2), (4, 1, 1)), ["x", "y"]),
    ),
}


def scenarios() -> dict[str, str]:
    """Return the names of the worked examples, each with a line that describes it.

    Where an example is known with a number of rows, the line gives it.

    Examples
    --------
    >>> from bayesgmm import scenarios
    >>> list(scenarios())
    ['rusty_machine', 'heights', 'overlapping_ellipses', 'blobs']
    """
    return {name: each.description for name, each in _SCENARIOS.items()}


def scenario(name: str) -> Mixture:
    """Return the mixture of a worked example.

    Parameters
    ----------
    name : str
        One of the names that ``scenarios()`` lists: "rusty_machine" (no unit), "heights" (cm),
        "overlapping_ellipses", "blobs" (no unit).

    Returns
    -------
    Mixture
        With feature names.

    Raises
    ------
    InputError
        If there is no such example; the message gives the nearest name.

    Examples
    --------
    >>> from bayesgmm import scenario
    >>> scenario("heights").feature_names
    ('height_cm',)
    """
    found = _SCENARIOS.get(name) if isinstance(name, str) else None
    if found is None:
        raise InputError(unknown_name("scenario", name, _SCENARIOS))
    return found.mixture
