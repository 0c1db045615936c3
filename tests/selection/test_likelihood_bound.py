"""The bound on the log-likelihood: its certificate by other code, and mixtures that it bounds."""

import csv
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from bayesgmm import (
    GaussianMixture,
    bound_log_likelihood,
    load_dataset,
    scenario,
    select_mixture,
    simulate,
    structures,
)
from bayesgmm.errors import BayesGMMWarning, InputError, InputTypeError, InvalidParameterError

GALAXIES, FAITHFUL = (load_dataset(name).X for name in ("galaxies", "faithful"))
SIMULATED = simulate(scenario("overlapping_ellipses"), 300, rng=0).X
# Rows and a smallest covariance: a share of their own covariance.
CASES = {
    "galaxies": (GALAXIES, 0.36),
    "galaxies, narrow": (GALAXIES, 0.04),
    "faithful": (FAITHFUL, 0.09 * np.cov(FAITHFUL.T)),
    "simulated": (SIMULATED, np.array([[0.3, 0.1], [0.1, 0.2]])),
}


def selected(x, ks, *args, **settings):
    """A small selection, which may have its best model at an edge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesGMMWarning)
        return select_mixture(x, ks, *args, rng=0, progressbar=False, **settings)


# --- the certificate, checked by other code -----------------------------------------------------


def certified(bound, slack=0.1):
    """The least bound that a certificate supports, within a slack in nats, or None.

    Cells of a quadtree: in one of half-diagonal r about t, D <= D(t) + |grad D(t)| r + M r^2 / 2
    with M = sum c phi(0), the largest eigenvalue that a kernel's Hessian has anywhere.
    """
    S, n = bound.smallest_covariance, len(bound.X)
    d = len(S)
    v = np.ones(n) if bound.sample_weight is None else bound.sample_weight
    # Symmetric whitening, where the package's is triangular.
    values, axes = np.linalg.eigh(S)
    root = axes / np.sqrt(values)
    x, atoms = bound.X @ root, bound.atoms @ root
    f = sum(
        p * multivariate_normal(t, S).pdf(bound.X)
        for p, t in zip(bound.weights, bound.atoms, strict=True)
    )
    c = v / v.sum() / f / np.sqrt(np.linalg.det(S))
    height = (2.0 * np.pi) ** (-d / 2)
    bend = c.sum() * height
    low, high = x.min(axis=0), x.max(axis=0)
    side = float((high - low).max()) + 1e-6
    centres, half = (low + high)[np.newaxis] / 2.0, side / 2.0
    top, allowed = 0.0, slack / v.sum()
    corners = np.array(np.meshgrid(*[(-0.5, 0.5)] * d)).reshape(d, -1).T
    starts = atoms
    while len(centres):
        found = [
            gradient(x, c, each, height)
            for each in np.array_split(centres, -(-len(centres) // 500))
        ]
        density, slope = (np.concatenate(each) for each in zip(*found, strict=True))
        if starts is not None:
            top = gradient(x, c, starts, height)[0].max()
            starts = None
        top = max(top, density.max())
        r = half * np.sqrt(d)
        open_ = density + slope * r + bend * r**2 / 2.0 > top * (1.0 + allowed)
        assert open_.sum() < 1e5, "the certificate is too far from the maximum to be checked"
        centres = (centres[open_][:, np.newaxis] + half * corners).reshape(-1, d)
        half /= 2.0
    return float(v @ np.log(f) + v.sum() * np.log(top)), slack


def gradient(x, c, points, height):
    """D and the length of its gradient at points."""
    apart = x - points[:, np.newaxis]
    k = c * height * np.exp(-0.5 * np.square(apart).sum(axis=2))
    return k.sum(axis=1), np.linalg.norm(np.einsum("pn,pnd->pd", k, apart), axis=1)


def supported(bound):
    """Whether the certificate supports the stated bound."""
    least, slack = certified(bound)
    return bound.log_likelihood >= least - 1e-6 and bound.log_likelihood <= least + slack


@pytest.fixture(scope="module", params=CASES)
def bound(request):
    return bound_log_likelihood(*CASES[request.param])


def test_the_certificate_supports_the_bound(bound):
    assert supported(bound)
    assert 0.0 <= bound.gap <= 0.01
    assert bound.weights.sum() == pytest.approx(1.0, abs=1e-12)
    own = bound.mixture.log_density(bound.X).sum()
    assert own == pytest.approx(bound.attained, abs=1e-8)


@pytest.mark.parametrize("wrong", ["lower", "shifted", "weights", "wider"])
def test_a_wrong_certificate_is_refused(wrong):
    bound = bound_log_likelihood(GALAXIES, 0.36)
    rng = np.random.default_rng(0)
    planted = {
        "lower": replace(bound, log_likelihood=bound.log_likelihood - 0.03),
        "shifted": replace(bound, atoms=bound.atoms + 0.1),
        "weights": replace(bound, weights=rng.permutation(bound.weights)),
        "wider": replace(bound, smallest_covariance=bound.smallest_covariance / 1.1),
    }
    assert not supported(planted[wrong])


# --- mixtures that it bounds --------------------------------------------------------------------


def random_mixture_above(S, X, rng):
    """Weights, means and covariances of at least S, of any number of components."""
    d, k = len(S), int(rng.integers(1, 12))
    means = X[rng.integers(len(X), size=k)] + 0.3 * rng.standard_normal((k, d)) * np.sqrt(
        np.diag(S)
    )
    factors = rng.standard_normal((k, d, d)) * rng.choice([0.0, 0.1, 1.0, 3.0], size=(k, 1, 1))
    root = np.linalg.cholesky(S)
    covariances = S + root @ factors @ factors.mT @ root.T
    covariances[0] += 4.0 * np.cov(X.T)  # one that leaves no row without density
    return rng.dirichlet(np.ones(k)), means, covariances


def test_random_mixtures_and_what_em_makes_of_them_are_below_the_bound(bound):
    rng, best = np.random.default_rng(0), -np.inf
    S, x = bound.smallest_covariance, bound.X
    root = np.linalg.cholesky(S)
    for _ in range(30):
        weights, means, covariances = random_mixture_above(S, x, rng)
        for _ in range(30):
            dense = np.array(
                [
                    p * multivariate_normal(m, C).pdf(x)
                    for p, m, C in zip(weights, means, covariances, strict=True)
                ]
            )
            total = dense.sum(axis=0)
            best = max(best, np.log(total).sum())
            assert np.log(total).sum() <= bound.log_likelihood
            r = dense / total
            weights = r.sum(axis=1) / len(x)
            kept = weights > 1e-3
            r, weights = r[kept], weights[kept] / weights[kept].sum()
            means = (r @ x) / r.sum(axis=1, keepdims=True)
            scatter = [
                (each * (x - m).T) @ (x - m) / each.sum() for each, m in zip(r, means, strict=True)
            ]
            # The M-step under the constraint: eigenvalues in the metric of S are at least 1.
            whitened = np.linalg.solve(root, np.linalg.solve(root, np.array(scatter)).mT)
            values, axes = np.linalg.eigh(whitened)
            covariances = root @ (axes * np.maximum(values, 1.0)[:, np.newaxis]) @ axes.mT @ root.T
    # The bound is near enough to mean something.
    assert best > bound.log_likelihood - 25.0


def test_best_known_optima_are_below_the_bound_of_their_own_smallest_covariance():
    with (Path(__file__).parent / "best_known_loglik.csv").open() as file:
        known = {
            (int(row["n_components"]), row["model"]): float(row["best_known_loglik"])
            for row in csv.DictReader(file)
            if row["data"] == "faithful"
        }
    S = np.cov(FAITHFUL.T) * 0.2**2
    bound = bound_log_likelihood(FAITHFUL, S)
    root = np.linalg.inv(np.linalg.cholesky(S))
    seen = 0
    for k, code in known:
        if k not in (2, 3) or code[1:] not in ("EE", "VI", "VV"):
            continue
        fit = GaussianMixture(k, covariance_type=code, random_state=0).fit(FAITHFUL)
        least = np.linalg.eigvalsh(root @ fit.mixture_.covariances @ root.T).min()
        if least >= 1.0 and fit.log_likelihood_ > known[k, code] - 1e-3:
            assert known[k, code] <= bound.log_likelihood
            seen += 1
    assert seen >= 8


def test_it_is_the_maximum_where_one_gaussian_is():
    # Two rows within twice the standard deviation: the best location mixture has one atom.
    x = np.array([[-0.4], [0.4]])
    bound = bound_log_likelihood(x, 1.0, gap=1e-9)
    exact = 2.0 * (-0.5 * np.log(2.0 * np.pi) - 0.08)
    assert exact <= bound.log_likelihood <= exact + 1e-8
    np.testing.assert_allclose(bound.atoms @ np.ones(1), 0.0, atol=1e-4)


def test_a_smaller_covariance_has_a_higher_bound():
    found = [bound_log_likelihood(GALAXIES, s * s) for s in (2.0, 1.0, 0.5, 0.25)]
    assert (np.diff([each.log_likelihood for each in found]) > 1.0).all()


# --- laws ---------------------------------------------------------------------------------------


def test_weights_are_repetitions_and_rows_of_weight_zero_are_not_there():
    v = np.random.default_rng(0).integers(0, 4, len(GALAXIES))
    weighted = bound_log_likelihood(GALAXIES, 0.5, sample_weight=v, gap=1e-6)
    repeated = bound_log_likelihood(np.repeat(GALAXIES, v, axis=0), 0.5, gap=1e-6)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood, abs=3e-6)
    assert supported(weighted)
    huge = bound_log_likelihood(GALAXIES, 0.5, sample_weight=v * 1e100, gap=1e94)
    assert huge.log_likelihood / 1e100 == pytest.approx(weighted.log_likelihood, abs=3e-6)


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1e-150), (1e8, 1.0), (1e6, 1e140)])
def test_it_is_equivariant(shift, scale):
    x, S = SIMULATED[:60], np.array([[0.6, 0.2], [0.2, 0.4]])
    plain = bound_log_likelihood(x, S, gap=1e-4)
    moved = bound_log_likelihood((x + shift) * scale, S * scale**2, gap=1e-4)
    expected = plain.log_likelihood - 2 * len(x) * np.log(scale)
    # An offset of 1e8 rounds rows to 1e-8.
    assert moved.log_likelihood == pytest.approx(expected, abs=3e-4)


def test_a_gap_far_below_rounding_still_ends_with_a_bound():
    bound = bound_log_likelihood(GALAXIES, 1.0, gap=1e-300)
    assert 0.0 <= bound.gap < 1e-6
    assert supported(bound)


@pytest.mark.parametrize("x", [[[3.0]], [[3.0]] * 5, [[1.0, 2.0]], [[0.0], [1000.0]]])
def test_few_rows_have_a_bound(x):
    d = np.shape(x)[1]
    bound = bound_log_likelihood(x, 1.0)
    peak = -0.5 * d * np.log(2.0 * np.pi)
    distinct = len(np.unique(x, axis=0))
    expected = len(x) * (peak - np.log(distinct))
    assert expected <= bound.log_likelihood <= expected + 0.011


# --- what is excluded ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chosen():
    return selected(GALAXIES, range(1, 6))


def test_models_are_excluded_whose_criterion_cannot_win(chosen):
    bound = bound_log_likelihood(GALAXIES, 0.4**2)
    table = bound.excluded(chosen)
    assert list(table["n_components"]) == list(chosen.table["n_components"])
    assert list(table["n_parameters"]) == list(chosen.table["n_parameters"])
    best = chosen.table["bic"].min()
    expected = np.log(82) * table["n_parameters"] - 2.0 * bound.log_likelihood
    np.testing.assert_allclose(table["at_least"], expected, rtol=1e-14)
    np.testing.assert_array_equal(table["excluded"], expected > best)
    since = bound.excluded_from(chosen)
    for code, k in since.items():
        # From K to K + 1: a mean and a weight, and with V a variance.
        free, more = (2 * k, 2) if code == "E" else (3 * k - 1, 3)
        least = np.log(82) * free - 2.0 * bound.log_likelihood
        assert least > best >= least - more * np.log(82)
    # A model whose fit is at least as wide never undercuts what the bound states.
    for row, stated in zip(chosen.table.itertuples(), table["at_least"], strict=True):
        if chosen.fit(row.n_components, row.covariance_type).mixture_.covariances.min() >= 0.16:
            assert row.bic >= stated


@pytest.mark.parametrize("criterion", ["icl", "aic"])
def test_other_criteria_have_their_own_penalty(criterion):
    x = GALAXIES[:60]
    chosen = selected(x, [1, 2], criterion=criterion)
    bound = bound_log_likelihood(x, 1.0)
    table, penalty = bound.excluded(chosen), 2.0 if criterion == "aic" else np.log(60)
    expected = penalty * table["n_parameters"] - 2.0 * bound.log_likelihood
    np.testing.assert_allclose(table["at_least"], expected, rtol=1e-14)
    wide = [chosen.fit(row.n_components, row.covariance_type).mixture_.covariances.min() >= 1.0
            for row in chosen.table.itertuples()]  # fmt: skip
    assert any(wide)
    assert (chosen.table[criterion] >= table["at_least"])[wide].all()


def test_parameters_are_counted_as_in_the_selection():
    x = SIMULATED[:100]
    bound = bound_log_likelihood(x, 0.3)
    for settings in ({"equal_weights": True}, {"contaminated": True}):
        chosen = selected(x, [1, 2], ["EII", "VVV"], **settings)
        table = bound.excluded(chosen)
        assert list(table["n_parameters"]) == list(chosen.table["n_parameters"])


def test_every_structure_is_excluded_from_some_number():
    chosen = selected(SIMULATED, [1, 2])
    since = bound_log_likelihood(SIMULATED, 0.1).excluded_from(chosen)
    assert set(since.index) == {each.code for each in structures() if len(each.code) == 3}
    assert (since >= 1).all()
    assert since["VVV"] <= since["EEE"] <= since["EII"]


def test_a_selection_with_known_labels_is_of_the_same_rows():
    data = simulate(scenario("overlapping_ellipses"), 80, rng=0)
    labels = np.where(np.arange(80) < 10, data.labels, -1)
    chosen = selected(data.X, [2, 3], ["VVV"], labels=labels)
    assert bound_log_likelihood(data.X, 0.1).excluded_from(chosen)["VVV"] > 2


def test_what_it_says_nothing_about_is_refused(chosen):
    bound = bound_log_likelihood(GALAXIES, 0.36)
    other = bound_log_likelihood(GALAXIES + 1.0, 0.36)
    with pytest.raises(InputError, match="other rows than were fitted"):
        other.excluded(chosen)
    weighted = bound_log_likelihood(GALAXIES, 0.36, sample_weight=np.full(82, 2.0))
    with pytest.raises(InputError, match="other rows than were fitted"):
        weighted.excluded_from(chosen)
    with pytest.raises(InvalidParameterError, match="held-out likelihood"):
        bound.excluded_from(replace(chosen, criterion="cv"))
    noisy = selected(GALAXIES, [1, 2], noise_component=True)
    with pytest.raises(InvalidParameterError, match="noise component"):
        bound.excluded(noisy)
    light = np.full(82, 0.01)
    few = selected(GALAXIES, [1], sample_weight=light)
    with pytest.raises(InputError, match=r"sum to 0\.82"):
        bound_log_likelihood(GALAXIES, 0.36, sample_weight=light).excluded(few)


@pytest.mark.parametrize(
    ("x", "S", "error", "words"),
    [
        (np.zeros((5, 3)), 1.0, InputError, "3 columns"),
        (GALAXIES, 0.0, InvalidParameterError, "positive variances"),
        (FAITHFUL, [[1.0, 0.5], [0.4, 1.0]], InvalidParameterError, "symmetric"),
        (FAITHFUL, [[1.0, 1.0], [1.0, 1.0]], InvalidParameterError, "positive definite"),
        (FAITHFUL, [1.0, 1.0], InvalidParameterError, r"of shape \(2, 2\)"),
        (GALAXIES, np.eye(2), InvalidParameterError, r"of shape \(1, 1\)"),
        (FAITHFUL, 1e-12, InvalidParameterError, "too small for the bound"),
        (FAITHFUL, 5e-324, InvalidParameterError, "too small for the bound"),
        ([[0.0], [1e300]], 1.0, InvalidParameterError, "too small for the bound"),
        ([[-1.7e308], [1.7e308]], 1e-300, InvalidParameterError, "too small for the bound"),
        (np.arange(2000.0)[:, np.newaxis], 0.1, InvalidParameterError, "2000 of them distinct"),
        ([[np.nan], [1.0]], 1.0, InputError, "Complete rows are needed"),
        ([["a"], ["b"]], 1.0, InputTypeError, "text"),
    ],
)
def test_what_cannot_be_bounded_is_refused_with_the_reason(x, S, error, words):
    with pytest.raises(error, match=words):
        bound_log_likelihood(x, S)


def test_weights_many_orders_apart_leave_a_bound():
    v = np.array([1.0, 1e-300, 1e-12, 0.0])
    bound = bound_log_likelihood([[0.0], [100.0], [200.0], [300.0]], 1.0, sample_weight=v)
    assert np.isfinite(bound.log_likelihood)
    assert bound.log_likelihood >= -0.5 * np.log(2.0 * np.pi)


def test_the_order_of_rows_changes_nothing():
    order = np.random.default_rng(0).permutation(len(GALAXIES))
    one, other = bound_log_likelihood(GALAXIES, 0.36), bound_log_likelihood(GALAXIES[order], 0.36)
    assert one.log_likelihood == other.log_likelihood
    np.testing.assert_array_equal(one.atoms, other.atoms)


def test_the_summary_states_bound_and_gap():
    bound = bound_log_likelihood(GALAXIES, 0.36)
    text = bound.summary()
    assert "components of variance at least 0.36 has a log-likelihood above -19" in text
    assert f"{len(bound)} atoms has {bound.attained:.3f} nats" in text
