"""A candidate model of a grid, the nesting of structures, and the ranks of fits."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from bayesgmm.covariance.structures import Structure
from bayesgmm.em.loop import Run
from bayesgmm.likelihood.statistics import Parameters

type Key = tuple[int, Structure]


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A candidate model: one K with one structure, and its best mixture.

    Attributes
    ----------
    n_components : int
    structure : Structure
    parameters : Parameters or None
        None if no mixture was found. Beside noise, the weights are shares of all rows: noise has
        what they leave of 1. With outliers, pairs of Gaussians.
    log_likelihood : float
        Total, nats, in the user's units.
    converged : bool
    note : str
        Reason why there is no mixture, or a degenerate one; "" otherwise.
    inherited : bool
        True if the mixture is that of a nested structure, as no admissible fit is more likely.
    run : Run or None
        The run of EM, in the units of the search.
    """

    n_components: int
    structure: Structure
    parameters: Parameters | None
    log_likelihood: float
    converged: bool
    note: str
    inherited: bool = False
    run: Run | None = None

    @property
    def key(self) -> Key:
        """Position in the grid."""
        return self.n_components, self.structure

    @property
    def admissible(self) -> bool:
        """True if the model may be selected."""
        return self.parameters is not None and not self.note


@cache
def is_nested(small: Structure, large: Structure) -> bool:
    """Return True if `small` is nested in `large`: I(dentity) < E(qual) < V(arying)."""
    pairs = zip(small.code, large.code, strict=True)
    return small != large and all("IEV".index(a) <= "IEV".index(b) for a, b in pairs)


def parents(structure: Structure, among: Sequence[Structure]) -> list[Structure]:
    """The maximal structures among those nested in this one."""
    nested = [each for each in among if is_nested(each, structure)]
    return [each for each in nested if not any(is_nested(each, other) for other in nested)]


def freedom(structure: Structure) -> int:
    """A number that grows from each nested structure to a larger one."""
    return sum("IEV".index(each) for each in structure.code)


def rank(model: Candidate) -> tuple[bool, bool, float]:
    """The key that ranks fits: admissible ones first, then those not collapsed, then likelihood."""
    not_collapsed = model.run is not None and model.run.collapsed is None
    return model.admissible, not_collapsed, model.log_likelihood
