"""What an import brings with it, and a process that can write nowhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bayesgmm

PASS = """
import numpy as np
from bayesgmm.likelihood.em_steps import e_step
from bayesgmm.mixture.mixture import Mixture

x = np.random.default_rng(5).standard_normal((3000, 2))
found = e_step(x, Mixture([0.4, 0.6], [[0.0, 1.0], [0.5, -1.0]], [np.eye(2), 2 * np.eye(2)]))
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


def test_nothing_is_written(tmp_path):
    # Permissions do not bind a superuser; a path below a regular file binds everybody.
    file = tmp_path / "file"
    file.write_text("no folder")
    nowhere = str(file / "below")
    found = run(PASS, tmp_path, HOME=nowhere, XDG_CACHE_HOME=nowhere, NUMBA_CACHE_DIR=nowhere)
    assert found == run(PASS, tmp_path)
    assert list(tmp_path.iterdir()) == [file]


HEAVY = ["arviz", "dask", "matplotlib", "numba", "pandas", "pymc", "pytensor", "sklearn"]
COMPILERS = ["numba", "llvmlite", "pytensor", "pymc"]
FIT = """
import numpy as np
from bayesgmm import GaussianMixture

x = np.random.default_rng(5).standard_normal((300, 2)) + 3 * (np.arange(300) % 2)[:, None]
fit = GaussianMixture(2, random_state=0).fit(x)
fit.predict(x), fit.summary(x), fit.standard_errors(x)
"""


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import bayesgmm", HEAVY),
        ("import bayesgmm.likelihood.em_steps", ["arviz", "dask", "matplotlib", *COMPILERS]),
        (FIT, ["arviz", "dask", "matplotlib", *COMPILERS]),
    ],
    ids=["package", "engine", "fit"],
)
def test_nothing_heavy_is_imported(code, absent, tmp_path):
    code += f"\nimport sys; print(*(m for m in {absent!r} if m in sys.modules))"
    assert run(code, tmp_path) == [""]


def test_only_the_room_itself_names_its_extension_modules():
    package = Path(bayesgmm.__file__).parent
    named = re.compile(r"core(\.| import )_(baseline|avx2|avx512)")
    found = [
        each.relative_to(package).as_posix()
        for each in package.rglob("*.py")
        if named.search(each.read_text(encoding="utf-8"))
    ]
    assert found == ["core/__init__.py"]
