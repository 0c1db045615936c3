"""M-steps of the covariances, for every structure, in compiled code.

Sigma_k = lambda_k D_k A_k D_k': volume, shape and orientation, each equal for all components or
varying, shape and orientation also none (Celeux and Govaert 1995, sections 3 and 4). With counts
N_k and scatters W_k about the new means each maximises

    -1/2 sum_k (N_k log |Sigma_k| + tr Sigma_k^-1 W_k).

Three of the four that mclust iterates for volumes are one convex problem (`volumes`), two have
common axes (`axes`); the others are closed forms. What an iteration begins at is passed in, and
where it ends is passed out: nothing is remembered here. A structure without an iteration passes
None, and numba compiles no more than its M-step needs.
"""

import math

import numpy as np

from bayesgmm.model.axes import fit_axes
from bayesgmm.model.compile import jit
from bayesgmm.model.loops import accumulate, scale
from bayesgmm.model.spectrum import cholesky, log_determinant, spectrum
from bayesgmm.model.volumes import fit_volumes

# What a letter of a structure's code stands for.
IDENTITY, EQUAL, VARYING = 0, 1, 2
_MOST_STEPS = 200


@jit
def maximise_covariances(letters, counts, scatters, logs, axes, effort, out):
    """Fill `out` with the covariances of a structure that maximise the expected log-likelihood.

    Parameters
    ----------
    letters : (volume, shape, orientation), each IDENTITY, EQUAL or VARYING
    counts : (K,)
    scatters, out : (K, D, D), or (K, D) variances where the orientation is IDENTITY
    logs : (K,), or None
        Where volumes that vary around an equal shape begin, and then where they ended: minus their
        logarithms. None for volumes in closed form.
    axes : (D, D) common to all components, (K, D, D) each component's own, or None
        Common axes begin there (NaN for anywhere) and are left there, as own ones are. None where
        the orientation goes with the shape.
    effort : int
        How many steps an iteration goes on from there; 0 for as many as it takes from nothing.

    Returns 0, or 1 + the index of a component whose scatter leaves no covariance.
    """
    volume, shape, _ = letters
    if scatters.ndim == 2:
        return _diagonal(volume, shape, counts, scatters, logs, effort, out)
    if axes is None:
        if shape == EQUAL:
            return _same_but_volumes(counts, scatters, logs, effort, out)
        return _free(volume, counts, scatters, out)
    return _turned(volume, counts, scatters, logs, axes, effort, out)


@jit
def _diagonal(volume, shape, counts, scatters, logs, effort, out):
    """EII, VII, EEI, VEI, EVI, VVI: variances (K, D)."""
    if shape == VARYING:
        return _free_variances(volume, counts, scatters, out)
    if shape == EQUAL:
        return _same_but_volumes(counts, scatters, logs, effort, out)
    n_components, d = scatters.shape
    n, total = counts.sum(), scatters.sum()
    for k in range(n_components):
        variance = total / (n * d) if volume == EQUAL else scatters[k].sum() / (counts[k] * d)
        for j in range(d):
            out[k, j] = variance
    return 0


@jit
def _free_variances(volume, counts, scatters, out):
    """VVI; EVI: lambda w_k / |w_k|^(1/D) with lambda = sum_k |w_k|^(1/D) / N."""
    n_components, d = scatters.shape
    scales = np.empty(n_components)
    for k in range(n_components):
        s = 0.0
        for j in range(d):
            if not scatters[k, j] > 0.0:
                return k + 1
            s += math.log(scatters[k, j])
        scales[k] = math.exp(s / d)
    volume_all = scales.sum() / counts.sum()
    for k in range(n_components):
        divisor = scales[k] / volume_all if volume == EQUAL else counts[k]
        for j in range(d):
            out[k, j] = scatters[k, j] / divisor
    return 0


@jit
def _same_but_volumes(counts, scatters, logs, effort, out):
    """EEI and VEI, EEE and VEE: S / N, or lambda_k S(u) / N."""
    total = np.zeros_like(scatters[0])
    n = counts.sum()
    if logs is None:
        for k in range(scatters.shape[0]):
            accumulate(total, scatters[k])
    else:
        bad = fit_volumes(scatters, counts, logs, total, effort if effort > 0 else _MOST_STEPS)
        if bad > 0:
            return bad
    for k in range(scatters.shape[0]):
        share = 1.0 / n if logs is None else math.exp(-logs[k]) / n
        if scatters.ndim == 3:
            for i in range(total.shape[0]):
                for j in range(i + 1):
                    out[k, i, j] = out[k, j, i] = share * total[i, j]
        else:
            for j in range(total.size):
                out[k, j] = share * total[j]
    return 0


@jit
def _free(volume, counts, scatters, out):
    """VVV; EVV: lambda W_k / |W_k|^(1/D) with lambda = sum_k |W_k|^(1/D) / N."""
    n_components, d = scatters.shape[:2]
    divisors = np.empty(n_components)
    lower = np.empty((d, d))
    for k in range(n_components):
        divisors[k] = counts[k]
        if volume == EQUAL:
            if not cholesky(scatters[k], lower):
                return k + 1
            divisors[k] = math.exp(log_determinant(lower) / d)
    if volume == EQUAL:
        scale(divisors, counts.sum() / divisors.sum())
    for k in range(n_components):
        for i in range(d):
            for j in range(i + 1):
                out[k, i, j] = out[k, j, i] = scatters[k, i, j] / divisors[k]
    return 0


@jit
def _compose(axes, variances, out):
    """D diag(variances) D', symmetric to the last bit."""
    d = axes.shape[0]
    for i in range(d):
        for j in range(i + 1):
            s = 0.0
            for m in range(d):
                s += axes[i, m] * variances[m] * axes[j, m]
            out[i, j] = out[j, i] = s


@jit
def _turned(volume, counts, scatters, logs, axes, effort, out):
    """Orientations apart from the shapes."""
    if axes.ndim == 2:
        return _common_axes(volume, counts, scatters, axes, effort, out)
    return _own_axes(counts, scatters, logs, axes, effort, out)


@jit
def _common_axes(volume, counts, scatters, axes, effort, out):
    """EVE and VVE: the variances along common axes are those of EVI and VVI."""
    n_components, d = scatters.shape[:2]
    rotated = np.empty((n_components, d, d))
    bad = fit_axes(scatters, counts, volume == EQUAL, axes, rotated, effort)
    if bad > 0:
        return bad
    along = np.empty((n_components, d))
    for k in range(n_components):
        for j in range(d):
            along[k, j] = rotated[k, j, j]
    variances = np.empty((n_components, d))
    bad = _free_variances(volume, counts, along, variances)
    for k in range(n_components):
        _compose(axes, variances[k], out[k])
    return bad


@jit
def _own_axes(counts, scatters, logs, axes, effort, out):
    """EEV and VEV: the eigenvalues of the scatters are the scatters of EEI and VEI."""
    n_components, d = scatters.shape[:2]
    values = np.empty((n_components, d))
    for k in range(n_components):
        spectrum(scatters[k], values[k], axes[k])
        if not values[k, 0] > 0.0:
            return k + 1
    variances = np.empty((n_components, d))
    bad = _same_but_volumes(counts, values, logs, effort, variances)
    for k in range(n_components):
        _compose(axes[k], variances[k], out[k])
    return bad
