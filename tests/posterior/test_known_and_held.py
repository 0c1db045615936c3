"""Posteriors with known labels, noise, outliers and held parameters, by brute force."""

import numpy as np
import pytest
from problems import rows
from scipy import stats
from scipy.special import expit, logsumexp

from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import check_data
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem
from bayesgmm.priors.held_parameters import held_parameters
from bayesgmm.priors.outlier_priors import OutlierPriors
from bayesgmm.priors.priors import Priors

K, D, N = 3, 3, 30
MISSING = np.nan
BESIDE = {
    "nothing": OutlierPriors(),
    "noise": OutlierPriors(noise=True),
    "outliers": OutlierPriors(contaminated=True),
}


def held_of(kind, structure):
    """Held parameters of a kind, or None."""
    some = [[0.0, MISSING, MISSING], [MISSING] * 3, [1.0, 2.0, 3.0]]
    fixed = {
        "nothing": ({}, False),
        "a weight": ({"weights": [0.2, MISSING, MISSING]}, False),
        "means and equal weights": ({"means": 100.0 + np.array(some)}, True),
        "a covariance": (
            {"covariances": np.stack([np.full((3, 3), each) for each in (MISSING,) * 3])},
            False,
        ),
    }[kind]
    if kind == "a covariance":
        fixed[0]["covariances"][1] = np.diag([0.01, 3.0, 900.0])
    return held_parameters(*fixed, K, D, structure)


HELD = ["nothing", "a weight", "means and equal weights", "a covariance"]


def posed(code, beside, held, *, labelled, partial=True):
    """A problem, its rows, and the box of noise."""
    structure, rng = as_structure(code), np.random.default_rng(3)
    x = rows(N, D)
    if partial:
        x[3, 1] = x[27, 0] = np.nan
    labels = np.full(N, -1)
    labels[:5], labels[20:23] = 2, 0
    data = check_data(x, allow_nan=True)._replace(weights=rng.uniform(0.5, 2.0, N))
    if labelled:
        data = data._replace(labels=labels)
    priors = Priors().for_data(data, K, structure, sample_weight=data.weights)
    box = Noise.around(data) if BESIDE[beside].noise else None
    filled = np.where(np.isnan(x), 100.0, x)
    frame = coordinates(
        filled, K, structure, None, data.weights, BESIDE[beside], held_of(held, structure)
    )
    none = data.take(np.arange(0))
    return problem(data, priors, frame, box), problem(none, priors, frame, box), box


def brute_force(target, parameters, box):
    """The log-likelihood row by row."""
    weights, means, covariances, *beside = parameters
    data, noise = target.rows, float(beside[0]) if box is not None else 0.0
    total = 0.0
    for i, (row, v) in enumerate(zip(data.X, data.weights, strict=True)):
        seen = ~np.isnan(row)
        each = []
        for k in range(K):
            sigma = covariances[k][np.ix_(seen, seen)]
            parts = [stats.multivariate_normal(means[k][seen], sigma).logpdf(row[seen])]
            shares = [1.0]
            if len(beside) == 2:
                broad = stats.multivariate_normal(means[k][seen], beside[1][k] * sigma)
                parts.append(broad.logpdf(row[seen]))
                shares = [1.0 - beside[0][k], beside[0][k]]
            each.append(np.log(weights[k] * (1.0 - noise)) + logsumexp(parts, b=shares))
        label = -1 if data.labels is None else data.labels[i]
        if label < 0 and noise:
            each.append(np.log(noise) + box.log_density(row[np.newaxis])[0])
        total += v * (each[label] if label >= 0 else logsumexp(each))
    return total


def points(target, count=2):
    """Points at which axes of covariances have a direction."""
    rng, size = np.random.default_rng(7), target.coordinates.size
    return [np.linspace(0.0, 0.5, size) + 0.2 * rng.standard_normal(size) for _ in range(count)]


over_kinds = pytest.mark.parametrize("held", HELD)
over_beside = pytest.mark.parametrize("beside", list(BESIDE))
over_codes = pytest.mark.parametrize("code", ["VVV", "VVI", "EEE", "EII", "VEV", "EVE", "VEI"])


def skip_if_shared(code, held):
    if held == "a covariance" and "E" in code:
        pytest.skip("components share a part: all covariances are held, or none")


@over_codes
@over_beside
@over_kinds
def test_the_gradient_is_the_difference_quotient(code, beside, held):
    skip_if_shared(code, held)
    target, _, _ = posed(code, beside, held, labelled=True)
    (u,) = points(target, 1)
    _, gradient = target.log_density(u)

    def difference(step):
        return target.log_density(u + step)[0] - target.log_density(u - step)[0]

    # Of fourth order: the densities bend sharply at some points.
    h = 1e-4
    steps = h * np.eye(len(u))
    quotient = [(8.0 * difference(s) - difference(2.0 * s)) / (12.0 * h) for s in steps]
    np.testing.assert_allclose(quotient, gradient, atol=1e-7 * np.abs(gradient).max())


@pytest.mark.parametrize(
    ("code", "labelled"), [("VVV", False), ("VVV", True), ("VVI", True), ("EVE", True)]
)
@over_beside
@over_kinds
def test_the_likelihood_is_that_of_brute_force(code, beside, held, labelled):
    skip_if_shared(code, held)
    target, without_rows, box = posed(code, beside, held, labelled=labelled)
    found, expected = [], []
    for u in points(target):
        found.append(target.log_density(u)[0] - without_rows.log_density(u)[0])
        expected.append(brute_force(target, target.parameters(u), box))
    # The two differ by the Jacobian of the rows' units, a constant.
    assert found[0] - found[1] == pytest.approx(expected[0] - expected[1], rel=1e-10)


@over_beside
@over_kinds
def test_coordinates_are_those_of_the_parameters(beside, held):
    target, _, _ = posed("VVV", beside, held, labelled=True)
    (u,) = points(target, 1)
    frame = target.coordinates
    np.testing.assert_allclose(frame.of_parameters(*target.parameters(u)), u, atol=1e-8)


@over_kinds
def test_held_parameters_keep_their_values(held):
    target, _, _ = posed("VVV", "nothing", held, labelled=False)
    parameters = held_of(held, as_structure("VVV"))
    for u in points(target):
        weights, means, covariances = target.parameters(u)
        assert weights.sum() == pytest.approx(1.0, abs=1e-14)
        if parameters is None:
            continue
        for value, own in zip(
            (weights, means, covariances),
            (parameters.weights, parameters.means, parameters.covariances),
            strict=True,
        ):
            here = ~np.isnan(own)
            np.testing.assert_allclose(value[here], own[here], rtol=1e-12)


@pytest.mark.parametrize("beside", ["noise", "outliers"])
def test_priors_of_noise_and_outliers(beside):
    """Without rows the log density is that of the priors, with its constants."""
    _, target, _ = posed("VVV", beside, "nothing", labelled=False)
    _, plain, _ = posed("VVV", "nothing", "nothing", labelled=False)
    (u,) = points(target, 1)
    size = plain.coordinates.size
    found = target.log_density(u)[0] - plain.log_density(u[:size])[0]
    if beside == "noise":
        weight = expit(u[size])
        concentration = sum(Priors().for_data(rows(N, D), K).concentration)
        expected = stats.beta(1.0, concentration).logpdf(weight) + np.log(weight * (1.0 - weight))
    else:
        s, t = u[size:].reshape(K, 2).T
        twice, inflation = expit(s), 1.0 + np.exp(t)
        expected = stats.beta(1.0, 4.0).logpdf(twice) + np.log(twice * (1.0 - twice))
        # log eta is half-normal; d log eta / dt = (eta - 1) / eta
        expected += stats.halfnorm(scale=2.0).logpdf(np.log(inflation)) + t - np.log(inflation)
        expected = expected.sum()
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_density_under_labels_is_that_of_a_posterior_of_one_labelling():
    """Exchanging components changes it, but for those of no known row."""
    target, _, _ = posed("VVV", "nothing", "nothing", labelled=True)
    plain, _, _ = posed("VVV", "nothing", "nothing", labelled=False)
    (u,) = points(target, 1)
    for each, same in ((plain, True), (target, False)):
        mixture = Mixture(*each.parameters(u))
        exchanged = each.coordinates.of(mixture.permuted([1, 0, 2]))
        difference = each.log_density(exchanged)[0] - each.log_density(u)[0]
        assert (abs(difference) < 1e-8) == same
