"""Random covariances of every structure: volume, shape and orientation, shared or not.

Σ_k = λ_k D_k A_k D_kᵀ (Banfield & Raftery 1993, Biometrics 49; Celeux & Govaert 1995, Pattern
Recognition 28): λ_k = |Σ_k|^(1/D) the volume, A_k the shape, diagonal of determinant 1, and D_k
the orientation. A structure's three letters state for each in turn whether it is equal in all
components (E), varies (V), or is the identity (I).
"""

from collections.abc import Callable

import numpy as np

from bayesgmm.arrays import Array

# Halves of the ranges of log eigenvalues and log volumes in up to two dimensions: eigenvalues
# differ by a factor of at most 10, volumes of at most 4.
_LOG_SHAPE = 0.5 * np.log(10.0)
_LOG_VOLUME = np.log(2.0)


def random_covariances(
    letters: str, n_components: int, n_features: int, generator: np.random.Generator
) -> Array:
    """Draw covariances (K, D, D) of a structure.

    Log volumes are uniform on ±log 2 and log eigenvalues of shapes, before they are centred,
    uniform on ±½ log 10, both times √(2/D) for D > 2: so the divergence between two components
    around one centre does not grow with D, and they can overlap in any dimension. Orientations
    follow Haar's measure.

    Parameters
    ----------
    letters : str
        Volume, shape and orientation, each E, V or I.
    n_components, n_features : int
    generator : numpy.random.Generator

    Returns
    -------
    (K, D, D)
        Exactly symmetric; shared parts are shared to the last bit.
    """
    spread = min(1.0, np.sqrt(2.0 / n_features))

    def volume() -> Array:
        return np.asarray(np.exp(spread * generator.uniform(-_LOG_VOLUME, _LOG_VOLUME, 1)))

    def shape() -> Array:
        logs = spread * generator.uniform(-_LOG_SHAPE, _LOG_SHAPE, n_features)
        return np.asarray(np.exp(logs - logs.mean()))

    def orientation() -> Array:
        Q, R = np.linalg.qr(generator.standard_normal((n_features, n_features)))
        # Without the signs, QR's convention would favour some rotations (Mezzadri 2007).
        return np.asarray(Q * np.sign(np.diagonal(R)))

    parts = (
        _per_component(letters[0], n_components, volume, np.ones(1)),
        _per_component(letters[1], n_components, shape, np.ones(n_features)),
        _per_component(letters[2], n_components, orientation, np.eye(n_features)),
    )
    covariances = [
        (lam * rotation * A) @ rotation.T for lam, A, rotation in zip(*parts, strict=True)
    ]
    return np.array([0.5 * (covariance + covariance.T) for covariance in covariances])


def _per_component(
    letter: str, n_components: int, draw: Callable[[], Array], identity: Array
) -> list[Array]:
    """K values of one part: the identity (I), one draw (E), or a draw for each (V)."""
    if letter == "V":
        return [draw() for _ in range(n_components)]
    return [identity if letter == "I" else draw()] * n_components
