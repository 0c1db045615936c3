"""Rows that are probably noise, for the section on classification."""

import numpy as np

from bayesgmm.data.csv_files import csv_text
from bayesgmm.display import plural
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import Download, Row, Shown, Table, percent, significant
from bayesgmm.reporting.sections.parameters import shown_features

# Rows in the table, and in its file.
_MOST, _LARGEST = 15, 5000


def outliers(inputs: Inputs) -> tuple[str, list[Table], list[Download]]:
    """A sentence, the most outlying rows, and a file of all rows that are probably noise."""
    probabilities = inputs.outlying
    order = np.argsort(-probabilities, kind="stable")
    found = order[inputs.assigned[0][order] < 0]
    n = len(found)
    if not n:
        return "None of the rows is most probably noise.", [], []
    sentence = f"{plural(n, 'row')} {'is' if n == 1 else 'are'} most probably noise."
    features = shown_features(inputs, 4)
    rows: list[Row] = [
        (
            Shown(b, f"row {b}"),
            *(significant(inputs.observed.X[b, j], 5) for j in features),
            percent(probabilities[b], 2),
        )
        for b in found[:_MOST].tolist()
    ]
    names = (*(inputs.labels_short[j] for j in features),)
    note = "Rows are numbered from 0."
    if n > len(rows):
        note += f" Not shown: {plural(n - len(rows), 'more row')}."
    heads = ("", *names, "probability of noise")
    table = Table("Rows that are probably noise", heads, rows, note)
    if n > _LARGEST:
        return sentence, [table], []
    columns = [found.tolist(), probabilities[found].tolist()]
    text = csv_text(["row", "probability of noise"], columns)
    words = "all rows that are probably noise (CSV)"
    return sentence, [table], [Download("noise-rows.csv", words, text)]
