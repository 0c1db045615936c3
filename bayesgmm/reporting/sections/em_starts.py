"""The starts of EM: agreement on the best maximum, other maxima, convergence."""

from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.display import plural
from bayesgmm.em.multistart import SAME_MAXIMUM
from bayesgmm.estimator.fit_summary import agreed_starts, bound_words
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    NOTHING,
    Figure,
    Section,
    State,
    Table,
    UnavailableError,
    count,
    fixed,
    numeral,
    significant,
    worst,
)
from bayesgmm.reporting.svg import INK, MUTED, panel, style, to_svg

_MOST_MAXIMA = 12
# Log-likelihood (nats) that is negligible for every parameter.
_NEGLIGIBLE = 1e-9


def starts_section(inputs: Inputs) -> Section:
    """Agreement of the starts, and convergence of EM."""
    if inputs.em is None:
        raise UnavailableError("no EM fit was given")
    fit = inputs.em
    starts = fit.starts_
    values = starts["log_likelihood"].to_numpy(dtype=np.float64)
    good = (starts["outcome"] == "converged").to_numpy()
    degenerate = int((~good).sum())
    best = float(np.max(values[good], initial=-np.inf))
    # If there are many rows, starts use a sample, and their log-likelihoods are smaller.
    sampled = int(starts["n_rows"].max()) < len(inputs.observed.X)
    agreed, made = agreed_starts(fit)
    state, sentences = _judge(fit, agreed, made, degenerate, searched=inputs.searched)
    if sampled and not inputs.searched:
        sentences.append("The starts ran on a sample of the rows, and the best then on all rows.")
    maxima = _maxima(values, good, starts)
    if len(maxima) > 1:
        other = next((each for each in maxima[1:] if each["outcome"] == "converged"), None)
        if other is not None:
            sentences.append(
                f"The second highest maximum is {significant(other['below'], 3).text} nats lower."
            )
    numbers = {
        "converged": fit.converged_,
        "iterations": fit.n_iter_,
        "remaining": fit.remaining_,
        "log_likelihood": fit.log_likelihood_,
        "starts_made": made,
        "starts_agreed": agreed,
        "starts_degenerate": degenerate,
        "starts_on_a_sample": sampled,
        "starts": starts.to_dict("records"),
    }
    figures = () if agreed == made else (_figure(values, good, best),)
    tables = () if inputs.searched else (_table(maxima),)
    return Section(state, " ".join(sentences), figures, tables, (), numbers)


def _judge(
    fit: Any, agreed: int, made: int, degenerate: int, *, searched: bool
) -> tuple[State, list[str]]:
    sentences = []
    state: State = "good"
    if degenerate == made:
        state = "bad"
        sentences.append(
            "No start reached an admissible maximum. The best is shown and should not be "
            "interpreted."
        )
    elif made == 1 and fit.n_components == 1:
        sentences.append("The likelihood of a single component has one maximum.")
    elif searched:
        sentences.append(
            "The maximum is the highest that the search over K and structures reached for this "
            "model."
        )
    elif made == 1:
        state = "care"
        sentences.append("A single start cannot reveal other local maxima.")
    elif agreed == made:
        sentences.append(f"All {numeral(made)} starts reached the same maximum.")
    else:
        sentences.append(f"{agreed} of {made} starts reached the highest maximum.")
        if agreed < 2:
            state = "care"
            sentences.append("Further starts may reach a higher one.")
    if degenerate:
        sentences.append(
            "One start gave a degenerate solution and was rejected."
            if degenerate == 1
            else f"{numeral(degenerate).capitalize()} starts gave degenerate solutions and were "
            "rejected."
        )
    of_run, said = _judge_run(fit)
    return worst(state, of_run), [*sentences, *said]


def _judge_run(fit: Any) -> tuple[State, list[str]]:
    """The end of the best run: at a maximum, on a bound, or short of it."""
    if np.isnan(fit.remaining_):
        return "care", [
            f"Its rows were seen once, in {plural(fit.n_iter_, 'step')}: the fit is near a maximum "
            "and not at it, so that criteria and tests are approximate."
        ]
    if not fit.converged_:
        return "bad", [
            "EM did not converge: the estimated distance to the maximum is "
            f"{significant(fit.remaining_, 2).text} nats. Increase max_iter."
        ]
    remaining = f"about {significant(fit.remaining_, 2).text}"
    if fit.remaining_ < _NEGLIGIBLE:
        remaining = "less than 1e-9"
    sentences = [
        f"EM converged in {plural(fit.n_iter_, 'iteration')}; the estimated distance to the "
        f"maximum is {remaining} nats."
    ]
    bound = bound_words(fit)
    return ("care", [*sentences, bound]) if bound else ("good", sentences)


def _maxima(values: Any, good: Any, starts: pd.DataFrame) -> list[dict[str, Any]]:
    """Group the starts by their maxima, the highest first, and degenerate ones by outcome."""
    best = float(np.max(values[good], initial=-np.inf))
    found: list[dict[str, Any]] = []
    for value in sorted(values[good], reverse=True):
        if found and found[-1]["value"] - value < SAME_MAXIMUM:
            found[-1]["starts"] += 1
        else:
            found.append(
                {"value": float(value), "below": best - value, "starts": 1, "outcome": "converged"}
            )
    for reason, rows in starts[~good].groupby("outcome"):
        likelihoods = rows["log_likelihood"].to_numpy(dtype=np.float64)
        value = float(np.max(likelihoods[np.isfinite(likelihoods)], initial=-np.inf))
        found.append(
            {
                "value": value if np.isfinite(value) else np.nan,
                "below": best - value if np.isfinite(value) else np.nan,
                "starts": len(rows),
                "outcome": str(reason),
            }
        )
    return found


def _table(maxima: list[dict[str, Any]]) -> Table:
    rows = [
        (
            fixed(each["value"], 4) if np.isfinite(each["value"]) else NOTHING,
            fixed(each["below"], 4) if np.isfinite(each["below"]) else NOTHING,
            count(each["starts"]),
            each["outcome"],
        )
        for each in maxima[:_MOST_MAXIMA]
    ]
    hidden = len(maxima) - len(rows)
    return Table(
        "Results of the starts",
        ("log-likelihood, nats", "below the highest", "starts", "outcome"),
        rows,
        "Initial runs stop shortly before their maximum; the best is then run to convergence."
        + (f" Not shown: {plural(hidden, 'more result')}." if hidden else ""),
    )


def _figure(values: Any, good: Any, best: float) -> Figure:
    """The log-likelihoods of the starts, in descending order."""
    order = np.argsort(-np.where(np.isfinite(values), values, -np.inf), kind="stable")
    known = [i for i in order if np.isfinite(values[i])]
    with style():
        figure, axes = panel(5.6, 2.8)
        place = np.arange(len(known))
        shown, kept = values[known], good[known]
        axes.axhline(best, color=MUTED, linewidth=0.8, linestyle="--")
        axes.plot(place[kept], shown[kept], "o", color=INK, markersize=5, label="converged")
        if not kept.all():
            axes.plot(place[~kept], shown[~kept], "x", color="#d55e00", label="degenerate")
            axes.legend()
        axes.set(xlabel="starts, in descending order", ylabel="log-likelihood, nats")
        axes.set_xticks([])
        return Figure(
            to_svg(figure),
            f"Log-likelihoods of {plural(len(values), 'start')} in descending order.",
            "Log-likelihoods of the starts in descending order; each step is another local "
            "maximum. The dashed line is the reported maximum."
            + (f" Not shown: {plural(len(values) - len(known), 'start')} without a mixture."
               if len(known) < len(values) else ""),
        )  # fmt: skip
