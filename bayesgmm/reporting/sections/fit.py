"""The mixture beside the rows: density, contours, pairs, and a predictive check."""

import numpy as np
from numpy.typing import NDArray

from bayesgmm.reporting import pictures
from bayesgmm.reporting.drawing import INK, MUTED, RULE, panel, style, to_svg
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    Figure,
    Section,
    Shown,
    State,
    Table,
    fixed,
    percent,
    plural,
    significant,
)
from bayesgmm.reporting.predictive import STATISTICS, Check, check
from bayesgmm.reporting.sections.mixture import shown_features

type Array = NDArray[np.float64]

_MOST_PAIRED = 6
_COMPONENTS = 4
_DOUBTFUL = 0.05
# A distance between distributions that anybody would see.
_PLAIN = 0.1


def fit_section(inputs: Inputs) -> Section:
    """Say whether the mixture describes the rows."""
    mixture, rows = inputs.mixture, inputs.rows
    labels = inputs.memberships[1].argmax(axis=1)
    features = shown_features(inputs)
    found = check(
        np.ascontiguousarray(rows[:, features]),
        mixture.marginal(features),
        draws=inputs.predictive_draws(features),
    )
    state, verdict = _judge(inputs, features, found)
    figures = [_picture(inputs, labels), _check_figure(inputs, features, found)]
    numbers = {
        "p_value": found.p_value,
        "n_rows_compared": found.n_rows,
        "n_replicates": found.n_replicates,
        "z": found.z,
        "replicates_from": "posterior" if inputs.posterior is not None else "em",
    }
    return Section(
        "fit",
        "Fit to the data",
        state,
        verdict,
        figures,
        (_table(inputs, features, found),),
        (
            f"Replicates are {found.n_replicates} samples of {plural(found.n_rows, 'row')} drawn "
            + (
                "from the posterior predictive distribution. "
                if inputs.posterior is not None
                else "from the fitted mixture. "
            )
            + "The p-value is that of the most extreme statistic of all, calibrated by the "
            "replicates; since the parameters come from the same rows, it errs on the side of the "
            "mixture.",
        ),
        numbers,
    )


def _judge(inputs: Inputs, features: list[int], found: Check) -> tuple[State, str]:
    place, statistic = np.unravel_index(int(np.abs(found.z).argmax()), found.z.shape)
    where = f"the {STATISTICS[statistic]} of {inputs.labels_short[features[int(place)]]}"
    text = fixed(found.p_value, 3).text
    off_by = significant(abs(found.z[place, statistic]), 2).text
    if found.p_value >= _DOUBTFUL:
        return "good", (
            f"Rows drawn from the mixture look like the data (p = {text}): what differs most is "
            f"{where}, by {off_by} standard deviations."
        )
    off = float(found.observed[:, 0].max())
    state: State = "bad" if off > _PLAIN else "care"
    return state, (
        f"Rows drawn from the mixture differ from the data (p = {text}): {where} lies "
        f"{off_by} standard deviations from what the "
        f"mixture makes. The distribution of no column is off by more than {percent(off, 1).text}."
    )


def _picture(inputs: Inputs, labels: NDArray[np.int64]) -> Figure:
    mixture, rows, d = inputs.mixture, inputs.rows, inputs.n_features
    wide = False
    with style():
        if d == 1:
            figure = pictures.density(rows, mixture, inputs.labels_short[0])
            alt = "Histogram of the column with the density of the mixture and of each component."
            caption = "Components have the area of their weight; the dashed line is their sum."
        elif d == 2:
            figure = pictures.contours(rows, mixture, labels, inputs.labels_short)
            alt = "Rows as points, with density contours and an ellipse for each component."
            caption = (
                "Points have the colour of their likeliest component; an ellipse holds 90 % of its "
                "component; thin lines join points of equal density."
            )
        elif d <= _MOST_PAIRED:
            figure = pictures.pairs(rows, mixture, labels, inputs.labels_short)
            alt = f"Each pair of the {d} columns as points with the components' ellipses."
            caption = "Ellipses hold 90 % of their component. On the diagonal, each column alone."
            wide = d > 3
        else:
            figure, share = _principal(inputs, labels)
            alt = f"Rows and components on the first {_COMPONENTS} principal components."
            caption = (
                f"Of {d} columns, their first {_COMPONENTS} principal components (of columns at "
                f"unit variance), which carry {percent(share, 0).text} of it; ellipses hold 90 % "
                "of their component."
            )
            wide = True
        svg = to_svg(figure)
    return Figure(svg, alt, caption, wide)


def _principal(inputs: Inputs, labels: NDArray[np.int64]):  # type: ignore[no-untyped-def]
    """Rows and mixture on the first principal components of the standardised columns."""
    rows, mixture = inputs.rows, inputs.mixture
    mean, unit = rows.mean(axis=0), rows.std(axis=0)
    z = (rows - mean) / unit
    _, values, vectors = np.linalg.svd(z[pictures.thinned(len(z))], full_matrices=False)
    turned = vectors[:_COMPONENTS]
    # The sign of a principal component is free: its largest loading is positive.
    turned = (
        turned * np.sign(turned[np.arange(len(turned)), np.abs(turned).argmax(axis=1)])[:, None]
    )
    seen = mixture.transformed(1.0 / unit, -mean / unit).transformed(turned)
    names = tuple(f"component {i + 1}" for i in range(len(turned)))
    share = float((values[: len(turned)] ** 2).sum() / (values**2).sum())
    return pictures.pairs(z @ turned.T, seen, labels, names), share


def _check_figure(inputs: Inputs, features: list[int], found: Check) -> Figure:
    """Each statistic in standard deviations of the replicates."""
    d = len(features)
    with style():
        figure, axes = panel(5.6, 1.3 + 0.24 * d)
        axes.axvspan(-1.96, 1.96, color=MUTED, alpha=0.12, linewidth=0)
        axes.axvline(0.0, color=RULE, linewidth=1.0)
        limit = max(4.0, float(np.abs(found.z).max()) * 1.1)
        for s, (mark, name) in enumerate(zip("os^v<", STATISTICS, strict=True)):
            axes.plot(
                found.z[:, s], np.arange(d) + (s - 2) * 0.13, mark, color=INK, markersize=4.5,
                alpha=0.75, label=name, linestyle="none",
            )  # fmt: skip
        axes.set(xlabel="standard deviations of the replicates from their mean",
                 xlim=(-limit, limit), ylim=(d - 0.5, -0.5))  # fmt: skip
        axes.set_yticks(range(d), [inputs.labels_short[j] for j in features])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        figure.legend(loc="outside upper center", ncols=3, fontsize=8.5, handletextpad=0.2)
        svg = to_svg(figure)
    worst = float(np.abs(found.z).max())
    return Figure(
        svg,
        f"Five statistics of each column against replicates; the most extreme is "
        f"{worst:.1f} standard deviations off.",
        "Statistics of the data beside those of replicates; about 95 % belong in the grey band.",
    )


def _table(inputs: Inputs, features: list[int], found: Check) -> Table:
    rows: list[tuple[str | Shown, ...]] = []
    for place, j in enumerate(features):
        for s, name in enumerate(STATISTICS):
            rows.append(
                (
                    inputs.labels_short[j],
                    name,
                    significant(found.observed[place, s]),
                    significant(found.low[place, s]),
                    significant(found.high[place, s]),
                )
            )
    return Table(
        "Statistics of the data and of replicates",
        ("column", "statistic", "data", "replicates from", "to (95 %)"),
        tuple(rows),
    )
