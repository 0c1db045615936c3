"""Files, streams and names as a shell hands them over."""

import json
import os
import re
import shlex
import stat
import subprocess
import sys

import pytest
from command_lines import beside_stages

import bayesgmm
from bayesgmm.cli.output import printable

pytestmark = pytest.mark.skipif(os.name != "posix", reason="streams, links and names of POSIX")

COMMAND = [sys.executable, "-m", "bayesgmm"]
SCRIPT = shlex.join(COMMAND)
ROWS = "a,b\n1,2\n3,5\n4,4\n7,6\n8,1\n2,2\n"


@pytest.fixture
def shell(folder, forked_command):
    """Run a line for bash in the folder, with `bayesgmm` as a fork, or as a new process."""

    def run(line, *, anew=False, **more):
        command = SCRIPT if anew else forked_command
        return subprocess.run(
            ["bash", "-c", f'bayesgmm() {{ {command} "$@"; }}; {line}'],
            cwd=folder, capture_output=True, check=False, timeout=120, **more,
        )  # fmt: skip

    return run


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "d.csv").write_text(ROWS)
    return tmp_path


def test_rows_come_from_every_kind_of_stream(shell):
    lines = [
        "bayesgmm fit d.csv -k 1 --json",
        "bayesgmm fit <(cat d.csv) -k 1 --json",
        "mkfifo p; cat d.csv > p & bayesgmm fit p -k 1 --json",
        "bayesgmm fit /dev/stdin -k 1 --json < d.csv",
        "cat d.csv | bayesgmm fit /dev/stdin -k 1 --json",
        "cat d.csv | bayesgmm fit - -k 1 --json",
    ]
    found = []
    for line in lines:
        result = shell(line)
        assert (result.returncode, beside_stages(result.stderr)) == (0, ""), line
        found += re.findall(rb'^  "log_likelihood": (.*),$', result.stdout, re.MULTILINE)
    assert len(found) == 6
    assert set(found) == {found[0]}


def test_models_come_from_streams_too(folder, shell):
    bayesgmm.scenario("blobs").to_json(folder / "m.json")
    models = ("m.json", "<(cat m.json)", "/dev/stdin", "-")
    results = [shell(f"bayesgmm simulate {each} -n 3 < m.json") for each in models]
    assert {(each.returncode, beside_stages(each.stderr)) for each in results} == {(0, "")}
    assert len({each.stdout for each in results}) == 1


def test_standard_input_is_read_once(bayesgmm_command):
    arguments = ("report", "-", "-k", 2, "--truth", "-")
    result = bayesgmm_command(*arguments, input=ROWS)
    assert result.exit_code == 2
    assert "Standard input is read once" in result.stderr


def test_closed_standard_input_is_a_sentence(shell):
    result = shell("bayesgmm fit - -k 1 <&-", anew=True)
    assert result.returncode == 1
    assert beside_stages(result.stderr).startswith("Error: Standard input is closed.")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
@pytest.mark.parametrize("line", ["fit d.csv -k 1", "datasets iris", "--help", "--version"])
def test_a_full_disk_under_standard_output_is_one_sentence(shell, line):
    result = shell(f"bayesgmm {line} > /dev/full", anew=True)
    assert result.returncode == 1
    assert beside_stages(result.stderr).splitlines() == [
        "Error: The results were not written in full to standard output. No space left on device. "
        "Write them to another disk."
    ]


@pytest.mark.parametrize("target", ["/dev/null", "link to null"])
def test_force_takes_no_device_away(folder, bayesgmm_command, target):
    path = folder / target
    if path.parent == folder:
        path.symlink_to("/dev/null")
    for force in ((), ("--force",)):
        result = bayesgmm_command("fit", folder / "d.csv", "-k", 1, "-o", path, *force)
        assert result.exit_code == 0, result.stderr
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert path.parent != folder or path.is_symlink()


def test_every_command_writes_through_links_and_keeps_modes(folder, bayesgmm_command):
    for command, suffix in (
        (("fit", "faithful", "-k", 1), ".json"),
        (("select", "faithful", "--max-components", 1, "--structures", "EEE"), ".json"),
        (("simulate", "blobs", "-n", 3), ".csv"),
        (("simulate", "blobs", "-n", 3), ".npy"),
        (("report", "faithful", "-k", 1, "--no-posterior"), ".html"),
        (("explore", "faithful", "-k", 1, "--structures", "EEE"), ".html"),
    ):
        target, link = folder / f"target{suffix}", folder / f"link{suffix}"
        target.write_bytes(b"old")
        target.chmod(0o600)
        link.symlink_to(target.name)
        result = bayesgmm_command(*command, "-o", link)
        assert result.exit_code == 1
        assert "The file exists already; --force replaces it." in result.stderr
        result = bayesgmm_command(*command, "-o", link, "--force")
        assert result.exit_code == 0, result.stderr
        assert link.is_symlink()
        assert target.read_bytes() != b"old"
        assert stat.S_IMODE(target.stat().st_mode) == 0o600
        target.unlink()
        link.unlink()


def test_a_model_into_standard_output(shell):
    line = "bayesgmm fit d.csv -k 1 -o /dev/stdout --quiet"
    piped = shell(f"{line} | cat")
    assert shell(f"{line} > out; cat out").stdout == piped.stdout
    assert bayesgmm.GaussianMixture.from_json(piped.stdout).mixture_.n_components == 1
    assert beside_stages(piped.stderr).startswith("Data: d.csv")


@pytest.mark.parametrize(
    ("command", "begins"),
    [
        ("fit d.csv -k 1", b"{"),
        ("select d.csv --max-components 1 --structures EII", b"{"),
        ("report d.csv -k 1 --no-posterior", b"<!DOCTYPE html>"),
        ("simulate blobs -n 2", b"x,y"),
    ],
)
def test_a_dash_as_output_is_standard_output_alone(folder, shell, command, begins):
    quiet = "" if "sim" in command else "--quiet"
    result = shell(f"bayesgmm {command} -o - {quiet}")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(begins)
    assert b"log-likelihood" not in result.stdout.split(b"<body")[0]
    assert not (folder / "-").exists()


@pytest.mark.parametrize("line", ["fit d.csv -k 1", "datasets iris", "simulate blobs -n 2"])
def test_closed_standard_output_is_a_sentence(shell, line):
    result = shell(f"bayesgmm {line} >&-", anew=True)
    assert result.returncode == 1
    assert beside_stages(result.stderr) == (
        "Error: Standard output is closed. Redirect it to a file, or to /dev/null.\n"
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
@pytest.mark.parametrize("command", ["fit", "report --no-posterior"])
def test_a_full_disk_under_the_output_loses_no_summary(folder, bayesgmm_command, command):
    name, *more = command.split()
    result = bayesgmm_command(name, folder / "d.csv", "-k", 1, *more, "-o", "/dev/full")
    assert result.exit_code == 1
    assert "'/dev/full' was not written. No space left on device. Free some" in result.stderr
    assert "Traceback" not in result.stderr
    assert "log-likelihood" in result.stdout


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "darwin", reason="names there are UTF-8")
def test_names_that_are_not_utf_8(folder, shell):
    (folder / os.fsdecode(b"m\xff'.csv")).write_text(ROWS)
    name = r"$'m\xff\'.csv'"
    stages = b"Reading the rows\nFitting by EM\n"
    result = shell(f"bayesgmm fit {name} -k 1 --json")
    assert (result.returncode, result.stderr) == (0, stages)
    result = shell(f"bayesgmm fit {name} -k 1", anew=True)
    assert (result.returncode, result.stderr) == (0, stages)
    assert result.stdout.startswith(rb"Data: m\xff'.csv")
    result = shell(f"bayesgmm report {name} -k 1 --no-posterior -o $'p\\xff' --json")
    assert result.returncode == 0, result.stderr
    last = b"Relabelling, diagnosing, drawing\nThe report was written to p\\xff.\n"
    assert result.stderr == stages + last
    page = (folder / os.fsdecode(b"p\xff")).read_text("utf-8")
    assert "<h1>m\\xff&#39;</h1>" in page
    numbers = json.loads(result.stdout)["sections"]["methods"]["numbers"]
    # The command on the page names the same file.
    again = shell(f"{numbers['command']} -o again.html --json --quiet")
    assert json.loads(again.stdout) == json.loads(result.stdout)
    lines = (
        r"fit $'none\xff' -k 1",
        r"fit d.csv -k 1 --columns $'\xff'",
        r"fit d.csv -k 1 --label-column $'\xff'",
        r"fit d.csv -k 1 -o $'no\xff/x'",
        r"simulate $'\xff' -n 1",
        r"datasets $'\xff'",
    )
    for line in lines:
        result = shell(f"bayesgmm {line}")
        assert (result.returncode, result.stdout) == (1, b""), result.stderr
        assert b"error of the program" not in result.stderr
        assert result.stderr.decode("utf-8").count("Error: ") == 1


@pytest.mark.skipif(sys.platform == "darwin", reason="words there are UTF-8")
def test_a_title_that_is_not_utf_8(folder, bayesgmm_command):
    title = os.fsdecode(b"T\xff")
    arguments = ("--no-posterior", "--title", title, "-o", folder / "t")
    result = bayesgmm_command("report", folder / "d.csv", "-k", 1, *arguments)
    assert result.exit_code == 0, result.stderr
    assert "<h1>T\\xff</h1>" in (folder / "t").read_text("utf-8")


def test_words_as_text():
    for word, text in [
        ("plain é ☃", "plain é ☃"),
        (os.fsdecode(b"m\xff"), r"m\xff"),
        ("\ud800 \udcff", r"\ud800 \udcff"),
    ]:
        assert printable(word) == text


def test_a_terminal_without_the_letters(folder, shell):
    (folder / "☃.csv").write_text("中,☃\n1,2\n3,5\n4,4\n7,6\n", "utf-8")
    result = shell(
        "bayesgmm fit ☃.csv -k 1 -o m.json --quiet && bayesgmm simulate m.json -n 1",
        anew=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )
    assert (result.returncode, beside_stages(result.stderr)) == (0, "")
    summary, names = result.stdout.splitlines()[0], result.stdout.splitlines()[-2]
    assert summary == rb"Data: \u2603.csv"
    assert names.decode("utf-8") == "中,☃"


def test_names_with_brackets_in_the_progress(monkeypatch, folder, bayesgmm_command):
    monkeypatch.setenv("FORCE_COLOR", "1")
    arguments = ("--no-posterior", "-o", folder / "x[", "--title", "[/bold]")
    result = bayesgmm_command("report", folder / "d.csv", "-k", 1, *arguments)
    assert result.exit_code == 0, result.output


def test_the_advice_on_text_works(folder, bayesgmm_command):
    (folder / "t.csv").write_text("Date,Return\nMon,2\nTue,3\nWed,5\nThu,1\n")
    result = bayesgmm_command("fit", folder / "t.csv", "-k", 1)
    assert result.exit_code == 1
    assert "Column 'Date' holds text" in result.stderr
    assert (
        bayesgmm_command("fit", folder / "t.csv", "-k", 1, "--label-column", "Date").exit_code == 0
    )


def test_integers_beyond_float64_are_refused_where_they_are_fitted(folder, bayesgmm_command):
    rows = [f"{2**53 + i},{i * i}" for i in range(1, 9)]
    (folder / "ids.csv").write_text("id,x\n" + "\n".join(rows))
    result = bayesgmm_command("fit", folder / "ids.csv", "-k", 1)
    assert result.exit_code == 1
    assert "Integers beyond 2**53 in column 'id' (first: row 0 (line 2))" in result.stderr
    result = bayesgmm_command("fit", folder / "ids.csv", "-k", 1, "--columns", "x")
    assert (result.exit_code, beside_stages(result.stderr)) == (0, "")
    arguments = ("--columns", "x", "--label-column", "id", "--json")
    result = bayesgmm_command("fit", folder / "ids.csv", "-k", 1, *arguments)
    groups = json.loads(result.stdout)["known_groups"]["groups"]
    assert sorted(groups) == [str(2**53 + i) for i in range(1, 9)]


@pytest.mark.parametrize("by", ["name", "link", "hard link"])
def test_no_output_replaces_what_is_read(folder, bayesgmm_command, by):
    """`fit rows.csv -o rows.csv --force` left a mixture in place of the rows."""
    data, model, priors = folder / "rows.csv", folder / "m.json", folder / "priors.json"
    data.write_bytes((folder / "d.csv").read_bytes())
    priors.write_text('{"concentration": 1}')
    assert bayesgmm_command("fit", data, "-k", 1, "-o", model).exit_code == 0
    kept = {path: path.read_bytes() for path in (data, model, priors)}
    for path, what, command in (
        (data, "DATA", ("fit", data, "-k", 1, "-o")),
        (data, "DATA", ("fit", data, "-k", 1, "--memberships")),
        (data, "DATA", ("select", data, "-k", 1, "-o")),
        (data, "DATA", ("sample", data, "-k", 1, "-o")),
        (data, "DATA", ("explore", data, "-k", 1, "-o")),
        (data, "DATA", ("report", data, "-k", 1, "-o")),
        (data, "DATA", ("predict", model, data, "-o")),
        (model, "MODEL", ("predict", model, data, "-o")),
        (priors, "--priors", ("fit", data, "-k", 1, "--priors", priors, "-o")),
        (model, "--truth", ("report", data, "-k", 1, "--truth", model, "-o")),
    ):
        output = path
        if by != "name":
            output = folder / "other"
            output.symlink_to(path) if by == "link" else output.hardlink_to(path)
        result = bayesgmm_command(*command, output, "--force")
        assert result.exit_code == 2, command
        assert f"is the file of {what}, which would be lost" in result.stderr
        if by != "name":
            output.unlink()
    assert kept == {path: path.read_bytes() for path in kept}


def test_no_output_replaces_standard_input(folder, shell):
    kept = (folder / "d.csv").read_bytes()
    for data in ("-", "/dev/stdin"):
        result = shell(f"bayesgmm fit {data} -k 1 -o d.csv --force < d.csv")
        assert result.returncode == 2
    assert (folder / "d.csv").read_bytes() == kept
