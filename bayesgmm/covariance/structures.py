"""Covariance structures: what the components' covariances share, as objects.

A structure says how covariances follow from the scatter matrices W_k and counts N_k of a pass
(its M-step), and how many free parameters they have. Everything else (the kernel, the EM loop,
the posterior) treats all structures alike.

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

from bayesgmm.core import native
from bayesgmm.errors import InvalidParameterError, SingularCovarianceError

type Array = NDArray[np.float64]

# The letters as the core takes them.
IDENTITY, EQUAL, VARYING = 0, 1, 2
_LETTERS = {"I": IDENTITY, "E": EQUAL, "V": VARYING}


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
    scales_by_column: bool
    """Whether columns may be scaled one by one without leaving the structure."""
    letters: tuple[int, int, int]
    """The code as the core takes it."""
    features: int | None = None
    """The number of features for which the structure is meant, if it is meant for one alone."""

    @abstractmethod
    def covariances(self, counts: Array, scatters: Array, near: Array | None = None) -> Array:
        """Maximise the expected log-likelihood over the covariances.

        Parameters
        ----------
        counts : ndarray of shape (K,)
            N_k > 0.
        scatters : ndarray of shape (K, D, D), or (K, D) if `diagonal`
            W_k about the new means.
        near : ndarray of the shape of `scatters`, optional
            Covariances of the structure that the result must not be worse than. Only common axes
            have several maxima; the others do not look at it.

        Returns
        -------
        ndarray of the shape of `scatters`

        Raises
        ------
        SingularCovarianceError
            If a component's scatter leaves no covariance of the structure.
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


class Decomposed(Structure):
    """Sigma_k = lambda_k D_k A_k D_k': volume, shape (|A_k| = 1) and orientation.

    Each letter of the code says whether its part is equal for all components (E), varies (V), or
    is none (I: a sphere's shape, the axes of the data).
    """

    def __init__(self, code: str, words: str, name: str | None = None) -> None:
        self.code, self.name, self.words = code, name or code, words
        # One feature has a volume alone.
        volume, shape, orientation = (_LETTERS[each] for each in code.ljust(3, "I"))
        self.letters = volume, shape, orientation
        self.diagonal = orientation == IDENTITY
        self.features = 1 if len(code) == 1 else None
        # A sphere whose axes are scaled apart is no sphere, and axes that turn do not stay common.
        self.scales_by_column = shape != IDENTITY and orientation in (IDENTITY, shape)

    def covariances(self, counts: Array, scatters: Array, near: Array | None = None) -> Array:
        return self._maximised(counts, scatters, near, 0)

    def about(self, counts: Array, scatters: Array) -> Array:
        """Covariances of the structure that are about those of the M-step, by less work.

        A step or two of the iterations of those structures that need any: to begin from.
        """
        return self._maximised(counts, scatters, scatters, 2)

    def _maximised(self, counts: Array, scatters: Array, near: Array | None, effort: int) -> Array:
        if near is not None and near.ndim == 2:
            near = None
        bad, out = native.maximise_covariances(self.letters, counts, scatters, near, effort)
        if bad:
            raise SingularCovarianceError(bad - 1)
        return out.reshape(scatters.shape)

    def nearest(self, weights: Array, covariances: Array) -> Array:
        """As for every structure; combinations of its members may be members already."""
        volume, shape, orientation = self.letters
        all_vary = volume == VARYING and EQUAL not in (shape, orientation)
        if all_vary or VARYING not in self.letters:
            return covariances
        return super().nearest(weights, covariances)

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        k, d = n_components, n_features
        times = {IDENTITY: 0, EQUAL: 1, VARYING: k}
        volume, shape, orientation = (times[each] for each in self.letters)
        return volume + shape * (d - 1) + orientation * (d * (d - 1) // 2)

    def compact(self, covariances: Array) -> Array:
        _, shape, _ = self.letters
        out = covariances[0] if VARYING not in self.letters else covariances
        return out[..., 0] if shape == IDENTITY else out

    def expand(self, compact: Array, n_components: int, n_features: int) -> Array:
        _, shape, _ = self.letters
        if shape == IDENTITY:
            compact = np.repeat(compact[..., np.newaxis], n_features, axis=-1)
        if VARYING not in self.letters:
            compact = np.repeat(compact[np.newaxis], n_components, axis=0)
        return compact


_STRUCTURES: tuple[Structure, ...] = (
    Decomposed("VVV", "ellipsoidal, varying volume, shape, and orientation", "full"),
    Decomposed("EVV", "ellipsoidal, equal volume"),
    Decomposed("VEV", "ellipsoidal, equal shape"),
    Decomposed("EEV", "ellipsoidal, equal volume and shape"),
    Decomposed("VVE", "ellipsoidal, equal orientation"),
    Decomposed("EVE", "ellipsoidal, equal volume and orientation"),
    Decomposed("VEE", "ellipsoidal, equal shape and orientation"),
    Decomposed("EEE", "ellipsoidal, equal volume, shape, and orientation", "tied"),
    Decomposed("VVI", "diagonal, varying volume and shape", "diag"),
    Decomposed("EVI", "diagonal, equal volume, varying shape"),
    Decomposed("VEI", "diagonal, varying volume, equal shape"),
    Decomposed("EEI", "diagonal, equal volume and shape"),
    Decomposed("VII", "spherical, varying volume", "spherical"),
    Decomposed("EII", "spherical, equal volume"),
)
_UNIVARIATE = (
    Decomposed("V", "one feature, varying variance"),
    Decomposed("E", "one feature, equal variance"),
)
_BY_WORD = {word: each for each in _STRUCTURES + _UNIVARIATE for word in (each.name, each.code)}


def structures() -> tuple[Structure, ...]:
    """All structures that exist, the least constrained first."""
    return _STRUCTURES


def structure_words() -> tuple[str, ...]:
    """Every word that `as_structure` knows."""
    return tuple(_BY_WORD)


def as_structure(covariance_type: str | Structure, n_features: int | None = None) -> Structure:
    """The structure that a user's word stands for: the one place where the word is looked at.

    Parameters
    ----------
    covariance_type : str or Structure
        scikit-learn's name ("full", "tied", "diag", "spherical") or mclust's code ("VVV", ...);
        "E" and "V" for one feature.
    n_features : int, optional
        Columns of the data, which a structure for one feature is then checked against.

    Raises
    ------
    InvalidParameterError
        For an unknown word (the message offers the nearest), and for "E" or "V" with more than one
        feature.
    """
    if isinstance(covariance_type, Structure):
        structure = covariance_type
    elif isinstance(covariance_type, str) and covariance_type in _BY_WORD:
        structure = _BY_WORD[covariance_type]
    else:
        near = difflib.get_close_matches(str(covariance_type), _BY_WORD, n=1, cutoff=0.0)
        raise InvalidParameterError(
            f"covariance_type={covariance_type!r} is not a covariance structure. "
            f"Did you mean {near[0]!r}? Known are: {', '.join(_BY_WORD)}."
        )
    if n_features is not None and structure.features not in (None, n_features):
        raise InvalidParameterError(
            f"covariance_type={structure.code!r} is for one column, but X has {n_features}. Use "
            f"{structure.code + 'II'!r} for spheres, or {structure.code * 3!r}."
        )
    return structure
