"""Memberships of rows in the components or classes of a model, as columns of a table."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.classification.classifier import GaussianMixtureClassifier
from bayesgmm.data.validation import Data
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.mixture.mixture import Mixture

type Model = Mixture | GaussianMixture | GaussianMixtureClassifier


def membership_columns(model: Model, rows: Data) -> dict[str, NDArray[Any]]:
    """Return by name: component, probability, probability_k of each, and outlier where there are.

    Of a classifier, they are the class and its probability, and those of all classes. Components
    have their names, if there are any. With noise, rows of noise have component -1, or "noise"
    among names.

    Parameters
    ----------
    model : Mixture, GaussianMixture or GaussianMixtureClassifier
    rows : Data
        Its columns are those of the model, in order.
    """
    kind, outlier = "component", None
    if isinstance(model, Mixture):
        probabilities = membership(rows, model)[1]
        most_probable = probabilities.argmax(axis=1)
    else:
        rows = rows._replace(feature_names=model.mixture_.feature_names)
        probabilities, most_probable = model.predict_proba(rows), model.predict(rows)
    largest = probabilities.max(axis=1)
    names: Sequence[object] = range(probabilities.shape[1])
    words = getattr(getattr(model, "mixture_", model), "component_names", None)
    if words is not None:
        names = words
        most_probable = np.array([*words, "noise"], dtype=object)[most_probable]
    if isinstance(model, GaussianMixtureClassifier):
        kind, names = "class", model.classes_.tolist()
    elif isinstance(model, GaussianMixture) and (model.noise_ or model.contamination_):
        outlier = model.outlier_proba(rows)
        largest = largest if model.noise_ is None else np.maximum(largest, outlier)
    return {
        kind: most_probable,
        "probability": largest,
        **{f"probability_{k}": each for k, each in zip(names, probabilities.T, strict=True)},
        **({} if outlier is None else {"outlier": outlier}),
    }
