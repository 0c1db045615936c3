"""A check of the evidence, and the figures that checks are made of."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayesgmm.convergence.agreement import Agreement
from bayesgmm.verdicts.described_rows import Discrepancy
from bayesgmm.verdicts.multimodality import Valley
from bayesgmm.verdicts.recorded_modes import RecordedModes
from bayesgmm.verdicts.sampler_statistics import Transitions

type State = Literal["good", "care", "bad", "unknown"]
RESULTS = {"good": "passed", "care": "care", "bad": "failed", "unknown": "not checked"}

# Proportion of draws with a redundant component above which the model is overfitted.
SPARE = 0.5
# Proportion of ambiguous draws above which relabelled draws are cut where components overlap.
UNCLEAR = 0.05


@dataclass(frozen=True)
class Check:
    """The answer to one question.

    Attributes
    ----------
    question : str
    state : {"good", "care", "bad", "unknown"}
        "unknown" if it could not be checked.
    figure, bound : float
        NaN if there is none.
    finding : str
        A sentence on the figure.
    consequence : str
        Advice; empty if there is nothing to do.
    verdict : str
        The name of the verdict if this check decides; empty if it never does.
    """

    question: str
    state: State
    figure: float
    bound: float
    finding: str
    consequence: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Figures:
    """What the checks are made of.

    Attributes
    ----------
    n_components, n_chains, n_draws : int
    rows : Discrepancy or None
        None if the rows are not known.
    feature_words : tuple of str
        Empty for mixtures of other families.
    density, invariant, relabelled : Agreement
        Of functionals of the density, of other label-invariant quantities (sorted parameters,
        the partition of the rows), and of relabelled parameters.
    sampled : float
        Largest R-hat as sampled.
    stay : tuple of float
        The longest run of equal draws of each chain, as a proportion of its draws.
    valley : Valley
    modes : RecordedModes or None
        None if the posterior has no record of modes.
    transitions : Transitions
    redundant, unsupported : float
        Proportion of draws in which two components can be merged, or one removed, at a loss of
        log-likelihood below the AIC penalty, and the BIC penalty, for one component; NaN if not
        known.
    labellings : int
        Number of different modal labellings of the chains.
    outside : float
        Largest proportion of a chain's unambiguous draws outside its modal labelling.
    switches : int
        Changes of labelling between successive unambiguous draws, over all chains.
    ambiguous : float
        Proportion of draws whose second best labels fit nearly as well as the best.
    exchanged : float
        The largest proportion of draws in which two labels can be exchanged at little cost.
    ties : str
        The code of the structure if its components share parts of their covariances; else empty.
    held : bool
        True if parameters were held at given values.
    """

    n_components: int
    n_chains: int
    n_draws: int
    rows: Discrepancy | None
    feature_words: tuple[str, ...]
    density: Agreement
    invariant: Agreement
    relabelled: Agreement
    sampled: float
    stay: tuple[float, ...]
    valley: Valley
    modes: RecordedModes | None
    transitions: Transitions
    redundant: float
    unsupported: float
    labellings: int
    outside: float
    switches: int
    ambiguous: float
    exchanged: float
    ties: str = ""
    held: bool = False

    @property
    def gaussian(self) -> bool:
        """True for Gaussian mixtures."""
        return bool(self.feature_words)

    @property
    def overfitted(self) -> bool:
        """True if the rows do not support all components in most draws."""
        return self.unsupported > SPARE

    @property
    def ess(self) -> float:
        """The least effective sample size of the quantities that have to agree."""
        parts = [self.density.ess]
        if not self.overfitted:
            parts.append(self.invariant.ess)
            if not self.unclear:
                parts.append(self.relabelled.ess)
        return float(np.fmin.reduce(parts))

    @property
    def unclear(self) -> bool:
        """True if labels are ambiguous in many draws, or two can be exchanged in many."""
        return max(self.ambiguous, self.exchanged) > UNCLEAR
