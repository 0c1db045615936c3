"""scikit-build-core's build hooks, with a compiler from the package index where there is none.

Used while the package is built; installed wheels do not contain this file.
"""

import os
import shutil
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def _compiler() -> str | None:
    named = ("c++", "g++", "clang++")
    return os.environ.get("CXX") or next(filter(None, map(shutil.which, named)), None)


def _zig() -> str:
    found = find_spec("ziglang")
    if found is None or found.origin is None:
        raise SystemExit(
            "bayesgmm is compiled from C++20 and no compiler was found: install g++ or clang, "
            "or name one in CXX, or install ziglang where the build runs."
        )
    # Left to itself, zig compiles for this very processor.
    return f"{Path(found.origin).with_name('zig')} c++ -mcpu=baseline"


def _hook(name: str) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        # Imported late: outside a build it is not there.
        return getattr(import_module("scikit_build_core.build"), name)(*arguments, **options)

    return call


def _needing_compiler(hook: Callable[..., Any]) -> Callable[..., Any]:
    def requirements(*arguments: Any, **options: Any) -> Any:
        return hook(*arguments, **options) + ([] if _compiler() else ["ziglang>=0.15"])

    return requirements


def _with_compiler(hook: Callable[..., Any]) -> Callable[..., Any]:
    def build(*arguments: Any, **options: Any) -> Any:
        os.environ["CXX"] = _compiler() or _zig()
        return hook(*arguments, **options)

    return build


get_requires_for_build_sdist = _hook("get_requires_for_build_sdist")
build_sdist = _hook("build_sdist")
get_requires_for_build_wheel = _needing_compiler(_hook("get_requires_for_build_wheel"))
prepare_metadata_for_build_wheel = _hook("prepare_metadata_for_build_wheel")
build_wheel = _with_compiler(_hook("build_wheel"))
get_requires_for_build_editable = _needing_compiler(_hook("get_requires_for_build_editable"))
prepare_metadata_for_build_editable = _hook("prepare_metadata_for_build_editable")
build_editable = _with_compiler(_hook("build_editable"))
