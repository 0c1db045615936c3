"""Choice of K and of the covariance structure over a grid of models."""

from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.covariance.structures import as_structure
from bayesgmm.display import plural
from bayesgmm.em.multistart import SAME_MAXIMUM
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.plots.selection_plot import BEYOND, plot_selection
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.neighbours import alternatives, neighbours
from bayesgmm.reporting.overlap import overlap_sentence
from bayesgmm.reporting.parts import (
    Figure,
    Section,
    State,
    Table,
    UnavailableError,
    count,
    fixed,
    significant,
    worst,
)
from bayesgmm.reporting.svg import INK, legend_below, panel, style, to_svg
from bayesgmm.selection.model_selection import STANDS_FOR_BOTH
from bayesgmm.selection.selection_result import (
    FAVOURS,
    OTHER_ANSWERS,
    POSITIVE,
    STRONG,
    VERY_STRONG,
    beyond_edge,
    selected,
    words_of,
)

_MOST = 10
_EXPLAINED = (
    "BIC is minus twice the log-likelihood plus the number of parameters times log n; ICL adds a "
    "penalty for uncertain classification. Smaller is better. Evidence is weak for differences of "
    "BIC below 2, positive to 6, strong to 10, very strong above (Kass & Raftery 1995, J. Am. "
    "Stat. Assoc. 90, 773-795)."
)
# Where the structure was given, and not compared.
_OF_K = "Choice of K, the structure given"
_OTHERS = "; --select compares other structures"
_ANSWERS = "{} favours {}. ".format(*FAVOURS["bic"]) + OTHER_ANSWERS


def choice_section(inputs: Inputs) -> Section:
    """The models that BIC and ICL select, and the strength of the evidence."""
    if inputs.selection is None:
        return _given(inputs)
    table = inputs.selection
    fitted = _admissible(table)
    if fitted.empty:
        raise UnavailableError("no model of the grid has an admissible fit")
    ranked = fitted.sort_values("bic", kind="stable")
    best = ranked.iloc[0]
    state, sentences = _judge(ranked)
    sentences += filter(None, [_at_edge(best, table), selected(fitted, "icl", best)])
    if inputs.em is not None:
        is_best = _is_of(inputs.em, best)
        if not is_best:
            sentences.append("The mixture in this report is not the selected model.")
        of_k, said = _judge_k(inputs, inputs.em)
        sentences += said if of_k != "good" or not is_best else []
        standing: State = "good" if state == "unknown" else state
        state = worst(of_k, standing if is_best else "care")
    state = _with_overlap(inputs, state, sentences)
    of_grid, own = _beside(best, inputs.n_features), _beside_fit(inputs)
    if of_grid:
        sentences.append(f"Every model has {of_grid}.")
    if inputs.em is not None and of_grid != own:
        state = "care"
        sentences.append(
            f"The mixture in this report has {own}, the models of the grid have none."
            if own
            else f"The mixture in this report has no {of_grid.removeprefix('a ')}."
        )
    failed = len(table) - len(fitted)
    nested = int((table["note"] == STANDS_FOR_BOTH).sum())
    if nested:
        sentences.append(
            f"The best fit found for {plural(nested, 'model')} of the grid is that of a simpler "
            "structure, which stands for both."
        )
    if failed > nested:
        without = plural(failed - nested, "model")
        sentences.append(f"No admissible fit was found for {without} of the grid.")
    return Section(
        state,
        " ".join(sentences),
        (_figure(fitted, inputs.em),),
        (_table(ranked),),
        (_EXPLAINED, _ANSWERS),
        {"grid": table.to_dict("records"), "n_failed": failed},
    )


def _is_of(fit: GaussianMixture, row: pd.Series) -> bool:
    """Whether a fit is of the model of a row."""
    structure = as_structure(str(row["covariance_type"]), fit.n_features_in_)
    same = as_structure(fit.covariance_type, fit.n_features_in_) == structure
    return same and fit.n_components == row["n_components"]


def _with_overlap(inputs: Inputs, state: State, sentences: list[str]) -> State:
    """Add a sentence on components that overlap, and return the state that it leaves."""
    overlap = "" if inputs.em is None else overlap_sentence(inputs)
    sentences += [overlap] * bool(overlap)
    return "care" if overlap and state == "good" else state


def standing_section(inputs: Inputs) -> Section:
    """The verdict on K of a model of a grid, and on its place in the grid, without a picture."""
    if inputs.selection is None or inputs.em is None:
        raise UnavailableError("no model of a grid was given")
    fit, fitted = inputs.em, _admissible(inputs.selection)
    state, sentences = _judge_k(inputs, fit)
    here = fitted.apply(lambda row: _is_of(fit, row), axis=1)
    own, others = fitted[here], fitted[~here].sort_values("bic", kind="stable")
    if own.empty or others.empty:
        sentences.append("It is the only model of the grid with an admissible fit.")
    else:
        gap, sentence = _compared(own.iloc[0], others.iloc[0], "this model", "it")
        # Evidence for the model, if it is weak, is no more conclusive than evidence against it.
        state = worst(state, "good" if gap >= POSITIVE else "care")
        sentences.append(f"Of all {plural(len(fitted), 'model')} of the grid, {sentence}")
    sentences.append(selected(fitted, "icl", None if own.empty else own.iloc[0]))
    state = _with_overlap(inputs, state, sentences)
    return Section(state, " ".join(sentences))


def _admissible(table: pd.DataFrame) -> pd.DataFrame:
    """The models of a table that have a BIC and no note, which says why a fit is not admissible."""
    return table[(table["note"] == "") & np.isfinite(table["bic"].to_numpy(dtype=np.float64))]


def _at_edge(best: Any, table: pd.DataFrame) -> str:
    """A sentence on the model of the smallest BIC, if its K is the least or largest of the grid."""
    tried, k = sorted(set(table["n_components"].astype(int))), int(best["n_components"])
    advice = beyond_edge(k, tried)
    end = "largest" if k == tried[-1] else "smallest"
    return f"K = {k} is the {end} that was tried: {advice}" if advice else ""


_NOISE, _OUTLIERS = "a component of noise", "outliers of its components"


def _beside(row: Any, n_features: int) -> str:
    """What a model of a grid has beside its components, by its number of parameters."""
    structure, k = as_structure(str(row["covariance_type"]), n_features), int(row["n_components"])
    more = int(row["n_parameters"]) - structure.n_parameters(k, n_features)
    return _NOISE if more == 1 else _OUTLIERS if more == 2 * k else ""


def _beside_fit(inputs: Inputs) -> str:
    """What the fit has beside its components."""
    return _NOISE if inputs.noise is not None else _OUTLIERS * (inputs.contamination is not None)


def _given(inputs: Inputs) -> Section:
    """K as it was given, beside others of the same structure where they cost little."""
    table = neighbours(inputs)
    if table is None or inputs.em is None:
        return Section(
            "unknown" if inputs.em is not None or inputs.posterior is not None else None,
            "K and the structure were given, and not compared with other models.",
            asked=False,
        )
    fitted = _admissible(table)
    state, sentences = _judge_among(inputs, inputs.em, table, "the given K", _OTHERS)
    if not fitted.empty:
        best = fitted.loc[fitted["bic"].idxmin()]
        sentences += [selected(fitted, "icl", best), _at_edge(best, table)]
    state = _with_overlap(inputs, state, sentences)
    beside = " and noise," * (inputs.noise is not None)
    beside += " and outliers," * (inputs.contamination is not None)
    return Section(
        state,
        f"K and the structure were given. Of models with the same structure{beside} and "
        f"{_span(table)}, " + " ".join(filter(None, sentences)),
        (_figure(fitted, inputs.em),),
        (_table(fitted.sort_values("bic", kind="stable")),),
        (
            "Other structures were not compared; bayesgmm report --select and select_mixture(X) "
            "compare them, and may select another K.",
            _EXPLAINED,
            _ANSWERS,
        ),
        {"grid": table.to_dict("records"), "n_failed": len(table) - len(fitted)},
        title=_OF_K,
    )


def _judge_k(inputs: Inputs, fit: GaussianMixture) -> tuple[State, list[str]]:
    """K of a model of a grid among others by BIC, by the rule for a K that was given."""
    table = alternatives(inputs)
    if table is None or table.empty:
        return "unknown", ["Other K were not compared."]
    state, sentences = _judge_among(inputs, fit, table, f"K = {fit.mixture_.n_components}", "")
    first = f"Of models with the same structure and {_span(table)}, {sentences[0]}"
    return state, [first, *sentences[1:]]


def _judge_among(
    inputs: Inputs, fit: GaussianMixture, table: pd.DataFrame, name: str, others: str
) -> tuple[State, list[str]]:
    """K among others of its structure by BIC, and the maximum that EM reached for it."""
    k, fitted = fit.mixture_.n_components, _admissible(table)
    own = fitted[fitted["n_components"] == k]
    rivals = fitted[fitted["n_components"] != k].sort_values("bic", kind="stable")
    if own.empty or rivals.empty:
        return "unknown", ["too few have an admissible fit to compare them."]
    among = as_structure(fit.covariance_type, inputs.n_features).name
    about = f"K = {k} among {among} covariances alone{others}"
    gap, sentence = _compared(own.iloc[0], rivals.iloc[0], name, about)
    # Weak evidence for another K does not contradict this one. The best of those that were tried
    # may not be the best of all.
    edge = gap > 0.0 and k == table["n_components"].max()
    state: State = "care" if gap <= -POSITIVE or edge else "good"
    missed = float(own["log_likelihood"].iloc[0]) - inputs.criteria.log_likelihood
    if missed <= SAME_MAXIMUM:
        return state, [sentence]
    return "care", [
        sentence,
        f"For K = {k} a maximum is known that is {significant(missed, 3).text} nats higher than "
        "that of this fit: see select_mixture.",
    ]


def _span(table: pd.DataFrame) -> str:
    """The numbers of components of a table in words."""
    return f"{table['n_components'].min()} to {table['n_components'].max()} components"


def _compared(own: pd.Series, rival: pd.Series, name: str, it: str) -> tuple[float, str]:
    """The rival's BIC less a model's own, and a sentence on the two."""
    gap = float(rival["bic"] - own["bic"])
    if gap > 0.0:
        return gap, (
            f"BIC is smallest for {name}; {words_of(rival)} is next, with a BIC larger by "
            f"{fixed(gap, 2).text}: {_strength(gap)} evidence for {it}."
        )
    return gap, (
        f"BIC is smallest for {words_of(rival)}, smaller by {fixed(-gap, 2).text} than for {name}: "
        f"{_strength(-gap)} evidence against {it}."
    )


def _strength(gap: float) -> str:
    above = sum(gap >= each for each in (POSITIVE, STRONG, VERY_STRONG))
    return ("weak", "positive", "strong", "very strong")[above]


def _judge(ranked: pd.DataFrame) -> tuple[State, list[str]]:
    best = ranked.iloc[0]
    sentences = [f"BIC selects {words_of(best)} ({fixed(best['bic'], 2).text})."]
    if len(ranked) == 1:
        return "unknown", [*sentences, "It is the only model of the grid with an admissible fit."]
    second = ranked.iloc[1]
    gap = float(second["bic"] - best["bic"])
    state: State = "care" if gap < POSITIVE else "good"
    sentences.append(
        f"{words_of(second)} is next, with a BIC larger by {fixed(gap, 2).text}: "
        f"{_strength(gap)} evidence for the selected model."
    )
    return state, sentences


def _table(ranked: pd.DataFrame) -> Table:
    best = float(ranked["bic"].iloc[0])
    rows = [
        (
            words_of(row),
            fixed(row["bic"], 2),
            fixed(row["bic"] - best, 2),
            fixed(row["icl"], 2),
            fixed(row["log_likelihood"], 2),
            count(int(row["n_parameters"])),
        )
        for _, row in ranked.head(_MOST).iterrows()
    ]
    return Table(
        f"The best {len(rows)} of {plural(len(ranked), 'model')} by BIC",
        ("", "BIC", "difference", "ICL", "log-likelihood", "parameters"),
        rows,
    )


def _figure(fitted: pd.DataFrame, fit: GaussianMixture | None) -> Figure:
    best = fitted.loc[fitted["bic"].idxmin()]
    own = [row for _, row in fitted.iterrows() if fit is not None and _is_of(fit, row)]
    marked = bool(own) and own[0].name != best.name
    marks = "circle marks the smallest BIC" + (
        "; the diamond marks the model of this page."
        if marked
        else ", that of this page's model."
        if own
        else "."
    )
    with style():
        figure, axes = panel(5.6, 4.2)
        plot_selection(fitted, ax=axes)
        if marked:
            axes.plot(
                own[0]["n_components"], min(own[0]["bic"], axes.get_ylim()[1]), marker="D",
                markersize=12.0, color=INK, markerfacecolor="none", linestyle="none",
                clip_on=False,
            )  # fmt: skip
        legend_below(figure, axes, columns=5, titled=True)
        structures = fitted["covariance_type"].nunique()
        return Figure(
            to_svg(figure),
            f"BIC against the number of components for {plural(structures, 'structure')}; the "
            f"smallest is that of {words_of(best)}.",
            "BIC against the number of components, a line for each covariance structure. The "
            + marks
            + " "
            + BEYOND,
        )
