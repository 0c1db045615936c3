"""Rows with the probabilities of their components or classes, as CSV."""

from collections.abc import Sequence

import bayesgmm
from bayesgmm.cli.input_rows import Model, Rows

# Of probabilities.
_DECIMALS = 6


def memberships_csv(rows: Rows, model: Model) -> bytes:
    """Return all columns of the source, then component, probability and those of all components.

    Of a classifier, they are the class and its probability, and those of all classes. Components
    have their names, if there are any. With noise, rows of noise have component -1, or "noise"
    among names, and the probability of an outlier is the last column. Probabilities have six
    decimals.
    """
    import numpy as np

    from bayesgmm.data.csv_files import extended_csv
    from bayesgmm.likelihood.responsibilities import membership

    kind, outlier = "component", None
    if isinstance(model, bayesgmm.Mixture):
        probabilities = membership(rows.X, model)[1]
        most_probable = probabilities.argmax(axis=1)
    else:
        x = rows.X._replace(feature_names=model.mixture_.feature_names)
        probabilities, most_probable = model.predict_proba(x), model.predict(x)
    largest = probabilities.max(axis=1)
    names: Sequence[object] = range(probabilities.shape[1])
    words = getattr(getattr(model, "mixture_", model), "component_names", None)
    if words is not None:
        names = words
        most_probable = np.array([*words, "noise"], dtype=object)[most_probable]
    if isinstance(model, bayesgmm.GaussianMixtureClassifier):
        kind, names = "class", model.classes_.tolist()
    elif isinstance(model, bayesgmm.GaussianMixture) and (model.noise_ or model.contamination_):
        outlier = model.outlier_proba(x)
        largest = largest if model.noise_ is None else np.maximum(largest, outlier)
    added = {
        kind: most_probable,
        "probability": largest,
        **{f"probability_{k}": each for k, each in zip(names, probabilities.T, strict=True)},
        **({} if outlier is None else {"outlier": outlier}),
    }
    columns = [np.round(x, _DECIMALS) if x.dtype.kind == "f" else x for x in added.values()]
    return extended_csv(rows.table, rows.kept, list(added), columns).encode()
