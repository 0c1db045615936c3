"""Covariance structures: what the components' covariances share, as objects.

A structure says how covariances follow from the scatter matrices W_k and counts N_k of a pass
(its M-step), and how many free parameters they have. Everything else (the kernel, the EM loop,
the posterior) treats all structures alike. A new structure is an instance here, or a class and
an instance.

Covariances, and the scatter that a structure wants, are (K, D, D), or (K, D) variances where
`diagonal` is true.

References
----------
Celeux, G. and Govaert, G. (1995). Gaussian parsimonious clustering models. Pattern Recognition
28, 781-793; the numbers of parameters are those of its table 1.
"""

import difflib
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from bayesgmm.errors import InvalidParameterError

type Array = NDArray[np.float64]


class Structure(ABC):
    """A covariance structure: a value without state, equal to any other of its code."""

    code: str
    """mclust's three letters: volume, shape and orientation, each E(qual), V(arying) or I."""
    name: str
    """scikit-learn's word where it has one, else the code."""
    words: str
    """What the letters mean, for summaries."""
    diagonal: bool
    """Whether covariances and scatter are (K, D) variances."""
    scales_by_column: bool = True
    """Whether columns may be scaled one by one without leaving the structure."""

    @abstractmethod
    def covariances(self, counts: Array, scatters: Array) -> Array:
        """Maximise the expected log-likelihood over the covariances.

        Parameters
        ----------
        counts : ndarray of shape (K,)
            N_k > 0.
        scatters : ndarray of shape (K, D, D), or (K, D) if `diagonal`
            W_k about the new means.

        Returns
        -------
        ndarray of the shape of `scatters`
        """

    def nearest(self, weights: Array, covariances: Array) -> Array:
        """The covariances of this structure that are nearest to any given ones.

        Nearest in the weighted Kullback-Leibler divergence of the components from the given ones:
        what the M-step would make of rows with those weights and covariances.
        """
        sizes = weights.reshape(-1, *(1,) * (covariances.ndim - 1))
        return self.covariances(weights, sizes * covariances)

    def compact(self, covariances: Array) -> Array:
        """Covariances without repetition, in the shape of scikit-learn's `covariances_`."""
        return covariances

    def expand(self, compact: Array, n_components: int, n_features: int) -> Array:
        """The inverse of `compact`."""
        return compact

    @abstractmethod
    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of the K covariances."""

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of the mixture: weights, means and covariances."""
        covariances = self.n_covariance_parameters(n_components, n_features)
        return n_components - 1 + n_components * n_features + covariances

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Structure) and self.code == other.code

    def __hash__(self) -> int:
        return hash(self.code)

    def __repr__(self) -> str:
        return f"<covariance structure {self.code}: {self.words}>"


class Averaged(Structure):
    """Covariances that are averages of the scatter: over components, over directions, or neither.

    Sigma_k = W_k / N_k; `shared` puts sum_k W_k / N in the place of each, and `isotropic` the mean
    of the diagonal in the place of each variance (Celeux & Govaert 1995, sections 3.1 to 3.3).
    """

    def __init__(
        self,
        code: str,
        name: str,
        words: str,
        *,
        diagonal: bool,
        shared: bool = False,
        isotropic: bool = False,
    ) -> None:
        self.code, self.name, self.words = code, name, words
        self.diagonal, self.shared, self.isotropic = diagonal, shared, isotropic
        # A sphere whose axes are scaled apart is no sphere.
        self.scales_by_column = not isotropic

    def covariances(self, counts: Array, scatters: Array) -> Array:
        sizes = counts.reshape(-1, *(1,) * (scatters.ndim - 1))
        if self.shared:
            out = np.broadcast_to(scatters.sum(axis=0) / sizes.sum(), scatters.shape)
        else:
            out = scatters / sizes
        if self.isotropic:
            out = np.broadcast_to(out.mean(axis=1, keepdims=True), out.shape)
        return np.array(out)

    def nearest(self, weights: Array, covariances: Array) -> Array:
        """Combinations of averaged covariances, as come here, are averaged already."""
        return covariances

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        d = n_features
        each = 1 if self.isotropic else d if self.diagonal else d * (d + 1) // 2
        return each if self.shared else n_components * each

    def compact(self, covariances: Array) -> Array:
        out = covariances[0] if self.shared else covariances
        return out[..., 0] if self.isotropic else out

    def expand(self, compact: Array, n_components: int, n_features: int) -> Array:
        if self.isotropic:
            compact = np.repeat(compact[..., np.newaxis], n_features, axis=-1)
        if self.shared:
            compact = np.repeat(compact[np.newaxis], n_components, axis=0)
        return compact


_STRUCTURES: tuple[Structure, ...] = (
    Averaged("VVV", "full", "ellipsoidal, varying volume, shape, and orientation", diagonal=False),
    Averaged(
        "EEE",
        "tied",
        "ellipsoidal, equal volume, shape, and orientation",
        diagonal=False,
        shared=True,
    ),
    Averaged("VVI", "diag", "diagonal, varying volume and shape", diagonal=True),
    Averaged("VII", "spherical", "spherical, varying volume", diagonal=True, isotropic=True),
)
_BY_WORD = {word: each for each in _STRUCTURES for word in (each.name, each.code)}


def structures() -> tuple[Structure, ...]:
    """All structures that exist, the least constrained first."""
    return _STRUCTURES


def structure_words() -> tuple[str, ...]:
    """Every word that `as_structure` knows."""
    return tuple(_BY_WORD)


def as_structure(covariance_type: str | Structure) -> Structure:
    """The structure that a user's word stands for: the one place where the word is looked at.

    Parameters
    ----------
    covariance_type : str or Structure
        scikit-learn's name ("full", "tied", "diag", "spherical") or mclust's code ("VVV", ...).

    Raises
    ------
    InvalidParameterError
        For a word that names no structure; the message offers the nearest.
    """
    if isinstance(covariance_type, Structure):
        return covariance_type
    if isinstance(covariance_type, str) and covariance_type in _BY_WORD:
        return _BY_WORD[covariance_type]
    near = difflib.get_close_matches(str(covariance_type), _BY_WORD, n=1, cutoff=0.0)
    raise InvalidParameterError(
        f"covariance_type={covariance_type!r} names no covariance structure. "
        f"Did you mean {near[0]!r}? Known are: {', '.join(_BY_WORD)}."
    )
