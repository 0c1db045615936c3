"""The compiled core; `native` is its module for the instruction set of this processor.

The same sources are compiled once for each instruction set. The environment variable
``BAYESGMM_INSTRUCTION_SET`` (baseline, avx2 or avx512) selects a module, for tests.
"""

import importlib
import os
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["native"]

INSTRUCTION_SETS = ("baseline", "avx2", "avx512")  # each includes those before it


def _load(instruction_set: str) -> ModuleType:
    try:
        return importlib.import_module(f"bayesgmm.core._{instruction_set}")
    except ModuleNotFoundError:
        raise ImportError(
            f"The compiled core ({instruction_set}) is missing beside {Path(__file__).parent}: "
            "install bayesgmm (in a checkout: pip install -e .), or start Python in a folder "
            "other than the checkout."
        ) from None
    except ImportError as error:
        raise ImportError(
            f"The compiled core ({instruction_set}) was built for another Python or system: "
            f"install bayesgmm again ({error})."
        ) from error


def _choose() -> ModuleType:
    baseline = _load("baseline")
    best = baseline.best_instruction_set()
    wanted = os.environ.get("BAYESGMM_INSTRUCTION_SET") or best
    if wanted not in INSTRUCTION_SETS:
        raise ImportError(
            f"BAYESGMM_INSTRUCTION_SET is {wanted!r}; it can be {', '.join(INSTRUCTION_SETS)}."
        )
    if INSTRUCTION_SETS.index(wanted) > INSTRUCTION_SETS.index(best):
        raise ImportError(
            f"BAYESGMM_INSTRUCTION_SET is {wanted!r}, which this processor lacks; "
            f"the best it has is {best!r}."
        )
    return baseline if wanted == "baseline" else _load(wanted)


if TYPE_CHECKING:
    from bayesgmm.core import _baseline as native
else:
    native = _choose()
