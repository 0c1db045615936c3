"""Rows with the probabilities of their components or classes, as CSV."""

from bayesgmm.cli.input_rows import Model, Rows

# Of probabilities.
_DECIMALS = 6


def memberships_csv(rows: Rows, model: Model) -> bytes:
    """Return all columns of the source, and those of `membership_columns` to six decimals."""
    import numpy as np

    from bayesgmm.classification.membership_columns import membership_columns
    from bayesgmm.data.csv_files import extended_csv

    added = membership_columns(model, rows.X)
    columns = [np.round(x, _DECIMALS) if x.dtype.kind == "f" else x for x in added.values()]
    return extended_csv(rows.table, rows.kept, list(added), columns).encode()
