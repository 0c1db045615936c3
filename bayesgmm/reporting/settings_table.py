"""The settings of a fit and of a posterior, in words."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bayesgmm.covariance.structures import as_structure, structure_words
from bayesgmm.priors.priors import Priors
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parameter_names import spelled
from bayesgmm.reporting.parts import Row, fixed
from bayesgmm.reporting.python_code import as_code, settings_of

_LONGEST = 80
_STRUCTURE = "covariance_type"
# Parameters of `GaussianMixture`.
_OF_FIT = {
    "n_components": "number of components",
    _STRUCTURE: "covariance structure",
    "tol": "change at which EM stops",
    "reg_covar": "added to the variances",
    "max_iter": "most passes over the rows",
    "n_init": "number of starts",
    "init_params": "starts",
    "weights_init": "initial weights",
    "means_init": "initial means",
    "precisions_init": "initial precisions",
    "random_state": "seed",
    "warm_start": "starts where the previous fit ended",
    "verbose": "level of progress messages",
    "verbose_interval": "iterations between progress messages",
    "eigenvalue_ratio": "largest ratio of two components' variances",
    "noise_component": "component of noise",
    "contaminated": "outliers of each component",
    "missing": "missing entries",
    "order_by": "order of the components",
    "fixed": "held parameters",
    "equal_weights": "equal weights",
}
# What `sample_posterior` records. Priors have a table of their own, and priors of EM are in it.
_OF_POSTERIOR = {
    "sampler": "sampler",
    "modes": "modes of notable mass",
    _STRUCTURE: "covariance structure",
    "n_components": "number of components",
    "seed": "seed",
    "init": "initial mixture",
    "tuning_steps": "tuning steps of each chain",
    "stopped": "end of sampling",
    "interrupted": "interrupted",
    "min_ess": "effective sample size to reach",
    "ess": "least effective sample size, as monitored",
    "rhat": "largest R-hat, as monitored",
    "khat": "Pareto k-hat of the proposals",
    "importance_ess": "effective sample size of the proposals",
    "acceptance": "proportion of proposals accepted",
    "rows_of_density": "rows by which the density was computed",
    "density_error": "error of the density",
    "rows_of_source": "rows of the source",
    "em_note": "EM's estimate",
    "versions": "versions at sampling",
    "schema_version": "version of the file's format",
}
_LEFT_OUT = {"priors", "em_priors", "inference_library", "inference_library_version"}
_WORDS: dict[str, dict[str, str]] = {
    "sampler": {
        "nutpie": "NUTS, by nutpie",
        "pymc": "NUTS, by PyMC",
        "laplace": "independent proposals at the posterior mode (Laplace's method)",
    },
    "modes": {
        "only": "one",
        "crossed": "several, and the chains move between them",
        "joined": "several, and the chains jump between them",
        "not joined": "several, and the chains do not move between all of them",
    },
    "init": {"given": "the fit that was given", "em": "EM's estimate", "starts": "starts of EM"},
    "stopped": {
        "converged": "the chains agreed",
        "min_ess": "the effective sample size was reached",
        "max_draws": "the largest number of draws was reached",
        "too slow": "longer chains would have taken too long to agree",
        "draws": "the number of draws that was given",
        "interrupted": "interrupted",
        "max_time": "the time that was given had passed",
    },
    "priors": {"default": "the default ones, in the table of priors"},
    "missing": {"at random": "missing at random", "raise": "refused"},
}


def settings_rows(inputs: Inputs) -> list[Row]:
    """The settings that differ from their defaults, and the most important ones."""
    rows: list[Row] = []
    if inputs.em is not None:
        for name, value in settings_of(inputs.em).items():
            rows.append((f"EM: {_OF_FIT.get(name, _plain(name))}", _of_fit(inputs, name, value)))
    if inputs.posterior is not None:
        given = dict(inputs.posterior.attrs)
        rows += [(f"posterior: {name}", value) for name, value in _of_posterior(inputs, given)]
    return rows


def _of_fit(inputs: Inputs, name: str, value: Any) -> str:
    """A setting of EM in words."""
    if name == _STRUCTURE:
        return _structure(inputs, value)
    match value:
        case Priors():
            words = "in the table of priors"
        case bool():
            words = _yes(value)
        case None:
            words = "none"
        case str():
            words = _WORDS.get(name, {}).get(value, value)
        case _:
            code = as_code(value)
            words = code if code is not None and len(code) <= _LONGEST else "given"
    return words


def _of_posterior(inputs: Inputs, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is recorded with the draws, in words; other programs' attributes under their names."""
    known = [name for name in _OF_POSTERIOR if name in given]
    # Times differ from run to run.
    others = sorted(
        name
        for name in map(str, given)
        if name not in _OF_POSTERIOR
        and name not in _LEFT_OUT
        and name not in {"ess_of", "rhat_of"}
        and "time" not in name
        and name != "created_at"
    )
    for name in [*known, *others]:
        yield _OF_POSTERIOR.get(name, _plain(name)), _recorded(inputs, name, given)


def _recorded(inputs: Inputs, name: str, given: Mapping[str, Any]) -> str:
    value = given[name]
    if name == _STRUCTURE:
        return _structure(inputs, value)
    if name == "interrupted":
        return _yes(bool(value))
    if name == "sampler" and given.get("modes") == "joined":
        return f"independent proposals, fitted to a run of {_WORDS[name].get(value, str(value))}"
    if name == "versions":
        return _versions(str(value))
    of = spelled(inputs, str(given.get(f"{name}_of", "")))
    text = str(value)
    if isinstance(value, float):
        text = fixed(value, 3).text if name == "rhat" else f"{value:.6g}"
    text = _WORDS.get(name, {}).get(text, text)
    return f"{text}, of {of}" if of else text


def _structure(inputs: Inputs, value: Any) -> str:
    if isinstance(value, str) and value not in structure_words():
        return value
    structure = as_structure(value)
    words = f" ({structure.words})" if inputs.n_features > 1 else ""
    return f"{structure.name}{words}"


def _versions(text: str) -> str:
    """The versions of a document, "a 1, b 2"; the text as it is if it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return text
    if not isinstance(found, dict):
        return text
    return ", ".join(f"{name} {each}" for name, each in found.items())


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _plain(name: str) -> str:
    return name.replace("_", " ")
