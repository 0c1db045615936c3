"""Python code that makes a page again."""

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.priors.families import LKJ, InverseGamma, InverseWishart
from bayesgmm.priors.hyperpriors import Gamma, Wishart
from bayesgmm.priors.priors import Priors
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.selection.grid_data import SAMPLE
from bayesgmm.selection.possible_models import check_structures

if TYPE_CHECKING:
    import pandas as pd

# Settings with a line of their own, if they are longer than this.
_SHORT = 40
# Defaults of `sample_posterior`.
_CHAINS, _TUNE = 4, 1000
_COMMENTS = {"fixed": "the held values", "priors": "the priors"}


def settings_of(em: Any) -> dict[str, Any]:
    """The parameters that differ from their defaults, and the most important ones."""
    default = type(em)()
    return {
        name: value
        for name, value in em.get_params().items()
        if name in {"n_components", "covariance_type", "random_state"}
        or repr(value) != repr(getattr(default, name))
    }


def as_code(value: Any) -> str | None:
    """An expression for a value, where there is one: numbers, words, lists of them, priors."""
    match value:
        case Structure():
            code: str | None = repr(value.name)
        case np.ndarray() | np.generic():
            code = as_code(value.tolist())
        case float() if not np.isfinite(value):
            code = f'float("{value}")'
        case None | bool() | int() | str() | float():
            code = repr(value)
        case list() | tuple():
            each = [as_code(part) for part in value]
            code = None if None in each else f"[{', '.join(map(str, each))}]"
        case Priors() | Gamma() | Wishart() | InverseGamma() | InverseWishart() | LKJ():
            given = [(f.name, getattr(value, f.name)) for f in fields(value)]
            given = [
                own for own, f in zip(given, fields(value), strict=True) if own[1] != f.default
            ]
            words = [f"{name}={as_code(part)}" for name, part in given]
            code = f"bg.{type(value).__name__}({', '.join(words)})"
        case _:
            code = None
    return code


def python_code(inputs: Inputs) -> str:
    """The code, with a line for each thing that the user has to fill in."""
    lines = ["import bayesgmm as bg", "", inputs.reading or "X = ...  # the rows"]
    arguments = ["X"]
    if inputs.em is not None:
        lines += _selected(inputs) if inputs.searched else _fit(inputs)
        arguments.append("em=em")
        if inputs.searched:
            arguments.append("selection=selection")
    if inputs.posterior is not None:
        lines += _posterior(inputs)
        arguments.append("posterior=posterior")
    if inputs.labels is not None:
        if "groups" not in _names_read(inputs):
            lines.append("groups = ...  # the known group of each row")
        arguments.append("labels=groups")
    if inputs.truth is not None:
        lines.append('truth = bg.Mixture.from_json("truth.json")')
        arguments.append("truth=truth")
    lines.append(f'bg.report({", ".join(arguments)}).save("report.html")')
    return "\n".join(lines)


def _fit(inputs: Inputs) -> Iterator[str]:
    """The lines that make the fit."""
    em = inputs.em
    assert em is not None
    settings = settings_of(em)
    words = [str(as_code(settings.pop("n_components")))]
    for name, value in sorted(settings.items(), key=lambda each: each[0] != "fixed"):
        code = None if name == "fixed" else as_code(value)
        if code is None:
            yield f"{name} = ...  # {_COMMENTS.get(name, 'as for the fit')}"
        elif len(code) > _SHORT:
            yield f"{name} = {code}"
        short = code is not None and len(code) <= _SHORT
        words.append(f"{name}={code if short else name}")
    lines, beside = _beside_rows(inputs, em)
    yield from lines
    yield f"em = bg.GaussianMixture({', '.join(words)}).fit({', '.join(['X', *beside])})"


def _beside_rows(inputs: Inputs, em: GaussianMixture) -> tuple[list[str], list[str]]:
    """Lines to fill in, and arguments, for what the fit knew of the rows beside their values."""
    rows = inputs.observed.X
    known = [
        (inputs.known, "known", "labels", "the component of each row, or -1"),
        (em.weights_of(rows), "weights", "sample_weight", "the number of times that each counts"),
        (em.errors_of(rows), "errors", "error_covariances", "the error covariance of each row"),
    ]
    given = [each for each in known if each[0] is not None]
    read = _names_read(inputs)
    lines = [f"{name} = ...  # {what}" for _, name, _, what in given if name not in read]
    return lines, [f"{argument}={name}" for _, name, argument, _ in given]


def _names_read(inputs: Inputs) -> list[str]:
    """The variables that the code which reads the rows makes."""
    return re.findall(r"^(\w+) = ", inputs.reading or "", re.MULTILINE)


def _selected(inputs: Inputs) -> Iterator[str]:
    """The lines that select the model from the grid again."""
    em, table = inputs.em, inputs.selection
    assert em is not None
    assert table is not None
    ks = sorted({int(k) for k in table["n_components"]})
    grid = f"range({ks[0]}, {ks[-1] + 1})" if len(ks) == ks[-1] - ks[0] + 1 else repr(ks)
    words = ["X", grid]
    codes = [str(code) for code in dict.fromkeys(table["covariance_type"])]
    if len(codes) < len(check_structures("all", inputs.n_features)):
        words.append(repr(codes))
    criterion = _criterion(table, em)
    words += [f"criterion={criterion!r}"] * (criterion != "bic")
    kept = {"eigenvalue_ratio", "equal_weights", "noise_component", "contaminated"}
    settings = settings_of(em).items()
    words += [f"{name}={as_code(value)}" for name, value in settings if name in kept]
    lines, beside = _beside_rows(inputs, em)
    yield from lines
    # The seed matters for folds, and where a sample of the rows is searched; it is not recorded.
    seed = "..." if criterion == "cv" or len(inputs.observed.X) > SAMPLE else "0"
    yield f"selection = bg.select_mixture({', '.join([*words, *beside, f'rng={seed}'])})"
    yield "em = selection.best"


def _criterion(table: "pd.DataFrame", em: GaussianMixture) -> str:
    """The criterion by which a model of the table was selected."""
    if "cv_log_likelihood" in table.columns:
        return "cv"
    admissible = table[table["note"] == ""]
    own = em.n_components, as_structure(em.covariance_type, em.n_features_in_).code
    for criterion in ("bic", "icl"):
        best = admissible.loc[admissible[criterion].idxmin()]
        if (best["n_components"], best["covariance_type"]) == own:
            return criterion
    return "aic"


def _posterior(inputs: Inputs) -> Iterator[str]:
    """The lines that draw from the posterior, with its seed where it is recorded."""
    attributes, em = inputs.posterior.attrs, inputs.em
    words = [str(inputs.mixture.n_components) if em is None else "init=em"]
    structure = attributes.get("covariance_type", "full")
    if structure != ("full" if em is None else em._structure.name):
        words.append(f"covariance_type={structure!r}")
    given, rows = inputs.priors_of_posterior, inputs.observed
    if given is not None:
        usual = None if em is None else em.priors_
        if usual is None:
            usual = Priors().for_data(
                rows, given.n_components, structure, sample_weight=rows.weights
            )
        if given != usual:
            yield f"priors = {as_code(Priors.from_resolved(given))}"
            words.append("priors=priors")
    if attributes.get("stopped") == "draws":
        words.append(f"draws={inputs.draws.n_draws}")
    if inputs.draws.n_chains != _CHAINS:
        words.append(f"chains={inputs.draws.n_chains}")
    if attributes.get("sampler") == "laplace":
        words.append("method='laplace'")
    elif attributes.get("tuning_steps", _TUNE) != _TUNE:
        words.append(f"tune={attributes['tuning_steps']}")
    seed = str(attributes.get("seed", ""))
    words.append(f"rng={seed if seed.isdigit() else '...'}")
    yield f"posterior = bg.sample_posterior(X, {', '.join(words)})"
