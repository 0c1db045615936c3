"""Plots of a fit, by the package's public functions, whose rooms lie above this one."""

from typing import TYPE_CHECKING, Any

import bayesgmm
from bayesgmm.data.validation import Data
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.estimator.words import Picture

if TYPE_CHECKING:
    from bayesgmm.estimator.gaussian_mixture import GaussianMixture

# Components beyond those of a fit up to which BIC is compared.
MORE = 3


def plot_fit(fit: "GaussianMixture", kind: Picture, rows: Data, **options: Any) -> Any:
    """Draw what `GaussianMixture.plot` shows."""
    if kind != "selection":
        return bayesgmm.plot_mixture(fit, rows, kind=kind, **options)
    if fit.fixed and fit._held is not None:
        raise InvalidParameterError(
            "kind='selection' compares numbers of components, but fixed holds parameters of "
            f"{plural(fit.mixture_.n_components, 'component')}. Fit without fixed, or use another "
            "kind."
        )
    counts = range(1, fit.mixture_.n_components + MORE + 1)
    selection = bayesgmm.select_mixture(
        rows,
        counts,
        fit.covariance_type,
        noise_component=fit.noise_ is not None,
        contaminated=fit.contamination_ is not None,
        equal_weights=fit.equal_weights,
        rng=0,
        progressbar=False,
    )
    return bayesgmm.plot_selection(selection, **options)
