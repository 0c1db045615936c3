"""A finite Gaussian mixture as an immutable value."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayesgmm.arguments import check_count, check_members, check_rng, shown
from bayesgmm.arrays import Array, Integers
from bayesgmm.data.coercion import column_names
from bayesgmm.data.json_document import dump_document, load_document, read_text, write_document
from bayesgmm.data.validation import Data, check_data
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InvalidParameterError, ModelFormatError
from bayesgmm.mixture import partial_rows
from bayesgmm.mixture.decision_boundaries import Boundaries, boundaries
from bayesgmm.mixture.feature_choice import Feature, feature_indices
from bayesgmm.mixture.gaussian_densities import GaussianFactors, log_sum_exp
from bayesgmm.mixture.highest_density_region import HighestDensityRegion, highest_density_region
from bayesgmm.mixture.modes import modes
from bayesgmm.mixture.parameter_checks import (
    as_floats,
    check_covariances,
    check_means,
    check_names,
    check_weights,
)
from bayesgmm.mixture.regression import (
    ConditionalMoments,
    conditional_covariances,
    conditional_means,
    regress,
)
from bayesgmm.mixture.scikit_learn_mixtures import estimator_of, mixture_of
from bayesgmm.mixture.univariate import cdf, quantile
from bayesgmm.results import as_html

Seed = None | int | Sequence[int] | np.random.SeedSequence | np.random.Generator

_SCHEMA = "bayesgmm.mixture"
_VERSION = 1


@dataclass(frozen=True, eq=False, repr=False)
class Mixture:
    r"""A finite Gaussian mixture: p(x) = Σ_k π_k N(x | μ_k, Σ_k).

    Checked once, here; afterwards nothing can change: the arrays are read-only float64 copies.

    Parameters
    ----------
    weights : array-like of shape (K,)
        Mixing proportions, at least 0, of sum 1 within 1e-8. Where the sum misses 1 by more than
        rounding (K ε), they are divided by it. A weight of exactly 0 is allowed.
    means : array-like of shape (K, D)
        In the data's units. For one feature also (K,).
    covariances : array-like of shape (K, D, D)
        Positive definite, in the data's units squared. Asymmetry within 1e-8 of the scale is
        averaged away. For one feature also variances of shape (K,).
    feature_names : sequence of str, optional
        D different names.
    component_names : sequence of str, optional
        K different names, such as those of known groups.

    Raises
    ------
    InvalidParameterError
        If a shape or a value is not as above; the message names the component.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesgmm import Mixture
    >>> mixture = Mixture([0.4, 0.6], [[2.0, 54.0], [4.3, 80.0]], [np.diag([0.1, 34.0])] * 2)
    >>> mixture.log_density([[2.0, 54.0]]).round(3)
    array([-3.366])
    >>> Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 2.0])  # one feature: means (K,) and variances (K,)
    Mixture(n_components=2, n_features=1, weights=[0.5, 0.5])
    """

    weights: Array
    means: Array
    covariances: Array
    feature_names: tuple[str, ...] | None = None
    component_names: tuple[str, ...] | None = None

    def __init__(
        self,
        weights: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        feature_names: Iterable[str] | None = None,
        component_names: Iterable[str] | None = None,
    ) -> None:
        checked_weights = check_weights(weights)
        checked_means = check_means(means, len(checked_weights))
        arrays = {
            "weights": checked_weights,
            "means": checked_means,
            "covariances": check_covariances(covariances, *checked_means.shape),
        }
        for name, array in arrays.items():
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        k, d = checked_means.shape
        for noun, given, size in (("feature", feature_names, d), ("component", component_names, k)):
            object.__setattr__(self, f"{noun}_names", check_names(given, size, noun))

    @property
    def n_components(self) -> int:
        """The number of components, K."""
        return len(self.weights)

    @property
    def n_features(self) -> int:
        """The number of features, D."""
        return int(self.means.shape[1])

    @property
    def component_words(self) -> tuple[str, ...]:
        """The names of the components, or else their numbers from 0, as text."""
        return self.component_names or tuple(map(str, range(self.n_components)))

    @property
    def variances(self) -> Array:
        """The diagonals of the covariances, (K, D)."""
        return np.diagonal(self.covariances, axis1=1, axis2=2)

    @cached_property
    def log_weights(self) -> Array:
        """Logs of the weights, (K,); -inf for a weight of 0."""
        with np.errstate(divide="ignore"):
            return np.log(self.weights)

    @cached_property
    def factors(self) -> GaussianFactors:
        """The components factorised for evaluation."""
        return GaussianFactors.of(self.means, self.covariances)

    # Evaluation

    def log_joint(self, X: Any, error_covariances: Any = None) -> Array:
        """Return log π_k + log N(x_i | μ_k, Σ_k) in nats.

        Parameters
        ----------
        X : (n, D)
            Array or data frame; for one feature also an array (n,). NaN are missing: the density
            is that of the entries that were seen.
        error_covariances : array-like, optional
            Variances (n, D) or covariances (n, D, D) of the rows' measurement errors, or one
            covariance of all rows, (D, D). The density is that of the rows with their errors.

        Returns
        -------
        (n, K)
            -inf where a squared distance overflows or a weight is 0, never NaN.

        Raises
        ------
        InputError, InputTypeError
            If X is not real numbers with D columns, or the errors do not suit it.

        Examples
        --------
        >>> from bayesgmm import Mixture
        >>> Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 2.0]).log_joint([[0.0], [1.5]]).round(3)
        array([[-1.612, -4.209],
               [-2.737, -2.521]])
        """
        return self._log_joint(self.check_observed(X, error_covariances))

    def log_density(self, X: Any, error_covariances: Any = None) -> Array:
        """Return log p(x_i) in nats, (n,), to 12 digits at condition numbers up to 1e8.

        Takes X and raises errors as ``log_joint`` does; -inf where squared distances overflow.

        Examples
        --------
        >>> from bayesgmm import Mixture
        >>> Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 2.0]).log_density([[0.0], [1.5]]).round(3)
        array([-1.54, -1.93])
        """
        return log_sum_exp(self._log_joint(self.check_observed(X, error_covariances)))

    def responsibilities(self, X: Any, error_covariances: Any = None) -> Array:
        """Return p(component k | x_i), (n, K): finite rows that sum to 1, for every finite X.

        Where all densities underflow to 0 because squared distances overflow, the component at the
        smallest distance in its own covariance takes the row; exact ties go by weight. Takes X and
        raises errors as ``log_joint`` does.

        Examples
        --------
        >>> from bayesgmm import Mixture
        >>> Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 2.0]).responsibilities([[0.0], [1.5]]).round(3)
        array([[0.931, 0.069],
               [0.446, 0.554]])
        """
        log_joint = self._comparable_log_joint(self.check_observed(X, error_covariances))
        joint: Array = np.exp(log_joint - log_joint.max(axis=1, keepdims=True))
        joint /= joint.sum(axis=1, keepdims=True)
        return joint

    def classify(self, X: Any, error_covariances: Any = None) -> Integers:
        """Return the component of largest responsibility, (n,), the first among equals.

        Takes X and raises errors as ``log_joint`` does.

        Examples
        --------
        >>> from bayesgmm import Mixture
        >>> Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 2.0]).classify([[0.0], [1.5], [4.0]])
        array([0, 1, 1])
        """
        log_joint = self._comparable_log_joint(self.check_observed(X, error_covariances))
        return log_joint.argmax(axis=1).astype(np.int64)

    def _log_joint(self, data: Data) -> Array:
        if data.partial:
            return partial_rows.log_joint(self, data.X, data.errors)
        log_densities = self.factors.log_densities(data.X)
        log_densities += self.log_weights[:, None]
        return log_densities.T

    def _comparable_log_joint(self, data: Data) -> Array:
        """``log_joint``; where a row is all -inf, the log weights of the nearest components."""
        log_joint = self._log_joint(data)
        lost = np.flatnonzero(np.isneginf(log_joint.max(axis=1)))
        if lost.size:
            if data.partial:
                few = data.take(lost)
                distances = partial_rows.scaled_distances(self, few.X, few.errors)
            else:
                distances = self.factors.scaled_distances(data.X[lost]).T
            distances[:, self.weights == 0] = np.inf
            nearest = distances == distances.min(axis=1, keepdims=True)
            log_joint[lost] = np.where(nearest, self.log_weights, -np.inf)
        return log_joint

    def denoised(self, X: Any, error_covariances: Any) -> ConditionalMoments:
        """Return mean and covariance of each row without its measurement error.

        Parameters
        ----------
        X : (n, D)
            NaN are missing.
        error_covariances : array-like
            As ``log_joint`` takes them.

        Returns
        -------
        ConditionalMoments
            Of z_i given x_i = z_i + e_i, e_i ~ N(0, S_i), where z_i is from the mixture.

        Raises
        ------
        InputError, InputTypeError
            As ``log_joint``.

        References
        ----------
        Bovy, Hogg and Roweis (2011), Annals of Applied Statistics 5, 1657-1677.

        Examples
        --------
        >>> from bayesgmm import Mixture
        >>> mixture = Mixture([0.5, 0.5], [0.0, 6.0], [1.0, 1.0])
        >>> mixture.denoised([[2.0], [7.0]], [[1.0], [1.0]]).mean.round(3)
        array([[1.142],
               [6.5  ]])
        """
        data = self.check_observed(X, error_covariances)
        return partial_rows.conditional_moments(self, data.X, data.errors)

    def impute(
        self,
        X: Any,
        draws: int | None = None,
        *,
        error_covariances: Any = None,
        rng: Seed = None,
    ) -> Array:
        """Fill missing entries: by their conditional means, or by draws.

        Parameters
        ----------
        X : (n, D)
            NaN are missing; other entries stay.
        draws : int, optional
            The number of imputations to draw from the conditional distribution of the missing
            entries. None: their conditional means, which understate the spread of the data.
        error_covariances : array-like, optional
            As ``log_joint`` takes them. What is filled in has no measurement error.
        rng : anything that ``numpy.random.default_rng`` takes

        Returns
        -------
        (n, D), or (draws, n, D)

        Raises
        ------
        InputError, InputTypeError
            As ``log_joint``.
        InvalidParameterError
            If draws or rng is of another kind.

        Examples
        --------
        >>> import numpy as np
        >>> from bayesgmm import Mixture
        >>> mixture = Mixture([0.5, 0.5], [[0.0, 0.0], [4.0, 8.0]], [np.eye(2), np.eye(2)])
        >>> mixture.impute([[0.1, np.nan], [4.2, np.nan]]).round(2)
        array([[0.1, 0. ],
               [4.2, 8. ]])
        """
        data = self.check_observed(X, error_covariances)
        x, errors = data.X, data.errors
        generator = check_rng(rng)
        if draws is None:
            filled = partial_rows.conditional_moments(self, x, errors).mean
        else:
            m = check_count("draws", draws)
            filled = np.stack([partial_rows.draws(self, x, errors, generator) for _ in range(m)])
        return np.where(np.isnan(x), filled, x)

    def check_rows(self, X: Any) -> Array:
        """Return X as finite float64 rows (n, D); raises errors as ``log_joint`` does."""
        return check_data(self.check_observed(X)).X

    def check_observed(self, X: Any, error_covariances: Any = None) -> Data:
        """Return rows of the mixture's features as they were observed; errors as ``log_joint``."""
        if self.n_features == 1 and isinstance(X, np.ndarray) and X.ndim == 1:
            X = X[:, None]
        data = check_data(X, allow_nan=True, allow_unseen=True, error_covariances=error_covariances)
        if data.X.shape[1] != self.n_features:
            raise InputError(
                f"X has {plural(data.X.shape[1], 'feature')}, but the mixture has "
                f"{self.n_features}."
            )
        if None not in (self.feature_names, data.feature_names) and (
            self.feature_names != data.feature_names
        ):
            raise InputError(
                f"X has the columns {list(data.feature_names or ())!r:.200}, but the mixture has "
                f"the features {list(self.feature_names or ())!r:.200}. Select them in this order."
            )
        return data

    def sample(self, n_samples: int, rng: Seed = None) -> tuple[Array, Integers]:
        """Draw n = `n_samples` independent rows.

        Parameters
        ----------
        n_samples : int
            At least 0.
        rng : anything that ``numpy.random.default_rng`` takes

        Returns
        -------
        X : (n, D)
            In random order.
        labels : (n,)
            The component that each row came from.

        Raises
        ------
        InvalidParameterError
            If n_samples or rng is of another kind.

        Examples
        --------
        >>> from bayesgmm import scenario
        >>> X, labels = scenario("rusty_machine").sample(1000, rng=0)
        >>> X.shape, labels.shape
        ((1000, 1), (1000,))
        """
        n, generator = check_count("n_samples", n_samples, least=0), check_rng(rng)
        ends = np.cumsum(self.weights)
        # Scaling by the last end keeps rounding from opening a gap after the last component.
        draws = generator.random(n) * ends[-1]
        labels = np.searchsorted(ends, draws, side="right").astype(np.int64)
        X = generator.standard_normal((n, self.n_features))
        for k, (lower, exponent) in enumerate(
            zip(self.factors.lower, self.factors.exponents, strict=True)
        ):
            mine = labels == k
            X[mine] = self.means[k] + np.ldexp(X[mine] @ lower.T, exponent)
        return X, labels

    # Mixtures from this one

    def permuted(self, order: Sequence[int] | NDArray[np.integer[Any]]) -> "Mixture":
        """Return the mixture whose component k is this one's component ``order[k]``.

        Examples
        --------
        >>> from bayesgmm import Mixture
        >>> Mixture([0.4, 0.6], [0.0, 3.0], [1.0, 2.0]).permuted([1, 0]).weights
        array([0.6, 0.4])
        """
        words = f"each of 0..{self.n_components - 1} once"
        members = check_members("order", order, words)
        numbers = [isinstance(each, Integral) and not isinstance(each, bool) for each in members]
        if not all(numbers) or sorted(members) != list(range(self.n_components)):
            raise InvalidParameterError(f"order must be {words}, not {shown(order)}.")
        indices = np.array(members)
        return Mixture(
            self.weights[indices],
            self.means[indices],
            self.covariances[indices],
            self.feature_names,
            self.component_names and [self.component_names[k] for k in indices],
        )

    def marginal(self, features: Feature | Iterable[Feature]) -> "Mixture":
        """Return the mixture of some features, by index or name, in the order given.

        Raises
        ------
        InputError
            If a feature does not exist, occurs twice, or none is given.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.mixture_.marginal([1]).means.round(1).tolist()
        [[54.5], [80.0]]
        """
        kept = feature_indices(features, self.feature_names, self.n_features)
        if not kept:
            raise InputError("marginal needs at least one feature.")
        return self._restricted(kept)

    def _restricted(self, kept: list[int]) -> "Mixture":
        return Mixture(
            self.weights,
            self.means[:, kept],
            self.covariances[:, kept][:, :, kept],
            None if self.feature_names is None else [self.feature_names[j] for j in kept],
            self.component_names,
        )

    def conditional(self, given: Mapping[Feature, float]) -> "Mixture":
        """Return the mixture of the remaining features x_a, given the values x_b of others.

        π_k ∝ π_k N(x_b | μ_b, Σ_bb),  μ_a + Σ_ab Σ_bb⁻¹ (x_b - μ_b),  Σ_aa - Σ_ab Σ_bb⁻¹ Σ_ba:
        with Σ ordered (b, a) and Σ = L Lᵀ these are μ_a + L_ab L_bb⁻¹ (x_b - μ_b) and L_aa L_aaᵀ.

        Parameters
        ----------
        given : mapping from feature (index or name) to value

        Raises
        ------
        InputError
            If a feature does not exist, occurs twice, or none remains.
        InvalidParameterError
            If `given` is not a mapping, or a value is not a finite number.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> waiting = fit.mixture_.conditional({0: 4.5})  # after an eruption of 4.5 minutes
        >>> waiting.mean().round(1), waiting.quantile([0.05, 0.95]).round(1)
        (array([81.1]), array([72. , 90.3]))
        """
        if not isinstance(given, Mapping):
            raise InvalidParameterError(
                f"given must map features to values, as {{0: 1.5}}, not be {shown(given)}."
            )
        known = feature_indices(list(given), self.feature_names, self.n_features)
        values = as_floats("given", list(given.values())) if known else np.empty(0)
        if values.shape != (len(known),):
            raise InputError(f"given must map each feature to one number, not {given!r:.200}.")
        rest = [j for j in range(self.n_features) if j not in known]
        if not rest:
            raise InputError("conditional needs at least one feature that is not given.")
        if not known:
            return self
        m = len(known)
        reordered = self._restricted(known + rest)
        weights = self._restricted(known).responsibilities(values[None])[0]
        # The constructor refuses means beyond float64.
        with np.errstate(over="ignore", invalid="ignore"):
            means = conditional_means(reordered, values[None])[:, 0]
        names = None if reordered.feature_names is None else reordered.feature_names[m:]
        covariances = conditional_covariances(reordered, m)
        return Mixture(weights, means, covariances, names, self.component_names)

    def regress(self, X: Any, given: Feature | Iterable[Feature]) -> ConditionalMoments:
        """Predict the other features from rows of the given ones.

        Parameters
        ----------
        X : (n, D - D')
            Rows of the given features, in the order in which they are given.
        given : feature or sequence of features, by index or name

        Returns
        -------
        ConditionalMoments
            The conditional mean (n, D') and covariance (n, D', D') of the others at each row, and
            the weight of each component (n, K). ``conditional`` gives the whole distribution at
            one row.

        Raises
        ------
        InputError, InputTypeError
            If X is not rows of the given features, a feature does not exist, or none remains.

        References
        ----------
        Ghahramani and Jordan (1994), Supervised learning from incomplete data via an EM approach,
        NIPS 6, 120-127.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.mixture_.regress([[2.0], [4.5]], given=[0]).mean.round(1).tolist()
        [[54.2], [81.1]]
        """
        return regress(self, X, given)

    def transformed(self, A: ArrayLike, b: ArrayLike = 0.0) -> "Mixture":
        """Return the mixture of A x + b.

        Parameters
        ----------
        A : scalar, (D,) or (D', D)
            A factor, one factor for each feature, or a matrix of full row rank.
        b : scalar or (D',)

        Returns
        -------
        Mixture
            With this one's feature names, unless A is a matrix.

        Raises
        ------
        InvalidParameterError
            If a shape does not fit, or the result would be degenerate.

        Examples
        --------
        >>> from bayesgmm import Mixture
        >>> celsius = Mixture([0.5, 0.5], [10.0, 20.0], [4.0, 9.0])
        >>> fahrenheit = celsius.transformed([[1.8]], [32.0])
        >>> fahrenheit.means.ravel(), fahrenheit.variances.ravel()
        (array([50., 68.]), array([12.96, 29.16]))
        """
        matrix = as_floats("A", A)
        shift = as_floats("b", b)
        diagonal = matrix.ndim < 2
        if matrix.shape not in {(), (self.n_features,)} and (
            diagonal or matrix.ndim > 2 or matrix.shape[1] != self.n_features or not len(matrix)
        ):
            raise InvalidParameterError(
                f"A must be a number, or have shape ({self.n_features},) or (any, "
                f"{self.n_features}), not {matrix.shape}."
            )
        size = self.n_features if diagonal else len(matrix)
        if shift.shape not in {(), (size,)}:
            raise InvalidParameterError(f"b must be a number or have {size} of them.")
        if diagonal:
            matrix = np.broadcast_to(matrix, size)
            with np.errstate(over="ignore", invalid="ignore"):
                means = self.means * matrix + shift
                covariances = matrix[:, None] * self.covariances * matrix
        else:
            if np.linalg.matrix_rank(matrix) < size:
                raise InvalidParameterError(
                    f"A must have full row rank, but its rank is {np.linalg.matrix_rank(matrix)} "
                    f"with {plural(size, 'row')}. Drop rows that depend on the others."
                )
            with np.errstate(over="ignore", invalid="ignore"):
                means = self.means @ matrix.T + shift
                covariances = matrix @ self.covariances @ matrix.T
                covariances = 0.5 * covariances + 0.5 * np.swapaxes(covariances, 1, 2)
        names = self.feature_names if diagonal else None
        return Mixture(self.weights, means, covariances, names, self.component_names)

    # One feature, and regions

    def cdf(self, x: ArrayLike) -> Array:
        """Return P(X ≤ x) of a mixture of one feature, of the shape of x.

        Examples
        --------
        >>> from bayesgmm import scenario
        >>> scenario("rusty_machine").cdf([-3.0, 0.0]).round(3)
        array([0.25 , 0.624])
        """
        return cdf(self, x)

    def quantile(self, q: ArrayLike) -> Array:
        """Return the x of P(X ≤ x) = q of a mixture of one feature, of the shape of q.

        Exact to rounding also where q is as small as float64 allows. -inf at 0, inf at 1.

        Examples
        --------
        >>> from bayesgmm import scenario
        >>> scenario("rusty_machine").quantile([0.25, 0.5]).round(3)
        array([-3.   , -1.108])
        """
        return quantile(self, q)

    def highest_density_region(
        self, prob: float, *, n_draws: int = 100_000, rng: Seed = None
    ) -> HighestDensityRegion:
        """Return the smallest region of a given probability.

        Parameters
        ----------
        prob : float
            Between 0 and 1.
        n_draws : int
            Draws from which the border's density is estimated for several features; at least
            1000.
        rng : anything that ``numpy.random.default_rng`` takes

        Returns
        -------
        HighestDensityRegion
            The log density on its border with its standard error; for one feature exactly, with
            the intervals. Their ends are rounded to float64: where its numbers lie farther apart
            than `prob` allows for, as 1e-4 at an offset of 1e12, the probability between the
            rounded ends differs from `prob` by that rounding times the density there.

        Raises
        ------
        InvalidParameterError
            If `prob` is not between 0 and 1, or another argument is of another kind.

        References
        ----------
        Hyndman (1996), Computing and graphing highest density regions, The American Statistician
        50, 120-126.

        Examples
        --------
        >>> from bayesgmm import scenario
        >>> region = scenario("rusty_machine").highest_density_region(0.5)
        >>> region.intervals.round(2).tolist()
        [[-3.84, -2.14], [-0.19, 0.14], [2.58, 3.42]]
        """
        return highest_density_region(self, prob, n_draws=n_draws, rng=rng)

    def boundaries(self, components: Sequence[int] | None = None) -> Boundaries:
        """Return the points at which the most probable component of one feature changes.

        Parameters
        ----------
        components : sequence of int, optional
            At least two. Only these are compared: with two of them the boundaries are all points at
            which both are equally probable, none to two of them. By default all, so that
            ``classify`` changes at the boundaries and nowhere else.

        Returns
        -------
        Boundaries
            ``x`` (m,) in the data's units, ascending, and the components ``below`` and ``above``
            each, (m,). With a common variance there are at most K - 1, else at most 2 K - 2: a
            narrow component may interrupt a wide one. A component that is nowhere the most probable
            has none.

        Raises
        ------
        InputError
            If the mixture has more than one feature, where boundaries are curves or surfaces.
        InvalidParameterError
            If `components` are not at least two different components.

        Notes
        -----
        Two components are equally probable where π_i N(x | μ_i, σ_i²) = π_j N(x | μ_j, σ_j²), a
        quadratic equation in x. Where three or more meet in one point, it is given once.

        References
        ----------
        McLachlan (1992), Discriminant Analysis and Statistical Pattern Recognition, section 3.1.

        Examples
        --------
        >>> from bayesgmm import scenario
        >>> found = scenario("rusty_machine").boundaries()
        >>> found.x.round(3).tolist(), found.below.tolist(), found.above.tolist()
        ([-1.16, 1.717, 9.0], [0, 1, 2], [1, 2, 0])
        """
        return boundaries(self, components)

    def modes(self) -> Array:
        """Return the modes of the density of a mixture of one feature: its local maxima.

        Returns
        -------
        (m,)
            In the data's units, ascending, between the least and the largest mean; at least 1 and
            at most K.

        Raises
        ------
        InputError
            If the mixture has more than one feature.

        Notes
        -----
        In one dimension blurring creates no modes, so that there are at most K (Silverman 1981,
        JRSS B 43, 97-99; Carreira-Perpiñán and Williams 2003, Scale Space Methods in Computer
        Vision, 625-640). Two modes that all but meet, within 1e-5 standard deviations, count as
        one or as two by rounding.

        Examples
        --------
        >>> from bayesgmm import scenario
        >>> mixture = scenario("rusty_machine")
        >>> mixture.modes().round(3).tolist(), mixture.antimodes().round(3).tolist()
        ([-2.999, -0.025, 3.0], [-1.243, 1.661])
        """
        return modes(self)

    def antimodes(self) -> Array:
        """Return the antimodes of the density of a mixture of one feature: its local minima.

        Returns
        -------
        (m - 1,)
            In the data's units, ascending: one between each two neighbouring ``modes``.

        Raises
        ------
        InputError
            If the mixture has more than one feature.

        Examples
        --------
        >>> from bayesgmm import Mixture
        >>> Mixture([0.5, 0.5], [0.0, 4.0], [1.0, 1.0]).antimodes().round(3)
        array([2.])
        """
        return modes(self, peaks=False)

    # Moments

    def mean(self) -> Array:
        """Return the mean of the whole mixture, (D,): Σ π_k μ_k.

        Examples
        --------
        >>> from bayesgmm import scenario
        >>> scenario("rusty_machine").mean()
        array([-0.75])
        """
        return np.asarray(self.weights @ self.means)

    def covariance(self) -> Array:
        """Return the covariance of the whole mixture, (D, D): Σ π_k (Σ_k + (μ_k - μ)(μ_k - μ)ᵀ).

        Examples
        --------
        >>> from bayesgmm import scenario
        >>> scenario("rusty_machine").covariance()
        array([[6.875]])
        """
        apart = self.means - self.mean()
        within = np.einsum("k,kij->ij", self.weights, self.covariances)
        between = np.einsum("k,ki,kj->ij", self.weights, apart, apart)
        return np.asarray(within + between)

    # Documents

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the mixture as JSON text, exact to the last bit; also write it to ``path``.

        The file appears whole or not at all.

        Examples
        --------
        >>> from bayesgmm import Mixture, scenario
        >>> blobs = scenario("blobs")
        >>> Mixture.from_json(blobs.to_json()) == blobs
        True
        """
        fields = {
            "feature_names": self.feature_names,
            "weights": self.weights.tolist(),
            "means": self.means.tolist(),
            "covariances": self.covariances.tolist(),
        }
        if self.component_names is not None:
            fields["component_names"] = self.component_names
        text = dump_document(_SCHEMA, _VERSION, fields)
        if path is not None:
            write_document(path, text)
        return text

    @classmethod
    def from_json(cls, source: str | bytes | os.PathLike[str]) -> "Mixture":
        """Read a mixture from JSON text or from the path of a file. No code is run.

        Raises
        ------
        ModelFormatError
            If the text is damaged, foreign, longer than 64 MB, or of a newer version.
        FileNotFoundError
            If ``source`` is a ``Path`` and there is no such file.
        """
        names = {"weights", "means", "covariances", "feature_names"}
        optional = frozenset({"component_names"})
        fields = load_document(read_text(source), _SCHEMA, _VERSION, names, optional)
        try:
            return cls(**fields)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise ModelFormatError(
                f"The model does not describe a valid mixture: {error}"
            ) from error

    @classmethod
    def from_sklearn(cls, model: Any) -> "Mixture":
        """Return the mixture of a fitted estimator of `sklearn.mixture`.

        Raises
        ------
        InvalidParameterError
            If it is another object, or was not fitted.
        """
        return mixture_of(model)

    def to_sklearn(self) -> Any:
        """Return a fitted `sklearn.mixture.GaussianMixture` of this mixture, "full".

        Examples
        --------
        >>> from bayesgmm import Mixture
        >>> theirs = Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 2.0]).to_sklearn()
        >>> type(theirs).__module__, theirs.predict([[0.0], [4.0]])
        ('sklearn.mixture._gaussian_mixture', array([0, 1]))
        """
        return estimator_of(self)

    # Value semantics

    def __reduce__(self) -> tuple[type["Mixture"], tuple[Any, ...]]:
        # Through the constructor: pickled arrays would come back writeable.
        arrays = self.weights, self.means, self.covariances
        return Mixture, (*arrays, self.feature_names, self.component_names)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mixture):
            return NotImplemented
        return (
            self.feature_names == other.feature_names
            and self.component_names == other.component_names
            and np.array_equal(self.weights, other.weights)
            and np.array_equal(self.means, other.means)
            and np.array_equal(self.covariances, other.covariances)
        )

    def __hash__(self) -> int:
        arrays = (self.weights, self.means, self.covariances)
        return hash(
            (*(array.tobytes() for array in arrays), self.feature_names, self.component_names)
        )

    def __repr__(self) -> str:
        weights = ", ".join(f"{weight:.3g}" for weight in self.weights[:6])
        more = ", ..." if self.n_components > 6 else ""
        return (
            f"Mixture(n_components={self.n_components}, n_features={self.n_features}, "
            f"weights=[{weights}{more}])"
        )

    def _repr_html_(self) -> str:
        """Weights, means and standard deviations, a row for each component."""
        import pandas as pd  # half a second that most programs do not need

        names = column_names(self.feature_names, self.n_features)
        columns = {"weight": self.weights}
        columns |= {f"mean of {name}": self.means[:, j] for j, name in enumerate(names)}
        columns |= {f"sd of {name}": self.variances[:, j] ** 0.5 for j, name in enumerate(names)}
        table = pd.DataFrame(columns, index=[*self.component_words]).rename_axis("component")
        return as_html([f"Mixture of {self.n_components} Gaussians", table])
