"""The check of the modes: those that a sampler found, or two with a valley between them."""

from bayesgmm.verdicts.figures import Check, Figures
from bayesgmm.verdicts.multimodality import Valley
from bayesgmm.verdicts.recorded_modes import RecordedModes, percent

_QUESTION, _NAME = "the posterior has one mode", "several modes"
# Depth of a valley between two modes; and of one between modes that are known to exist.
_DEPTH, _SHALLOW = 0.7, 0.5
# Mass of all modes but the first above which a mean over all draws describes none of them.
_MINOR = 0.05
# Mass of modes that were not sampled above which they matter.
_LEFT_OUT = 0.01
_ONE_BY_ONE = (
    "Means and standard deviations over all draws describe neither mode. Summarise the modes one "
    "by one, or use label-invariant quantities such as the density."
)


def check_modes(f: Figures) -> Check:
    """The check of the modes."""
    v, m = f.valley, f.modes
    if m is not None and not m.joined:
        return _not_visited(m)
    if m is not None and m.bound > _LEFT_OUT:
        return _left_out(m)
    minor = 0.0 if m is None else 1.0 - m.masses[0]
    if m is not None and minor > _MINOR and v.depth > _SHALLOW:
        return _several(minor, _MINOR, f"{_found(m)} The modes: {'; '.join(m.places)}.")
    if v.depth > _DEPTH and not f.overfitted:
        return _several(
            v.depth,
            _DEPTH,
            f"The distribution of {v.quantity} has two modes, of which the smaller has "
            f"{100 * v.mass:.0f} % of the draws; the density between them is {100 * v.depth:.0f} % "
            "below the lower one.",
        )
    if m is None:
        return _not_sought(v, gaussian=f.gaussian)
    # Modes without a valley between them are one for the purposes of a summary.
    return Check(_QUESTION, "good", v.depth, _DEPTH, _found(m))


def _several(figure: float, bound: float, finding: str) -> Check:
    return Check(_QUESTION, "care", figure, bound, finding, _ONE_BY_ONE, _NAME)


def _not_sought(v: Valley, *, gaussian: bool) -> Check:
    advice = (
        "compare the log densities of chains from many separate starts, such as different "
        "allocations of the rows."
    )
    if gaussian:
        advice = (
            "compare chains from separate starts and EM's other local maxima (starts_), or draw by "
            "sample_posterior, which seeks modes and joins them."
        )
    return Check(
        _QUESTION, "unknown", v.depth, _DEPTH,
        f"No quantity shows two modes with at least {100 * v.least:.0f} % of the draws each; "
        "modes that are smaller or that no chain visits were not sought.",
        f"Look for modes that the chains miss: {advice}",
    )  # fmt: skip


def _not_visited(m: RecordedModes) -> Check:
    return Check(
        _QUESTION, "bad", float(len(m.masses)), 1.0,
        f"{len(m.masses)} modes of notable mass were found, but the chains do not move between all "
        f"of them: the proportions of the draws do not estimate their masses. The modes: "
        f"{'; '.join(m.places)}.",
        "Summarise the modes one by one (the group modes has their parameters). Fewer components "
        "or a more informative prior may leave one mode.",
        _NAME,
    )  # fmt: skip


def _left_out(m: RecordedModes) -> Check:
    was, them = ("was", "it") if m.left_out == 1 else ("were", "them")
    return Check(
        _QUESTION, "care", m.bound, _LEFT_OUT,
        f"{_modes(m.left_out)} {was} found but not sampled; Laplace's approximation gives {them} "
        f"{percent(m.bound)} of the mass: {'; '.join(m.left_places)}.",
        "Compare the modes in the group modes, or use fewer components.",
        _NAME,
    )  # fmt: skip


def _found(m: RecordedModes) -> str:
    if len(m.masses) == 1:
        finding = "One mode of notable mass was found."
    else:
        shares = ", ".join(map(percent, m.masses))
        finding = (
            f"{len(m.masses)} modes of notable mass were found, and the chains move between all of "
            f"them ({shares} of the draws)."
        )
    if not m.left_out:
        return finding
    together, was = ("", "was") if m.left_out == 1 else (" together", "were")
    return (
        f"{finding} {_modes(m.left_out)} of {percent(m.bound)} of the mass{together}, by Laplace's "
        f"approximation, {was} left out."
    )


def _modes(count: int) -> str:
    return "1 other mode" if count == 1 else f"{count} other modes"
