"""Relabelling of a posterior."""

from collections.abc import Mapping
from typing import Any
from warnings import warn

import xarray as xr

from bayesgmm.arguments import check_text
from bayesgmm.errors import ConvergenceWarning
from bayesgmm.labels.labelling import Reference, Request, label_draws
from bayesgmm.posterior.reader import (
    Posterior,
)


def relabel(
    posterior: Posterior,
    *,
    method: str = "ecr",
    reference: Reference | None = None,
    X: Any = None,
    by: str = "means",
    feature: int | str = 0,
    allocations: str | None = None,
    probabilities: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> xr.DataTree:
    """Give the components of all draws one labelling.

    Within a draw components are only renamed: weights, means, covariances and every other variable
    with an axis of components move together. All draws are kept, and label-invariant quantities do
    not change.

    Parameters
    ----------
    posterior : DataTree or Dataset
        Of `sample_posterior`, or any with weights, means and covariances; or, with `allocations`
        or `probabilities`, of a mixture of any family: every variable with the axis of components
        is relabelled.
    method : str
        * "ecr" (default): as many rows as possible have the component that they have under the
          reference. Without allocations among the variables the cost is its expectation under each
          draw's parameters.
        * "ecr-iterative-1", "ecr-iterative-2": the same, with the most frequent label of each row,
          or its most probable one, in place of the reference's.
        * "stephens": classification probabilities nearest to their mean by KL divergence.
        * "pra": parameters nearest to those of the reference, each in units of its standard
          deviation within components.
        * "pra-raw": the same in the parameters' own units, as in R's label.switching.
        * "data-based": rows nearest to the mean of their label.
        * "ordered": ascending order of one parameter. In more than one dimension, or where
          components overlap in this parameter, it cuts through the modes of the posterior.
    reference : Mixture or fitted GaussianMixture, optional
        Mixture whose labels are used. By default EM's estimate that `sample_posterior` stores in
        ``constant_data``; without it, methods with a pivot use the draw of largest log-likelihood,
        and labels follow the order of the means.
    X : (n, D), optional
        The fitted rows; by default those in ``observed_data``. Without either, rows simulated from
        the draws stand in for them.
    by : {"means", "variances", "weights"}
        Parameter for "ordered"; for a mixture of another family, the name of a variable.
    feature : int or str
        Feature of this mean or variance.
    allocations : str, optional
        Variable of the posterior with allocations, of axes (chain, draw, row). In a mixture of
        another family the axis of its components is "component".
    probabilities : str, optional
        Variable with classification probabilities, of axes (chain, draw, row, component).
    variables : mapping, optional
        Names of weights, means and covariances in the posterior: ``{"means": "mu", ...}``. For
        models with other scales use "variances" or "standard_deviations" instead of "covariances".

    Returns
    -------
    DataTree
        A copy with the variables of ``posterior`` relabelled and a group ``relabelling`` with
        ``label_permutations`` (chain, draw, component), where
        ``relabelled[c, s, j] = sampled[c, s, label_permutations[c, s, j]]``; the ``cost`` of the
        labels; and their ``ambiguity``, the excess cost of the second best labels: in rows for
        ECR, in nats for Stephens, in squared standard deviations for PRA and data-based, in the
        parameter's units for an order. Attributes give the method and the reference; the group
        ``posterior`` has the attribute "relabelled".

    Raises
    ------
    InputError
        If a group, variable or feature is missing, or the reference has another size than the
        draws.
    InvalidParameterError
        If the method or the parameter of "ordered" is unknown.

    Notes
    -----
    Relabelling is idempotent and does not depend on the order of the chains. Memberships are
    computed in blocks of rows; an array of draws x rows x components is never allocated.

    Examples
    --------
    >>> from bayesgmm import load_dataset, relabel, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, draws=200, rng=0)
    >>> aligned = relabel(posterior)
    >>> aligned["posterior"]["weights"].mean(["chain", "draw"]).values.round(1)
    array([0.4, 0.6])
    """
    check_text("allocations", allocations)
    check_text("probabilities", probabilities)
    request = Request(method, reference, X, by, feature, allocations, probabilities, variables)
    labelling = label_draws(posterior, request)
    if not labelling.assignment.settled:
        warn(
            f"Method {method!r} did not converge: labels still changed after "
            f"{labelling.assignment.rounds} rounds. Check the ambiguity, or give a reference and "
            "use method='ecr'.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return labelling.tree()
