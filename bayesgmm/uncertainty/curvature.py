"""Standard errors of a fit from second derivatives at its maximum.

At a maximum theta of the log-likelihood, in any chart psi of the structure's parameters,

    information           I = -(J' H J + sum_i (dl/dphi_i) d2 phi_i / dpsi dpsi')
    "information"         cov(psi) = I^-1
    "sandwich"            cov(psi) = I^-1 (J' G J) I^-1

with H and G the second derivatives and the scores' products of `likelihood.information`, J the
tangent directions of the structure, and the sum over what the structure holds back. The result does
not depend on the chart. Of parameters that the fit held, psi has none of the directions, and their
standard errors are 0. At the mode of a posterior, l is the log posterior density (Laplace's
approximation). Directions in which the data do not hold the parameters are left out, and
every number that they touch is NaN and named.

References
----------
Louis (1982), JRSS B 44, 226-233. White (1982), Econometrica 50, 1-25. Boldea and Magnus (2009),
JASA 104, 1539-1549. O'Hagan, Murphy, Scrucca and Gormley (2019), Computational Statistics 34,
1779-1813 (bootstraps).
"""

from dataclasses import replace

import numpy as np
from scipy.linalg import block_diag

from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.covariance.structures import Structure
from bayesgmm.covariance.tangent_space import covariance_tangent
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError
from bayesgmm.likelihood.information import Information, information, symmetric_basis
from bayesgmm.likelihood.scaling import about_one
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.priors.held_parameters import HeldParameters
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.uncertainty.outlier_information import (
    complete_information,
    named_errors,
    of_components,
    without_outliers,
)
from bayesgmm.uncertainty.parameter_vectors import joint_units, lower_triangle
from bayesgmm.uncertainty.prior_hessian import prior_derivatives
from bayesgmm.uncertainty.standard_errors import StandardErrors, assemble

# Fraction of a direction's complete-data information below which it is not identified.
_NOTHING = 1e-8
# Nats that may be left to gain where derivatives are taken.
_SUMMIT = 1e-4
# Numbers in the matrix of second derivatives, beyond which only refits are offered.
_LARGEST = 6000
_FEWER = "Use fewer components."
_WITHIN_ERRORS = (
    "Measurement errors may alone explain the spread of its rows in some direction; else use fewer "
    "components."
)


def curvature_errors(
    data: Data,
    row_weights: Array | None,
    mixture: Mixture,
    structure: Structure,
    method: str,
    priors: ResolvedPriors | None = None,
    held: HeldParameters | None = None,
    noise: Noise | None = None,
    outliers: Contamination | None = None,
) -> StandardErrors:
    """Standard errors from second derivatives at a maximum for these rows.

    With the priors of a penalised fit, the maximum is that of the posterior density. With held
    parameters it is the maximum over the others.

    Raises
    ------
    InputError
        If the mixture is not a maximum for the rows, or has too many parameters.
    """
    check_size(mixture)
    unit_of_weights = 1.0
    if row_weights is not None and priors is None:
        row_weights, unit_of_weights = about_one(row_weights)
    found = information_of(data, mixture, row_weights, noise, outliers)
    return errors_at_maximum(
        found,
        mixture,
        structure,
        method,
        priors,
        held,
        noise,
        outliers,
        unit_of_weights=unit_of_weights,
        advice=_FEWER if data.errors is None else _WITHIN_ERRORS,
    )


def check_size(mixture: Mixture) -> None:
    """Raise InputError for too many parameters, or a component without weight."""
    k, d = mixture.means.shape
    size = k * (1 + d + d * (d + 1) // 2)
    if size > _LARGEST:
        raise InputError(
            f"The information matrix of {k} components of {d} features would have {size} rows (at "
            f"most {_LARGEST} are supported). Use method='bootstrap'."
        )
    if mixture.weights.min() == 0.0:
        empty = int(mixture.weights.argmin())
        raise InputError(f"Component {empty} has weight 0: nothing is known of it. Drop it.")


def errors_at_maximum(
    found: Information,
    mixture: Mixture,
    structure: Structure,
    method: str,
    priors: ResolvedPriors | None = None,
    held: HeldParameters | None = None,
    noise: Noise | None = None,
    outliers: Contamination | None = None,
    *,
    unit_of_weights: float = 1.0,
    advice: str = _FEWER,
) -> StandardErrors:
    """Standard errors from the derivatives of the log-likelihood of rows at a maximum.

    `unit_of_weights` is the weight that counts as one row there, and `advice` what may help where
    the data do not determine a parameter.
    """
    if priors is not None:
        found = _with_priors(found, priors, mixture)
    jacobian, hessian = _in_chart(found, mixture, structure, held)
    beside = complete_information(found, noise, outliers)
    scale = 1.0 / np.sqrt(_complete(found, mixture, jacobian, beside))
    observed = -hessian * scale * scale[:, np.newaxis]
    values, vectors = np.linalg.eigh(0.5 * (observed + observed.T))
    known = values > _NOTHING
    slope = vectors[:, known].T @ (scale * (jacobian.T @ found.gradient))
    left = 0.5 * float((slope**2 / values[known]).sum())
    if left > _SUMMIT:
        raise InputError(
            "This mixture is not a maximum for X: what was maximised can rise by about "
            f"{left:.2g} nats, so the observed information is not valid. Give the rows (and "
            "sample_weight) of the fit, fitted without reg_covar until convergence."
        )
    root = scale[:, np.newaxis] * vectors[:, known] / np.sqrt(values[known])
    if method == "sandwich":
        score = jacobian @ root
        spread, axes = np.linalg.eigh(score.T @ found.products @ score)
        root = root @ (axes * np.sqrt(np.maximum(spread, 0.0)))
    own = jacobian @ root
    lost = jacobian @ (scale[:, np.newaxis] * vectors[:, ~known])
    size = len(own) - len(beside)
    spread = np.linalg.norm(own[size:], axis=1) / np.sqrt(unit_of_weights)
    own, lost = own[:size], lost[:size]
    natural = _to_natural(found.roots)
    lines, unknown = (_by_kind(natural, each, mixture, held) for each in (own, lost))
    least = 1e-6 * np.sqrt((lines**2).sum(axis=1))
    hidden = np.abs(unknown).max(axis=1, initial=0.0) > least
    notes = _why_hidden(hidden, mixture, advice)
    errors_unit = 1.0 / np.sqrt(unit_of_weights)
    for j, reason in _out_of_reach(own, mixture, 1.0 / errors_unit, advice):
        hidden |= _owners(mixture) == j
        notes.append(reason)
    # What is hidden may be beyond float64.
    lines = errors_unit * np.where(hidden[:, np.newaxis], 0.0, lines)
    notes += [
        f"Component {c} has no outliers, so that nothing is known of their inflation."
        for c in without_outliers(outliers)
    ]
    made = assemble(mixture, lines @ lines.T, hidden, method, tuple(notes))
    extras = named_errors(spread, noise, outliers)
    return replace(made, extras=extras, noise=noise, contamination=outliers)


def information_of(
    data: Data,
    mixture: Mixture,
    row_weights: Array | None,
    noise: Noise | None,
    outliers: Contamination | None,
) -> Information:
    """Second derivatives of the log-likelihood, also for noise or outliers after the components."""
    if outliers is None:
        return information(data.X, mixture, row_weights, data.errors, data.labels, noise)
    classes = np.tile(np.arange(mixture.n_components), 2)
    pairs = outliers.pairs(mixture)
    found = information(
        data.X, pairs, row_weights, data.errors, data.labels, noise, classes=classes
    )
    return of_components(found, outliers)


def _with_priors(found: Information, priors: ResolvedPriors, mixture: Mixture) -> Information:
    """Derivatives of the log posterior density; the weight of noise has a flat prior."""
    gradient, hessian = prior_derivatives(priors, mixture, found.roots)
    room = 0, len(found.gradient) - len(gradient)
    return replace(
        found,
        gradient=found.gradient + np.pad(gradient, room),
        hessian=found.hessian + np.pad(hessian, room),
    )


def _in_chart(
    found: Information,
    mixture: Mixture,
    structure: Structure,
    held: HeldParameters | None = None,
) -> tuple[Array, Array]:
    """Tangent directions J (K q, m), and second derivatives (m, m) of the log-likelihood.

    Directions of the parameters that are not held.
    """
    k, d = mixture.means.shape
    q = 1 + d + d * (d + 1) // 2
    tangent = covariance_tangent(structure, mixture.covariances, found.roots)
    moves = np.ones(len(tangent.directions), dtype=np.bool_)
    free_weights, free_means = np.ones(k, dtype=np.bool_), np.ones((k, d), dtype=np.bool_)
    if held is not None:
        free_weights, free_means, free_covariances = (~each for each in held.masks)
        # All covariances are held, or those of components that share nothing.
        moves &= free_covariances.any()
        moves &= (tangent.directions[:, ~free_covariances] == 0.0).all(axis=(1, 2, 3))
    rows, columns = lower_triangle(d)
    shares = np.zeros((k, max(int(free_weights.sum()) - 1, 0)))
    if shares.size:
        shares[free_weights] = _simplex(mixture.weights[free_weights])
    blocks = [_mean_directions(found.roots[j], free_means[j]) for j in range(k)]
    ends = np.cumsum([shares.shape[1], *(each.shape[1] for each in blocks)])
    jacobian = np.zeros((k, q, ends[-1] + moves.sum()))
    # Weights move with their sum held at 1, each in the scale of its own error.
    jacobian[:, 0, : ends[0]] = shares
    for j, block in enumerate(blocks):
        jacobian[j, 1 : 1 + d, ends[j] : ends[j + 1]] = block
    jacobian[:, 1 + d :, ends[-1] :] = tangent.directions[moves][:, :, rows, columns].transpose(
        1, 2, 0
    )
    jacobian = jacobian.reshape(k * q, -1)
    beside = len(found.hessian) - k * q
    if beside:
        # Noise or outliers.
        jacobian = block_diag(jacobian, np.eye(beside))
    hessian = jacobian.T @ found.hessian @ jacobian
    slopes = np.einsum(
        "ke,eij->kij", found.gradient[: k * q].reshape(k, q)[:, 1 + d :], symmetric_basis(d)
    )
    # The slope in a coordinate off the diagonal is that of two entries.
    slopes = 0.5 * (slopes + np.einsum("kii->ki", slopes)[:, :, np.newaxis] * np.eye(d))
    of_covariances = slice(ends[-1], ends[-1] + int(moves.sum()))
    hessian[of_covariances, of_covariances] += tangent.curvature(slopes)[np.ix_(moves, moves)]
    return jacobian, hessian


def _simplex(weights: Array) -> Array:
    """K - 1 directions (K, K - 1) of sum 0, orthonormal in the metric of 1 / weights."""
    roots = np.sqrt(weights)
    full = np.linalg.qr(np.column_stack((roots, np.eye(len(roots))[:, :-1])))[0]
    return np.asarray(roots[:, np.newaxis] * full[:, 1:])


def _mean_directions(root: Array, free: Booleans) -> Array:
    """Directions (D, m) of a, with mean mu + L a, in which only free entries of the mean move."""
    if free.all():
        return np.eye(len(free))
    return np.linalg.qr(np.linalg.solve(root, np.eye(len(free))[:, free]))[0]


def _complete(found: Information, mixture: Mixture, jacobian: Array, beside: Array) -> Array:
    """Information (m,) about each parameter if the labels were known."""
    d = mixture.n_features
    rows, columns = lower_triangle(d)
    entries = np.where(rows == columns, 0.5, 1.0)
    each = np.concatenate(([0.0], np.ones(d), entries))
    diagonal = found.counts[:, np.newaxis] * each
    diagonal[:, 0] = found.counts / mixture.weights**2
    own = np.append(diagonal.ravel(), beside)
    out = np.einsum("p,pm,pm->m", own, jacobian, jacobian)
    # A direction that turns a sphere has none; any positive number will do.
    return np.asarray(np.where(out > 0.0, out, 1.0))


def _to_natural(roots: Array) -> Array:
    """Maps (K, q, q) from a component's own coordinates to weight, mean and covariance entries."""
    k, d, _ = roots.shape
    rows, columns = lower_triangle(d)
    moved = roots[:, np.newaxis] @ symmetric_basis(d) @ roots.mT[:, np.newaxis]
    out = np.zeros((k, 1 + d + len(rows), 1 + d + len(rows)))
    out[:, 0, 0] = 1.0
    out[:, 1 : 1 + d, 1 : 1 + d] = roots
    out[:, 1 + d :, 1 + d :] = moved[:, :, rows, columns].mT
    return out


def _by_kind(natural: Array, lines: Array, mixture: Mixture, held: HeldParameters | None) -> Array:
    """Rows (K q) in components' own coordinates as rows (P) of weights, means and covariances.

    In `joint_units`.
    """
    k, q, _ = natural.shape
    d = mixture.n_features
    width = lines.shape[1]
    each = natural @ lines.reshape(k, q, width)
    if held is not None:
        # Of a mean's held entries rounding is left.
        each[:, 1 : 1 + d][held.masks[1]] = 0.0
    parts = each[:, :1], each[:, 1 : 1 + d], each[:, 1 + d :]
    out = np.concatenate([part.reshape(part.shape[0] * part.shape[1], width) for part in parts])
    return np.asarray(out / joint_units(mixture)[:, np.newaxis])


def _owners(mixture: Mixture) -> Indices:
    """The component of each of the P numbers."""
    k, d = mixture.means.shape
    each = np.arange(k)
    return np.concatenate((each, np.repeat(each, d), np.repeat(each, d * (d + 1) // 2)))


def _why_hidden(hidden: Booleans, mixture: Mixture, advice: str) -> list[str]:
    touched = np.unique(_owners(mixture)[hidden])
    if not touched.size:
        return []
    which = f"component {touched[0]}"
    if touched.size > 1:
        which = f"components {', '.join(map(str, touched[:-1]))} and {touched[-1]}"
    return [
        f"The likelihood is flat or not at a maximum along some direction of {which}: the data do "
        f"not tell these parameters apart. {advice}"
    ]


def _out_of_reach(own: Array, mixture: Mixture, reach: float, advice: str) -> list[tuple[int, str]]:
    """Components of which one standard error, `own / reach`, exceeds what a mixture can be.

    A weight of 0, or a covariance without full rank: there no quadratic describes the likelihood.
    """
    k, d = mixture.means.shape
    lines = own.reshape(k, len(own) // k, own.shape[1])
    rows, columns = lower_triangle(d)
    # Coordinates whose Euclidean length is the Frobenius norm of E.
    lengths = np.where(rows == columns, 1.0, np.sqrt(2.0))[:, np.newaxis]
    out = []
    for j in range(k):
        weight = float(np.sqrt((lines[j, 0] ** 2).sum())) / mixture.weights[j]
        # No direction may be determined: the largest singular value of nothing is 0.
        shape = float(np.linalg.svd(lengths * lines[j, 1 + d :], compute_uv=False).max(initial=0.0))
        if weight >= reach:
            out.append((j, f"One standard error takes the weight of component {j} to 0"))
        elif shape >= reach:
            out.append((j, f"One standard error takes the covariance of component {j} to rank 0"))
    return [(j, f"{text}: the data do not determine the component. {advice}") for j, text in out]
