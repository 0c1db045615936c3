"""Signs of outliers: found where they are, and not in sound fits."""

import numpy as np
import pytest
from noisy_rows import with_noise

from bayesgmm import GaussianMixture, Mixture, load_dataset, report, scenario, scenarios, simulate
from bayesgmm.data.validation import check_data
from bayesgmm.errors import FitError
from bayesgmm.mixture.outlying import broad_components, far_rows, signs_of_outliers

FAITHFUL = np.asarray(load_dataset("faithful").X)
ADVICE = "noise_component=True (--noise) adds a component for outliers."
SOUND = {name: load_dataset(name).X for name in ("faithful", "galaxies", "iris")}
SOUND |= {name: simulate(scenario(name), 800, rng=0).X for name in scenarios()}
SOUND |= {"one Gaussian": np.random.default_rng(1).normal(size=(300, 2))}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.DegeneracyWarning")
def test_sound_fits_have_none(name):
    data = check_data(np.reshape(SOUND[name], (len(SOUND[name]), -1)))
    for k in (1, 2, 3, 4):
        fit = GaussianMixture(k, random_state=0).fit(data)
        assert signs_of_outliers(fit.mixture_, data) == []


def test_a_component_that_gathers_outliers():
    x = np.concatenate((FAITHFUL, [[20.0, 300.0], [-10.0, 150.0], [12.0, 0.0]]))
    fit = GaussianMixture(3, random_state=0).fit(x)
    ((component, ratio),) = broad_components(fit.mixture_)
    assert component == fit.weights_.argmin()
    assert ratio > 20.0
    words = f"Component {component} (1.1 % of the rows) is {ratio:.2g} times as broad as the others"
    page = report(x, em=fit)
    assert words in fit.summary()
    assert ADVICE in fit.summary()
    assert words in page.numbers["sections"]["mixture"]["verdict"]
    assert ADVICE in page.numbers["sections"]["mixture"]["reason"]
    # In other units it is the same, and with noise there is nothing to advise.
    other = fit.mixture_.transformed(np.diag([1e6, 1e-3]), np.zeros(2))
    assert broad_components(other) == [(component, pytest.approx(ratio))]
    assert "--noise" not in GaussianMixture(2, noise_component=True).fit(x).summary()
    assert "--noise" not in GaussianMixture(2, contaminated=True, random_state=0).fit(x).summary()


@pytest.mark.parametrize("k", [3, 4, 5])
def test_uniform_noise_is_gathered_by_a_component(k):
    fit = GaussianMixture(k, random_state=0).fit(with_noise(0, 300, 30)[0])
    assert len(broad_components(fit.mixture_)) == 1


def test_rows_far_out():
    x = np.concatenate((FAITHFUL, [[20.0, 300.0]]))
    fit = GaussianMixture(2, random_state=0).fit(x)
    assert far_rows(fit.mixture_, x).tolist() == [272]
    said = signs_of_outliers(fit.mixture_, check_data(x))
    assert said == [
        f"Row 272 lies farther from every component than its rows do, as outliers do. {ADVICE}"
    ]
    assert said[0] in fit.summary()
    # Rows are numbered as they stand, and those seen in part are left out.
    x[0, 1] = np.nan
    assert signs_of_outliers(fit.mixture_, check_data(x, allow_nan=True)) == said
    standard = Mixture([1.0], [[0.0, 0.0]], [np.eye(2)])
    rows = np.array([[0.0, 0.0], [9.0, 0.0], [0.0, 30.0]])
    assert far_rows(standard, rows).tolist() == [2, 1]
    assert (
        "2 rows, the farthest of them row 2, lie"
        in signs_of_outliers(standard, check_data(rows))[0]
    )


def test_a_collapse_onto_a_row_far_out():
    x = np.concatenate((FAITHFUL, [[20.0, 300.0]]))
    with pytest.raises(FitError, match="Row 272 lies far from all others; for outliers, noise_com"):
        GaussianMixture(3, random_state=0).fit(x)
    assert GaussianMixture(2, noise_component=True, random_state=0).fit(x).predict(x)[272] == -1
