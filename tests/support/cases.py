"""What the law tests are run over: every structure that exists, with random members of it."""

import numpy as np

from bayesgmm.covariance.structures import structures
from bayesgmm.em.loop import StopRule, maximise
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.priors.objective import Objective

# Structures for one feature have codes of one letter.
STRUCTURES = [each for each in structures() if len(each.code) == 3]
CODES = [each.code for each in STRUCTURES]
# The other M-steps iterate (Celeux and Govaert 1995, section 4).
CLOSED_FORM = {"VVV", "EEE", "VVI", "EEI", "EVI", "VII", "EII", "EEV", "EVV"}
IN_NO_TIME = StopRule(remaining=1e-12, max_e_steps=20_000)


def random_scatters(structure, rng, k, d):
    """Scatters per row, (K, D, D) or (K, D), of condition below about 1e2."""
    if structure.diagonal:
        return rng.uniform(0.3, 3.0, (k, d))
    roots = rng.standard_normal((k, d, d)) / np.sqrt(d)
    scatters = roots @ roots.mT + 0.3 * np.eye(d)
    return (scatters + scatters.mT) / 2


def random_parameters(structure, rng, k, d, spread=1.0):
    """A mixture of the structure whose means are `spread` standard deviations or so apart."""
    weights = rng.dirichlet(np.full(k, 8.0))
    counts = 100 * weights
    covariances = member(structure, counts, random_scatters(structure, rng, k, d))
    return Parameters(weights, spread * rng.standard_normal((k, d)), covariances)


def member(structure, counts, covariances):
    """The member of the structure that an M-step makes of any covariances: itself, of a member."""
    return structure.covariances(counts, per_row(counts, covariances) * covariances)


def per_row(counts, covariances):
    return counts.reshape(-1, *[1] * (covariances.ndim - 1))


def random_direction(structure, rng, k, d):
    """A symmetric change of covariances of order 1, not of the structure."""
    change = rng.standard_normal((k, d) if structure.diagonal else (k, d, d))
    return change if structure.diagonal else 0.5 * (change + change.mT)


def dense(covariances):
    if covariances.ndim == 3:
        return covariances
    return covariances[:, :, None] * np.eye(covariances.shape[1])


def as_mixture(theta):
    return Mixture(theta.weights, theta.means, dense(theta.covariances))


def one_pass(x, theta, row_weights=None, **how):
    return Rows(x, row_weights, **how).e_step(*theta)


def one_step(x, theta, structure):
    statistics = one_pass(x, theta)
    weights, means, scatters = statistics.moments()
    return Parameters(weights, means, structure.covariances(statistics.counts, scatters))


def fit(x, theta, structure, rule=IN_NO_TIME, *, accelerate=True, row_weights=None):
    return maximise(Rows(x, row_weights), Objective(structure), theta, rule, accelerate=accelerate)


def overlapping(rng, n, d, separation=2.0):
    """Rows of two components whose means are `separation` standard deviations apart."""
    x = rng.standard_normal((n, d))
    x[: n // 3, 0] += separation
    return x


def relative_difference(a, b):
    """Largest difference of two statistics in the scales of their sums."""
    variances = a.seconds if a.seconds.ndim == 2 else np.einsum("kii->ki", a.seconds)
    scale = variances
    if a.seconds.ndim == 3:
        scale = np.sqrt(variances[:, :, None] * variances[:, None, :])
    return max(
        abs(a.log_likelihood - b.log_likelihood) / (abs(a.log_likelihood) + a.weight),
        abs(a.weight - b.weight) / a.weight,
        (abs(a.counts - b.counts) / a.counts).max(),
        (abs(a.firsts - b.firsts) / np.sqrt(a.counts[:, None] * variances)).max(),
        (abs(a.seconds - b.seconds) / scale).max(),
    )
