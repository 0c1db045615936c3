"""Whether labels switched, where, and whether the chains agree once that is undone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from bayesgmm.arguments import check_choice
from bayesgmm.diagnostics.invariants import Redundancy, invariants, redundancy
from bayesgmm.diagnostics.relabelling import (
    Problem,
    Reference,
    check_method,
    chosen_reference,
    find_labels,
    original_labels,
    rows_or_none,
)
from bayesgmm.diagnostics.verdicts import Evidence, Verdict, reach_verdict
from bayesgmm.posterior.draws import Draws, Posterior, read_draws

type Array = NDArray[np.float64]
type Permutations = NDArray[np.intp]

SAMPLED, RELABELLED, INVARIANT = "as sampled", "relabelled", "label-invariant"
# A draw is ambiguous if its second best labels move fewer than this share of an average
# component's rows.
_CLEAR = 0.05
# The quantiles whose ESS the tail ESS is the lesser of (Vehtari et al. 2021).
_TAILS = (0.05, 0.95)
# ArviZ defines R-hat and ESS from four draws on.
_LEAST_DRAWS = 4


@dataclass(frozen=True, eq=False)
class LabelSwitching:
    """What `label_switching` found.

    Attributes
    ----------
    verdict : str
        "no switching", "between chains", "within chains", "genuine multimodality or no
        convergence", or "overfitted or unidentified component".
    explanation, advice, caveat : str
        What the verdict rests on, what to do, and what it cannot say.
    statistics : DataFrame
        A row for each quantity: parameters as sampled and relabelled, and label-invariant
        functionals; columns form, quantity, r_hat (rank-normalised split), ess_bulk, ess_tail.
    chains : DataFrame
        A row for each chain: its modal labelling, the share of draws in it, switches between
        successive unambiguous draws, share of ambiguous draws and of draws with a redundant
        component.
    labellings : DataFrame
        A row for each labelling that occurs: its share of all draws and the Monte Carlo standard
        error of that.
    permutations : ndarray of shape (chain, draw, K)
        ``permutations[c, s, j]`` is the component, as sampled, that has label j.
    ambiguity : ndarray of shape (chain, draw)
        How much more the second best labels of a draw cost, in the method's units (`relabel`).
    ambiguous : ndarray of bool of shape (chain, draw)
        Whether they are nearly as good: with ECR, they move less than 5 % of n / K rows; with
        other methods, they cost less than 5 % of the median ambiguity more.
    method : str
        How the draws were relabelled.
    notes : tuple of str
        What could not be computed, and why.
    """

    verdict: str
    explanation: str
    advice: str
    caveat: str
    statistics: pd.DataFrame
    chains: pd.DataFrame
    labellings: pd.DataFrame
    permutations: Permutations
    ambiguity: Array
    ambiguous: NDArray[np.bool_]
    method: str
    notes: tuple[str, ...]

    def r_hat(self, form: str) -> float:
        """The largest R-hat of a form: "as sampled", "relabelled" or "label-invariant"."""
        check_choice("form", form, (SAMPLED, RELABELLED, INVARIANT))
        return _largest(self.statistics, form)

    def table(self) -> pd.DataFrame:
        """The worst of each form: quantity, R-hat and effective sample sizes."""
        rows = []
        for form, part in self.statistics.groupby("form", sort=False):
            worst = part["r_hat"].idxmax() if part["r_hat"].notna().any() else part.index[0]
            rows.append(
                {
                    "form": form,
                    "largest r_hat": part["r_hat"].max(),
                    "of": part.loc[worst, "quantity"],
                    "least ess_bulk": part["ess_bulk"].min(),
                    "least ess_tail": part["ess_tail"].min(),
                }
            )
        return pd.DataFrame(rows).set_index("form")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a report: verdict, texts, tables as lists of records."""
        return {
            "verdict": self.verdict,
            "explanation": self.explanation,
            "advice": self.advice,
            "caveat": self.caveat,
            "method": self.method,
            "notes": list(self.notes),
            "ambiguous_share": float(self.ambiguous.mean()),
            "table": self.table().reset_index().to_dict("records"),
            "chains": self.chains.reset_index().to_dict("records"),
            "labellings": self.labellings.reset_index().to_dict("records"),
        }

    def __str__(self) -> str:
        """The verdict, the tables and what they mean, as text."""
        shown = {"float_format": lambda value: f"{value:.4g}"}
        parts = [
            f"Label switching: {self.verdict}",
            self.explanation,
            f"Advice: {self.advice}",
            self.table().to_string(**shown),
            self.chains.to_string(**shown),
            f"Ambiguous draws: {100 * self.ambiguous.mean():.2g} %. Relabelled by {self.method}.",
            *(f"Not computed: {note}" for note in self.notes),
            f"Note: {self.caveat}",
        ]
        return "\n\n".join(parts)


def label_switching(
    posterior: Posterior,
    *,
    method: str = "ecr",
    reference: Reference | None = None,
    X: Any = None,
    variables: Mapping[str, str] | None = None,
) -> LabelSwitching:
    """Say whether labels switched, and whether the chains agree once that is undone.

    R-hat and effective sample sizes are formed three ways: of the parameters as they were sampled,
    of the parameters after `relabel`, and of functionals that do not depend on labels. Only the
    last two say anything of convergence. A posterior that was relabelled before is looked at under
    the labels that it was sampled with.

    Parameters
    ----------
    posterior : DataTree or Dataset
    method : str
        Of `relabel`; without rows "pra" takes the place of "ecr".
    reference : Mixture or fitted GaussianMixture, optional
    X : (n, D), optional
        The rows that were fitted, by default those in ``observed_data``.
    variables : mapping, optional
        What the posterior calls weights, means and covariances, as for `relabel`.

    Returns
    -------
    LabelSwitching

    Raises
    ------
    InputError
        If a group or variable is missing, or the reference has another shape than the draws.

    Notes
    -----
    R-hat is rank-normalised and split (Vehtari et al. 2021, Bayesian Analysis 16, 667-718), as
    ArviZ has it; chains agree if none exceeds 1.01.
    """
    labelled = labels_of(posterior, method, reference, X, variables)
    draws, rows, permutations = labelled.draws, labelled.rows, labelled.permutations
    notes = []
    if rows is None:
        notes.append(
            "the log-likelihood, predictive densities, who shares a component, and whether a "
            "component is redundant: the posterior has no observed_data (give X)"
        )
    spare = None if rows is None else redundancy(draws, rows)

    statistics = pd.concat(
        [
            _statistics(SAMPLED, _parameters(draws)),
            _statistics(RELABELLED, _parameters(draws.permuted(permutations))),
            _statistics(INVARIANT, invariants(draws, rows)),
        ],
        ignore_index=True,
    )
    if draws.n_chains == 1:
        notes.append("R-hat: it compares chains, and there is one")
    if draws.n_draws < _LEAST_DRAWS:
        notes.append(f"R-hat and ESS: they need {_LEAST_DRAWS} draws a chain, and there are fewer")
    chains = _chains(permutations, labelled.ambiguous, spare)
    verdict = reach_verdict(_evidence(draws, statistics, chains, labelled.ambiguous, spare))
    return LabelSwitching(
        verdict=verdict.name,
        explanation=verdict.explanation,
        advice=verdict.advice,
        caveat=Verdict.CAVEAT,
        statistics=statistics,
        chains=chains,
        labellings=_labellings(permutations),
        permutations=permutations,
        ambiguity=labelled.ambiguity,
        ambiguous=labelled.ambiguous,
        method=labelled.method,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class Labelled:
    """Draws as they were sampled, and the labels that a method gives them.

    Attributes
    ----------
    draws : Draws
    rows : ndarray of shape (n, D), or None
    permutations : ndarray of shape (chain, draw, K)
    ambiguity : ndarray of shape (chain, draw)
    least : float
        An ambiguity below this makes a draw ambiguous.
    method : str
    """

    draws: Draws
    rows: Array | None
    permutations: Permutations
    ambiguity: Array
    least: float
    method: str

    @property
    def ambiguous(self) -> NDArray[np.bool_]:
        """Whether other labels fit a draw nearly as well, (chain, draw)."""
        return self.ambiguity < self.least


def labels_of(
    posterior: Posterior,
    method: str,
    reference: Reference | None,
    X: Any,
    variables: Mapping[str, str] | None,
) -> Labelled:
    """Label the draws as `label_switching` does; "pra" takes the place of what needs rows."""
    check_method(method)
    draws = original_labels(posterior, read_draws(posterior, variables))
    rows = rows_or_none(posterior, draws.n_features, X)
    if rows is None and method != "ordered":
        method = "pra"
    problem = Problem(draws, rows, None, chosen_reference(posterior, reference, draws)[0])
    permutations, labels = find_labels(problem, method)
    ambiguity = labels.ambiguity.reshape(permutations.shape[:2])
    least = _CLEAR * _clear_gap(method, ambiguity, rows, draws)
    return Labelled(draws, rows, permutations, ambiguity, least, method)


def r_hat_and_ess(values: Array) -> tuple[float, float, float]:
    """R-hat, bulk and tail ESS of one quantity (chain, draw), as ArviZ has them.

    NaN where they are not defined: fewer than four draws, a quantity that never moves, and R-hat
    of a single chain. Chains that stand still at different values have an infinite R-hat.
    """
    moves = np.ptp(values, axis=1) > 0
    if values.shape[1] < _LEAST_DRAWS or not np.isfinite(values).all():
        return np.nan, np.nan, np.nan
    if not moves.any():
        return (np.nan if np.ptp(values) == 0 else np.inf), np.nan, np.nan
    # A chain that stands still in both halves has no variance to divide by, which R-hat takes.
    with np.errstate(divide="ignore", invalid="ignore"):
        r_hat = float(array_stats.rhat(values)) if len(values) > 1 else np.nan
        bulk = float(array_stats.ess(values, method="bulk"))
        tail = float(array_stats.ess(values, method="tail", prob=_TAILS))
    return r_hat, bulk, tail


def _parameters(draws: Draws) -> dict[str, Array]:
    """Weights, means and variances of each component by name, (chain, draw)."""
    names = draws.feature_names or [str(j) for j in range(draws.n_features)]
    found = {}
    for k in range(draws.n_components):
        found[f"weight [{k}]"] = draws.weights[..., k]
        for j, name in enumerate(names):
            found[f"mean of {name} [{k}]"] = draws.means[..., k, j]
        for j, name in enumerate(names):
            found[f"variance of {name} [{k}]"] = draws.covariances[..., k, j, j]
    return found


def _statistics(form: str, quantities: Mapping[str, Array]) -> pd.DataFrame:
    rows = [(form, name, *r_hat_and_ess(values)) for name, values in quantities.items()]
    return pd.DataFrame(rows, columns=["form", "quantity", "r_hat", "ess_bulk", "ess_tail"])


def _largest(statistics: pd.DataFrame, form: str) -> float:
    return float(statistics.loc[statistics["form"] == form, "r_hat"].max())


def _clear_gap(method: str, ambiguity: Array, rows: Array | None, draws: Draws) -> float:
    """The excess of the second best labels beside which an ambiguous draw's is small."""
    if rows is not None and method.startswith("ecr"):
        return len(rows) / draws.n_components
    finite = ambiguity[np.isfinite(ambiguity)]
    return float(np.median(finite)) if finite.size else 0.0


def _chains(
    permutations: Permutations, ambiguous: NDArray[np.bool_], spare: Redundancy | None
) -> pd.DataFrame:
    """One line a chain."""
    rows = []
    for c, (chain, unclear) in enumerate(zip(permutations, ambiguous, strict=True)):
        clear = chain[~unclear] if not unclear.all() else chain
        modal, share = _modal(clear)
        rows.append(
            {
                "chain": c,
                "modal labelling": tuple(int(k) for k in modal),
                "share in it": share,
                "switches": int((clear[1:] != clear[:-1]).any(axis=1).sum()),
                "ambiguous": unclear.mean(),
                "redundant": np.nan if spare is None else spare.redundant[c],
            }
        )
    return pd.DataFrame(rows).set_index("chain")


def _modal(permutations: Permutations) -> tuple[Permutations, float]:
    found, counts = np.unique(permutations, axis=0, return_counts=True)
    best = int(counts.argmax())
    return found[best], float(counts[best] / counts.sum())


def _labellings(permutations: Permutations) -> pd.DataFrame:
    """Every labelling that occurs, the most frequent first."""
    k = permutations.shape[2]
    found, index = np.unique(permutations.reshape(-1, k), axis=0, return_inverse=True)
    index = index.reshape(permutations.shape[:2])
    rows = []
    for i, labelling in enumerate(found):
        inside = (index == i).astype(np.float64)
        rows.append(
            {
                "labelling": tuple(int(each) for each in labelling),
                "share": inside.mean(),
                "mcse": _mcse(inside),
            }
        )
    frame = pd.DataFrame(rows).sort_values("share", ascending=False, kind="stable")
    return frame.set_index("labelling")


def _mcse(inside: Array) -> float:
    """Monte Carlo standard error of a share, NaN if every draw is inside or there are too few."""
    if np.ptp(inside) == 0 or inside.shape[1] < _LEAST_DRAWS:
        return np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(array_stats.mcse(inside, method="mean"))


def _evidence(
    draws: Draws,
    statistics: pd.DataFrame,
    chains: pd.DataFrame,
    ambiguous: NDArray[np.bool_],
    spare: Redundancy | None,
) -> Evidence:
    return Evidence(
        n_components=draws.n_components,
        n_chains=draws.n_chains,
        sampled=_largest(statistics, SAMPLED),
        relabelled=_largest(statistics, RELABELLED),
        invariant=_largest(statistics, INVARIANT),
        labellings=chains["modal labelling"].nunique(),
        outside=float(1.0 - chains["share in it"].min()),
        switches=int(chains["switches"].sum()),
        ambiguous=float(ambiguous.mean()),
        redundant=np.nan if spare is None else float(spare.redundant.mean()),
        unsupported=np.nan if spare is None else float(spare.unsupported.mean()),
    )
