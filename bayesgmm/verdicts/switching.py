"""Diagnosis of label switching and convergence: R-hat before and after relabelling, a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesgmm.arguments import check_choice, check_text
from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.convergence.agreement import (
    LEAST_DRAWS,
    agreement,
    largest_r_hat,
    longest_stays,
    mcse,
    statistics,
)
from bayesgmm.convergence.monitored import Monitored, by_component, monitored
from bayesgmm.covariance.structures import Structure, as_structure, structure_words
from bayesgmm.labels.component_values import component_values
from bayesgmm.labels.labelling import Labelling, Reference, Request, label_draws
from bayesgmm.labels.stand_in_rows import equivalent_rows
from bayesgmm.posterior.reader import (
    Posterior,
    posterior_group,
)
from bayesgmm.results import Result
from bayesgmm.verdicts.described_rows import discrepancy
from bayesgmm.verdicts.figures import RESULTS, Check, Figures, State
from bayesgmm.verdicts.multimodality import deepest_valley
from bayesgmm.verdicts.recorded_modes import read_modes
from bayesgmm.verdicts.redundancy import Redundancy, redundancy
from bayesgmm.verdicts.sampler_statistics import read_transitions
from bayesgmm.verdicts.verdict import Verdict, reach_verdict

SAMPLED, RELABELLED, INVARIANT = "as sampled", "relabelled", "label-invariant"

# By which rule each method of relabelling numbers the components of a draw.
_GOALS = {
    "ecr": "most rows have the component that they have under the reference",
    "ecr-iterative-1": "most rows have their most frequent component",
    "ecr-iterative-2": "most rows have their most probable component",
    "stephens": "the probabilities of the rows are nearest to their mean over the draws",
    "pra": "the parameters are nearest to those of the reference, in standard deviations",
    "pra-raw": "the parameters are nearest to those of the reference",
    "data-based": "the rows are nearest to the mean of those with their label",
    "ordered": "one parameter ascends",
}


@dataclass(frozen=True, eq=False, repr=False)
class LabelSwitching(Result):
    """Result of `label_switching`.

    Attributes
    ----------
    verdict : str
        "no switching", "between chains" or "within chains" if nothing else is wrong; else the
        first problem: "rows not described", "no convergence", "convergence not assessed",
        "overfitted or unidentified component", "several modes", "divergent transitions" or "slow
        transitions".
    state : {"good", "care", "bad"}
        "good" only if every check was made and passed.
    explanation, advice, caveat : str
        The evidence for the verdict, a recommendation, and the verdict's limits.
    checks : tuple of Check
        The evidence, in the order in which it decides.
    statistics : DataFrame
        A row for each quantity: weights, means and standard deviations (and correlations, if
        relabelled) of the components, and label-invariant functionals; columns form, quantity,
        r_hat (rank-normalised, split), ess_bulk, ess_tail.
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

    Examples
    --------
    >>> from bayesgmm import label_switching, load_dataset, sample_posterior
    >>> found = label_switching(sample_posterior(load_dataset("faithful").X, 2, rng=0))
    >>> found.labellings.index.tolist()
    [(0, 1), (1, 0)]
    >>> found.r_hat("as sampled") > 1.2, found.r_hat("relabelled") > 1.2
    (True, False)
    >>> aligned = found.relabelled()
    """

    verdict: str
    state: State
    explanation: str
    advice: str
    caveat: str
    checks: tuple[Check, ...]
    statistics: pd.DataFrame
    chains: pd.DataFrame
    labellings: pd.DataFrame
    labelling: Labelling
    notes: tuple[str, ...]

    @property
    def permutations(self) -> Indices:
        """Component, as sampled, that has label j: ``permutations[c, s, j]``, (chain, draw, K)."""
        return self.labelling.permutations

    @property
    def ambiguity(self) -> Array:
        """Excess cost of the second best labels, (chain, draw), in the units of `relabel`."""
        return self.labelling.ambiguity

    @property
    def ambiguous(self) -> Booleans:
        """True for draws that other labels fit nearly as well, (chain, draw).

        With ECR, other labels change the component of less than 5 % of n / K rows; with other
        methods, their excess cost is below 5 % of the median ambiguity.
        """
        return self.labelling.ambiguous

    @property
    def method(self) -> str:
        """The relabelling method."""
        return self.labelling.method

    @property
    def relabelled_by(self) -> str:
        """A sentence on the rule by which components are numbered in each draw."""
        goal = _GOALS[self.method]
        return f"Components of each draw are numbered so that {goal} (method {self.method!r})."

    @property
    def cut(self) -> tuple[int, ...]:
        """Components whose relabelled draws are cut where they overlap with another component."""
        return self.labelling.cut

    def relabelled(self) -> xr.DataTree:
        """The posterior with one labelling, as `relabel` returns it, at no further computation."""
        return self.labelling.tree()

    def r_hat(self, form: str) -> float:
        """The largest R-hat of a form: "as sampled", "relabelled" or "label-invariant"."""
        check_choice("form", form, (SAMPLED, RELABELLED, INVARIANT))
        return largest_r_hat(self.statistics[self.statistics["form"] == form])

    @property
    def evidence(self) -> pd.DataFrame:
        """The checks: question, result, figure, bound, finding and consequence."""
        rows = [
            (c.question, RESULTS[c.state], c.figure, c.bound, c.finding, c.consequence)
            for c in self.checks
        ]
        columns = ["question", "result", "figure", "bound", "finding", "consequence"]
        return pd.DataFrame(rows, columns=columns).set_index("question")

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
            "state": self.state,
            "evidence": self.evidence.reset_index().to_dict("records"),
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
            self.evidence[["result", "figure", "bound"]],
            self.table,
            self.chains,
            f"Ambiguous draws: {100 * self.ambiguous.mean():.2g} %. {self.relabelled_by}",
            *(f"Not computed: {note}." for note in self.notes),
            f"Note: {self.caveat}",
        ]


def label_switching(
    posterior: Posterior,
    *,
    method: str = "ecr",
    reference: Reference | None = None,
    X: Any = None,
    allocations: str | None = None,
    probabilities: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> LabelSwitching:
    """Diagnose label switching, and convergence apart from it.

    R-hat and effective sample sizes are computed for the parameters as sampled, for the relabelled
    parameters, and for functionals that do not depend on labels. Only the last two measure
    convergence. A relabelled posterior is examined with the labels as sampled.

    Parameters
    ----------
    posterior : DataTree or Dataset
        Of a Gaussian mixture; or, with `allocations` or `probabilities`, of a mixture of any
        family, of which every variable with the axis of components is examined.
    method : str
        As for `relabel`.
    reference : Mixture or fitted GaussianMixture, optional
    X : (n, D), optional
        The fitted rows; by default those in ``observed_data``. Without either, rows simulated from
        the draws stand in for them.
    allocations, probabilities : str, optional
        Variables of the posterior, as for `relabel`.
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
    computed by ArviZ. Chains agree if no R-hat exceeds 1.01, or what chains of this length reach
    by chance among so many quantities.

    Examples
    --------
    >>> from bayesgmm import label_switching, load_dataset, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, rng=0)
    >>> found = label_switching(posterior)
    >>> found.verdict, found.state
    ('between chains', 'good')
    >>> found.advice
    'Summarise single components only after relabelling.'
    """
    check_text("allocations", allocations)
    check_text("probabilities", probabilities)
    request = Request(
        method, reference, X,
        allocations=allocations, probabilities=probabilities, variables=variables,
    )  # fmt: skip
    labelling = label_draws(posterior, request)
    draws, shown = labelling.draws, labelling.values
    if draws is not None:
        shown = component_values(draws, correlations=False)
    judged = monitored(labelling)
    forms = {
        SAMPLED: by_component(shown),
        RELABELLED: judged.relabelled,
        INVARIANT: judged.invariant,
    }
    frame = pd.concat([statistics(*each) for each in forms.items()], ignore_index=True)
    spare = _redundancy(labelling)
    chains = _chains(labelling.permutations, labelling.ambiguous, spare)
    figures = _figures(labelling, frame, judged, chains, spare)
    verdict = reach_verdict(figures)
    return LabelSwitching(
        verdict=verdict.name,
        state=verdict.state,
        explanation=verdict.explanation,
        advice=verdict.advice,
        caveat=Verdict.CAVEAT,
        checks=verdict.evidence,
        statistics=frame,
        chains=chains,
        labellings=_labellings(labelling.permutations),
        labelling=labelling,
        notes=tuple(_notes(labelling)),
    )


def _redundancy(labelling: Labelling) -> Redundancy | None:
    if labelling.draws is None:
        return None
    size = None if labelling.rows is not None else equivalent_rows(labelling.draws)
    return redundancy(labelling.draws, labelling.any_rows, size, _stated_structure(labelling))


def _stated_structure(labelling: Labelling) -> Structure | None:
    """The covariance structure that is recorded with the draws."""
    stated = posterior_group(labelling.posterior).attrs.get("covariance_type")
    return as_structure(stated) if stated in structure_words() else None


def _notes(labelling: Labelling) -> list[str]:
    """Quantities that cannot be computed or rest on a substitute, with the reasons."""
    chains, draws, _ = labelling.permutations.shape
    notes = []
    if labelling.stand_in is not None:
        notes.append(
            "log-likelihood: the posterior has no observed_data (give X). Labels, densities and "
            f"redundancy rest on {len(labelling.stand_in.X)} rows simulated from the draws"
        )
    if chains == 1:
        notes.append("R-hat: it compares chains, and there is only one")
    if draws < LEAST_DRAWS:
        notes.append(f"R-hat and ESS: they need at least {LEAST_DRAWS} draws in each chain")
    return notes


def _of_components_alone(labelling: Labelling, judged: Monitored) -> dict[str, Array]:
    """Quantities of components that no other can exchange labels with: modes show in them, too."""
    groups = None if labelling.draws is None else labelling.draws.groups
    if groups is None:
        return {}
    alone = {f"[{k}]" for k, group in enumerate(groups) if (groups == group).sum() == 1}
    return {
        name: values
        for name, values in judged.relabelled.items()
        if name.rsplit(" ", 1)[-1] in alone
    }


def _figures(
    labelling: Labelling,
    frame: pd.DataFrame,
    judged: Monitored,
    chains: pd.DataFrame,
    spare: Redundancy | None,
) -> Figures:
    draws, (n_chains, n_draws, k) = labelling.draws, labelling.permutations.shape
    parts = {form: frame[frame["form"] == form] for form in (SAMPLED, RELABELLED, INVARIANT)}

    ambiguous = float(labelling.ambiguous.mean())
    invariant = parts[INVARIANT]
    of_density = invariant["quantity"].isin(list(judged.density))
    of_one = _of_components_alone(labelling, judged)
    judged_parts = pd.concat((invariant, parts[RELABELLED]))
    sizes = dict(zip(judged_parts["quantity"], judged_parts["ess_bulk"], strict=True))
    rows = labelling.rows
    return Figures(
        n_components=k,
        n_chains=n_chains,
        n_draws=n_draws,
        rows=None if rows is None or draws is None else discrepancy(draws, rows),
        feature_words=() if draws is None else draws.feature_words,
        density=agreement(invariant[of_density], judged.density),
        invariant=agreement(invariant[~of_density], judged.invariant),
        relabelled=agreement(parts[RELABELLED], judged.relabelled),
        sampled=largest_r_hat(parts[SAMPLED]),
        stay=longest_stays(labelling.values),
        # Memberships may lie at 0 and 1, so that they have two modes where the posterior has one.
        valley=deepest_valley(judged.ordered | judged.density | of_one, sizes),
        modes=read_modes(labelling.posterior),
        transitions=read_transitions(labelling.posterior),
        redundant=np.nan if spare is None else float(spare.redundant.mean()),
        unsupported=np.nan if spare is None else float(spare.unsupported.mean()),
        labellings=chains["modal labelling"].nunique(),
        outside=float(1.0 - chains["proportion"].min()),
        switches=int(chains["switches"].sum()),
        ambiguous=ambiguous,
        exchanged=float(labelling.exchanged.max()),
        ties=_ties(labelling),
        held=draws is not None and draws.held,
    )


def _ties(labelling: Labelling) -> str:
    """The code of the structure, if its components share parts of their covariances."""
    structure = _stated_structure(labelling)
    if structure is None or labelling.draws is None:
        return ""
    _, _, k, d = labelling.draws.means.shape
    return structure.code if structure.shares_parts(k, d) else ""


def _chains(permutations: Indices, ambiguous: Booleans, spare: Redundancy | None) -> pd.DataFrame:
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


def _modal(permutations: Indices) -> tuple[Indices, float]:
    labellings, counts = np.unique(permutations, axis=0, return_counts=True)
    best = int(counts.argmax())
    return labellings[best], float(counts[best] / counts.sum())


def _labellings(permutations: Indices) -> pd.DataFrame:
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
                "mcse": mcse(inside),
            }
        )
    frame = pd.DataFrame(rows).sort_values("proportion", ascending=False, kind="stable")
    return frame.set_index("labelling")
