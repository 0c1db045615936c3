"""Missing entries drawn given draws of a posterior."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from bayesgmm import GaussianMixture, Mixture, impute, sample_posterior, simulate
from bayesgmm.errors import InputError, InvalidParameterError

N = 4000
MIXTURE = Mixture(
    [0.4, 0.6], [[0.0, 0.0], [2.0, 5.0]], [[[1.0, 0.6], [0.6, 1.0]], [[1.5, -0.5], [-0.5, 0.8]]]
)
ROW = [1.2, np.nan]


def posterior_of(x, constants, **beside):
    """A posterior of one draw, with what is known beside the rows."""
    axes = ("chain", "draw", "component", "feature", "feature_bis")
    values = MIXTURE.weights, MIXTURE.means, MIXTURE.covariances
    group = {
        name: (axes[: 2 + value.ndim], value[np.newaxis, np.newaxis])
        for name, value in zip(("weights", "means", "covariances"), values, strict=True)
    }
    group |= {
        name: (axes[: 2 + np.ndim(value)], np.asarray(value)[np.newaxis, np.newaxis])
        for name, value in beside.items()
    }
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(group, {"chain": [0], "draw": [0]}),
            "observed_data": xr.Dataset({"X": (("row", "feature"), x)}),
            "constant_data": xr.Dataset(constants),
        }
    )


def filled(constants, rng=0, **beside):
    """N draws of the missing entry of one row."""
    posterior = posterior_of(np.tile(ROW, (N, 1)), constants, **beside)
    found = impute(posterior, n_imputations=1, rng=rng)
    assert found.dims == ("imputation", "row", "feature")
    assert (found.values[..., 0] == ROW[0]).all()
    return found.values[0, :, 1]


def distribution_of(shares, covariances):
    """Distribution function of the missing entry: a mixture of conditional normal ones."""

    def cdf(y):
        total = 0.0
        for share, mean, s in zip(
            shares, np.tile(MIXTURE.means, (9, 1)), covariances, strict=False
        ):
            location = mean[1] + s[1, 0] / s[0, 0] * (ROW[0] - mean[0])
            total += share * stats.norm(location, np.sqrt(s[1, 1] - s[1, 0] ** 2 / s[0, 0])).cdf(y)
        return total

    return cdf


def shares_of(weights, covariances):
    means = np.tile(MIXTURE.means, (9, 1))[: len(weights), 0]
    found = weights * stats.norm(means, np.sqrt(covariances[:, 0, 0])).pdf(ROW[0])
    return found


def as_expected(found, cdf):
    return stats.kstest(found, cdf).pvalue > 1e-3


def test_an_entry_has_its_conditional_distribution():
    own = shares_of(MIXTURE.weights, MIXTURE.covariances)
    assert as_expected(filled({}), distribution_of(own / own.sum(), MIXTURE.covariances))


def test_a_known_component_fills_its_rows():
    labels = {"labels": (("row",), np.ones(N, dtype=int))}
    assert as_expected(filled(labels), distribution_of([0.0, 1.0], MIXTURE.covariances))


def test_outliers_have_the_wider_covariance():
    inflation, share = np.array([9.0, 25.0]), np.array([0.3, 0.2])
    wide = inflation[:, np.newaxis, np.newaxis] * MIXTURE.covariances
    covariances = np.concatenate((MIXTURE.covariances, wide))
    weights = np.concatenate((MIXTURE.weights * (1.0 - share), MIXTURE.weights * share))
    own = shares_of(weights, covariances)
    found = filled({}, outlier_proportion=share, inflation=inflation)
    assert as_expected(found, distribution_of(own / own.sum(), covariances))
    known = own * [0.0, 1.0, 0.0, 1.0]
    labels = {"labels": (("row",), np.ones(N, dtype=int))}
    found = filled(labels, outlier_proportion=share, inflation=inflation)
    assert as_expected(found, distribution_of(known / known.sum(), covariances))


@pytest.mark.parametrize("known", [-1, 0])
def test_noise_fills_from_its_box(known):
    box = {
        "noise_lower": (("feature",), [-10.0, -20.0]),
        "noise_upper": (("feature",), [10.0, 20.0]),
        "labels": (("row",), np.full(N, known)),
    }
    own = shares_of(MIXTURE.weights, MIXTURE.covariances)
    noise = 0.7 / 20.0 / (0.7 / 20.0 + 0.3 * own.sum())
    shares = own / own.sum()
    if known == 0:
        shares, noise = np.array([1.0, 0.0]), 0.0
    of_components = distribution_of(shares, MIXTURE.covariances)
    uniform = stats.uniform(-20.0, 40.0).cdf
    found = filled(box, noise_weight=0.7)
    assert as_expected(found, lambda y: (1.0 - noise) * of_components(y) + noise * uniform(y))


def test_the_variance_between_imputations_is_that_of_the_parameters_too():
    """The mean of a column by Rubin's rules has the posterior's standard deviation of it.

    By draws from one estimate it is too small, where most entries are missing.
    """
    X = simulate(MIXTURE, 300, rng=1).X
    X[np.random.default_rng(2).random(300) < 0.8, 1] = np.nan
    fit = GaussianMixture(2, random_state=0).fit(X)
    posterior = sample_posterior(X, init=fit, draws=500, rng=0, progressbar=False)
    draws = posterior["posterior"]
    means = (draws["weights"] * draws["means"].isel(feature=1)).sum("component")
    rows = impute(posterior, n_imputations=400, rng=3)
    assert dict(rows.sizes) == {"imputation": 400, "row": 300, "feature": 2}
    assert np.array_equal(np.unique(rows["chain"]), [0, 1, 2, 3])
    seen = ~np.isnan(X)
    assert (rows.values[:, seen] == X[seen]).all()

    def deviation(filled):
        column = filled[..., 1]
        within, between = column.var(axis=1).mean() / 300, column.mean(axis=1).var(ddof=1)
        return np.sqrt(within + (1.0 + 1.0 / len(filled)) * between)

    of_posterior = float(means.std())
    assert deviation(rows.values) == pytest.approx(of_posterior, rel=0.15)
    assert deviation(fit.impute(X, draws=400, rng=3)) < 0.75 * of_posterior


def test_what_cannot_be_filled():
    posterior = posterior_of(np.tile(ROW, (5, 1)), {})
    with pytest.raises(InvalidParameterError, match="more than the 1 draws"):
        impute(posterior, n_imputations=2)
    with pytest.raises(InputError, match="3 features"):
        impute(posterior, np.ones((2, 3)), n_imputations=1)
    # Other rows than the fitted ones, and rows of which nothing was seen.
    found = impute(posterior, [[np.nan, np.nan]] * 3, n_imputations=1, rng=0)
    assert np.isfinite(found).all()
