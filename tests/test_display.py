import io
import re

import pytest

from bayesgmm.display import is_watched, progress, stages, text_table


def test_columns_of_text_are_aligned():
    rows = [["", "mean", "sd"], ["weights", "0.5", ""], ["x", "-1.25", "10"]]
    assert text_table(rows).split("\n") == [
        "          mean  sd",
        "weights    0.5    ",
        "x        -1.25  10",
    ]
    assert text_table([["n", "bic"], ["272", "1"]], left=0) == "  n  bic\n272    1"


@pytest.mark.parametrize("wanted", [True, False])
def test_progress_is_silent_where_there_is_no_terminal(capfd, wanted):
    assert not is_watched(wanted)
    with progress(wanted) as bar:
        assert list(bar.track([1, 2], total=2)) == [1, 2]
    with stages(wanted) as stage, stage("Reading"):
        pass
    assert capfd.readouterr() == ("", "")


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
