"""The log marginal likelihood of each number of components."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.arguments import check_count, check_kind, check_rng
from bayesgmm.arrays import Array, Indices
from bayesgmm.covariance.structures import CovarianceType, Structure, as_structure
from bayesgmm.data.validation import Data, check_data
from bayesgmm.display import progress
from bayesgmm.errors import ConvergenceWarning, InvalidParameterError
from bayesgmm.likelihood.scaling import fit_units
from bayesgmm.marginal_likelihood.bridge import Estimate, bridge
from bayesgmm.marginal_likelihood.conditionals import Proposal
from bayesgmm.marginal_likelihood.gibbs_chains import Kept, random_starts, run
from bayesgmm.marginal_likelihood.many_mixtures import Model, Parameters
from bayesgmm.priors.families import LKJ
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.results import Result
from bayesgmm.selection.possible_models import check_components

# Chains of the first run, and its sweeps before, draws and thinning; points from which the second
# run's chains begin.
_FIRST, _FIRST_LENGTHS, _POINTS = 100, (200, 10, 5), 2000
# Chains of the second run, half of which make the proposal; its lengths.
_SECOND, _SECOND_LENGTHS = 500, (60, 30, 4)
# Conditional distributions that make a proposal, and draws from it.
_SETS, _PROPOSALS = 304, 4000
# Second runs end at a standard error of so many nats, or after so many.
_PRECISION, _RUNS = 0.015, 6
# The sum over labellings takes 2^K steps.
_MOST = 12
# Standard errors above which a comparison of models is uncertain.
_LARGE = 0.2


@dataclass(frozen=True, eq=False, repr=False)
class Evidence(Result):
    """Result of `evidence`.

    Attributes
    ----------
    table : DataFrame
        For each number of components K: ``log_evidence``, log p(X | K) in nats; its standard
        error ``se``; ``probability``, p(K | X) under equal prior probabilities of the K that were
        asked for; and its standard error ``probability_se``.
    filled : DataFrame
        For each number of components that hold rows, its posterior ``probability`` over all K.
    priors : Priors
        The priors, with the same numbers for all K.
    covariance_type : str
        Name of the covariance structure.

    Examples
    --------
    >>> from bayesgmm import Priors, evidence, load_dataset
    >>> X = load_dataset("galaxies").X
    >>> found = evidence(X, [2, 3], priors=Priors.richardson_green(), rng=0, progressbar=False)
    >>> found.table["log_evidence"].round(1).tolist()
    [-235.4, -226.9]
    """

    table: pd.DataFrame
    filled: pd.DataFrame
    priors: Priors
    covariance_type: str

    def log_bayes_factor(self, n_components: int, other: int) -> Estimate:
        """Log of p(X | n_components) / p(X | other), with its standard error, nats.

        Raises
        ------
        InvalidParameterError
            If either is not in the table.
        """
        for name, value in (("n_components", n_components), ("other", other)):
            k = check_count(name, value)
            if k not in self.table.index:
                known = ", ".join(map(str, self.table.index))
                raise InvalidParameterError(f"{name} must be one of {known}, not {k}.")
        pair = self.table.loc[[n_components, other]]
        value, against = pair["log_evidence"]
        return Estimate(float(value - against), float(np.hypot(*pair["se"])))

    def _paragraphs(self) -> list[str | pd.DataFrame]:
        best = int(self.table["probability"].idxmax())
        share = self.table["probability"].max()
        return [
            f"Log marginal likelihood of mixtures with {self.covariance_type} covariances. The "
            f"most probable number of components is {best} (probability {share:.3g} among those "
            "compared).",
            self.table.assign(log_evidence=self.table["log_evidence"].map("{:.3f}".format)),
            "The probabilities are those of K given the rows, under the priors of the attribute "
            f"priors (concentration {self.priors.concentration:g}, standard deviation of the means "
            f"{', '.join(f'{each:.4g}' for each in np.ravel(self.priors.mean_sd))}), which are the "
            "same for each K, and equal prior probabilities of each K. Other priors or covariance "
            "structures give others.",
            "BIC and ICL, of single estimates (select_mixture), may select another K: BIC favours "
            "the mixture that approximates the density best, ICL components that overlap less. The "
            'documentation compares them on the page "Is this K right?".',
            "Components that hold rows:",
            self.filled,
        ]


def evidence(
    X: Any,
    n_components: int | Iterable[int] = range(1, 7),
    *,
    covariance_type: CovarianceType = "full",
    priors: Priors | None = None,
    rng: Any = None,
    progressbar: bool = True,
) -> Evidence:
    """The log marginal likelihood of each number of components, and their probabilities.

    The likelihood is integrated over the prior of all parameters, under all K! labellings. The
    priors have the same numbers for all K. The evidence depends on them, also where the
    posterior hardly does.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        Complete rows without measurement errors or weights.
    n_components : int or iterable of int
        Each K, at most 12.
    covariance_type : str or Structure
        "full", "tied", "diag", "spherical", or another structure in which covariances share
        either everything or nothing.
    priors : Priors, optional
        Conjugate (inverse-gamma or inverse-Wishart) and equal for all components. None:
        ``Priors()``.
    rng : anything that ``numpy.random.default_rng`` accepts
        The result does not depend on the number of threads.
    progressbar : bool
        Show progress on a terminal.

    Returns
    -------
    Evidence

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used, or has missing entries.
    InvalidParameterError
        If the priors are not conjugate or differ between components, the structure shares parts of
        covariances, or a K is above 12.

    Warns
    -----
    ConvergenceWarning
        If a standard error exceeds 0.2.

    Notes
    -----
    Bridge sampling (Meng & Wong 1996) between Gibbs chains and a mixture of their conditional
    distributions (Frühwirth-Schnatter 2004), averaged over all K! labellings exactly by permanents.
    The standard error is that of a jackknife over chains and proposals; runs are repeated, at most
    six times, until it is 0.015.

    References
    ----------
    Meng and Wong (1996), Statistica Sinica 6, 831-860. Frühwirth-Schnatter (2004), Econometrics
    Journal 7, 143-167.

    Examples
    --------
    >>> from bayesgmm import evidence, load_dataset
    >>> found = evidence(load_dataset("galaxies").X, [1, 2], rng=0, progressbar=False)
    >>> int(found.table["probability"].idxmax())
    2
    """
    ks = check_components(n_components)
    generator = check_rng(rng)
    structure = as_structure(covariance_type)
    check_kind("priors", priors, Priors | None, "a Priors or None")
    data = check_data(X)
    resolved = _resolved(data, ks, structure, Priors() if priors is None else priors)
    with progress(progressbar) as bar:
        task = bar.add_task("Evidence", total=len(ks))
        found = {}
        for k, each in zip(ks, generator.spawn(len(ks)), strict=True):
            found[k] = _of_size(data, resolved[k], structure, each)
            bar.update(task, advance=1)
    estimates = {k: estimate for k, (estimate, _) in found.items()}
    _warn(estimates)
    table = _table(estimates)
    filled = sum(
        table.loc[k, "probability"] * np.pad(shares, (0, ks[-1] - k))
        for k, (_, shares) in found.items()
    )
    index = pd.RangeIndex(1, ks[-1] + 1, name="filled")
    return Evidence(
        table,
        pd.DataFrame({"probability": filled}, index=index),
        Priors.from_resolved(resolved[ks[0]]),
        structure.name,
    )


def _resolved(
    data: Data, ks: list[int], structure: Structure, priors: Priors
) -> dict[int, ResolvedPriors]:
    """The priors of each size, with the same numbers."""
    if ks[-1] > _MOST:
        raise InvalidParameterError(
            f"n_components must be at most {_MOST}, not {ks[-1]}: the sum over the labellings "
            "takes 2^K steps."
        )
    d = data.X.shape[1]
    if structure.shares_parts(2, d):
        raise InvalidParameterError(
            f"covariance_type={structure.name!r} shares parts of covariances, and the normalising "
            "constant of their prior is not known. Use 'full', 'tied', 'diag' or 'spherical'."
        )
    out = {k: priors.for_data(data, k, structure).without_order() for k in ks}
    first = out[ks[0]]
    if isinstance(first.covariances, LKJ):
        raise InvalidParameterError(
            "The evidence needs conjugate priors of covariances, and LKJ is not. Use "
            "InverseWishart."
        )
    if not all(each.exchangeable for each in out.values()):
        raise InvalidParameterError(
            "The priors differ between components, and the sum over labellings is for components "
            "of one prior. Give priors that are equal for all."
        )
    return out


def _of_size(
    data: Data, priors: ResolvedPriors, structure: Structure, rng: np.random.Generator
) -> tuple[Estimate, Array]:
    """The log evidence of one K, and the distribution of the number of filled components."""
    units = fit_units(data.X, None, structure)
    rows = Data((data.X - units.shift) * units.scale, None)
    model = Model(rows, priors.transformed(units.shift, units.scale))
    first = run(model, random_starts(model, _FIRST, rng), _FIRST_LENGTHS, rng)
    proposal = _proposal(first, np.arange(len(first.conditionals.df)), rng)
    # From points weighted by importance the chains begin in each mode as often as its mass says.
    points = proposal.draw(_POINTS, rng)
    ratios = model.log_density(points) - proposal.log_density(points)
    weights = np.exp(ratios - ratios.max())
    runs: list[tuple[Estimate, Array]] = []
    se = np.inf
    while len(runs) < _RUNS and not se <= _PRECISION:
        chosen = np.sort(rng.choice(_POINTS, size=_SECOND, p=weights / weights.sum()))
        runs.append(_bridged(model, points.take(chosen), rng))
        se = float(np.sqrt(sum(each.se**2 for each, _ in runs))) / len(runs)
    value = float(np.mean([each.value for each, _ in runs]))
    # Densities of the rows in the data's units.
    value += len(data.X) * float(np.log(units.scale).sum())
    return Estimate(value, se), np.mean([shares for _, shares in runs], axis=0)


def _bridged(model: Model, starts: Parameters, rng: np.random.Generator) -> tuple[Estimate, Array]:
    """An estimate from chains and a proposal of their own, and the shares of filled components."""
    kept = run(model, starts, _SECOND_LENGTHS, rng)
    # Draws by chain: every other chain makes the proposal.
    draws = np.arange(len(kept.conditionals.df)).reshape(-1, _SECOND).T
    proposal = _proposal(kept, draws[::2].ravel(), rng)
    own, points = kept.parameters.take(draws[1::2].ravel()), proposal.draw(_PROPOSALS, rng)
    of_chains, of_proposals = (
        model.log_density(each) - proposal.log_density(each) for each in (own, points)
    )
    k = model.priors.n_components
    empty = model.priors.concentration[0] + 0.5
    filled = (kept.conditionals.concentration > empty).sum(axis=1)
    shares = np.bincount(filled, minlength=k + 1)[1:] / len(filled)
    return bridge(of_chains.reshape(_SECOND // 2, -1), of_proposals), shares


def _proposal(kept: Kept, draws: Indices, rng: np.random.Generator) -> Proposal:
    """A proposal of conditional distributions at some of these draws."""
    return Proposal(kept.conditionals.take(rng.choice(draws, size=_SETS, replace=False)))


def _table(estimates: dict[int, Estimate]) -> pd.DataFrame:
    """Log evidence and probabilities; errors of these by the delta method."""
    values = np.array([each.value for each in estimates.values()])
    errors = np.array([each.se for each in estimates.values()])
    shares = np.exp(values - values.max())
    p = shares / shares.sum()
    slopes = np.diag(p) - p[:, np.newaxis] * p
    return pd.DataFrame(
        {
            "log_evidence": values,
            "se": errors,
            "probability": p,
            "probability_se": np.sqrt(np.square(slopes) @ np.square(errors)),
        },
        index=pd.Index(list(estimates), name="n_components"),
    )


def _warn(estimates: dict[int, Estimate]) -> None:
    wide = {k: each.se for k, each in estimates.items() if not each.se <= _LARGE}
    if wide:
        named = ", ".join(f"{k} ({se:.2g})" for k, se in wide.items())
        warnings.warn(
            f"The log evidence has a standard error above {_LARGE} nats for these numbers of "
            f"components: {named}. Compare them with others only where the evidence differs by "
            "several of these, or use fewer components.",
            ConvergenceWarning,
            stacklevel=3,
        )
