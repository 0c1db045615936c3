"""Settings of a fit, and what it returns."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arrays import Indices
from bayesgmm.covariance.structures import Structure
from bayesgmm.em.loop import Run
from bayesgmm.em.spurious import Degeneracy
from bayesgmm.likelihood.scaling import Units
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.priors.held_parameters import HeldParameters
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors


@dataclass(frozen=True, slots=True, eq=False)
class Settings:
    """The checked parameters of `GaussianMixture`, with the same names.

    Attributes
    ----------
    structure : Structure
    previous : Parameters or None
        The solution to begin from (warm start), in the user's units. With noise, its weights are
        shares of all rows; with outliers, it is pairs of Gaussians.
    accelerate : bool
    priors : Priors or None
        Prior distributions that penalise the likelihood.
    eigenvalue_ratio : float
        Infinite for no bound.
    order_by : str, Mixture or None
        As `component_order` takes it; None for the means, or the order of a given start, or of
        priors that differ between components.
    noise : bool
        True for a component of noise beside the Gaussian ones.
    contaminated : bool
        True for outliers of each component.
    held : HeldParameters or None
        Parameters that the fit does not change, in the user's units.
    """

    n_components: int
    structure: Structure
    tol: float | None = None
    reg_covar: float | None = None
    max_iter: int | None = None
    n_init: int | None = None
    init_params: Any = None
    weights_init: ArrayLike | None = None
    means_init: ArrayLike | None = None
    precisions_init: ArrayLike | None = None
    random_state: Any = None
    previous: Parameters | None = None
    accelerate: bool = True
    verbose: int = 0
    priors: Priors | None = None
    eigenvalue_ratio: float = np.inf
    order_by: str | Mixture | None = None
    noise: bool = False
    contaminated: bool = False
    held: HeldParameters | None = None


@dataclass(frozen=True, slots=True)
class StartRecord:
    """The result of one start.

    Attributes
    ----------
    start : str
        The method by which it was made.
    log_likelihood : float
        Nats, of `n_rows` rows; NaN where the run collapsed.
    iterations : int
    degeneracy : Degeneracy or None
    converged : bool
    n_rows : int
        Of the data, or of the sample on which the run was made.
    """

    start: str
    log_likelihood: float
    iterations: int
    degeneracy: Degeneracy | None
    converged: bool
    n_rows: int

    @property
    def outcome(self) -> str:
        """The end of the run in words."""
        return str(self.degeneracy or ("converged" if self.converged else "stopped"))

    def permuted(self, order: Indices) -> "StartRecord":
        """The same record of a fit whose component k was component ``order[k]``."""
        if self.degeneracy is None:
            return self
        return replace(self, degeneracy=self.degeneracy.permuted(order))


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The outcome of a fit.

    Attributes
    ----------
    parameters : Parameters
        In the user's units; components in the order of `Settings.order_by`. Weights sum to 1.
    run : Run
        The winning run, in the units of the fit and under labels of its own.
    units : Units
    degeneracy : Degeneracy or None
        The reason for calling the fit degenerate, if it is.
    starts : list of StartRecord
    priors : ResolvedPriors or None
        Prior distributions that penalised the likelihood, in the user's units.
    weight_unit : float
        The user's weight that is a row weight of 1 in the run.
    noise : Noise or None
    contamination : Contamination or None
    """

    parameters: Parameters
    run: Run
    units: Units
    degeneracy: Degeneracy | None
    starts: list[StartRecord]
    priors: ResolvedPriors | None = None
    weight_unit: float = 1.0
    noise: Noise | None = None
    contamination: Contamination | None = None

    @property
    def log_likelihood(self) -> float:
        """Total, nats, in the user's units of columns and weights."""
        run = self.run
        return self.units.log_likelihood(run.log_likelihood, run.seen) * self.weight_unit
