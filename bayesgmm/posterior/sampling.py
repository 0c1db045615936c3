"""Draws from the posterior of a mixture: checks, starts, chains, and the tree that they fill."""

import json
import os
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesgmm.arguments import check_choice, check_count, check_kind, check_probability, check_rng
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.data.validation import Data, check_data
from bayesgmm.em.component_order import check_reference
from bayesgmm.errors import InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture, fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.chain_starts import chain_starts, distinct_maxima
from bayesgmm.posterior.coordinates import coordinates, free_blocks
from bayesgmm.posterior.initial_estimate import Estimate, estimate
from bayesgmm.posterior.log_density import Problem, problem
from bayesgmm.posterior.predictions import log_likelihood, posterior_predictive
from bayesgmm.posterior.samplers import Drawn, draw_by_nutpie, draw_by_pymc
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors

type Array = NDArray[np.float64]

_INITS = ("em", "starts")
_SAMPLERS = ("nutpie", "pymc")
_SCHEMA_VERSION = 1
# Numbers of the per-row log-likelihood that are kept without being asked for: 512 MB.
_KEPT = 2**26
# Bytes of memory where the system does not say how much it has.
_NO_MORE = 2**36


def sample_posterior(
    X: Any,
    n_components: int | None = None,
    *,
    covariance_type: str | Structure | None = None,
    priors: Priors | None = None,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    init: str | GaussianMixture | Mixture = "em",
    nuts_sampler: str = "nutpie",
    target_accept: float | None = None,
    with_log_likelihood: bool | None = None,
    with_posterior_predictive: bool = False,
    rng: Any = None,
    progressbar: bool = True,
) -> xr.DataTree:
    """Draw from the posterior of a mixture by NUTS, the labels of rows summed out.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        Finite numbers.
    n_components : int, optional
        K; that of `init` where this is a fit or a mixture.
    covariance_type : str or Structure, optional
        "full", "tied", "diag", "spherical", or mclust's code of one of these. None: that of
        `init` where this is a fit, else "full".
    priors : Priors, optional
        None: the defaults of `Priors`, in the data's own units.
    draws, tune, chains : int
        Draws that are kept of each chain, draws before them that adapt the sampler, and chains.
    init : {"em", "starts"}, GaussianMixture or Mixture
        Where chains begin. "em": near the best maximum that EM finds, each chain under a random
        order of the components and moved by about two posterior standard deviations, so that R-hat
        before relabelling is honest. "starts": at EM's distinct maxima in turn. A fit to the same
        rows, or a mixture: near it, in place of a maximum that EM finds.
    nuts_sampler : {"nutpie", "pymc"}
        "nutpie" runs a log density that was compiled beforehand; "pymc" runs PyMC's own NUTS on
        `mixture_model`, which has to be compiled. They draw from the same posterior.
    target_accept : float, optional
        Of the step size adaptation; None for the sampler's default. Higher where draws diverge.
    with_log_likelihood : bool, optional
        Whether to keep the log density of each row under each draw (for ``az.loo``). None: if it
        takes at most 512 MB; `log_likelihood` makes it at any time.
    with_posterior_predictive : bool
        Whether to draw as many new rows as X has from each draw.
    rng : anything that ``numpy.random.default_rng`` takes
        The same seed gives the same draws, whatever the number of processors.
    progressbar : bool
        Shown on a terminal or in a notebook only.

    Returns
    -------
    DataTree
        Groups posterior (weights, means, covariances, in the data's units), sample_stats,
        log_likelihood, observed_data (X), constant_data (EM's estimate: em_weights, em_means,
        em_covariances) and, on request, posterior_predictive. Attributes: versions, seed, sampler,
        wall times, priors (JSON), and whether the run was interrupted. After Ctrl-C: what was
        drawn until then. Where the likelihood has no maximum to be trusted (components on too few
        rows), EM's estimate is the maximum of the posterior density, and two more attributes
        say why (em_note) and under which priors (em_priors).

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used, in the words of `GaussianMixture.fit`.
    InvalidParameterError
        If another argument is out of its range, or priors do not fit the data.
    FitError
        If every start of EM collapsed, and the priors (LKJ) do not keep covariances from it.

    Examples
    --------
    >>> from bayesgmm import load_dataset, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, rng=1)  # doctest: +SKIP
    """
    began = time.perf_counter()
    _check_arguments(priors, draws, tune, chains, nuts_sampler, target_accept)
    data, priors = check_data(X), priors or Priors()
    n_components, structure, given = _model(n_components, covariance_type, init, data)
    free_blocks(structure, n_components, data.X.shape[1])
    _check_room(chains * draws, n_components, data.X.shape[1])
    generator = _parent(rng)
    for_em, for_starts, for_chains, for_new_rows = generator.spawn(4)
    em = estimate(data, n_components, structure, priors, for_em, given)
    resolved = priors.for_data(data, n_components, structure)
    frame = coordinates(data.X, n_components, structure, em.mixture)
    maxima = [em.mixture]
    if init == "starts":
        maxima = distinct_maxima(data.X, em, structure, for_starts)
    starts = chain_starts(maxima, len(data.X), resolved, frame, chains, for_starts)
    run: dict[str, Any] = {
        "draws": draws,
        "tune": tune,
        "seed": int(for_chains.integers(2**63)),
        "progressbar": progressbar,
        "options": {} if target_accept is None else {"target_accept": target_accept},
    }
    target = problem(data.X, resolved, frame)
    sampling = time.perf_counter()
    if nuts_sampler == "nutpie":
        drawn = draw_by_nutpie(target, starts, **run)
    else:
        drawn = _by_pymc(data, structure, resolved, em.mixture, target, starts, run)
    attributes = {
        **_versions(),
        "seed": _seed_of(generator),
        "sampler": nuts_sampler,
        "init": "given" if given else init,
        "n_components": n_components,
        "covariance_type": structure.name,
        "priors": json.dumps(resolved.to_dict()),
        "tuning_steps": tune,
        "sampling_time": time.perf_counter() - sampling,
        "interrupted": int(drawn.interrupted),
    }
    tree = _tree(drawn, data, em, resolved, attributes)
    if with_log_likelihood is None:
        with_log_likelihood = chains * draws * len(data.X) <= _KEPT
    if with_log_likelihood:
        tree["log_likelihood"] = xr.DataTree(xr.Dataset({"X": log_likelihood(tree, data)}))
    if with_posterior_predictive:
        new_rows = posterior_predictive(tree, rng=for_new_rows)
        tree["posterior_predictive"] = xr.DataTree(xr.Dataset({"X": new_rows}))
    tree.attrs["wall_time"] = time.perf_counter() - began
    return tree


def _parent(rng: Any) -> np.random.Generator:
    """The generator of a seed, with children also where it is a RandomState, which has none."""
    generator = check_rng(rng)
    if generator.bit_generator.seed_seq is None:
        generator = np.random.default_rng(int(generator.integers(2**63)))
    return generator


def _by_pymc(
    data: Data,
    structure: Structure,
    priors: ResolvedPriors,
    estimate: Mixture,
    target: Problem,
    starts: Array,
    run: dict[str, Any],
) -> Drawn:
    """Draws of PyMC's own sampler, whose import takes more than a second."""
    from bayesgmm.posterior.pymc_model import mixture_model

    k, given = estimate.n_components, Priors.from_resolved(priors.without_order())
    model = mixture_model(data, k, covariance_type=structure, priors=given, init=estimate)
    return draw_by_pymc(model, target, starts, **run)


def _model(
    n_components: int | None,
    covariance_type: str | Structure | None,
    init: str | GaussianMixture | Mixture,
    data: Data,
) -> tuple[int, Structure, GaussianMixture | Mixture | None]:
    """The size and structure that are asked for, by name or by a fit; and that fit."""
    words = "'em', 'starts', a fitted GaussianMixture or a Mixture"
    check_kind("init", init, str | GaussianMixture | Mixture, words)
    if isinstance(init, str):
        check_choice("init", init, _INITS)
        structure = as_structure("full" if covariance_type is None else covariance_type)
        return check_count("n_components", n_components), structure, None
    mixture = fitted_mixture("init", init)
    k = mixture.n_components
    if n_components is not None:
        k = check_count("n_components", n_components)
    check_reference("init", mixture, (k, data.X.shape[1]), data.feature_names)
    if isinstance(init, Mixture):
        return k, as_structure("full" if covariance_type is None else covariance_type), init
    if init.weights_of(data.X) is not None:
        raise InvalidParameterError(
            "init was fitted with sample_weight, but the posterior counts every row once. Fit "
            "without weights."
        )
    structure = as_structure(init.covariance_type)
    if covariance_type is not None and as_structure(covariance_type) != structure:
        raise InvalidParameterError(
            f"init was fitted with covariance_type={structure.name!r}, but "
            f"covariance_type={as_structure(covariance_type).name!r} is asked for. Leave it out, "
            "or refit."
        )
    return k, structure, init


def _check_arguments(
    priors: Any, draws: Any, tune: Any, chains: Any, nuts_sampler: Any, target_accept: Any
) -> None:
    check_kind("priors", priors, Priors | None, "a Priors or None")
    for name, value in {"draws": draws, "tune": tune, "chains": chains}.items():
        check_count(name, value)
    check_choice("nuts_sampler", nuts_sampler, _SAMPLERS)
    if target_accept is not None:
        check_probability("target_accept", target_accept)


def _check_room(draws: int, n_components: int, n_features: int) -> None:
    """Refuse more draws than there is memory for: the sampler would take the process with it."""
    size = 8 * draws * n_components * (1 + n_features + n_features**2)
    memory = _NO_MORE
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise InvalidParameterError(
            f"{draws} draws of all chains take {size / 2**30:.3g} GiB, but this machine has "
            f"{memory / 2**30:.3g} GiB of memory. Use fewer draws or chains."
        )


def _versions() -> dict[str, str]:
    names = ("bayesgmm", "pymc", "nutpie", "numpy")
    return {
        "inference_library": "bayesgmm",
        "inference_library_version": version("bayesgmm"),
        "versions": json.dumps({each: version(each) for each in names}),
        "schema_version": str(_SCHEMA_VERSION),
    }


def _seed_of(generator: np.random.Generator) -> str:
    """The entropy that makes the same generator again, if it is known."""
    entropy = getattr(generator.bit_generator.seed_seq, "entropy", None)
    return "unknown" if entropy is None else str(entropy)


def _in_order(posterior: xr.Dataset, priors: ResolvedPriors) -> xr.Dataset:
    """The draws with their components in the order that the priors give the means.

    Where the ordered components have one prior, the posterior under the order is the distribution
    of the sorted draws (Stephens 2000, section 3).
    """
    if priors.ordered is None:
        return posterior
    order = priors.in_order(posterior["means"].values)
    out = posterior.copy()
    for name, values in posterior.items():
        index = order.reshape(*order.shape, *(1,) * (values.ndim - 3))
        out[name] = values.dims, np.take_along_axis(values.values, index, axis=2)
    return out


def _tree(
    drawn: Drawn, data: Data, em: Estimate, priors: ResolvedPriors, attributes: dict[str, Any]
) -> xr.DataTree:
    """The groups of a posterior, under the data's own column names."""
    if em.priors is not None:
        attributes |= {"em_note": em.note, "em_priors": json.dumps(em.priors.to_dict())}
    mixture = em.mixture
    if not priors.exchangeable:
        mixture = mixture.permuted(priors.best_order(mixture))
    k, d = mixture.means.shape
    names = list(data.feature_names or (f"x{j}" for j in range(d)))
    labels = {"component": np.arange(k), "feature": names, "feature_bis": names}
    posterior = drawn.tree["posterior"].to_dataset()[["weights", "means", "covariances"]]
    stats = drawn.tree["sample_stats"].to_dataset()
    # NetCDF holds no None: the messages of divergences are text, or are not kept.
    stats = stats.drop_vars([each for each in stats.data_vars if stats[each].dtype == object])
    posterior = _in_order(posterior, priors).assign_coords(labels)
    posterior.attrs = dict(attributes)
    stats.attrs = {**stats.attrs, "tuning_steps": attributes["tuning_steps"]}
    observed = xr.Dataset(
        {"X": (("row", "feature"), data.X)}, {"row": np.arange(len(data.X)), "feature": names}
    )
    constant = xr.Dataset(
        {
            "em_weights": (("component",), mixture.weights),
            "em_means": (("component", "feature"), mixture.means),
            "em_covariances": (("component", "feature", "feature_bis"), mixture.covariances),
            "em_log_likelihood": ((), em.log_likelihood),
        },
        labels,
    )
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=dict(attributes)),
            "/posterior": posterior,
            "/sample_stats": stats,
            "/observed_data": observed,
            "/constant_data": constant,
        }
    )
