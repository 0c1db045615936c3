"""How functions are compiled: without the GIL, cached on disk where that can be."""

import hashlib
from collections.abc import Callable
from functools import cached_property
from importlib import resources
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

# Sums may be re-associated (vectorised reductions) and multiplications fused into additions.
# NaN and infinity keep their meaning, so "nnan" and "ninf" are left out.
_FAST = {"reassoc", "contract", "nsz", "arcp"}


def _source_digest() -> str:
    """A digest of all source files that hold compiled functions."""
    digest = hashlib.sha256()
    rooms = (each for each in resources.files("bayesgmm").iterdir() if each.is_dir())
    files = [file for room in rooms for file in room.iterdir()]
    for file in sorted(files, key=str):
        if file.name.endswith(".py"):
            content = file.read_bytes()
            if b"numba" in content or b"bayesgmm.model.compile" in content:
                digest.update(content)
    return digest.hexdigest()[:12]


# Numba's cache on disk notices a change in the file that holds a function, not one in the files of
# the functions that it calls. The name under which a function is stored says it for all.
_DIGEST = _source_digest()
# The same as a number, for caches that want one.
SOURCE_VERSION = int(_DIGEST, 16)


class _PartLibrary(JITCodeLibrary):
    """Code that waits for a caller: neither optimised nor turned into instructions by itself."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalized = True


class _PartCompiler(Compiler):
    """Numba's own compiler, up to the point where there is code to link."""

    def define_pipelines(self) -> Any:
        state = self.state
        state.flags.no_compile = True
        state.flags.no_cpython_wrapper = state.flags.no_cfunc_wrapper = True
        state.library = _PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        return super().define_pipelines()


class _Part(CPUDispatcher):
    """A function as a part of those that call it."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        """As numba's; a constant is an argument like any other, and no reason to compile again."""
        return super().get_call_template([types.unliteral(each) for each in args], kws)

    def add_overload(self, cres: Any) -> None:
        """Make it known to callers."""
        self.overloads[tuple(cres.signature.args)] = cres
        self.targetctx.insert_user_function(cres.library, cres.fndesc, [cres.library])

    def get_overload(self, sig: Any) -> Any:
        """What it is known by."""
        return self.overloads[tuple(sig)].library


class _Compiled(CPUDispatcher):
    """A function that Python calls; to compiled callers it shows itself as a part.

    Numba would optimise a function and turn it into instructions, and then do both again in each
    function that calls it, and once more in their callers. A part is optimised only in what Python
    calls, together with all that belongs to it.
    """

    @cached_property
    def _part(self) -> _Part:
        return _Part(self.py_func, {}, self.targetoptions, pipeline_class=_PartCompiler)

    @property
    def _numba_type_(self) -> types.Dispatcher:
        return types.Dispatcher(self._part)


def jit(function: Callable[..., Any]) -> Any:
    """Compile `function` with numba: GIL released, fast sums, cached on disk if a folder allows it.

    Numba refuses to cache where neither the package's folder nor the user's cache folder can be
    written (a read-only installation without a home). The function is then compiled once a
    process: slower to start, the same numbers.
    """
    options = {
        "nopython": True,
        "nogil": True,
        "fastmath": _FAST,
        "error_model": "numpy",
        "boundscheck": False,
        "no_cfunc_wrapper": True,
    }
    function.__qualname__ = f"{function.__qualname__}_{_DIGEST}"
    compiled = _Compiled(function, {}, options)
    try:
        compiled.enable_caching()
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
    return compiled


def inline(function: Callable[..., Any]) -> Any:
    """Compile `function` as a part of the functions that call it, without re-association.

    LLVM keeps the flags of each instruction when it inlines: sums in here stay in the order in
    which they are written, whatever the caller allows for its own.
    """
    return numba.njit(nogil=True, fastmath={"contract"}, error_model="numpy", boundscheck=False)(
        function
    )


class _Unlocked:
    """An array's memory, as numpy's array interface describes it, without the read-only mark."""

    def __init__(self, array: NDArray[np.float64]) -> None:
        interface = dict(array.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface


def unlocked(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same memory as an array of the ordinary type.

    Compiled code takes a read-only array for another type and would be compiled again for it; it
    writes to neither. The caller keeps the owner of the memory.
    """
    return array if array.flags.writeable else np.asarray(_Unlocked(array))


def c_function(function: Callable[..., Any], signature: Any) -> Any:
    """Compile `function` for callers outside Python; cached as by `jit`."""
    function.__qualname__ = f"{function.__qualname__}_{_DIGEST}"
    options = {"nopython": True, "error_model": "numpy"}
    try:
        return numba.cfunc(signature, cache=True, **options)(function)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        return numba.cfunc(signature, cache=False, **options)(function)


@intrinsic
def as_pointer(typingctx: Any, address: Any) -> Any:
    """The address of float64 numbers as a pointer to them."""
    pointer = types.CPointer(types.float64)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(pointer))

    return pointer(types.int64), codegen


def unlocked_inside(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """`unlocked` for compiled code: an array of any layout as one of the ordinary type.

    C-ordered memory is taken as it is, and must outlive the result; any other is copied.
    """
    return unlocked(np.ascontiguousarray(array))


@overload(unlocked_inside)
def _unlocked_inside(array):  # no annotations: numba compares signatures
    if array.layout != "C":
        return lambda array: array.copy()
    if array.mutable:
        return lambda array: array
    return lambda array: numba.carray(as_pointer(np.int64(array.ctypes.data)), array.shape)
