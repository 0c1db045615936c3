"""Numbers in vector registers: exp and log without calls, and tiles of matrix products.

LLVM vectorises the kernel's plain loops by itself; what stands here are the two places where it
does not (a call of the C library's exp keeps a loop scalar) or not well (products of a block of
rows, which it leaves at half of the machine's rate).
"""

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from bayesgmm.model.compile import inline

# Rows a block: long enough to hide the ends of the loops, short enough for the first cache levels.
BLOCK = 128
# Rows whose squares are formed at a time: two rows of P by STRIP rows of data fill the registers.
STRIP = 16
# Numbers between two rows of the scratch arrays. Not a power of two: columns of a strip would
# otherwise share a few sets of the cache and push one another out.
STRIDE = BLOCK + 8
# Numbers in a vector register.
LANES = 8 if get_host_cpu_features().get("avx512f", False) else 4

_DOUBLE = ir.DoubleType()
_INT32 = ir.IntType(32)
_INT64 = ir.IntType(64)
_VECTOR = ir.VectorType(_DOUBLE, LANES)


@intrinsic
def _bits_to_float(typingctx, bits):
    def codegen(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], _DOUBLE)

    return types.float64(types.int64), codegen


@intrinsic
def _float_to_bits(typingctx, value):
    def codegen(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], _INT64)

    return types.int64(types.float64), codegen


# Adding 1.5 * 2**52 leaves the nearest integer in the low bits of the sum, and back.
_MAGIC = 6755399441055744.0
_MAGIC_BITS = int(np.float64(_MAGIC).view(np.int64))
_LOG2_E = 1.4426950408889634
# log 2 = high + low, where high times an integer below 2**11 is exact.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_SQRT_HALF_BITS = int(np.float64(0.7071067811865476).view(np.int64))
_EXPONENT_MASK = -(1 << 52)


@inline
def exp_nonpositive(x):
    """exp(x) for x <= 0 to about one unit in the last place; 0 below -708.

    x = n log 2 + r, |r| <= log(2)/2; exp(r) by the Chebyshev fit of degree 11 (error 3e-18), made
    with mpmath.chebyfit(exp, [-log(2)/2, log(2)/2], 12); 2**n goes into the exponent bits.
    """
    clipped = max(x, -708.0)
    shifted = clipped * _LOG2_E + _MAGIC
    n = shifted - _MAGIC
    r = clipped - n * _LN2_HIGH
    r = r - n * _LN2_LOW
    # Estrin's order: short chains keep the processor busier than Horner's one long one.
    r2 = r * r
    r4 = r2 * r2
    p0 = 0.5000000000000019 * r2 + (1.0 + r)
    p0 = r2 * (1.666666666666668e-01 * r) + p0
    p1 = (8.333333333319589e-03 * r + 4.166666666648795e-02) + r2 * (
        1.9841269890076403e-04 * r + 1.3888888952352863e-03
    )
    p2 = (2.755724088722987e-06 * r + 2.4801485441561313e-05) + r2 * (
        2.5110049204818658e-08 * r + 2.763265472252779e-07
    )
    p = p0 + r4 * (p1 + r4 * p2)
    value = p * _bits_to_float((_float_to_bits(shifted) - _MAGIC_BITS + 1023) << 52)
    return value if x >= -708.0 else 0.0


@inline
def log_positive(x):
    """log(x) for normal x > 0 to three units in the last place.

    x = 2**e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(t), t = (m - 1)/(m + 1), whose
    series in t^2 is the Chebyshev fit of degree 6 (error 1e-17).
    """
    bits = _float_to_bits(x)
    e_bits = (bits - _SQRT_HALF_BITS) & _EXPONENT_MASK
    m = _bits_to_float(bits - e_bits)
    # A small integer becomes a float through the low bits of _MAGIC (no vector instruction does).
    e = _bits_to_float((e_bits >> 52) + _MAGIC_BITS) - _MAGIC
    f = m - 1.0
    t = f / (2.0 + f)
    u = t * t
    u2 = u * u
    p = 0.666666666666667 + u * (
        (0.3999999999989889 + u * 0.28571428626253836)
        + u2
        * (
            (0.22222211089379496 + u * 0.1818289243253687)
            + u2 * (0.15331611722055008 + u * 0.14617807153417325)
        )
    )
    return e * _LN2_HIGH + (t * (2.0 + u * p) + e * _LN2_LOW)


# --- products of a block in vector registers ------------------------------------------------------
#
# The two products P z and (r z) z' of a block are nearly all of the arithmetic when D is large.
# LLVM's own vectoriser reaches about half of the machine's rate on them; written as tiles of
# accumulators that stay in registers they reach nearly all of it. A tile is emitted with as many
# rows and columns as its maker is asked for; LLVM turns the vectors into whatever the processor
# has.


def _fast(builder, name, *operands):
    return getattr(builder, name)(*operands, flags=("contract", "nsz"))


def _pointer(context, builder, array_type, array):
    """The address of a C-contiguous array's first number."""
    return context.make_array(array_type)(context, builder, array).data


def _last_length(context, builder, array_type, array):
    """The length of an array's last axis."""
    shape = context.make_array(array_type)(context, builder, array).shape
    return builder.extract_value(shape, array_type.ndim - 1)


def _load_vector(builder, base, index):
    address = builder.bitcast(builder.gep(base, [index]), _VECTOR.as_pointer())
    return builder.load(address, align=8)


def _store_vector(builder, vector, base, index):
    address = builder.bitcast(builder.gep(base, [index]), _VECTOR.as_pointer())
    builder.store(vector, address, align=8)


def _splat(builder, number):
    lane0 = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, _INT32(0))
    zeros = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(lane0, ir.Constant(_VECTOR, ir.Undefined), zeros)


def _accumulators(builder, count, start=None):
    """Vectors that begin at `start`, or at zero; LLVM keeps them in registers."""
    slots = [cgutils.alloca_once(builder, _VECTOR) for _ in range(count)]
    for slot in slots:
        builder.store(ir.Constant(_VECTOR, [0.0] * LANES) if start is None else start, slot)
    return slots


def _fused_add(builder, accumulator, a, b):
    product = _fast(builder, "fmul", a, b)
    builder.store(_fast(builder, "fadd", builder.load(accumulator), product), accumulator)


def _whiten_tile(n_rows):
    """Make tile(factors, offsets, k, i, xt, q, b): |rows i.. of P_k x - P_k mu_k|^2 added to q.

    Works on the strip b : b + STRIP of row k of q. Row i + m of the lower triangular P_k reaches to
    column i + m; the columns up to i are common to the tile's rows.
    """

    @intrinsic
    def tile(typingctx, factors, offsets, k, i, xt, q, b):
        signature = types.void(factors, offsets, types.intp, types.intp, xt, q, types.intp)

        def codegen(context, builder, signature, arguments):
            p_array, offset_array, k, i, x_array, q_array, b = arguments
            d = _last_length(context, builder, signature.args[0], p_array)
            p = _pointer(context, builder, signature.args[0], p_array)
            offset = _pointer(context, builder, signature.args[1], offset_array)
            x = _pointer(context, builder, signature.args[4], x_array)
            q = _pointer(context, builder, signature.args[5], q_array)
            add, mul = builder.add, builder.mul
            first = add(mul(k, d), i)
            strips = STRIP // LANES
            sums = []
            for m in range(n_rows):
                number = builder.load(builder.gep(offset, [add(first, _INT64(m))]))
                sums += _accumulators(builder, strips, _splat(builder, number))

            def column(j, rows):
                at = add(mul(j, _INT64(STRIDE)), b)
                values = [
                    _load_vector(builder, x, add(at, _INT64(LANES * s))) for s in range(strips)
                ]
                for m in rows:
                    row = mul(add(first, _INT64(m)), d)
                    number = _splat(builder, builder.load(builder.gep(p, [add(row, j)])))
                    for s in range(strips):
                        _fused_add(builder, sums[m * strips + s], number, values[s])

            with cgutils.for_range(builder, add(i, _INT64(1))) as loop:
                column(loop.index, range(n_rows))
            for m in range(1, n_rows):
                column(add(i, _INT64(m)), range(m, n_rows))
            at = add(mul(k, _INT64(STRIDE)), b)
            for s in range(strips):
                index = add(at, _INT64(LANES * s))
                total = _load_vector(builder, q, index)
                for m in range(n_rows):
                    y = builder.load(sums[m * strips + s])
                    total = _fast(builder, "fadd", total, _fast(builder, "fmul", y, y))
                _store_vector(builder, total, q, index)
            return context.get_dummy_value()

        return signature, codegen

    return tile


def _shuffle(builder, a, b, order):
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT32, len(order)), order))


def _lane_sums(builder, vectors):
    """The sum of each vector's lanes: four vectors are transposed and added at a time."""
    sums = []
    for start in range(0, len(vectors), 4):
        four = vectors[start : start + 4]
        wanted = len(four)
        four = four + four[:1] * (4 - wanted)
        if LANES == 8:
            four = [
                _fast(
                    builder,
                    "fadd",
                    _shuffle(builder, v, v, [0, 1, 2, 3]),
                    _shuffle(builder, v, v, [4, 5, 6, 7]),
                )
                for v in four
            ]
        pairs = [
            _fast(
                builder,
                "fadd",
                _shuffle(builder, a, b, [0, 4, 2, 6]),
                _shuffle(builder, a, b, [1, 5, 3, 7]),
            )
            for a, b in (four[:2], four[2:])
        ]
        total = _fast(
            builder,
            "fadd",
            _shuffle(builder, pairs[0], pairs[1], [0, 1, 4, 5]),
            _shuffle(builder, pairs[0], pairs[1], [2, 3, 6, 7]),
        )
        sums += [builder.extract_element(total, _INT32(lane)) for lane in range(wanted)]
    return sums


def _scatter_tile(n_rows, n_columns):
    """Make tile(rz, i, xt, j, rows, out, k): out[k, i.., j..] += sums over rows of rz_i x_j.

    Eight sums are in the making at any time, or the additions would wait for one another: a
    small tile takes several vectors of rows to eight sums.
    """
    unroll = max(1, min(8 // (n_rows * n_columns), STRIP // LANES))

    @intrinsic
    def tile(typingctx, rz, i, xt, j, rows, out, k):
        signature = types.void(rz, types.intp, xt, types.intp, types.intp, out, types.intp)

        def codegen(context, builder, signature, arguments):
            rz_array, i, x_array, j, rows, out_array, k = arguments
            d = _last_length(context, builder, signature.args[5], out_array)
            rz = _pointer(context, builder, signature.args[0], rz_array)
            x = _pointer(context, builder, signature.args[2], x_array)
            out = _pointer(context, builder, signature.args[5], out_array)
            add, mul = builder.add, builder.mul
            sums = _accumulators(builder, unroll * n_rows * n_columns)
            row_at = [mul(add(i, _INT64(m)), _INT64(STRIDE)) for m in range(n_rows)]
            column_at = [mul(add(j, _INT64(c)), _INT64(STRIDE)) for c in range(n_columns)]
            with cgutils.for_range(builder, builder.udiv(rows, _INT64(LANES * unroll))) as loop:
                for u in range(unroll):
                    b = add(mul(loop.index, _INT64(LANES * unroll)), _INT64(LANES * u))
                    left = [_load_vector(builder, rz, add(at, b)) for at in row_at]
                    for c in range(n_columns):
                        right = _load_vector(builder, x, add(column_at[c], b))
                        for m in range(n_rows):
                            where = (u * n_rows + m) * n_columns + c
                            _fused_add(builder, sums[where], left[m], right)
            totals = [builder.load(each) for each in sums]
            size = n_rows * n_columns
            for u in range(1, unroll):
                totals = [
                    _fast(builder, "fadd", totals[t], totals[u * size + t]) for t in range(size)
                ] + totals[size:]
            totals = _lane_sums(builder, totals[:size])
            for m in range(n_rows):
                row = mul(add(mul(k, d), add(i, _INT64(m))), d)
                for c in range(n_columns):
                    address = builder.gep(out, [add(row, add(j, _INT64(c)))])
                    total = totals[m * n_columns + c]
                    builder.store(_fast(builder, "fadd", builder.load(address), total), address)
            return context.get_dummy_value()

        return signature, codegen

    return tile


whiten_2, whiten_1 = _whiten_tile(2), _whiten_tile(1)
scatter_4x2, scatter_2x4, scatter_2x2 = (
    _scatter_tile(4, 2),
    _scatter_tile(2, 4),
    _scatter_tile(2, 2),
)
scatter_1x2, scatter_1x1 = _scatter_tile(1, 2), _scatter_tile(1, 1)
