"""A component for rows that belong to no Gaussian one: uniform over the box of the data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import label
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Noise:
    """Uniform noise beside a Gaussian mixture.

    Attributes
    ----------
    weight : float
        The probability that a row is noise; NaN before the fit.
    lower, upper : ndarray of shape (D,)
        The box: the smallest and largest value of each column of the fitted rows.

    Notes
    -----
    The density is 1 / volume everywhere, also outside of the box: a row far from all components is
    noise wherever it lies. Of a row with missing entries it is that of the box's sides that were
    seen.

    References
    ----------
    Banfield, J. D. and Raftery, A. E. (1993), Biometrics 49, 803-821, section 4; Fraley, C. and
    Raftery, A. E. (2002), Journal of the American Statistical Association 97, 611-631, section 5.3.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesgmm import GaussianMixture, load_dataset
    >>> X = np.vstack((load_dataset("faithful").X, [[9.0, 10.0], [-2.0, 120.0], [8.0, 140.0]]))
    >>> fit = GaussianMixture(2, noise_component=True, random_state=0).fit(X)
    >>> fit.predict(X[-3:]).tolist(), fit.noise_.upper.tolist()
    ([-1, -1, -1], [9.0, 140.0])
    """

    weight: float
    lower: Array
    upper: Array

    @classmethod
    def around(cls, data: Data) -> Self:
        """Noise over the box of rows.

        Raises
        ------
        InputError
            If a column has one value only: a box without volume.
        """
        lower, upper = np.nanmin(data.X, axis=0), np.nanmax(data.X, axis=0)
        flat = ~(upper > lower)
        if flat.any():
            where = label(data.feature_names, int(flat.argmax()))
            raise InputError(
                "noise_component=True takes noise to be uniform over the range of each column, "
                f"and {where} has one value only. Drop it."
            )
        return cls(np.nan, lower, upper)

    def marginal(self, features: Sequence[int]) -> Self:
        """The same noise in some of the features."""
        keep = list(features)
        return replace(self, lower=self.lower[keep], upper=self.upper[keep])

    def sample(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n rows, uniform over the box, (n, D)."""
        return rng.uniform(self.lower, self.upper, (n, len(self.lower)))

    def log_density(self, x: Array) -> Array:
        """Log density of rows (n, D), nats in the units of the columns, (n,)."""
        return np.asarray(-(~np.isnan(x) @ np.log(self.upper - self.lower)))

    def probability(self, x: Array, densities: Array) -> Array:
        """The probability (n,) that rows are noise; `densities` (n,) are those of the mixture."""
        with np.errstate(divide="ignore"):
            own = np.log(self.weight) + self.log_density(x)
        return np.asarray(np.exp(own - self.joined(x, densities)))

    def beside(self, data: Data, densities: Array) -> tuple[Array, Array]:
        """Log densities (n,) with noise, and the probability (n,) that a row is not noise.

        A row of known label is not noise.
        """
        without = np.log1p(-self.weight) + densities
        joined = self.joined(data.X, densities)
        if data.labels is not None:
            joined = np.where(data.labels >= 0, without, joined)
        return joined, np.exp(without - joined)

    def joined(self, x: Array, densities: Array) -> Array:
        """Log densities (n,) of mixture and noise together."""
        with np.errstate(divide="ignore"):
            own = np.log(self.weight) + self.log_density(x)
            return np.asarray(np.logaddexp(np.log1p(-self.weight) + densities, own))
