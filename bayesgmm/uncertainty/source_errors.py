"""Standard errors of a fit to a source of rows, by one pass over them."""

from dataclasses import dataclass

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure
from bayesgmm.executors.executor import Executor
from bayesgmm.likelihood.information import Information, roots_of
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.priors.held_parameters import HeldParameters
from bayesgmm.sources.row_source import Block, RowSource
from bayesgmm.uncertainty.curvature import check_size, errors_at_maximum, information_of
from bayesgmm.uncertainty.standard_errors import StandardErrors

_BLOCK_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class _BlockInformation:
    """From a block to its derivatives of the log-likelihood, in one vector."""

    mixture: Mixture
    noise: Noise | None
    contamination: Contamination | None
    weight_unit: float

    def __call__(self, block: Block) -> Array:
        data = block.data
        weights = None if block.weights is None else block.weights / self.weight_unit
        found = information_of(data, self.mixture, weights, self.noise, self.contamination)
        parts = found.gradient, found.hessian, found.products, found.counts
        return np.concatenate([each.ravel() for each in parts])


def source_errors(
    source: RowSource,
    executor: Executor,
    mixture: Mixture,
    structure: Structure,
    method: str,
    held: HeldParameters | None,
    noise: Noise | None,
    contamination: Contamination | None,
    *,
    weight_unit: float,
) -> StandardErrors:
    """Standard errors from second derivatives at a maximum for all rows of a source.

    Raises
    ------
    InputError
        If the mixture is not a maximum for the rows, or has too many parameters.
    """
    check_size(mixture)
    of_block = _BlockInformation(mixture, noise, contamination, weight_unit)
    with executor.open(source, _BLOCK_ROWS) as opened:
        sums = opened.sum(of_block)
    k = mixture.n_components
    counts, rest = sums[-k:], sums[:-k]
    # m + 2 m^2 numbers of m coordinates.
    m = round((np.sqrt(1.0 + 8.0 * len(rest)) - 1.0) / 4.0)
    gradient, hessian, products = np.split(rest, [m, m + m * m])
    matrices = hessian.reshape(m, m), products.reshape(m, m)
    found = Information(roots_of(mixture), gradient, *matrices, counts)
    return errors_at_maximum(
        found,
        mixture,
        structure,
        method,
        None,
        held,
        noise,
        contamination,
        unit_of_weights=weight_unit,
    )
