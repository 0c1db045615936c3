"""What only a process of its own shows: exit statuses, signals, pipes."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

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
    path.write_text("a\n1\n\n3\n")
    assert "Traceback" not in run("fit", str(path), "-k", "1").stderr
    result = run("fit", str(path), "-k", "1", "--debug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "NaN" in result.stderr


def interrupted(process):
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, error) == (b"", b"Interrupted.\n")


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
    interrupted(process)


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
    time.sleep(5)
    interrupted(process)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="closes a pipe as a POSIX shell does")
def test_a_reader_that_stops_reading_is_no_error_message():
    command = subprocess.list2cmdline([*COMMAND, "simulate", "blobs", "-n", "50000"])
    result = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1"], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("x,y\n", "")
