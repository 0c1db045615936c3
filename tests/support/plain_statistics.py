"""The statistics of a pass by their definition, in extended precision."""

import numpy as np

from bayesgmm.likelihood.em_steps import Rows

Extended = np.longdouble


def plain_statistics(x, weights, means, covariances, row_weights=None):
    """Log-likelihood, sum of weights, N, A and B in extended precision, and their scales.

    x (n, D), covariances (K, D, D). Everything is formed from whole arrays and differences from
    the means, without a trick.
    """
    x = np.asarray(x, Extended)
    n, d = x.shape
    v = np.ones(n, Extended) if row_weights is None else np.asarray(row_weights, Extended)
    joint = []
    for w, mean, covariance in zip(weights, means, covariances, strict=True):
        lower = cholesky(covariance)
        z = (x - np.asarray(mean, Extended)).T
        y = np.empty_like(z)
        for i in range(d):
            y[i] = (z[i] - lower[i, :i] @ y[:i]) / lower[i, i]
        log_det = np.log(np.diagonal(lower)).sum()
        two_pi = 8 * np.arctan(Extended(1))
        joint.append(np.log(Extended(w)) - log_det - d * np.log(two_pi) / 2 - (y * y).sum(0) / 2)
    joint = np.array(joint)
    top = joint.max(axis=0)
    rows = top + np.log(np.exp(joint - top).sum(axis=0))
    r = v * np.exp(joint - rows)
    apart = x[None] - np.asarray(means, Extended)[:, None]
    firsts = np.einsum("kb,kbi->ki", r, apart)
    seconds = np.einsum("kb,kbi,kbj->kij", r, apart, apart)
    return (v * rows).sum(), v.sum(), r.sum(axis=1), firsts, seconds


def cholesky(matrix):
    """The lower factor in extended precision."""
    a = np.asarray(matrix, Extended)
    lower = np.zeros_like(a)
    for i in range(len(a)):
        for j in range(i):
            lower[i, j] = (a[i, j] - lower[i, :j] @ lower[j, :j]) / lower[j, j]
        lower[i, i] = np.sqrt(a[i, i] - lower[i, :i] @ lower[i, :i])
    return lower


def discrepancy(found, expected):
    """Largest difference of `Statistics` from `plain_statistics`, in their natural scales.

    Sums of signed terms are measured by the root of the sums of squares that bound them.
    """
    log_likelihood, weight, counts, firsts, seconds = expected
    variances = np.einsum("kii->ki", seconds)
    found_seconds = found.seconds
    if found_seconds.ndim == 2:
        second_errors = abs(found_seconds - variances) / variances
    else:
        scale = np.sqrt(variances[:, :, None] * variances[:, None, :])
        second_errors = abs(found_seconds - seconds) / scale
    return float(
        max(
            abs(found.log_likelihood - log_likelihood) / (abs(log_likelihood) + weight),
            abs(found.weight - weight) / weight,
            (abs(found.counts - counts) / counts).max(),
            (abs(found.firsts - firsts) / np.sqrt(counts[:, None] * variances)).max(),
            second_errors.max(),
        )
    )


def same_bits(a, b):
    """Whether two `Statistics` are equal to the last bit."""
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("centres", "log_likelihood", "weight", "counts", "firsts", "seconds")
    )


def random_mixture_arrays(rng, k, d, *, diagonal=False):
    """Weights, means and covariances (K, D, D) or (K, D), overlapping, of condition below 1e2."""
    weights = rng.dirichlet(np.full(k, 5.0))
    means = rng.standard_normal((k, d))
    if diagonal:
        return weights, means, rng.uniform(0.3, 3.0, (k, d))
    roots = rng.standard_normal((k, d, d)) / np.sqrt(d)
    covariances = roots @ roots.mT + 0.3 * np.eye(d)
    return weights, means, (covariances + covariances.mT) / 2


def one_pass(x, row_weights, parameters, **how):
    """Statistics of one pass."""
    return Rows(x, row_weights, **how).e_step(*parameters)
