"""Information about noise and outliers, beside that about the components."""

from dataclasses import replace

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.likelihood.information import Information
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.noise import Noise
from bayesgmm.uncertainty.parameter_vectors import lower_triangle

# A proportion of outliers below this is rounding.
_NONE = 1e-10


def of_components(found: Information, outliers: Contamination) -> Information:
    """The information of pairs of Gaussians as that of contaminated components.

    Coordinates are those of the components, then the proportion of outliers of each and then the
    logarithm of each inflation. The second Gaussian of a pair has w p of the weight w of both, the
    same mean and exp(t) times the covariance of the first.
    """
    k = len(outliers.proportions)
    d = found.roots.shape[1]
    size = 1 + d + d * (d + 1) // 2
    p, eta = outliers.proportions, outliers.inflation
    gradient = found.gradient.reshape(2 * k, size)
    weights = found.counts.reshape(2, k).sum(axis=0) / found.counts.sum()
    rows, columns = lower_triangle(d)
    identity = np.append(np.zeros(1 + d), (rows == columns).astype(float))
    jacobian = np.zeros((2 * k, size, k * size + 2 * k))
    curvature = np.zeros((k * size + 2 * k, k * size + 2 * k))
    for c in range(k):
        own = slice(c * size, (c + 1) * size)
        share, scale = k * size + c, k * size + k + c
        jacobian[c, :, own] = np.diag(np.append(1.0 - p[c], np.ones(size - 1)))
        of_twin = np.concatenate(([p[c]], np.full(d, eta[c] ** -0.5), np.ones(len(rows))))
        jacobian[c + k, :, own] = np.diag(of_twin)
        jacobian[[c, c + k], 0, share] = -weights[c], weights[c]
        jacobian[c + k, :, scale] = identity
        twin = gradient[c + k]
        curvature[own.start, share] = curvature[share, own.start] = twin[0] - gradient[c, 0]
        entries = np.arange(own.start + 1 + d, own.stop)
        curvature[entries, scale] = curvature[scale, entries] = twin[1 + d :]
        curvature[scale, scale] = identity @ twin
    jacobian = jacobian.reshape(2 * k * size, -1)
    return replace(
        found,
        roots=found.roots[:k],
        gradient=jacobian.T @ found.gradient,
        hessian=jacobian.T @ found.hessian @ jacobian + curvature,
        products=jacobian.T @ found.products @ jacobian,
        counts=found.counts.reshape(2, k).sum(axis=0),
    )


def complete_information(
    found: Information, noise: Noise | None, outliers: Contamination | None
) -> Array:
    """Information about each coordinate of noise or outliers if it were known what rows are."""
    if noise is not None:
        rows = found.counts.sum() / (1.0 - noise.weight)
        return np.array([rows / (noise.weight * (1.0 - noise.weight))])
    if outliers is not None:
        p, d = outliers.proportions, found.roots.shape[1]
        return np.concatenate((found.counts / (p * (1.0 - p)), 0.5 * d * found.counts * p))
    return np.empty(0)


def without_outliers(outliers: Contamination | None) -> list[int]:
    """Components whose proportion of outliers is at its bound, 0 up to rounding."""
    if outliers is None:
        return []
    return [int(c) for c in np.flatnonzero(outliers.proportions < _NONE)]


def named_values(noise: Noise | None, outliers: Contamination | None) -> dict[str, float]:
    """The weight of noise, or the proportions of outliers and their inflation, by name."""
    if noise is not None:
        return {"weight[noise]": noise.weight}
    if outliers is None:
        return {}
    none = outliers.proportions < _NONE
    kinds = {
        "outliers": np.where(none, 0.0, outliers.proportions),
        "inflation": np.where(none, np.nan, outliers.inflation),
    }
    return {
        f"{kind}[{c}]": float(each) for kind, own in kinds.items() for c, each in enumerate(own)
    }


def named_errors(
    spread: Array, noise: Noise | None, outliers: Contamination | None
) -> dict[str, tuple[float, float]]:
    """Estimate and standard error, by name, from the errors of the coordinates.

    Of a component without outliers nothing is known of their inflation, and the proportion is at
    its bound: NaN.
    """
    values = named_values(noise, outliers)
    if outliers is not None:
        spread = spread.copy()
        for c in without_outliers(outliers):
            spread[[c, c + len(outliers.inflation)]] = np.nan
        spread = spread * np.append(np.ones(len(outliers.inflation)), outliers.inflation)
    return {
        name: (value, float(error))
        for (name, value), error in zip(values.items(), spread, strict=False)
    }
