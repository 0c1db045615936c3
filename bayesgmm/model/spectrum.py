"""Eigenvalues and Cholesky factors of small symmetric matrices, in compiled code."""

import math

import numpy as np

from bayesgmm.model.compile import jit

# Up to this size rotations one by one are faster than the library's reduction to tridiagonal form.
_SMALL = 8
_EPS = float(np.finfo(np.float64).eps)


@jit
def rotation(p, q, r):
    """Cosine and sine of the rotation that makes [[p, r], [r, q]] diagonal, by at most 45 degrees.

    Columns i and j of a basis become c u_i + s u_j and c u_j - s u_i.
    """
    if r == 0.0:
        return 1.0, 0.0
    ratio = 0.5 * (p - q) / r
    t = 1.0 / (abs(ratio) + math.sqrt(1.0 + ratio * ratio))
    if ratio < 0.0:
        t = -t
    c = 1.0 / math.sqrt(1.0 + t * t)
    return c, t * c


@jit
def rotate_columns(a, i, j, c, s):
    """Columns i and j of `a` in place."""
    for m in range(a.shape[0]):
        u, v = a[m, i], a[m, j]
        a[m, i] = c * u + s * v
        a[m, j] = c * v - s * u


@jit
def rotate_both(a, i, j, c, s):
    """Rows and columns i and j of a symmetric matrix in place."""
    rotate_columns(a, i, j, c, s)
    for m in range(a.shape[0]):
        u, v = a[i, m], a[j, m]
        a[i, m] = c * u + s * v
        a[j, m] = c * v - s * u


@jit
def spectrum(matrix, values, vectors):
    """Eigenvalues in descending order, and eigenvectors as columns, of a symmetric matrix.

    Jacobi's rotations, which keep the digits of small eigenvalues (Demmel & Veselic 1992).
    """
    d = matrix.shape[0]
    if d > _SMALL:
        found, directions = np.linalg.eigh(matrix)
        for i in range(d):
            values[i] = found[d - 1 - i]
            for m in range(d):
                vectors[m, i] = directions[m, d - 1 - i]
        return
    a = matrix.copy()
    for i in range(d):
        for j in range(d):
            vectors[i, j] = 1.0 if i == j else 0.0
    for _ in range(40):
        turned = False
        for i in range(d):
            for j in range(i):
                if abs(a[i, j]) > _EPS * math.sqrt(abs(a[i, i] * a[j, j])):
                    c, s = rotation(a[j, j], a[i, i], a[i, j])
                    rotate_both(a, j, i, c, s)
                    a[i, j] = a[j, i] = 0.0
                    rotate_columns(vectors, j, i, c, s)
                    turned = True
        if not turned:
            break
    for i in range(d):
        values[i] = a[i, i]
    # Selection sort: few values.
    for i in range(d):
        most = i
        for j in range(i + 1, d):
            if values[j] > values[most]:
                most = j
        if most != i:
            values[i], values[most] = values[most], values[i]
            for m in range(d):
                vectors[m, i], vectors[m, most] = vectors[m, most], vectors[m, i]


@jit
def cholesky(matrix, lower):
    """Lower triangular L with L L' = matrix, from its lower triangle; False if there is none."""
    d = matrix.shape[0]
    for i in range(d):
        for j in range(i + 1):
            s = matrix[i, j]
            for m in range(j):
                s -= lower[i, m] * lower[j, m]
            if j < i:
                lower[i, j] = s / lower[j, j]
            elif s > 0.0:
                lower[i, i] = math.sqrt(s)
            else:
                return False
        for j in range(i + 1, d):
            lower[i, j] = 0.0
    return True


@jit
def log_determinant(lower):
    """The logarithm of |L L'|."""
    s = 0.0
    for i in range(lower.shape[0]):
        s += math.log(lower[i, i])
    return 2.0 * s


@jit
def whiten(lower, matrix, out):
    """L^-1 A L'^-1 for a symmetric A, whose lower triangle is read; all of `out` is written."""
    d = lower.shape[0]
    for j in range(d):
        for i in range(d):
            s = matrix[max(i, j), min(i, j)]
            for m in range(i):
                s -= lower[i, m] * out[m, j]
            out[i, j] = s / lower[i, i]
    for i in range(d):
        for j in range(d):
            s = out[i, j]
            for m in range(j):
                s -= lower[j, m] * out[i, m]
            out[i, j] = s / lower[j, j]
