"""One form of the parameters' names on a page: "mean of x, component 0"."""

import itertools

from bayesgmm.convergence.monitored import parameter_name
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.uncertainty.parameter_vectors import reported


def page_names(inputs: Inputs, mixture: Mixture) -> list[str]:
    """Names in the order of `reported`: weights, means, standard deviations, correlations."""
    components, names = range(mixture.n_components), inputs.labels_short
    pairs = [f"{names[i]} and {names[j]}" for i in range(len(names)) for j in range(i)]
    return [
        *(of_component("weight", k) for k in components),
        *(of_component(f"mean of {each}", k) for k in components for each in names),
        *(of_component(f"s.d. of {each}", k) for k in components for each in names),
        *(of_component(f"correlation of {each}", k) for k in components for each in pairs),
    ]


def of_component(word: str, component: int) -> str:
    """The name of a component's parameter."""
    return f"{word}, component {component}"


def spelled(inputs: Inputs, text: str) -> str:
    """A sentence of the diagnoses with its parameters named as on the page."""
    known = dict(zip(reported(inputs.mixture)[0], page_names(inputs, inputs.mixture), strict=True))
    if inputs.posterior is not None:
        draws = inputs.draws
        words = {"weight": "weight"}
        features = list(zip(draws.feature_words, inputs.labels_short, strict=True))
        for word, short in features:
            words |= {f"mean of {word}": f"mean of {short}", f"sd of {word}": f"s.d. of {short}"}
        for (a, first), (b, second) in itertools.permutations(features, 2):
            words[f"correlation of {a} and {b}"] = f"correlation of {first} and {second}"
        for k in range(draws.n_components):
            known |= {parameter_name(old, k): of_component(new, k) for old, new in words.items()}
    for old in sorted((each for each in known if each in text), key=len, reverse=True):
        text = text.replace(old, known[old])
    return text
