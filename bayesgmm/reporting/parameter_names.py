"""One form of the parameters' names on a page: "mean of x, component 0"."""

import itertools
import re
from collections.abc import Sequence

from bayesgmm.convergence.monitored import parameter_name
from bayesgmm.data.validation import Data
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import Draws
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.uncertainty.parameter_vectors import reported


def page_names(inputs: Inputs, mixture: Mixture) -> list[str]:
    """Names in the order of `reported`: weights, means, standard deviations, correlations."""
    components, names = mixture.component_words, inputs.labels_short
    pairs = [correlation_name(names, i, j) for i in range(len(names)) for j in range(i)]
    return [
        *(of_component("weight", k) for k in components),
        *(of_component(f"mean of {each}", k) for k in components for each in names),
        *(of_component(f"s.d. of {each}", k) for k in components for each in names),
        *(of_component(each, k) for k in components for each in pairs),
    ]


def correlation_name(names: Sequence[str], i: int, j: int) -> str:
    """The name of the correlation of two columns, the first of them first."""
    first, second = sorted((i, j))
    return f"correlation of {names[first]} and {names[second]}"


def in_order(d: int, k: int) -> list[int]:
    """Places of weights, means, standard deviations and correlations of `reported` on a page.

    A parameter of all components comes before the next one, and correlations are in the order of
    their columns.
    """
    pairs = [(j, i) for i in range(d) for j in range(i)]
    by_columns = sorted(range(len(pairs)), key=lambda place: pairs[place])
    means = [k + component * d + j for j in range(d) for component in range(k)]
    start = k * (1 + 2 * d)
    correlations = [
        start + component * len(pairs) + place for place in by_columns for component in range(k)
    ]
    return [*range(k), *means, *(each + k * d for each in means), *correlations]


def beside_components(inputs: Inputs, draws: Draws) -> dict[str, str]:
    """Names of noise and outliers in `compare_engines`, and on the page."""
    names = {"weight[noise]": "weight of noise"} if draws.noise is not None else {}
    if draws.outliers is not None:
        words = {"outliers": "proportion of outliers", "log inflation": "log inflation"}
        for old, new in words.items():
            for k in range(draws.n_components):
                names[f"{old}[{k}]"] = of_component(new, inputs.component_words[k])
    return names


def of_component(word: str, component: int | str) -> str:
    """The name of a component's parameter."""
    return f"{word}, component {component}"


def spelled(inputs: Inputs, text: str) -> str:
    """A sentence of the diagnoses with its parameters named as on the page."""
    known = dict(zip(reported(inputs.mixture)[0], page_names(inputs, inputs.mixture), strict=True))
    if inputs.posterior is not None:
        draws = inputs.draws
        known |= beside_components(inputs, draws)
        words = {"weight": "weight"}
        features = list(zip(draws.feature_words, inputs.labels_short, strict=True))
        for word, short in features:
            words |= {f"mean of {word}": f"mean of {short}", f"sd of {word}": f"s.d. of {short}"}
        for i, j in itertools.permutations(range(len(features)), 2):
            old = f"correlation of {features[i][0]} and {features[j][0]}"
            words[old] = correlation_name(inputs.labels_short, i, j)
        for k in range(draws.n_components):
            known |= {
                parameter_name(old, k): of_component(new, inputs.component_words[k])
                for old, new in words.items()
            }
    for old in sorted((each for each in known if each in text), key=len, reverse=True):
        text = text.replace(old, known[old])
    rows = inputs.observed
    if rows.row_names is not None:
        text = _OF_ROWS.sub(lambda found: _named(rows, found), text)
    return text


# Quantities of `monitored` that name rows.
_OF_ROWS = re.compile(
    r"\b(?:rows together with|log density at) row \d+\b|\brows \d+ and \d+ together\b"
)


def _named(rows: Data, found: re.Match[str]) -> str:
    """The words with the names of rows in place of their numbers."""
    assert rows.row_names is not None
    names = rows.row_names
    return re.sub(r"\d+", lambda number: str(names[int(number[0])]), found[0])
