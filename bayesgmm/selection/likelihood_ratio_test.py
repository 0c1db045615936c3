"""Likelihood-ratio test of K components against K + 1 by parametric bootstrap."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_count, check_rng
from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import CovarianceType, Structure, as_structure
from bayesgmm.data.validation import Data, check_data, check_sample_weight
from bayesgmm.display import plural, progress
from bayesgmm.em.fit import fit_mixture
from bayesgmm.em.settings import (
    Settings,
)
from bayesgmm.errors import FitError, InputError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.partial_rows import noise
from bayesgmm.results import Result

# The level of the verdict, and numbers of replicates that are proposed.
_LEVEL, _PROPOSED = 0.05, (99, 199, 499, 999, 1999, 4999, 9999)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class BootstrapLRT(Result):
    """The outcome of a bootstrap likelihood-ratio test of K components against K + 1.

    Attributes
    ----------
    n_components : int
        K, of the null hypothesis.
    covariance_type : str
    statistic : float
        2 (l(K + 1) - l(K)), nats.
    replicates : ndarray of shape (B,)
        The statistic of data drawn from the fit with K components; NaN if either refit failed.
    null : Mixture
        The fit with K components.

    Examples
    --------
    >>> from bayesgmm import bootstrap_lrt, load_dataset
    >>> test = bootstrap_lrt(load_dataset("galaxies").X, 1, n_resamples=19, rng=0)
    >>> round(test.statistic, 2), round(test.p_value, 3)
    (40.45, 0.05)
    """

    n_components: int
    covariance_type: str
    statistic: float
    replicates: Array
    null: Mixture

    @property
    def p_value(self) -> float:
        """(r + 1) / (B + 1), with r of B replicates at least as large as the statistic."""
        made = self.replicates[np.isfinite(self.replicates)]
        return float((np.sum(made >= self.statistic) + 1) / (len(made) + 1))

    @property
    def standard_error(self) -> float:
        """Monte Carlo standard error of the p-value."""
        made = int(np.isfinite(self.replicates).sum())
        return float(np.sqrt(self.p_value * (1.0 - self.p_value) / (made + 1)))

    @property
    def verdict(self) -> str:
        """The outcome in a sentence, at the level of 5%."""
        k, p = self.n_components, self.p_value
        figures = f"(2 x log-likelihood ratio {self.statistic:.3f}, p = {p:.3g}"
        figures += f" +- {self.standard_error:.2g})"
        made = int(np.isfinite(self.replicates).sum())
        least = 1.0 / (made + 1)
        near = abs(p - _LEVEL) < 2.0 * self.standard_error
        unresolved = p == least >= _LEVEL
        doubt = " More replicates could change this: p is near .05." if near else ""
        if near or unresolved:
            doubt += f" Make {_enough(p, made)} (n_resamples)."
        if unresolved:
            words = (
                f"The likelihood ratio of {k + 1} components to {k} exceeds that of "
                f"{'the only replicate' if made == 1 else f'all {made} replicates'}, which give no "
                f"p-value below {least:.3g}"
            )
        elif p <= _LEVEL:
            words = f"{k + 1} components fit significantly better than {k}"
        else:
            words = f"{k + 1} components do not fit significantly better than {k}"
        return f"{words} {figures}.{doubt}"

    def _paragraphs(self) -> list[str]:
        return [self.verdict]


def bootstrap_lrt(
    X: Any,
    n_components: int = 1,
    *,
    covariance_type: CovarianceType = "full",
    n_resamples: int = 199,
    sample_weight: ArrayLike | None = None,
    error_covariances: ArrayLike | None = None,
    n_jobs: int = 1,
    rng: Any = None,
    progressbar: bool = True,
) -> BootstrapLRT:
    """Test K components against K + 1 by parametric bootstrap.

    The likelihood ratio of mixtures of different K does not follow a chi-squared distribution. Its
    null distribution is simulated: data are drawn from the fit with K components, and both mixtures
    are fitted to them by the procedure used for the data (McLachlan 1987).

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        NaN are missing at random; data drawn from the fit lack the same entries.
    n_components : int
        K of the null hypothesis.
    covariance_type : str
        As in `GaussianMixture`.
    n_resamples : int
        Replicates, B. The least p-value is 1 / (B + 1).
    sample_weight : array-like of shape (n,), optional
        The number of times that each row counts, a whole number. Data drawn from the fit have a row
        for each of them.
    error_covariances : array-like, optional
        Measurement errors, as in `GaussianMixture.fit`; data drawn from the fit have the same.
    n_jobs : int
        Threads; the result does not depend on their number.
    rng : int, Generator, SeedSequence or None
        Anything that `numpy.random.default_rng` takes.
    progressbar : bool
        Show progress on a terminal.

    Returns
    -------
    BootstrapLRT

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used.
    InvalidParameterError
        If an argument is of another kind or out of its range.
    FitError
        If a mixture of either size cannot be fitted to X, or every replicate fails.

    References
    ----------
    McLachlan, G. J. (1987). On bootstrapping the likelihood ratio test statistic for the number of
    components in a normal mixture. Applied Statistics 36, 318-324.

    Examples
    --------
    The smallest K that is not rejected:

    >>> from bayesgmm import bootstrap_lrt, load_dataset
    >>> X = load_dataset("galaxies").X
    >>> tests = (bootstrap_lrt(X, k, n_resamples=19, rng=0) for k in range(1, 7))
    >>> next(test.n_components for test in tests if test.p_value > 0.05)
    3
    """
    n_components = check_count("n_components", n_components)
    n_resamples = check_count("n_resamples", n_resamples)
    n_jobs = check_count("n_jobs", n_jobs)
    generator = check_rng(rng)
    structure = as_structure(covariance_type)
    data = check_data(X, allow_nan=True, error_covariances=error_covariances)
    weights = check_sample_weight(sample_weight, len(data.X))
    first, *seeds = generator.spawn(n_resamples + 1)
    # The estimator warns of degenerate fits.
    fits = [
        GaussianMixture(k, covariance_type=covariance_type, random_state=first).fit(
            X, sample_weight=weights, error_covariances=error_covariances
        )
        for k in (n_components, n_components + 1)
    ]
    statistic = max(2.0 * (fits[1].log_likelihood_ - fits[0].log_likelihood_), 0.0)
    null, drawn_rows = fits[0].mixture_, _repeated(data, weights)
    n = len(drawn_rows.X)

    def replicate(seed: np.random.Generator) -> float:
        x = null.sample(n, seed)[0]
        if drawn_rows.errors is not None:
            x += noise(drawn_rows.errors, n, x.shape[1], seed)
        seen = ~np.isnan(drawn_rows.X)
        drawn = drawn_rows._replace(X=np.where(seen, x, np.nan), feature_names=None)
        return _statistic(drawn, n_components, structure, seed)

    with ThreadPoolExecutor(n_jobs) as pool, progress(progressbar) as bar:
        made = bar.track(pool.map(replicate, seeds), total=n_resamples, description="Bootstrap")
        replicates = np.array(list(made))
    if np.isnan(replicates).all():
        raise FitError(
            f"None of {n_resamples} data sets drawn from the fit with "
            f"{plural(n_components, 'component')} "
            f"could be fitted with {n_components + 1}. Use a structure with fewer parameters."
        )
    return BootstrapLRT(n_components, structure.name, statistic, replicates, null)


def _enough(p: float, made: int) -> int:
    """Replicates, more than were made, that would part such a p-value from the level.

    Two standard errors lie between them; where p is that of no exceedance, p falls with their
    number.
    """
    if p > 1.0 / (made + 1):
        apart = max(abs(p - _LEVEL), 1e-9)
        made = max(made, int(4.0 * p * (1.0 - p) / apart**2))
    return next((each for each in _PROPOSED if each > made), _PROPOSED[-1])


def _repeated(data: Data, weights: Array | None) -> Data:
    """Each row as often as it counts."""
    if weights is None:
        return data
    counts = np.round(weights)
    if (np.abs(weights - counts) > 1e-9).any():
        row = int((np.abs(weights - counts) > 1e-9).argmax())
        raise InputError(
            f"sample_weight has {weights[row]:.6g} in row {row}, but data can be drawn only for "
            "rows that count a whole number of times. Give counts."
        )
    return data.take(np.repeat(np.arange(len(data.X)), counts.astype(np.int64)))


def _statistic(data: Data, k: int, structure: Structure, seed: np.random.Generator) -> float:
    """2 (l(K + 1) - l(K)) of one data set, NaN if a fit fails.

    At least 0, since the model with K components is nested; a lower value is a missed maximum.
    """
    values = []
    for size in (k, k + 1):
        settings = Settings(n_components=size, structure=structure, random_state=seed)
        try:
            fit = fit_mixture(data, None, settings)
        except FitError:
            return float("nan")
        values.append(fit.log_likelihood)
    return max(2.0 * (values[1] - values[0]), 0.0)
