"""The weight of noise and the outliers of components, as variables of a PyMC model."""

from typing import Any

import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

from bayesgmm.priors.outlier_priors import OutlierPriors
from bayesgmm.priors.resolved_priors import ResolvedPriors


class InflationTransform(Transform):  # type: ignore[misc]
    """Log inflation log eta = log(1 + exp(t)) of coordinates t."""

    name = "excess"

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Coordinates t = log(eta - 1)."""
        return pt.log(pt.expm1(value))

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Log eta."""
        return pt.softplus(value)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log d log eta / dt."""
        return -pt.softplus(-value)


def noise_weight(outliers: OutlierPriors, priors: ResolvedPriors) -> Any:
    """The weight of noise, beside which the other weights are Dirichlet."""
    return pm.Beta("noise_weight", outliers.noise_concentration, sum(priors.concentration))


def outlier_parameters(outliers: OutlierPriors) -> tuple[Any, Any]:
    """The share of each component's outliers, and the inflation of their covariance."""
    twice = pm.Beta("twice_outlier_proportion", *outliers.share, dims="component")
    logs = pm.HalfNormal(
        "log_inflation",
        outliers.spread,
        dims="component",
        default_transform=InflationTransform(),
    )
    share = pm.Deterministic("outlier_proportion", 0.5 * twice, dims="component")
    return share, pm.Deterministic("inflation", pt.exp(logs), dims="component")


def pairs(
    weights: Any, means: Any, covariances: Any, share: Any, inflation: Any
) -> tuple[Any, Any, Any]:
    """Weights, means and covariances of components, then of the outliers of each."""
    broad = covariances * inflation.reshape((-1, *(1,) * (covariances.type.ndim - 1)))
    return (
        pt.concatenate([(1.0 - share) * weights, share * weights]),
        pt.concatenate([means, means]),
        pt.concatenate([covariances, broad]),
    )
