"""The likelihood in PyTensor's JAX backend: calls of the core's C functions by XLA, on the CPU.

XLA passes a foreign function one argument, the frame of the call, laid out as in its C API
(`xla/ffi/api/c_api.h`, part of jaxlib). Handlers compiled by numba read the addresses and sizes of
arrays from it. No Python code runs in a call, so that chains run in parallel threads.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from numba import cfunc, njit, types
from numba.core.types import ExternalFunction
from numba.extending import intrinsic
from pytensor.link.jax.dispatch import jax_funcify

import bayesgmm.pymc_models.numba_backend  # noqa: F401  # registers the core's symbols
from bayesgmm.errors import DerivativeError, InvalidParameterError
from bayesgmm.pymc_models.pytensor_op import MixtureLogDensity, MixtureLogLikelihood

# --- the handlers ---------------------------------------------------------------------------------

# Positions of fields in the structures of c_api.h, in words of 8 bytes. Minor versions only add
# fields.
_EXTENSION, _API, _ARGUMENTS, _RESULTS = 1, 2, 9, 14  # XLA_FFI_CallFrame
_DATA, _SHAPE = 3, 5  # XLA_FFI_Buffer
_METADATA = 3  # XLA_FFI_Metadata_Extension
_API_VERSION, _HANDLER_VERSION = 4, 3  # XLA_FFI_Api, XLA_FFI_Metadata: two 4-byte numbers
_OLDEST = 1 << 32  # version 0.1 has all of these fields

# Addresses are passed as integers, which are words, too.
_log_likelihood: Any = ExternalFunction("bayesgmm_log_likelihood", types.void(*(types.int64,) * 18))
_log_densities: Any = ExternalFunction("bayesgmm_log_densities", types.void(*(types.int64,) * 13))


@intrinsic  # type: ignore[untyped-decorator]
def _words(typing_context: Any, address: Any) -> Any:
    """The words at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.int64)(types.int64), generate


@njit  # type: ignore[untyped-decorator]
def _version_wanted(frame: Any) -> Any:
    """Answer a call that queries the interface's version; return whether it was one."""
    extension = _words(frame)[_EXTENSION]
    if extension == 0:
        return False
    metadata = _words(_words(extension)[_METADATA])
    metadata[_HANDLER_VERSION] = _OLDEST
    api = _words(frame)[_API]
    # Within major version 0 the answer is XLA's own version, because XLA drops old minor versions.
    # For another major version, whose layout may differ, it is the oldest, which XLA then refuses.
    if api != 0 and _words(api)[_API_VERSION] & 0xFFFFFFFF == 0:
        metadata[_HANDLER_VERSION] = _words(api)[_API_VERSION]
    return True


@njit  # type: ignore[untyped-decorator]
def _data(buffers: Any, i: Any) -> Any:
    return _words(_words(buffers)[i])[_DATA]


@njit  # type: ignore[untyped-decorator]
def _size(buffers: Any, i: Any, axis: Any) -> Any:
    return _words(_words(_words(buffers)[i])[_SHAPE])[axis]


@cfunc(types.int64(types.int64))  # type: ignore[untyped-decorator]
def _likelihood_handler(frame: Any) -> Any:
    """Operands: [kind, 1 if matrices are dense], and those of `MixtureLogLikelihood`."""
    if _version_wanted(frame):
        return 0
    given, out = _words(frame)[_ARGUMENTS], _words(frame)[_RESULTS]
    settings = _words(_data(given, 0))
    _log_likelihood(
        settings[0], settings[1], _size(given, 4, 0), _size(given, 4, 1), _size(given, 1, 0),
        _data(given, 1), _data(given, 2), _data(given, 3), _data(given, 4),
        _size(given, 6, 0), _data(given, 6),
        _size(given, 5, 0), _size(given, 5, 1), _data(given, 5),
        _data(out, 0), _data(out, 1), _data(out, 2), _data(out, 3),
    )  # fmt: skip
    return 0


@cfunc(types.int64(types.int64))  # type: ignore[untyped-decorator]
def _densities_handler(frame: Any) -> Any:
    """Operands: [kind, 1 if matrices are dense], and those of `MixtureLogDensity`."""
    if _version_wanted(frame):
        return 0
    given, out = _words(frame)[_ARGUMENTS], _words(frame)[_RESULTS]
    settings = _words(_data(given, 0))
    _log_densities(
        settings[0], settings[1], _size(given, 4, 0), _size(given, 4, 1), _size(given, 1, 0),
        _data(given, 1), _data(given, 2), _data(given, 3), _data(given, 4),
        _size(given, 5, 0), _size(given, 5, 1), _data(given, 5), _data(out, 0),
    )  # fmt: skip
    return 0


for _name, _handler in (
    ("bayesgmm_log_likelihood", _likelihood_handler),
    ("bayesgmm_log_densities", _densities_handler),
):
    jax.ffi.register_ffi_target(_name, jax.ffi.pycapsule(_handler.ctypes), platform="cpu")


# --- derivatives in JAX ---------------------------------------------------------------------------


@partial(jax.custom_jvp, nondiff_argnums=(0, 1, 2))
def _call(name: str, code: int, shapes: Any, *inputs: Any) -> Any:
    """Results of a handler, in float64 and of the given shapes."""
    settings = jnp.asarray([code, inputs[2].ndim - 2], dtype=np.int64)
    results = [jax.ShapeDtypeStruct(shape, np.float64) for shape in shapes]
    # Vectorised chains are called one by one: the core's functions take one mixture.
    return jax.ffi.ffi_call(name, results, vmap_method="sequential")(settings, *inputs)


@_call.defjvp  # type: ignore[untyped-decorator]
def _refused(*_: Any) -> Any:
    raise DerivativeError(
        "The likelihood of a mixture has first derivatives alone, by jax.grad; forward-mode and "
        "second derivatives are not available. Use differences of gradients."
    )


def _value_and_gradients(code: int, *inputs: Any) -> Any:
    shapes = ((), *(each.shape for each in inputs[:3]))
    return tuple(_call("bayesgmm_log_likelihood", code, shapes, *inputs))


def _plain(inputs: Any) -> Any:
    """The arrays inside the inputs that `custom_vjp` passes; refuse derivatives in data."""
    if any(each.perturbed for each in inputs[3:]):
        raise DerivativeError(
            "The likelihood of a mixture has no derivative in rows, their errors or their weights, "
            "which are data. Differentiate in weights, means or matrices."
        )
    return [each.value for each in inputs]


@jax_funcify.register(MixtureLogLikelihood)  # type: ignore[untyped-decorator]
def _likelihood_in_jax(op: MixtureLogLikelihood, **_: Any) -> Any:
    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def likelihood(*inputs: Any) -> Any:
        return _value_and_gradients(op.code, *inputs)

    def forward(*inputs: Any) -> Any:
        outputs = _value_and_gradients(op.code, *_plain(inputs))
        return outputs, outputs[1:]

    def backward(gradients: Any, cotangents: Any) -> Any:
        value, *others = cotangents
        if not all(isinstance(each, SymbolicZero) for each in others):
            _refused()
        return *(value * each for each in gradients), None, None, None

    likelihood.defvjp(forward, backward, symbolic_zeros=True)
    return _in_float64(likelihood)


@jax_funcify.register(MixtureLogDensity)  # type: ignore[untyped-decorator]
def _densities_in_jax(op: MixtureLogDensity, **_: Any) -> Any:
    @jax.custom_vjp  # type: ignore[untyped-decorator]
    def densities(*inputs: Any) -> Any:
        return _call("bayesgmm_log_densities", op.code, (inputs[3].shape[:1],), *inputs)[0]

    def forward(*inputs: Any) -> Any:
        inputs = _plain(inputs)
        return densities(*inputs), inputs

    def backward(inputs: Any, cotangent: Any) -> Any:
        # The gradient of the rows' weighted sum, as in the operation's pullback.
        return *_value_and_gradients(op.code, *inputs, cotangent)[1:], None, None

    densities.defvjp(forward, backward, symbolic_zeros=True)
    return _in_float64(densities)


def _in_float64(function: Any) -> Any:
    """The function, with its arguments converted to float64; refuse JAX's 32-bit mode."""

    def converted(*inputs: Any) -> Any:
        if not jax.config.jax_enable_x64:
            raise InvalidParameterError(
                "The likelihood of a mixture needs 64-bit numbers, but JAX is set to 32 bits. Call "
                'jax.config.update("jax_enable_x64", True), and do not change PyTensor\'s floatX.'
            )
        return function(*(jnp.asarray(each, dtype=np.float64) for each in inputs))

    return converted
