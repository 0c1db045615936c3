"""What an estimator that sees its rows once has to refuse, and to store."""

from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.arguments import refuse_beside
from bayesgmm.em.online import Online
from bayesgmm.likelihood.statistics import Parameters

if TYPE_CHECKING:
    from bayesgmm.estimator.gaussian_mixture import GaussianMixture


def check_online(fit: "GaussianMixture") -> None:
    """Refuse settings under which online EM has other steps."""
    refused = {
        "priors": fit.priors is not None,
        "reg_covar": bool(fit.reg_covar),
        "noise_component": fit.noise_component,
        "contaminated": fit.contaminated,
        "fixed": fit.fixed is not None,
        "equal_weights": fit.equal_weights,
    }
    refuse_beside("partial_fit", refused, "give all rows to fit")


def store_online(fit: "GaussianMixture", online: Online) -> None:
    """Set the fitted attributes to the state after some rows."""
    mixture = online.estimate()
    covariances = mixture.variances if fit._structure.diagonal else mixture.covariances
    fit._store_mixture(Parameters(mixture.weights, mixture.means, covariances), mixture)
    fit.n_rows_, fit.log_likelihood_ = online.weight, online.log_likelihood
    fit.lower_bound_ = online.log_likelihood / online.weight
    fit.n_iter_, fit.converged_, fit.remaining_ = online.n_pieces, False, float(np.nan)
    fit.degeneracy_ = None
    fit._rows, fit._fitted, fit._of_source, fit._online = None, None, None, online
