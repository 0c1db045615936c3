"""Models of the fit's structure with other numbers of components, where they cost little."""

import warnings

import numpy as np
import pandas as pd

from bayesgmm.covariance.structures import as_structure
from bayesgmm.errors import BayesGMMError, BayesGMMWarning
from bayesgmm.estimator.fit_plots import MORE
from bayesgmm.estimator.fitted_rows import of_fitted_rows
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.selection.model_selection import select_mixture

# n (K + 3)^2 (D + 3)^2 up to which the models take about two seconds, and the most components.
_CHEAP, _MOST = 1.5e7, 9


def alternatives(inputs: Inputs) -> pd.DataFrame | None:
    """The models by which K of the fit is judged, whichever page it is on.

    They have its structure and 1 to K + 3 components, so that a model has one verdict: given,
    selected in a grid, or among others of an explorer. Where they cost too much, those of a grid
    that was given stand in for them.
    """
    found = neighbours(inputs)
    if found is not None or inputs.selection is None or inputs.em is None:
        return found
    fit, table = inputs.em, inputs.selection
    codes = [as_structure(str(each), inputs.n_features).code for each in table["covariance_type"]]
    own = as_structure(fit.covariance_type, inputs.n_features).code
    most = fit.mixture_.n_components + MORE
    return table[(np.array(codes) == own) & (table["n_components"] <= most)]


def neighbours(inputs: Inputs) -> pd.DataFrame | None:
    """BIC for 1 to K + 3 components of the fit's structure, as `select_mixture` tabulates it.

    Known components are the fewest that are tried. None where it takes long, for fits that are not
    of maximum likelihood, and for other rows.
    """
    fit = inputs.em
    if fit is None or fit.priors_ is not None or fit.reg_covar:
        return None
    if fit.weights_of(inputs.observed.X) is not None or not of_fitted_rows(fit, inputs.criteria):
        return None
    n, d = inputs.observed.X.shape
    most = fit.mixture_.n_components + MORE
    if n * most**2 * (d + 3) ** 2 > _CHEAP or most > _MOST + MORE:
        return None
    structure = as_structure(fit.covariance_type)
    if d == 1:
        structure = as_structure(structure.code[0])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BayesGMMWarning)  # the section says where the edge is
            found = select_mixture(
                inputs.observed,
                range(1 if inputs.known is None else int(inputs.known.max()) + 1, most + 1),
                structure,
                labels=inputs.known,
                noise_component=inputs.noise is not None,
                contaminated=inputs.contamination is not None,
                rng=0,
                progressbar=False,
            )
    except BayesGMMError:
        return None
    return found.table
