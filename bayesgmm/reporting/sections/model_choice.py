"""The choice of K and of the covariance structure, over the grid that was fitted."""

from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.covariance.structures import as_structure
from bayesgmm.plots.style import colour, marker
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    Figure,
    Section,
    Shown,
    State,
    Table,
    UnavailableError,
    count,
    fixed,
    plural,
)
from bayesgmm.reporting.svg import INK, panel, style, to_svg

_MOST = 10
_NAMED = 7
# From these differences of BIC on Kass & Raftery (1995) speak of positive and strong evidence.
_POSITIVE, _STRONG = 2.0, 6.0


def choice_section(inputs: Inputs) -> Section:
    """Say which K and structure the criteria choose, and by how much."""
    if inputs.selection is None:
        return Section(
            "choice",
            "Choice of K and structure",
            None,
            "K and the structure were given, and not compared with others.",
        )
    table = inputs.selection
    # A note says why a cell's likelihood is unreliable.
    trusted = np.isfinite(table["bic"].to_numpy(dtype=np.float64)) & (table["note"] == "")
    fitted = table[trusted]
    if fitted.empty:
        raise UnavailableError("no mixture of the grid can be trusted")
    ranked = fitted.sort_values("bic", kind="stable")
    best = ranked.iloc[0]
    state, sentences = _judge(ranked)
    by_icl = fitted.sort_values("icl", kind="stable").iloc[0]
    agree = _words(by_icl) == _words(best)
    sentences.append(
        "ICL, which favours well-separated clusters, selects the same model."
        if agree
        else f"ICL, which favours well-separated clusters, prefers {_words(by_icl)}."
    )
    if inputs.em is not None and (
        inputs.em.n_components != best["n_components"]
        or as_structure(inputs.em.covariance_type) != as_structure(str(best["covariance_type"]))
    ):
        state = "care"
        sentences.append("The mixture in this report is not the selected model.")
    failed = len(table) - len(fitted)
    if failed:
        sentences.append(f"{plural(failed, 'cell')} of the grid are not trusted, or have no fit.")
    return Section(
        "choice",
        "Choice of K and structure",
        state,
        " ".join(sentences),
        (_figure(fitted),),
        (_table(ranked),),
        (
            "BIC is minus twice the log-likelihood plus the number of parameters times log n; ICL "
            "also charges for rows that could be in several components. Smaller is better. Kass & "
            "Raftery (1995), J. Am. Stat. Assoc. 90, 773-795, call a difference above 6 strong.",
        ),
        {"grid": table.to_dict("records"), "n_failed": failed},
    )


def _words(row: Any) -> str:
    k = int(row["n_components"])
    code = as_structure(str(row["covariance_type"])).code
    return f"{code} with {plural(k, 'component')}"


def _judge(ranked: pd.DataFrame) -> tuple[State, list[str]]:
    best = ranked.iloc[0]
    sentences = [f"BIC chooses {_words(best)}: {fixed(best['bic'], 2).text}."]
    if len(ranked) == 1:
        return "unknown", [*sentences, "Nothing else was fitted."]
    second = ranked.iloc[1]
    gap = float(second["bic"] - best["bic"])
    near = f"{_words(second)} comes next, {fixed(gap, 2).text} behind"
    if gap < _POSITIVE:
        return "care", [*sentences, f"{near}: too little to tell them apart."]
    if gap < _STRONG:
        return "good", [*sentences, f"{near}: in its favour, but not strongly."]
    return "good", [*sentences, f"{near}: strongly in its favour."]


def _table(ranked: pd.DataFrame) -> Table:
    best = float(ranked["bic"].iloc[0])
    rows: list[tuple[str | Shown, ...]] = [
        (
            _words(row),
            fixed(row["bic"], 2),
            fixed(row["bic"] - best, 2),
            fixed(row["icl"], 2),
            fixed(row["log_likelihood"], 2),
            count(int(row["n_parameters"])),
        )
        for _, row in ranked.head(_MOST).iterrows()
    ]
    return Table(
        f"The best {len(rows)} of {plural(len(ranked), 'mixture')} by BIC",
        ("", "BIC", "behind", "ICL", "log-likelihood", "parameters"),
        tuple(rows),
    )


def _figure(fitted: pd.DataFrame) -> Figure:
    """BIC against K, a line for each structure; the best few in colour and named."""
    lowest = fitted.groupby("covariance_type")["bic"].min().sort_values(kind="stable")
    with style():
        figure, axes = panel(5.6, 3.6)
        for place, name in enumerate(lowest.index):
            line = fitted[fitted["covariance_type"] == name].sort_values("n_components")
            named = place < _NAMED
            axes.plot(
                line["n_components"], line["bic"],
                color=colour(place) if named else "#999999", marker=marker(place), markersize=4,
                linewidth=1.3 if named else 0.7, alpha=1.0 if named else 0.5,
                label=as_structure(str(name)).code if named else None,
            )  # fmt: skip
        best = fitted.loc[fitted["bic"].idxmin()]
        axes.plot(best["n_components"], best["bic"], "o", markersize=11, mfc="none", mec=INK)
        axes.set(xlabel="components", ylabel="BIC (smaller is better)")
        # Mixtures that are far behind would flatten the rest.
        gaps = fitted["bic"].to_numpy(dtype=np.float64) - best["bic"]
        reach = max(1.2 * float(np.quantile(gaps, 0.7)), _STRONG)
        axes.set_ylim(best["bic"] - 0.08 * reach, best["bic"] + reach)
        axes.set_xticks(np.unique(fitted["n_components"].to_numpy()))
        figure.legend(loc="outside lower center", ncols=min(len(lowest), _NAMED))
        svg = to_svg(figure)
    return Figure(
        svg,
        f"BIC against the number of components for {plural(len(lowest), 'structure')}; the least "
        f"is {_words(best)}.",
        "The circle is BIC's choice"
        + (f"; the {_NAMED} best structures are named." if len(lowest) > _NAMED else "."),
    )
