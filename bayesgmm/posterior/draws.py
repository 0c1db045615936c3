"""Draws of a mixture's parameters, as arrays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.data.validation import Data
from bayesgmm.likelihood.responsibilities_of_draws import DrawnRows
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.feature_choice import feature_indices
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise


@dataclass(frozen=True, eq=False)
class Draws:
    """Draws of a mixture's parameters.

    Attributes
    ----------
    weights : ndarray of shape (chain, draw, K)
    means : ndarray of shape (chain, draw, K, D)
        In the data's units.
    covariances : ndarray of shape (chain, draw, K, D, D)
        In the data's units squared.
    feature_names : tuple of D str, or None
    noise : Noise, optional
        The box of noise; `weights` are then those among the other rows.
    noise_weight : ndarray of shape (chain, draw), optional
    outliers : tuple of two ndarrays of shape (chain, draw, K), optional
        Of contaminated components: shares of outliers, and the inflation of their covariances.
    groups : ndarray of shape (K,), optional
        Numbers of groups: only components of one group can exchange their labels. None: all can.
    held : bool
        True if some parameters were held at given values.
    """

    weights: Array
    means: Array
    covariances: Array
    feature_names: tuple[str, ...] | None = None
    noise: Noise | None = None
    noise_weight: Array | None = None
    outliers: tuple[Array, Array] | None = None
    groups: Indices | None = None
    held: bool = False

    @property
    def n_chains(self) -> int:
        """The number of chains."""
        return int(self.means.shape[0])

    @property
    def n_draws(self) -> int:
        """The number of draws of each chain."""
        return int(self.means.shape[1])

    @property
    def n_components(self) -> int:
        """The number of components, K."""
        return int(self.means.shape[2])

    @property
    def n_features(self) -> int:
        """The number of features, D."""
        return int(self.means.shape[3])

    @property
    def feature_words(self) -> tuple[str, ...]:
        """The features' names, or x0, x1, ..."""
        return self.feature_names or tuple(f"x{j}" for j in range(self.n_features))

    def stacked(self) -> tuple[Array, Array, Array]:
        """Weights (T, K), means (T, K, D) and covariances (T, K, D, D), T = chains x draws."""
        arrays = (self.weights, self.means, self.covariances)
        weights, means, covariances = (
            np.ascontiguousarray(array.reshape(-1, *array.shape[2:])) for array in arrays
        )
        return weights, means, covariances

    def mean_outliers(self) -> tuple[Noise | None, Contamination | None]:
        """The noise and the outliers of the posterior means; of inflation the geometric one."""
        noise, outliers = None, None
        if self.noise is not None and self.noise_weight is not None:
            noise = replace(self.noise, weight=float(self.noise_weight.mean()))
        if self.outliers is not None:
            proportions, inflation = self.outliers
            middle = np.exp(np.log(inflation).mean(axis=(0, 1)))
            outliers = Contamination(proportions.mean(axis=(0, 1)), middle)
        return noise, outliers

    def gaussians(self) -> tuple[Array, Array, Array]:
        """The Gaussians of all draws: weights (T, G), means (T, G, D), covariances (T, G, D, D).

        Components, G = K; or with outliers components, then the outliers of each, G = 2 K. What
        weights leave of 1 is that of noise.
        """
        weights, means, covariances = self.stacked()
        if self.noise_weight is not None:
            weights = weights * (1.0 - self.noise_weight.reshape(-1, 1))
        if self.outliers is not None:
            share, inflation = (each.reshape(weights.shape) for each in self.outliers)
            weights = np.concatenate(((1.0 - share) * weights, share * weights), axis=1)
            means = np.concatenate((means, means), axis=1)
            broad = inflation[..., np.newaxis, np.newaxis] * covariances
            covariances = np.concatenate((covariances, broad), axis=1)
        return weights, means, covariances

    def moments(self, centre: Array, unit: Array) -> tuple[Array, Array]:
        """Means (T, D) and variances (T, D) of (row - centre) / unit under each draw.

        Of rows of components, noise and outliers.
        """
        weights, means, covariances = self.gaussians()
        moved = (means - centre) / unit
        variances = np.diagonal(covariances / unit[:, np.newaxis] / unit, axis1=2, axis2=3)
        if self.noise is not None:
            shape = (len(weights), 1, self.n_features)
            middle = (0.5 * (self.noise.lower + self.noise.upper) - centre) / unit
            uniform = np.square((self.noise.upper - self.noise.lower) / unit) / 12.0
            left = 1.0 - weights.sum(axis=1, keepdims=True)
            weights = np.concatenate((weights, left), axis=1)
            moved = np.concatenate((moved, np.broadcast_to(middle, shape)), axis=1)
            variances = np.concatenate((variances, np.broadcast_to(uniform, shape)), axis=1)
        shares = weights[..., np.newaxis]
        location = (shares * moved).sum(axis=1)
        within = variances + np.square(moved - location[:, np.newaxis])
        return location, (shares * within).sum(axis=1)

    def over(self, rows: Data, *, hard: bool = False) -> DrawnRows:
        """Rows under every draw, with noise and outliers."""
        pairs = self.outliers is not None
        return DrawnRows(rows, *self.gaussians(), pairs=pairs, noise=self.noise, hard=hard)

    def of_draws(self, chosen: Indices) -> "Draws":
        """Some of the draws of each chain."""
        return self._of_each(lambda array: array[:, chosen])

    def _of_each(
        self, f: Callable[[Array], Array], of_noise: Callable[[Array], Array] | None = None
    ) -> "Draws":
        """The draws with a function applied to every array; another one to weights of noise."""
        noise_weight = self.noise_weight
        return replace(
            self,
            weights=f(self.weights),
            means=f(self.means),
            covariances=f(self.covariances),
            noise_weight=None if noise_weight is None else (of_noise or f)(noise_weight),
            outliers=self.outliers and (f(self.outliers[0]), f(self.outliers[1])),
        )

    def mean(self) -> Mixture:
        """The mixture of the posterior means of weights, means and covariances."""
        weights, means, covariances = (array.mean(axis=0) for array in self.stacked())
        return Mixture(weights / weights.sum(), means, covariances, self.feature_names)

    def mixtures(self, most: int | None = None) -> Iterator[Mixture]:
        """All draws as mixtures, chain by chain; or at most `most`, evenly spaced."""
        return (mixture for mixture, _, _ in self.each(most))

    def each(
        self, most: int | None = None
    ) -> Iterator[tuple[Mixture, Noise | None, Contamination | None]]:
        """As `mixtures`, with the noise beside each, and the outliers of its components."""
        for t in self.positions(most).tolist():
            at = divmod(t, self.n_draws)
            noise = outliers = None
            if self.noise is not None and self.noise_weight is not None:
                noise = replace(self.noise, weight=float(self.noise_weight[at]))
            if self.outliers is not None:
                outliers = Contamination(self.outliers[0][at], self.outliers[1][at])
            yield self.mixture(*at), noise, outliers

    def positions(self, most: int | None = None) -> Indices:
        """Positions of all draws of all chains, or of at most so many at equal distances."""
        total = self.n_chains * self.n_draws
        size = total if most is None else min(most, total)
        return np.unique(np.linspace(0, total - 1, size).astype(np.int64))

    def mixture(self, chain: int, draw: int) -> Mixture:
        """One draw as a Mixture."""
        weights = self.weights[chain, draw]
        return Mixture(
            weights / weights.sum(),
            self.means[chain, draw],
            self.covariances[chain, draw],
            self.feature_names,
        )

    def parameter(self, word: str, feature: int | str = 0) -> Array:
        """The weights, or the means or variances of a feature, (chain, draw, K).

        Raises
        ------
        InputError
            If the feature does not exist.
        """
        (j,) = feature_indices([feature], self.feature_names, self.n_features)
        if word == "weights":
            return self.weights
        return self.means[..., j] if word == "means" else self.covariances[..., j, j]

    def permuted(self, permutations: Indices) -> "Draws":
        """The draws whose component k is component ``permutations[chain, draw, k]`` of these."""

        def moved(array: Array) -> Array:
            index = permutations.reshape(*permutations.shape, *(1,) * (array.ndim - 3))
            return np.take_along_axis(array, index, axis=2)

        return self._of_each(moved, lambda of_noise: of_noise)
