"""Tables, mixtures and priors as files of a page: CSV, LaTeX, JSON."""

import json
import re
from collections.abc import Sequence
from typing import Any

from bayesgmm.data.csv_files import csv_text
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.plots.style import short
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.reporting.parts import Download, Shown, Table
from bayesgmm.uncertainty.parameter_vectors import reported

# Numbers of a mixture beyond which its files are left out of a page.
_LARGEST = 5000
_ESCAPED = {each: f"\\{each}" for each in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{EN DASH}": "--",
    "\N{HORIZONTAL ELLIPSIS}": r"\ldots{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}


def as_csv(table: Table) -> Download:
    """A table at full precision; a cell of several numbers becomes several columns."""
    names: list[str] = []
    columns: list[Sequence[Any]] = []
    for head, cells in zip(table.heads, zip(*table.rows, strict=True), strict=True):
        values = [each.value if isinstance(each, Shown) else each for each in cells]
        words = dict.fromkeys(key for each in values if isinstance(each, dict) for key in each)
        if not words:
            names.append(head)
            columns.append([_plain(each) for each in values])
        for word in words:
            # A number without an error stands among those that have one.
            alone = [each if word == "value" else None for each in values]
            names.append(head if word == "value" else f"{head}: {word.replace('_', ' ')}")
            columns.append(
                [
                    _plain(each[word] if isinstance(each, dict) else other)
                    for each, other in zip(values, alone, strict=True)
                ]
            )
    return Download(f"{_stem(table)}.csv", table.caption, csv_text(names, columns))


def as_latex(table: Table) -> Download:
    """A table as it is shown, as a LaTeX tabular."""
    lines = [table.heads, *table.rows]
    texts = [[_latex(each.text if isinstance(each, Shown) else each) for each in x] for x in lines]
    heads, *rows = (" & ".join(line) + r" \\" for line in texts)
    numbers = [isinstance(each, Shown) for each in table.rows[0]]
    kinds = "".join("r" if number else "l" for number in numbers)
    text = [
        f"% {table.caption}",
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\hline",
        heads,
        r"\hline",
        *rows,
        r"\hline",
        r"\end{tabular}",
    ]
    return Download(f"{_stem(table)}.tex", table.caption, "\n".join(text) + "\n")


def files_of(table: Table) -> list[tuple[str, Download]]:
    """The files of a table, each with its kind."""
    return [("CSV", as_csv(table)), ("LaTeX", as_latex(table))] if table.rows else []


def mixture_files(
    mixture: Mixture,
    names: Sequence[str],
    noise: Noise | None = None,
    outliers: Contamination | None = None,
) -> list[Download]:
    """All parameters as CSV, under these names, and the mixture for `Mixture.from_json`."""
    values = reported(mixture)[1].tolist()
    if len(values) > _LARGEST:
        return []
    given, words = list(names), "the mixture for Mixture.from_json (JSON)"
    if noise is not None:
        given, values = ["weight of noise", *given], [noise.weight, *values]
        words = "the components, without the noise, for Mixture.from_json (JSON)"
    if outliers is not None:
        for kind in ("inflation", "proportions"):
            own = getattr(outliers, kind).tolist()
            what = f"{kind.removesuffix('s')} of outliers in component"
            given = [*(f"{what} {k}" for k in range(len(own))), *given]
            values = [*own, *values]
        words = "the components, without their outliers, for Mixture.from_json (JSON)"
    table = csv_text(["parameter", "estimate"], [given, values])
    return [
        Download("all-parameters.csv", "all parameters (CSV)", table),
        Download("mixture.json", words, mixture.to_json()),
    ]


def priors_file(of: str, priors: ResolvedPriors) -> Download:
    """Priors with all of their digits; `of` as in `Inputs.priors`."""
    name = "-".join(["priors", *of.removeprefix("the ").lower().split()])
    words = f"the priors{f' of {of}' if of else ''} for --priors and Priors.from_json (JSON)"
    return Download(f"{name}.json", words, json.dumps(priors.to_dict()))


def _stem(table: Table) -> str:
    """The name of a table's file: the caption up to a comma."""
    words = short(table.caption.partition(",")[0], 60).lower()
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")


def _latex(text: str) -> str:
    return "".join(_ESCAPED.get(each, each) for each in text)


def _plain(value: Any) -> Any:
    return "" if value is None else value
