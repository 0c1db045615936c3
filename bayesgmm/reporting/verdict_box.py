"""The box at the head of the page: what the mixture is, and whether to believe it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    Section,
    State,
    UnavailableError,
    fixed,
    listed,
    numeral,
    percent,
    plural,
    significant,
)

_BELIEF = {
    "bad": "Serious problems: do not interpret this fit as it stands",
    "care": "Interpret with care",
    "good": "All checks passed",
    "unknown": "No checks were possible",
}
_MOST_NAMED = 8
# A mean stays in one line with its spread.
_PM = "\N{NO-BREAK SPACE}\N{PLUS-MINUS SIGN}\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Summary:
    """What the mixture is, in words, and the verdicts of the sections.

    Attributes
    ----------
    state : State
        The worst of the reasons.
    headline : str
    components : tuple of (int or None, str)
        The component's index, and what it is.
    belief : str
    reasons : tuple of Section
        Those that were checked, the worst first.
    """

    state: State
    headline: str
    components: tuple[tuple[int | None, str], ...]
    belief: str
    reasons: tuple[Section, ...]

    def document(self) -> dict[str, Any]:
        """Return the sentences for machines."""
        return {
            "state": self.state,
            "headline": self.headline,
            "components": [sentence for _, sentence in self.components],
            "verdict": self.belief,
            "reasons": [{"section": r.key, "state": r.state} for r in self.reasons],
        }


def summarise(inputs: Inputs, sections: Sequence[Section]) -> Summary:
    """Judge the sections together."""
    order: tuple[State, ...] = ("bad", "care", "good")
    judged = [section for section in sections if section.state in order]
    reasons = sorted(judged, key=lambda section: order.index(section.state or "good"))
    state: State = (reasons[0].state or "unknown") if reasons else "unknown"
    because = [section for section in reasons if section.state == state]
    unknown = [_lowered(section.title) for section in sections if section.state == "unknown"]
    belief = _BELIEF[state]
    if state in ("bad", "care"):
        belief += f": {listed([_inside(section.title) for section in because])} "
        belief += "says why." if len(because) == 1 else "say why."
    else:
        belief += "."
    if unknown:
        belief += f" Not checked: {listed(unknown)}."
    try:
        headline, components = _in_words(inputs)
    except UnavailableError:
        headline, components = _rows_in_words(inputs) + ", no mixture", ()
    return Summary(state, headline, components, belief, tuple(reasons))


def _inside(title: str) -> str:
    """Return a title as it stands inside a sentence."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{title}\N{RIGHT DOUBLE QUOTATION MARK}"


def _lowered(title: str) -> str:
    """Return a title as it goes on in a sentence; abbreviations stay."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _rows_in_words(inputs: Inputs) -> str:
    return f"{plural(len(inputs.X), 'row')} of {plural(inputs.n_features, 'column')}"


def _in_words(inputs: Inputs) -> tuple[str, tuple[tuple[int | None, str], ...]]:
    mixture = inputs.mixture
    k = mixture.n_components
    noun = "component" if k == 1 else "components"
    headline = f"{numeral(k).capitalize()} {noun} for {_rows_in_words(inputs)}"
    largest = np.argsort(-mixture.weights, kind="stable")[:_MOST_NAMED]
    telling = telling_features(inputs)[:3]
    sentences: list[tuple[int | None, str]] = []
    for i in sorted(largest.tolist()):
        spread = np.sqrt(mixture.variances[i])
        places = listed(
            [f"{inputs.labels_short[j]} {_about(mixture.means[i, j], spread[j])}" for j in telling]
        )
        share = percent(mixture.weights[i], 0 if mixture.weights[i] >= 0.01 else 2).text
        sentences.append((i, f"Component {i}, {share} of the rows: {places}"))
    if k > len(largest):
        sentences.append((None, f"and {k - len(largest)} smaller ones"))
    return headline, tuple(sentences)


def telling_features(inputs: Inputs) -> list[int]:
    """Return the columns whose means differ most between components, in the columns' order.

    All of them where there are three or fewer; else the three whose means spread most beside the
    standard deviations within the components.
    """
    mixture = inputs.mixture
    if mixture.n_features <= 3:
        return list(range(mixture.n_features))
    apart = mixture.means - mixture.mean()
    between = mixture.weights @ apart**2
    within = mixture.weights @ mixture.variances
    return sorted(np.argsort(-between / within, kind="stable")[:3].tolist())


def _about(mean: float, deviation: float) -> str:
    decimals = max(0, 1 - int(np.floor(np.log10(deviation)))) if deviation > 0 else 4
    if decimals > 9 or abs(mean) >= 1e9:
        return f"{significant(mean).text}{_PM}{significant(deviation, 2).text}"
    return f"{fixed(mean, decimals).text}{_PM}{fixed(deviation, decimals).text}"
