"""The kernel: expected sufficient statistics of a block of rows, in one pass.

For rows x_b with weights v_b and components (w_k, mu_k, P_k), where P_k is the lower triangular
inverse of the Cholesky factor of Sigma_k,

    l_kb = log w_k + log det P_k - D/2 log(2 pi) - |P_k (x_b - mu_k)|^2 / 2
    l_b  = log sum_k exp l_kb                                       the row's log density
    r_kb = v_b exp(l_kb - l_b)                                      its responsibilities

and what is added up is

    l     += v_b l_b
    N_k   += r_kb
    A_k   += r_kb (x_b - mu_k)                                      about the current mean
    B_k   += r_kb (x_b - mu_k)(x_b - mu_k)'                         lower triangle

Everything that fits a mixture or differentiates its likelihood is made from these sums. They add
over rows, so threads, files and clusters are only ways to write the sum.

`dense` keeps the whole lower triangle of P and B; `diagonal` is the same for diagonal P and needs
the diagonal of B alone (it also serves D = 1, where the two coincide). Both work on BLOCK rows at
a time, transposed, so that every inner loop runs over rows at unit stride and LLVM vectorises it.
No array of n x K or n x D is ever made.
"""

from typing import Any

import numpy as np

from bayesgmm.engine.vector import (
    BLOCK,
    STRIDE,
    STRIP,
    exp_nonpositive,
    log_positive,
    scatter_1x1,
    scatter_1x2,
    scatter_2x2,
    scatter_2x4,
    scatter_4x2,
    whiten_1,
    whiten_2,
)
from bayesgmm.model.compile import jit

# Columns of x that stay in the first cache level while their products are summed; divisible by 4.
PANEL = 16

# --- the pieces of a block ------------------------------------------------------------------------


@jit
def load_block(x, first, rows, padded, shift, scale, xt):
    """Transpose `rows` rows of x from `first` on, in the units (x - shift) * scale.

    Zeros up to `padded`, a multiple of STRIP; `normalise` gives those rows no weight.
    """
    for j in range(x.shape[1]):
        a, s = shift[j], scale[j]
        for b in range(rows):
            xt[j, b] = (x[first + b, j] - a) * s
        for b in range(rows, padded):
            xt[j, b] = 0.0


@jit
def log_joint_block(padded, constants, factors, offsets, xt, joint):
    """Log joint densities l_kb of a block under full factors."""
    n_components, d = offsets.shape
    even = d - d % 2
    for k in range(n_components):
        for b in range(padded):
            joint[k, b] = 0.0
        for b in range(0, padded, STRIP):
            for i in range(0, even, 2):
                whiten_2(factors, offsets, k, i, xt, joint, b)
            if even < d:
                whiten_1(factors, offsets, k, even, xt, joint, b)
        constant = constants[k]
        for b in range(padded):
            joint[k, b] = constant - 0.5 * joint[k, b]


@jit
def normalise(joint, rows, padded, row_weights, first, spare):
    """Turn log joint densities (K, rows) into weighted responsibilities; sum of v_b l_b.

    `row_weights` has no entries where all rows count once.
    """
    n_components = joint.shape[0]
    for b in range(padded):
        # A row beyond the range of float64 from every component would give inf - inf.
        spare[0, b] = max(joint[0, b], -1e300)
        spare[1, b] = 0.0
    for k in range(1, n_components):
        for b in range(padded):
            spare[0, b] = max(spare[0, b], joint[k, b])
    for k in range(n_components):
        for b in range(padded):
            e = exp_nonpositive(joint[k, b] - spare[0, b])
            joint[k, b] = e
            spare[1, b] += e
    total = 0.0
    if row_weights.size == 0:
        for b in range(rows):
            s = max(spare[1, b], 1e-300)
            total += spare[0, b] + log_positive(s)
            spare[1, b] = 1.0 / s
    else:
        for b in range(rows):
            v = row_weights[first + b]
            s = max(spare[1, b], 1e-300)
            total += v * (spare[0, b] + log_positive(s))
            spare[1, b] = v / s
    for b in range(rows, padded):
        spare[1, b] = 0.0
    for k in range(n_components):
        for b in range(padded):
            joint[k, b] *= spare[1, b]
    return total


@jit
def scatter_block(d, rz, xt, padded, seconds, k):
    """Lower triangle of seconds[k] += sums of (r z) x', four rows of it at a time.

    A panel of x stays in the first cache level while the rows of r z pass by. Entries above the
    diagonal of the tiles that meet it are filled too and mean nothing.
    """
    for start in range(0, d, PANEL):
        end = min(start + PANEL, d)
        i = start
        while i + 4 <= d:
            for j in range(start, min(i + 2, end), 2):
                scatter_4x2(rz, i, xt, j, padded, seconds, k)
            if i < end:
                scatter_2x2(rz, i + 2, xt, i + 2, padded, seconds, k)
            i += 4
        if i + 2 <= d:
            for j in range(start, min(i, end), 4):
                scatter_2x4(rz, i, xt, j, padded, seconds, k)
            if i < end:
                scatter_2x2(rz, i, xt, i, padded, seconds, k)
            i += 2
        if i < d:
            for j in range(start, min(i, end - 1), 2):
                scatter_1x2(rz, i, xt, j, padded, seconds, k)
            if i < end:
                scatter_1x1(rz, i, xt, i, padded, seconds, k)


@jit
def _counts_firsts(out, n_components, d):
    """Views of N and A in the vector of all sums."""
    end = 2 + n_components
    return out[2:end], out[end : end + n_components * d].reshape(n_components, d)


# --- the two variants of the kernel -----------------------------------------------------------


@jit
def dense(x, row_weights, first, last, shift, scale, constants, means, factors, offsets, work, out):
    """Add the statistics of rows first..last-1 under full precision factors to `out`.

    x (n, D); row_weights (n,) or (0,); shift, scale (D,); constants (K,) = log w + log det P -
    D/2 log 2 pi; means (K, D), factors P (K, D, D) and offsets -P mu (K, D) in shifted and scaled
    units; work is `workspace(K, D)`; out is laid out as log-likelihood, sum of weights, N (K,),
    A (K, D), sums of r (x - mu) x' (K, D, D), of which B is that less A mu'.

    One factor of each product is left uncentred: P x - P mu and sum r (x - mu) x' - A mu' lose no
    more digits than (x - shift) * scale did when it was rounded, and save a pass over the block.
    """
    n_components, d = means.shape
    xt, rz, joint, spare = work
    counts, firsts = _counts_firsts(out, n_components, d)
    seconds = out[2 + n_components * (1 + d) :].reshape(n_components, d, d)
    for start in range(first, last, BLOCK):
        rows = min(BLOCK, last - start)
        padded = (rows + STRIP - 1) // STRIP * STRIP
        load_block(x, start, rows, padded, shift, scale, xt)
        log_joint_block(padded, constants, factors, offsets, xt, joint)
        out[0] += normalise(joint, rows, padded, row_weights, start, spare)
        for k in range(n_components):
            s = 0.0
            for b in range(padded):
                s += joint[k, b]
            counts[k] += s
            out[1] += s
            for j in range(d):
                mean = means[k, j]
                s = 0.0
                for b in range(padded):
                    t = joint[k, b] * (xt[j, b] - mean)
                    rz[j, b] = t
                    s += t
                firsts[k, j] += s
            scatter_block(d, rz, xt, padded, seconds, k)


@jit
def diagonal(
    x, row_weights, first, last, shift, scale, constants, means, factors, offsets, work, out
):
    """As `dense` for diagonal factors (K, D), with the diagonals of B (K, D) alone.

    `offsets` are not used: differences from the mean cost nothing here.
    """
    n_components, d = means.shape
    xt, _, joint, spare = work
    counts, firsts = _counts_firsts(out, n_components, d)
    seconds = out[2 + n_components * (1 + d) :].reshape(n_components, d)
    for start in range(first, last, BLOCK):
        rows = min(BLOCK, last - start)
        padded = (rows + STRIP - 1) // STRIP * STRIP
        load_block(x, start, rows, padded, shift, scale, xt)
        for k in range(n_components):
            constant = constants[k]
            for b in range(padded):
                joint[k, b] = constant
            for j in range(d):
                mean, p = means[k, j], factors[k, j] * np.sqrt(0.5)
                for b in range(padded):
                    t = (xt[j, b] - mean) * p
                    joint[k, b] -= t * t
        out[0] += normalise(joint, rows, padded, row_weights, start, spare)
        for k in range(n_components):
            s = 0.0
            for b in range(padded):
                s += joint[k, b]
            counts[k] += s
            out[1] += s
            for j in range(d):
                mean = means[k, j]
                s1 = s2 = 0.0
                for b in range(padded):
                    t = xt[j, b] - mean
                    rt = joint[k, b] * t
                    s1 += rt
                    s2 += rt * t
                firsts[k, j] += s1
                seconds[k, j] += s2


@jit
def add_rows(
    x, row_weights, first, last, shift, scale, constants, means, factors, offsets, work, out
):
    """`dense` or `diagonal`, by the shape of the factors (settled when this is compiled)."""
    if factors.ndim == 3:
        dense(
            x, row_weights, first, last, shift, scale, constants, means, factors, offsets, work, out
        )
    else:
        diagonal(
            x, row_weights, first, last, shift, scale, constants, means, factors, offsets, work, out
        )


def workspace(n_components: int, n_features: int) -> tuple[Any, ...]:
    """Scratch arrays for one thread of either kernel: a few blocks of rows."""
    return (
        np.zeros((n_features, STRIDE)),
        np.zeros((n_features, STRIDE)),
        np.zeros((n_components, STRIDE)),
        np.zeros((2, STRIDE)),
    )
