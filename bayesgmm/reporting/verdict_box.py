"""The box at the head of the page: a description of the mixture, and the overall verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.display import listed, plural
from bayesgmm.errors import BayesGMMError
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.mixture_pictures import head_figure
from bayesgmm.reporting.parts import (
    Figure,
    Section,
    State,
    UnavailableError,
    fixed,
    numeral,
    percent,
    significant,
)
from bayesgmm.reporting.sections.parameters import shown_features

_VERDICTS = {
    "bad": "Serious problems: do not interpret this fit as it stands",
    "care": "Interpret with care",
    "good": "All checks passed",
    "unknown": "No checks were possible",
}
_MOST_NAMED = 8
# No line break between a mean and its standard deviation.
_PM = "\N{NO-BREAK SPACE}\N{PLUS-MINUS SIGN}\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Summary:
    """Description of the mixture in words, and the verdicts of the sections.

    Attributes
    ----------
    state : State
        The worst of the reasons.
    headline : str
    components : tuple of (int or None, str)
        The component's index and description.
    verdict : str
    reasons : tuple of Section
        Sections with a judgement, the worst first.
    figure : Figure or None
        The mixture over the rows.
    """

    state: State
    headline: str
    components: tuple[tuple[int | None, str], ...]
    verdict: str
    reasons: tuple[Section, ...]
    figure: Figure | None = None

    def document(self) -> dict[str, Any]:
        """Return the sentences."""
        return {
            "state": self.state,
            "headline": self.headline,
            "components": [sentence for _, sentence in self.components],
            "verdict": self.verdict,
            "reasons": [{"section": r.key, "state": r.state} for r in self.reasons],
        }


def summarise(inputs: Inputs, sections: Sequence[Section]) -> Summary:
    """Summarise the verdicts of the sections."""
    order: tuple[State, ...] = ("bad", "care", "good")
    judged = [section for section in sections if section.state in order]
    reasons = sorted(judged, key=lambda section: order.index(section.state or "good"))
    state: State = (reasons[0].state or "unknown") if reasons else "unknown"
    because = [section for section in reasons if section.state == state]
    unknown = [_lowered(section.title) for section in sections if section.state == "unknown"]
    verdict = _VERDICTS[state]
    if state in ("bad", "care"):
        verdict += f": see {listed([_inside(section.title) for section in because])}."
    else:
        verdict += "."
    if unknown:
        verdict += f" Not checked: {listed(unknown)}."
    try:
        headline, components = in_words(inputs)
    except UnavailableError:
        headline, components = _rowsin_words(inputs) + ", no mixture", ()
    return Summary(state, headline, components, verdict, tuple(reasons), _picture(inputs))


def _inside(title: str) -> str:
    """Return a title in quotation marks."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{title}\N{RIGHT DOUBLE QUOTATION MARK}"


def _lowered(title: str) -> str:
    """Return a title for use within a sentence; abbreviations keep their capitals."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _rowsin_words(inputs: Inputs) -> str:
    return f"{plural(len(inputs.observed.X), 'row')} of {plural(inputs.n_features, 'column')}"


def in_words(inputs: Inputs) -> tuple[str, tuple[tuple[int | None, str], ...]]:
    """The headline, and a description of each component with its index."""
    mixture = inputs.mixture
    k = mixture.n_components
    noun = "component" if k == 1 else "components"
    noun += " and uniform noise" * (inputs.noise is not None)
    noun += " with outliers" * (inputs.contamination is not None)
    headline = f"{numeral(k).capitalize()} {noun} for {_rowsin_words(inputs)}"
    largest = np.argsort(-mixture.weights, kind="stable")[:_MOST_NAMED]
    features = shown_features(inputs, 3)
    sentences: list[tuple[int | None, str]] = []
    for i in sorted(largest.tolist()):
        spread = np.sqrt(mixture.variances[i])
        places = listed(
            [f"{inputs.labels_short[j]} {_about(mixture.means[i, j], spread[j])}" for j in features]
        )
        share = _share((1.0 - inputs.noise_weight) * mixture.weights[i])
        sentences.append(
            (i, f"Component {inputs.component_words[i]} ({share} of the rows): {places}")
        )
    if sentences:
        of = "each column"
        if len(features) < inputs.n_features:
            of = f"{len(features)} of {inputs.n_features} columns"
            of += ", those that separate the components best" * (k > 1)
        sentences.append((None, f"Given are mean{_PM}standard deviation of {of}"))
    if k > len(largest):
        sentences.append((None, f"{plural(k - len(largest), 'smaller component')}"))
    if inputs.noise is not None:
        found = plural(int((inputs.assigned[0] < 0).sum()), "row")
        noise = f"Noise ({_share(inputs.noise_weight)} of the rows)"
        sentences.append((None, f"{noise}: {found} most probably outside all components"))
    if inputs.contamination is not None:
        found = plural(int((inputs.outlying > 0.5).sum()), "row")
        sentences.append((None, f"Outliers: {found} most probably far from their own component"))
    return headline, tuple(sentences)


def _share(weight: float) -> str:
    return percent(weight, 0 if weight >= 0.01 else 2).text


def _picture(inputs: Inputs) -> Figure | None:
    """The mixture over the rows; None without either."""
    try:
        return head_figure(inputs.observed, inputs.described, inputs.drawing)
    except (UnavailableError, BayesGMMError):
        return None  # the sections say why


def _about(mean: float, deviation: float) -> str:
    decimals = max(0, 1 - int(np.floor(np.log10(deviation)))) if deviation > 0 else 4
    if decimals > 9 or abs(mean) >= 1e9:
        return f"{significant(mean).text}{_PM}{significant(deviation, 2).text}"
    return f"{fixed(mean, decimals).text}{_PM}{fixed(deviation, decimals).text}"
