"""Standard errors of a fit, of every kind of parameter, from the covariance of their errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from bayesgmm.arguments import check_choice, check_probability
from bayesgmm.arrays import Array, Booleans
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.results import Result
from bayesgmm.uncertainty.intervals import normal_intervals
from bayesgmm.uncertainty.parameter_vectors import (
    joint_units,
    lower_triangle,
    parameter_names,
    parameter_units,
    quantities,
    reported,
    unflatten,
)

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StandardErrors(Result):
    """Standard errors of a mixture's parameters; NaN where the data do not determine a number.

    0 for parameters that the fit held.

    Attributes
    ----------
    estimate : Mixture
    method : str
        "information", "sandwich", "bootstrap" or "weighted-bootstrap".
    weights : ndarray of shape (K,)
    means : ndarray of shape (K, D)
        Data units.
    covariances : ndarray of shape (K, D, D)
        Data units squared.
    standard_deviations : ndarray of shape (K, D)
        Of the square roots of the variances, data units.
    correlations : ndarray of shape (K, D, D)
        0 on the diagonal.
    joint : ndarray of shape (P, P)
        Covariance of the errors of all weights, means and lower triangles of covariances, in the
        order of `names`. Its rank is the number of free parameters. Covariances of covariances
        are beyond float64 where the data's unit is beyond 1e77 or 1e-77; the rest is not.
    names : tuple of str
        "weight[k]", "mean[k, feature]", "covariance[k, feature, feature]".
    notes : tuple of str
        Sentences: the reasons for NaN, and the number of refits that failed.
    replicates : ndarray of shape (B, P) or None
        The parameters of each refit of a bootstrap.
    extras : dict
        Estimate and standard error of numbers beside those of the components, by name: the
        weight of noise ("weight[noise]"), or of each component k its proportion of outliers and
        their inflation ("outliers[k]", "inflation[k]").
    extra_replicates : dict
        The same numbers in each refit of a bootstrap, by name, (B,).
    noise : Noise or None
    contamination : Contamination or None

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset
    >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
    >>> errors = fit.standard_errors()
    >>> errors.weights.round(4), errors.standard_deviations.round(3).tolist()
    (array([0.0291, 0.0291]), [[0.02, 0.418], [0.023, 0.327]])
    """

    estimate: Mixture
    method: str
    weights: Array
    means: Array
    covariances: Array
    standard_deviations: Array
    correlations: Array
    joint: Array
    names: tuple[str, ...]
    notes: tuple[str, ...]
    replicates: Array | None = None
    extras: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    extra_replicates: Mapping[str, Array] = field(default_factory=dict)
    noise: Noise | None = None
    contamination: Contamination | None = None

    @property
    def table(self) -> "pd.DataFrame":
        """The table of `intervals`, normal and of probability 0.9.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.standard_errors().table.head(2).round(3)
                   estimate  standard_error  lower  upper
        parameter
        weight[0]     0.356           0.029  0.310  0.405
        weight[1]     0.644           0.029  0.595  0.690
        """
        return self.intervals()

    def _paragraphs(self) -> "list[str | pd.DataFrame]":
        return [f"Standard errors ({self.method}), 90 % intervals", self.table, *self.notes]

    def intervals(
        self, prob: float = 0.9, kind: Literal["normal", "percentile"] = "normal"
    ) -> "pd.DataFrame":
        """Estimate, standard error and interval of each weight, mean, sd and correlation.

        Parameters
        ----------
        prob : float
            Probability of the intervals, between 0 and 1.
        kind : {"normal", "percentile"}
            Estimate plus and minus a normal quantile of standard errors, on the scale of the logit
            for proportions, of the logarithm for standard deviations and inflation less 1, and of
            atanh for correlations, so that intervals keep to the parameters' ranges; or quantiles
            of the refits of a bootstrap.

        Returns
        -------
        DataFrame
            Index: parameter, `extras` last; columns estimate, standard_error, lower, upper, and in
            `attrs` the probability, kind and method.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.standard_errors().intervals(0.95).head(2).round(3)
                   estimate  standard_error  lower  upper
        parameter
        weight[0]     0.356           0.029  0.301  0.415
        weight[1]     0.644           0.029  0.585  0.699
        """
        import pandas as pd

        prob = check_probability("prob", prob)
        check_choice("kind", kind, ("normal", "percentile"))
        tails = (0.5 - 0.5 * prob, 0.5 + 0.5 * prob)
        names, values = reported(self.estimate)
        errors = reported_errors(self)
        if kind == "normal":
            lower, upper = normal_intervals(names, values, errors, prob)
        elif kind == "percentile" and self.replicates is not None:
            shape = self.estimate.n_components, self.estimate.n_features
            refits = np.array([quantities(*unflatten(each, *shape)) for each in self.replicates])
            lower, upper = np.quantile(refits, tails, axis=0)
            lower, upper = (np.where(np.isnan(errors), np.nan, each) for each in (lower, upper))
        else:
            raise InvalidParameterError(
                "kind='percentile' needs the refits of a bootstrap, and these standard errors have "
                "none. Use 'normal', or standard_errors(X, 'bootstrap')."
            )
        columns = {"estimate": values, "standard_error": errors, "lower": lower, "upper": upper}
        out = pd.DataFrame(columns, index=pd.Index(names, name="parameter"))
        for name, (value, error) in self.extras.items():
            if kind == "normal":
                ends = np.ravel(
                    normal_intervals([name], np.array([value]), np.array([error]), prob)
                )
            else:
                ends = np.quantile(self.extra_replicates[name], tails)
            out.loc[name] = value, error, *ends
        out.attrs = {"prob": prob, "kind": kind, "method": self.method}
        return out


def assemble(
    mixture: Mixture,
    joint: Array,
    hidden: Booleans,
    method: str,
    notes: tuple[str, ...],
    replicates: Array | None = None,
) -> StandardErrors:
    """Standard errors of every kind from the covariance of the errors of all numbers (P, P).

    `joint` is in `joint_units`, whose squares float64 holds where those of the data's own are
    beyond it. Standard deviations and correlations by the delta method.
    """
    k, d = mixture.means.shape
    joint = np.where(hidden | hidden[:, np.newaxis], np.nan, joint)
    weights, means, covariances = unflatten(np.sqrt(np.diagonal(joint)), k, d)
    scale, unit = parameter_units(mixture), joint_units(mixture)
    scales = scale * scale[:, np.newaxis]
    deviations = np.sqrt(mixture.variances) / scale
    variances, own_covariances = deviations**2, mixture.covariances / scales
    entries = np.zeros((d, d), dtype=np.intp)
    rows, columns = lower_triangle(d)
    entries[rows, columns] = entries[columns, rows] = np.arange(len(rows))
    correlations = np.zeros((k, d, d))
    for j, (r, c) in ((j, each) for j in range(k) for each in zip(rows, columns, strict=True)):
        if r == c:
            continue
        at = k + k * d + j * len(rows) + entries[[r, r, c], [c, r, c]]
        rho = own_covariances[j, r, c] / (deviations[j, r] * deviations[j, c])
        inverse = 1.0 / (deviations[j, r] * deviations[j, c])
        gradient = np.array([inverse, -0.5 * rho / variances[j, r], -0.5 * rho / variances[j, c]])
        found = np.sqrt(max(gradient @ joint[np.ix_(at, at)] @ gradient, 0.0))
        correlations[j, r, c] = correlations[j, c, r] = found
    own = np.diagonal(covariances, axis1=1, axis2=2)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        joint = joint * unit * unit[:, np.newaxis]
    return StandardErrors(
        mixture,
        method,
        weights,
        means * scale,
        covariances * scales,
        0.5 * own / deviations * scale,
        correlations,
        joint,
        parameter_names(mixture),
        notes,
        replicates,
    )


def reported_errors(errors: StandardErrors) -> Array:
    """Standard errors in the order of `reported`."""
    rows, columns = lower_triangle(errors.estimate.n_features, -1)
    correlations = errors.correlations[:, rows, columns]
    kinds = (errors.weights, errors.means, errors.standard_deviations, correlations)
    return np.concatenate([each.ravel() for each in kinds])
