"""The estimator: scikit-learn's GaussianMixture, exact."""

import os
import warnings
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from functools import cache
from hashlib import blake2b
from inspect import signature
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.exceptions import NotFittedError as SklearnNotFittedError
from sklearn.utils._param_validation import Interval, validate_parameter_constraints
from sklearn.utils._param_validation import InvalidParameterError as SklearnInvalidParameterError
from sklearn.utils.validation import check_is_fitted

from bayesgmm.arguments import check_choice, check_count, check_number, did_you_mean
from bayesgmm.arrays import Array, Indices, Integers
from bayesgmm.covariance.structures import (
    CovarianceType,
    Structure,
    as_structure,
    structure_word,
    structure_words,
)
from bayesgmm.data.coarse_columns import unsuitable_columns
from bayesgmm.data.validation import (
    Data,
    check_data,
    check_labels,
    check_sample_weight,
    doubtful_rows,
)
from bayesgmm.display import plural
from bayesgmm.em.fit import fit_mixture
from bayesgmm.em.online import Online
from bayesgmm.em.pairs import paired
from bayesgmm.em.settings import (
    Fit,
    Settings,
)
from bayesgmm.errors import (
    BayesGMMWarning,
    ConvergenceWarning,
    DegeneracyWarning,
    EstimatorParameterError,
    InputError,
    InvalidParameterError,
    ModelFormatError,
    NotFittedError,
)
from bayesgmm.estimator.columns import check_columns, keep_columns, set_names_in
from bayesgmm.estimator.fit_plots import plot_fit
from bayesgmm.estimator.fit_summary import bound_words, cell_of, summarise
from bayesgmm.estimator.fitted_rows import check_fitted_rows, kept_rows
from bayesgmm.estimator.information_criteria import Criteria, information_criteria
from bayesgmm.estimator.online_fit import check_online, store_online
from bayesgmm.estimator.saved_fit import (
    VALUES,
    FitResults,
    load_estimator,
    restore,
    results_of,
    save_estimator,
)
from bayesgmm.estimator.source_fit import check_alone, fit_rows_of
from bayesgmm.estimator.source_results import SourceSums, errors_by_source, sums_of_source
from bayesgmm.estimator.words import ErrorMethod, Missing, Order, Picture, Start, Words
from bayesgmm.executors.executor import Executor
from bayesgmm.likelihood.outliers import memberships, outlier_probabilities, sample_rows
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.fitted_mixture import fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.regression import ConditionalMoments
from bayesgmm.priors.held_parameters import HeldParameters, held_parameters
from bayesgmm.priors.priors import Priors
from bayesgmm.results import as_html
from bayesgmm.sources.row_source import RowSource
from bayesgmm.uncertainty.bootstrap import bootstrap_errors
from bayesgmm.uncertainty.curvature import curvature_errors
from bayesgmm.uncertainty.standard_errors import StandardErrors

if TYPE_CHECKING:
    import pandas as pd

# Parameters of which a bool is not a mistake.
_TRUTH_VALUES = ("warm_start", "verbose", "noise_component", "contaminated", "equal_weights")


# A fingerprint of rows, with their weights, errors and labels.
type Fitted = tuple[bytes, Array | None, Array | None, Integers | None]


class GaussianMixture(DensityMixin, BaseEstimator):
    """Gaussian mixture fitted by EM to the maximum of its likelihood.

    Every parameter and fitted attribute of `sklearn.mixture.GaussianMixture` has the same meaning
    here. Where scikit-learn's default is inexact, the default here is None, the exact rule; other
    values have the meaning that they have there.

    Parameters
    ----------
    n_components : int, default=1
        K.
    covariance_type : str or Structure, default="full"
        "full", "tied", "diag", "spherical", or mclust's code: EII, VII, EEI, VEI, EVI, VVI, EEE,
        VEE, EVE, VVE, EEV, VEV, EVV, VVV, and E or V for one feature; in any case.
    tol : float, optional
        Stop when the mean log-likelihood changes by less than this in an iteration. None: when
        at most 1e-20 nats of total log-likelihood remain to be gained, by Aitken's estimate
        from the steps themselves.
    reg_covar : float, optional
        Added to the diagonals of the covariances, in the data's units squared. None adds nothing:
        a start that collapses is discarded.
    max_iter : int, optional
        Iterations that a run may take; None for 10,000. The E-step that evaluates the result is
        not counted.
    n_init : int, optional
        Minimum number of starts. None: starts are made until more are unlikely to find a higher
        maximum (4 that agree, at most 24). First runs are short, and the best is continued. With
        `init_params` or `max_iter`: the number of full runs, 1 by default.
    init_params : {"kmeans", "k-means++", "random", "random_from_data"}, array-like or callable, \
            optional
        Method of starting each of `n_init` runs. None: k-means in two metrics and random rows in
        turn, hierarchical clusterings, split-and-merge moves; "kmeans" if `max_iter` is set. Labels
        of shape (n,), one group for each component in the order of their values, or
        responsibilities of shape (n, K). A callable returns either:
        ``f(X, n_components, random_state=RandomState)``.
    weights_init, means_init, precisions_init : array-like, optional
        A start, or part of one; its order of the components is kept.
    random_state : int, Generator, RandomState or None
        Anything that `numpy.random.default_rng` takes.
    warm_start : bool, default=False
        Begin at the previous solution.
    verbose : int, default=0
        1 prints a line for each run.
    verbose_interval : int, default=10
        Kept for compatibility.
    acceleration : {"anderson", None}, default="anderson"
        None for plain EM. No step decreases the likelihood in either case.
    priors : None, "default" or Priors
        Prior distributions of the parameters. None: maximum likelihood. Otherwise the fit is the
        mode of the posterior density of weights, means and covariances. "default" is
        `Priors(hierarchical=False)`: the scale of the covariances is given, so the posterior is
        bounded and no component collapses, whatever the data. A scale that is learned is
        integrated out; it holds a component on one row, but may follow one onto many equal rows.
    eigenvalue_ratio : float, optional
        Largest ratio of the variances of two components in any direction, so in any units
        (Hathaway 1985); at least 1, which makes covariances equal. For "full", "diag" and
        "spherical" and ratios up to 1e4 the fit is the maximum under this bound, unless a component
        on it is so flat that it counts as spurious. In other cases maxima beyond it are spurious:
        they are taken, with a warning, only if there is no other. None: no bound.
    noise_component : bool, default=False
        Add a component of noise, uniform over the box of the data, for rows that belong to none of
        the others (Banfield & Raftery 1993).
    contaminated : bool, default=False
        Give each component outliers of its own: a share of its rows, at most a half, is normal with
        the same mean and a multiple of its covariance, both estimated (Punzo & McNicholas 2016).
    missing : {"at random", "raise"}, default="at random"
        The treatment of NaN in X. "at random": what was seen of a row is fitted, which is right if
        what is missing does not depend on the values that are missing, given those that were seen
        (Rubin 1976). "raise" refuses NaN.
    order_by : {"means", "weights", "variances"}, Mixture or fitted GaussianMixture, optional
        Order of the components, whatever the start: by ascending means (first feature first);
        by descending weights; by ascending determinants of the covariances; or as the components
        of a reference, of the same size, that `match_components` matches to them. Ties go by the
        others. None: by ascending means, or in the order of a start that was given by
        `weights_init`, `means_init`, `precisions_init` or `warm_start`, or of `fixed`.
    fixed : dict, optional
        Parameters held at given values, in the user's units and in the order of the components
        that the fit will have: "weights" (K,), "means" (K, D) and "covariances" (K, D, D), in the
        shape of `covariances_`, or (K, D) for diagonal ones. NaN is free: single weights, single
        entries of means, and covariances of whole components. A structure whose components share
        a part of their covariances has all of them held or none. Components that differ in
        nothing held are in the order of their means. Held parameters do not count in
        `n_parameters_`, and their standard errors are 0.
    equal_weights : bool, default=False
        Hold all weights at 1 / K.

    Attributes
    ----------
    weights_ : ndarray of shape (K,)
    means_ : ndarray of shape (K, D)
    covariances_ : ndarray
        (K, D, D) for "full", (D, D) for "tied", (K, D) for "diag", (K,) for "spherical"; the same
        for other codes, with K only where a letter is V, and D for diagonal ones.
    precisions_, precisions_cholesky_ : ndarray
        As in scikit-learn, of the shape of `covariances_`.
    mixture_ : Mixture
        The fitted mixture as a value.
    noise_ : Noise or None
        With `noise_component`, its `weight` among all rows, and its box. `mixture_` and `weights_`
        are then those of the rows that are not noise.
    contamination_ : Contamination or None
        With `contaminated`, the `proportions` of outliers in the components and the `inflation` of
        their covariances. `covariances_` are then those of the other rows.
    log_likelihood_ : float
        Total, nats, at the returned parameters.
    log_posterior_ : float or None
        With `priors`, the maximised log-likelihood plus log prior density, nats.
    priors_ : ResolvedPriors or None
        With `priors`, all their numbers.
    n_parameters_ : int
        Free parameters, without those that are held.
    n_rows_ : float
        The number of rows, or the sum of their weights.
    converged_ : bool
        True if the stopping rule was met.
    degeneracy_ : Degeneracy or None
        The reason for not trusting the fit: its `fault`, the `component` and, as text, a sentence.
    n_iter_ : int
        Iterations of the winning run.
    remaining_ : float
        Estimated nats that remain to be gained from the returned parameters.
    lower_bound_ : float
        Mean log-likelihood at the returned parameters.
    lower_bounds_ : list of float
        Mean log-likelihood after each step of the winning run's last part; never falls, unless
        `reg_covar` adds to the covariances of incomplete rows. With `priors`, the log posterior
        density divided by the number of rows.
    starts_ : pandas.DataFrame
        Each start: how it was made, the log-likelihood where its run ended, iterations, outcome.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only if X had text column names.

    Notes
    -----
    Equal fits have equal labels, whatever the seed and the order of the rows. Labels that stay
    while the data change are those of a reference: `order_by=previous.mixture_`, or `align`.

    References
    ----------
    Dempster, Laird and Rubin (1977), JRSS B 39, 1-38. Aitken's stopping rule and the acceleration:
    ``anderson.hpp`` of the core.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset
    >>> faithful = load_dataset("faithful")
    >>> fit = GaussianMixture(2, random_state=0).fit(faithful.X)
    >>> round(fit.log_likelihood_, 6)
    -1130.26396
    >>> fit.means_.round(3).tolist()
    [[2.036, 54.479], [4.29, 79.968]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "covariance_type": [Words(*structure_words(), canonical=structure_word), Structure],
        "tol": [Interval(Real, 0.0, None, closed="left"), None],
        "reg_covar": [Interval(Real, 0.0, None, closed="left"), None],
        "max_iter": [Interval(Integral, 0, None, closed="left"), None],
        "n_init": [Interval(Integral, 1, None, closed="left"), None],
        "init_params": [
            Words("kmeans", "k-means++", "random", "random_from_data"),
            "array-like",
            callable,
            None,
        ],
        "weights_init": ["array-like", None],
        "means_init": ["array-like", None],
        "precisions_init": ["array-like", None],
        "random_state": [
            "random_state",
            np.random.Generator,
            np.random.SeedSequence,
            np.random.BitGenerator,
        ],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
        "verbose_interval": [Interval(Integral, 1, None, closed="left")],
        "acceleration": [Words("anderson"), None],
        "priors": [Words("default"), Priors, None],
        "eigenvalue_ratio": [Interval(Real, 1.0, None, closed="left"), None],
        "noise_component": ["boolean"],
        "contaminated": ["boolean"],
        "missing": [Words("at random", "raise")],
        "order_by": [Words("means", "weights", "variances"), Mixture, None],
        "fixed": [dict, None],
        "equal_weights": ["boolean"],
    }

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: CovarianceType = "full",
        tol: float | None = None,
        reg_covar: float | None = None,
        max_iter: int | None = None,
        n_init: int | None = None,
        init_params: Start | ArrayLike | Callable[..., ArrayLike] | None = None,
        weights_init: ArrayLike | None = None,
        means_init: ArrayLike | None = None,
        precisions_init: ArrayLike | None = None,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: int = 0,
        verbose_interval: int = 10,
        acceleration: Literal["anderson"] | None = "anderson",
        priors: Priors | Literal["default"] | None = None,
        eigenvalue_ratio: float | None = None,
        noise_component: bool = False,
        contaminated: bool = False,
        missing: Missing = "at random",
        order_by: "Order | Mixture | GaussianMixture | None" = None,
        fixed: dict[str, ArrayLike] | None = None,
        equal_weights: bool = False,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.tol = tol
        self.reg_covar = reg_covar
        self.max_iter = max_iter
        self.n_init = n_init
        self.init_params = init_params
        self.weights_init = weights_init
        self.means_init = means_init
        self.precisions_init = precisions_init
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.verbose_interval = verbose_interval
        self.acceleration = acceleration
        self.priors = priors
        self.eigenvalue_ratio = eigenvalue_ratio
        self.noise_component = noise_component
        self.contaminated = contaminated
        self.missing = missing
        self.order_by = order_by
        self.fixed = fixed
        self.equal_weights = equal_weights

    # --- fitting ------------------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        error_covariances: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        executor: Executor | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Fit to data.

        Parameters
        ----------
        X : array-like or data frame of shape (n, D), or what `open_rows` returns
            Numbers; NaN (None, pd.NA, masked entries) are missing, see `missing`. A source of rows
            is read in blocks, and need not fit in memory.
        y : ignored
        sample_weight : array-like of shape (n,), optional
            The number of times that each row counts; 0 removes it.
        error_covariances : array-like, optional
            Measurement errors of the rows: variances (n, D), covariances (n, D, D), or one
            covariance of all rows, (D, D), in the data's units squared. The fitted mixture is that
            of the rows without their errors (extreme deconvolution; Bovy, Hogg & Roweis 2011,
            Annals of Applied Statistics 5, 1657-1677).
        labels : array-like of shape (n,), optional
            The component of each row, from 0 to K - 1, or -1 where it is not known. Components are
            then numbered as the labels are. (`y` is ignored, as in scikit-learn.)
        executor : SerialExecutor, ThreadExecutor or DaskExecutor, optional
            What reads a source of rows and forms its sums. None: the active Dask client, or as many
            threads as there are processors. The result has the same bits.
        checkpoint : path, optional
            A file for the passes over a source of rows. If it exists already, the fit goes on from
            it, and ends with the bits of one that was not interrupted.

        Raises
        ------
        InputError, InputTypeError
            If X cannot be used; the message names the row and column.
        InvalidParameterError
            If a parameter is out of range.
        NotFittedError
            If `order_by` is an estimator that was not fitted.
        FitError
            If every start collapsed.
        ExecutorError
            If the workers of a cluster are lost.

        Examples
        --------
        >>> import numpy as np
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> X = load_dataset("faithful").X
        >>> fit = GaussianMixture(2, random_state=0).fit(X, sample_weight=np.ones(len(X)))
        >>> fit.converged_, fit.weights_.round(3)
        (True, array([0.356, 0.644]))
        """
        self._check_parameters()
        previous = self._solution() if self.warm_start and self.__sklearn_is_fitted__() else None
        if isinstance(X, RowSource):
            extras = {"sample_weight": sample_weight, "error_covariances": error_covariances}
            check_alone({**extras, "labels": labels})
            return self._fit_source(X, previous, executor, checkpoint)
        for name, value in {"executor": executor, "checkpoint": checkpoint}.items():
            if value is not None:
                raise InvalidParameterError(
                    f"{name} is for sources of rows: give open_rows(X) instead of X, or leave it "
                    "out."
                )
        self._fit(X, sample_weight, previous, error_covariances, labels)
        for sentence in (*self._doubtful(X), *self._unsuitable()):
            warnings.warn(sentence, BayesGMMWarning, stacklevel=2)
        return self

    def _fit(
        self,
        X: Any,
        sample_weight: ArrayLike | None,
        previous: Parameters | None,
        error_covariances: ArrayLike | None = None,
        labels: ArrayLike | None = None,
    ) -> Self:
        """Fit, from a solution in the user's units if there is one."""
        data = check_data(X, allow_nan=self.missing != "raise", error_covariances=error_covariances)
        if labels is not None:
            data = data._replace(labels=check_labels(labels, len(data.X), self.n_components))
        if data.labels is not None and self.order_by is not None:
            raise InvalidParameterError(
                "order_by renumbers components, and labels number them already. Leave one of them "
                "out."
            )
        weights = check_sample_weight(sample_weight, len(data.X))
        k, d, structure = self.n_components, data.X.shape[1], as_structure(self.covariance_type)
        held = held_parameters(self.fixed, self.equal_weights, k, d, structure)
        settings = self._settings(previous, held)
        if previous is not None and self.__sklearn_is_fitted__():
            self._check_previous(settings, d)
        found = fit_mixture(data, weights, settings)
        keep_columns(self, X, data)
        self._held: HeldParameters | None = held
        self._store(found, structure, data)
        self._fitted: Fitted | None = None
        extras = weights, data.errors, data.labels
        if any(each is not None for each in extras):
            self._fitted = (
                _digest(data.X),
                None if weights is None else weights.copy(),
                None if data.errors is None else data.errors.copy(),
                None if data.labels is None else data.labels.copy(),
            )
        self._rows: Data | None = data
        self._of_source: SourceSums | None = None
        self._online: Online | None = None
        return self

    def _fit_source(
        self,
        source: RowSource,
        previous: Parameters | None,
        executor: Executor | None,
        checkpoint: str | os.PathLike[str] | None,
    ) -> Self:
        """Fit to rows that are read in blocks, and are not kept."""
        d, structure = source.n_features, as_structure(self.covariance_type)
        held = held_parameters(self.fixed, self.equal_weights, self.n_components, d, structure)
        settings = self._settings(previous, held)
        found, sums = fit_rows_of(source, settings, executor, checkpoint, self.missing != "raise")
        set_names_in(self, d, source.feature_names)
        self._held = held
        self._store(found, structure, Data(np.empty((0, d)), source.feature_names))
        self._fitted, self._rows, self._of_source, self._online = None, None, sums, None
        return self

    def _doubtful(self, X: Any) -> list[str]:
        """Sentences on names and rows of X, to which this was fitted."""
        assert self._rows is not None
        return doubtful_rows(X, self._rows, None if self._fitted is None else self._fitted[1])

    def _unsuitable(self) -> list[str]:
        """Sentences on columns to whose values components may collapse, if nothing prevents it."""
        data = self._rows
        bounded = self.priors is not None or self.reg_covar or self.fixed is not None
        if data is None or self.n_components == 1 or bounded or data.errors is not None:
            return []
        weights = None if self._fitted is None else self._fitted[1]
        rows = data.X if weights is None else data.X[weights > 0.0]
        return unsuitable_columns(rows, data.feature_names)

    def _solution(self) -> Parameters:
        """The fitted parameters as EM runs on them: weights are shares of all rows, or pairs."""
        if self.contamination_ is not None and self.contaminated:
            return paired(self._parameters, self.contamination_)
        if self.noise_ is None or not self.noise_component:
            return self._parameters
        weights = (1.0 - self.noise_.weight) * self._parameters.weights
        return self._parameters._replace(weights=weights)

    def _check_previous(self, settings: Settings, d: int) -> None:
        """Refuse to begin from the solution of another problem."""
        k, code, shape = settings.n_components, settings.structure.code, self.means_.shape
        if shape != (k, d) or self._structure.code != code:
            held = f"{plural(shape[0], 'component')} of {plural(shape[1], 'column')}, "
            raise InvalidParameterError(
                f"warm_start=True begins from the previous solution, but that has {held}"
                f"{self._structure.name!r}, and {plural(k, 'component')} of {plural(d, 'column')}, "
                f"{settings.structure.name!r}, are requested. Set warm_start=False, or fit a new "
                "estimator."
            )

    def _settings(self, previous: Parameters | None, held: HeldParameters | None) -> Settings:
        """The parameters, checked, as `fit_mixture` takes them."""
        return Settings(
            n_components=self.n_components,
            structure=as_structure(self.covariance_type),
            tol=_as_float("tol", self.tol),
            reg_covar=_as_float("reg_covar", self.reg_covar),
            max_iter=self.max_iter,
            n_init=self.n_init,
            init_params=self.init_params,
            weights_init=self.weights_init,
            means_init=self.means_init,
            precisions_init=self.precisions_init,
            random_state=self.random_state,
            previous=previous,
            accelerate=self.acceleration is not None,
            verbose=self.verbose,
            priors=self.priors
            if isinstance(self.priors, Priors | None)
            else Priors(hierarchical=False),
            eigenvalue_ratio=_as_float("eigenvalue_ratio", self.eigenvalue_ratio) or np.inf,
            order_by=fitted_mixture("order_by", self.order_by, with_outliers=True)
            if isinstance(self.order_by, GaussianMixture)
            else self.order_by,
            noise=bool(self.noise_component),
            contaminated=bool(self.contaminated),
            held=held,
        )

    def fit_predict(
        self,
        X: Any,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        error_covariances: ArrayLike | None = None,
        labels: ArrayLike | None = None,
    ) -> Integers:
        """Fit, and the component of each row; arguments as in `fit`.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> groups = GaussianMixture(2, random_state=0).fit_predict(load_dataset("faithful").X)
        >>> groups[:6]
        array([1, 0, 1, 0, 1, 0])
        """
        self.fit(X, y, sample_weight, error_covariances=error_covariances, labels=labels)
        return self.predict(X, error_covariances)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Take rows of a stream into account, which are seen once and not kept: online EM.

        The first call fits its rows, of which there should be enough to tell the components
        apart; each later one takes a step for some ten rows a free parameter. The maximum near
        that of the first rows is followed, whatever others there are, and the result depends on
        the order of the rows: it is near the fit to all of them, not the same. The rows of all
        calls should come from one distribution, not be sorted. After `fit`, rows are added to
        those of the fit.

        Parameters
        ----------
        X : array-like or data frame of shape (n, D)
            NaN are missing, as in `fit`.
        sample_weight : array-like of shape (n,), optional
            The number of times that each row counts.

        Returns
        -------
        self
            `n_rows_` counts the rows of all calls. `log_likelihood_` is that of each piece of rows
            under the mixture before it was seen, so that it is not the log-likelihood of the fit;
            `converged_` is False, and `remaining_` NaN.

        Raises
        ------
        InputError, InputTypeError
            If X cannot be used, or has other columns than before; if the fit was read from a file.
        InvalidParameterError
            If the fit has priors, a ridge, noise, outliers or held parameters.
        SingularCovarianceError
            If a component has too few rows left for a covariance.

        References
        ----------
        Cappé and Moulines (2009), JRSS B 71, 593-613.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, random_mixture
        >>> mixture = random_mixture(2, 2, average_overlap=0.01, rng=1)
        >>> fit = GaussianMixture(2, random_state=0)
        >>> for seed in range(20):
        ...     fit = fit.partial_fit(mixture.sample(500, rng=seed)[0])
        >>> fit.n_rows_, fit.weights_.round(2)
        (10000.0, array([0.36, 0.64]))
        """
        self._check_parameters()
        check_online(self)
        online = getattr(self, "_online", None)
        first = not self.__sklearn_is_fitted__()
        if first:
            self.fit(X, sample_weight=sample_weight)
        if online is None:
            rows, weights = self._rows_and_weights(None, None)
            online = Online.begun(self._structure, self.mixture_, rows.X, weights)
        if not first:
            more = self._check_same(X).X
            online = online.seen(more, check_sample_weight(sample_weight, len(more)))
        store_online(self, online)
        return self

    @classmethod
    @cache
    def _defaults(cls) -> dict[str, Any]:
        return {name: each.default for name, each in signature(cls.__init__).parameters.items()}

    def _check_parameters(self) -> None:
        # Defaults are sound: looking at them takes longer than many a fit.
        defaults = self._defaults()
        values = {
            name: value
            for name in self._parameter_constraints
            if (value := getattr(self, name)) is not defaults[name]
        }
        for name, value in values.items():
            if isinstance(value, bool) and name not in _TRUTH_VALUES:
                raise EstimatorParameterError(
                    f"The {name!r} parameter of {type(self).__name__} must not be a bool. "
                    f"Got {value!r} instead."
                )
        try:
            validate_parameter_constraints(
                self._parameter_constraints, values, caller_name=type(self).__name__
            )
        except SklearnInvalidParameterError as error:
            message = str(error)
            if "'covariance_type'" in message and isinstance(self.covariance_type, str):
                message += did_you_mean(self.covariance_type, structure_words(), 0.0)
            raise EstimatorParameterError(message) from None

    def _store(self, found: Fit, structure: Structure, data: Data) -> None:
        """Set every fitted attribute at once: an interrupted fit leaves the previous one."""
        run = found.run
        weight = run.statistics.weight * found.weight_unit
        groups = None
        if data.group_names is not None and data.labels is not None:
            others = range(len(data.group_names), self.n_components)
            groups = (*data.group_names, *map(str, others))
        mixture = found.parameters.mixture(data.feature_names, groups)
        self._structure = structure
        self._records = found.starts
        self._store_mixture(found.parameters, mixture)
        self.log_likelihood_ = found.log_likelihood
        self.priors_ = found.priors
        self.log_posterior_ = None
        if found.priors is not None:
            self.log_posterior_ = self.log_likelihood_ + found.priors.log_density(mixture)
        self.noise_, self.contamination_ = found.noise, found.contamination
        free = structure.n_parameters(*mixture.means.shape)
        free = free if self._held is None else self._held.n_parameters(structure)
        more = (found.noise is not None) + 2 * len(mixture.weights) * self.contaminated
        self.n_parameters_ = free + more
        self.n_rows_ = weight
        self.converged_ = run.converged
        # One component needs no second E-step: the M-step that made its start is the iteration.
        self.n_iter_ = 0 if self.max_iter == 0 else max(run.n_e_steps - 1, 1)
        self.remaining_ = run.remaining * found.weight_unit
        self.lower_bound_ = self.log_likelihood_ / weight
        # What was maximised, in the user's units: it changes with the units by a constant.
        reached = self.log_likelihood_ if self.log_posterior_ is None else self.log_posterior_
        traced = (run.trace - run.objective) * found.weight_unit
        self.lower_bounds_ = ((traced + reached) / weight).tolist()
        self.degeneracy_ = found.degeneracy
        self._warn()

    def _store_mixture(self, parameters: Parameters, mixture: Mixture) -> None:
        self._parameters, self.mixture_ = parameters, mixture
        self.weights_, self.means_ = parameters.weights, parameters.means
        self.covariances_ = self._structure.compact(parameters.covariances)

    def _warn(self) -> None:
        if self.degeneracy_ is not None:
            warnings.warn(
                f"The fit is degenerate: {self.degeneracy_}. {self.degeneracy_.advice}",
                DegeneracyWarning,
                stacklevel=4,
            )
        elif not self.converged_ and self.max_iter != 0:
            warnings.warn(
                f"EM did not converge in {plural(self.n_iter_, 'iteration')}: about "
                f"{self.remaining_:.2g} "
                "nats of log-likelihood remain to be gained. Increase max_iter or tol.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def permuted(self, order: Sequence[int] | Indices) -> Self:
        """A copy of the fit whose component k is this one's component ``order[k]``.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.permuted([1, 0]).weights_.round(3)
        array([0.644, 0.356])
        """
        self._check_fitted()
        mixture, made, indices = self.mixture_.permuted(order), copy(self), np.array(order)
        made._rows = getattr(self, "_rows", None)
        of_source = getattr(self, "_of_source", None)
        made._of_source = of_source and of_source.permuted(indices)
        online = getattr(self, "_online", None)
        made._online = online and online.permuted(indices)
        made._store_mixture(self._parameters.permuted(indices), mixture)
        made._held = self._held and self._held.permuted(indices)
        made._records = [each.permuted(indices) for each in self._records]
        made.contamination_ = self.contamination_ and self.contamination_.permuted(indices)
        made.degeneracy_ = self.degeneracy_ and self.degeneracy_.permuted(indices)
        return made

    # --- results ---------------------------------------------------------------------

    @property
    def starts_(self) -> "pd.DataFrame":
        """Each start: how it was made, log-likelihood (nats), iterations, outcome and rows.

        If there are many rows, starts use a sample of `n_rows`, to which the log-likelihoods refer.
        Outcomes name components by the labels of the fit if the start led to it.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.starts_["log_likelihood"].round(3).tolist()
        [-1130.264, -1130.264, -1130.264, -1130.264]
        """
        import pandas as pd  # half a second that most fits do not need

        self._check_fitted()
        columns = ["start", "log_likelihood", "iterations", "outcome", "n_rows"]
        rows = [[getattr(each, name) for name in columns] for each in self._records]
        return pd.DataFrame(rows, columns=columns)

    @property
    def precisions_cholesky_(self) -> Array:
        """Upper triangular factors U of the precisions: precision = U U'."""
        self._check_fitted()
        covariances = self.covariances_
        if self._structure.diagonal:
            return np.asarray(1.0 / np.sqrt(covariances))
        lower = np.linalg.cholesky(covariances)
        identity = np.broadcast_to(np.eye(lower.shape[-1]), lower.shape)
        # A general solver leaves rounding where the inverse of a triangle has zeros.
        return np.triu(np.linalg.solve(lower, identity).mT)

    @property
    def precisions_(self) -> Array:
        """Inverses of the covariances, in the shape of `covariances_`."""
        upper = self.precisions_cholesky_
        with np.errstate(over="ignore"):
            found = upper**2 if self._structure.diagonal else upper @ upper.mT
        if not np.isfinite(found).all():
            raise InputError(
                "The precisions are beyond float64: variances are too small. Rescale the columns."
            )
        return found

    def score_samples(self, X: Any, error_covariances: ArrayLike | None = None) -> Array:
        """Log density of each row as it was observed, nats, shape (n,).

        X and `error_covariances` are as in `fit`; a row may lack any of its entries. None: the
        errors of the fit if X are the rows that were fitted, else none.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.score_samples([[2.0, 54.0], [3.0, 65.0]]).round(2)
        array([-3.26, -8.75])
        """
        data = self._check_same(X, error_covariances)._replace(labels=None)
        if self.contamination_ is None:
            return membership(data, self.mixture_, self.noise_, densities_alone=True)[0]
        return self._memberships(data)[0]

    def score(
        self,
        X: Any = None,
        y: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        error_covariances: ArrayLike | None = None,
    ) -> float:
        """Mean log density of the rows, nats; X and `sample_weight` as in `bic`.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> X = load_dataset("faithful").X
        >>> round(GaussianMixture(2, random_state=0).fit(X[:200]).score(X[200:]), 3)
        -4.108
        """
        found = self._criteria(X, sample_weight, error_covariances)
        return found.log_likelihood / found.weight

    def predict(self, X: Any, error_covariances: ArrayLike | None = None) -> Integers:
        """The most probable component of each row, shape (n,); X as in `score_samples`.

        With `noise_component`, -1 where noise is more probable than any of them. A row of which
        nothing was seen has the component of the largest weight.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.predict([[2.0, 54.0], [4.3, 80.0]])
        array([0, 1])
        """
        found = self.predict_proba(X, error_covariances)
        labels = found.argmax(axis=1)
        if self.noise_ is not None:
            labels[1.0 - found.sum(axis=1) > found.max(axis=1)] = -1
        return labels

    def predict_proba(self, X: Any, error_covariances: ArrayLike | None = None) -> Array:
        """Posterior probabilities of the components, shape (n, K).

        Rows sum to 1, or with `noise_component` to the probability of not being noise. X and
        `error_covariances` are as in `score_samples`; a row of which nothing was seen has the
        weights of the components.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.predict_proba([[2.0, 54.0], [2.9, 63.0]]).round(2)
        array([[1. , 0. ],
               [0.8, 0.2]])
        """
        data = self._check_same(X, error_covariances)._replace(labels=None)
        return self._memberships(data)[1]

    def outlier_proba(self, X: Any, error_covariances: ArrayLike | None = None) -> Array:
        """The probability that each row is an outlier, shape (n,).

        With `noise_component`, that it is noise; with `contaminated`, an outlier of any component;
        0 otherwise. X and `error_covariances` are as in `score_samples`.

        Examples
        --------
        >>> import numpy as np
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> X = np.vstack((load_dataset("faithful").X, [[9.0, 10.0], [-2.0, 140.0]]))
        >>> fit = GaussianMixture(2, noise_component=True, random_state=0).fit(X)
        >>> fit.outlier_proba(X[[0, -1]]).round(2)
        array([0., 1.])
        """
        data = self._check_same(X, error_covariances)
        return outlier_probabilities(data, self.mixture_, self.noise_, self.contamination_)

    def _memberships(self, data: Data) -> tuple[Array, Array]:
        """Log densities of rows, and their probabilities of the components."""
        return memberships(data, self.mixture_, self.noise_, self.contamination_)

    def impute(
        self,
        X: Any,
        draws: int | None = None,
        *,
        error_covariances: ArrayLike | None = None,
        rng: Any = None,
    ) -> Array:
        """Fill missing entries, by conditional means or by draws; see `Mixture.impute`.

        X and `error_covariances` are as in `score_samples`. Missing entries are those of the
        components, `mixture_`, also of rows that are probably noise.

        Examples
        --------
        >>> import numpy as np
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.impute([[2.0, np.nan], [4.5, np.nan]]).round(1)
        array([[ 2. , 54.2],
               [ 4.5, 81.1]])
        """
        return self.mixture_.impute(self._check_same(X, error_covariances), draws, rng=rng)

    def denoised(self, X: Any, error_covariances: ArrayLike) -> ConditionalMoments:
        """Mean and covariance of each row without its measurement error; `Mixture.denoised`.

        They are those under the components, `mixture_`, also of rows that are probably noise.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> X, errors = load_dataset("faithful").X, [0.01, 9.0]  # variances
        >>> fit = GaussianMixture(2, random_state=0).fit(X, error_covariances=[errors] * len(X))
        >>> X[0].tolist(), fit.denoised(X[:1], [errors]).mean.round(2).tolist()
        ([3.6, 79.0], [[3.65, 78.17]])
        """
        return self.mixture_.denoised(self._check_same(X), error_covariances)

    def sample(self, n_samples: int = 1) -> tuple[Array, Integers]:
        """Draw rows and their components from the fitted mixture, grouped by component.

        With `noise_component`, rows of noise come first, with label -1: uniform over the box. With
        `contaminated`, some rows of a component are its outliers.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> X, groups = fit.sample(100)
        >>> X.shape, groups.shape
        ((100, 2), (100,))
        """
        self._check_fitted()
        if not isinstance(n_samples, Integral) or isinstance(n_samples, bool):
            check_count("n_samples", n_samples)
        if n_samples < 1:
            # scikit-learn's own tests look for its sentence.
            raise InvalidParameterError(
                f"Invalid value for 'n_samples': {n_samples}. The sampling requires at least one "
                "sample."
            )
        rng = np.random.default_rng(self.random_state)
        parts = self.mixture_, self.noise_, self.contamination_
        x, labels = sample_rows(int(n_samples), *parts, rng)
        order = np.argsort(labels, kind="stable")
        return x[order], labels[order]

    def bic(
        self,
        X: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        error_covariances: ArrayLike | None = None,
    ) -> float:
        """Bayesian information criterion, smaller is better: -2 l + nu log n.

        Parameters
        ----------
        X : array-like of shape (n, D), optional
            None: the rows that were fitted. They are kept with the fit, but not pickled.
        sample_weight : array-like of shape (n,), optional
            The number of times that each row counts; n is their sum. None: as in the fit if X are
            the rows that were fitted, else once each.
        error_covariances : array-like, optional
            As in `fit`. None: as `sample_weight`.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> round(fit.bic(), 2)
        2322.19
        """
        return self._criteria(X, sample_weight, error_covariances).bic

    def aic(
        self,
        X: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        error_covariances: ArrayLike | None = None,
    ) -> float:
        """Akaike's information criterion, smaller is better: -2 l + 2 nu; arguments as in `bic`.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> round(fit.aic(), 2)
        2282.53
        """
        return self._criteria(X, sample_weight, error_covariances).aic

    def icl(
        self,
        X: Any = None,
        sample_weight: ArrayLike | None = None,
        *,
        error_covariances: ArrayLike | None = None,
    ) -> float:
        """Integrated completed likelihood, smaller is better: BIC - 2 sum_b v_b log max_k r_kb.

        Arguments as in `bic`.

        References
        ----------
        Biernacki, Celeux and Govaert (2000), IEEE PAMI 22, 719-725; with hard labels, as mclust.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> round(fit.icl(), 2)
        2322.7
        """
        return self._criteria(X, sample_weight, error_covariances).icl

    def _criteria(
        self, X: Any, sample_weight: ArrayLike | None, error_covariances: ArrayLike | None = None
    ) -> Criteria:
        self._check_fitted()
        if sample_weight is None and error_covariances is None:
            found = sums_of_source(self, X)
            if found is not None:
                return found.criteria(self.n_parameters_)
        data, weights = self._rows_and_weights(X, sample_weight, error_covariances)
        return information_criteria(*self._memberships(data), weights, self.n_parameters_)

    def _rows_and_weights(
        self, X: Any, weights: ArrayLike | None, error_covariances: ArrayLike | None = None
    ) -> tuple[Data, Array | None]:
        """The checked rows, and their weights: if none are given, those of the fit."""
        self._check_fitted()
        data = self._check_same(kept_rows(self) if X is None else X, error_covariances)
        if data.labels is None:
            data = data._replace(labels=self._of_fitted(data.X)[2])
        if weights is None:
            return data, self.weights_of(data.X)
        return data, check_sample_weight(weights, len(data.X))

    def weights_of(self, x: Array) -> Array | None:
        """The row weights of the fit if `x` (n, D) are its rows, and if it had any."""
        return self._of_fitted(x)[0]

    def errors_of(self, x: Array) -> Array | None:
        """The measurement errors of the fit if `x` (n, D) are its rows, as `Data` has them."""
        return self._of_fitted(x)[1]

    def labels_of(self, x: Array) -> Integers | None:
        """The known components of the fit if `x` (n, D) are its rows, -1 where unknown."""
        return self._of_fitted(x)[2]

    def _of_fitted(self, x: Array) -> tuple[Array | None, Array | None, Integers | None]:
        """Row weights, errors and labels of the fit, if `x` are its rows."""
        if self._fitted is None or self._fitted[0] != _digest(x):
            return None, None, None
        return self._fitted[1:]

    def summary(self, X: Any = None) -> str:
        """The fit in words and numbers, with standard errors and 90 % intervals.

        Parameters
        ----------
        X : array-like of shape (n, D), optional
            None: the rows that were fitted. Figures of other rows are said to be theirs.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> print(fit.summary())
        Gaussian mixture fitted by EM: VVV (ellipsoidal, ...) with 2 components
        ...
        log-likelihood    n  parameters        BIC        ICL
          -1130.263960  272          11  2322.1917  2322.7047
        ...
        """
        self._check_fitted()
        return summarise(self, X)

    def standard_errors(
        self,
        X: Any = None,
        method: ErrorMethod = "information",
        *,
        sample_weight: ArrayLike | None = None,
        error_covariances: ArrayLike | None = None,
        n_resamples: int = 999,
        rng: Any = None,
        n_jobs: int | None = None,
        progressbar: bool = True,
    ) -> StandardErrors:
        """Standard errors of the fitted parameters, 0 for those that are held.

        Parameters
        ----------
        X : array-like of shape (n, D), or what `open_rows` returns, optional
            The rows that were fitted. None: those kept with the fit.
        method : {"information", "sandwich", "bootstrap", "weighted-bootstrap"}
            The inverse of the observed information (right if the model is; with `priors`, of the
            negative second derivatives of the log posterior density); the same between two
            factors that make it robust against a wrong model (White 1982); refits to rows drawn
            with replacement; refits to rows with exponential weights.
        sample_weight : array-like of shape (n,), optional
            None: as in `bic`.
        error_covariances : array-like, optional
            As in `fit`.
        n_resamples : int
            Refits of a bootstrap.
        rng : optional
            Of a bootstrap; anything that `numpy.random.default_rng` takes. None: `random_state`.
        n_jobs : int, optional
            Threads of a bootstrap; the result does not depend on it. None: as many as processors.
        progressbar : bool
            Show a bootstrap's progress on standard error, if that is a terminal.

        Raises
        ------
        InputError
            If X is not what was fitted, or the fit had not converged.
        FitError
            If most refits of a bootstrap collapsed.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> fit.standard_errors().means.round(3)
        array([[0.027, 0.592],
               [0.031, 0.456]])
        """
        methods = ("information", "sandwich", "bootstrap", "weighted-bootstrap")
        check_choice("method", method, methods)
        self._check_fitted()
        if method in ("information", "sandwich") and bound_words(self):
            raise InputError(
                "Components lie on the bound of ratios of variances, where curvature says nothing "
                "of errors. Use method='bootstrap'."
            )
        if isinstance(X, RowSource):
            return errors_by_source(self, X, method)
        data, weights = self._rows_and_weights(X, sample_weight, error_covariances)
        if method in ("bootstrap", "weighted-bootstrap"):
            check_fitted_rows(self, data, weights)
            return bootstrap_errors(
                data,
                weights,
                self.mixture_,
                self.noise_,
                self.contamination_,
                replace(self._settings(self._solution(), self._held), verbose=0, order_by=None),
                method,
                n_resamples=n_resamples,
                rng=self.random_state if rng is None else rng,
                n_jobs=n_jobs,
                progressbar=progressbar,
            )
        return curvature_errors(
            data,
            weights,
            self.mixture_,
            self._structure,
            method,
            self.priors_,
            self._held,
            self.noise_,
            self.contamination_,
        )

    def plot(self, kind: Picture = "density", X: Any = None, **options: Any) -> Any:
        """Plot the fit over the rows that were fitted, or others.

        Parameters
        ----------
        kind : {"density", "classification", "uncertainty", "selection"}
            The first three as in `plot_mixture`; "selection" is `plot_selection` of BIC for the
            same structure and 1 to K + 3 components, which are fitted.
        X : array-like of shape (n, D), optional
            None: the rows that were fitted.
        **options
            Further arguments of `plot_mixture` or `plot_selection`.

        Returns
        -------
        matplotlib Axes, or an array of them for more than two features

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(3, random_state=0).fit(load_dataset("iris").X[:, :2])
        >>> ax = fit.plot("uncertainty")
        >>> ax.figure.savefig("uncertainty.png")
        """
        check_choice("kind", kind, ("density", "classification", "uncertainty", "selection"))
        data, _ = self._rows_and_weights(X, None)
        data = data._replace(feature_names=self.mixture_.feature_names)
        return plot_fit(self, kind, data, **options)

    # --- saving -------------------------------------------------------------------------------

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The fitted estimator as JSON text, exact to the last bit; also written to `path`.

        The parameters and all results of the fit, but not the rows: methods that need the rows take
        them as X. `sample_weight`, `error_covariances` and `labels` of the fit come along, so that
        the same rows give the same figures.

        Raises
        ------
        InputError
            If a parameter is of a kind that a file cannot hold, such as a function or a generator
            of random numbers.

        Examples
        --------
        >>> from bayesgmm import GaussianMixture, load_dataset
        >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
        >>> again = GaussianMixture.from_json(fit.to_json())
        >>> again.log_likelihood_ == fit.log_likelihood_
        True
        """
        self._check_fitted()
        return save_estimator(self, results_of(self), VALUES, path)

    @classmethod
    def from_json(cls, source: str | bytes | os.PathLike[str]) -> "GaussianMixture":
        """Read a fitted estimator from JSON text or from the path of a file. No code is run.

        Raises
        ------
        ModelFormatError
            If the text is damaged, foreign, longer than 64 MB, or of a newer version.
        FileNotFoundError
            If `source` is a `Path` and there is no such file.
        """
        made: GaussianMixture
        made, results = load_estimator(cls, source, FitResults, VALUES)
        try:
            made._check_parameters()
        except EstimatorParameterError as error:
            raise ModelFormatError(f"The model has a wrong parameter: {error}") from error
        restore(made, results)
        return made

    # --- scikit-learn's conventions -----------------------------------------------------------

    def _check_fitted(self) -> None:
        try:
            check_is_fitted(self, "mixture_")
        except SklearnNotFittedError as error:
            raise NotFittedError(str(error)) from None

    def _check_same(self, X: Any, error_covariances: ArrayLike | None = None) -> Data:
        """The same check as in fit, and the columns of the fit."""
        self._check_fitted()
        allow_nan = self.missing != "raise"
        data = check_data(
            X, allow_nan=allow_nan, allow_unseen=allow_nan, error_covariances=error_covariances
        )
        check_columns(self, X, data)
        if error_covariances is None and data.errors is None:
            data = data._replace(errors=self.errors_of(data.X))
        return data

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "raise"
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: all but the rows."""
        return {name: value for name, value in super().__getstate__().items() if name != "_rows"}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "mixture_")

    def _html_repr(self) -> str:
        """What notebooks show: scikit-learn's diagram, or the fit in words and a table."""
        if self.__sklearn_is_fitted__():
            return as_html(cell_of(self))
        diagram: str = super()._html_repr()
        return diagram

    def __sklearn_clone__(self) -> Self:
        """A clone with the same reference, which scikit-learn would clone too, and so unfit."""
        made: Self = super().__sklearn_clone__()
        made.order_by = self.order_by
        return made


# A class has no name within its own body.
GaussianMixture._parameter_constraints["order_by"].insert(-1, GaussianMixture)


def _as_float(name: str, value: Any) -> float | None:
    """A real number of any type, as float64."""
    return None if value is None else check_number(name, value, holds=lambda _: True)


def _digest(x: Array) -> bytes:
    """A fingerprint of rows."""
    return blake2b(np.ascontiguousarray(x), digest_size=16).digest()
