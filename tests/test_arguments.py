"""Arguments of the wrong kind, of every public function and method: the package's own errors.

The table of calls in `support/public_calls.py` gives the kind of each argument; each argument is
given the values that its kind must refuse. A public function that is not in the table, or an
argument, fails the test.
"""

import inspect
import warnings
from functools import cache
from typing import get_args

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from fuzzing import fuzz
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from public_calls import calls, things

import bayesgmm
from bayesgmm import GaussianMixture, Mixture
from bayesgmm.errors import BayesGMMError, BayesGMMWarning, NotFittedError

mpl.use("Agg")

# Public, but not in the table: results, which users do not construct, and methods that are called
# with checked arrays.
RESULTS = {
    "Agreement", "BootstrapLRT", "Boundaries", "Calibration", "Dataset", "Degeneracy",
    "Evidence", "Explorer", "Fault",
    "HighestDensityRegion", "Noise", "Contamination",
    "LabelSwitching", "LikelihoodBound", "Merging", "Partition", "Recovery", "RecoveryStudy",
    "ConditionalMoments",
    "PriorSensitivity", "Report", "ResolvedPriors",
    "Score", "Selection", "Simulation", "StandardErrors", "Statistics", "Structure",
}  # fmt: skip
UNCHECKED = {
    *(f"{family}.{method}" for family in ("LKJ", "InverseGamma", "InverseWishart")
      for method in ("log_density", "scaled", "resolved", "expected_scale", "of_component")),
    *(f"Structure.{name}" for name, item in vars(bayesgmm.Structure).items()
      if inspect.isfunction(item)),
    *(f"ResolvedPriors.{method}"
      for method in ("parts", "transformed", "best_order", "equal_for", "in_order", "of_means",
                     "with_order", "without_order")),
    *(f"{each.__name__}.{name}" for each in (bayesgmm.Noise, bayesgmm.Contamination)
      for name, item in vars(each).items()
      if inspect.isfunction(getattr(item, "__func__", item))),
    "GaussianMixture.weights_of", "GaussianMixture.errors_of", "GaussianMixture.labels_of",
    "Degeneracy.permuted",
    # scikit-learn's.
    "GaussianMixture.set_fit_request", "GaussianMixture.set_partial_fit_request",
    "GaussianMixture.set_score_request",
}  # fmt: skip
# Switches, of which anything with a truth value will do, and what scikit-learn ignores.
FREE = {
    "progressbar", "y", "hierarchical", "with_log_likelihood", "with_posterior_predictive",
    "kwargs", "options", "unlabelled",
}  # fmt: skip


# --- the walk -----------------------------------------------------------------------------------


def outcome(call, arguments):
    """The error of a call, or None; warnings of others are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", BayesGMMWarning)
        try:
            call(**arguments)
        except Exception as error:
            return error
        finally:
            plt.close("all")
    return None


def text_of(value):
    try:
        return f"{value!r:.60}"
    except RuntimeError:
        return "an object without a text"


@pytest.mark.parametrize("name", bayesgmm.__all__)
def test_wrong_arguments_are_refused_in_words(name):
    wrong = []
    for line, call, sound, kinds in calls():
        if line.split(".")[0] != name:
            continue
        for argument, values in kinds.items():
            for value in values:
                error = outcome(call, sound | {argument: value})
                where = f"{line}({argument}={text_of(value)})"
                if error is None:
                    wrong.append(f"{where} is taken")
                elif not isinstance(error, BayesGMMError):
                    wrong.append(f"{where}: {type(error).__name__}: {error}")
                elif len(str(error)) < 20:
                    wrong.append(f"{where} is no sentence: {error}")
    assert not wrong, "\n".join(wrong)


def test_sound_arguments_are_taken(tmp_path, monkeypatch):
    """Every public call works, of any versions of Python and of the dependencies."""
    monkeypatch.chdir(tmp_path)
    refused = {
        line: repr(error) for line, call, sound, _ in calls() if (error := outcome(call, sound))
    }
    assert not refused


def public_callables():
    """Every public function, class and method, with its signature."""
    room = bayesgmm.likelihood
    names = [(bayesgmm, name) for name in bayesgmm.__all__]
    for owner, name in names + [(room, name) for name in room.__all__]:
        item = getattr(owner, name)
        if inspect.isclass(item):
            if name not in RESULTS:
                yield name, item
            for method, function in vars(item).items():
                plain = inspect.isfunction(function) or isinstance(function, classmethod)
                if plain and not method.startswith("_"):
                    yield f"{name}.{method}", getattr(item, method)
            # scikit-learn's mixins bring some of the estimator's.
        elif callable(item):
            yield name, item


def test_every_public_argument_has_a_kind():
    known = {}
    for name, _, _, kinds in calls():
        known.setdefault(name, set()).update(kinds)
    for name, item in public_callables():
        if name in UNCHECKED:
            continue
        assert name in known, f"{name} is public, but not in the table"
        arguments = set(inspect.signature(item).parameters) - {"self"} - FREE
        assert not arguments - known[name], f"{name}: {arguments - known[name]} have no kind"


# --- fits for mixtures --------------------------------------------------------------------------


def members(annotation):
    """The types of an annotation: those of a union, and those behind a name."""
    annotation = getattr(annotation, "__value__", annotation)
    parts = get_args(annotation)
    return {each for part in parts for each in members(part)} if parts else {annotation}


def mixtures_meant():
    """Names of public calls, and their arguments that may be a mixture."""
    for name, item in public_callables():
        for argument, parameter in inspect.signature(item).parameters.items():
            if name not in UNCHECKED and Mixture in members(parameter.annotation):
                yield name, argument


@pytest.mark.parametrize(("name", "argument"), sorted(set(mixtures_meant())))
def test_a_fit_is_taken_wherever_a_mixture_is_meant(name, argument):
    found = [(call, sound) for each, call, sound, _ in calls() if each == name]
    assert found
    for call, sound in found:
        arguments = dict(sound)
        if name == "score":  # the statistics must be those of the mixture
            arguments["statistics"] = bayesgmm.likelihood.e_step(things().X, things().fit)
        assert outcome(call, arguments | {argument: things().fit}) is None
        error = outcome(call, arguments | {argument: GaussianMixture(2)})
        assert isinstance(error, NotFittedError)
        assert str(error).startswith(f"{argument} is a GaussianMixture that is not fitted")


def test_mixtures_are_meant_in_many_places():
    assert {name for name, _ in mixtures_meant()} >= {
        "align", "compare_engines", "e_step", "merge_components", "overlap", "plot_mixture",
        "recovery", "relabel", "report", "simulate",
    }  # fmt: skip


@pytest.mark.parametrize("one", [1, np.int64(1), np.uint8(1)])
def test_counts_are_integers_of_any_type(one):
    t = things()
    assert len(t.mixture.sample(one, rng=one)[0]) == 1
    assert bayesgmm.simulate(t.mixture, one, rng=one).X.shape == (1, 2)
    assert bayesgmm.random_mixture(one, one, rng=one).n_components == 1
    assert t.merging.clusters(one).tolist() == [0, 0]
    assert t.mixture.marginal(one).n_features == 1
    assert t.mixture.regress(t.X[:, :1], one - one).mean.shape == (60, 1)
    found = t.fit.standard_errors(t.X, "bootstrap", n_resamples=one + one, n_jobs=one, rng=one)
    assert found.replicates.shape[0] <= 2
    tested = bayesgmm.bootstrap_lrt(t.X, one, n_resamples=one, n_jobs=one, rng=one)
    assert len(tested.replicates) == 1


def test_seeds_of_every_kind_are_taken():
    mixture = things().mixture
    for seed in (None, 0, [1, 2], np.random.SeedSequence(1), np.random.PCG64(1)):
        assert mixture.sample(2, rng=seed)[0].shape == (2, 2)
    generator = np.random.default_rng(1)
    assert not np.array_equal(mixture.sample(2, generator)[0], mixture.sample(2, generator)[0])


# --- at random ----------------------------------------------------------------------------------

ATOMS = (
    st.sampled_from([None, True, 2**70, -(2**70), 1j, b"a", object(), np.array(1.5), pd.NA])
    | st.integers(-2, 4)
    | st.floats()
    | st.text(max_size=3)
)
ANYTHING = (
    ATOMS
    | st.lists(ATOMS, max_size=3)
    | st.lists(st.lists(ATOMS, max_size=2), max_size=3)
    | st.dictionaries(st.text(max_size=2), ATOMS, max_size=2)
)
# Not at random: what would write files, and what takes seconds where it is sound.
LONG = {"sample_posterior", "mixture_model", "report"}


@pytest.fixture(scope="module")
def known_calls():
    import pymc  # noqa: F401  # sets the recursion limit, which hypothesis watches

    quick_calls()


@cache
def quick_calls():
    return [each for each in calls() if each[0] not in LONG and each[3] and "path" not in each[3]]


@pytest.mark.usefixtures("known_calls")
@fuzz(300)
@given(st.integers(0, 10**6), st.lists(st.tuples(st.integers(0, 20), ANYTHING), max_size=2))
def test_any_arguments_are_taken_or_refused_in_words(where, changes):
    line, call, sound, kinds = quick_calls()[where % len(quick_calls())]
    names = sorted(kinds)
    changed = {names[at % len(names)]: value for at, value in changes}
    error = outcome(call, sound | changed)
    assert error is None or isinstance(error, BayesGMMError), (line, changed, repr(error))
