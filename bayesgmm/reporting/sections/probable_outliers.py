"""Rows that are probably noise or outliers, for the section on classification."""

import numpy as np

from bayesgmm.data.csv_files import csv_text
from bayesgmm.display import plural
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    Download,
    Row,
    Table,
    percent,
    significant,
)
from bayesgmm.reporting.sections.parameters import shown_features

# Rows in the table, and in its file.
_MOST, _LARGEST = 15, 5000


def outliers(inputs: Inputs) -> tuple[str, list[Table], list[Download]]:
    """A sentence, the most outlying rows, and a file of all rows that are probably outliers."""
    noisy, probabilities, labels = inputs.noise is not None, inputs.outlying, inputs.assigned[0]
    order = np.argsort(-probabilities, kind="stable")
    found = order[labels[order] < 0] if noisy else order[probabilities[order] > 0.5]
    n = len(found)
    one, many = ("noise", "noise") if noisy else ("an outlier", "outliers")
    if not n:
        return f"None of the rows is most probably {one}.", [], []
    what = f"is most probably {one}" if n == 1 else f"are most probably {many}"
    sentence = f"{plural(n, 'row')} {what}."
    features = shown_features(inputs, 4)
    rows: list[Row] = [
        (
            inputs.row(b),
            *(significant(inputs.observed.X[b, j], 5) for j in features),
            *(() if noisy else (inputs.component_cells[labels[b]],)),
            percent(probabilities[b], 2),
        )
        for b in found[:_MOST].tolist()
    ]
    names = (*(inputs.labels_short[j] for j in features), *(() if noisy else ("component",)))
    note = inputs.rows_named
    if n > len(rows):
        note += f" Not shown: {plural(n - len(rows), 'more row')}."
    probability = f"probability of {one}"
    table = Table(f"Rows that are probably {many}", ("", *names, probability), rows, note)
    if n > _LARGEST:
        return sentence, [table], []
    rows_named = inputs.observed.row_names or range(len(probabilities))
    columns = [[rows_named[b] for b in found.tolist()], probabilities[found].round(6).tolist()]
    text = csv_text(["row", probability], columns)
    words = f"all rows that are probably {many} (CSV)"
    name = "noise-rows.csv" if noisy else "outlying-rows.csv"
    return sentence, [table], [Download(name, words, text)]
