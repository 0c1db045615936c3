"""Random mixtures: the overlap that was asked for, in the structure that was asked for."""

import numpy as np
import pytest

from bayesgmm.errors import InvalidParameterError
from bayesgmm.simulation import random_mixtures
from bayesgmm.simulation.misclassification import Pairs, overlap
from bayesgmm.simulation.random_mixtures import random_mixture

CODES = [
    *("EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE"),
    *("VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"),
]
ALIASES = {"full": "VVV", "tied": "EEE", "diag": "VVI", "spherical": "VII"}


def pair_overlaps(mixture):
    omega = overlap(mixture)
    return (omega + omega.T)[np.triu_indices(mixture.n_components, 1)]


@pytest.mark.parametrize("structure", [*CODES, *ALIASES])
def test_overlap_is_the_one_prescribed(structure):
    average = random_mixture(3, 2, average_overlap=0.08, covariance_type=structure, rng=40)
    assert pair_overlaps(average).mean() == pytest.approx(0.08, rel=1e-9)
    largest = random_mixture(3, 6, max_overlap=0.2, covariance_type=structure, rng=40)
    assert pair_overlaps(largest).max() == pytest.approx(0.2, rel=1e-9)


@pytest.mark.parametrize("target", [1e-30, 1e-6, 0.5, 0.9])
@pytest.mark.parametrize("structure", ["E", "V", "full"])
def test_targets_of_any_size_in_one_dimension(target, structure):
    mixture = random_mixture(2, 1, average_overlap=target, covariance_type=structure, rng=41)
    assert pair_overlaps(mixture)[0] == pytest.approx(target, rel=1e-8)


def test_default_is_a_largest_overlap_of_five_percent_in_any_dimension():
    for d in (1, 3, 30):
        assert pair_overlaps(random_mixture(4, d, rng=42)).max() == pytest.approx(0.05, rel=1e-9)


@pytest.mark.parametrize("name", ["average_overlap", "max_overlap"])
def test_a_target_takes_few_evaluations(name, monkeypatch):
    made, measure = [], getattr(Pairs, name)

    def counted(*args, **kwargs):
        made.append(args)
        return measure(*args, **kwargs)

    monkeypatch.setattr(Pairs, name, counted)
    for seed in range(5):
        for target in (1e-8, 0.01, 0.2):
            random_mixture(3, 2, **{name: target}, rng=seed)
    assert len(made) <= 7 * 15


def test_more_pairs_than_are_integrated_at_once():
    mixture = random_mixture(14, 1, average_overlap=0.01, covariance_type="V", rng=49)
    assert pair_overlaps(mixture).mean() == pytest.approx(0.01, rel=1e-9)


@pytest.mark.parametrize("code", CODES)
def test_volume_shape_and_orientation_follow_the_letters(code):
    covariances = random_mixture(3, 3, covariance_type=code, rng=43).covariances
    np.testing.assert_array_equal(covariances, np.swapaxes(covariances, 1, 2))
    eigenvalues = np.linalg.eigvalsh(covariances)
    volume = np.prod(eigenvalues, axis=1) ** (1 / 3)
    shape = eigenvalues / volume[:, None]
    apart = {
        "volume": np.ptp(volume) / volume.mean(),
        "shape": np.ptp(shape, axis=0).max(),
        "sphericity": np.abs(shape - 1).max(),
        "axes": np.abs(covariances - covariances * np.eye(3)).max() / volume.mean(),
        "commutator": max(np.abs(A @ B - B @ A).max() for A in covariances for B in covariances)
        / volume.mean() ** 2,
    }
    vanishing = {name for name, value in apart.items() if value < 1e-12}
    expected = {
        "volume": code[0] == "E",
        "shape": code[1] != "V",
        "sphericity": code[1] == "I",
        "axes": code[2] == "I",
        "commutator": code[2] != "V",
    }
    assert vanishing == {name for name, is_zero in expected.items() if is_zero}
    assert all(value < 1e-12 or value > 1e-3 for value in apart.values())


def test_parts_stay_in_their_documented_ranges():
    for seed in range(10):
        mixture = random_mixture(5, 2, covariance_type="VVV", rng=seed)
        eigenvalues = np.linalg.eigvalsh(mixture.covariances)
        assert (eigenvalues[:, 1] / eigenvalues[:, 0]).max() <= 10
        volume = np.sqrt(eigenvalues.prod(axis=1))
        assert volume.max() / volume.min() <= 4
        assert mixture.weights.min() >= 0.5 / 5
        assert mixture.means.min() >= 0
        assert mixture.means.max() <= 1


def test_aliases_draw_the_same_mixtures():
    for alias, code in ALIASES.items():
        assert random_mixture(2, 3, covariance_type=alias, rng=44) == random_mixture(
            2, 3, covariance_type=code, rng=44
        )


def test_seed_decides_and_the_global_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the state that must not change
    first, again = (random_mixture(3, 2, rng=45) for _ in range(2))
    assert first == again
    assert first != random_mixture(3, 2, rng=46)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002 - as above


def test_one_component_has_no_overlap_to_prescribe():
    assert random_mixture(1, 2, rng=47).n_components == 1
    with pytest.raises(InvalidParameterError, match="at least 2 components"):
        random_mixture(1, 2, max_overlap=0.1)


def test_unreachable_targets_say_what_can_be_reached(monkeypatch):
    monkeypatch.setattr(random_mixtures, "_MOST_DRAWS", 3)
    with pytest.raises(InvalidParameterError, match=r"3 draws.*stays below (0\.\d+)") as caught:
        random_mixture(5, 4, average_overlap=0.99, rng=48)
    best = float(str(caught.value).split("stays below ")[1].split()[0])
    reached = random_mixture(5, 4, average_overlap=best - 1e-3, rng=48)
    assert pair_overlaps(reached).mean() == pytest.approx(best - 1e-3, rel=1e-6)


def test_a_draw_whose_limit_is_too_small_is_drawn_anew():
    def limit(seed):
        pairs = Pairs.of(*random_mixtures._draw(2, 2, "VVV", np.random.default_rng(seed)))
        return pairs.max_overlap(np.inf)

    seed = next(seed for seed in range(100) if limit(seed) < 0.7)
    mixture = random_mixture(2, 2, max_overlap=0.7, rng=seed)
    weights, _, _ = random_mixtures._draw(2, 2, "VVV", np.random.default_rng(seed))
    assert not np.array_equal(mixture.weights, weights)
    assert pair_overlaps(mixture).max() == pytest.approx(0.7, rel=1e-8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_components": 0},
        {"n_components": 2.0},
        {"n_features": True},
        {"average_overlap": 0.0},
        {"max_overlap": 1},
        {"max_overlap": float("nan")},
        {"max_overlap": "0.1"},
        {"average_overlap": 0.1, "max_overlap": 0.2},
        {"covariance_type": "VIE"},
        {"covariance_type": None},
        {"covariance_type": "E"},
    ],
)
def test_wrong_arguments_are_refused(wrong):
    with pytest.raises(InvalidParameterError):
        random_mixture(**({"n_components": 2, "n_features": 2} | wrong))


def test_unknown_structures_get_the_nearest_name():
    with pytest.raises(InvalidParameterError, match="Did you mean 'diag'"):
        random_mixture(2, 2, covariance_type="diagonal")
    with pytest.raises(InvalidParameterError, match="Use 'VII'"):
        random_mixture(2, 2, covariance_type="V")
