"""The two ways to draw from a posterior: by NUTS, and at its mode."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.validation import Data
from bayesgmm.executors.executor import OpenRows
from bayesgmm.posterior.log_density import Problem, problem
from bayesgmm.posterior.model import Model
from bayesgmm.sampling.chain_starts import chain_starts
from bayesgmm.sampling.initial_estimate import Estimate
from bayesgmm.sampling.laplace_draws import draw_at_mode
from bayesgmm.sampling.laplace_target import laplace_target
from bayesgmm.sampling.mode_chains import draw_over_modes, that_matter
from bayesgmm.sampling.mode_proposal import Target
from bayesgmm.sampling.mode_search import penalised_fits, search_modes
from bayesgmm.sampling.posterior_modes import Mode
from bayesgmm.sampling.run_length import Monitor
from bayesgmm.sampling.samplers import Drawn, Enough, Plan
from bayesgmm.sampling.time_needed import tell_if_long


class Run(NamedTuple):
    """Draws, and how they were made.

    Attributes
    ----------
    drawn : Drawn
    modes : list of Mode
        Those that were found.
    target : Target
        With those of them that matter.
    state : str
        The attribute `modes` of a posterior.
    seconds : float
        Time that the draws took, without the search for modes.
    attributes : dict
        Others of the posterior.
    """

    drawn: Drawn
    modes: list[Mode]
    target: Target
    state: str
    seconds: float
    attributes: dict[str, Any]


def by_nuts(
    model: Model,
    em: Estimate,
    searched: bool,
    draw: Callable[[Problem, Array, Plan, Enough], Drawn],
    plan: Plan,
    monitor: Monitor,
    chains: int,
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> Run:
    """Chains from near the modes of the posterior until they agree.

    Parameters
    ----------
    model : Model
    em : Estimate
    searched : bool
        Whether to search for modes from more starts although EM's agreed.
    draw : callable
        The sampler.
    plan : Plan
    monitor : Monitor
    chains : int
    rngs : two Generators
        For starts, and for modes.
    """
    for_starts, for_modes = rngs
    resolved = model.resolved
    if resolved.groups is not None:
        em = em.permuted(resolved.best_order(em.mixture))
    target = _posterior(model, em)(model.data)
    fits = _fits(model, em, searched, for_modes)(model.data)
    modes = search_modes(target, em.parameters, fits, resolved)
    began = time.perf_counter()
    tell_if_long(target, target.coordinates.of_parameters(*em.parameters), plan, chains)
    several = Target(target, that_matter(modes))
    drawing = partial(draw, target)
    if len(several.modes) > 1:
        drawn, state = draw_over_modes(drawing, several, resolved, plan, monitor, chains, for_modes)
    else:
        starts = chain_starts([em.parameters] * chains, target, for_starts)
        drawn, state = drawing(starts, plan, monitor.ends), "only"
    return Run(drawn, modes, several, state, time.perf_counter() - began, {})


def at_mode(
    model: Model,
    em: Estimate,
    searched: bool,
    draws: int,
    chains: int,
    rng: np.random.Generator,
    opened: OpenRows | None = None,
) -> Run:
    """Independent draws at the mode near EM's estimate, under its labels.

    `opened` are all rows, where those of the model are a part of them.

    Raises
    ------
    FitError
        If the posterior is not nearly normal about one mode.
    """
    fits = _fits(model, em, searched, rng)
    posterior, priors = _posterior(model, em), model.resolved
    found = laplace_target(posterior, model.data, em.parameters, fits, priors, rng, opened)
    began = time.perf_counter()
    drawn, attributes = draw_at_mode(found, draws, chains, rng)
    target = Target(found.problem, found.modes[:1])
    return Run(drawn, found.modes, target, "only", time.perf_counter() - began, attributes)


def _posterior(model: Model, em: Estimate) -> Callable[[Data], Problem]:
    """From rows to their posterior."""
    frame = model.coordinates(em.mixture)
    return partial(problem, priors=model.resolved, coordinates=frame, noise=model.noise)


def _fits(
    model: Model, em: Estimate, searched: bool, rng: np.random.Generator
) -> Callable[[Data], list[tuple[Array, ...]]]:
    """From rows to penalised fits to them; none where EM's starts agreed."""
    if em.agreed and not searched:
        return lambda _: []
    return lambda rows: penalised_fits(replace(model, data=rows), rng)
