"""Draws from the posterior of a mixture: checks, starts, chains, and the tree that they fill."""

import json
import os
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from bayesgmm.arguments import (
    check_choice,
    check_count,
    check_kind,
    check_number,
    check_probability,
    check_rng,
)
from bayesgmm.arrays import Array
from bayesgmm.convergence.agreement import ENOUGH
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.validation import Data, doubtful_rows
from bayesgmm.errors import BayesGMMWarning, InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.executors.executor import LentRows
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.log_density import Problem
from bayesgmm.posterior.model import Model, posterior_model
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.sampling.initial_estimate import Estimate, estimate
from bayesgmm.sampling.laplace_draws import DRAWS
from bayesgmm.sampling.methods import at_mode, by_nuts
from bayesgmm.sampling.mode_chains import describe_modes
from bayesgmm.sampling.posterior_tree import add_rows, posterior_tree, versions
from bayesgmm.sampling.run_length import Monitor
from bayesgmm.sampling.samplers import Drawn, Enough, Plan, draw_by_nutpie, draw_by_pymc
from bayesgmm.sampling.streamed_rows import rows_to_sample

_INITS = ("em", "starts")
_METHODS = ("nuts", "laplace")
_SAMPLERS = ("nutpie", "pymc")
# Bytes of memory where the system does not say how much it has.
_NO_MORE = 2**36
# Draws of a chain without `draws`, at the least; how often they are doubled, and their memory.
_LEAST_DRAWS, _DOUBLINGS, _MOST_MEMORY = 1000, 5, 2**30
# Rows at which draws by Laplace's method are looked at for convergence.
_MONITORED = 10_000


def sample_posterior(
    X: Any,
    n_components: int | None = None,
    *,
    covariance_type: str | Structure | None = None,
    priors: Priors | None = None,
    draws: int | None = None,
    tune: int = 1000,
    chains: int = 4,
    init: str | GaussianMixture | Mixture = "em",
    method: str = "nuts",
    nuts_sampler: str = "nutpie",
    target_accept: float = 0.9,
    min_ess: float = ENOUGH,
    max_time: float = 300.0,
    error_covariances: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    equal_weights: bool = False,
    noise_component: bool = False,
    contaminated: bool = False,
    missing: str = "at random",
    with_log_likelihood: bool | None = None,
    with_posterior_predictive: bool = False,
    rng: Any = None,
    progressbar: bool = True,
) -> xr.DataTree:
    """Draw from the posterior of a mixture, the labels of rows summed out.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D), or a source of rows
        Numbers; NaN are missing, see `missing`. Of a source (`open_rows`) of more than 50,000 rows,
        `method` has to be "laplace", and observed_data has the 25,000 rows of its Notes, with
        weights (sample_weight) that add up to those of all.
    n_components : int, optional
        K; that of `init` where this is a fit or a mixture.
    covariance_type : str or Structure, optional
        "full", "tied", "diag", "spherical", or mclust's code of any of the fourteen structures.
        None: that of `init` where this is a fit, else "full".
    priors : Priors, optional
        None: those of `init` where this is a fit that has priors, in all their numbers; else the
        defaults of `Priors`, in the data's own units.
    draws : int, optional
        Draws that are kept of each chain. None: 1000, doubled until all relabelled parameters and
        label-invariant quantities of `label_switching` have `min_ess` effective draws and an R-hat
        of at most 1.01, or until 32,000, 1 GiB of draws, or `max_time`.
    tune, chains : int
        Draws before them that adapt the sampler; chains.
    init : {"em", "starts"}, GaussianMixture or Mixture
        Where chains begin. "em": near the best maximum that EM finds, each chain under a random
        order of the components and moved by about two posterior standard deviations, so that R-hat
        before relabelling is honest; near other modes in turn if the posterior has several.
        "starts": the same, with a search for modes from sixteen more starts also where EM's starts
        agreed. A fit to the same rows, or a mixture: near it, in place of a maximum that EM finds.
    method : {"nuts", "laplace"}
        "nuts" serves any posterior; a warning says beforehand where it takes more than two minutes.
        "laplace" is for many rows: draws from the normal approximation at the mode, accepted or not
        by the posterior density, so that they come from the posterior itself (see Notes). It is
        refused where a component has few rows, components are not separated, several modes matter
        or the approximation does not hold. `tune`, `nuts_sampler`, `target_accept` and `max_time`
        do not apply; `draws` is 2000 unless it is given, and `min_ess` only decides what `stopped`
        says.
    nuts_sampler : {"nutpie", "pymc"}
        "nutpie" runs a log density that was compiled beforehand; "pymc" runs PyMC's own NUTS on
        `mixture_model`, which has to be compiled. They draw from the same posterior.
    target_accept : float
        Of the step size adaptation. Higher where draws diverge.
    min_ess : float
        Effective draws (the lesser of bulk and tail ESS, all chains together) that end a run
        without `draws`.
    max_time : float
        Seconds of sampling after which only the first 1000 draws are completed, 4000 of chains
        that jump between modes. A run that this ends (attribute `stopped`) depends on the speed
        of the machine.
    error_covariances : array-like, optional
        Measurement errors of the rows, as in `GaussianMixture.fit`; the posterior is that of the
        mixture of the rows without them. None: those of `init` where that is a fit to the same
        rows.
    sample_weight : array-like of shape (n,), optional
        The number of times that each row counts: the power of its likelihood, so that an integer
        repeats the row. None: those of `init` where that is a fit to the same rows.
    labels : array-like of shape (n,), optional
        Known components of rows, -1 where unknown, as in `GaussianMixture.fit`; the posterior's
        components are numbered by them. None: those of `init` where that is a fit to the same rows.
    fixed : mapping, optional
        Held weights, means and covariances, and `equal_weights`, as in `GaussianMixture`: the
        posterior is that of the other parameters, given these. Held by `init` where that is a fit.
    equal_weights : bool
        All weights are 1 / K.
    noise_component : bool
        Noise beside the components, uniform over the box of the rows, as in `GaussianMixture`. The
        posterior has its weight, `noise_weight`; `weights` are those among the other rows. All
        weights together are Dirichlet, noise with the concentration 1.
    contaminated : bool
        Outliers of each component, as in `GaussianMixture`. The posterior has their proportion o,
        `outlier_proportion`, with 2 o ~ Beta(1, 4), and `inflation` eta of the covariance, with
        log eta half-normal of scale 2.
    missing : {"at random", "raise"}
        As in `GaussianMixture`.
    with_log_likelihood : bool, optional
        Whether to keep the log density of each row under each draw (for ``az.loo``). None: if it
        takes at most 512 MB; `log_likelihood` makes it at any time.
    with_posterior_predictive : bool
        Whether to draw as many new rows as X has from each draw.
    rng : anything that ``numpy.random.default_rng`` takes
        The same seed gives the same draws, whatever the number of processors, unless `max_time`
        ends the run.
    progressbar : bool
        Shown on a terminal or in a notebook only.

    Returns
    -------
    DataTree
        Groups posterior (weights, means, covariances, in the data's units), sample_stats,
        log_likelihood, observed_data (X), constant_data (EM's estimate: em_weights, em_means,
        em_covariances; error_covariances, sample_weight and labels where rows have them;
        held_weights, held_means and held_covariances, NaN where free, where some are held) and, on
        request, posterior_predictive. Attributes: versions, seed, sampler, wall times, priors
        (JSON), and why the run ended: `stopped` is "draws" (as many as were requested),
        "converged", "min_ess" (a single chain, which cannot show that it converged), "max_draws",
        "too slow" (at this rate the longest run would not have `min_ess` effective draws),
        "max_time" or "interrupted" (Ctrl-C: what was drawn until then). `rhat` and `ess` are the
        largest R-hat and the least bulk or tail ESS of the quantities of `label_switching`,
        `rhat_of` and `ess_of` their names.
        Where the likelihood has no maximum to be trusted (components on too few rows), EM's
        estimate is the maximum of the posterior density, and two more attributes say why (em_note)
        and under which priors (em_priors).

        The group modes has the modes of the posterior density that were found: weights, means,
        covariances, log_density, log_mass and laplace_share (Laplace's approximation of the mass,
        and its share), draws (their number in its region), mass and mass_error (the proportion of
        draws, and its Monte Carlo error). `state` is that of the attribute `modes` ("only": one
        mode matters; "crossed": chains cross between them; "joined": chains jump between them;
        "not joined": chains may stay at one, and masses are not to be relied on) or "left out":
        of a share of at most 2e-5 of the largest, or beyond the first eight, which `laplace_share`
        bounds as far as Laplace's approximation holds. With several modes, sample_stats has the
        mode of each draw; and of chains that jump, as attributes, the divergent and all
        transitions of the NUTS run before them (preceding_divergences, preceding_transitions).

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used, in the words of `GaussianMixture.fit`.
    InvalidParameterError
        If another argument is out of its range, priors do not fit the data, or all parameters are
        held.
    FitError
        If every start of EM collapsed, and the priors (LKJ) do not keep covariances from it; or if
        `method` is "laplace" and the posterior is not nearly normal.

    Notes
    -----
    Modes are sought from EM's estimate, with one component moved elsewhere or left empty, and near
    penalised fits if EM's starts disagree. If chains that begin at different modes do not agree
    after 1000 draws, Metropolis chains with independent proposals from mixtures of t distributions
    follow, which are fitted to all modes by importance sampling; their draws come from the
    posterior itself. Where less than one proposal in 50 is accepted, or less than one draw in 100
    is effective (in many dimensions), chains begin at the modes by the masses of Laplace's
    approximation.

    With ``method="laplace"`` all chains have the labels of EM's estimate: other labels are other
    modes, of the same shape. Proposals are independent, t distributed about the mode with the
    curvature of all rows. Up to 50,000 rows each is accepted by the exact density. Of more, the
    density is a quadratic form of all rows, exact at the mode, plus the terms of third and higher
    order from 25,000 rows drawn at random; their standard error is the attribute `density_error`
    (nats, at most 0.1). `khat` is the Pareto shape of the importance ratios (at most 0.7),
    `importance_ess` the effective size of all `proposals`, `acceptance` the share of those that
    were accepted, `rows_of_density` the rows that densities are of.

    References
    ----------
    Tierney (1994), Annals of Statistics 22, 1701-1728, section 2.3. Cappé, Douc, Guillin, Marin and
    Robert (2008), Statistics and Computing 18, 447-459. Vehtari, Simpson, Gelman, Yao and Gabry
    (2024), Journal of Machine Learning Research 25(72), 1-58.

    Examples
    --------
    >>> from bayesgmm import load_dataset, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, rng=1)
    >>> posterior["posterior"]["means"].dims
    ('chain', 'draw', 'component', 'feature')
    """
    began = time.perf_counter()
    _check_arguments(priors, method, nuts_sampler, target_accept)
    _check_lengths({"tune": tune, "chains": chains}, {"min_ess": min_ess, "max_time": max_time})
    check_choice("missing", missing, ("at random", "raise"))
    given = _given(init)
    of_fit = getattr(given, "priors_", None)
    if priors is None and of_fit is not None:
        priors = Priors.from_resolved(of_fit)
    generator = _parent(rng)
    for_em, for_starts, for_chains, for_new_rows, for_modes = generator.spawn(5)
    barred = {
        "error_covariances": error_covariances is not None,
        "sample_weight": sample_weight is not None,
        "labels": labels is not None,
        "with_log_likelihood": bool(with_log_likelihood),
        "with_posterior_predictive": with_posterior_predictive,
    }
    allow_nan = missing != "raise"
    with rows_to_sample(X, method, barred, generator, allow_nan=allow_nan) as (rows, streamed):
        model = posterior_model(
            rows,
            n_components,
            covariance_type,
            priors,
            given,
            missing=missing,
            error_covariances=error_covariances,
            sample_weight=sample_weight,
            labels=labels,
            fixed=fixed,
            equal_weights=equal_weights,
            noise_component=noise_component,
            contaminated=contaminated,
        )
        if streamed is not None:
            model = streamed.model(model)
        _check_free(model)
        data = _told(X, model.data)
        length = DRAWS if draws is None and method == "laplace" else draws
        lengths = _lengths(length, chains, model.n_components, data.X.shape[1])
        if streamed is None:
            em = estimate(model, for_em, given)
        else:
            lent = LentRows(streamed.opened)
            em = estimate(model, for_em, given, streamed.source, lent)
            em = replace(em, log_likelihood=streamed.log_likelihood(em.mixture))
        seed = int(for_chains.integers(2**63))
        plan = Plan(lengths, tune, seed, target_accept, max_time, progressbar)
        kept = _numbered(em, model.resolved)
        constants = xr.Dataset(model.constants())
        if method == "laplace":
            few = data.take(for_starts.permutation(len(data.X))[:_MONITORED])
            monitor = Monitor(min_ess, lengths[-1], few, kept.mixture, constants)
            all_rows = None if streamed is None else streamed.opened
            run = at_mode(model, kept, init == "starts", lengths[0], chains, for_modes, all_rows)
        else:
            monitor = Monitor(min_ess, lengths[-1], data, kept.mixture, constants)
            sampler = _sampler(nuts_sampler, model, em.mixture)
            rngs = for_starts, for_modes
            run = by_nuts(model, em, init == "starts", sampler, plan, monitor, chains, rngs)
        attributes = {
            **versions(),
            "seed": _seed_of(generator),
            "sampler": "laplace" if method == "laplace" else nuts_sampler,
            "init": "given" if given else init,
            "covariance_type": model.structure.name,
            "priors": json.dumps(model.resolved.to_dict()),
            "tuning_steps": 0 if method == "laplace" else tune,
            "modes": run.state,
            "sampling_time": run.seconds,
            **run.attributes,
            **_ending(run.drawn, draws, monitor),
        }
        tree = posterior_tree(run.drawn, model, kept, constants, attributes)
        if run.modes:
            tree["modes"] = xr.DataTree(describe_modes(run.modes, run.target, run.state, tree))
        if streamed is None:
            add_rows(tree, data, with_log_likelihood, with_posterior_predictive, for_new_rows)
        else:
            tree.attrs["rows_of_source"] = streamed.source.n_rows
        tree.attrs["wall_time"] = time.perf_counter() - began
        return tree


def _check_free(model: Model) -> None:
    held = model.held
    if held and not held.n_parameters(model.structure) and not model.outliers.variables:
        raise InvalidParameterError(
            "fixed and equal_weights hold all parameters, so that nothing is left to draw. Leave "
            "one of them free, or use GaussianMixture, which has the likelihood of held values."
        )


def _parent(rng: Any) -> np.random.Generator:
    """The generator of a seed, with children also where it is a RandomState, which has none."""
    generator = check_rng(rng)
    if generator.bit_generator.seed_seq is None:
        generator = np.random.default_rng(int(generator.integers(2**63)))
    return generator


def _sampler(
    name: str, model: Model, estimate: Mixture
) -> Callable[[Problem, Array, Plan, Enough], Drawn]:
    """The sampler of a name; PyMC's own takes more than a second to import."""
    if name == "nutpie":
        return draw_by_nutpie
    from bayesgmm.pymc_models.pymc_model import model_of

    unordered = replace(model, priors=Priors.from_resolved(model.resolved.without_order()))
    return partial(draw_by_pymc, model_of(unordered, estimate))


def _ending(drawn: Drawn, draws: int | None, monitor: Monitor) -> dict[str, Any]:
    """Attributes that say how far a run came, and why it ended there."""
    chains = drawn.tree["posterior"].sizes["chain"]
    reached = "converged" if chains > 1 else "min_ess"
    stopped = reached if monitor(drawn.tree) else "max_draws"
    if stopped == "max_draws" and drawn.tree["posterior"].sizes["draw"] < monitor.longest:
        stopped = "too slow"
    if draws:
        stopped = "draws"
    if drawn.late or drawn.interrupted:
        stopped = "interrupted" if drawn.interrupted else "max_time"
    worst = monitor.worst._asdict()
    interrupted = int(drawn.interrupted)
    return {"interrupted": interrupted, "stopped": stopped, "min_ess": monitor.min_ess, **worst}


def _told(X: Any, data: Data) -> Data:
    """The rows, after warnings on the names and rows of X."""
    for sentence in doubtful_rows(X, data, data.weights):
        warnings.warn(sentence, BayesGMMWarning, stacklevel=3)
    return data


def _given(init: str | GaussianMixture | Mixture) -> GaussianMixture | Mixture | None:
    """A fit or mixture in place of EM's own estimate."""
    words = "'em', 'starts', a fitted GaussianMixture or a Mixture"
    check_kind("init", init, str | GaussianMixture | Mixture, words)
    if isinstance(init, str):
        check_choice("init", init, _INITS)
        return None
    return init


def _check_arguments(priors: Any, method: Any, nuts_sampler: Any, target_accept: Any) -> None:
    check_kind("priors", priors, Priors | None, "a Priors or None")
    check_choice("method", method, _METHODS)
    check_choice("nuts_sampler", nuts_sampler, _SAMPLERS)
    check_probability("target_accept", target_accept)


def _check_lengths(counts: dict[str, Any], limits: dict[str, Any]) -> None:
    for name, value in counts.items():
        check_count(name, value)
    for name, value in limits.items():
        check_number(name, value, "a number of at least 0", lambda each: each >= 0.0)


def _lengths(draws: int | None, chains: int, n_components: int, n_features: int) -> tuple[int, ...]:
    """Numbers of draws of each chain after which a run may end.

    Refuses more draws than there is memory for: the sampler would take the process with it.
    """
    least = _LEAST_DRAWS if draws is None else check_count("draws", draws)
    size = 8 * chains * n_components * (1 + n_features + n_features**2)
    memory = _NO_MORE
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if least * size > memory:
        raise InvalidParameterError(
            f"{chains * least} draws of all chains take {least * size / 2**30:.3g} GiB, but this "
            f"machine has {memory / 2**30:.3g} GiB of memory. Use fewer draws or chains."
        )
    doublings = 0 if draws else _DOUBLINGS
    longer = (least * 2**i for i in range(1, doublings + 1))
    return least, *(each for each in longer if each * size <= _MOST_MEMORY)


def _seed_of(generator: np.random.Generator) -> str:
    """The entropy that makes the same generator again, if it is known."""
    entropy = getattr(generator.bit_generator.seed_seq, "entropy", None)
    return "unknown" if entropy is None else str(entropy)


def _numbered(em: Estimate, priors: ResolvedPriors) -> Estimate:
    """The estimate with its components in the order of the priors, where these number them."""
    if priors.exchangeable:
        return em
    return em.permuted(priors.best_order(em.mixture))
