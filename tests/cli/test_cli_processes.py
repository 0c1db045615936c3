"""What only a process of its own shows: exit statuses, signals, pipes."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bayesgmm import GaussianMixture, load_dataset

COMMAND = [sys.executable, "-m", "bayesgmm"]


def run(*arguments):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)


def test_the_module_runs_and_says_its_name():
    result = run("--help")
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: python -m bayesgmm")
    assert run("--version").stdout.startswith("python -m bayesgmm, version ")


def test_exit_statuses():
    assert run("datasets", "galaxies").returncode == 0
    data = run("fit", "nothing-here", "-k", "2")
    assert (data.returncode, data.stdout) == (1, "")
    assert "Traceback" not in data.stderr
    assert run("fit", "faithful").returncode == 2


def test_debug_shows_where_it_happened(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a\n1\ninf\n3\n")
    result = run("fit", str(path), "-k", "1", "--debug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "infinite" in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
@pytest.mark.parametrize(
    ("command", "stages"),
    [
        (("fit", "-k", "2"), ["Reading the rows", "Fitting by EM", "Gaussian mixture fitted"]),
        (
            ("select", "-k", "4", "--structures", "EEE,VVV"),
            ["Reading the rows", "Choosing K", "Best: EEE"],
        ),
        (
            ("explore", "-k", "1", "--structures", "EEE"),
            ["Reading the rows", "Fitting the models", "The page was written"],
        ),
        (
            ("sample", "-k", "2", "--draws", "100", "--tune", "100"),
            ["Reading the rows", "Sampling", "Relabelling"],
        ),
    ],
)
def test_a_terminal_shows_the_stages_as_they_happen(forked_command, command, stages):
    name, *options = command
    with on_a_terminal(forked_command, name, "faithful", *options) as (process, parts):
        shown = b"".join(parts)
    assert process.wait(timeout=60) == 0
    places = [shown.find(stage.encode()) for stage in stages]
    assert places[0] > -1
    assert places == sorted(places)


@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX")
def test_ctrl_c_while_sampling_leaves_a_page(tmp_path):
    page = tmp_path / "page.html"
    arguments = ("report", "faithful", "-k", "2", "--draws", "200000", "-o", str(page))
    with on_a_terminal(*COMMAND, *arguments) as (process, parts):
        shown, sent = b"", False
        for part in parts:
            shown += part
            # One draw in a hundred comes after the tuning.
            if not sent and re.search(rb"draws of each chain.* [1-9]%", shown):
                process.send_signal(signal.SIGINT)
                sent = True
    assert process.wait(timeout=60) == 130
    assert b"Interrupted: the page is made from the results so far." in shown
    text = page.read_text("utf-8")
    assert "interrupted before the end" in text
    assert "4 chains of" in text


@contextlib.contextmanager
def on_a_terminal(*words):
    """Run a command on a pseudo-terminal; yield the process, and what is shown, in parts."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(words, stdout=theirs, stderr=theirs)
    os.close(theirs)

    def parts():
        with contextlib.suppress(OSError):  # of Linux, at the end
            while part := os.read(ours, 4096):
                yield part

    yield process, parts()
    os.close(ours)


def interrupted(process, stages):
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, error) == (b"", b"\n".join([*stages, b"Interrupted.\n"]))


def test_ctrl_c_while_reading():
    process = subprocess.Popen(
        [*COMMAND, "fit", "-", "-k", "2"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    # More than a pipe holds: once it is written, the command is at its reading.
    process.stdin.write(b"1.5,2.5\n" * 200_000)
    process.stdin.flush()
    interrupted(process, [b"Reading the rows"])


def test_ctrl_c_while_fitting(tmp_path):
    # Many components on rows without any: EM has far to go.
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).standard_normal((200_000, 4)))
    output = tmp_path / "model.json"
    process = subprocess.Popen(
        [*COMMAND, "fit", str(path), "-k", "40", "-o", str(output)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    for line in process.stderr:  # as it comes
        if line == b"Fitting by EM\n":
            break
    time.sleep(5)
    interrupted(process, [])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as a POSIX shell does")
def test_a_reader_that_stops_reading_is_no_error_message():
    command = subprocess.list2cmdline([*COMMAND, "simulate", "blobs", "-n", "50000"])
    result = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1"], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("x,y\n", "")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.json"
    GaussianMixture(1).fit(load_dataset("faithful").frame).to_json(path)
    return str(path)


@pytest.mark.parametrize(
    ("command", "stages"),
    [
        (("fit", "faithful", "-k", "1"), ["Reading the rows", "Fitting by EM"]),
        (("fit", "faithful", "-k", "1", "--stream"), ["Fitting by EM"]),
        (
            ("select", "faithful", "-k", "1"),
            ["Reading the rows", "Choosing K and the structure"],
        ),
        (
            ("explore", "faithful", "-k", "1", "--structures", "EEE", "-o", "page.html"),
            ["Reading the rows", "Fitting the models, diagnosing, drawing"],
        ),
        (
            ("report", "faithful", "-k", "1", "--draws", "50", "-o", "page.html"),
            [
                "Reading the rows",
                "Fitting by EM",
                "Sampling the posterior: 4 chains",
                "Relabelling, diagnosing, drawing",
            ],
        ),
        (
            ("sample", "faithful", "--init", "MODEL", "--draws", "50", "--tune", "50"),
            ["Reading the rows", "Sampling the posterior: 4 chains", "Relabelling"],
        ),
        (
            ("predict", "MODEL", "faithful"),
            ["Reading the model", "Reading the rows", "Computing the memberships"],
        ),
        (("simulate", "MODEL", "-n", "3"), ["Reading the model"]),
    ],
)
def test_without_a_terminal_the_first_stage_is_told_before_a_slow_import(
    model, tmp_path, command, stages
):
    words = [model if each == "MODEL" else each for each in command]
    result = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bayesgmm", *words],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    lines = result.stderr.splitlines()
    told = [line for line in lines if line in stages]
    assert told == stages
    before = "\n".join(lines[: lines.index(stages[0])])
    assert not re.search(r"\| +(sklearn|pandas|scipy\.\w+|matplotlib|pymc)$", before, re.MULTILINE)


def test_a_worked_example_is_drawn_without_scipy():
    command = [sys.executable, "-X", "importtime", "-m", "bayesgmm", "simulate", "blobs", "-n", "3"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "| numpy\n" in result.stderr
    assert not re.search(r"\| +(sklearn|pandas|scipy)$", result.stderr, re.MULTILINE)
