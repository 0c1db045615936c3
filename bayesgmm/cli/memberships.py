"""Rows with the probabilities of their components, as CSV."""

import bayesgmm
from bayesgmm.cli.input_rows import Rows


def memberships_csv(rows: Rows, mixture: "bayesgmm.Mixture") -> bytes:
    """Return all columns of the source, then component, probability and those of all components."""
    from bayesgmm.data.csv_files import extended_csv
    from bayesgmm.likelihood.responsibilities import membership

    probabilities = membership(rows.X, mixture)[1]
    added = {
        "component": probabilities.argmax(axis=1),
        "probability": probabilities.max(axis=1),
        **{f"probability_{k}": each for k, each in enumerate(probabilities.T)},
    }
    return extended_csv(rows.table, rows.kept, list(added), list(added.values())).encode()
