"""All sentences of the report and of the verdicts, in one file for reading: sentences.txt.

After a change of the sentences, write the file anew and read what changed:

    python tests/reporting/test_sentences.py
"""

import ast
import re
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("sentences.txt")
PACKAGE = Path(__file__).parents[2] / "bayesgmm"
# The pages, the plots that they show, and the rooms whose errors and notes they print.
ROOMS = (
    "verdicts",
    "convergence",
    "reporting",
    "explorer",
    "diagnostics",
    "labels",
    "plots",
    "posterior/reader.py",
    "selection/model_selection.py",
    "selection/selection_result.py",
)
# Texts of several words, but not where matplotlib places a legend.
WORDS = r"^(?!(outside )?(upper|lower) (left|right|center)$)(?=.*[A-Za-z]{2}).* "


def text_of(node):
    """The text of an expression with {} for values; None if it is not a text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) or "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = text_of(node.left), text_of(node.right)
        if left is not None or right is not None:
            return (left or "{}") + (right or "{}")
    return None


class Texts(ast.NodeVisitor):
    """The texts of a module, without docstrings and annotations."""

    def __init__(self):
        self.found = []

    def visit(self, node):
        text = text_of(node)
        if text is None:
            super().visit(node)
            return
        self.found.append(text)
        for part in self.values_in(node):
            self.visit(part)

    def values_in(self, node):
        """The values within a text, which may hold further texts."""
        if isinstance(node, ast.JoinedStr):
            return [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        if isinstance(node, ast.BinOp):
            sides = (node.left, node.right)
            plain = [side for side in sides if text_of(side) is None]
            return plain + [x for side in sides if side not in plain for x in self.values_in(side)]
        return []

    def visit_Expr(self, node):
        if not isinstance(node.value, ast.Constant):
            self.generic_visit(node)

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    def visit_FunctionDef(self, node):
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults, *node.body):
            if part is not None:
                self.visit(part)

    def visit_TypeAlias(self, node):
        pass


def sentences_of(path):
    """Texts of several words, in the order of the file."""
    source = path.read_text("utf-8")
    if path.suffix == ".py":
        texts = Texts()
        texts.visit(ast.parse(source))
        found = texts.found
    else:
        source = re.sub(r"\{#.*?#\}|\{%.*?%\}", "\n", source, flags=re.DOTALL)
        found = re.sub(r"<[^>]*>", "\n", re.sub(r"\{\{.*?\}\}", "{}", source)).splitlines()
    found = [each.strip().replace("\n", "\\n") for each in found]
    return list(dict.fromkeys(each for each in found if re.search(WORDS, each)))


def everything():
    """All sentences, by file."""
    lines = []
    for room in ROOMS:
        top = PACKAGE / room
        paths = [top] if top.is_file() else [*top.rglob("*.py"), *top.rglob("*.j2")]
        for path in sorted(paths):
            if found := sentences_of(path):
                lines += ["", f"# {path.relative_to(PACKAGE).as_posix()}", "", *found]
    return "\n".join(lines[1:]) + "\n"


def test_the_file_has_every_sentence():
    hint = "Write it anew by python tests/reporting/test_sentences.py, and read what changed."
    assert FILE.read_text("utf-8") == everything(), hint


@pytest.mark.parametrize(
    "pattern",
    [
        r"\b(is|are|be|was|were) no\b(?! (more|longer))",
        r"^(What|Who|Where|Whether|How|Which)\b",
        r"\?$",
        r"\b(nobody|anybody|everybody)\b",
        r"\b(rows|data|chains|cells|priors|draws) (ask|tell|say|know|want|wait|see)\b",
        r"\b(told apart|tell apart|undone|unsure)\b",
    ],
)
def test_the_style_of_sentences(pattern):
    lines = [line for line in FILE.read_text("utf-8").splitlines() if re.search(pattern, line)]
    assert lines == []


if __name__ == "__main__":
    FILE.write_text(everything(), "utf-8")
