"""Merging by entropy: the definition, and clusters that are known."""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, Mixture, load_dataset, merge_components
from bayesgmm.errors import InputError, InvalidParameterError

IRIS = load_dataset("iris").X
FAITHFUL = load_dataset("faithful").X


def entropy(memberships):
    t = memberships[memberships > 0.0]
    return -(t * np.log(t)).sum()


def test_every_merge_lowers_the_entropy_most():
    fit = GaussianMixture(5, random_state=0).fit(IRIS)
    merging = merge_components(fit.mixture_, IRIS)
    for k in range(5, 1, -1):
        before = merging.memberships(k)
        assert merging.entropies[5 - k] == pytest.approx(entropy(before), abs=1e-9)
        unions = [
            entropy(
                np.column_stack((np.delete(before, (i, j), axis=1), before[:, i] + before[:, j]))
            )
            for i in range(k)
            for j in range(i + 1, k)
        ]
        assert merging.entropies[6 - k] == pytest.approx(min(unions), abs=1e-9)
    assert (np.diff(merging.entropies) <= 1e-12).all()
    assert merging.entropies[-1] == pytest.approx(0.0, abs=1e-9)


def test_memberships_are_sums_of_responsibilities_and_labels_their_largest():
    fit = GaussianMixture(4, random_state=1).fit(FAITHFUL)
    merging = merge_components(fit.mixture_, FAITHFUL)
    np.testing.assert_array_equal(merging.memberships(4), merging.responsibilities)
    np.testing.assert_array_equal(merging.labels(4), fit.predict(FAITHFUL))
    for k in range(1, 5):
        memberships = merging.memberships(k)
        assert memberships.shape == (len(FAITHFUL), k)
        np.testing.assert_allclose(memberships.sum(axis=1), 1.0, rtol=1e-12)
        np.testing.assert_array_equal(merging.labels(k), memberships.argmax(axis=1))
        assert set(merging.clusters(k)) == set(range(k))
        assert merging.clusters(k)[0] == 0
    assert merging.mixture is fit.mixture_


def test_the_species_that_stands_apart_is_left_alone_in_iris():
    fit = GaussianMixture(3, random_state=0).fit(IRIS)
    merging = merge_components(fit.mixture_, IRIS)
    setosa = np.arange(150) < 50
    labels = merging.labels(2)
    np.testing.assert_array_equal(labels == labels[0], setosa)
    assert merging.elbow is None  # of 3 components, 2 clusters would be the only answer
    assert "No elbow: with 3 components the curve has no choice of a bend." in str(merging)


def test_old_faithful_by_four_components_is_two_clusters():
    """Of 4 components merged to 2, the clusters are those of the mixture of 2."""
    two = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    four = GaussianMixture(4, covariance_type="tied", random_state=0).fit(FAITHFUL)
    labels = merge_components(four.mixture_, FAITHFUL).labels(2)
    agreement = np.mean(labels == two.predict(FAITHFUL))
    assert max(agreement, 1.0 - agreement) > 0.97


def test_two_gaussians_of_one_cross_are_one_cluster_and_the_elbow_says_so():
    """A cross of two long Gaussians and two round groups: four components, three clusters."""
    rng = np.random.default_rng(0)
    cross = rng.standard_normal((400, 2)) * [4.0, 0.4]
    cross[200:] = cross[200:, ::-1]
    x = np.concatenate(
        (cross, rng.standard_normal((150, 2)) + 15.0, rng.standard_normal((150, 2)) - [15.0, -15.0])
    )
    truth = np.repeat([0, 1, 2], [400, 150, 150])
    fit = GaussianMixture(4, random_state=0).fit(x)
    merging = merge_components(fit.mixture_, x)
    labels = merging.labels(3)
    table = np.array([[np.sum((labels == i) & (truth == j)) for j in range(3)] for i in range(3)])
    assert (table > 0).sum() == 3
    assert merging.elbow == 3


def test_components_that_are_separate_have_no_elbow():
    centres = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])
    apart = Mixture(np.full(4, 0.25), centres, [np.eye(2)] * 4)
    x = apart.sample(200, rng=0)[0]
    merging = merge_components(apart, x)
    assert merging.elbow is None
    assert "No elbow: the memberships of the components are nearly certain" in str(merging)


def test_one_component_and_two():
    one = Mixture([1.0], [0.0], [1.0])
    merging = merge_components(one, [[0.0], [1.0]])
    assert merging.merges.shape == (0, 2)
    assert merging.elbow is None
    np.testing.assert_array_equal(merging.entropies, [0.0])
    np.testing.assert_array_equal(merging.labels(1), [0, 0])
    two = merge_components(Mixture([0.5, 0.5], [0.0, 1.0], [1.0, 1.0]), [[0.5]])
    np.testing.assert_allclose(two.entropies, [np.log(2.0), 0.0], atol=1e-15)
    assert two.elbow is None


def test_what_cannot_be_is_refused():
    mixture = Mixture([0.5, 0.5], [0.0, 1.0], [1.0, 1.0])
    merging = merge_components(mixture, [[0.5]])
    for k in (0, 3):
        with pytest.raises(InvalidParameterError, match=r"of at least 1|from 1 to 2"):
            merging.labels(k)
    with pytest.raises(InputError, match="infinite"):
        merge_components(mixture, [[np.inf]])
