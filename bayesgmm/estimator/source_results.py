"""What the rows of a source say of a fit: criteria, sizes of components, standard errors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from bayesgmm.arrays import Array, Indices, Integers
from bayesgmm.data.validation import Data
from bayesgmm.em.streamed_fit import BLOCK_ROWS
from bayesgmm.errors import InvalidParameterError
from bayesgmm.estimator.columns import check_columns
from bayesgmm.estimator.information_criteria import Criteria, criteria_of, sums_for_criteria
from bayesgmm.executors.chosen_executor import as_executor
from bayesgmm.executors.executor import OpenRows
from bayesgmm.likelihood.outliers import memberships
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.sources.row_source import Block, RowSource
from bayesgmm.uncertainty.source_errors import source_errors
from bayesgmm.uncertainty.standard_errors import StandardErrors

if TYPE_CHECKING:
    from bayesgmm.estimator.gaussian_mixture import GaussianMixture


class SourceSums(NamedTuple):
    """What a pass over rows says of a fit.

    Attributes
    ----------
    for_criteria : (3,)
        Log-likelihood, weight and certainty, as `sums_for_criteria` has them.
    sizes : (K + 1,)
        Rows of which each component is the most probable one, and those of noise.
    """

    for_criteria: Array
    sizes: Integers

    def permuted(self, order: Indices) -> Self:
        """The same sums of a fit whose component k was component ``order[k]``."""
        return self._replace(sizes=self.sizes[[*order, -1]])

    def criteria(self, n_parameters: int) -> Criteria:
        """The criteria of the fit, which has so many free parameters."""
        return criteria_of(self.for_criteria, n_parameters)


@dataclass(frozen=True, slots=True)
class BlockMemberships:
    """From a block to log densities (m,), and probabilities (m, K) of the components."""

    mixture: Mixture
    noise: Noise | None = None
    contamination: Contamination | None = None

    def __call__(self, block: Block) -> tuple[Array, Array]:
        """Return both for a block."""
        return memberships(block.data, self.mixture, self.noise, self.contamination)


@dataclass(frozen=True, slots=True)
class _BlockSums:
    """From a block to its sums for criteria, and its sizes."""

    memberships: BlockMemberships

    def __call__(self, block: Block) -> Array:
        densities, found = self.memberships(block)
        sums = sums_for_criteria(densities, found, block.weights)
        return np.concatenate((sums, sizes_of(found)))


def sizes_of(memberships: Array) -> Integers:
    """Rows of which each component is the most probable one, and those of noise, (K + 1,)."""
    k = memberships.shape[1]
    labels = memberships.argmax(axis=1)
    labels[1.0 - memberships.sum(axis=1) > memberships.max(axis=1)] = k
    return np.bincount(labels, minlength=k + 1)


def source_sums(of_block: BlockMemberships, opened: OpenRows) -> SourceSums:
    """The sums over all rows of a source under a fit."""
    sums = opened.sum(_BlockSums(of_block))
    return SourceSums(sums[:3], sums[3:].astype(np.int64))


def sums_of_source(fit: "GaussianMixture", X: Any) -> SourceSums | None:
    """The sums over a source of rows, or for None over that which was fitted; None for others."""
    if X is None:
        found: SourceSums | None = getattr(fit, "_of_source", None)
        return found
    if not isinstance(X, RowSource):
        return None
    _check_columns(fit, X)
    of_block = BlockMemberships(fit.mixture_, fit.noise_, fit.contamination_)
    with as_executor().open(X, BLOCK_ROWS) as opened:
        return source_sums(of_block, opened)


def errors_by_source(fit: "GaussianMixture", X: RowSource, method: str) -> StandardErrors:
    """Standard errors of a fit from all rows of a source, which are read once."""
    if method not in ("information", "sandwich"):
        raise InvalidParameterError(
            f"method={method!r} fits again and again, and needs rows in memory. Use 'information' "
            "or 'sandwich' with a source of rows, which is read once."
        )
    if fit.priors_ is not None:
        raise InvalidParameterError("Standard errors of a fit with priors need rows in memory.")
    _check_columns(fit, X)
    return source_errors(
        X,
        as_executor(),
        fit.mixture_,
        fit._structure,
        method,
        fit._held,
        fit.noise_,
        fit.contamination_,
        weight_unit=fit.n_rows_ / X.n_rows,
    )


def _check_columns(fit: "GaussianMixture", source: RowSource) -> None:
    none = Data(np.empty((0, source.n_features)), source.feature_names)
    check_columns(fit, none, none)


def sizes_under(fit: "GaussianMixture", X: Any) -> Integers:
    """Rows of which each component is the most probable one, and those of noise, (K + 1,).

    X are rows, a source of them, or None for the source that was fitted.
    """
    found = sums_of_source(fit, X)
    return sizes_of(fit.predict_proba(X)) if found is None else found.sizes
