"""Covariance structures: what the components' covariances share, as objects.

A structure says how covariances follow from the scatter matrices W_k and counts N_k of a pass
(its M-step), and how many free parameters they have. Everything else (the kernel, the EM loop,
the posterior) treats all structures alike. A new structure is a class here and a line in
`_STRUCTURES`.

Covariances, and the scatter that a structure wants, are (K, D, D), or (K, D) variances where
`diagonal` is true.

References
----------
Celeux, G. and Govaert, G. (1995). Gaussian parsimonious clustering models. Pattern Recognition
28, 781-793; the numbers of parameters are those of its table 1.
"""

import difflib
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bayesgmm.errors import InvalidParameterError

type Array = NDArray[np.float64]


class Structure(ABC):
    """A covariance structure. Stateless; two structures are equal if they are of one class."""

    code: ClassVar[str]
    """mclust's three letters: volume, shape and orientation, each E(qual), V(arying) or I."""
    name: ClassVar[str]
    """scikit-learn's word where it has one, else the code."""
    words: ClassVar[str]
    """What the letters mean, for summaries."""
    diagonal: ClassVar[bool]
    """Whether covariances and scatter are (K, D) variances."""

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

    @abstractmethod
    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of the K covariances."""

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of the mixture: weights, means and covariances."""
        covariances = self.n_covariance_parameters(n_components, n_features)
        return n_components - 1 + n_components * n_features + covariances

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _pooled(counts: Array, scatters: Array) -> Array:
    """The scatter of all components over the number of rows, repeated for each component."""
    pooled = scatters.sum(axis=0) / counts.sum()
    return np.repeat(pooled[np.newaxis], len(counts), axis=0)


class Full(Structure):
    """Each component has its own covariance: Sigma_k = W_k / N_k."""

    code, name, diagonal = "VVV", "full", False
    words = "ellipsoidal, varying volume, shape, and orientation"

    def covariances(self, counts: Array, scatters: Array) -> Array:
        return scatters / counts[:, np.newaxis, np.newaxis]

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features * (n_features + 1) // 2


class Tied(Structure):
    """One covariance for all components: Sigma = sum_k W_k / N."""

    code, name, diagonal = "EEE", "tied", False
    words = "ellipsoidal, equal volume, shape, and orientation"

    def covariances(self, counts: Array, scatters: Array) -> Array:
        return _pooled(counts, scatters)

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_features * (n_features + 1) // 2


class Diagonal(Structure):
    """Each component has its own variances, without correlation: diag(W_k) / N_k."""

    code, name, diagonal = "VVI", "diag", True
    words = "diagonal, varying volume and shape"

    def covariances(self, counts: Array, scatters: Array) -> Array:
        return scatters / counts[:, np.newaxis]

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_components * n_features


class Spherical(Structure):
    """Each component has one variance: tr(W_k) / (N_k D)."""

    code, name, diagonal = "VII", "spherical", True
    words = "spherical, varying volume"

    def covariances(self, counts: Array, scatters: Array) -> Array:
        variances = scatters.mean(axis=1) / counts
        return np.repeat(variances[:, np.newaxis], scatters.shape[1], axis=1)

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return n_components


_STRUCTURES: tuple[Structure, ...] = (Full(), Tied(), Diagonal(), Spherical())
_BY_WORD = {word: each for each in _STRUCTURES for word in (each.name, each.code)}


def structures() -> tuple[Structure, ...]:
    """All structures that exist, the least constrained first."""
    return _STRUCTURES


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
