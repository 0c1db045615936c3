"""EM's penalised optimum is the mode of the density that PyMC is given, in the same parameters."""

import numpy as np
import pytensor
import pytest
from problems import rows
from pymc.model.transform.conditioning import remove_value_transforms

from bayesgmm import GaussianMixture, Priors, mixture_model
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem

K = 3
# Structure, features, whether the covariances' scale is learned. Both engines integrate it out.
CASES = [
    *((word, d, False) for word in ("full", "tied", "diag", "spherical") for d in (1, 2)),
    *((word, d, True) for word, d in (("full", 1), ("full", 2), ("tied", 2), ("diag", 2))),
    ("spherical", 2, True),
]


class Density:
    """The model's log density at weights, means and free covariances, without any transform."""

    def __init__(self, x, word, priors):
        model = remove_value_transforms(mixture_model(x, K, covariance_type=word, priors=priors))
        own = {each.name: model.rvs_to_values[each] for each in model.free_RVs}
        values = [own.pop("weights"), own.pop("means"), *own.values()]
        total = model.logp(jacobian=False)
        # Interpreted: there are few evaluations, and compiling takes longer than all of them.
        mode = pytensor.compile.Mode(linker="py", optimizer="fast_compile")
        gradients = pytensor.grad(total, values)
        self._function = pytensor.function(
            values, [total, *gradients], mode=mode, on_unused_input="raise"
        )

    def __call__(self, theta):
        """Log density, and its slopes in units of the mixture's own size.

        Slopes of weights are along the simplex, per log weight; of means per standard deviation;
        of covariances along symmetric changes L S L' alone, with L L' the covariance.
        """
        weights, _, free = theta
        value, by_weight, by_mean, by_free = self._function(*theta)
        along = weights * (by_weight - weights @ by_weight)
        halves = roots(free)
        if free.ndim == 3:
            by_free = halves.mT @ (0.5 * (by_free + by_free.mT)) @ halves
            sizes = np.sqrt(np.diagonal(free, axis1=1, axis2=2))
        else:
            by_free, sizes = free * by_free, np.sqrt(free)
        return float(value), np.concatenate([along, (sizes * by_mean).ravel(), by_free.ravel()])


def roots(free):
    return np.linalg.cholesky(free) if free.ndim == 3 else np.sqrt(free)


def displaced(theta, rng, step):
    """Another mixture of the same structure, a step away along a random direction."""
    weights, means, free = theta
    halves = roots(free)
    w = weights * np.exp(step * rng.standard_normal(K))
    if free.ndim == 3:
        sizes = np.sqrt(np.diagonal(free, axis1=1, axis2=2))
        factors = halves @ (np.eye(free.shape[1]) + 0.5 * step * rng.standard_normal(free.shape))
        moved = factors @ factors.mT
    else:
        sizes = halves
        moved = free * np.exp(step * rng.standard_normal(free.shape))
    m = means + step * sizes * rng.standard_normal(means.shape)
    return w / w.sum(), m, moved


@pytest.mark.parametrize(("word", "d", "hierarchical"), CASES)
def test_em_s_optimum_is_the_mode_of_the_model(word, d, hierarchical):
    x, priors = rows(200, d), Priors(hierarchical=hierarchical)
    fit = GaussianMixture(K, covariance_type=word, priors=priors, random_state=0).fit(x)
    assert fit.converged_
    own = fit.mixture_
    optimum = (own.weights, own.means, fit.priors_.parts(own.covariances))
    density = Density(x, word, priors)
    value, slopes = density(optimum)
    assert value == pytest.approx(fit.log_posterior_, rel=1e-12)
    rng = np.random.default_rng(7)
    _, far = density(displaced(optimum, rng, 0.3))
    assert abs(slopes).max() <= 1e-8 * abs(far).max()
    # The prior's own pull is felt: the slopes are not those of the likelihood alone.
    plain = GaussianMixture(K, covariance_type=word, random_state=0).fit(x).mixture_
    _, without = density((plain.weights, plain.means, fit.priors_.parts(plain.covariances)))
    assert abs(without).max() > 1e-3 * abs(far).max()
    for step in (1e-3, 1e-2, 0.1):
        for _ in range(10):
            assert density(displaced(optimum, rng, step))[0] < value


@pytest.mark.parametrize("hierarchical", [False, True])
@pytest.mark.parametrize("code", ["VEI", "EVI", "VEE", "EVV", "EVE", "VVE", "EEV", "VEV"])
def test_em_s_optimum_is_the_mode_where_components_share_parts(code, hierarchical):
    """Of the posterior density without the measure of its coordinates."""
    x, structure = rows(200, 3), as_structure(code)
    if not structure.scales_by_column:
        x = x / np.geomspace(0.1, 30.0, 3)
    priors = Priors(hierarchical=hierarchical)
    fit = GaussianMixture(K, covariance_type=code, priors=priors, random_state=0).fit(x)
    assert fit.converged_
    frame = coordinates(x, K, structure, fit.mixture_)
    target = problem(Data(x, None), fit.priors_, frame)

    def slopes(u, h=1e-4):
        steps = h * np.eye(frame.size)
        measures = [
            (frame.log_jacobian(u + s) - frame.log_jacobian(u - s)) / (2 * h) for s in steps
        ]
        return target.log_density(u)[1] - measures

    u = frame.of(fit.mixture_)
    value = target.log_density(u)[0] - frame.log_jacobian(u)
    assert value == pytest.approx(fit.log_posterior_, rel=1e-12)
    far = slopes(u + 0.2 * np.random.default_rng(1).standard_normal(frame.size))
    assert abs(slopes(u)).max() <= 1e-5 * abs(far).max()
    rng = np.random.default_rng(7)
    for step in (1e-2, 0.1):
        for _ in range(10):
            near = u + step * rng.standard_normal(frame.size)
            assert target.log_density(near)[0] - frame.log_jacobian(near) < value
