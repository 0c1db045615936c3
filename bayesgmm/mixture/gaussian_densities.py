"""Gaussian log densities that keep 12 digits at covariance condition numbers of 1e8.

A Cholesky factor in double carries a relative error of about cond(Σ) ε, which a log density
inherits. Here the factor and its inverse are each corrected by Newton's method on residuals formed
in about twice double precision, and whitening uses the same products. What makes the products
exact is splitting both factors into leading bits and a rest (Ozaki, Ogita, Oishi & Rump 2012,
"Error-free transformations of matrix multiplication by using fast routines of matrix
multiplication", Numerical Algorithms 59, section 3): the leading parts are short enough that BLAS
sums their products without rounding, in any order.

Columns are first scaled by powers of two, which is exact, so that scales from 1e-150 to 1e150
neither overflow nor underflow in products.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesgmm.arrays import Array, Integers

LOG_2PI = 1.8378770664093453
LOG_2 = 0.6931471805599453
# Whitened distances beyond this have squares that overflow.
_FAR = 2.0**515


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return s and e with s = fl(a + b) and s + e = a + b exactly (Knuth)."""
    s = a + b
    back = s - a
    return s, (a - (s - back)) + (b - back)


def split(a: Array, *, axis: int) -> tuple[Array, Array]:
    """Split a = head + tail exactly, heads short enough for exact products along ``axis``.

    Each slice along ``axis`` (of length D, the summation index) is cut at the same binary place,
    (55 - log2 D) / 2 bits below its largest entry, so that a sum of D products of heads fits into
    53 bits.
    """
    bits = (55 - int(a.shape[axis] - 1).bit_length()) // 2
    _, exponent = np.frexp(np.abs(a).max(axis=axis, keepdims=True))
    shift = np.ldexp(1.5, exponent + (53 - bits))
    head = (a + shift) - shift
    return head, a - head


# Relative residual of a Cholesky factor that one step takes below the last of about 30 digits.
_SETTLED = 1e-13


def equilibrate(covariances: Array) -> tuple[Integers, Array]:
    """Scale covariances (K, D, D) by powers of two to diagonals in [0.5, 2).

    Returns
    -------
    exponents : (K, D)
        Σ_ij = 2^(e_i + e_j) scaled_ij, without rounding.
    scaled : (K, D, D)
    """
    _, exponent = np.frexp(np.diagonal(covariances, axis1=1, axis2=2))
    exponents = exponent.astype(np.int64) >> 1
    shift = exponents[:, :, None] + exponents[:, None, :]
    return exponents, np.ldexp(covariances, -shift)


def _transpose(a: Array) -> Array:
    return np.swapaxes(a, -1, -2)


def _gram_residual(sigma: Array, high: Array, low: Array) -> Array:
    """Σ - L Lᵀ for L = high + low, to about 2^-79 of Σ."""
    head, tail = split(high, axis=-1)
    tail = tail + low
    cross = head @ _transpose(tail)
    difference, lost = two_sum(sigma, -(head @ _transpose(head)))
    return (difference - (cross + _transpose(cross) + tail @ _transpose(tail))) + lost


def _corrected_cholesky(sigma: Array) -> tuple[Array, Array]:
    """Lower L = high + low with L Lᵀ = Σ: dL = L Φ(L⁻¹ E L⁻ᵀ), E = Σ - L Lᵀ.

    Φ takes the lower triangle with halved diagonal. Convergence is quadratic: two steps serve
    condition numbers up to about 1e11.
    """
    high = np.linalg.cholesky(sigma)
    low = np.zeros_like(high)
    phi = np.tril(np.ones(sigma.shape[-2:])) - 0.5 * np.eye(sigma.shape[-1])
    for _ in range(2):
        inverse = np.tril(np.linalg.inv(high))
        core = inverse @ _gram_residual(sigma, high, low) @ _transpose(inverse)
        size = np.abs(core).max(axis=(1, 2))
        # Singular to rounding: Newton's method does not converge, and the plain factor must do.
        core[size > 0.5] = 0.0
        high, low = two_sum(high, low + high @ (phi * core))
        if (size < _SETTLED).all():
            break
    return high, low


def _corrected_inverse(high: Array, low: Array) -> tuple[Array, Array]:
    """P = high + low with P L = I: P = P₀ + P₀ (I - L P₀)."""
    rough = np.tril(np.linalg.inv(high))
    head, tail = split(high, axis=-1)
    rough_head, rough_tail = split(rough, axis=-2)
    rest = head @ rough_tail + (tail + low) @ rough
    difference, lost = two_sum(np.eye(high.shape[-1]), -(head @ rough_head))
    return two_sum(rough, rough @ ((difference - rest) + lost))


@dataclass(frozen=True, eq=False)
class GaussianFactors:
    """K Gaussians ready for evaluation.

    Attributes
    ----------
    means : (K, D)
    exponents : (K, D)
        Powers of two that scale the columns.
    lower : (K, D, D)
        Cholesky factors of the scaled covariances, correctly rounded but for the last bit.
    lower_rest : (K, D, D)
        The remainder of ``lower`` to about 30 digits.
    """

    means: Array
    exponents: Integers
    lower: Array
    lower_rest: Array

    @classmethod
    def of(cls, means: Array, covariances: Array) -> "GaussianFactors":
        """Factorise covariances (K, D, D); ``numpy.linalg.LinAlgError`` if one is indefinite."""
        exponents, scaled = equilibrate(covariances)
        return cls(means, exponents, *_corrected_cholesky(scaled))

    @cached_property
    def log_determinants(self) -> Array:
        """Log determinants of the covariances, (K,)."""
        pivots = np.diagonal(self.lower, axis1=1, axis2=2)
        rests = np.diagonal(self.lower_rest, axis1=1, axis2=2)
        logs = np.log(pivots).sum(axis=1) + (rests / pivots).sum(axis=1)
        return np.asarray(2 * (logs + LOG_2 * self.exponents.sum(axis=1)))

    @cached_property
    def inverses(self) -> Array:
        """Lower triangular P with (PᵀP)⁻¹ = Σ in the data's units, to 16 digits, (K, D, D)."""
        whitener = _transpose(self._whitener[0])
        return np.ldexp(whitener, -self.exponents[:, None, :]).copy()

    @property
    def log_constants(self) -> Array:
        """-½ (D log 2π + log|Σ|), nats, (K,)."""
        return np.asarray(-0.5 * (self.means.shape[1] * LOG_2PI + self.log_determinants))

    @cached_property
    def _whitener(self) -> tuple[Array, Array, Array]:
        """Pᵀ, and its exact split into head and tail, each (K, D, D)."""
        high, low = _corrected_inverse(self.lower, self.lower_rest)
        head, tail = split(high, axis=-1)
        return _transpose(high).copy(), _transpose(head).copy(), _transpose(tail + low).copy()

    def _blocks(self, n: int) -> Iterator[slice]:
        """Row blocks that bound the memory for temporaries."""
        size = min(max(2**17 // self.means.size, 64), 8192)
        return (slice(start, start + size) for start in range(0, n, size))

    def squared_distances(self, X: Array) -> Array:
        """Squared Mahalanobis distances, (K, n); inf where they overflow."""
        distances = np.empty((len(self.means), len(X)))
        scale = np.ldexp(1.0, -self.exponents)[:, None, :]
        whitener, whitener_head, whitener_tail = self._whitener
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for rows in self._blocks(len(X)):
                z, z_rest = two_sum(X[rows][None], -self.means[:, None, :])
                z *= scale
                z_rest *= scale
                far = ~(np.abs(z).max(axis=-1) < _FAR)
                if far.any():
                    z[far] = z_rest[far] = 0.0
                head, tail = split(z, axis=-1)
                y = head @ whitener_head + (head @ whitener_tail + (tail + z_rest) @ whitener)
                squares = np.einsum("knd,knd->kn", y, y)
                squares[far] = np.inf
                distances[:, rows] = squares
        return distances

    def log_densities(self, X: Array) -> Array:
        """Log densities of each component in nats, (K, n): -½ (D log 2π + log|Σ| + distance²)."""
        return np.asarray(self.log_constants[:, None] - 0.5 * self.squared_distances(X))

    def scaled_distances(self, X: Array) -> Array:
        """Squared distances (K, n), each row in its own unit so that its least is finite.

        For rows so far out that ``squared_distances`` overflows for every component: these compare
        the components of one row, and nothing across rows.
        """
        distances = np.empty((len(self.means), len(X)))
        with np.errstate(over="ignore", under="ignore"):
            for rows in self._blocks(len(X)):
                # A quarter, so that the difference cannot overflow.
                z, exponent = np.frexp(0.25 * X[rows][None] - 0.25 * self.means[:, None, :])
                exponent = np.where(z == 0, -5000, exponent - self.exponents[:, None, :])
                unit = exponent.max(axis=-1, keepdims=True)
                y = np.ldexp(z, exponent - unit) @ self._whitener[0]
                squares = np.einsum("knd,knd->kn", y, y)
                shift = unit[..., 0] - unit[..., 0].min(axis=0)
                distances[:, rows] = np.ldexp(squares, 2 * shift)
        return distances


def log_sum_exp(a: Array) -> Array:
    """Log of the sum of exponentials over the last axis; -inf, never NaN, where all are -inf."""
    top = a.max(axis=-1, keepdims=True)
    anchor = np.where(np.isneginf(top), 0.0, top)
    with np.errstate(divide="ignore"):
        total: Array = np.log(np.exp(a - anchor).sum(axis=-1))
    return total + anchor[..., 0]
