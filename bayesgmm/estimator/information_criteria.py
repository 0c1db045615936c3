"""Log-likelihood, BIC, AIC and ICL of weighted rows."""

from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array


class Criteria(NamedTuple):
    """Information criteria in nats, smaller is better, and what they are made of.

    Attributes
    ----------
    log_likelihood : float
        Total, l = sum_b v_b log p(x_b).
    weight : float
        n: the sum of the row weights, the number of rows where each counts once.
    bic : float
        -2 l + nu log n (Schwarz 1978, Annals of Statistics 6, 461-464).
    aic : float
        -2 l + 2 nu (Akaike 1974, IEEE Trans. Automatic Control 19, 716-723).
    icl : float
        BIC - 2 sum_b v_b log max_k r_kb (Biernacki, Celeux & Govaert 2000, IEEE PAMI 22, 719-725;
        with hard labels, as mclust).
    """

    log_likelihood: float
    weight: float
    bic: float
    aic: float
    icl: float


def information_criteria(
    densities: Array, responsibilities: Array, row_weights: Array | None, n_parameters: int
) -> Criteria:
    """The criteria of a fit from log densities (n,) and responsibilities (n, K) of its rows.

    What responsibilities leave of 1 is that of noise.
    """
    return criteria_of(sums_for_criteria(densities, responsibilities, row_weights), n_parameters)


def sums_for_criteria(
    densities: Array, responsibilities: Array, row_weights: Array | None
) -> Array:
    """The log-likelihood, the weight and the certainty, sum_b v_b log max_k r_kb, of rows, (3,)."""
    v = np.ones(len(densities)) if row_weights is None else row_weights
    # A row of weight 0 is not there, whatever its density.
    present = v > 0.0
    with np.errstate(over="ignore"):  # minus infinity, as where a density is 0
        # No dot products, whose bits depend on the threads of the process.
        likelihood = float((v[present] * densities[present]).sum())
    weight = float(v.sum())
    r = responsibilities[present]
    noise = 1.0 - r.sum(axis=1)
    certainty = float((v[present] * np.log(np.maximum(r.max(axis=1), noise))).sum())
    return np.array([likelihood, weight, certainty])


def criteria_of(sums: Array, n_parameters: int) -> Criteria:
    """The criteria of a fit from the sums over its rows."""
    likelihood, weight, certainty = sums.tolist()
    bic = -2.0 * likelihood + n_parameters * float(np.log(weight))
    aic = -2.0 * likelihood + 2.0 * n_parameters
    return Criteria(likelihood, weight, bic, aic, bic - 2.0 * certainty)
