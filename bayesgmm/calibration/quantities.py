"""The quantities of a mixture that are ranked among draws of its posterior."""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.convergence.monitored import by_component
from bayesgmm.data.validation import Data
from bayesgmm.labels.component_values import component_values, permuted
from bayesgmm.posterior.draws import Draws
from bayesgmm.priors.resolved_priors import ResolvedPriors


def quantities(priors: ResolvedPriors, rows: Data, draws: Draws) -> dict[str, Array]:
    """The quantities of each draw, by name, (chain, draw).

    The components' weights, means, standard deviations and correlations; and, which depend on the
    rows and not on labels, the log-likelihood and the log posterior density (nats, up to a
    constant). The components are ordered by their means in the first feature, unless the priors
    number them: a rule that does not look at the true mixture.
    """
    order = (priors.with_order(0, None) if priors.exchangeable else priors).in_order(draws.means)
    values = component_values(draws, correlations=priors.n_axes is None)
    if draws.n_components == 1:
        del values["weight"]  # 1 in every draw
    shape = draws.n_chains, draws.n_draws
    likelihood = draws.over(rows).densities().sum(axis=1).reshape(shape)
    unordered = priors.without_order()
    prior = np.reshape([unordered.log_density(each) for each in draws.mixtures()], shape)
    return by_component(permuted(values, order)) | {
        "log-likelihood": likelihood,
        "log posterior density": likelihood + prior,
    }
