"""A proven upper bound on the log-likelihood of mixtures of any number of components."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_kind, check_number
from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.data.validation import Data, check_data, check_sample_weight
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.estimator.fitted_rows import check_fitted_rows
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.parameter_checks import as_floats
from bayesgmm.results import Result
from bayesgmm.selection.location_mixtures import LocationMixture, fit_location_mixture
from bayesgmm.selection.selection_result import Selection, ranking_column

if TYPE_CHECKING:
    import pandas as pd

_UNIT = 2.0**-53
# Cells of a standard deviation's side that may hold rows, and that their rectangle may have, by D;
# entries of the matrix of rows by cells.
_CELLS, _BOXES, _ENTRIES = 1000, (10**6, 10**5), 2 * 10**7
# A smaller gap, nats a row, is not sought: rounding would be of its size.
_FINEST = 1e-10
# A covariance of a correlation nearer to 1 or -1 is refused.
_NEAREST = 1e-8


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LikelihoodBound(Result):
    """A bound that holds for mixtures of any number of components, and its certificate.

    No Gaussian mixture of which every covariance is at least `smallest_covariance` (their
    difference has no negative eigenvalue) has a log-likelihood above `log_likelihood`, whatever its
    number of components and its structure.

    The certificate are the densities f of the rows under the mixture of Gaussians of
    `smallest_covariance` at `atoms`: for S = `smallest_covariance` and rows of weights v that sum
    to V, the bound is sum_b v_b log f_b + V log sup_t sum_b (v_b / V) N(x_b; t, S) / f_b, and the
    inequality holds for any positive f.

    Attributes
    ----------
    log_likelihood : float
        The bound, total, nats, rounding included.
    attained : float
        The log-likelihood of the mixture at `atoms`, which is itself one of those bounded: the
        least upper bound lies between the two.
    smallest_covariance : ndarray of shape (D, D)
    atoms : ndarray of shape (m, D)
    weights : ndarray of shape (m,)
        Of the atoms.
    X : ndarray of shape (n, D)
        The rows.
    sample_weight : ndarray of shape (n,), optional

    Examples
    --------
    >>> from bayesgmm import bound_log_likelihood, load_dataset, select_mixture
    >>> X = load_dataset("galaxies").X
    >>> bound = bound_log_likelihood(X, 0.6**2)
    >>> round(bound.log_likelihood, 1)
    -192.4
    >>> chosen = select_mixture(X, range(1, 6), rng=0, progressbar=False)
    >>> bound.excluded_from(chosen).to_dict()
    {'E': 7, 'V': 5}
    """

    log_likelihood: float
    attained: float
    smallest_covariance: Array
    atoms: Array
    weights: Array
    X: Array
    sample_weight: Array | None

    @property
    def gap(self) -> float:
        """The most by which the bound exceeds the least upper bound, nats."""
        return self.log_likelihood - self.attained

    @property
    def mixture(self) -> Mixture:
        """The mixture of Gaussians of `smallest_covariance` at the atoms."""
        return Mixture(self.weights, self.atoms, np.stack([self.smallest_covariance] * len(self)))

    def __len__(self) -> int:
        return len(self.weights)

    def excluded(self, selection: Selection) -> "pd.DataFrame":
        """The models of a selection that cannot win, whatever optimum a search may have missed.

        Parameters
        ----------
        selection : Selection
            Of the same rows by BIC, ICL or AIC, without a noise component.

        Returns
        -------
        pandas.DataFrame
            A row for each model of the grid: n_components, covariance_type, n_parameters, at_least
            (the criterion of its mixtures whose covariances are at least `smallest_covariance` is
            at least this), excluded (that exceeds the criterion of the selected model).

        Raises
        ------
        InputError
            If the rows differ from those of the selection.
        InvalidParameterError
            If the selection is of another criterion or has a noise component.
        """
        import pandas as pd

        penalty, best = self._penalty(selection)
        rows: list[tuple[int, str, int, float, bool]] = []
        for k, code in zip(
            selection.table["n_components"], selection.table["covariance_type"], strict=True
        ):
            free, least = self._at_least(selection, penalty, as_structure(code), int(k))
            rows.append((int(k), code, free, least, least > best))
        names = ["n_components", "covariance_type", "n_parameters", "at_least", "excluded"]
        return pd.DataFrame(rows, columns=names)

    def excluded_from(self, selection: Selection) -> "pd.Series[int]":
        """The number of components from which on all are excluded, by structure.

        Also beyond the grid: the penalty grows with every component, and the bound does not.

        Parameters
        ----------
        selection : Selection
            Of the same rows by BIC, ICL or AIC, without a noise component.

        Returns
        -------
        pandas.Series of int
            Index covariance_type: the least K such that no mixture of K or more components, each of
            covariance at least `smallest_covariance`, has a criterion below that of the selected
            model.

        Raises
        ------
        InputError
            If the rows differ from those of the selection.
        InvalidParameterError
            If the selection is of another criterion or has a noise component.
        """
        import pandas as pd

        penalty, best = self._penalty(selection)
        found = {}
        for code in dict.fromkeys(selection.table["covariance_type"]):
            structure, k = as_structure(code), 1
            while self._at_least(selection, penalty, structure, k)[1] <= best:
                k += 1
            found[code] = k
        return pd.Series(found, name="excluded_from").rename_axis("covariance_type")

    def _at_least(
        self, selection: Selection, penalty: float, structure: Structure, k: int
    ) -> tuple[int, float]:
        """The free parameters of a model, and what its criterion is at least."""
        free = _n_parameters(selection, structure, k)
        return free, penalty * free - 2.0 * self.log_likelihood

    def _penalty(self, selection: Selection) -> tuple[float, float]:
        """The penalty for a parameter, and the criterion of the selected model."""
        check_kind("selection", selection, Selection, "a Selection, of select_mixture")
        if selection.criterion == "cv":
            raise InvalidParameterError(
                "selection is by held-out likelihood, which has no penalty for parameters. Give "
                "one by BIC, ICL or AIC."
            )
        best = selection.best
        if best.noise_ is not None:
            raise InvalidParameterError(
                "selection has a noise component, whose density is uniform and not bounded here. "
                "Give a selection without noise_component."
            )
        labels = best.labels_of(self.X)
        check_fitted_rows(best, Data(self.X, None, labels=labels), self.sample_weight)
        penalty = 2.0 if selection.criterion == "aic" else math.log(selection.best.n_rows_)
        if penalty <= 0.0:
            raise InputError(
                f"The weights of rows sum to {best.n_rows_:.6g}, so that the criterion has no "
                "penalty for parameters. Give sample_weight as numbers of rows."
            )
        name, _ = ranking_column(selection.criterion)
        return penalty, float(selection.ranked()[name].iloc[0])

    def _paragraphs(self) -> "list[str | pd.DataFrame]":
        d = len(self.smallest_covariance)
        least = (
            f"variance at least {self.smallest_covariance[0, 0]:.6g}"
            if d == 1
            else f"covariance at least {np.array2string(self.smallest_covariance, precision=6)}"
        )
        return [
            "Upper bound on the log-likelihood of Gaussian mixtures of any number of components",
            f"No mixture of components of {least} has a log-likelihood above "
            f"{self.log_likelihood:.3f} nats ({plural(len(self.X), 'row')}).",
            f"The mixture of {plural(len(self), 'atom')} has {self.attained:.3f} nats: the bound "
            f"exceeds the least one by at most {self.gap:.2g} nats.",
        ]


def _n_parameters(selection: Selection, structure: Structure, k: int) -> int:
    """Free parameters of a model of the kind that a selection has."""
    best = selection.best
    free = structure.n_parameters(k, best.n_features_in_)
    return free - bool(best.equal_weights) * (k - 1) + bool(best.contaminated) * 2 * k


def bound_log_likelihood(
    X: Any,
    smallest_covariance: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    gap: float = 0.01,
) -> LikelihoodBound:
    """Bound the log-likelihood of mixtures of all numbers of components, by proof.

    If every covariance of a Gaussian mixture is at least S, the mixture is one of Gaussians of
    covariance S over their locations, the components' own Gaussians less S. The largest likelihood
    among all of these, discrete or not, is a concave problem, and its dual bounds it: a fit of K
    components found by any search, and one that no search has found, are below it. Numbers of
    components whose criterion cannot be the best are excluded by
    :meth:`LikelihoodBound.excluded_from`.

    The likelihood of mixtures has no bound if variances have none, so that S must be given: the
    square of the resolution of the measurements, or a share of a covariance that a fit has. The
    smaller it is, the higher is the bound, and the less it excludes.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        D is 1 or 2. Complete rows.
    smallest_covariance : float or array-like of shape (D, D)
        S. A number is the variance in every direction.
    sample_weight : array-like of shape (n,), optional
        The number of times that each row counts.
    gap : float
        The bound may exceed the least upper bound by this, nats, but not by less than 1e-10 a row.
        (It is reached within 200 steps in all cases known; the bound also holds if it is not.)

    Returns
    -------
    LikelihoodBound

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used, or has more than two columns.
    InvalidParameterError
        If `smallest_covariance` is not a covariance matrix, or so small that it leaves nearly every
        row by itself; or if `gap` is not positive.

    References
    ----------
    Lindsay, B. G. (1983). The geometry of mixture likelihoods: a general theory. Annals of
    Statistics 11, 86-94.

    Koenker, R. and Mizera, I. (2014). Convex optimization, shape constraints, compound decisions,
    and empirical Bayes rules. Journal of the American Statistical Association 109, 674-685.

    Wang, Y. (2007). On fast computation of the non-parametric maximum likelihood estimate of a
    mixing distribution. Journal of the Royal Statistical Society B 69, 185-198.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, bound_log_likelihood, load_dataset
    >>> X = load_dataset("galaxies").X
    >>> bound = bound_log_likelihood(X, 1.0)
    >>> fit = GaussianMixture(3, covariance_type="tied", random_state=0).fit(X)
    >>> float(fit.covariances_[0, 0].round(1)), round(fit.log_likelihood_, 1)
    (4.3, -212.7)
    >>> round(bound.log_likelihood, 1)
    -199.5
    """
    gap = check_number("gap", gap, "a positive finite number", lambda v: 0.0 < v < math.inf)
    data = check_data(X)
    n, d = data.X.shape
    if d > 2:
        raise InputError(
            f"X has {d} columns: the bound is computed for one or two. Give one or two of them."
        )
    S = _checked_covariance(smallest_covariance, d)
    v = check_sample_weight(sample_weight, n)
    units = _units(S, data.X)
    rows, row_weights, total = _distinct(units, data.X, v)
    _check_size(rows)
    found = fit_location_mixture(rows, row_weights, max(gap / total, _FINEST), units.error)
    attained, bound = _likelihoods(found, row_weights, total, units, n)
    order = np.lexsort(found.atoms.T[::-1])
    atoms = units.centre + found.atoms[order] @ units.factor.T
    return LikelihoodBound(bound, attained, S, atoms, found.weights[order], data.X, v)


def _checked_covariance(value: ArrayLike, d: int) -> Array:
    """S as (d, d), symmetric and positive definite."""
    S = as_floats("smallest_covariance", value)
    if S.ndim == 0:
        S = S * np.eye(d)
    if S.shape != (d, d):
        raise InvalidParameterError(
            f"smallest_covariance must be a number or of shape {(d, d)} to match X, not {S.shape}."
        )
    deviations = np.sqrt(np.maximum(np.diagonal(S), 0.0))
    if not (deviations > 0.0).all():
        raise InvalidParameterError(
            "smallest_covariance must have positive variances: without a least variance the "
            "likelihood of mixtures has no bound."
        )
    scaled = S / deviations / deviations[:, np.newaxis]
    if not np.abs(scaled - scaled.T).max() <= _NEAREST:
        raise InvalidParameterError("smallest_covariance must be symmetric. Use (S + S.T) / 2.")
    if d == 2 and not abs(scaled[0, 1]) <= 1.0 - _NEAREST:
        raise InvalidParameterError(
            "smallest_covariance must be positive definite, but the correlation in it is "
            f"{scaled[0, 1]:.10g}. Give one between -1 and 1."
        )
    return np.asarray(S + 0.5 * (S.T - S))


class _Units(NamedTuple):
    """Coordinates z = factor^-1 (x - centre), in which the kernel is a unit Gaussian.

    `factor` times its transpose is at most S, by a share that exceeds all rounding, and the rounded
    z of rows are at most `error` from the exact ones.
    """

    centre: Array
    factor: Array
    error: float
    log_determinant: float

    def of(self, X: Array) -> Array:
        """Rows in these coordinates."""
        with np.errstate(over="ignore", invalid="ignore"):
            z = (X - self.centre) / np.diagonal(self.factor)
            if z.shape[1] == 2:
                z[:, 1] -= self.factor[1, 0] / self.factor[1, 1] * z[:, 0]
        return z


def _units(S: Array, X: Array) -> _Units:
    """The coordinates for a smallest covariance and rows."""
    deviations = np.sqrt(np.diagonal(S))
    rho = float(S[0, 1] / deviations[0] / deviations[1]) if len(S) == 2 else 0.0
    pivots = np.array([1.0, math.sqrt((1.0 - rho) * (1.0 + rho))])[: len(S)]
    shrunken = (1.0 - 16.0 * _UNIT / (1.0 - abs(rho))) * deviations
    factor = np.diag(shrunken * pivots)
    if len(S) == 2:
        factor[1, 0] = shrunken[1] * rho
    centre = 0.5 * X.min(axis=0) + 0.5 * X.max(axis=0)
    with np.errstate(over="ignore"):
        widest = float((np.abs(X - centre) / shrunken).sum(axis=1).max())
    error = 16.0 * _UNIT * widest / float(pivots[-1])
    return _Units(centre, factor, error, float(np.log(np.diagonal(factor)).sum()))


def _distinct(units: _Units, X: Array, v: Array | None) -> tuple[Array, Array, float]:
    """The distinct rows in the kernel's coordinates, their shares, and the weight of all."""
    counts = np.ones(len(X)) if v is None else v
    scale = float(counts.max())
    rows, index = np.unique(units.of(X[counts > 0.0]), axis=0, return_inverse=True)
    shares = np.bincount(index.ravel(), counts[counts > 0.0] / scale)
    return rows, shares / shares.sum(), float(shares.sum() * scale)


def _check_size(rows: Array) -> None:
    """Refuse a smallest covariance that is so small that the bound would exclude nothing."""
    with np.errstate(over="ignore", invalid="ignore"):
        extent = rows.max(axis=0) - rows.min(axis=0)
    # The logarithm of the number of boxes, which may overflow; NaN and infinities fail.
    if np.log(extent + 2.0).sum() <= math.log(_BOXES[rows.shape[1] - 1]):
        cells = len(np.unique(np.round(rows), axis=0))
        most = min(_CELLS, _ENTRIES // len(rows))
        if cells <= most:
            return
        where = (
            f"({len(rows)} of them distinct) fall into {cells} cells of its standard deviation, "
            f"and at most {most} are computed"
        )
    else:
        where = (
            f"extend over {' by '.join(f'{each:.3g}' for each in extent)} of its standard "
            "deviations"
        )
    raise InvalidParameterError(
        f"smallest_covariance is too small for the bound: the rows {where}. Give a larger one."
    )


def _likelihoods(
    found: LocationMixture, row_weights: Array, total: float, units: _Units, n: int
) -> tuple[float, float]:
    """The log-likelihood of the atoms and the bound, nats, in the units of the data.

    Shares of rows are sums of at most n weights, over a sum of n.
    """
    terms = row_weights * np.log(found.densities)
    mean = math.fsum(terms.tolist()) - units.log_determinant
    attained, above = total * mean, math.log(found.supremum)
    size = math.fsum(np.abs(terms).tolist()) + abs(units.log_determinant) + abs(above)
    rounding = (2.0 * n + 16.0) * _UNIT * total * (size + 1.0)
    return attained, attained + total * above + rounding
