"""Every notebook runs from its first cell to its last, to the verdicts that are kept with it."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from bayesgmm import load_dataset
from bayesgmm.core import native

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


# Names of verdicts on a posterior, and the sentences on selections, tests, reports and starts.
VERDICTS = (
    "no switching|between chains|within chains|overfitted or unidentified component|several modes|"
    "no convergence|rows not described|divergent transitions|slow transitions|EM and the posterior "
    r"(?:agree|differ)|Best: .*|do not fit significantly|fit significantly|All checks passed|"
    r"\d+ of \d+ starts reached this maximum"
)

# Numbers of prose that are not results: of the data, of other authors, and bounds in use.
FACTS = {
    "from_a_data_frame": {
        len(load_dataset("faithful").X),
        2,
        6,
        10,
    },  # and the bounds of BIC differences
    "fitting_with_em": {
        *(len(load_dataset("faithful").X), 0.25, 15, 20),  # the weights of the rusty machine, ages
        *(0.52, 0.99, 0.74, 0.96),  # a textbook's agreement with the species
        1e-3,  # scikit-learn's tolerance
    },
    "the_posterior": {len(load_dataset("faithful").X), 0.7},  # and the bound of Pareto k
    "label_switching": {len(load_dataset("galaxies").X), 1.01},  # and the bound of R-hat
    "where_to_trust": set(),
    "choosing_k": {len(load_dataset("faithful").X), 1 / 40},  # and the smallest p of 39 replicates
}
NUMBER = r"(?<![\w.])(\d+\.?\d*(?:e-?\d+)?|\.\d+)( %)?(?!\w)"


def outputs(notebook):
    return [each for cell in notebook.cells for each in cell.get("outputs", ())]


def verdicts(notebook):
    texts = (
        each.get("text") or each.get("data", {}).get("text/plain", "") for each in outputs(notebook)
    )
    return [found for text in texts for found in re.findall(VERDICTS, text)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# The client's own sockets and event loops are closed by its libraries, not by us.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_a_notebook_runs_without_errors_and_warnings(path, tmp_path, monkeypatch):
    # Chains part at the last bit, and posteriors of too many components are shown on purpose, whose
    # verdict then differs: the outputs are those of the instruction set that all processors have.
    if native.best_instruction_set() == "avx512":
        monkeypatch.setenv("BAYESGMM_INSTRUCTION_SET", "avx2")
    notebook = nbformat.read(path, as_version=4)
    kept = verdicts(notebook)
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    said = [each.text for each in outputs(notebook) if each.get("name") == "stderr"]
    assert said == []
    assert verdicts(notebook) == kept
    assert kept


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_with_its_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not any(each.output_type == "error" for each in outputs(notebook))


def test_the_first_notebook_ends_in_a_report():
    last = nbformat.read(NOTEBOOKS[0], as_version=4).cells[-1]
    assert last.source.startswith("report(frame, 2")
    assert "Old Faithful" in last.outputs[0].data["text/html"]
    assert last.outputs[0].data["text/plain"].startswith("<Report: All checks passed.")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_results_in_prose_come_from_the_run(path):
    """Prose has the numbers of the code and of the data; results are outputs, as Markdown."""
    notebook = nbformat.read(path, as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    constants = (each for each in ast.walk(ast.parse(code)) if isinstance(each, ast.Constant))
    (facts,) = (facts for name, facts in FACTS.items() if path.stem[3:].startswith(name))
    known = facts | {each.value for each in constants if type(each.value) in (int, float)}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            # Without headings, code, addresses and years of publication.
            text = re.sub(r"^#.*$|`[^`]*`|\]\([^)]*\)|\d{4}\)", "", cell.source, flags=re.MULTILINE)
            for number, percent in re.findall(NUMBER, text):
                value = float(number)
                assert value in known or (percent and round(value / 100, 9) in known), number
