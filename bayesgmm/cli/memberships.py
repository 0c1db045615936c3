"""Rows with the probabilities of their components or classes, as CSV."""

from collections.abc import Sequence

import bayesgmm
from bayesgmm.cli.input_rows import Model, Rows


def memberships_csv(rows: Rows, model: Model) -> bytes:
    """Return all columns of the source, then component, probability and those of all components.

    Of a classifier, they are the class and its probability, and those of all classes.
    """
    from bayesgmm.data.csv_files import extended_csv
    from bayesgmm.likelihood.responsibilities import membership

    kind = "component"
    if isinstance(model, bayesgmm.Mixture):
        probabilities = membership(rows.X, model)[1]
        most_probable = probabilities.argmax(axis=1)
    else:
        x = rows.X._replace(feature_names=model.mixture_.feature_names)
        probabilities, most_probable = model.predict_proba(x), model.predict(x)
    names: Sequence[object] = range(probabilities.shape[1])
    if isinstance(model, bayesgmm.GaussianMixtureClassifier):
        kind, names = "class", model.classes_.tolist()
    added = {
        kind: most_probable,
        "probability": probabilities.max(axis=1),
        **{f"probability_{k}": each for k, each in zip(names, probabilities.T, strict=True)},
    }
    return extended_csv(rows.table, rows.kept, list(added), list(added.values())).encode()
