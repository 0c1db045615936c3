"""The table of docs/partial_rows.md: each call takes what its line says, and refuses the rest."""

import ast
import inspect
import re
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import bayesgmm
from bayesgmm import GaussianMixture, Mixture, simulate, structures
from bayesgmm.errors import InputError

pytestmark = pytest.mark.usefixtures("undrawn")

PAGE = Path(__file__).parents[1] / "docs" / "partial_rows.md"
TABLE = re.search(r"<!-- calls -->\n(.*?)<!-- end -->", PAGE.read_text("utf-8"), re.DOTALL)[1]
CELLS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TABLE.splitlines()[2:]]
WORDS = {"yes", "kept", "refused", ""}
LINES = {call.strip("`"): dict(zip(("nan", "errors", "weights", "structures"), rest, strict=True))
         for call, *rest in CELLS}  # fmt: skip
CODES = [each.code for each in structures()]
NAMES = {"errors": "error_covariances", "weights": "sample_weight"}
MIXTURE = Mixture([0.5, 0.5], [[0.0, 0.0], [5.0, 5.0]], [np.eye(2), np.eye(2)])
ERRORS = np.broadcast_to([0.1, 0.2], (80, 2))


@cache
def names_for(what, code="VVV"):
    """What the calls name, with rows that are complete, lack entries, have errors or weights."""
    X = simulate(
        MIXTURE,
        80,
        rng=3,
        missing=0.1 * (what == "nan"),
        error_covariances=ERRORS if what == "errors" else None,
    ).X
    added = {"errors": {"error_covariances": ERRORS}, "weights": {"sample_weight": np.arange(80)}}
    extra = added.get(what, {})
    fit = GaussianMixture(2, covariance_type=code, random_state=0).fit(X, **extra)
    return {
        **{name: getattr(bayesgmm, name) for name in bayesgmm.__all__},
        "e_step": bayesgmm.likelihood.e_step,
        "m_step": bayesgmm.likelihood.m_step,
        "X": X,
        "S": ERRORS,
        "fit": fit,
        "mixture": MIXTURE,
        "extra": extra,
        # Errors that differ between rows: the maximum under an error common to all is the same.
        "others": {
            "error_covariances": np.linspace(1.0, 3.0, 80)[:, None] * ERRORS,
            "sample_weight": np.arange(80)[::-1],
        },
    }


@cache
def posterior_of(what):
    names = names_for(what)
    posterior = bayesgmm.sample_posterior(
        names["X"], 2, draws=60, tune=100, chains=2, rng=0, progressbar=False, **names["extra"]
    )
    return bayesgmm.relabel(posterior)


def evaluate(call, what, code="VVV", *, given=()):
    """Evaluate a call with rows of a kind.

    ``given`` are arguments added to it: other errors or weights than those of the fit, which it
    keeps for its own rows.
    """
    names = dict(names_for(what, code))
    if "posterior" in re.findall(r"\w+", call):
        names["posterior"] = posterior_of(what)
    tree = ast.parse(call, mode="eval")
    for name in given:
        value = ast.Subscript(ast.Name("others", ast.Load()), ast.Constant(name), ast.Load())
        tree.body.keywords.append(ast.keyword(name, value))
    try:
        return eval(compile(ast.fix_missing_locations(tree), call, "eval"), names)
    finally:
        plt.close("all")


def numbers_in(result):
    """The numbers of a result that has a single kind of them; else none."""
    result = getattr(result, "log_likelihood_", getattr(result, "log_likelihood", result))
    return np.asarray(result) if isinstance(result, float | np.ndarray) else np.empty(0)


def parameters_of(call):
    function = ast.unparse(ast.parse(call, mode="eval").body.func)
    return inspect.signature(eval(function, dict(names_for("plain")))).parameters


def with_structure(call, code):
    """The call with a structure of its own, if it has one; else its fit has it."""
    if call.startswith("GaussianMixture"):
        return call.replace("(2", f"(2, covariance_type={code!r}", 1)
    call = call.replace(', "full"', "")
    if "covariance_type" in parameters_of(call):
        return f"{call[:-1]}, covariance_type={code!r})"
    return call


def test_the_table_has_its_words():
    assert len(LINES) == len(CELLS) > 40
    cells = {line[kind] for line in LINES.values() for kind in ("nan", "errors", "weights")}
    assert cells == WORDS


@pytest.mark.parametrize("call", LINES)
def test_complete_rows(call):
    assert np.isfinite(numbers_in(evaluate(call, "plain"))).all()


@pytest.mark.parametrize("call", LINES)
def test_missing_entries(call):
    said = LINES[call]["nan"]
    if said == "refused":
        with pytest.raises(InputError, match="NaN"):
            evaluate(call, "nan")
    elif said:
        assert np.isfinite(numbers_in(evaluate(call, "nan"))).all()
    else:
        assert "X" not in re.findall(r"\w+", call)


@pytest.mark.parametrize("kind", ["errors", "weights"])
@pytest.mark.parametrize("call", LINES)
def test_errors_and_weights(call, kind):
    said, name = LINES[call][kind], NAMES[kind]
    takes = name in parameters_of(call)
    if said == "kept":
        assert np.isfinite(numbers_in(evaluate(call, kind))).all()
        return
    assert takes == (said == "yes")
    if takes and not re.search(r"\bS\b", call):
        # Imputation leaves entries that were seen as they are.
        what = "nan" if ".impute(" in call else kind
        found = numbers_in(evaluate(call, what, given=(name,)))
        assert np.isfinite(found).all()
        if found.dtype == float and found.size:
            assert not np.array_equal(found, numbers_in(evaluate(call, what)))


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("call", [call for call, line in LINES.items() if line["structures"]])
def test_structures(call):
    assert LINES[call]["structures"] == "all"
    for code in CODES:
        refuses_nan = LINES[call]["nan"] == "refused"
        found = evaluate(with_structure(call, code), "plain" if refuses_nan else "nan", code)
        assert np.isfinite(numbers_in(found)).all()


def test_errors_that_the_page_names():
    X, fit = names_for("nan")["X"], GaussianMixture(2)
    with pytest.raises(InputError, match="only NaN in column 1"):
        fit.fit(np.where([False, True], np.nan, X))
    with pytest.raises(InputError, match="error_covariances has NaN"):
        fit.fit(X, error_covariances=np.full((80, 2), np.nan))


def test_a_fit_knows_the_errors_of_its_own_rows_only():
    names = names_for("errors")
    fit, X = names["fit"], names["X"]
    known = fit.predict_proba(X, error_covariances=ERRORS)
    assert np.array_equal(fit.predict_proba(X), known)
    assert (fit.predict_proba(X[::-1]) != known[::-1]).any()
