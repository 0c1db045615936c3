"""A fit in words and numbers, in the manner of mclust's summary."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.data.coercion import column_names
from bayesgmm.display import text_table
from bayesgmm.em.multistart import SAME_MAXIMUM
from bayesgmm.mixture.bhattacharyya_distance import BARELY_DISTINGUISHABLE, bhattacharyya
from bayesgmm.mixture.mixture import Mixture

if TYPE_CHECKING:
    from bayesgmm.estimator.gaussian_mixture import GaussianMixture


def agreed_starts(fit: "GaussianMixture") -> tuple[int, int]:
    """The number of starts that ended at the best maximum (within .01 nats), and of all starts.

    They are compared with one another: where there are many rows, all were made on one sample.
    """
    starts = fit._records
    sound = [each.log_likelihood for each in starts if each.converged and not each.degeneracy]
    best = max(sound, default=np.nan)
    return sum(abs(value - best) < SAME_MAXIMUM for value in sound), len(starts)


def summarise(fit: "GaussianMixture", X: Any) -> str:
    """The text of `GaussianMixture.summary`."""
    mixture, structure = fit.mixture_, fit._structure
    k, d = mixture.n_components, mixture.n_features
    letters = structure.code if d > 1 else ("E" if structure.code.startswith("E") else "V")
    words = structure.words
    if d == 1:
        letters = "X" if k == 1 else letters
        words = {"X": "univariate", "E": "univariate, equal variance"}.get(
            letters, "univariate, unequal variance"
        )
    sizes = np.bincount(fit.predict(X), minlength=k)
    agreed, made = agreed_starts(fit)
    found = fit._criteria(X, None)
    title = f"Gaussian mixture fitted by EM: {letters} ({words}) with {k} component" + "s" * (k > 1)
    figures = {
        "log-likelihood": f"{fit.log_likelihood_:.6f}",
        "n": f"{fit.n_rows_:g}",
        "parameters": f"{fit.n_parameters_}",
        "BIC": f"{found.bic:.4f}",
        "ICL": f"{found.icl:.4f}",
    }
    lines = [title, "=" * len(title), "", text_table([[*figures], [*figures.values()]], left=0)]
    state = "converged" if fit.converged_ else f"NOT converged, {fit.remaining_:.1e} nats short"
    lines += [
        "",
        f"{state} in {fit.n_iter_} iterations; {agreed} of {made} starts reached this maximum",
        "(BIC and ICL: smaller is better)",
        *_overlapping(mixture),
        "",
    ]
    names = column_names(mixture.feature_names, d)
    heads = [f"component {i}" for i in range(k)]
    lines.append(_table(heads, [("size", sizes), ("weight", mixture.weights)]))
    lines += ["", "Means"]
    lines.append(_table(heads, zip(names, mixture.means.T, strict=True)))
    for i in range(k):
        lines += ["", f"Covariance of component {i}"]
        lines.append(_table(names, zip(names, mixture.covariances[i], strict=True)))
    return "\n".join(lines)


def _overlapping(mixture: Mixture) -> list[str]:
    """A line for each pair of barely distinguishable components."""
    nearness = bhattacharyya(mixture)
    return [
        f"components {j} and {i} overlap (Bhattacharyya coefficient {nearness[i, j]:.2f}): "
        "one may be superfluous"
        for i in range(len(nearness))
        for j in range(i)
        if nearness[i, j] > BARELY_DISTINGUISHABLE
    ]


def _table(heads: Sequence[str], rows: Iterable[tuple[str, Any]]) -> str:
    lines = ([name, *(f"{value:.7g}" for value in values)] for name, values in rows)
    return text_table([["", *heads], *lines])
