"""The posterior of each parameter under one labelling, with R-hat and effective sample sizes."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bayesgmm.diagnostics.switching import RELABELLED, r_hat_and_ess
from bayesgmm.plots.style import colour
from bayesgmm.posterior.draws import Draws
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    Figure,
    Section,
    Shown,
    State,
    Table,
    count,
    fixed,
    plural,
)
from bayesgmm.reporting.relabelled_draws import Relabelled
from bayesgmm.reporting.sections.mixture import shown_features
from bayesgmm.reporting.svg import canvas, style, to_svg

type Array = NDArray[np.float64]

_PROBABILITY = 0.9
_AGREE = 1.01
_ENOUGH = 400
_MOST_ROWS = 60
_PANELS = 6


def posterior_section(inputs: Inputs) -> Section:
    """Say what the posterior is, and whether its draws can be used."""
    known = inputs.relabelled
    draws = known.draws
    features = shown_features(inputs, 6)
    statistics = known.switching.statistics
    mine = statistics[statistics["form"] == RELABELLED]
    r_hat, bulk, tail = (
        float(mine["r_hat"].max()),
        float(mine["ess_bulk"].min()),
        float(mine["ess_tail"].min()),
    )
    state, sentences = _judge(known, r_hat, min(bulk, tail))
    rows = list(_rows(inputs, draws, features))
    hidden = len(rows) - _MOST_ROWS
    numbers = {
        "n_chains": draws.n_chains,
        "n_draws": draws.n_draws,
        "largest_r_hat": r_hat,
        "least_ess_bulk": bulk,
        "least_ess_tail": tail,
        "divergences": known.divergences,
        "interval_probability": _PROBABILITY,
    }
    table = Table(
        "Posterior summary after relabelling",
        ("", "mean", "s.d.", "from", "to (90 %)", "R-hat", "bulk ESS", "tail ESS"),
        tuple(rows[:_MOST_ROWS]),
        f"{hidden} more parameters are not shown." if hidden > 0 else "",
    )
    return Section(
        "posterior",
        "Posterior",
        state,
        " ".join(sentences),
        (_figure(inputs, draws, features),),
        (table,),
        [f"Not computed: {note}." for note in known.switching.notes],
        numbers,
    )


def _judge(known: Relabelled, r_hat: float, ess: float) -> tuple[State, list[str]]:
    draws = known.draws
    drawn = f"{plural(draws.n_chains, 'chain')} of {plural(draws.n_draws, 'draw')}"
    if not np.isfinite(r_hat):
        return "care", [f"{drawn}: too few to say whether the sampler converged."]
    sentences = [
        f"{drawn}: R-hat is at most {fixed(r_hat, 3).text}, and each parameter has at least "
        f"{plural(int(ess) if np.isfinite(ess) else 0, 'effective draw')}, once labels are undone."
    ]
    state: State = "good"
    if r_hat > _AGREE:
        state = "bad"
        sentences.append(f"The chains disagree: R-hat should not exceed {_AGREE}.")
    elif not ess >= _ENOUGH:
        state = "care"
        sentences.append(f"Fewer than {_ENOUGH} effective draws: intervals are uncertain.")
    if known.divergences:
        state = "bad" if state == "bad" else "care"
        sentences.append(
            f"{plural(known.divergences, 'transition')} diverged: parts of the posterior may be "
            "missed. Raise target_accept."
        )
    elif known.divergences == 0:
        sentences.append("No transition diverged.")
    return state, sentences


def quantities(
    inputs: Inputs, draws: Draws, features: list[int]
) -> Iterator[tuple[str, int, Array]]:
    """Yield name, component and draws (chain, draw) of weights, means and standard deviations."""
    for k in range(draws.n_components):
        yield "weight", k, draws.weights[..., k]
    for j in features:
        for k in range(draws.n_components):
            yield f"mean of {inputs.labels_short[j]}", k, draws.means[..., k, j]
    for j in features:
        for k in range(draws.n_components):
            yield f"s.d. of {inputs.labels_short[j]}", k, np.sqrt(draws.covariances[..., k, j, j])


def _rows(inputs: Inputs, draws: Draws, features: list[int]) -> Iterator[tuple[str | Shown, ...]]:
    for place, (name, k, values) in enumerate(quantities(inputs, draws, features)):
        if place >= _MOST_ROWS:
            # Only their number is shown.
            yield (name,)
            continue
        low, high = np.quantile(values, [(1 - _PROBABILITY) / 2, (1 + _PROBABILITY) / 2])
        spread = float(values.std(ddof=1)) if values.size > 1 else float("nan")
        r_hat, bulk, tail = r_hat_and_ess(values)
        decimals = _decimals(spread)
        yield (
            f"{name}, component {k}",
            fixed(float(values.mean()), decimals),
            fixed(spread, decimals),
            fixed(float(low), decimals),
            fixed(float(high), decimals),
            fixed(r_hat, 3),
            _whole(bulk),
            _whole(tail),
        )


def _decimals(spread: float) -> int:
    if not np.isfinite(spread) or spread <= 0:
        return 4
    return 2 - int(np.floor(np.log10(spread)))


def _whole(value: float) -> Shown:
    return count(int(value)) if np.isfinite(value) else fixed(value, 0)


def _figure(inputs: Inputs, draws: Draws, features: list[int]) -> Figure:
    """Histograms of weights and means over all draws, a colour for each component."""
    groups: dict[str, list[Array]] = {}
    for name, _, values in quantities(inputs, draws, features):
        groups.setdefault(name, []).append(values.ravel())
    names = list(groups)[:_PANELS]
    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    with style():
        figure = canvas(2.3 * columns + 0.4, 1.7 * lines + 0.2)
        grid = figure.subplots(lines, columns, squeeze=False)
        for place, axes in enumerate(grid.ravel()):
            if place >= len(names):
                axes.set_visible(False)
                continue
            for k, values in enumerate(groups[names[place]]):
                axes.hist(values, bins=30, color=colour(k), alpha=0.55, density=True)
            axes.set(xlabel=names[place], yticks=[])
            axes.locator_params(axis="x", nbins=4)
            axes.spines["left"].set_visible(False)
        svg = to_svg(figure)
    return Figure(
        svg,
        f"Histograms of the posterior draws of {', '.join(names)}, one colour a component.",
        "The posterior of each parameter, all chains together, once labels are undone.",
        wide=columns > 2,
    )
