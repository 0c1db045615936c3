"""Write all verdicts, in their words, into docs/verdicts.md: `python docs/verdict_sentences.py`.

They are those of label switching, and those on EM and the posterior.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bayesgmm.convergence.agreement import Agreement
from bayesgmm.diagnostics.em_vs_posterior import verdict_of
from bayesgmm.verdicts.described_rows import Discrepancy
from bayesgmm.verdicts.figures import Figures
from bayesgmm.verdicts.multimodality import Valley
from bayesgmm.verdicts.recorded_modes import RecordedModes
from bayesgmm.verdicts.sampler_statistics import Transitions
from bayesgmm.verdicts.verdict import Verdict, reach_verdict

PAGE = Path(__file__).parent / "verdicts.md"
STATES = {"good": "good", "care": "with care", "bad": "bad", "unknown": "not compared"}

_AGREE = Agreement("the log-likelihood", 1.002, 1.01, 1.002, 1500.0)
_APART = replace(_AGREE, r_hat=1.42, largest=1.42)
_UNKNOWN = replace(_AGREE, r_hat=np.nan, largest=np.nan, ess=np.nan)
_HEALTHY = Figures(
    n_components=3,
    n_chains=4,
    n_draws=1000,
    rows=Discrepancy(0, "mean", 0.0, 0.0, 0.3),
    feature_words=("waiting",),
    density=_AGREE,
    invariant=_AGREE,
    relabelled=_AGREE,
    sampled=1.003,
    stay=(0.0, 0.0, 0.0, 0.0),
    valley=Valley(),
    modes=RecordedModes((1.0,), True, 0, 0.0),
    transitions=Transitions(0, 0.0, 1.0),
    redundant=0.0,
    unsupported=0.0,
    labellings=1,
    outside=0.0,
    switches=0,
    ambiguous=0.0,
    exchanged=0.0,
)
# What makes each case differ from a posterior without a fault.
CASES = {
    "all is well": {},
    "chains have their own numbers": {"labellings": 4, "sampled": 2.08},
    "numbers change within chains": {"outside": 0.39, "switches": 16, "sampled": 1.465},
    "components overlap": {"ambiguous": 0.2},
    "other rows or other units": {"rows": Discrepancy(0, "mean", 70.9, 1.18, 90.0)},
    "chains at different places": {"density": _APART, "invariant": _APART},
    "a chain that does not move": {"stay": (0.0, 0.0, 0.6, 0.0)},
    "slow chains": {"invariant": replace(_AGREE, ess=60.0)},
    "slow chains, and a structure that shares parts": {
        "invariant": replace(_AGREE, ess=60.0),
        "ties": "VVE",
    },
    "few effective draws": {"invariant": replace(_AGREE, ess=257.0)},
    "a single chain": {
        "n_chains": 1,
        "density": _UNKNOWN,
        "invariant": _UNKNOWN,
        "relabelled": _UNKNOWN,
        "stay": (0.0,),
    },
    "one component too many": {"redundant": 0.98, "unsupported": 1.0},
    "two modes": {"valley": Valley("mean of waiting, sorted [0]", 0.95, 0.3)},
    "modes without a record": {"modes": None},
    "steps that diverge": {"transitions": Transitions(12, 0.0, 1.0)},
    "steps that are too short": {"transitions": Transitions(0, 0.2, 1.0)},
    "proposals that are too narrow": {
        "transitions": Transitions(None, np.nan, np.nan, k_hat=0.6),
    },
}


def verdicts() -> dict[str, Verdict]:
    """Return the verdict of each case."""
    return {name: reach_verdict(replace(_HEALTHY, **change)) for name, change in CASES.items()}


# EM's estimate of a parameter less its posterior mean, the ends of the posterior's 90 % interval
# less that mean, and EM's standard error, in posterior standard deviations.
COMPARED = {
    "they agree": (0.1, -1.6, 1.7, 1.0),
    "they agree roughly": (-0.39, -1.6, 1.7, 1.0),
    "EM's standard error is another one": (0.1, -1.6, 1.7, 0.6),
    "within the interval": (-1.41, -1.5, 1.8, 0.8),
    "outside the interval": (-2.3, -1.6, 1.7, 1.0),
    "a parameter without a spread": (np.nan, 0.0, 0.0, 1.0),
}


def comparisons() -> dict[str, str]:
    """Return what is said of EM and the posterior in each case."""
    return {
        case: verdict_of(_compared(*figures)).replace("sd[0, waiting]", "the s.d. of waiting")
        for case, figures in COMPARED.items()
    }


def _compared(em: float, lower: float, upper: float, error: float) -> pd.DataFrame:
    """A table of `compare_engines` for one parameter, whose posterior mean is 0 and s.d. 1."""
    columns = ("em", "standard_error", "posterior_sd", "lower", "upper", "difference")
    row = (em, error, 1.0, lower, upper, -em)
    table = pd.DataFrame([row], index=["sd[0, waiting]"], columns=columns)
    table.attrs = {"prob": 0.9}
    return table


def with_sentences(text: str) -> str:
    """Return the page with the blocks between their marks replaced by the verdicts."""
    lines = []
    for case, found in verdicts().items():
        lines += [
            f"**{found.name}** ({STATES[found.state]}): {case}",
            f": {found.explanation}",
            "",
            f"  *To do:* {found.advice}" if found.advice else "  *To do:* nothing.",
            "",
        ]
    text = _replaced(text, "verdicts", lines)
    lines = []
    for case, sentence in comparisons().items():
        state = "care" if "differ:" in sentence else "unknown" if "cannot" in sentence else "good"
        lines += [f"{case[:1].upper()}{case[1:]} ({STATES[state]})", f": {sentence}", ""]
    return _replaced(text, "comparisons", lines)


def _replaced(text: str, name: str, lines: list[str]) -> str:
    block = "\n".join(lines)
    pattern = rf"(<!-- {name} -->\n).*?(<!-- end -->)"
    return re.sub(pattern, lambda found: f"{found[1]}{block}{found[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(with_sentences(PAGE.read_text("utf-8")), "utf-8")
