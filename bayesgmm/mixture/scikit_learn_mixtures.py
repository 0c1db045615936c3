"""Mixtures from scikit-learn's estimators, and as one of them."""

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.arguments import shown
from bayesgmm.covariance.structures import as_structure
from bayesgmm.errors import InvalidParameterError

if TYPE_CHECKING:
    from bayesgmm.mixture.mixture import Mixture

_ATTRIBUTES = ("weights_", "means_", "covariances_")


def mixture_of(model: Any) -> "Mixture":
    """The mixture of a fitted estimator of `sklearn.mixture`."""
    from bayesgmm.mixture.mixture import Mixture

    missing = [name for name in _ATTRIBUTES if not hasattr(model, name)]
    if missing or not hasattr(model, "covariance_type"):
        raise InvalidParameterError(
            f"model must be a fitted GaussianMixture or BayesianGaussianMixture of scikit-learn, "
            f"but {shown(model)} has no {missing[0] if missing else 'covariance_type'}."
        )
    k, d = model.means_.shape
    structure = as_structure(model.covariance_type)
    covariances = structure.expand(np.asarray(model.covariances_, dtype=np.float64), k, d)
    if structure.diagonal:
        covariances = covariances[:, :, np.newaxis] * np.eye(d)
    names = getattr(model, "feature_names_in_", None)
    return Mixture(
        model.weights_, model.means_, covariances, None if names is None else map(str, names)
    )


def estimator_of(mixture: "Mixture") -> Any:
    """A `sklearn.mixture.GaussianMixture` that evaluates as the mixture does, without a fit."""
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(mixture.n_components, covariance_type="full")
    model.weights_, model.means_ = mixture.weights.copy(), mixture.means.copy()
    model.covariances_ = mixture.covariances.copy()
    model.precisions_cholesky_ = mixture.factors.inverses.mT.copy()
    model.precisions_ = model.precisions_cholesky_ @ model.precisions_cholesky_.mT
    model.converged_, model.n_iter_, model.lower_bound_ = True, 0, np.nan
    model.n_features_in_ = mixture.n_features
    if mixture.feature_names is not None:
        model.feature_names_in_ = np.array(mixture.feature_names, dtype=object)
    return model
