"""Sums and assignments of short arrays as plain loops, in compiled code.

Numba takes seconds to compile `to[:] = other`, with its broadcasting and its error messages, or a
library's product of two vectors; a library's call also takes longer than a short sum.
"""

from bayesgmm.model.compile import jit


@jit
def dot(a, b):
    """The inner product of two vectors."""
    s = 0.0
    for i in range(a.size):
        s += a[i] * b[i]
    return s


@jit
def fill(to, number):
    """Set all numbers of a contiguous array of any shape."""
    flat = to.reshape(to.size)
    for i in range(flat.size):
        flat[i] = number


@jit
def assign(to, other):
    """Copy a contiguous array to another with as many numbers."""
    flat, source = to.reshape(to.size), other.reshape(other.size)
    for i in range(flat.size):
        flat[i] = source[i]


@jit
def accumulate(to, other):
    """Add a contiguous array to another with as many numbers."""
    flat, source = to.reshape(to.size), other.reshape(other.size)
    for i in range(flat.size):
        flat[i] += source[i]


@jit
def scale(to, factor):
    """Multiply all numbers of a contiguous array."""
    flat = to.reshape(to.size)
    for i in range(flat.size):
        flat[i] *= factor
