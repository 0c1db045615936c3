"""Studies of recovery: errors, coverage and classification over many simulated samples."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesgmm.arguments import (
    check_choice,
    check_count,
    check_kind,
    check_members,
    check_probability,
    check_rng,
)
from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import CovarianceType
from bayesgmm.diagnostics.simulated_recovery import (
    BY_KIND,
    ENGINES,
    KINDS,
    OVERALL,
    Measured,
    StudyDesign,
    simulated_recovery,
)
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.priors.priors import Priors
from bayesgmm.replications import replicated
from bayesgmm.results import Result
from bayesgmm.selection.possible_models import check_components, check_structures

FACTORS = ("n_components", "covariance_type", "overlap", "n_rows")
_SHARES = ("fitted", "converged", "missed")


@dataclass(frozen=True, eq=False, repr=False)
class RecoveryStudy(Result):
    """Result of `recovery_study`.

    Attributes
    ----------
    design : StudyDesign
        The factors, engines and seed.
    measured : Measured
        What was measured on each mixture, in the order of simulation: mixture 0 of all cells of the
        design, then mixture 1 of all, and so on.

    Examples
    --------
    >>> from bayesgmm import recovery_study
    >>> study = recovery_study(2, 2, 200, overlap=0.05, n_mixtures=4, n_samples=5, n_jobs=1, rng=1)
    >>> study.results.sizes["kind"], study.table.columns[0]
    (4, 'error rate')
    >>> bool((study.results["coverage"] > 0.6).all())
    True
    """

    design: StudyDesign
    measured: Measured

    @property
    def n_mixtures(self) -> int:
        """Mixtures in each cell; after Ctrl-C the last is not in all of them."""
        return -(-len(self.measured.overall) // len(self.design.cells))

    @property
    def replications(self) -> xr.Dataset:
        """Every sample's measurements; NaN for those that are undefined or were not made.

        Dims: the four factors, mixture, sample, engine, and kind for parameters. Units are those of
        `results`; ``error`` and ``squared_error`` are averages over the parameters of a kind.
        """
        design = self.design
        shape = tuple(len(getattr(design, name)) for name in FACTORS)
        coords = {name: list(getattr(design, name)) for name in FACTORS}
        coords |= {"engine": list(design.engines), "kind": list(KINDS)}
        dims = (*FACTORS, "mixture", "sample", "engine")
        by_kind, overall = (
            self._on_grid(each, shape) for each in (self.measured.by_kind, self.measured.overall)
        )
        values = {name: ((*dims, "kind"), by_kind[..., j, :]) for j, name in enumerate(BY_KIND)}
        whole = {name: (dims, overall[..., j]) for j, name in enumerate(OVERALL)}
        return xr.Dataset(values | whole, coords)

    def _on_grid(self, values: Array, shape: tuple[int, ...]) -> Array:
        """Mixtures (in the order of simulation, ...) as (*factors, mixture, ...)."""
        size = self.n_mixtures * int(np.prod(shape))
        rest = values.shape[1:]
        full = np.full((size, *rest), np.nan)
        full[: len(values)] = values
        return np.moveaxis(full.reshape(self.n_mixtures, *shape, *rest), 0, len(shape))

    @property
    def results(self) -> xr.Dataset:
        """Averages over mixtures and samples, each with its Monte Carlo standard error (``_se``).

        Of parameters, by kind: ``bias``, ``rmse``, ``coverage`` of the intervals, and
        ``without_interval``, the share of parameters without one. Errors of means are in standard
        deviations of their component, those of standard deviations relative to the true one. Bias
        is signed: away from equal weights, from the mixture's mean, from a correlation of 0;
        upward for standard deviations. Of fits: ``error_rate``, ``least_error_rate`` and their
        difference ``excess_error_rate``; ``missed``, the share of fits whose log-likelihood is
        below that of EM from the true parameters; ``fitted``; and ``converged``, for a posterior
        R-hat of at most 1.01 and 400 effective draws. Dims: the
        factors, engine, and kind. Standard errors are those between mixtures.
        """
        raw = self.replications
        means = raw.mean("sample")
        means["error_rate"] = means["least_error_rate"] + means["excess_error_rate"]
        value = means.mean("mixture")
        se = means.std("mixture", ddof=1) / np.sqrt(means.count("mixture"))
        for name in _SHARES:
            se[name] = np.maximum(se[name], _error_of_share(raw[name]).where(se[name].notnull()))
        root = np.sqrt(value["squared_error"])
        out = {
            "bias": (value["error"], se["error"]),
            "rmse": (root, se["squared_error"] / 2 / root),
        }
        out["coverage"] = value["covered"], se["covered"]
        for name in (
            "without_interval",
            "error_rate",
            *OVERALL[3:],
            "missed",
            "converged",
            "fitted",
        ):
            out[name] = value[name], se[name]
        found = xr.Dataset({name: pair[0] for name, pair in out.items()})
        found = found.assign({f"{name}_se": pair[1] for name, pair in out.items()})
        return found.assign_attrs(prob=self.design.prob, n_features=self.design.n_features)

    @property
    def table(self) -> pd.DataFrame:
        """A row for each cell and engine: error rates, missed maxima, coverage, RMSE of means."""
        found = self.results
        columns = {
            "error rate": found["error_rate"],
            "excess": found["excess_error_rate"],
            "missed": found["missed"],
            "converged": found["converged"],
            **{f"coverage, {kind}": found["coverage"].sel(kind=kind) for kind in KINDS},
            "RMSE, mean": found["rmse"].sel(kind="mean"),
        }
        frame = xr.Dataset(
            {name: each.drop_vars("kind", errors="ignore") for name, each in columns.items()}
        )
        rows = frame.to_dataframe(dim_order=[*FACTORS, "engine"])
        same = [name for name in rows.index.names if found.sizes[name] == 1]
        return rows.droplevel(same) if len(same) < rows.index.nlevels else rows.droplevel(same[:-1])

    def extended(
        self, n_mixtures: int, *, n_jobs: int | None = None, progressbar: bool = True
    ) -> "RecoveryStudy":
        """Continue, up to a number of mixtures, with the result of one run of that length.

        Parameters
        ----------
        n_mixtures : int
            In each cell, all together.
        n_jobs, progressbar
            As for `recovery_study`.

        Raises
        ------
        InvalidParameterError
            If an argument is out of its range.

        Examples
        --------
        >>> from bayesgmm import recovery_study
        >>> first = recovery_study(2, 1, 50, overlap=0.1, n_mixtures=2, n_jobs=1, rng=1)
        >>> first.extended(3, n_jobs=1).n_mixtures
        3
        """
        size = check_count("n_mixtures", n_mixtures) * len(self.design.cells)
        n_jobs = None if n_jobs is None else check_count("n_jobs", n_jobs)
        more = _measured(self.design, range(len(self.measured.overall), size), n_jobs, progressbar)
        if more is None:
            return self
        both = zip(self.measured, more, strict=True)
        return replace(self, measured=Measured(*(np.concatenate(each) for each in both)))

    def _paragraphs(self) -> list[str | pd.DataFrame]:
        design = self.design
        mixtures = plural(self.n_mixtures, "random mixture")
        return [
            f"{mixtures} of {plural(design.n_features, 'feature')} in each of "
            f"{plural(len(design.cells), 'cell')}, {plural(design.n_samples, 'sample')} of each "
            f"mixture. Coverage is that of {100 * design.prob:g} % intervals; means are in "
            "standard deviations of their component.",
            self.table,
        ]


def recovery_study(
    n_components: int | Iterable[int] = 3,
    n_features: int = 2,
    n_rows: int | Iterable[int] = 1000,
    *,
    overlap: float | Iterable[float] = (0.01, 0.05, 0.1, 0.2),
    covariance_type: CovarianceType | Iterable[CovarianceType] = "full",
    engines: str | Iterable[str] = "em",
    priors: Priors | None = None,
    draws: int | None = 1000,
    n_mixtures: int = 25,
    n_samples: int = 10,
    prob: float = 0.9,
    n_jobs: int | None = None,
    rng: Any = None,
    progressbar: bool = True,
) -> RecoveryStudy:
    """Recovery of random mixtures by EM and by the posterior, over a grid of their properties.

    For each combination of numbers of components and rows, overlap and structure, mixtures are
    drawn at random (`random_mixture`), samples are drawn from them, and each engine estimates the
    mixture from the same rows.

    Parameters
    ----------
    n_components, n_rows : int or iterable of int
        K, at least 2, and n.
    n_features : int
        D.
    overlap : float or iterable of float
        Average overlap: the mean over pairs of components of the sum of their two probabilities of
        misclassification, in (0, 1).
    covariance_type : str or Structure, or an iterable of them
        Of the true mixture and of the fit.
    engines : {"em", "posterior"} or iterable of them
        "em": `GaussianMixture` with standard errors by information and normal intervals;
        "posterior": `sample_posterior`, relabelled; posterior means, equal-tailed intervals.
    priors : Priors, optional
        Of the posterior.
    draws : int or None
        Of each chain of the posterior. None: until the chains agree, which may take minutes for one
        sample if components overlap.
    n_mixtures, n_samples : int
        Mixtures in each cell, and samples of each.
    prob : float
        Probability of the intervals.
    n_jobs : int, optional
        Processes, by default one for each processor. The result does not depend on their number.
    rng : anything that ``numpy.random.default_rng`` takes
    progressbar : bool
        Shown on a terminal only.

    Returns
    -------
    RecoveryStudy
        After Ctrl-C of what was finished; `RecoveryStudy.extended` continues it.

    Raises
    ------
    InvalidParameterError
        If an argument is out of its range, or an overlap cannot be reached.

    Notes
    -----
    Components are matched to true ones as by `recovery`. Error rates are computed from the true
    responsibilities at 2,000 fresh rows, so that their difference has little Monte Carlo error. A
    maximum is missed if EM from the true parameters reaches an admissible one that is higher by
    0.001 nats; there may be still higher ones. Standard errors of shares are at least those of
    Agresti and Coull, which are not 0 where none or all of the fits were counted.

    References
    ----------
    Morris, White and Crowther (2019), Statistics in Medicine 38, 2074-2102: the design and
    reporting of simulation studies. Agresti and Coull (1998), The American Statistician 52, 119.

    Examples
    --------
    >>> from bayesgmm import recovery_study
    >>> study = recovery_study(2, 1, [50, 200], overlap=0.1, n_mixtures=3, n_jobs=1, rng=1)
    >>> dict(study.results["error_rate"].sizes)["n_rows"]
    2
    """
    d = check_count("n_features", n_features)
    ks = check_components(n_components)
    if ks[0] < 2:
        raise InvalidParameterError(
            "n_components must be at least 2: one component has no overlap."
        )
    structures = check_structures(covariance_type, d)
    check_kind("priors", priors, Priors | None, "a Priors or None")
    design = StudyDesign(
        tuple(ks),
        tuple(each.name for each in structures),
        _levels("overlap", overlap, Real, check_probability),
        _levels("n_rows", n_rows, Integral, check_count),
        _levels("engines", engines, str, partial(check_choice, known=ENGINES)),
        d,
        check_count("n_samples", n_samples),
        check_probability("prob", prob),
        priors,
        None if draws is None else check_count("draws", draws, 4),
        int(check_rng(rng).integers(2**63)),
    )
    n_jobs = None if n_jobs is None else check_count("n_jobs", n_jobs)
    numbers = range(check_count("n_mixtures", n_mixtures) * len(design.cells))
    measured = _measured(design, numbers, n_jobs, progressbar)
    assert measured is not None
    return RecoveryStudy(design, measured)


def _levels[T](
    name: str, value: Any, single: type, check: Callable[[str, Any], T]
) -> tuple[T, ...]:
    """The distinct levels of a factor, in order; one value is a level alone."""
    given = [value] if isinstance(value, single) else check_members(name, value, "a sequence")
    if not given:
        raise InvalidParameterError(f"{name} is empty. Give at least one value.")
    return tuple(dict.fromkeys(check(name, each) for each in given))


def _measured(
    design: StudyDesign, numbers: range, n_jobs: int | None, progressbar: bool
) -> Measured | None:
    simulate = partial(simulated_recovery, design)
    made = replicated(simulate, numbers, n_jobs, progressbar, "Simulating")
    return Measured(*(np.stack(each) for each in zip(*made, strict=True))) if made else None


def _error_of_share(flags: xr.DataArray) -> xr.DataArray:
    """Agresti and Coull's standard error of a proportion: two successes and failures are added."""
    over = ("mixture", "sample")
    size = flags.count(over) + 4.0
    share = (flags.sum(over) + 2.0) / size
    return (share * (1.0 - share) / size) ** 0.5
