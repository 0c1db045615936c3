"""Log density and responsibilities of each row: the first half of the kernel, kept."""

import numpy as np
from numpy.typing import NDArray

from bayesgmm.engine.kernel import load_block, log_joint_block, normalise, workspace
from bayesgmm.engine.vector import BLOCK, STRIP, log_positive
from bayesgmm.model import Mixture
from bayesgmm.model.compile import jit, unlocked

type Array = NDArray[np.float64]

# A log density below this was cut off by the kernel: every squared distance overflowed.
_LOST = -1e299


@jit
def _membership(x, shift, scale, constants, factors, offsets, work, densities, responsibilities):
    """Fill densities (n,) and responsibilities (n, K), or (0, K) for none."""
    xt, _, joint, spare = work
    n_components, n = constants.size, x.shape[0]
    nobody = np.empty(0)
    for start in range(0, n, BLOCK):
        rows = min(BLOCK, n - start)
        padded = (rows + STRIP - 1) // STRIP * STRIP
        load_block(x, start, rows, padded, shift, scale, xt)
        log_joint_block(padded, constants, factors, offsets, xt, joint)
        normalise(joint, rows, padded, nobody, start, spare)
        for b in range(rows):
            densities[start + b] = spare[0, b] - log_positive(spare[1, b])
        if responsibilities.shape[0] > 0:
            for b in range(rows):
                for k in range(n_components):
                    responsibilities[start + b, k] = joint[k, b]


def membership(x: Array, mixture: Mixture, *, densities_alone: bool = False) -> tuple[Array, Array]:
    """Log densities and responsibilities of rows.

    The numbers of `Mixture.log_density` and `Mixture.responsibilities` by the kernel, many times
    faster; those use more digits inside.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite.
    mixture : Mixture
    densities_alone : bool
        Return responsibilities of shape (0, K).

    Returns
    -------
    densities : ndarray of shape (n,)
        Nats; -inf where they are below the range of float64.
    responsibilities : ndarray of shape (n, K)
        Rows sum to 1, also where every density is 0 in float64.
    """
    k, d = mixture.means.shape
    n = len(x)
    gaussians = mixture.factors
    shift = mixture.mean()
    means = mixture.means - shift
    factors = gaussians.inverses
    offsets = -np.matmul(factors, means[:, :, np.newaxis])[:, :, 0]
    constants = mixture.log_weights + gaussians.log_constants
    densities = np.empty(n)
    responsibilities = np.empty((0 if densities_alone else n, k))
    _membership(
        unlocked(x),
        shift,
        np.ones(d),
        constants,
        factors,
        offsets,
        workspace(k, d),
        densities,
        responsibilities,
    )
    lost = np.flatnonzero(~(densities > _LOST))
    if lost.size:
        densities[lost] = mixture.log_density(x[lost])
        if not densities_alone:
            responsibilities[lost] = mixture.responsibilities(x[lost])
    return densities, responsibilities
