"""Structures as objects: words, shapes, and what an M-step owes to where it begins.

What every M-step must obey stands in tests/laws.
"""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, load_dataset, report, structures
from bayesgmm.covariance.structures import Structure, as_structure, structure_words
from bayesgmm.errors import InvalidParameterError, SingularCovarianceError

CODES = [each.code for each in structures()]


def scatters_of(rng, k, d, condition=30.0):
    """Random positive definite matrices (K, D, D)."""
    turned = np.linalg.qr(rng.standard_normal((k, d, d)))[0]
    sizes = np.exp(rng.uniform(0.0, np.log(condition), (k, d)))
    out = np.einsum("kij,kj,klj->kil", turned, sizes, turned)
    return 0.5 * (out + out.mT)


def common_axes_objective(counts, scatters, axes, power):
    """What VVE (power 0) and EVE (power 1 / D) minimise over orthogonal matrices."""
    along = np.log(np.einsum("ji,kjl,li->ki", axes, scatters, axes)).sum(axis=1)
    return counts @ along if power == 0 else np.exp(power * along).sum()


def test_there_are_mclusts_fourteen():
    diagonal = ["EII", "VII", "EEI", "VEI", "EVI", "VVI"]
    full = ["EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"]
    assert sorted(CODES) == sorted(diagonal + full)
    assert {"full", "tied", "diag", "spherical", "E", "V"} <= set(structure_words())


def test_structures_are_equal_if_their_codes_are():
    assert as_structure("tied") == Structure("EEE", "in other words")
    assert len({each for each in structures() for _ in range(2)}) == 14


@pytest.mark.parametrize(("word", "near"), [("VVW", "VVE"), ("fulll", "full"), ("eeee", "EEE")])
def test_unknown_words_name_a_near_one(word, near):
    with pytest.raises(InvalidParameterError, match="Did you mean") as caught:
        as_structure(word)
    assert near[:2] in str(caught.value)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize(("k", "d"), [(1, 1), (3, 2), (2, 4)])
def test_compact_covariances_expand_to_the_same(code, k, d):
    structure = as_structure(code)
    rng = np.random.default_rng([k, d])
    scatters = scatters_of(rng, k, d)
    if structure.diagonal:
        scatters = np.einsum("kii->ki", scatters).copy()
    covariances = structure.covariances(np.full(k, 10.0), scatters)
    compact = structure.compact(covariances)
    np.testing.assert_array_equal(structure.expand(compact, k, d), covariances)
    shape = (k,) if "V" in code else ()
    shape += {"I": () if code[1] == "I" else (d,)}.get(code[2], (d, d))
    assert compact.shape == shape


@pytest.mark.parametrize("code", ["VVE", "EVE"])
@pytest.mark.parametrize("d", [2, 3, 4])
def test_common_axes_beat_random_ones_and_every_basis_of_the_data(code, d):
    structure = as_structure(code)
    power = 0.0 if code == "VVE" else 1.0 / d
    for seed in range(10):
        rng = np.random.default_rng([seed, d])
        counts, scatters = rng.uniform(20.0, 60.0, 3), scatters_of(rng, 3, d)
        found = structure.covariances(counts, scatters)
        axes = np.linalg.eigh(found[0] / np.trace(found[0]) + 2 * found[1] / np.trace(found[1]))[1]
        best = common_axes_objective(counts, scatters, axes, power)
        tried = [np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(300)]
        tried += [np.eye(d), *np.linalg.eigh(scatters)[1]]
        least = min(common_axes_objective(counts, scatters, each, power) for each in tried)
        assert best <= least + 1e-12 * abs(least)


@pytest.mark.parametrize("code", CODES)
def test_an_m_step_is_not_worse_than_what_it_is_given(code):
    structure = as_structure(code)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        counts, scatters = rng.uniform(20.0, 60.0, 4), scatters_of(rng, 4, 4, condition=1e3)
        other = scatters_of(rng, 4, 4)
        if structure.diagonal:
            scatters, other = (np.einsum("kii->ki", each).copy() for each in (scatters, other))
        near = structure.covariances(counts, other)
        found = structure.covariances(counts, scatters, near)

        def value(covariances, counts=counts, scatters=scatters):
            if structure.diagonal:
                terms = (np.log(covariances) * counts[:, None] + scatters / covariances).sum()
                return float(-0.5 * terms)
            logs = counts @ np.linalg.slogdet(covariances).logabsdet
            return float(-0.5 * (logs + np.trace(np.linalg.solve(covariances, scatters).sum(0))))

        assert value(found) >= value(near)
        assert value(found) >= value(structure.covariances(counts, scatters)) - 1e-9


@pytest.mark.parametrize("code", ["EVV", "VEV", "VVE", "EVE", "EVI", "VEI", "VEE"])
def test_a_scatter_of_nothing_is_an_error_that_names_the_component(code):
    structure = as_structure(code)
    scatters = np.stack([np.eye(2), np.zeros((2, 2)), np.eye(2)])
    if structure.diagonal:
        scatters = np.einsum("kii->ki", scatters).copy()
    with pytest.raises(SingularCovarianceError) as caught:
        structure.covariances(np.ones(3), scatters)
    assert caught.value.component == 1


def test_letters_for_one_feature():
    X = load_dataset("galaxies").X
    for code, name in (("V", "spherical"), ("E", "tied")):
        one = GaussianMixture(3, covariance_type=code, random_state=0).fit(X)
        other = GaussianMixture(3, covariance_type=name, random_state=0).fit(X)
        assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, abs=1e-9)
        assert one.n_parameters_ == other.n_parameters_
        assert ": X" not in one.summary(X)
    with pytest.raises(InvalidParameterError, match=r"'V' is for one column, but X has 2.*'VII'"):
        GaussianMixture(2, covariance_type="V").fit(load_dataset("faithful").X)


@pytest.mark.parametrize("word", ["vvv", "Full", "VEi", "DIAG"])
def test_words_are_taken_in_any_case(word):
    X = load_dataset("iris").X
    canonical = as_structure(word).name
    fit = GaussianMixture(2, covariance_type=word, random_state=0).fit(X)
    same = GaussianMixture(2, covariance_type=canonical, random_state=0).fit(X)
    assert fit.covariance_type == word
    assert fit.log_likelihood_ == same.log_likelihood_


def test_a_page_names_a_structure_as_the_package_does():
    X = load_dataset("iris").X
    fit = GaussianMixture(2, covariance_type="Full", random_state=0).fit(X)
    page = report(X, em=fit)
    assert page.numbers["sections"]["mixture"]["numbers"]["covariance_type"] == "full"


def test_messages_list_the_words_in_a_fixed_order():
    with pytest.raises(InvalidParameterError) as error:
        GaussianMixture(2, covariance_type="VVX").fit(np.zeros((4, 2)))
    assert ", ".join(map(repr, structure_words())) in str(error.value)
    assert "Did you mean 'VVV'?" in str(error.value)
    with pytest.raises(InvalidParameterError, match="'kmeans', 'k-means\\+\\+', 'random', 'random"):
        GaussianMixture(2, init_params="kmean").fit(np.zeros((4, 2)))
