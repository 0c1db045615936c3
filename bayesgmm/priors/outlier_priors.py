"""Priors of the weight of noise, and of the outliers of components."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutlierPriors:
    """What a posterior has beside Gaussian components, and its priors.

    Attributes
    ----------
    noise : bool
        A component of noise. Its weight and those of the components are Dirichlet, noise with the
        concentration 1.
    contaminated : bool
        Outliers of each component: a share o in (0, 1/2), 2 o ~ Beta(1, 4), of mean .1, and an
        inflation eta > 1 of the covariance, log eta ~ half-normal of scale 2, eta of median 3.9.
    """

    noise: bool = False
    contaminated: bool = False

    noise_concentration = 1.0
    share = (1.0, 4.0)
    spread = 2.0

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the variables of a posterior, beside weights, means and covariances."""
        noise = ("noise_weight",) if self.noise else ()
        return noise + (("outlier_proportion", "inflation") if self.contaminated else ())

    @property
    def numbers(self) -> tuple[bool, bool, float, float, float, float]:
        """The fields of the core's ``struct Outliers``."""
        return (
            self.noise,
            self.contaminated,
            self.noise_concentration,
            *self.share,
            self.spread,
        )


NO_OUTLIERS = OutlierPriors()
