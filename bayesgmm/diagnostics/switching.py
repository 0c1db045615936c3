"""Diagnosis of label switching and convergence: R-hat before and after relabelling, a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

from bayesgmm.arguments import check_choice
from bayesgmm.diagnostics.invariants import Redundancy, invariants, redundancy
from bayesgmm.diagnostics.labelling import Labelling, Reference, check_method, label_draws
from bayesgmm.diagnostics.verdicts import Evidence, Verdict, reach_verdict
from bayesgmm.posterior.draws import Draws, Posterior, has_rows
from bayesgmm.results import Result

type Array = NDArray[np.float64]
type Permutations = NDArray[np.intp]

SAMPLED, RELABELLED, INVARIANT = "as sampled", "relabelled", "label-invariant"
# The tail ESS is the lesser of the ESS at these quantiles (Vehtari et al. 2021).
_TAILS = (0.05, 0.95)
# ArviZ defines R-hat and ESS for four draws or more.
_LEAST_DRAWS = 4


@dataclass(frozen=True, eq=False, repr=False)
class LabelSwitching(Result):
    """Result of `label_switching`.

    Attributes
    ----------
    verdict : str
        "no switching", "between chains", "within chains", "genuine multimodality or no
        convergence", or "overfitted or unidentified component".
    explanation, advice, caveat : str
        The evidence for the verdict, a recommendation, and the verdict's limits.
    statistics : DataFrame
        A row for each quantity: weights, means and standard deviations as sampled and relabelled,
        and label-invariant functionals; columns form, quantity, r_hat (rank-normalised, split),
        ess_bulk, ess_tail.
    chains : DataFrame
        A row for each chain: its modal labelling, the proportion of its draws with that labelling,
        switches between successive unambiguous draws, proportions of ambiguous draws and of draws
        with a redundant component.
    labellings : DataFrame
        A row for each labelling that occurs: its proportion of all draws, and the Monte Carlo
        standard error of the proportion.
    labelling : Labelling
        The draws and their labels.
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
    labelling: Labelling
    notes: tuple[str, ...]

    @property
    def permutations(self) -> Permutations:
        """Component, as sampled, that has label j: ``permutations[c, s, j]``, (chain, draw, K)."""
        return self.labelling.permutations

    @property
    def ambiguity(self) -> Array:
        """Excess cost of the second best labels, (chain, draw), in the units of `relabel`."""
        return self.labelling.ambiguity

    @property
    def ambiguous(self) -> NDArray[np.bool_]:
        """True for draws that other labels fit nearly as well, (chain, draw).

        With ECR, other labels change the component of less than 5 % of n / K rows; with other
        methods, their excess cost is below 5 % of the median ambiguity.
        """
        return self.labelling.ambiguous

    @property
    def method(self) -> str:
        """The relabelling method."""
        return self.labelling.method

    def relabelled(self) -> xr.DataTree:
        """The posterior with one labelling, as `relabel` returns it, at no further computation."""
        return self.labelling.tree()

    def r_hat(self, form: str) -> float:
        """The largest R-hat of a form: "as sampled", "relabelled" or "label-invariant"."""
        check_choice("form", form, (SAMPLED, RELABELLED, INVARIANT))
        return _largest(self.statistics, form)

    @property
    def table(self) -> pd.DataFrame:
        """For each form the quantity of largest R-hat, and the least effective sample sizes."""
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
        """Plain values for a report: verdict, sentences, and tables as lists of records."""
        return {
            "verdict": self.verdict,
            "explanation": self.explanation,
            "advice": self.advice,
            "caveat": self.caveat,
            "method": self.method,
            "notes": list(self.notes),
            "ambiguous_share": float(self.ambiguous.mean()),
            "table": self.table.reset_index().to_dict("records"),
            "chains": self.chains.reset_index().to_dict("records"),
            "labellings": self.labellings.reset_index().to_dict("records"),
        }

    def _paragraphs(self) -> list[str | pd.DataFrame]:
        return [
            f"Label switching: {self.verdict}",
            self.explanation,
            f"Advice: {self.advice}",
            self.table,
            self.chains,
            f"Ambiguous draws: {100 * self.ambiguous.mean():.2g} %. Relabelled by {self.method}.",
            *(f"Not computed: {note}." for note in self.notes),
            f"Note: {self.caveat}",
        ]


def label_switching(
    posterior: Posterior,
    *,
    method: str = "ecr",
    reference: Reference | None = None,
    X: Any = None,
    variables: Mapping[str, str] | None = None,
) -> LabelSwitching:
    """Diagnose label switching, and convergence apart from it.

    R-hat and effective sample sizes are computed for the parameters as sampled, for the relabelled
    parameters, and for functionals that do not depend on labels. Only the last two measure
    convergence. A relabelled posterior is examined with the labels as sampled.

    Parameters
    ----------
    posterior : DataTree or Dataset
    method : str
        As for `relabel`; without rows "pra" replaces all methods but "ordered".
    reference : Mixture or fitted GaussianMixture, optional
    X : (n, D), optional
        The fitted rows; by default those in ``observed_data``.
    variables : mapping, optional
        Names of weights, means and covariances in the posterior, as for `relabel`.

    Returns
    -------
    LabelSwitching
        Its ``relabelled()`` is the posterior with one labelling.

    Raises
    ------
    InputError
        If a group or variable is missing, or the reference has another size than the draws.

    Notes
    -----
    R-hat is rank-normalised and split (Vehtari et al. 2021, Bayesian Analysis 16, 667-718), as
    computed by ArviZ; chains agree if no R-hat exceeds 1.01.
    """
    check_method(method)
    if not has_rows(posterior, X) and method != "ordered":
        method = "pra"
    labelling = label_draws(posterior, method, reference, X, variables=variables)
    draws = labelling.draws
    rows = None if labelling.rows is None else labelling.rows.X
    spare = None if rows is None else redundancy(draws, rows)
    statistics = pd.concat(
        [
            _statistics(SAMPLED, _parameters(draws)),
            _statistics(RELABELLED, _parameters(labelling.relabelled)),
            _statistics(INVARIANT, invariants(draws, rows)),
        ],
        ignore_index=True,
    )
    chains = _chains(labelling.permutations, labelling.ambiguous, spare)
    verdict = reach_verdict(_evidence(draws, statistics, chains, labelling.ambiguous, spare))
    return LabelSwitching(
        verdict=verdict.name,
        explanation=verdict.explanation,
        advice=verdict.advice,
        caveat=Verdict.CAVEAT,
        statistics=statistics,
        chains=chains,
        labellings=_labellings(labelling.permutations),
        labelling=labelling,
        notes=tuple(_notes(draws, rows)),
    )


def _notes(draws: Draws, rows: Array | None) -> list[str]:
    """Quantities that cannot be computed, with the reasons."""
    notes = []
    if rows is None:
        notes.append(
            "log-likelihood, predictive densities, co-clustering and redundancy of components: "
            "the posterior has no observed_data (give X)"
        )
    if draws.n_chains == 1:
        notes.append("R-hat: it compares chains, and there is only one")
    if draws.n_draws < _LEAST_DRAWS:
        notes.append(f"R-hat and ESS: they need at least {_LEAST_DRAWS} draws in each chain")
    return notes


def r_hat_and_ess(values: Array) -> tuple[float, float, float]:
    """R-hat, bulk and tail ESS of one quantity (chain, draw), as computed by ArviZ.

    NaN where they are not defined: fewer than four draws, a constant quantity, and R-hat of a
    single chain. Chains that are constant at different values have an infinite R-hat.
    """
    moves = np.ptp(values, axis=1) > 0
    if values.shape[1] < _LEAST_DRAWS or not np.isfinite(values).all():
        return np.nan, np.nan, np.nan
    if not moves.any():
        return (np.nan if np.ptp(values) == 0 else np.inf), np.nan, np.nan
    # R-hat divides by the variance within half-chains, which may be 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        r_hat = float(array_stats.rhat(values)) if len(values) > 1 else np.nan
        bulk = float(array_stats.ess(values, method="bulk"))
        tail = float(array_stats.ess(values, method="tail", prob=_TAILS))
    return r_hat, bulk, tail


def parameter_name(draws: Draws, word: str, component: int, feature: int | None = None) -> str:
    """A parameter's name in `LabelSwitching.statistics`: "weight [0]", "mean of x [0]"."""
    of = "" if feature is None else f" of {draws.feature_words[feature]}"
    return f"{word}{of} [{component}]"


def _parameters(draws: Draws) -> dict[str, Array]:
    """Weights, means and standard deviations of each component by name, (chain, draw)."""
    values = {}
    for k in range(draws.n_components):
        values[parameter_name(draws, "weight", k)] = draws.weights[..., k]
        for j in range(draws.n_features):
            values[parameter_name(draws, "mean", k, j)] = draws.means[..., k, j]
        for j in range(draws.n_features):
            variance = draws.covariances[..., k, j, j]
            values[parameter_name(draws, "sd", k, j)] = np.sqrt(variance)
    return values


def _statistics(form: str, quantities: Mapping[str, Array]) -> pd.DataFrame:
    rows = [(form, name, *r_hat_and_ess(values)) for name, values in quantities.items()]
    return pd.DataFrame(rows, columns=["form", "quantity", "r_hat", "ess_bulk", "ess_tail"])


def _largest(statistics: pd.DataFrame, form: str) -> float:
    return float(statistics.loc[statistics["form"] == form, "r_hat"].max())


def _chains(
    permutations: Permutations, ambiguous: NDArray[np.bool_], spare: Redundancy | None
) -> pd.DataFrame:
    """Labels of each chain."""
    rows = []
    for c, (chain, unclear) in enumerate(zip(permutations, ambiguous, strict=True)):
        clear = chain[~unclear] if not unclear.all() else chain
        modal, share = _modal(clear)
        rows.append(
            {
                "chain": c,
                "modal labelling": tuple(int(k) for k in modal),
                "proportion": share,
                "switches": int((clear[1:] != clear[:-1]).any(axis=1).sum()),
                "ambiguous": unclear.mean(),
                "redundant": np.nan if spare is None else spare.redundant[c],
            }
        )
    return pd.DataFrame(rows).set_index("chain")


def _modal(permutations: Permutations) -> tuple[Permutations, float]:
    labellings, counts = np.unique(permutations, axis=0, return_counts=True)
    best = int(counts.argmax())
    return labellings[best], float(counts[best] / counts.sum())


def _labellings(permutations: Permutations) -> pd.DataFrame:
    """All labellings that occur, in descending order of frequency."""
    k = permutations.shape[2]
    labellings, index = np.unique(permutations.reshape(-1, k), axis=0, return_inverse=True)
    index = index.reshape(permutations.shape[:2])
    rows = []
    for i, labelling in enumerate(labellings):
        inside = (index == i).astype(np.float64)
        rows.append(
            {
                "labelling": tuple(int(each) for each in labelling),
                "proportion": inside.mean(),
                "mcse": _mcse(inside),
            }
        )
    frame = pd.DataFrame(rows).sort_values("proportion", ascending=False, kind="stable")
    return frame.set_index("labelling")


def _mcse(inside: Array) -> float:
    """Monte Carlo standard error of a proportion; NaN for 0 and 1, and for too few draws."""
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
        outside=float(1.0 - chains["proportion"].min()),
        switches=int(chains["switches"].sum()),
        ambiguous=float(ambiguous.mean()),
        redundant=np.nan if spare is None else float(spare.redundant.mean()),
        unsupported=np.nan if spare is None else float(spare.unsupported.mean()),
    )
