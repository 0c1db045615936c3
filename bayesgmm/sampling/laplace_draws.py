"""Draws from a nearly normal posterior: independent proposals at its mode, accepted exactly."""

from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats

from bayesgmm.arrays import Array, Indices
from bayesgmm.errors import FitError
from bayesgmm.posterior.reader import SAMPLE_DIMS
from bayesgmm.sampling.laplace_target import REMEDY, LaplaceTarget
from bayesgmm.sampling.posterior_tree import parameters_of_draws
from bayesgmm.sampling.samplers import Drawn

# Draws of a chain without `draws`: four chains have 4000 effective ones, by bulk and tail.
DRAWS = 2000
# Proposals for them, about.
N_PROPOSALS = 20_000
# Proposals from which chains begin and k-hat is first estimated.
_FIRST = 4000
# Probability that no proposal of a draw is accepted, at most, and the most proposals of a draw.
_STAYS, _MOST_PROPOSALS = 0.1, 20
# The largest k-hat (Vehtari et al. 2024, section 3.2.4).
_LARGEST_K_HAT = 0.7


class LaplaceDraws(NamedTuple):
    """Draws, and how well the proposals suit the posterior.

    Attributes
    ----------
    drawn : Drawn
    attributes : dict
    """

    drawn: Drawn
    attributes: dict[str, Any]


def draw_at_mode(
    target: LaplaceTarget, draws: int, chains: int, rng: np.random.Generator
) -> LaplaceDraws:
    """Independence Metropolis chains whose proposals are those of the target.

    Each draw is the last of a few proposals that was accepted, so that draws are nearly
    independent. They come from the posterior itself: none has a weight, and what is left of
    autocorrelation shows in R-hat and effective sizes.

    Raises
    ------
    FitError
        If the proposals do not cover the posterior: a k-hat above 0.7.

    References
    ----------
    Tierney (1994), Annals of Statistics 22, 1701-1728, section 2.3.3. Vehtari, Simpson, Gelman, Yao
    and Gabry (2024), Journal of Machine Learning Research 25(72), 1-58.
    """
    points, ratios = _proposed(target, _FIRST, rng)
    _k_hat(ratios)
    weights = np.exp(ratios - ratios.max())
    current = rng.choice(_FIRST, size=_FIRST, p=weights / weights.sum())
    acceptance = float(np.exp(np.minimum(ratios - ratios[current], 0.0)).mean())
    each = np.log(_STAYS) / np.log1p(-min(acceptance, 1.0 - _STAYS))
    thinning = int(np.clip(np.ceil(each), 1, _MOST_PROPOSALS))
    more = _proposed(target, chains * draws * thinning, rng)
    points, ratios = (np.concatenate(each) for each in zip((points, ratios), more, strict=True))
    offered = np.arange(_FIRST, len(ratios)).reshape(chains, draws, thinning)
    kept, accepted = _chains(current[:chains], offered, ratios, rng)
    weights = np.exp(ratios - ratios.max())
    attributes = {
        "khat": _k_hat(ratios),
        "importance_ess": float(weights.sum() ** 2 / np.square(weights).sum()),
        "proposals": len(ratios),
        "acceptance": float(accepted.mean()),
        "rows_of_density": target.n_rows,
        "density_error": target.error,
    }
    log_p = ratios + target.proposal.log_density(points)
    stats = {"logp": log_p[kept], "acceptance_rate": accepted}
    coordinates = {"chain": np.arange(chains), "draw": np.arange(draws)}
    described = {name: (SAMPLE_DIMS, values) for name, values in stats.items()}
    group = parameters_of_draws(target.problem, points[kept])
    tree = {
        "posterior": xr.Dataset(group, coordinates),
        "sample_stats": xr.Dataset(described, coordinates, {"khat": attributes["khat"]}),
    }
    return LaplaceDraws(Drawn(xr.DataTree.from_dict(tree)), attributes)


def _proposed(target: LaplaceTarget, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Proposals (n, size) and their log densities, posterior over proposal (n,)."""
    points = target.proposal.draw(n, rng)
    return points, target.log_density(points) - target.proposal.log_density(points)


def _chains(
    starts: Indices, offered: Indices, ratios: Array, rng: np.random.Generator
) -> tuple[Indices, Array]:
    """Numbers (chains, draws) of the proposals that chains are at, and the rates of acceptance.

    Parameters
    ----------
    starts : ndarray of int (chains,)
    offered : ndarray of int (chains, draws, thinning)
        Numbers of proposals.
    ratios : ndarray of shape (T,)
        Of all proposals.
    """
    logs = np.log(rng.random(offered.shape))
    at = starts
    kept, accepted = np.empty(offered.shape[:2], dtype=np.intp), np.zeros(offered.shape[:2])
    for t in range(offered.shape[1]):
        for i in range(offered.shape[2]):
            new = offered[:, t, i]
            moved = logs[:, t, i] < ratios[new] - ratios[at]
            at = np.where(moved, new, at)
            accepted[:, t] += moved / offered.shape[2]
        kept[:, t] = at
    return kept, accepted


def _k_hat(ratios: Array) -> float:
    """The shape of a generalised Pareto distribution fitted to the largest ratios."""
    finite = np.where(np.isfinite(ratios), ratios, ratios[np.isfinite(ratios)].min(initial=0.0))
    k_hat = float(array_stats.psislw(-finite)[1])
    if not k_hat <= _LARGEST_K_HAT:
        raise FitError(
            "The posterior is not nearly normal about its mode: Pareto k-hat of the importance "
            f"ratios is {k_hat:.2f}, above {_LARGEST_K_HAT}. {REMEDY}"
        )
    return k_hat
