"""A build asks the package index for a compiler if, and only if, the machine has none."""

import os
import shutil
import sys
from types import ModuleType

import pytest

build_backend = pytest.importorskip(
    "bayesgmm.core.build_backend", reason="an installed wheel needs no build"
)


@pytest.fixture
def hooks(monkeypatch):
    """scikit-build-core's hooks, which only the environment of a build has."""
    module = ModuleType("scikit_build_core.build")
    module.get_requires_for_build_wheel = lambda config_settings=None: ["ninja"]
    module.build_wheel = lambda *arguments: os.environ["CXX"]
    monkeypatch.setitem(sys.modules, "scikit_build_core", ModuleType("scikit_build_core"))
    monkeypatch.setitem(sys.modules, "scikit_build_core.build", module)
    monkeypatch.setenv("CXX", "")
    return monkeypatch


def test_with_a_compiler_nothing_is_added(hooks):
    hooks.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert build_backend.get_requires_for_build_wheel() == ["ninja"]
    assert build_backend.build_wheel("dist") == "/bin/c++"


def test_without_one_the_index_is_asked(hooks):
    hooks.setattr(shutil, "which", lambda name: None)
    assert build_backend.get_requires_for_build_wheel(None) == ["ninja", "ziglang>=0.15"]


def test_without_any_one_sentence_says_what_to_do(hooks):
    hooks.setattr(shutil, "which", lambda name: None)
    hooks.setattr(build_backend, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="no compiler was found: install"):
        build_backend.build_wheel("dist")
