"""Chains by nutpie on the compiled posterior, or by PyMC's own NUTS."""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import nutpie
import pandas as pd
import xarray as xr
from nutpie.compile_pymc import CompiledPyMCModel
from nutpie.compiled_pyfunc import from_pyfunc

from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.display import is_notebook, is_watched, progress
from bayesgmm.posterior.log_density import Problem, parameter_shapes

if TYPE_CHECKING:
    from rich.progress import Progress

DIMS = {
    "weights": ("component",),
    "means": ("component", "feature"),
    "covariances": ("component", "feature", "feature_bis"),
    "noise_weight": (),
    "outlier_proportion": ("component",),
    "inflation": ("component",),
}
# The first draws, before the step size is adapted, take many times as long as later ones, and would
# give a wrong estimate of the time that is left.
_FIRST_SHOWN = 50
# Seconds between two looks at a running sampler.
_POLL = 0.005


class _CFunction(NamedTuple):
    """A function of the core as nutpie holds compiled ones: by its address."""

    address: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The length of a run and its settings.

    Attributes
    ----------
    lengths : tuple of int
        Numbers of draws of each chain, ascending. The run ends at the first that is enough.
    tune : int
        Draws before them, which adapt the sampler.
    seed : int
    target_accept : float
    max_time : float
        Seconds after which no more draws are made than the first length.
    progressbar : bool
    """

    lengths: tuple[int, ...]
    tune: int
    seed: int
    target_accept: float
    max_time: float
    progressbar: bool


class Drawn(NamedTuple):
    """The result of a sampler.

    Attributes
    ----------
    tree : DataTree
        Groups posterior and sample_stats.
    interrupted : bool
        True if the run was stopped by Ctrl-C.
    late : bool
        True if the time was up.
    """

    tree: xr.DataTree
    interrupted: bool = False
    late: bool = False


type Enough = Callable[[xr.DataTree], bool]


def whole_draws(tree: xr.DataTree, most: int | None = None) -> xr.DataTree:
    """The common part of the chains of an unfinished run: equally many draws of each.

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
    if most is not None:
        groups = {name: each.isel(draw=slice(0, most)) for name, each in groups.items()}
    return xr.DataTree.from_dict(groups)


def draw_by_nutpie(problem: Problem, starts: Array, plan: Plan, enough: Enough) -> Drawn:
    """Run one chain from each start, all at the same time.

    Parameters
    ----------
    problem : Problem
    starts : ndarray of shape (chains, size)
    plan : Plan
    enough : callable
        The draws up to a length other than the last; true if the run may end there.
    """
    notebook = is_notebook(plan.progressbar)
    with progress(plan.progressbar) as bar:
        follower = _Follower(bar, plan.tune)
        sampler = nutpie.sample(
            _compiled(problem, _start_of_seed(starts, plan.seed)),
            draws=plan.lengths[-1],
            tune=plan.tune,
            chains=len(starts),
            cores=len(starts),
            seed=plan.seed,
            target_accept=plan.target_accept,
            save_warmup=False,
            # Its display counts up to the longest run, of which most runs need a fraction.
            progress_bar=notebook,
            progress_callback=follower.follow,
            progress_rate=100 if notebook else 5,
            blocking=False,
        )
        with _more_chains_than_draws():
            try:
                return _followed(sampler, follower, plan, enough)
            except KeyboardInterrupt:
                return Drawn(whole_draws(sampler.abort()), interrupted=True)
            except BaseException:
                sampler.cancel()
                raise


class _Follower:
    """The progress of chains towards a length, shown with the time that is left."""

    def __init__(self, bar: "Progress", tune: int) -> None:
        self.least = 0  # draws of the slowest chain, those of its tuning among them
        self._bar, self._tune = bar, tune
        self._task = bar.add_task("Sampling", total=None)

    def follow(self, chains: list[Any]) -> None:
        """Take the state of the chains from nutpie."""
        self.least = min(each.finished_draws for each in chains)
        if self.least < _FIRST_SHOWN:
            return
        self._bar.update(self._task, completed=self.least)

    def aim(self, length: int) -> None:
        """Set the number of draws after which the run may end."""
        self._bar.update(
            self._task,
            total=self._tune + length,
            description=f"Tuning, and {length} draws of each chain",
        )


def _followed(sampler: Any, follower: _Follower, plan: Plan, enough: Enough) -> Drawn:
    """The draws of a running sampler."""
    end = time.perf_counter() + plan.max_time
    for length in plan.lengths[:-1]:
        follower.aim(length)
        while follower.least < plan.tune + length:
            with suppress(TimeoutError):
                return Drawn(sampler.wait(timeout=_POLL))
            if length > plan.lengths[0] and time.perf_counter() > end:
                return Drawn(whole_draws(sampler.abort()), late=True)
        sampler.pause()
        tree = whole_draws(sampler.inspect(), length)
        late = time.perf_counter() > end
        if enough(tree) or late:
            sampler.cancel()
            return Drawn(tree, late=late)
        sampler.resume()
    follower.aim(plan.lengths[-1])
    return Drawn(sampler.wait())


def draw_by_pymc(model: Any, problem: Problem, starts: Array, plan: Plan, enough: Enough) -> Drawn:
    """As `draw_by_nutpie`, by PyMC's own NUTS on `mixture_model`, one chain after the other.

    PyMC would fork for each chain after threads were started, which may end in a deadlock. Each
    length is drawn from its beginning.
    """
    import pymc as pm  # more than a second that nutpie does not need

    end = time.perf_counter() + plan.max_time
    for length in plan.lengths:
        with _more_chains_than_draws():
            tree = pm.sample(
                draws=length,
                tune=plan.tune,
                chains=len(starts),
                cores=1,
                init="adapt_diag",
                initvals=[_initial_values(model, problem, start) for start in starts],
                nuts_sampler="pymc",
                nuts={"target_accept": plan.target_accept},
                random_seed=plan.seed % 2**32,
                progressbar=is_watched(plan.progressbar),
                compute_convergence_checks=False,
                model=model,
            )
        sizes = tree["posterior"].sizes
        stopped = sizes["draw"] < length or sizes["chain"] < len(starts)
        late = time.perf_counter() > end
        if stopped or late or length == plan.lengths[-1] or enough(tree):
            break
    return Drawn(tree, stopped, late and length < plan.lengths[-1])


def _initial_values(model: Any, problem: Problem, start: Array) -> dict[str, Array]:
    """A start under the names of `mixture_model`."""
    from bayesgmm.pymc_models.pymc_model import free_covariances_name

    frame = problem.coordinates
    weights, means, covariances, *outliers = problem.parameters(start)
    free = covariances[: frame.groups]
    if frame.axes:
        free = np.diagonal(free, axis1=1, axis2=2)[:, : frame.axes]
    found = {"means": means, free_covariances_name(frame): free, "weights": weights}
    if frame.outliers.noise:
        found["noise_weight"] = outliers[0]
    if frame.outliers.contaminated:
        found |= {
            "twice_outlier_proportion": 2.0 * outliers[0],
            "log_inflation": np.log(outliers[1]),
        }
    if frame.held is not None:
        held = frame.held.parameters
        shares = weights[np.isnan(held.weights)]
        found["free_means"] = means[np.isnan(held.means)]
        found["free_weights"] = shares / shares.sum()
    return {each.name: found[each.name] for each in model.free_RVs}


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
    names = problem.coordinates.variables
    shapes = dict(zip(names, parameter_shapes(problem.coordinates), strict=True))
    sizes = {"component": k, "feature": d, "feature_bis": d}
    ends = np.cumsum([int(np.prod(each)) for each in shapes.values()])
    slices = [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    return CompiledPyMCModel(
        dims={name: DIMS[name] for name in names},
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
