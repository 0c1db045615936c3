"""The classifier: a Gaussian mixture for each class, in scikit-learn's terms."""

import os
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError as SklearnNotFittedError
from sklearn.utils.validation import check_is_fitted

from bayesgmm.arguments import check_choice, check_rng
from bayesgmm.arrays import Array
from bayesgmm.classification.choice import ClassModel, ClassResults, Grid, choose
from bayesgmm.classification.labelled_em import LabelledRows, pooled
from bayesgmm.classification.targets import check_seen, checked_prior, checked_targets, coded
from bayesgmm.covariance.structures import CovarianceType
from bayesgmm.data.degeneracy import check_spread
from bayesgmm.data.validation import Data, check_data, check_sample_weight
from bayesgmm.display import plural, text_table
from bayesgmm.errors import (
    ConvergenceWarning,
    InputError,
    ModelFormatError,
    NotFittedError,
)
from bayesgmm.estimator.columns import check_columns, keep_columns, names_in, set_names_in
from bayesgmm.estimator.json_values import JsonValues
from bayesgmm.estimator.saved_fit import CLASSES, load_estimator, save_estimator
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.results import as_html, as_text
from bayesgmm.selection.possible_models import check_components, check_structures

if TYPE_CHECKING:
    import pandas as pd

# Literals are for editors: a program may pass any string, which is checked.
type Family = Literal["best", "EDDA", "MDA"] | str
type ClassCriterion = Literal["bic", "cv"] | str

_MISSING = ("at random", "raise")
_VALUES = JsonValues((*CLASSES, ClassModel, ClassResults))
_FAMILIES = {"best": ("EDDA", "MDA"), "EDDA": ("EDDA",), "MDA": ("MDA",)}


class GaussianMixtureClassifier(ClassifierMixin, BaseEstimator):
    """Discriminant analysis by Gaussian mixtures: p(x, y) = pi_y p_y(x).

    Two families of models are compared. In eigenvalue decomposition discriminant analysis (EDDA)
    each class has one component, and one covariance structure holds over all classes: "tied" is
    linear and "full" quadratic discriminant analysis. In mixture discriminant analysis (MDA) each
    class has a mixture with a number of components and a structure of its own.

    Parameters
    ----------
    n_components : int or iterable of int, default=1
        Numbers of components that a class may have in MDA.
    covariance_type : "all", str, Structure, or iterable of these, default="all"
        The structures to choose among, as `select_mixture` takes them.
    family : {"best", "EDDA", "MDA"}, default="best"
        "best": the better of both by the criterion.
    criterion : {"bic", "cv"}, default="bic"
        BIC of the joint density of rows and classes, or the mean of -log p(y | x) over rows of
        known class that were held out in five folds. By "cv", the mixtures of the classes in MDA
        are chosen in turn until the log loss falls no further.
    class_prior : array-like of shape (C,), optional
        Proportions of the classes, in the order of `classes_`. None: those of the rows.
    unlabelled : object, optional
        The value of y that stands for an unknown class, such as -1, "" or NaN, which is any
        missing value (None, pandas.NA). Such rows take part in the fit through all classes (by
        EM). None: every class is known.
    missing : {"at random", "raise"}, default="at random"
        The treatment of NaN in X, as in `GaussianMixture`.
    random_state : int, Generator, RandomState or None
        Anything that `numpy.random.default_rng` takes. It determines the folds and, above 2000
        rows of a class, the sample that is searched; nothing else is random.

    Attributes
    ----------
    classes_ : ndarray of shape (C,)
        The classes, in ascending order.
    class_prior_ : ndarray of shape (C,)
        Their proportions.
    class_mixtures_ : tuple of C Mixture
        The density of each class.
    mixture_ : Mixture
        The density of rows of unknown class: the components of all classes, one after another.
    component_classes_ : ndarray of shape (K,)
        The class of each component of `mixture_`, as an index of `classes_`.
    family_ : str
        "EDDA" or "MDA".
    covariance_types_ : tuple of C str
        The structure of each class, in mclust's code; with "EDDA" it is one over all classes.
    log_likelihood_ : float
        Total log density of rows and, where they are known, their classes, nats.
    n_parameters_ : int
        Free parameters.
    n_rows_ : float
        The number of rows, or the sum of their weights.
    bic_ : float
        Of the joint density of rows and classes; smaller is better.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (D,)
        Only if X had text column names.

    References
    ----------
    Bensmail and Celeux (1996), JASA 91, 1743-1748 (EDDA). Hastie and Tibshirani (1996), JRSS B 58,
    155-176 (MDA). Fraley and Raftery (2002), JASA 97, 611-631 (a mixture chosen by BIC for each
    class).

    Examples
    --------
    >>> from bayesgmm import GaussianMixtureClassifier, load_dataset
    >>> iris = load_dataset("iris")
    >>> fit = GaussianMixtureClassifier().fit(iris.X, iris.labels)
    >>> fit.family_, fit.covariance_types_[0], round(fit.score(iris.X, iris.labels), 3)
    ('EDDA', 'VEV', 0.98)
    """

    def __init__(
        self,
        n_components: int | Iterable[int] = 1,
        *,
        covariance_type: Literal["all"] | CovarianceType | Iterable[CovarianceType] = "all",
        family: Family = "best",
        criterion: ClassCriterion = "bic",
        class_prior: ArrayLike | None = None,
        unlabelled: Any = None,
        missing: str = "at random",
        random_state: Any = None,
    ) -> None:
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.family = family
        self.criterion = criterion
        self.class_prior = class_prior
        self.unlabelled = unlabelled
        self.missing = missing
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        error_covariances: ArrayLike | None = None,
    ) -> Self:
        """Choose a model of the classes, and fit it.

        Parameters
        ----------
        X : array-like or data frame of shape (n, D)
            Numbers; NaN are missing.
        y : array-like of shape (n,)
            Classes: integers, booleans or strings.
        sample_weight : array-like of shape (n,), optional
            The number of times that each row counts; 0 removes it.
        error_covariances : array-like, optional
            Measurement errors, as in `GaussianMixture.fit`.

        Raises
        ------
        InputError, InputTypeError
            If X or y cannot be used, or no row has a known class.
        InvalidParameterError
            If a parameter is out of range.
        FitError
            If no model can be fitted; the message names the class at fault.
        """
        check_choice("missing", self.missing, _MISSING)
        data = check_data(X, allow_nan=self.missing != "raise", error_covariances=error_covariances)
        targets = checked_targets(y, len(data.X))
        weights = check_sample_weight(sample_weight, len(data.X))
        if weights is not None:
            kept = weights > 0.0
            data, targets, weights = data.take(kept), targets[kept], weights[kept]
        classes, labels = coded(targets, self.unlabelled)
        grid = self._grid(classes, data.X.shape[1])
        check_seen(data, labels, grid.names)
        check_spread(data.X, data.feature_names)
        rows = LabelledRows(data, labels, weights, len(classes))
        fit, chosen, models = choose(rows, grid, self.criterion)
        if not fit.converged:
            warnings.warn(
                f"EM did not converge: about {fit.remaining:.2g} nats of log-likelihood remain to "
                "be gained. Name the classes of more rows, or use structures with fewer "
                "parameters.",
                ConvergenceWarning,
                stacklevel=2,
            )
        keep_columns(self, X, data)
        sums = tuple(rows.of_class(c).weight for c in range(-1, len(classes)))
        mixtures = fit.mixtures(data.feature_names)
        names = names_in(self)
        self._store(ClassResults(classes, fit.class_prior, mixtures, sums, chosen, models, names))
        return self

    def _grid(self, classes: NDArray[Any], d: int) -> Grid:
        """The models to choose among, after a check of the parameters."""
        check_choice("criterion", self.criterion, ("bic", "cv"))
        return Grid(
            _FAMILIES[check_choice("family", self.family, _FAMILIES)],
            tuple(check_components(self.n_components)),
            tuple(check_structures(self.covariance_type, d)),
            [f"{each!r:.80}" for each in classes.tolist()],
            checked_prior(self.class_prior, len(classes)),
            check_rng(self.random_state, "random_state"),
        )

    def _store(self, results: ClassResults) -> None:
        self.classes_, self.class_prior_ = results.classes, results.class_prior
        self.class_mixtures_ = results.mixtures
        parts = [
            Parameters(each.weights, each.means, each.covariances) for each in results.mixtures
        ]
        names = results.mixtures[0].feature_names
        self.mixture_ = pooled(results.class_prior, parts).mixture(names)
        chosen = results.models[results.chosen]
        self.component_classes_ = np.repeat(np.arange(len(results.classes)), chosen.sizes)
        self.family_ = chosen.family
        codes = [each.code for each in chosen.structures]
        self.covariance_types_ = tuple(codes * (len(results.classes) // len(codes)))
        self.log_likelihood_ = chosen.log_likelihood
        self.n_parameters_ = chosen.n_parameters
        self.n_rows_ = sum(results.class_weights)
        self.bic_ = chosen.bic
        self._results = results

    # --- prediction ---------------------------------------------------------------------------

    def predict_log_proba(self, X: Any, error_covariances: ArrayLike | None = None) -> Array:
        """Log probabilities of the classes, nats, shape (n, C).

        A row may lack any of its entries; one of which nothing was seen has the proportions of the
        classes. `error_covariances` are as in `fit`.
        """
        joint = self._log_joint(self._checked(X, error_covariances))
        return np.asarray(joint - logsumexp(joint, axis=1, keepdims=True))

    def predict_proba(self, X: Any, error_covariances: ArrayLike | None = None) -> Array:
        """Probabilities of the classes, shape (n, C); rows sum to 1.

        X and `error_covariances` are as in `predict_log_proba`.
        """
        return np.exp(self.predict_log_proba(X, error_covariances))

    def predict(self, X: Any, error_covariances: ArrayLike | None = None) -> NDArray[Any]:
        """The most probable class of each row, shape (n,); X as in `predict_log_proba`."""
        joint = self._log_joint(self._checked(X, error_covariances))
        return np.asarray(self.classes_[joint.argmax(axis=1)])

    def brier_score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Brier score, between 0 and 1; smaller is better.

        Half the mean squared distance between the probabilities of the classes and 1 for the true
        class, 0 for others; of two classes it is the mean of (p - y)^2. With the probability 1 / C
        of each class it is (1 - 1 / C) / 2.

        Parameters
        ----------
        X : array-like of shape (n, D)
        y : array-like of shape (n,)
            True classes.
        sample_weight : array-like of shape (n,), optional

        References
        ----------
        Brier (1950), Monthly Weather Review 78, 1-3; halved, as in mclust.
        """
        probabilities = self.predict_proba(X)
        targets = checked_targets(y, len(probabilities))
        weights = check_sample_weight(sample_weight, len(probabilities))
        true = targets[:, np.newaxis] == self.classes_
        unknown = np.flatnonzero(~true.any(axis=1))
        if unknown.size:
            raise InputError(
                f"y has the class {targets.tolist()[unknown[0]]!r:.80} in row {unknown[0]}, which "
                f"was not fitted. Classes are {', '.join(map(repr, self.classes_.tolist())):.400}."
            )
        halves = 0.5 * ((probabilities - true) ** 2).sum(axis=1)
        return float(np.average(halves, weights=weights))

    def _log_joint(self, data: Data) -> Array:
        """Log density of each row and class, (n, C).

        Where all are beyond float64, that of the nearest components, up to a constant of the row.
        """
        joint = np.empty((len(data.X), len(self.classes_)))
        for c, mixture in enumerate(self.class_mixtures_):
            joint[:, c] = membership(data, mixture, densities_alone=True)[0]
        joint += np.log(self.class_prior_)
        lost = np.flatnonzero(np.isneginf(joint).all(axis=1))
        if lost.size:
            components = self.mixture_._comparable_log_joint(data.take(lost))
            for c in range(len(self.classes_)):
                joint[lost, c] = logsumexp(components[:, self.component_classes_ == c], axis=1)
        return joint

    # --- results ------------------------------------------------------------------------------

    @property
    def models_(self) -> "pd.DataFrame":
        """The models that were compared: a row for each structure of EDDA, and one for MDA.

        Columns are family, covariance_types and n_components (of the classes, in order),
        log_likelihood, n_parameters, bic, cv_log_loss (NaN unless it is the criterion), and note,
        the reason why a model was left out.
        """
        import pandas as pd

        self._check_fitted()
        columns = ["family", "covariance_types", "n_components", "log_likelihood", "n_parameters"]
        columns += ["bic", "cv_log_loss", "note"]
        rows = [
            [
                each.family,
                each.codes,
                ", ".join(map(str, each.sizes)),
                each.log_likelihood,
                each.n_parameters,
                each.bic,
                each.cv_log_loss,
                each.note,
            ]
            for each in self._results.models
        ]
        return pd.DataFrame(rows, columns=columns)

    def summary(self) -> str:
        """The model of the classes in words and tables, as text."""
        self._check_fitted()
        return as_text(self._paragraphs())

    def _paragraphs(self) -> "list[str | pd.DataFrame]":
        import pandas as pd

        title = "Discriminant analysis by Gaussian mixtures: " + (
            f"EDDA, one component a class, {self.covariance_types_[0]} over all classes"
            if self.family_ == "EDDA"
            else "MDA, a mixture for each class"
        )
        figures = {
            "log-likelihood": f"{self.log_likelihood_:.4f}",
            "n": f"{self.n_rows_:g}",
            "parameters": f"{self.n_parameters_}",
            "BIC": f"{self.bic_:.4f}",
        }
        unknown, *known = self._results.class_weights
        table = pd.DataFrame(
            {
                "rows": known,
                "proportion": self.class_prior_,
                "components": np.bincount(self.component_classes_),
                "structure": self.covariance_types_,
            },
            index=pd.Index(self.classes_, name="class"),
        )
        parts = [
            title,
            text_table([[*figures], [*figures.values()]], left=0),
            "These are figures of the joint density of rows and classes (smaller BIC is better).",
            table,
        ]
        if unknown:
            parts.append(f"{plural(unknown, 'row')} of unknown class took part in the fit.")
        out = [each for each in self._results.models if each.note]
        if out:
            parts.append(
                f"{len(out)} of {len(self._results.models)} models could not be fitted; models_ "
                "has the reasons."
            )
        return parts

    # --- saving -------------------------------------------------------------------------------

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The fitted classifier as JSON text, exact to the last bit; also written to `path`.

        The parameters and all results of the fit, but not the rows.

        Raises
        ------
        InputError
            If a parameter is of a kind that a file cannot hold, such as a generator of random
            numbers.
        """
        self._check_fitted()
        return save_estimator(self, self._results, _VALUES, path)

    @classmethod
    def from_json(cls, source: str | bytes | os.PathLike[str]) -> "GaussianMixtureClassifier":
        """Read a fitted classifier from JSON text or from the path of a file. No code is run.

        Raises
        ------
        ModelFormatError
            If the text is damaged, foreign, longer than 64 MB, or of a newer version.
        FileNotFoundError
            If `source` is a `Path` and there is no such file.
        """
        made: GaussianMixtureClassifier
        made, results = load_estimator(cls, source, ClassResults, _VALUES)
        try:
            check_choice("missing", made.missing, _MISSING)
            mixtures, sizes = results.mixtures, results.models[results.chosen].sizes
            made._grid(results.classes, mixtures[0].n_features)
            if len(mixtures) != len(results.classes) or len(mixtures) != len(results.class_prior):
                raise ValueError("classes, proportions and mixtures differ in number")
            if [each.n_components for each in mixtures] != [*sizes]:
                raise ValueError("the mixtures are not those of the chosen model")
            made._store(results)
            set_names_in(made, mixtures[0].n_features, results.feature_names_in)
        except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
            raise ModelFormatError(f"The model does not describe a classifier: {error}") from error
        return made

    # --- scikit-learn's conventions -----------------------------------------------------------

    def _checked(self, X: Any, error_covariances: ArrayLike | None) -> Data:
        """Rows under the same check as in fit, with the columns of the fit."""
        self._check_fitted()
        allow_nan = self.missing != "raise"
        data = check_data(
            X, allow_nan=allow_nan, allow_unseen=allow_nan, error_covariances=error_covariances
        )
        check_columns(self, X, data)
        return data

    def _check_fitted(self) -> None:
        try:
            check_is_fitted(self, "class_mixtures_")
        except SklearnNotFittedError as error:
            raise NotFittedError(str(error)) from None

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "class_mixtures_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.missing != "raise"
        return tags

    def _html_repr(self) -> str:
        """What notebooks show: scikit-learn's diagram, or the fit in words and a table."""
        if self.__sklearn_is_fitted__():
            return as_html(self._paragraphs())
        diagram: str = super()._html_repr()
        return diagram
