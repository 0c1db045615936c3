"""The likelihood in PyTensor's numba backend: calls of the core's C functions by symbol.

PyTensor caches compiled graphs on disk. They contain these symbols but no addresses, and so remain
valid in another process once the symbols are registered there, by the import of this module.
"""

from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from llvmlite.binding import add_symbol
from numba import types
from numba.core.types import ExternalFunction
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_default_op_cache_key,
)

from bayesgmm.core import native
from bayesgmm.pymc_models import loops
from bayesgmm.pymc_models.loop_ops import LoopOp
from bayesgmm.pymc_models.pytensor_op import MixtureLogDensity, MixtureLogLikelihood

# Part of the keys of PyTensor's cache. Increase it when the signature of a C function changes.
_VERSION = 2
# The same of loops, whose code the cache contains: any change of the file counts.
_LOOPS_VERSION = crc32(Path(loops.__file__).read_bytes())

for _name, _address in native.addresses().items():
    add_symbol(_name, _address)

_SIZES = (types.int64,) * 5
# Typed as Any, because numba's own types allow calls by compiled code alone.
_log_likelihood: Any = ExternalFunction(
    "bayesgmm_log_likelihood",
    types.void(
        *_SIZES, *(types.voidptr,) * 4, types.int64, types.voidptr,
        types.int64, types.int64, *(types.voidptr,) * 5,
    ),
)  # fmt: skip
_log_densities: Any = ExternalFunction(
    "bayesgmm_log_densities",
    types.void(*_SIZES, *(types.voidptr,) * 4, types.int64, types.int64, *(types.voidptr,) * 2),
)


@register_funcify_default_op_cache_key(MixtureLogLikelihood)  # type: ignore[untyped-decorator]
def _likelihood_in_numba(op: MixtureLogLikelihood, **_: Any) -> Any:
    code = op.code

    @numba_njit  # type: ignore[untyped-decorator]
    def likelihood(
        weights: Any, means: Any, matrices: Any, rows: Any, errors: Any, row_weights: Any
    ) -> Any:
        w, m = np.ascontiguousarray(weights), np.ascontiguousarray(means)
        s, x = np.ascontiguousarray(matrices), np.ascontiguousarray(rows)
        e, v = np.ascontiguousarray(errors), np.ascontiguousarray(row_weights)
        (n, d), (n_errors, width) = x.shape, e.shape
        value, d_w, d_m, d_s = np.empty(1), np.empty(w.shape), np.empty(m.shape), np.empty(s.shape)
        _log_likelihood(
            code, s.ndim - 2, n, d, w.size, w.ctypes, m.ctypes, s.ctypes, x.ctypes,
            v.size, v.ctypes, n_errors, width, e.ctypes,
            value.ctypes, d_w.ctypes, d_m.ctypes, d_s.ctypes,
        )  # fmt: skip
        return np.asarray(value[0]), d_w, d_m, d_s

    return likelihood, _VERSION


@register_funcify_default_op_cache_key(MixtureLogDensity)  # type: ignore[untyped-decorator]
def _densities_in_numba(op: MixtureLogDensity, **_: Any) -> Any:
    code = op.code

    @numba_njit  # type: ignore[untyped-decorator]
    def densities(weights: Any, means: Any, matrices: Any, rows: Any, errors: Any) -> Any:
        w, m = np.ascontiguousarray(weights), np.ascontiguousarray(means)
        s, x = np.ascontiguousarray(matrices), np.ascontiguousarray(rows)
        e = np.ascontiguousarray(errors)
        (n, d), (n_errors, width) = x.shape, e.shape
        out = np.empty(n)
        _log_densities(
            code, s.ndim - 2, n, d, w.size, w.ctypes, m.ctypes, s.ctypes, x.ctypes,
            n_errors, width, e.ctypes, out.ctypes,
        )  # fmt: skip
        return out

    return densities, _VERSION


@register_funcify_default_op_cache_key(LoopOp)  # type: ignore[untyped-decorator]
def _loops_in_numba(op: LoopOp, **_: Any) -> Any:
    return op.loops, _LOOPS_VERSION
