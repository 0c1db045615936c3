"""EM for the mixtures of several classes, where the classes of some rows, or of all, are known.

The density of a row and its class is p(x, y) = pi_y p_y(x), and each p_y is a Gaussian mixture. A
row of known class takes part in the E-step of the components of its class alone; one of unknown
class in that of all components.

References
----------
McLachlan, G. and Krishnan, T. (2008), The EM Algorithm and Extensions, 2.7 (partially classified
rows). Hastie, T. and Tibshirani, R. (1996), JRSS B 58, 155-176 (mixtures by class).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, repeat
from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Booleans, Indices, Integers
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.validation import Data
from bayesgmm.em.completed_rows import with_means
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.scaling import Units, fit_units
from bayesgmm.likelihood.statistics import Parameters, Statistics
from bayesgmm.mixture.mixture import Mixture

# EM ends where this much log-likelihood (nats) remains to be gained, by Aitken's estimate.
_REMAINING = 1e-8
_MOST_ITERATIONS = 10_000
# Least variance, in units of all rows, in the direction in which a component is flattest.
_FLAT = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class LabelledRows:
    """Rows and their classes.

    Attributes
    ----------
    data : Data
    labels : ndarray of shape (n,)
        0, ..., C - 1, or -1 for a row of unknown class.
    weights : ndarray of shape (n,), optional
        Positive.
    n_classes : int
        C. Every class has a row.
    """

    data: Data
    labels: Integers
    weights: Array | None
    n_classes: int

    def take(self, chosen: Indices | Booleans) -> "LabelledRows":
        """Some of the rows."""
        weights = None if self.weights is None else self.weights[chosen]
        return replace(
            self, data=self.data.take(chosen), labels=self.labels[chosen], weights=weights
        )

    def of_class(self, label: int) -> "LabelledRows":
        """The rows of one class; of -1, those of unknown class."""
        return self.take(self.labels == label)

    @property
    def labelled(self) -> "LabelledRows":
        """The rows of known class."""
        return self.take(self.labels >= 0) if (self.labels < 0).any() else self

    @property
    def weight(self) -> float:
        """Sum of the row weights."""
        return float(len(self.labels) if self.weights is None else self.weights.sum())

    def proportions(self) -> Array:
        """The proportions of the classes among the rows of known class."""
        known = self.labels >= 0
        weights = None if self.weights is None else self.weights[known]
        sums = np.bincount(self.labels[known], weights, self.n_classes)
        return np.asarray(sums / sums.sum())


class ClassFit(NamedTuple):
    """Mixtures of the classes, fitted jointly.

    Attributes
    ----------
    class_prior : ndarray of shape (C,)
        Proportions of the classes.
    classes : list of Parameters
        The mixture of each class; full covariances.
    log_likelihood : float
        Of rows and, where they are known, their classes; nats.
    trace : list of float
        Log-likelihoods, in the fit's units, of each iteration.
    remaining : float
        Estimated nats that remain to be gained.
    """

    class_prior: Array
    classes: list[Parameters]
    log_likelihood: float
    trace: list[float]
    remaining: float

    @property
    def converged(self) -> bool:
        """True if no more remains to be gained than the rule allows."""
        return self.remaining <= _REMAINING

    def mixtures(self, feature_names: tuple[str, ...] | None) -> tuple[Mixture, ...]:
        """The mixture of each class."""
        return tuple(each.mixture(feature_names) for each in self.classes)


def fit_classes(
    rows: LabelledRows,
    structures: Sequence[Structure],
    start: Sequence[Parameters] | None = None,
    class_prior: Array | None = None,
) -> ClassFit:
    """Fit by maximum likelihood, by EM.

    Parameters
    ----------
    rows : LabelledRows
    structures : sequence of Structure
        One for the components of all classes together, or one for each class.
    start : sequence of Parameters, optional
        Of each class, in the user's units. None: one component a class.
    class_prior : ndarray of shape (C,), optional
        Held proportions of the classes. None: they are estimated.

    Raises
    ------
    SingularCovarianceError
        If a covariance is singular, or nearly: that of `component`, counted over all classes.
    """
    x = with_means(rows.data.X, rows.weights)
    # Any of the structures that needs one unit for all columns decides.
    measured = min(structures, key=lambda each: each.scales_by_column)
    units = fit_units(x, rows.weights, measured)
    passes = _Passes(rows, units, class_prior)
    prior = rows.proportions() if class_prior is None else class_prior
    if start is None:
        classes = _about_class_means(rows, units.to_fit(x))
    else:
        classes = [units.from_user(each) for each in start]
    sums, value = passes.expected(prior, classes)
    trace, remaining, gain = [value], np.inf, np.inf
    near = None if start is None else classes
    while remaining > _REMAINING and len(trace) <= _MOST_ITERATIONS:
        new_prior, new = passes.maximised(sums, prior, near, structures)
        sums, value = passes.expected(new_prior, new)
        previous, gain = gain, value - trace[-1]
        if gain <= 0.0:
            remaining = 0.0
            break
        prior, classes = new_prior, new
        near = classes
        trace.append(value)
        rate = gain / previous
        remaining = gain * rate / (1.0 - rate) if 0.0 < rate < 1.0 else np.inf
    _check_flatness(classes, units.to_fit(x), rows.weights, structures)
    return ClassFit(
        prior,
        [units.to_user(each) for each in classes],
        units.log_likelihood(trace[-1], Rows.of(rows.data, rows.weights).seen()),
        trace,
        remaining,
    )


class _Passes:
    """E-steps and M-steps on rows of known and unknown classes, in the units of a fit."""

    def __init__(self, rows: LabelledRows, units: Units, class_prior: Array | None) -> None:
        def of(some: LabelledRows) -> Rows:
            return Rows.of(some.data, some.weights, units.shift, units.scale)

        self._classes = [of(rows.of_class(label)) for label in range(rows.n_classes)]
        self._unknown = of(rows.of_class(-1)) if (rows.labels < 0).any() else None
        self._held = class_prior is not None

    def expected(
        self, prior: Array, classes: Sequence[Parameters]
    ) -> tuple[list[Statistics], float]:
        """Statistics of each class, and the log-likelihood."""
        sums = []
        for each, own in zip(self._classes, classes, strict=True):
            try:
                sums.append(each.e_step(*own))
            except SingularCovarianceError as error:
                before = sum(len(other.weights) for other in classes[: len(sums)])
                raise SingularCovarianceError(before + error.component) from None
        likelihood = sum(each.log_likelihood for each in sums)
        likelihood += float(np.array([each.weight for each in sums]) @ np.log(prior))
        if self._unknown is None:
            return sums, likelihood
        found = self._unknown.e_step(*pooled(prior, classes))
        bounds = np.cumsum([0, *(len(each.weights) for each in classes)])
        for c, (low, high) in enumerate(pairwise(bounds.tolist())):
            counts = found.counts[low:high]
            part = Statistics(
                found.centres[low:high],
                0.0,
                float(counts.sum()),
                counts,
                found.firsts[low:high],
                found.seconds[low:high],
            )
            sums[c] = sums[c] + part
        return sums, likelihood + found.log_likelihood

    def maximised(
        self,
        sums: Sequence[Statistics],
        prior: Array,
        near: Sequence[Parameters] | None,
        structures: Sequence[Structure],
    ) -> tuple[Array, list[Parameters]]:
        """Proportions and mixtures that maximise the expected log-likelihood.

        `near` are those of the pass, which the M-steps that iterate must not be worse than.
        """
        weights, means, scatters = zip(*(each.moments() for each in sums), strict=True)
        counts = [each.counts for each in sums]
        before = None if near is None else [each.covariances for each in near]
        if len(structures) == 1:
            joint = _covariances(
                structures[0],
                np.concatenate(counts),
                np.concatenate(scatters),
                None if before is None else np.concatenate(before),
            )
            covariances = np.split(joint, np.cumsum([len(each) for each in counts])[:-1])
        else:
            each_class = zip(structures, counts, scatters, before or repeat(None), strict=False)
            covariances = [_covariances(*each) for each in each_class]
        if not self._held:
            totals = np.array([each.weight for each in sums])
            prior = totals / totals.sum()
        return prior, list(map(Parameters, weights, means, covariances))


def pooled(prior: Array, classes: Sequence[Parameters]) -> Parameters:
    """The mixture of the rows of all classes."""
    weights = [share * each.weights for share, each in zip(prior, classes, strict=True)]
    return Parameters(
        np.concatenate(weights),
        np.concatenate([each.means for each in classes]),
        np.concatenate([each.covariances for each in classes]),
    )


def _covariances(structure: Structure, counts: Array, scatters: Array, near: Array | None) -> Array:
    """The M-step of a structure, with diagonal covariances written out."""
    if not structure.diagonal:
        return structure.covariances(counts, scatters, near)
    variances = structure.covariances(counts, np.einsum("kii->ki", scatters).copy())
    return np.asarray(variances[:, :, np.newaxis] * np.eye(scatters.shape[1]))


def _about_class_means(rows: LabelledRows, x: Array) -> list[Parameters]:
    """One component a class, at the mean of its rows, in the fit's units."""
    found = []
    for label in range(rows.n_classes):
        own = rows.labels == label
        weights = None if rows.weights is None else rows.weights[own]
        mean = np.average(x[own], axis=0, weights=weights)
        found.append(Parameters(np.ones(1), mean[np.newaxis], np.eye(x.shape[1])[np.newaxis]))
    return found


def _check_flatness(
    classes: Sequence[Parameters],
    x: Array,
    weights: Array | None,
    structures: Sequence[Structure],
) -> None:
    """Refuse components that are flat in some direction, in units of all rows (n, D)."""
    covariances = np.concatenate([each.covariances for each in classes])
    total = np.atleast_2d(np.cov(x.T, aweights=weights, bias=True))
    if all(each.diagonal for each in structures):
        least = (np.einsum("kii->ki", covariances) / np.diag(total)).min(axis=1)
    else:
        values, vectors = np.linalg.eigh(total)
        whiten = vectors / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny))
        least = np.linalg.eigvalsh(whiten.T @ covariances @ whiten)[:, 0]
    if least.min() < _FLAT:
        raise SingularCovarianceError(int(least.argmin()))
