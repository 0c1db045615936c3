"""Components of one fit under the labels of another."""

from bayesgmm.em.component_order import check_reference
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.fitted_mixture import fitted_mixture
from bayesgmm.mixture.matching import match_components
from bayesgmm.mixture.mixture import Mixture


def align[Fit: (Mixture, GaussianMixture)](fit: Fit, *, to: Mixture | GaussianMixture) -> Fit:
    """Number a fit's components as those of another that they are most like.

    Components are matched one to one, by the least sum of squared Hellinger distances of the
    Gaussians; weights do not take part. Components that are unlike are matched as well: how alike
    they are is given by the distances, from 0 (equal) to 1 (disjoint), of
    `bayesgmm.mixture.matching.match_components(fit.mixture_, to.mixture_)`.

    Parameters
    ----------
    fit : Mixture or fitted GaussianMixture
    to : Mixture or fitted GaussianMixture
        Of as many components and features.

    Returns
    -------
    Mixture or GaussianMixture
        Of the kind of `fit`, which is not changed. Of an estimator, a copy that predicts, gives
        standard errors and starts warm under the new labels.

    Raises
    ------
    InvalidParameterError
        If one of both is of another kind, or their sizes or feature names differ.
    NotFittedError
        If an estimator was not fitted.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, align, load_dataset
    >>> X = load_dataset("faithful").X
    >>> before = GaussianMixture(2, order_by="weights", random_state=0).fit(X)
    >>> after = GaussianMixture(2, random_state=1).fit(X[:100])
    >>> align(after, to=before).means_.round(1).tolist()
    [[4.2, 78.6], [1.9, 55.4]]
    """
    mixture = fitted_mixture("fit", fit, with_outliers=True)
    reference = fitted_mixture("to", to, with_outliers=True)
    shape = mixture.n_components, mixture.n_features
    check_reference("to", reference, shape, mixture.feature_names)
    return fit.permuted(match_components(mixture, reference).order)
