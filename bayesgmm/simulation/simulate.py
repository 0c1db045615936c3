"""Data of known truth: rows drawn from a mixture, with their labels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_count, check_number, check_rng
from bayesgmm.arrays import Array, Integers
from bayesgmm.data.error_covariances import check_error_covariances, unpacked
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.fitted_mixture import MixtureLike, fitted_mixture
from bayesgmm.mixture.mixture import Mixture, Seed
from bayesgmm.mixture.partial_rows import noise
from bayesgmm.results import Result


@dataclass(frozen=True, eq=False, repr=False)
class Simulation(Result):
    """Rows drawn from a mixture, and the truth about them.

    Attributes
    ----------
    X : (n, D)
        Rows, in the mixture's units, with their errors; NaN where an entry was removed.
    labels : (n,)
        The component that each row came from, an integer in 0..K-1.
    mixture : Mixture
        The mixture that the rows were drawn from.
    error_covariances : (n, D), (n, D, D), (1, D) or (1, D, D), or None
        Variances or covariances of the rows' measurement errors; one for all rows.

    Examples
    --------
    >>> from bayesgmm import scenario, simulate
    >>> drawn = simulate(scenario("rusty_machine"), 1000, rng=1)
    >>> drawn.X.shape, drawn.labels[:5].tolist(), drawn.mixture.weights.tolist()
    ((1000, 1), [1, 2, 0, 2, 0], [0.5, 0.25, 0.25])
    """

    X: Array
    labels: Integers
    mixture: Mixture
    error_covariances: Array | None = None

    def _paragraphs(self) -> list[str]:
        n, d = self.X.shape
        return [
            f"{plural(n, 'row')} of {plural(d, 'feature')} from "
            f"{plural(self.mixture.n_components, 'component')}"
        ]


def simulate(
    mixture: MixtureLike,
    n_samples: int,
    *,
    rng: Seed = None,
    missing: float = 0.0,
    error_covariances: ArrayLike | None = None,
) -> Simulation:
    """Draw n = `n_samples` rows from a mixture, and observe them in part or through noise.

    Parameters
    ----------
    mixture : Mixture or fitted GaussianMixture
    n_samples : int
        Number of rows, at least 1.
    rng : anything that ``numpy.random.default_rng`` takes
        The rows that one seed gives, and the missing entries, are the same with and without errors,
        and the rows for every ``missing``.
    missing : float
        Part of the n D entries that becomes NaN, in [0, 1 - 1/D]: the nearest whole number of
        entries. In each row one entry, drawn at random, is safe, so that no row is empty; among
        the others all choices are equally likely. Neither step looks at the values, so entries
        are missing completely at random (Rubin 1976, Biometrika 63).
    error_covariances : array-like, optional
        Variances (n, D) or covariances (n, D, D) of measurement errors that are added to the rows,
        or one covariance for all rows, (D, D).

    Returns
    -------
    Simulation

    Raises
    ------
    InvalidParameterError
        If an argument is of another kind, or ``missing`` is not in [0, 1), or so large that a row
        would be empty.
    InputError, InputTypeError
        If the errors are not variances or covariances of the rows.

    Examples
    --------
    >>> from bayesgmm import scenario, simulate
    >>> simulate(scenario("blobs"), 800, rng=1, missing=0.1).X.shape
    (800, 2)
    """
    mixture = fitted_mixture("mixture", mixture)
    size, generator = check_count("n_samples", n_samples), check_rng(rng)
    fraction = check_number("missing", missing, "a number in [0, 1)", lambda m: 0.0 <= m < 1.0)
    n_removed = round(fraction * size * mixture.n_features)
    n_removable = size * (mixture.n_features - 1)
    if n_removed > n_removable:
        raise InvalidParameterError(
            f"missing={missing!r} would remove {n_removed} of {size * mixture.n_features} entries, "
            f"but each of the {size} rows keeps one. Use at most 1 - 1/D = "
            f"{1 - 1 / mixture.n_features:.6g}."
        )
    X, labels = mixture.sample(size, generator)
    if n_removed:
        safe = generator.integers(mixture.n_features, size=size)
        rows, columns = np.divmod(
            generator.choice(n_removable, n_removed, replace=False), mixture.n_features - 1
        )
        # Numbering a row's removable columns past the safe one skips it.
        X[rows, columns + (columns >= safe[rows])] = np.nan
    errors = check_error_covariances(error_covariances, X)
    if errors is None:
        return Simulation(X, labels, mixture)
    X += noise(errors, size, mixture.n_features, generator)
    return Simulation(X, labels, mixture, unpacked(errors, mixture.n_features))
