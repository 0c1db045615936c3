import io
import re
from pathlib import Path

import pytest

import bayesgmm
from bayesgmm.display import is_watched, listed, plural, progress, stages, text_table


def test_columns_of_text_are_aligned():
    rows = [["", "mean", "sd"], ["weights", "0.5", ""], ["x", "-1.25", "10"]]
    assert text_table(rows).split("\n") == [
        "          mean  sd",
        "weights    0.5    ",
        "x        -1.25  10",
    ]
    assert text_table([["n", "bic"], ["272", "1"]], left=0) == "  n  bic\n272    1"


def test_number_of_a_noun():
    nouns = ("row", "class", "entry", "distinct row", "survey", "boundary")
    assert [plural(1, each) for each in nouns] == [f"1 {each}" for each in nouns]
    assert ", ".join(plural(1234, each) for each in nouns) == (
        "1,234 rows, 1,234 classes, 1,234 entries, 1,234 distinct rows, 1,234 surveys, "
        "1,234 boundaries"
    )
    assert (plural(0, "row"), plural(2.5, "row"), plural(1.0, "row")) == (
        "0 rows", "2.5 rows", "1 row",
    )  # fmt: skip
    assert [listed(each) for each in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]


def test_the_number_of_a_noun_is_written_by_one_function():
    by_hand = re.compile(r"""\{'s' \*|['"]s['"] \* |['"]s['"] if |else ['"]s['"]""")
    found = [
        f"{path.name}: {line.strip()}"
        for path in Path(bayesgmm.__file__).parent.rglob("*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if by_hand.search(line)
    ]
    # A column numbers the rows: that is a verb.
    assert [each for each in found if "number{'s'" not in each] == []


@pytest.mark.parametrize("wanted", [True, False])
def test_without_a_terminal_stages_are_lines_and_bars_are_silent(capsys, wanted):
    assert not is_watched(wanted)
    with stages(wanted) as stage:
        with stage("Reading [/bold] " + 80 * "x"):
            assert capsys.readouterr() == ("", f"Reading [/bold] {80 * 'x'}\n" * wanted)
        with stage("Fitting"), progress(wanted) as bar:
            assert list(bar.track([1, 2], total=2)) == [1, 2]
    assert capsys.readouterr() == ("", "Fitting\n" * wanted)


def test_a_stage_needs_no_standard_error(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    with stages(True) as stage, stage("Reading"):
        pass


def terminal(monkeypatch):
    """Put a stream in place of standard error that is a terminal."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", stream)
    return stream


def test_progress_on_a_terminal(monkeypatch):
    stream = terminal(monkeypatch)
    assert is_watched(True)
    assert not is_watched(False)
    with stages(True) as stage, stage("Reading [/bold]"):
        pass
    assert "Reading [/bold]" in stream.getvalue()


def test_bars_within_a_stage_show_the_time_that_is_left(monkeypatch):
    stream = terminal(monkeypatch)
    with stages(True) as stage, stage("Sampling"), progress(True) as bar:
        list(bar.track(range(3), description="Draws"))
        bar.refresh()
        text = stream.getvalue()
    assert re.search("Draws .*100%.* left", text)
