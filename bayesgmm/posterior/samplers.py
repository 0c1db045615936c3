"""Chains by nutpie on the compiled posterior, or by PyMC's own NUTS."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import nutpie
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from nutpie.compile_pymc import CompiledPyMCModel
from nutpie.compiled_pyfunc import from_pyfunc

from bayesgmm.core import native
from bayesgmm.display import is_watched
from bayesgmm.posterior.log_density import Problem

type Array = NDArray[np.float64]

DIMS = {
    "weights": ("component",),
    "means": ("component", "feature"),
    "covariances": ("component", "feature", "feature_bis"),
}


class _CFunction(NamedTuple):
    """A function of the core as nutpie holds compiled ones: by its address."""

    address: int


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The result of a sampler.

    Attributes
    ----------
    tree : DataTree
        Groups posterior and sample_stats.
    interrupted : bool
        True if the run was stopped by Ctrl-C.
    """

    tree: xr.DataTree
    interrupted: bool

    @property
    def size(self) -> int:
        """Draws of all chains."""
        sizes = self.tree["posterior"].sizes
        return int(sizes["chain"] * sizes["draw"])


def whole_draws(tree: xr.DataTree) -> xr.DataTree:
    """The common part of the chains of an interrupted run: equally many draws of each.

    Raises
    ------
    KeyboardInterrupt
        If nothing was drawn yet.
    """
    done = np.isfinite(tree["posterior"].to_dataset()["weights"].values).all(axis=-1).sum(axis=1)
    started = np.flatnonzero(done > 0)
    if not started.size:
        raise KeyboardInterrupt
    kept = {"chain": started, "draw": slice(0, int(done[started].min()))}
    groups = {name: tree[name].to_dataset().isel(kept) for name in ("posterior", "sample_stats")}
    return xr.DataTree.from_dict(groups)


def draw_by_nutpie(
    problem: Problem,
    starts: Array,
    *,
    draws: int,
    tune: int,
    seed: int,
    progressbar: bool,
    options: dict[str, Any],
) -> Drawn:
    """Run one chain from each start.

    Parameters
    ----------
    problem : Problem
    starts : ndarray of shape (chains, size)
    draws, tune, seed : int
    progressbar : bool
    options : dict
        More settings of nutpie's sampler, as target_accept.
    """
    chains = len(starts)
    model = _compiled(problem, _start_of_seed(starts, seed))
    sampler: Any = nutpie.sample(
        model,
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        save_warmup=False,
        progress_bar=is_watched(progressbar),
        blocking=False,
        **options,
    )
    try:
        with _more_chains_than_draws():
            return Drawn(sampler.wait(), False)
    except KeyboardInterrupt:
        with _more_chains_than_draws():
            return Drawn(whole_draws(sampler.abort()), True)
    except BaseException:
        sampler.cancel()
        raise


def draw_by_pymc(
    model: Any,
    problem: Problem,
    starts: Array,
    *,
    draws: int,
    tune: int,
    seed: int,
    progressbar: bool,
    options: dict[str, Any],
) -> Drawn:
    """As `draw_by_nutpie`, by PyMC's own NUTS on `mixture_model`, one chain after the other.

    PyMC would fork for each chain after threads were started, which may end in a deadlock.
    """
    import pymc as pm  # more than a second that nutpie does not need

    from bayesgmm.posterior.pymc_model import free_covariances_name

    frame, initial = problem.coordinates, []
    for start in starts:
        weights, means, covariances = problem.parameters(start)
        free = covariances[: frame.groups]
        if frame.axes:
            free = np.diagonal(free, axis1=1, axis2=2)[:, : frame.axes]
        each = {"means": means, free_covariances_name(frame): free}
        initial.append(each | ({"weights": weights} if frame.n_components > 1 else {}))
    with _more_chains_than_draws():
        tree = pm.sample(
            draws=draws,
            tune=tune,
            chains=len(starts),
            cores=1,
            init="adapt_diag",
            initvals=initial,
            nuts_sampler="pymc",
            nuts=options,
            random_seed=seed % 2**32,
            progressbar=is_watched(progressbar),
            compute_convergence_checks=False,
            model=model,
        )
    sizes = tree["posterior"].sizes
    return Drawn(tree, sizes["draw"] < draws or sizes["chain"] < len(starts))


@contextmanager
def _more_chains_than_draws() -> Iterator[None]:
    """Silence ArviZ's warning that more chains than draws may be exchanged axes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Found chain dimension to be longer than draw dimension")
        yield


def _compiled(problem: Problem, initial_point: Any) -> CompiledPyMCModel:
    """The posterior in the form in which nutpie holds compiled PyMC models: two C functions."""
    functions = native.addresses()
    k, d = problem.coordinates.n_components, problem.coordinates.n_features
    shapes = {"weights": (k,), "means": (k, d), "covariances": (k, d, d)}
    sizes = {"component": k, "feature": d, "feature_bis": d}
    ends = np.cumsum([int(np.prod(each)) for each in shapes.values()])
    slices = [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    return CompiledPyMCModel(
        dims=DIMS,
        compiled_logp_func=_CFunction(functions["bayesgmm_log_posterior"]),
        compiled_expand_func=_CFunction(functions["bayesgmm_expand"]),
        initial_point_func=initial_point,
        # The header points into these: they live as long as the model does.
        shared_data={"arrays": problem.arrays},
        shared_var_keys={},
        user_data=problem.header,
        n_expanded=int(ends[-1]),
        shape_info=(list(shapes), slices, list(shapes.values())),
        logp_func=None,
        expand_func=None,
        _n_dim=problem.coordinates.size,
        _shapes=dict(shapes),
        _coords={name: pd.RangeIndex(size) for name, size in sizes.items()},
    )


def _start_of_seed(starts: Array, seed: int) -> Any:
    """The function that gives nutpie a chain's start by the chain's own seed.

    nutpie requests starts in the order in which its threads begin, but the seeds of the requests
    depend on the run's seed and the chain alone. Where one is not known (nutpie tries again if a
    start has no density) any of the starts is as good.
    """
    known = dict(zip(_seeds(len(starts), seed), starts, strict=True))

    def start(chain_seed: int) -> Array:
        found = known.get(chain_seed)
        return np.array(starts[chain_seed % len(starts)] if found is None else found)

    return start


def _seeds(chains: int, seed: int) -> list[int]:
    """The seeds that nutpie hands to the chains of a run, in the order of the chains."""
    seen: list[int] = []

    def point(chain_seed: int) -> Array:
        seen.append(chain_seed)
        return np.ones(1)

    plain = from_pyfunc(
        1,
        lambda: lambda u: (-0.5 * float(u @ u), -u),
        lambda *_: lambda u: {"u": u},
        [np.dtype(np.float64)],
        [(1,)],
        ["u"],
        make_initial_point_fn=point,
    )
    # One chain after the other, so that the requests come in order.
    nutpie.sample(
        plain,
        draws=1,
        tune=1,
        chains=chains,
        cores=1,
        seed=seed,
        progress_bar=False,
        return_raw_trace=True,
    )
    return seen[:chains]
