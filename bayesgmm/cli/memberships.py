"""Rows with the probabilities of their components, as CSV."""

import bayesgmm
from bayesgmm.cli.input_rows import Rows


def memberships_csv(rows: Rows, model: "bayesgmm.Mixture | bayesgmm.GaussianMixture") -> bytes:
    """Return all columns of the source, then component, probability and those of all components.

    With noise, its probability is the last column, and its rows have component -1.
    """
    import numpy as np

    from bayesgmm.data.csv_files import extended_csv
    from bayesgmm.likelihood.responsibilities import membership

    noise = None if isinstance(model, bayesgmm.Mixture) else model.noise_
    mixture = model if isinstance(model, bayesgmm.Mixture) else model.mixture_
    probabilities = membership(rows.X, mixture, noise)[1]
    components, largest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    outlier = np.maximum(1.0 - probabilities.sum(axis=1), 0.0)
    if noise is not None:
        components[outlier > largest] = -1
        largest = np.maximum(largest, outlier)
    added = {
        "component": components,
        "probability": largest,
        **{f"probability_{k}": each for k, each in enumerate(probabilities.T)},
        **({} if noise is None else {"outlier": outlier}),
    }
    return extended_csv(rows.table, rows.kept, list(added), list(added.values())).encode()
