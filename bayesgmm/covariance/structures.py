"""Covariance structures: constraints that the components' covariances share.

A structure gives the covariances that follow from the scatter matrices W_k and counts N_k of a
pass (its M-step), and their number of free parameters. Everything else (the kernel, the EM loop,
the posterior) treats all structures alike.

Covariances and scatter matrices are (K, D, D), or (K, D) variances where `diagonal` is true.

References
----------
Celeux, G. and Govaert, G. (1995). Gaussian parsimonious clustering models. Pattern Recognition
28, 781-793; the numbers of parameters are those of its table 1.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from bayesgmm.arguments import did_you_mean
from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.core import native
from bayesgmm.errors import InvalidParameterError, SingularCovarianceError

# The letters as the core takes them.
_IDENTITY, _EQUAL, _VARYING = 0, 1, 2
_LETTERS = {"I": _IDENTITY, "E": _EQUAL, "V": _VARYING}


@dataclass(frozen=True, repr=False)
class Structure:
    """Sigma_k = lambda_k D_k A_k D_k': volume, shape (det A_k = 1) and orientation.

    Attributes
    ----------
    code : str
        mclust's three letters, one for each part: equal for all components (E), varying (V), or
        that of the identity (I: spherical shape, axis-aligned orientation). One letter for one
        feature, which has a volume alone. Structures of equal code are equal.
    words : str
        The meaning of the code, for summaries.
    scikit_name : str or None
        scikit-learn's name, if it has one.

    Examples
    --------
    >>> from bayesgmm import structures
    >>> full = structures()[0]
    >>> full.code, full.scikit_name, full.n_parameters(n_components=3, n_features=4)
    ('VVV', 'full', 44)
    """

    code: str
    words: str = field(compare=False)
    scikit_name: str | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """scikit-learn's name if it has one, else the code."""
        return self.scikit_name or self.code

    @cached_property
    def letters(self) -> tuple[int, int, int]:
        """The code as the core takes it."""
        volume, shape, orientation = (_LETTERS[letter] for letter in self.code.ljust(3, "I"))
        return volume, shape, orientation

    @cached_property
    def diagonal(self) -> bool:
        """True if covariances and scatter matrices are (K, D) variances."""
        return self.letters[2] == _IDENTITY

    @cached_property
    def spherical(self) -> bool:
        """True if all features of a component have one variance."""
        return self.letters[1] == _IDENTITY

    @cached_property
    def shared(self) -> bool:
        """True if all components have one covariance."""
        return _VARYING not in self.letters

    @property
    def free(self) -> bool:
        """True if each covariance maximises the likelihood for itself: VVV, VVI, VII."""
        volume, shape, orientation = self.letters
        return volume == _VARYING and _EQUAL not in (shape, orientation)

    @property
    def scales_by_column(self) -> bool:
        """True if columns may be scaled one by one without leaving the structure."""
        # A scaled sphere is an ellipsoid, and axes that turn do not stay common.
        _, shape, orientation = self.letters
        return shape != _IDENTITY and orientation in (_IDENTITY, shape)

    def covariances(self, counts: Array, scatters: Array, near: Array | None = None) -> Array:
        """Maximise the expected log-likelihood over the covariances.

        Parameters
        ----------
        counts : ndarray of shape (K,)
            N_k > 0.
        scatters : ndarray of shape (K, D, D), or (K, D) if `diagonal`
            W_k about the new means.
        near : ndarray of the shape of `scatters`, optional
            Covariances of the structure that the result must not be worse than. It matters for
            common axes alone, whose M-step has several maxima.

        Returns
        -------
        ndarray of the shape of `scatters`

        Raises
        ------
        SingularCovarianceError
            If a component's scatter matrix leaves no covariance of the structure.
        """
        return self._maximised(counts, scatters, near, 0)

    def about(self, counts: Array, scatters: Array) -> Array:
        """Approximate covariances of the M-step, as initial values.

        Where the M-step iterates, one or two of its iterations.
        """
        return self._maximised(counts, scatters, scatters, 2)

    def about_each(self, counts: Array, scatters: Array) -> tuple[Booleans, Array]:
        """The same for several mixtures, counts (S, K): whether each has covariances, and these."""
        bad, out = self._each(counts, scatters, scatters, 2)
        return bad == 0, out

    def _maximised(self, counts: Array, scatters: Array, near: Array | None, effort: int) -> Array:
        bad, out = self._each(counts[np.newaxis], scatters[np.newaxis], near, effort)
        if bad[0]:
            raise SingularCovarianceError(int(bad[0]) - 1)
        return np.asarray(out[0])

    def _each(
        self, counts: Array, scatters: Array, near: Array | None, effort: int
    ) -> tuple[Integers, Array]:
        """Covariances of several mixtures; 0, or 1 + a component without one, for each."""
        beside = None if near is None or scatters.ndim == 3 else near.ravel()
        bad, out = native.maximise_covariances(self.letters, counts, scatters, beside, effort)
        return bad, out.reshape(scatters.shape)

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of the K covariances."""
        d = n_features
        times = {_IDENTITY: 0, _EQUAL: 1, _VARYING: n_components}
        volume, shape, orientation = (times[letter] for letter in self.letters)
        return volume + shape * (d - 1) + orientation * (d * (d - 1) // 2)

    def shares_parts(self, n_components: int, n_features: int) -> bool:
        """True if components share some parts of their covariances, but not all."""
        each = self.n_covariance_parameters(1, n_features)
        free = self.n_covariance_parameters(n_components, n_features)
        return free not in (each, n_components * each)

    def n_variances(self, n_features: int) -> int | None:
        """Free variances of a component: D, or 1 for all features; None for a covariance matrix."""
        free = self.n_covariance_parameters(1, n_features)
        return free if free in (1, n_features) else None

    def n_parameters(self, n_components: int, n_features: int) -> int:
        """Free parameters of the mixture: weights, means and covariances."""
        covariances = self.n_covariance_parameters(n_components, n_features)
        return n_components - 1 + n_components * n_features + covariances

    def compact(self, covariances: Array) -> Array:
        """Covariances without repetition, in the shape of scikit-learn's `covariances_`."""
        out = covariances[0] if self.shared else covariances
        return out[..., 0] if self.spherical else out

    def expand(self, compact: Array, n_components: int, n_features: int) -> Array:
        """The inverse of `compact`."""
        if self.spherical:
            compact = np.repeat(compact[..., np.newaxis], n_features, axis=-1)
        if self.shared:
            compact = np.repeat(compact[np.newaxis], n_components, axis=0)
        return compact

    def __repr__(self) -> str:
        return f"<covariance structure {self.code}: {self.words}>"


_STRUCTURES: tuple[Structure, ...] = (
    Structure("VVV", "ellipsoidal, varying volume, shape, and orientation", "full"),
    Structure("EVV", "ellipsoidal, equal volume"),
    Structure("VEV", "ellipsoidal, equal shape"),
    Structure("EEV", "ellipsoidal, equal volume and shape"),
    Structure("VVE", "ellipsoidal, equal orientation"),
    Structure("EVE", "ellipsoidal, equal volume and orientation"),
    Structure("VEE", "ellipsoidal, equal shape and orientation"),
    Structure("EEE", "ellipsoidal, equal volume, shape, and orientation", "tied"),
    Structure("VVI", "diagonal, varying volume and shape", "diag"),
    Structure("EVI", "diagonal, equal volume, varying shape"),
    Structure("VEI", "diagonal, varying volume, equal shape"),
    Structure("EEI", "diagonal, equal volume and shape"),
    Structure("VII", "spherical, varying volume", "spherical"),
    Structure("EII", "spherical, equal volume"),
)
_UNIVARIATE = (
    Structure("V", "one feature, varying variance"),
    Structure("E", "one feature, equal variance"),
)
_BY_WORD = {word: each for each in _STRUCTURES + _UNIVARIATE for word in (each.name, each.code)}
_BY_FOLDED = {word.casefold(): word for word in _BY_WORD}

type CovarianceWord = Literal[
    "full", "tied", "diag", "spherical",
    "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE",
    "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV", "E", "V",
]  # fmt: skip
# Literals for editors; words are taken in any case.
type CovarianceType = CovarianceWord | str | Structure


def structures() -> tuple[Structure, ...]:
    """All fourteen structures, the least constrained first.

    Examples
    --------
    >>> from bayesgmm import structures
    >>> [each.code for each in structures() if each.diagonal]
    ['VVI', 'EVI', 'VEI', 'EEI', 'VII', 'EII']
    """
    return _STRUCTURES


def structure_words() -> tuple[str, ...]:
    """All names and codes that `as_structure` accepts."""
    return tuple(_BY_WORD)


def structure_word(text: str) -> str:
    """The name or code that a text is, in any case; the text itself if it is none."""
    return _BY_FOLDED.get(text.casefold(), text)


def as_structure(covariance_type: CovarianceType, n_features: int | None = None) -> Structure:
    """The structure of a name or code.

    Parameters
    ----------
    covariance_type : str or Structure
        scikit-learn's name ("full", "tied", "diag", "spherical") or mclust's code ("VVV", ...);
        "E" and "V" for one feature. In any case.
    n_features : int, optional
        Columns of the data. A structure for one feature is refused for more.

    Raises
    ------
    InvalidParameterError
        For an unknown name or code, and for "E" or "V" with more than one feature.
    """
    if isinstance(covariance_type, Structure):
        structure = covariance_type
    elif isinstance(covariance_type, str) and structure_word(covariance_type) in _BY_WORD:
        structure = _BY_WORD[structure_word(covariance_type)]
    else:
        hint = did_you_mean(str(covariance_type), _BY_WORD, 0.0)
        raise InvalidParameterError(
            f"covariance_type={covariance_type!r} is not a covariance structure.{hint} Known are: "
            f"{', '.join(_BY_WORD)}."
        )
    if len(structure.code) == 1 and n_features not in (None, 1):
        raise InvalidParameterError(
            f"covariance_type={structure.code!r} is for one column, but X has {n_features}. Use "
            f"{structure.code + 'II'!r} for spheres, or {structure.code * 3!r}."
        )
    return structure
