"""The posterior beside EM's estimate, component by component, in numbers and as text."""

import json
from itertools import permutations
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from bayesgmm.covariance.structures import as_structure
from bayesgmm.display import text_table
from bayesgmm.errors import InputError
from bayesgmm.mixture.matching import matching_costs
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.priors.priors import ResolvedPriors
from bayesgmm.uncertainty.standard_errors import curvature_errors

if TYPE_CHECKING:
    import pandas as pd

type Array = NDArray[np.float64]

# Below so many components all orders are compared at once.
_FEW = 5


def beside_em(posterior: xr.DataTree) -> "pd.DataFrame":
    """EM's estimate with its standard error, and the posterior's mean and standard deviation.

    The components of each draw are put into the order of EM's that they are nearest to (by the
    Hellinger distance of the Gaussians), so that label switching does not blur the numbers. Where
    components overlap so much that draws cannot be told apart, nothing can do that.

    Parameters
    ----------
    posterior : DataTree
        As `sample_posterior` returns it.

    Returns
    -------
    DataFrame
        Columns parameter, component, feature, feature_bis (empty where they do not apply),
        em, em_se (from the observed information; NaN where there is none), mean, sd; in the data's
        units. The attribute ``notes`` says why standard errors are missing; ``estimate``, why em
        is the largest posterior density and no maximum of the likelihood, where that is so.
    """
    import pandas as pd

    em = posterior["constant_data"].to_dataset()
    errors, notes = _errors_of_em(posterior)
    group = posterior["posterior"].to_dataset()
    arrays = {name: _flat(group[name].values) for name in ("weights", "means", "covariances")}
    orders = _orders(arrays, em["em_means"].values, em["em_covariances"].values)
    features = [str(each) for each in group["feature"].values]
    records = []
    for name, values in arrays.items():
        index = orders.reshape(*orders.shape, *(1,) * (values.ndim - 2))
        aligned = np.take_along_axis(values, index, axis=1)
        # Squares of covariances may be beyond float64 where covariances are not.
        unit = np.abs(aligned).max(axis=0)
        unit[unit == 0.0] = 1.0
        sd = (aligned / unit).std(axis=0) * unit
        mean, estimate = aligned.mean(axis=0), em[f"em_{name}"].values
        for at in np.ndindex(mean.shape):
            if len(at) == 3 and at[2] > at[1]:
                continue  # the same number as the one below the diagonal
            where = [features[j] for j in at[1:]] + [""] * (3 - len(at))
            records.append([name, at[0], *where, estimate[at], errors[name][at], mean[at], sd[at]])
    columns = ["parameter", "component", "feature", "feature_bis", "em", "em_se", "mean", "sd"]
    table = pd.DataFrame(records, columns=columns)
    table.attrs |= {"notes": notes, "estimate": posterior.attrs.get("em_note", "")}
    return table


def _errors_of_em(posterior: xr.DataTree) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Standard errors of EM's weights, means and covariances, and why some are NaN."""
    em = posterior["constant_data"].to_dataset()
    names = ("weights", "means", "covariances")
    estimate = Mixture(*(em[f"em_{name}"].values for name in names))
    rows = np.ascontiguousarray(posterior["observed_data"]["X"].values)
    structure = as_structure(posterior.attrs["covariance_type"])
    priors = None
    if "em_priors" in posterior.attrs:
        priors = ResolvedPriors.from_dict(json.loads(posterior.attrs["em_priors"]))
    try:
        found = curvature_errors(rows, None, estimate, structure, "information", priors)
    except InputError as error:
        return {name: np.full(em[f"em_{name}"].shape, np.nan) for name in names}, (str(error),)
    return {name: getattr(found, name) for name in names}, found.notes


def summarise_posterior(posterior: xr.DataTree) -> str:
    """What `bayesgmm sample` prints."""
    sizes = posterior["posterior"].sizes
    attributes = posterior.attrs
    k = attributes["n_components"]
    title = (
        f"Posterior of a Gaussian mixture: {attributes['covariance_type']} with {k} component"
        + "s" * (k > 1)
    )
    divergences = int(posterior["sample_stats"]["diverging"].sum())
    lines = [
        title,
        "=" * len(title),
        "",
        f"{sizes['chain']} chains of {sizes['draw']} draws by {attributes['sampler']} in "
        f"{attributes['sampling_time']:.1f} s; {divergences} divergences",
    ]
    if attributes["interrupted"]:
        lines.append("INTERRUPTED: fewer draws than were asked for")
    lines += ["(each draw's components in the order of EM's that they are nearest to)", ""]
    table = beside_em(posterior)
    heads = ["", "component", "EM", "SE", "mean", "sd"]
    rows = [
        [
            " ".join(each for each in (row.parameter, row.feature, row.feature_bis) if each),
            str(row.component),
            *_digits(row.em, row.em_se, row.mean, row.sd),
        ]
        for row in table.itertuples(index=False)
    ]
    lines.append(text_table([heads, *rows]))
    lines += [each for each in [table.attrs["estimate"]] if each]
    lines += [f"No standard error: {note}" for note in table.attrs["notes"]]
    return "\n".join(lines)


def _digits(*values: float) -> list[str]:
    return ["" if np.isnan(value) else f"{value:.6g}" for value in values]


def _flat(values: Any) -> Array:
    """Draws of all chains one after another."""
    return np.ascontiguousarray(values.reshape(-1, *values.shape[2:]))


def _orders(arrays: dict[str, Array], means: Array, covariances: Array) -> NDArray[np.intp]:
    """For each draw the components in the order of a reference's, (T, K)."""
    costs = matching_costs(arrays["means"], arrays["covariances"], means, covariances)
    k = costs.shape[-1]
    if k <= _FEW:
        candidates = np.array(list(permutations(range(k))))
        totals = costs[:, candidates, np.arange(k)].sum(axis=2)
        return candidates[totals.argmin(axis=1)]
    out = np.empty(costs.shape[:2], dtype=np.intp)
    for t, each in enumerate(costs):
        rows, columns = linear_sum_assignment(each)
        out[t, columns] = rows
    return out
