"""What commands print speaks of their options, and never of Python's parameters and functions."""

import ast
import inspect
import re
from pathlib import Path

import click
import numpy as np
import pytest

import bayesgmm
from bayesgmm.cli import main
from bayesgmm.cli.wording import in_options, results_in_options

PACKAGE = Path(bayesgmm.__file__).parent
# Rooms that no command enters with arguments of its own, or whose texts show Python beside it.
NOT_REACHED = (
    "calibration",
    "classification",
    "cli",
    "core",
    "data/text_entries.py",  # commands have tables, whose text they name themselves
    "executors",
    "partitions",
    "plots",
    "pymc_models",
    "reporting",
    "simulation/random_mixtures.py",
    "sources",
    "arguments.py",
    "diagnostics/recovery_study.py",
    "diagnostics/simulated_recovery.py",
    "diagnostics/truth_recovery.py",
    "diagnostics/em_vs_posterior.py",
    "estimator/fit_plots.py",
    "estimator/fitted_rows.py",
    "estimator/json_values.py",
    "estimator/saved_fit.py",
    "estimator/source_fit.py",
    "estimator/source_results.py",
    "em/streamed_fit.py",
    "explorer",
    "initialisation/user_given.py",
    "initialisation/hierarchical_clustering.py",
    "mixture/scikit_learn_mixtures.py",
    "mixture/univariate_density.py",
    "mixture/regression.py",
    "mixture/mixture.py",  # predict compares the columns itself
    "mixture/fitted_mixture.py",
    "posterior/predictions.py",
    "posterior/reader.py",  # draws of other programs
    "priors/held_parameters.py",
    "selection/combining_components.py",
    "selection/likelihood_ratio_test.py",
    "uncertainty/bootstrap.py",
    "uncertainty/standard_errors.py",  # kind= of intervals
)
# The sentences of pages that are printed, too.
PRINTED = ("reporting/overlap.py", "reporting/sections/em_starts.py", "reporting/verdict_box.py")
# Parts of sentences on arguments that commands do not have.
NOT_GIVEN = (
    "these priors differ between components",  # order_by is checked beside them
    "priors and reg_covar both",
    "warm_start",
    "n_samples'",
    "open_rows",
    "a source of rows",
    "feature_names",
    "pandas.Categorical",
    "toarray()",
    "NumPy cannot read",
    "that cannot be read",
    "float() argument",
    "2D array of rows",
    "a minimum of 1 is required",
    "while a minimum of 2",  # scikit-learn's words; the rest is translated
    "sample_weight must have shape",
    "error_covariances has the shape",
    "error_covariances has the columns",
    "error_covariances is not",
    "group 'observed_data'",
    "group 'constant_data'",
    "numpy.inf",
    "fixed and equal_weights hold",
    "fixed or equal_weights",
    "equal_weights=True holds",
    "ordered",  # fields of a file of priors
    "'starts', a fitted",
    "a mapping of names",
    "a ResolvedPriors",
    "missing='tied' would remove",  # a number in its place is translated; see below
    "is empty. Give at least one K",
    "Relabel first",
    "from memberships alone",
    "From memberships alone",
    "the fitted rows as X",
    "the posterior has no observed_data",
    "Memberships are of the fitted rows",
    "No labels of the rows",
)


def names_of_python():
    """Parameters with an underscore, and public functions and classes."""
    functions = [
        bayesgmm.GaussianMixture,
        bayesgmm.GaussianMixture.fit,
        bayesgmm.select_mixture,
        bayesgmm.sample_posterior,
        bayesgmm.report,
        bayesgmm.evidence,
        bayesgmm.relabel,
    ]
    found = {each for f in functions for each in inspect.signature(f).parameters if "_" in each}
    public = {each for each in bayesgmm.__all__ if re.search("[a-z]_?[A-Z]|_", each)}
    families = {"InverseGamma", "InverseWishart"}  # names in files of priors, too
    return found | public - families


PYTHON = re.compile(
    rf"(?<![\w'])(?:{'|'.join(sorted(names_of_python()))})(?![\w'])"
    r"|\b[a-z]+_=|\b[a-z_]+=['\"\w]|\b[a-z_]+\(\)|\b[a-z]+_(?!\w)|\bX\b"
    r"|\b(?:None(?! of)|True|False)\b"
)


def text_of(node):
    """A string of the source, with a word or number in place of each value."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    parts = [
        each.value
        if isinstance(each, ast.Constant)
        else "'tied'"
        if each.conversion == ord("r")
        else "3"
        for each in node.values
    ]
    return "".join(parts)


def sentences():
    """Strings of several words in rooms that commands reach, but for documentation."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name.startswith(NOT_REACHED) and name not in PRINTED:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        skipped = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                skipped |= {id(each) for each in ast.walk(node) if each is not node}
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                skipped.add(id(node.value))  # docstrings
            for kind in ("annotation", "returns"):
                if getattr(node, kind, None) is not None:
                    skipped |= {id(each) for each in ast.walk(getattr(node, kind))}
        for node in ast.walk(tree):
            if id(node) in skipped or not isinstance(node, ast.Constant | ast.JoinedStr):
                continue
            text = text_of(node)
            if text and len(re.findall(r"\b[a-z]+\b", text)) > 3 and "|" not in text:
                yield f"{name}:{node.lineno}", text


@pytest.mark.parametrize("command", ["fit", "select", "report", "sample", "explore"])
def test_no_word_of_python_is_left_in_a_message(command):
    wrong, seen = [], 0
    with click.Context(main.commands[command]):
        for place, text in sentences():
            if any(part in text for part in NOT_GIVEN):
                continue
            seen += bool(PYTHON.search(text))
            found = PYTHON.search(in_options(text))
            if found:
                wrong.append(f"{place}: {found[0]!r} in {in_options(text)!r}")
    assert not wrong, "\n".join(wrong)
    assert seen > 40


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Data of several kinds, and priors, in the current folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2)) + 6.0 * rng.integers(0, 2, 60)[:, np.newaxis]
    tables = {
        "two": np.column_stack((x, np.ones(60))),
        "constant": np.column_stack((x, x[:, 0])),
        "few": np.column_stack((rng.integers(0, 3, 60), x[:, 0], np.ones(60))),
        "short": x[:3],
        "missing": np.where(rng.random((60, 2)) < 0.1, np.nan, x),
    }
    for name, table in tables.items():
        heads = ",".join("abcdef"[: table.shape[1]])
        np.savetxt(f"{name}.csv", table, delimiter=",", header=heads, comments="", fmt="%.6g")
    for name, text in {
        "lkj": '{"covariances": "lkj"}',
        "low": '{"concentration": 0.5}',
        "negative": '{"concentration": -1}',
        "word": '{"covariances": "flat"}',
        "kind": '{"covariances": {"family": "InverseGamma", "shape": 2, "scale": 1}}',
    }.items():
        Path(f"{name}.json").write_text(text)


PROVOKED = {
    "fit two.csv -k 2": "constant",
    "fit constant.csv -k 2": "Drop one column",
    "fit few.csv -k 3 --columns a,b": "distinct values",
    "fit short.csv -k 5": "but -k 5. Use at most 3",
    "fit short.csv -k 2": "",
    "fit iris -k 20": "`bayesgmm select`",
    "fit iris -k 20 --covariance spherical": "",
    "fit iris -k 2 --covariance E": "--covariance E is for one column",
    "fit iris -k 2 --covariance VVW": "--covariance VVW is not",
    "select iris -k 2 --structures VVW": "--structures VVW is not",
    "select faithful -k 2": "To go on, give -k 5.",
    "select faithful -k 3 --min-components 3 --structures EEE": "bayesgmm report --evidence",
    "select faithful -k 2 --criterion cv --max-time 1": "--max-time",
    "select faithful -k 2 --max-time 1e-9": "--max-time",
    "select short.csv": "",
    "fit faithful -k 2 --noise --contaminated": "--contaminated cannot be combined with --noise",
    "fit faithful -k 2 --noise --equal-weights": "--noise takes a share",
    "fit faithful -k 2 --priors lkj.json": "`bayesgmm sample` for this prior",
    "fit faithful -k 2 --priors low.json": "`bayesgmm sample` for this prior",
    "fit faithful -k 2 --priors negative.json": '"concentration" in --priors must be',
    "fit faithful -k 2 --priors word.json": '"covariances": "flat" in --priors is not',
    "fit faithful -k 2 --priors kind.json": 'leave out "covariances" in --priors',
    "fit missing.csv -k 2": "--drop-missing",
    "simulate blobs -n 5 --missing 0.9": "--missing 0.9 would remove",
    "report faithful -k 2 --no-posterior --force": "--select compares other structures",
    "report iris -k 4 --no-posterior --force": "",
    "explore faithful -k 2 --structures EEE --force": "",
}


@pytest.mark.parametrize("line", PROVOKED)
def test_messages_that_can_be_provoked(bayesgmm_command, files, line):
    ended = bayesgmm_command(*line.split())
    text = ended.stdout + ended.stderr
    assert PROVOKED[line] in text
    assert PYTHON.search(re.sub(r"'[^'\n]*'", "", text)) is None
    assert "of the program" not in text


def test_names_of_columns_are_kept():
    text = "mean[0, n_components]  3.0\nlargest value of X\nColumn 'sample_weight' is constant."
    assert results_in_options(text) == text
    message = "Input X has 3 NaN in column 'order_by'. Give the rows of X."
    assert (
        in_options(message)
        == "The data have 3 NaN in column 'order_by'. Give the rows of the data."
    )


def test_an_option_in_brackets_is_not_repeated():
    said = in_options(
        "as outliers do. noise_component=True (--noise) adds a component for outliers."
    )
    assert said == "as outliers do. --noise adds a component for outliers."


def test_a_command_without_the_option_has_words():
    message = "Use covariance_type='diag', or noise_component=True."
    with click.Context(main.commands["select"]):
        assert in_options(message) == "Use --structures diag, or --noise."
    with click.Context(main.commands["predict"]):
        assert in_options("noise_component=True is needed") == "noise is needed"


ROWS = [
    # A row whose cell has a line break, and blank lines between rows.
    ("a,b\n1,2\n\n3,blue\n5,red\n6,green\n", "first: row 1 (line 4), 'blue'"),
    ('name,b\n"two\nlines",2\nx,1e400\ny,3\n', "first: row 1 (line 4), column 'b'"),
    ("\n1,2\n2,x\n4,y\n5,z\n", "first: row 1 (line 3), 'x'"),
]


@pytest.mark.parametrize(("text", "words"), ROWS)
def test_rows_are_named_by_the_lines_of_their_file_too(bayesgmm_command, tmp_path, text, words):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    more = ["--exclude", "name"] if text.startswith("name") else []
    said = bayesgmm_command("fit", path, "-k", 1, *more).stderr
    assert words in said


def test_lines_after_rows_were_left_out(bayesgmm_command, tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a},{b}" for a, b in rng.normal(size=(80, 2))]
    rows[3], rows[51] = ",1.0", "500.0,500.0"
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["a,b", *rows, ""]))
    said = bayesgmm_command("fit", path, "-k", 2, "--drop-missing")
    assert "Row 50 (line 53) lies" in said.stdout + said.stderr
    # Files without lines have rows alone.
    np.save(tmp_path / "rows.npy", np.array([[1.0, 2.0], [np.inf, 3.0]]))
    assert (
        "(first: row 1, column 0)" in bayesgmm_command("fit", tmp_path / "rows.npy", "-k", 1).stderr
    )
