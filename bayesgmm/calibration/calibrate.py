"""Simulation-based calibration of posteriors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesgmm.arguments import check_count, check_kind, check_rng
from bayesgmm.calibration.simulations import (
    Design,
    Sampler,
    Simulated,
    by_sample_posterior,
    simulations,
)
from bayesgmm.calibration.uniformity import p_values
from bayesgmm.covariance.structures import CovarianceType, as_structure
from bayesgmm.display import listed, plural
from bayesgmm.errors import FitError, InvalidParameterError
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.results import Result

# The probability of the verdict "not calibrated" for draws that are from the posterior.
_LEVEL = 0.01
# The group that ArviZ draws.
_GROUP = "prior_sbc"


@dataclass(frozen=True, eq=False, repr=False)
class Calibration(Result):
    """The places of true values among draws of their posteriors, and a test that they are uniform.

    Attributes
    ----------
    tree : DataTree
        Group prior_sbc: for each quantity the place of the true value among L draws in each
        simulation, (its rank + u) / (L + 1) with u uniform between 0 and 1, of dims (chain, draw):
        the input of ``az.plot_ecdf_pit``. Group simulations: ``fitted``, False where
        `sample_posterior` refused the rows; ``converged``, whether its run had 4 L effective draws
        and an R-hat of at most 1.01.
    priors : ResolvedPriors
        From which parameters are drawn, and under which they are sampled.
    n_rows : int
        Of each simulation.
    draws : int
        L, draws of each posterior.
    seed : int

    Examples
    --------
    >>> from bayesgmm import calibrate
    >>> found = calibrate(1, 1, 20, n_simulations=3, n_jobs=1, rng=1)
    >>> found.n_simulations, found.ranks.shape, found.calibrated
    (3, (3, 4), True)
    """

    tree: xr.DataTree
    priors: ResolvedPriors
    n_rows: int
    draws: int
    seed: int

    @property
    def n_simulations(self) -> int:
        """The number of simulations, with those whose rows could not be fitted."""
        return int(self.tree["simulations"].sizes["draw"])

    @property
    def _places(self) -> pd.DataFrame:
        group = self.tree[_GROUP].to_dataset()
        return pd.DataFrame({name: each.values[0] for name, each in group.items()})

    @property
    def ranks(self) -> pd.DataFrame:
        """The number of draws below each true value: simulations by quantities."""
        return (self._places * (self.draws + 1)).astype(np.int64)

    @property
    def table(self) -> pd.DataFrame:
        """For each quantity the test of its ranks, and in which way they differ from uniform ones.

        ``p_value`` is that of the quantity's simultaneous band; ``adjusted`` is multiplied by the
        number of quantities (Bonferroni), and ``inside`` means that it is at least 0.01. ``mean``
        of the places is 0.5 in expectation, below that where posterior draws are too large;
        ``spread``, their standard deviation over that of a uniform distribution, is 1 in
        expectation, and above that where posteriors are too narrow.
        """
        places, ranks = self._places, self.ranks
        values = p_values(ranks.to_numpy().T, self.draws)
        adjusted = np.minimum(len(values) * values, 1.0)
        return pd.DataFrame(
            {
                "mean": places.mean(),
                "spread": np.sqrt(12.0) * places.std(ddof=0),
                "p_value": values,
                "adjusted": adjusted,
                "inside": adjusted >= _LEVEL,
            },
            index=pd.Index(places.columns, name="quantity"),
        )

    @property
    def calibrated(self) -> bool:
        """True if all quantities are inside the simultaneous 99 % band."""
        return bool(self.table["inside"].all())

    @property
    def verdict(self) -> str:
        """The outcome in a sentence, with its test."""
        table = self.table
        many = plural(len(table), "quantity")
        ranked = plural(len(self.ranks), "simulation")
        band = f"the simultaneous {100 * (1 - _LEVEL):g} % band of {many}"
        outside = list(table.index[~table["inside"]])
        least = f"least adjusted p = {table['adjusted'].min():.2g}"
        if outside:
            return (
                f"Not calibrated: of {ranked} the ranks of {listed(outside)} are outside {band} "
                f"({least})."
            )
        return f"Calibrated, as far as {ranked} can show: all ranks are inside {band} ({least})."

    def extended(
        self, n_simulations: int, *, n_jobs: int | None = None, progressbar: bool = True
    ) -> "Calibration":
        """Continue, up to a number of simulations, with the result of one run of that length.

        Parameters
        ----------
        n_simulations : int
            All together.
        n_jobs, progressbar
            As for `calibrate`.

        Raises
        ------
        InvalidParameterError
            If an argument is out of its range.

        Examples
        --------
        >>> from bayesgmm import calibrate
        >>> first = calibrate(1, 1, 20, n_simulations=2, n_jobs=1, rng=1)
        >>> first.extended(3, n_jobs=1).ranks[:2].equals(first.ranks)
        True
        """
        size = check_count("n_simulations", n_simulations)
        n_jobs = None if n_jobs is None else check_count("n_jobs", n_jobs)
        design = Design(self.priors, self.n_rows, self.draws, self.seed)
        numbers = range(self.n_simulations, size)
        made = simulations(design, numbers, by_sample_posterior, n_jobs, progressbar)
        trees = self.tree, _tree(made)
        groups = {
            name: xr.concat([tree[name].to_dataset() for tree in trees if len(tree[name])], "draw")
            for name in self.tree.children
        }
        tree = xr.DataTree.from_dict(groups) if made else self.tree
        return Calibration(tree, self.priors, self.n_rows, self.draws, self.seed)

    def _paragraphs(self) -> list[str | pd.DataFrame]:
        of_all = self.tree["simulations"].to_dataset()
        refused = int((~of_all["fitted"]).sum())
        short = int((~of_all["converged"]).sum()) - refused
        of = f"{plural(self.priors.n_components, 'component')}, "
        of += f"{plural(self.priors.n_features, 'feature')}, {plural(self.n_rows, 'row')}"
        return [
            f"{plural(self.n_simulations, 'simulation')} ({of}), {plural(self.draws, 'draw')} of "
            f"each posterior. {plural(short, 'run')} did not converge. Left out, as their rows "
            f"could not be fitted: {plural(refused, 'sample')}.",
            self.verdict,
            self.table,
        ]


def calibrate(
    n_components: int,
    n_features: int,
    n_rows: int,
    *,
    covariance_type: CovarianceType = "full",
    priors: Priors | None = None,
    n_simulations: int = 500,
    draws: int = 99,
    n_jobs: int | None = None,
    rng: Any = None,
    progressbar: bool = True,
) -> Calibration:
    """Simulation-based calibration of `sample_posterior` under its own priors.

    In each simulation a mixture is drawn from the priors, rows are drawn from it, and
    `sample_posterior` draws from the posterior given these rows. If it draws from the posterior
    indeed, the rank of each true value among its draws is uniform.

    Parameters
    ----------
    n_components, n_features, n_rows : int
        K, D, and the rows of each simulation. Few rows show errors in the priors, many rows errors
        in the likelihood.
    covariance_type : str or Structure
        "full", "tied", "diag", "spherical", or a code of mclust's; not those whose components
        share shape, volume or orientation alone, whose prior has no known constant.
    priors : Priors, optional
        Numbers that follow from data are those of features of range 1 about 0. For the priors of
        a posterior: ``Priors.from_resolved(posterior.attrs["priors"])``.
    n_simulations : int
        The least deviation that is found falls with its square root.
    draws : int
        L, the draws of each posterior that are kept, evenly spaced in a run of at least 4 L
        effective draws.
    n_jobs : int, optional
        Processes, by default one for each processor. The result does not depend on their number.
    rng : anything that ``numpy.random.default_rng`` takes
    progressbar : bool
        Shown on a terminal only.

    Returns
    -------
    Calibration
        After Ctrl-C of the simulations that were finished; `Calibration.extended` continues it.

    Raises
    ------
    InvalidParameterError
        If an argument is out of its range, priors do not fit the size, or the priors leave some
        components without a number and not others.
    FitError
        If no sample can be fitted.

    Notes
    -----
    True values and draws are labelled by one rule, never by matching draws to the true mixture:
    components in the order of their means in the first feature, or as numbered by priors that
    differ between components. The verdict is a test of level 1 % over all quantities together: each
    has its exact simultaneous band, with Bonferroni's correction for their number. Runs that did
    not converge are counted and kept. Samples that `sample_posterior` refuses are counted and left
    out: a rule that looks at the rows alone leaves the ranks uniform.

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari and Gelman (2018), arXiv:1804.06788. Modrák, Moon, Kim,
    Bürkner, Huurre, Faltejsková, Gelman and Vehtari (2023), Bayesian Analysis: quantities that
    depend on the data. Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32, 32: the
    band.

    Examples
    --------
    >>> from bayesgmm import calibrate
    >>> found = calibrate(1, 1, 20, n_simulations=2, n_jobs=1, rng=1)
    >>> list(found.table.index[-2:])
    ['log-likelihood', 'log posterior density']
    """
    sizes = {"n_components": n_components, "n_features": n_features, "n_rows": n_rows}
    k, d, n = (check_count(name, value) for name, value in sizes.items())
    size, draws = check_count("n_simulations", n_simulations), check_count("draws", draws)
    n_jobs = None if n_jobs is None else check_count("n_jobs", n_jobs)
    check_kind("priors", priors, Priors | None, "a Priors or None")
    resolved = _resolved(k, d, covariance_type, priors or Priors())
    design = Design(resolved, n, draws, int(check_rng(rng).integers(2**63)))
    return calibration(design, size, by_sample_posterior, n_jobs, progressbar)


def calibration(
    design: Design, size: int, sampler: Sampler, n_jobs: int | None = 1, progressbar: bool = False
) -> Calibration:
    """The calibration of any sampler."""
    tree = _tree(simulations(design, range(size), sampler, n_jobs, progressbar))
    if not len(tree[_GROUP]):
        raise FitError(
            f"None of {plural(size, 'sample')} of {plural(design.n_rows, 'row')} could be fitted. "
            "Use more rows or fewer components."
        )
    return Calibration(tree, design.priors, design.n_rows, design.draws, design.seed)


def _tree(made: list[Simulated]) -> xr.DataTree:
    dims = "chain", "draw"
    ranked = [each.places for each in made if each.places]
    names = ranked[0] if ranked else ()
    places = {name: (dims, [[each[name] for each in ranked]]) for name in names}
    flags = {
        "fitted": (dims, [[each.places is not None for each in made]]),
        "converged": (dims, [[each.converged for each in made]]),
    }
    return xr.DataTree.from_dict({_GROUP: xr.Dataset(places), "simulations": xr.Dataset(flags)})


def _resolved(k: int, d: int, covariance_type: CovarianceType, priors: Priors) -> ResolvedPriors:
    """The priors in all their numbers; where these follow from data, of range 1 about 0."""
    structure = as_structure(covariance_type)
    if structure.shares_parts(2, d):
        raise InvalidParameterError(
            f"covariance_type={structure.name!r} shares parts of covariances, and parameters "
            "cannot be drawn from their prior. Use 'full', 'tied', 'diag' or 'spherical'."
        )
    found = priors.for_data(np.array([[-0.5] * d, [0.5] * d]), k, structure)
    numbered = set(found.ordered_components)
    alike = [
        (i, j)
        for i in range(k)
        for j in range(i)
        if not numbered.issuperset((i, j)) and found.equal_for((i, j))
    ]
    if alike and not found.exchangeable:
        raise InvalidParameterError(
            f"The priors of components {alike[0][1]} and {alike[0][0]} are equal, but not those of "
            "all components, so that no rule numbers them. Use equal priors for all, priors that "
            "all differ, or `ordered`."
        )
    return found
