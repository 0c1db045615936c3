"""Where nothing can be cached the numbers are the same, and what an import brings with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bayesgmm

PASS = """
import numpy as np
import bayesgmm
from bayesgmm.engine import e_step
from bayesgmm.model import Mixture

x = np.random.default_rng(5).standard_normal((3000, 2))
found = e_step(x, Mixture([0.4, 0.6], [[0.0, 1.0], [0.5, -1.0]], [np.eye(2), 2 * np.eye(2)]))
print(bayesgmm.__file__)
print(found.log_likelihood.hex(), found.seconds[1, 0, 1].hex())
"""


def run(code, cwd, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_nothing_can_be_cached(tmp_path):
    # Permissions do not bind a superuser; a path below a regular file binds everybody.
    package = tmp_path / "site" / "bayesgmm"
    shutil.copytree(
        Path(bayesgmm.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    for folder in [package, *(each for each in package.rglob("*") if each.is_dir())]:
        (folder / "__pycache__").write_text("no folder")
    file = tmp_path / "file"
    file.write_text("no folder")
    nowhere = str(file / "below")
    found = run(
        PASS,
        package.parent,
        PYTHONPATH=str(package.parent),
        HOME=nowhere,
        XDG_CACHE_HOME=nowhere,
        NUMBA_CACHE_DIR=nowhere,
        LOCALAPPDATA=nowhere,
        PYTHONDONTWRITEBYTECODE="1",
    )
    assert found[0].startswith(str(package)), "the copy must be what runs"
    assert not list(tmp_path.rglob("*.nbi"))
    assert found[1] == run(PASS, tmp_path)[1]


HEAVY = ["arviz", "dask", "matplotlib", "numba", "pandas", "pymc", "pytensor", "sklearn"]


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("bayesgmm", HEAVY),
        ("bayesgmm.engine", ["arviz", "dask", "matplotlib", "pymc", "pytensor"]),
    ],
)
def test_an_import_brings_nothing_heavy(module, absent, tmp_path):
    code = f"import sys, {module}; print(*(m for m in {absent!r} if m in sys.modules))"
    assert run(code, tmp_path) == [""]


def test_what_python_calls_is_kept_on_disk_and_its_parts_are_not(tmp_path):
    cache = tmp_path / "cache"
    first = run(PASS, tmp_path, NUMBA_CACHE_DIR=str(cache))
    files = {each: each.stat().st_mtime_ns for each in cache.rglob("*.nb?")}
    names = " ".join(each.name for each in files)
    assert "serial_pass" in names
    assert "load_block" not in names
    assert run(PASS, tmp_path, NUMBA_CACHE_DIR=str(cache)) == first
    assert {each: each.stat().st_mtime_ns for each in cache.rglob("*.nb?")} == files
