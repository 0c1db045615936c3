"""A sampler with K unknown, beside the evidence: `python telescoping_sampler.py galaxies 8`.

The telescoping sampler (Frühwirth-Schnatter, Malsiner-Walli & Grün 2021, Bayesian Analysis 16,
1279-1307, algorithm 1) with the priors of `evidence`: in turn allocations, the parameters of the
components that hold rows, the scale of their prior, K given the partition, empty components from
the prior, and weights. p(K | rows) is the mean of its conditional distributions given the
partitions. Half of the chains begin with the largest K, half with two components.
"""

import argparse
import time
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from bayesgmm import Priors, load_dataset
from bayesgmm.arrays import Array, Integers
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data, check_data
from bayesgmm.likelihood.scaling import fit_units
from bayesgmm.marginal_likelihood.conditionals import (
    conditionals,
    draw_inverses,
    of_covariances,
)
from bayesgmm.marginal_likelihood.gibbs_chains import random_starts
from bayesgmm.marginal_likelihood.many_mixtures import Model, Moments, Parameters, moments_of

# Chains of up to so many components are allocated together.
_GROUPS = (4, 6, 9)


class State(NamedTuple):
    """Chains: mixtures of as many components as K may have, of which K have a weight."""

    mixtures: Parameters
    sizes: Integers
    scale: Array


def model_of(name: str, most: int) -> Model:
    """A shipped data set with up to `most` components, full covariances, as in `evidence`."""
    data, structure = check_data(load_dataset(name).X), as_structure("full")
    priors = Priors.richardson_green() if name == "galaxies" else Priors()
    units = fit_units(data.X, None, structure)
    resolved = priors.for_data(data, most, structure).without_order()
    rows = Data((data.X - units.shift) * units.scale, None)
    return Model(rows, resolved.transformed(units.shift, units.scale))


def start(model: Model, chains: int, rng: np.random.Generator) -> State:
    """Chains with the largest K and with two components in turn."""
    most = model.priors.n_components
    at = random_starts(model, chains, rng)
    sizes = np.where(np.arange(chains) % 2 == 0, most, min(2, most))
    weights = np.where(np.arange(most) < sizes[:, np.newaxis], at.weights, 0.0)
    weights /= weights.sum(axis=1, keepdims=True)
    scale = model.family.factor * model.family.mean_scale
    scale = np.broadcast_to(scale, (chains, *model.terms.scale.shape[1:]))
    return State(Parameters(weights, at.means, at.inverses), sizes, scale)


def sweep(model: Model, state: State, rng: np.random.Generator) -> tuple[State, Array]:
    """The next state, and the conditional probabilities of K (chains, most)."""
    at, of = filled_first(state.mixtures, moments_of(model, allocated(model, state, rng)))
    filled = of.counts > 0
    means = conditionals(model, at, of, state.scale).draw_means(rng)
    inverses = draw_inverses(*of_covariances(model, means, of, state.scale), rng)
    nu, p, own = model.terms
    scale = state.scale
    if p is not None:
        held = filled.reshape(*filled.shape, *(1,) * (inverses.ndim - 2))
        df = p + nu * filled.sum(axis=1, keepdims=True)
        total = own[0] + (inverses * held).sum(axis=1, keepdims=True)
        scale = draw_inverses(df, total, rng)[:, 0]
        of_prior = np.broadcast_to(scale[:, np.newaxis], inverses.shape)
        empty = draw_inverses(np.full(filled.shape, nu), of_prior, rng)
        inverses = np.where(held, inverses, empty)
    a, most = model.priors.concentration[0], filled.shape[1]
    p_of_k = given_partition(filled.sum(axis=1), len(model.rows.X), most, a)
    above = rng.random((len(p_of_k), 1)) > p_of_k.cumsum(axis=1)
    sizes = np.minimum(1 + above.sum(axis=1), most)
    gammas = rng.standard_gamma(a + of.counts) * (np.arange(most) < sizes[:, np.newaxis])
    weights = gammas / gammas.sum(axis=1, keepdims=True)
    return State(Parameters(weights, means, inverses), sizes, scale), p_of_k


def allocated(model: Model, state: State, rng: np.random.Generator) -> Integers:
    """A component of each row in each chain."""
    at, sizes = state.mixtures, state.sizes
    z = np.empty((len(sizes), len(model.rows.X)), dtype=np.int64)
    least = 0
    for most in (*(each for each in _GROUPS if each < at.weights.shape[1]), at.weights.shape[1]):
        group = np.flatnonzero((sizes > least) & (sizes <= most))
        least = most
        if group.size:
            parts = (each[group, :most] for each in (at.weights, at.means, at.inverses))
            some = Parameters(*(np.ascontiguousarray(each) for each in parts))
            z[group] = model.drawn(some).allocate(int(rng.integers(2**63)))
    return z


def filled_first(at: Parameters, of: Moments) -> tuple[Parameters, Moments]:
    """Components that hold rows before those that are empty."""
    order = np.argsort(of.counts == 0, axis=1, kind="stable")

    def sorted_by(each: Array) -> Array:
        places = order.reshape(*order.shape, *(1,) * (each.ndim - 2))
        return np.take_along_axis(each, places, axis=1)

    parts = (at.weights, at.means, at.inverses)
    return Parameters(*map(sorted_by, parts)), Moments(*map(sorted_by, of))


def given_partition(filled: Integers, n: int, most: int, concentration: float) -> Array:
    """p(K | partition) for K = 1 to `most`, equally probable a priori (their equation 3.2)."""
    k, a = np.arange(1, most + 1), concentration
    empty = k - filled[:, np.newaxis]
    logs = gammaln(k + 1) - gammaln(np.maximum(empty, 0) + 1) + gammaln(a * k) - gammaln(n + a * k)
    logs = np.where(empty >= 0, logs, -np.inf)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def main() -> None:
    """Print p(K | rows), its standard errors between chains, and processor time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=["galaxies", "faithful"])
    parser.add_argument("most", type=int, help="K is from 1 to this")
    for name, value in (("chains", 100), ("before", 1000), ("sweeps", 4000), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    model, rng = model_of(given.data, given.most), np.random.default_rng(given.seed)
    began = time.process_time()
    state, drawn = start(model, given.chains, rng), []
    for i in range(given.before + given.sweeps):
        state, p_of_k = sweep(model, state, rng)
        if i >= given.before:
            drawn.append(p_of_k)
    spent = time.process_time() - began
    of_chains = np.mean(drawn, axis=0)
    np.set_printoptions(precision=4, suppress=True, linewidth=100)
    errors = of_chains.std(axis=0, ddof=1) / np.sqrt(given.chains)
    print("p(K | rows)            ", of_chains.mean(axis=0))
    print("standard errors        ", errors)
    print("begun at the largest K ", of_chains[::2].mean(axis=0))
    print("begun at two components", of_chains[1::2].mean(axis=0))
    print(f"{spent:.1f} s of processor time; {1e6 * np.square(errors).sum() * spent:.0f}e-6")


if __name__ == "__main__":
    main()
