"""Where the starts of EM ended: how many agreed, and what else was found."""

from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.estimator.fit_summary import agreed_starts
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    NOTHING,
    Figure,
    Section,
    Shown,
    State,
    Table,
    UnavailableError,
    count,
    fixed,
    numeral,
    significant,
)
from bayesgmm.reporting.svg import INK, MUTED, panel, style, to_svg

# Runs that end within this of one another have found the same optimum, nats.
_SAME = 1e-2
_MOST_OPTIMA = 12
# Nats that no parameter would show.
_NOTHING = 1e-9


def starts_section(inputs: Inputs) -> Section:
    """Say whether EM found what there is to find."""
    if inputs.em is None:
        raise UnavailableError("no EM fit was given")
    fit = inputs.em
    starts = fit.starts_
    values = starts["log_likelihood"].to_numpy(dtype=np.float64)
    good = (starts["outcome"] == "converged").to_numpy()
    spoilt = int((~good).sum())
    best = float(np.max(values[good], initial=-np.inf))
    # Of many rows, starts see a sample: their log-likelihoods are then of fewer rows.
    sampled = int(starts["n_rows"].max()) < len(inputs.rows)
    agreed, made = agreed_starts(fit)
    state, sentences = _judge(fit, agreed, made, spoilt)
    if sampled:
        sentences.append("Starts were compared on a sample of the rows, the best then on all.")
    optima = _optima(values, good, starts)
    if len(optima) > 1:
        other = next((each for each in optima[1:] if each["outcome"] == "converged"), None)
        if other is not None:
            sentences.append(
                f"The next best optimum lies {significant(other['below'], 3).text} nats lower."
            )
    numbers = {
        "converged": fit.converged_,
        "passes": fit.n_iter_,
        "remaining": fit.remaining_,
        "log_likelihood": fit.log_likelihood_,
        "starts_made": made,
        "starts_agreed": agreed,
        "starts_degenerate": spoilt,
        "starts_on_a_sample": sampled,
        "starts": starts.to_dict("records"),
    }
    figures = () if agreed == made else (_figure(values, good, best),)
    return Section(
        "starts", "Starts", state, " ".join(sentences), figures, (_table(optima),), (), numbers
    )


def _judge(fit: Any, agreed: int, made: int, spoilt: int) -> tuple[State, list[str]]:
    sentences = []
    state: State = "good"
    if made == 1:
        sentences.append("One start was made, so nothing is known of other optima.")
        state = "good" if fit.n_components == 1 else "care"
    elif spoilt == made:
        sentences.append("No start ended in a sound optimum.")
    elif agreed == made:
        sentences.append(f"All {numeral(made)} starts ended at the same optimum.")
    else:
        sentences.append(f"{agreed} of {made} starts ended at the best optimum found.")
        if agreed < 2:
            state = "care"
            sentences.append("No other start confirms it: more starts may find a better one.")
    if spoilt:
        sentences.append(
            f"{numeral(spoilt).capitalize()} {'start' if spoilt == 1 else 'starts'} gave "
            f"degenerate solutions and {'was' if spoilt == 1 else 'were'} rejected."
        )
        if spoilt == made:
            state = "bad"
            sentences.append("All starts did; the best is shown and should not be interpreted.")
    if fit.converged_:
        passes = "one pass" if fit.n_iter_ == 1 else f"{fit.n_iter_:,} passes"
        left = f"{significant(fit.remaining_, 2).text} nats are left to gain"
        if fit.remaining_ < _NOTHING:
            left = "nothing is left to gain"
        sentences.append(f"EM converged in {passes}; by estimate {left}.")
    else:
        state = "bad"
        sentences.append(
            f"EM did not converge: by estimate {significant(fit.remaining_, 2).text} nats are left "
            "to gain. Raise max_iter."
        )
    return state, sentences


def _optima(values: Any, good: Any, starts: pd.DataFrame) -> list[dict[str, Any]]:
    """Group the starts by where they ended, the best first; degenerate ones by why."""
    best = float(np.max(values[good], initial=-np.inf))
    found: list[dict[str, Any]] = []
    for value in sorted(values[good], reverse=True):
        if found and found[-1]["value"] - value < _SAME:
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


def _table(optima: list[dict[str, Any]]) -> Table:
    rows: list[tuple[str | Shown, ...]] = [
        (
            fixed(each["value"], 4) if np.isfinite(each["value"]) else NOTHING,
            fixed(each["below"], 4) if np.isfinite(each["below"]) else NOTHING,
            count(each["starts"]),
            each["outcome"],
        )
        for each in optima[:_MOST_OPTIMA]
    ]
    hidden = len(optima) - len(rows)
    return Table(
        "Where the starts ended",
        ("log-likelihood, nats", "below the best", "starts", "outcome"),
        tuple(rows),
        "First runs stop a little short of their optimum; the best is then carried to the end."
        + (f" {hidden} more optima are not shown." if hidden else ""),
    )


def _figure(values: Any, good: Any, best: float) -> Figure:
    """Each start at the log-likelihood where it ended, in order."""
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
        axes.set(xlabel="starts, the best first", ylabel="log-likelihood, nats")
        axes.set_xticks([])
        svg = to_svg(figure)
    return Figure(
        svg,
        f"Log-likelihood where each of {len(values)} starts ended, from the highest to the lowest.",
        "Steps are different optima of the likelihood; the dashed line is the one reported."
        + (f" {len(values) - len(known)} starts ended in no mixture." if len(known) < len(values)
           else ""),
    )  # fmt: skip
