"""The table of docs/outliers.md: each call takes noise as its line says."""

import ast
import re
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from noisy_rows import TWO, with_noise

import bayesgmm
from bayesgmm import GaussianMixture, Selection
from bayesgmm.errors import InvalidParameterError

PAGE = Path(__file__).parents[1] / "docs" / "outliers.md"
TABLE = re.search(r"<!-- calls -->\n(.*?)<!-- end -->", PAGE.read_text("utf-8"), re.DOTALL)[1]
LINES = dict(
    [cell.strip().strip("`") for cell in line.split("|")[1:-1]] for line in TABLE.splitlines()[2:]
)


@cache
def names():
    x, _ = with_noise(0, 300, 20)
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    public = {name: getattr(bayesgmm, name) for name in bayesgmm.__all__}
    return {**public, "e_step": bayesgmm.likelihood.e_step, "X": x, "fit": fit, "mixture": TWO}


def evaluate(call):
    try:
        return eval(call, dict(names()))
    finally:
        plt.close("all")


def with_argument(call):
    """The call with noise_component=True: of the estimator, not of its fit."""
    if call.startswith("GaussianMixture("):
        return call.replace("(2", "(2, noise_component=True", 1)
    return f"{call[:-1]}, noise_component=True)"


@pytest.mark.filterwarnings("ignore:The selected model")
@pytest.mark.parametrize("call", LINES)
def test_a_call_takes_noise_as_the_table_says(call):
    said = LINES[call]
    ast.parse(call)
    if said == "refused":
        with pytest.raises(InvalidParameterError, match="component of noise"):
            evaluate(call)
        return
    found = evaluate(with_argument(call) if said == "yes" else call)
    if said == "yes":
        fit = found.best if isinstance(found, Selection) else found
        if isinstance(fit, GaussianMixture):
            assert 0.0 < fit.noise_.weight < 0.2
        else:
            assert "uniform noise" in str(fit)
    else:
        assert said == "kept"
        assert not isinstance(found, float) or np.isfinite(found)


def test_lines_without_noise_differ():
    plain = GaussianMixture(2, random_state=0).fit(names()["X"])
    for call in ("fit.score_samples(X)", "fit.bic()", "fit.icl()", "fit.predict(X)"):
        assert not np.array_equal(evaluate(call), eval(call, {**names(), "fit": plain}))
