"""The table of docs/outliers.md: each call takes noise and outliers as its line says."""

import ast
import re
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from noisy_rows import TWO, with_noise

import bayesgmm
from bayesgmm import GaussianMixture, Selection, relabel, sample_posterior
from bayesgmm.errors import InvalidParameterError

pytestmark = pytest.mark.usefixtures("undrawn")

PAGE = Path(__file__).parents[1] / "docs" / "outliers.md"
TABLE = re.search(r"<!-- calls -->\n(.*?)<!-- end -->", PAGE.read_text("utf-8"), re.DOTALL)[1]
LINES = [
    [cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in TABLE.splitlines()[2:]
]
# Of each column: the argument, the words of a refusal, and those of a page.
KINDS = {
    "noise_component": ("a component of noise", "uniform noise"),
    "contaminated": ("outliers", "with outliers"),
}
VARIABLES = {"noise_component": "noise_weight", "contaminated": "outlier_proportion"}
CASES = [
    (call, kind, said) for call, *cells in LINES for kind, said in zip(KINDS, cells, strict=True)
]


@cache
def names(kind):
    x, _ = with_noise(0, 300, 20)
    fit = GaussianMixture(2, random_state=0).set_params(**{kind: True}).fit(x)
    public = {name: getattr(bayesgmm, name) for name in bayesgmm.__all__}
    named = {"e_step": bayesgmm.likelihood.e_step, "X": x, "fit": fit, "mixture": TWO}
    return {**public, **named, "posterior": draws(x, fit)}


def draws(x, fit):
    sampled = sample_posterior(x, init=fit, draws=100, tune=500, progressbar=False, rng=0)
    return relabel(sampled)


def evaluate(call, kind):
    try:
        return eval(call, dict(names(kind)))
    finally:
        plt.close("all")


def with_argument(call, kind):
    """The call with the argument: of the estimator, not of its fit."""
    if call.startswith("GaussianMixture("):
        return call.replace("(2", f"(2, {kind}=True", 1)
    return f"{call[:-1]}, {kind}=True)"


@pytest.mark.filterwarnings("ignore:The selected model")
@pytest.mark.parametrize(("call", "kind", "said"), CASES)
def test_a_call_takes_noise_and_outliers_as_the_table_says(call, kind, said):
    refusal, words = KINDS[kind]
    ast.parse(call)
    if said == "refused":
        with pytest.raises(InvalidParameterError, match=f"a fit with {refusal}"):
            evaluate(call, kind)
        return
    found = evaluate(with_argument(call, kind) if said == "yes" else call, kind)
    if said == "yes":
        fit = found.best if isinstance(found, Selection) else found
        if isinstance(fit, xr.DataTree):
            assert VARIABLES[kind] in fit["posterior"]
        elif isinstance(fit, pm.Model):
            assert VARIABLES[kind] in fit.named_vars
        elif not isinstance(fit, GaussianMixture):
            assert words in str(fit)
        elif kind == "contaminated":
            assert (fit.contamination_.inflation > 1.0).all()
        else:
            assert 0.0 < fit.noise_.weight < 0.2
    else:
        assert said == "kept"
        assert not isinstance(found, float) or np.isfinite(found)


@pytest.mark.parametrize("kind", KINDS)
def test_lines_without_noise_or_outliers_differ(kind):
    plain = GaussianMixture(2, random_state=0).fit(names(kind)["X"])
    for call in ("fit.score_samples(X)", "fit.bic()", "fit.icl()", "fit.predict(X)"):
        assert not np.array_equal(evaluate(call, kind), eval(call, {**names(kind), "fit": plain}))
