"""Content of a plot of a mixture: components, noise, outliers, posterior draws and rows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from scipy.stats import chi2

from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.data.validation import Data
from bayesgmm.diagnostics.point_estimates import outliers_of, point_estimate
from bayesgmm.errors import InputError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.labels.consistent_draws import consistent_draws
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.fitted_mixture import with_errors_of
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.posterior.reader import (
    Posterior,
    rows_if_known,
    rows_of,
)
from bayesgmm.uncertainty.standard_errors import StandardErrors

# Maximum numbers of rows and of posterior draws.
MOST_ROWS, _DRAWS = 3000, 60
# Nats within which two log densities are equal.
_EQUAL = 1e-4
# Points among which changes of the most probable component are sought, and halvings between two.
_POINTS, _HALVINGS = 4001, 50


class Described(NamedTuple):
    """A mixture with the probabilities of the rows, which may rest on more than is drawn.

    Attributes
    ----------
    mixture : Mixture
    probabilities : ndarray of shape (n, K)
        Of all rows; what those of a row leave of 1 is that of noise.
    noise_weight : float
    noise : Noise or None
        None without noise, or where it is not uniform in the features that are drawn.
    contamination : Contamination or None
        The outliers of the components.
    outlying : ndarray of shape (n,)
        The probability that each row is one of them.
    """

    mixture: Mixture
    probabilities: Array
    noise_weight: float
    noise: Noise | None
    contamination: Contamination | None
    outlying: Array


type Fit = Mixture | GaussianMixture | StandardErrors | Posterior | Described


class Picture(NamedTuple):
    """Content of a plot: a mixture, its posterior draws (if any), and rows (if any)."""

    mixture: Mixture
    draws: tuple[Mixture, ...]
    rows: Array
    # Each row's most probable component, -1 for noise; uncertainty from 0 to 1 (all equal).
    labels: Integers
    uncertainty: Array
    # True for rows that are most probably noise, or outliers of their component.
    outlying: Booleans
    n_rows: int
    prob: float
    # Points at which the most probable component changes, for a mixture of one feature.
    boundaries: Array
    kind: str
    noise_weight: float = 0.0
    noise: Noise | None = None
    contamination: Contamination | None = None
    # False for some of the features: responsibilities follow from all.
    whole: bool = True
    # True for rows that are drawn with their measurement errors.
    noisy: bool = False

    def of(self, features: Sequence[int]) -> "Picture":
        """The content for some of the features."""
        keep = list(features)
        if keep == list(range(self.mixture.n_features)):
            return self
        return self._replace(
            whole=False,
            mixture=self.mixture.marginal(keep),
            draws=tuple(each.marginal(keep) for each in self.draws),
            rows=self.rows[:, keep],
            noise=self.noise and self.noise.marginal(keep),
        )

    @property
    def mixtures(self) -> tuple[Mixture, ...]:
        """The posterior draws, or the mixture with the outliers of its components."""
        if self.draws or self.contamination is None:
            return self.draws or (self.mixture,)
        return (self.contamination.pairs(self.mixture),)

    def density(self, points: Array) -> Array:
        """Density of the mixture without noise, or its mean over the posterior draws."""
        each = [np.exp(one.log_density(points)) for one in self.mixtures]
        return np.asarray(np.mean(each, axis=0))

    def log_outliers(self, points: Array) -> Array:
        """Log density (n, K) of the outliers of each component, times their weight."""
        assert self.contamination is not None
        pairs = self.contamination.pairs(self.mixture)
        return np.asarray(pairs.log_joint(points)[:, self.mixture.n_components :])

    def log_components(self, points: Array) -> Array:
        """Log density (n, K) of each component with its outliers, times its weight."""
        if self.contamination is None:
            return self.mixture.log_joint(points)
        both = self.contamination.pairs(self.mixture).log_joint(points)
        return np.asarray(np.logaddexp(*np.split(both, 2, axis=1)))

    def log_joint(self, points: Array) -> Array:
        """Log density of each component, and of noise if there is any, times its weight."""
        joint = self.log_components(points)
        if self.noise is None:
            return joint
        own = np.log(self.noise.weight) + self.noise.log_density(points)
        return np.column_stack((joint + np.log1p(-self.noise.weight), own))

    def probabilities(self, points: Array) -> Array:
        """The probability of each component, and of noise if there is any."""
        joint = self.log_joint(points)
        shares = np.exp(joint - joint.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def limits(self) -> tuple[Array, Array]:
        """Smallest and largest coordinates of all rows and ellipses, with a margin."""
        mixture = self.mixture
        heavy = mixture.weights > 0.01
        reach = np.sqrt(chi2.ppf(self.prob, 2) * mixture.variances[heavy])
        low = np.fmin.reduce(np.vstack([mixture.means[heavy] - reach, self.rows]))
        high = np.fmax.reduce(np.vstack([mixture.means[heavy] + reach, self.rows]))
        with np.errstate(over="ignore"):
            span = high - low
        if not np.isfinite(span).all():
            raise InputError("The range of the mixture overflows. Rescale the columns.")
        # At a large offset the spacing of floating-point numbers may exceed this margin.
        margin = np.maximum(0.05 * span, 8.0 * np.spacing(np.maximum(np.abs(low), np.abs(high))))
        return low - margin, high + margin

    def visible_boundaries(self) -> Array:
        """The boundaries within the limits of the plot."""
        low, high = self.limits()
        x = self.boundaries
        return np.asarray(x[(x > low[0]) & (x < high[0])])


def pictured(fit: Fit, X: Any, prob: float, variables: Mapping[str, str] | None) -> Picture:
    """The content of a plot of a fit over rows, or over a sample of many."""
    draws: tuple[Mixture, ...] = ()
    if isinstance(fit, xr.DataTree | xr.Dataset):
        posterior = consistent_draws(fit, variables)
        draws, mixture = tuple(posterior.mixtures(_DRAWS)), posterior.mean()
        data = rows_if_known(fit, mixture.n_features, X)
    else:
        mixture = (
            fit.mixture
            if isinstance(fit, Described)
            else point_estimate("fit", fit, with_outliers=True)[0]
        )
        data = None
        if X is not None:
            data = with_errors_of(fit, rows_of(X, mixture.n_features, "the mixture has"))
    if data is None:
        data = Data(np.empty((0, mixture.n_features)), None)
    n = len(data.X)
    chosen = np.arange(n)
    if n > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(0).choice(n, MOST_ROWS, replace=False))
        data = data.take(chosen)
    if isinstance(fit, Described):
        noise, noise_weight, broad = fit.noise, fit.noise_weight, fit.contamination
        probabilities, outlying = fit.probabilities[chosen], fit.outlying[chosen]
    else:
        noise, broad = outliers_of(fit)
        noise_weight = 0.0 if noise is None else noise.weight
        named = data._replace(feature_names=None)
        probabilities, outlying = _probabilities(mixture, noise, broad, named)
    labels, uncertainty = _classified(probabilities, noise_weight > 0.0)
    picture = Picture(
        mixture,
        draws,
        data.X,
        labels,
        uncertainty,
        labels < 0 if broad is None else outlying > 0.5,
        n,
        prob,
        np.empty(0),
        "density",
        noise_weight,
        noise,
        broad,
        noisy=data.errors is not None,
    )
    return picture._replace(boundaries=_boundaries(picture))


def _probabilities(
    mixture: Mixture, noise: Noise | None, outliers: Contamination | None, data: Data
) -> tuple[Array, Array]:
    """Probabilities (n, K) of the components, and (n,) of noise, or of being an outlier.

    What those of the components leave of 1 is that of noise.
    """
    k = mixture.n_components
    if not len(data.X):
        return np.empty((0, k)), np.empty(0)
    if outliers is not None:
        found = outliers.pairs(mixture).responsibilities(data)
        return found[:, :k] + found[:, k:], found[:, k:].sum(axis=1)
    found = mixture.responsibilities(data)
    if noise is not None:
        found = found * noise.beside(data, mixture.log_density(data))[1][:, np.newaxis]
    return found, 1.0 - found.sum(axis=1)


def _classified(probabilities: Array, beside_noise: bool) -> tuple[Integers, Array]:
    """The most probable component of each row, -1 for noise, and its uncertainty."""
    labels, largest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    if beside_noise:
        noise = 1.0 - probabilities.sum(axis=1)
        labels[noise > largest] = -1
        largest = np.maximum(largest, noise)
    # The uncertainty is largest if all are equally probable.
    worst = 1.0 - 1.0 / max(probabilities.shape[1] + beside_noise, 2)
    return labels, (1.0 - largest) / worst


def _boundaries(picture: Picture) -> Array:
    """Points at which the most probable of components and noise changes, for one feature."""
    mixture, noise = picture.mixture, picture.noise
    if mixture.n_features != 1:
        return np.empty(0)
    if picture.contamination is not None:
        return _changes(picture)
    found = mixture.boundaries().x
    if noise is None:
        return found
    # (1 - v) w_k N(x | m, s^2) = v / (b - a) at x = m +- s sqrt(2 lead).
    joint = picture.log_joint(mixture.means)
    lead = np.maximum(np.diagonal(joint) - joint[:, -1], 0.0)
    reach = np.sqrt(2.0 * lead * mixture.variances[:, 0])[lead > 0.0]
    means = mixture.means[lead > 0.0, 0]
    points = np.unique(np.concatenate((found, means - reach, means + reach)))
    first, second = np.sort(picture.log_joint(points[:, np.newaxis]), axis=1)[:, :-3:-1].T
    return np.asarray(points[first - second < _EQUAL])


def _changes(picture: Picture) -> Array:
    """Points within the limits at which the most probable component changes, for one feature."""

    def most_probable(x: Array) -> Integers:
        found: Integers = picture.log_joint(x[:, np.newaxis]).argmax(axis=1)
        return found

    low, high = picture.limits()
    x = np.linspace(low[0], high[0], _POINTS)
    labels = most_probable(x)
    at = np.flatnonzero(np.diff(labels))
    left, right, first = x[at], x[at + 1], labels[at]
    for _ in range(_HALVINGS if at.size else 0):
        middle = 0.5 * (left + right)
        before = most_probable(middle) == first
        left, right = np.where(before, middle, left), np.where(before, right, middle)
    return right
