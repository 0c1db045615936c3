"""Chains that jump between the modes of a posterior: independent proposals and steps nearby."""

import numpy as np
import xarray as xr

from bayesgmm.arrays import Array
from bayesgmm.posterior.reader import (
    SAMPLE_DIMS,
)
from bayesgmm.sampling.mode_proposal import StudentMixture, Target
from bayesgmm.sampling.posterior_tree import parameters_of_draws

# Points from which the chains' starts are chosen by their weights.
_POINTS = 4000
# The most proposals for each draw that is kept, and draws of a chain that are made at a time.
_MOST_PROPOSALS, _BLOCK = 20, 1000


class IndependenceSampler:
    """Metropolis chains of independent proposals and random walks (Tierney 1994, section 2.3.3).

    The draws come from the posterior itself, whatever the proposal: this decides how often a
    proposal is accepted. Where it is too thin a chain would stay for long, and so seldom that no
    Monte Carlo error shows it: a step of a random walk, in the scale of one of the proposal's
    components, follows each round of proposals.

    Attributes
    ----------
    acceptance : float
        Probability that a proposal is accepted, as estimated beforehand.
    thinning : int
        Proposals for each draw that is kept: 1 / acceptance, at most 20.
    """

    def __init__(
        self, target: Target, proposal: StudentMixture, chains: int, rng: np.random.Generator
    ) -> None:
        self._target, self._proposal, self._rng = target, proposal, rng
        points, ratios = self._propose(_POINTS)
        weights = np.exp(ratios - ratios.max())
        current = rng.choice(_POINTS, size=_POINTS, p=weights / weights.sum())
        steps = np.minimum(ratios - ratios[current], 0.0)
        self.acceptance = float(np.exp(steps).mean())
        self.thinning = int(np.clip(1.0 / self.acceptance, 1, _MOST_PROPOSALS))
        self._u, self._ratio = points[current[:chains]], ratios[current[:chains]]
        frame = target.problem.coordinates
        self._orders = np.array([frame.shuffled(rng) for _ in range(chains)])
        self._kept: list[Array] = []
        self._accepted: list[Array] = []

    def extend(self, draws: int) -> None:
        """Make so many more draws of each chain."""
        for done in range(0, draws, _BLOCK):
            self._extend(min(_BLOCK, draws - done))

    def tree(self) -> xr.DataTree:
        """The draws, each chain under an order of the components of its own, as a posterior.

        Groups posterior and sample_stats (logp, acceptance_rate, mode; diverging, which proposals
        that do not depend on the state cannot be).
        """
        problem = self._target.problem
        u = np.concatenate(self._kept, axis=1)
        shape = u.shape[:2]
        flat = u.reshape(-1, u.shape[-1])
        group = parameters_of_draws(problem, u)
        for name, (dims, values) in group.items():
            if "component" in dims:
                index = self._orders.reshape(len(u), 1, -1, *(1,) * (values.ndim - 3))
                group[name] = dims, np.take_along_axis(values, index, axis=2)
        stats = {
            "logp": self._target.log_density(flat).reshape(shape),
            "acceptance_rate": np.concatenate(self._accepted, axis=1),
            "diverging": np.zeros(shape, dtype=bool),
            "mode": self._target.regions.locate(flat).region.reshape(shape),
        }
        coordinates = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
        described = {name: (SAMPLE_DIMS, each) for name, each in stats.items()}
        return xr.DataTree.from_dict(
            {
                "posterior": xr.Dataset(group, coordinates),
                "sample_stats": xr.Dataset(described, coordinates),
            }
        )

    def _propose(self, n: int) -> tuple[Array, Array]:
        """Proposals (n, size) and their log densities, posterior over proposal (n,)."""
        points = self._proposal.draw(n, self._rng)
        return points, self._target.log_density(points) - self._proposal.log_density(points)

    def _extend(self, draws: int) -> None:
        chains = len(self._u)
        shape = (draws, self.thinning, chains)
        points, ratios = self._propose(draws * self.thinning * chains)
        points, ratios = points.reshape(*shape, -1), ratios.reshape(shape)
        logs = np.log(self._rng.random(shape))
        kept, accepted = np.empty((chains, draws, points.shape[-1])), np.zeros((chains, draws))
        for t in range(draws):
            for i in range(self.thinning):
                moved = logs[t, i] < ratios[t, i] - self._ratio
                self._u = np.where(moved[:, np.newaxis], points[t, i], self._u)
                self._ratio = np.where(moved, ratios[t, i], self._ratio)
                accepted[:, t] += moved / self.thinning
            self._walk()
            kept[:, t] = self._u
        self._kept.append(kept)
        self._accepted.append(accepted)

    def _walk(self) -> None:
        """One step of each chain's random walk."""
        near = self._u + self._proposal.steps(len(self._u), self._rng)
        current = self._ratio + self._proposal.log_density(self._u)
        density = self._target.log_density(near)
        moved = density > current + np.log(self._rng.random(len(near)))
        ratio = density - self._proposal.log_density(near)
        self._u = np.where(moved[:, np.newaxis], near, self._u)
        self._ratio = np.where(moved, ratio, self._ratio)
