"""Which form of the compiled core is loaded, and what is said when none can be."""

import os
import subprocess
import sys

import pytest

from bayesgmm.core import INSTRUCTION_SETS, native

BEST = native.best_instruction_set()
OFFERED = INSTRUCTION_SETS[: INSTRUCTION_SETS.index(BEST) + 1]


def run(instruction_set):
    return subprocess.run(
        [sys.executable, "-c", "from bayesgmm.core import native; print(native.instruction_set())"],
        env={**os.environ, "BAYESGMM_INSTRUCTION_SET": instruction_set},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", OFFERED)
def test_the_environment_picks_the_core(name):
    assert run(name).stdout.strip() == name


def test_the_best_core_is_the_default():
    assert run("").stdout.strip() == BEST


def test_an_unknown_core_is_one_sentence():
    said = run("sse9").stderr.splitlines()[-1]
    assert said == (
        "ImportError: BAYESGMM_INSTRUCTION_SET is 'sse9'; it can be baseline, avx2, avx512."
    )
