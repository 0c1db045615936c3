"""Log densities and responsibilities of rows by the first half of the kernel."""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.data.validation import Data
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise

# A log density below this was cut off by the kernel: every squared distance overflowed.
_LOST = -1e299


def membership(
    data: Data, mixture: Mixture, noise: Noise | None = None, *, densities_alone: bool = False
) -> tuple[Array, Array]:
    """Log densities and responsibilities of rows.

    The numbers of `Mixture.log_density` and `Mixture.responsibilities` by the kernel, many times
    faster; those use more digits inside.

    Parameters
    ----------
    data : Data
        If labels are known, the density of a labelled row is that of its component, times the
        weight.
    mixture : Mixture
    noise : Noise, optional
        A component of noise beside the mixture.
    densities_alone : bool
        Return responsibilities of shape (0, K).

    Returns
    -------
    densities : ndarray of shape (n,)
        Nats; -inf where they are below the range of float64.
    responsibilities : ndarray of shape (n, K)
        Rows sum to 1, also where every density is 0 in float64; with noise, to the probability of
        not being noise.
    """
    gaussians = mixture.factors
    shift = mixture.mean()
    densities, responsibilities = native.memberships(
        data.X,
        shift,
        data.errors,
        mixture.log_weights + gaussians.log_constants,
        mixture.means - shift,
        gaussians.inverses,
        densities_alone,
    )
    lost = np.flatnonzero(~(densities > _LOST))
    if lost.size:
        few = data._replace(labels=None, feature_names=None).take(lost)
        densities[lost] = mixture.log_density(few)
        if not densities_alone:
            responsibilities[lost] = mixture.responsibilities(few)
    if data.labels is not None:
        known = np.flatnonzero(data.labels >= 0)
        labels, few = data.labels[known], data._replace(feature_names=None).take(known)
        densities[known] = mixture.log_joint(few)[np.arange(len(known)), labels]
        if not densities_alone:
            responsibilities[known] = np.eye(mixture.n_components)[labels]
    if noise is None:
        return densities, responsibilities
    densities, kept = noise.beside(data, densities)
    if not densities_alone:
        responsibilities *= kept[:, np.newaxis]
    return densities, responsibilities
