"""Laws of quadratic forms against closed forms, high precision, and themselves on other paths."""

import mpmath
import numpy as np
import pytest
from scipy import stats

from bayesgmm.simulation import quadratic_form
from bayesgmm.simulation.quadratic_form import quadratic_form_cdf

ABSOLUTE = 1e-13
RELATIVE = 1e-9


def assert_agrees(computed, expected):
    """Within the stated error, and to ABSOLUTE and RELATIVE accuracy."""
    probabilities, errors = computed
    difference = np.abs(probabilities - expected)
    assert np.all(difference <= errors + 1e-15)
    assert np.all(difference <= ABSOLUTE)
    assert np.all(difference <= RELATIVE * expected + 1e-300)


def one_square(a, b, x):
    """P(a y² + b y <= x) from the roots of the quadratic."""
    discriminant = b * b + 4 * a * x
    half = -0.5 * (b + np.sqrt(np.maximum(discriminant, 0)))
    low, high = np.sort([half / a, -x / half], axis=0)
    inside = np.where(
        low > 0,
        stats.norm.sf(low) - stats.norm.sf(high),
        stats.norm.cdf(high) - stats.norm.cdf(low),
    )
    outside = stats.norm.cdf(low) + stats.norm.sf(high)
    inside, outside = np.where(discriminant > 0, [inside, outside], [[0.0], [1.0]])
    return np.where(a > 0, inside, outside)


def test_rules_are_exact_for_polynomials():
    nodes = quadratic_form._NODES
    for degree in range(0, 23, 2):
        exact = 2 / (degree + 1)
        assert quadratic_form._KRONROD @ nodes**degree == pytest.approx(exact, abs=1e-14)
        if degree < 14:
            assert quadratic_form._GAUSS @ nodes**degree == pytest.approx(exact, abs=1e-14)


@pytest.mark.parametrize("d", [1, 2, 3, 10, 50])
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_of_squares_are_chi_square(d, sign):
    tails = [1e-280, 1e-100, 1e-12, 1e-3, 0.1, 0.5]
    x = np.concatenate([stats.chi2.ppf(tails, d), stats.chi2.isf(tails, d), [-1.0, 0.0, 700.0]])
    x = np.where((x > 0) & (x < 1e-140), 0.0, x)
    computed = quadratic_form_cdf(
        np.full((len(x), d), float(sign)), np.zeros((len(x), d)), sign * x
    )
    assert_agrees(computed, stats.chi2.cdf(x, d) if sign > 0 else stats.chi2.sf(x, d))


@pytest.mark.parametrize("a", [0.0, 1e-300, 1e-17])
def test_linear_forms_are_normal(a):
    x = np.linspace(-37, 37, 75)
    b = np.sqrt([0.2, 0.3, 0.5])
    computed = quadratic_form_cdf(np.full((75, 3), a), np.tile(b, (75, 1)), x)
    assert_agrees(computed, stats.norm.cdf(x))


def test_one_square_of_any_scale_and_sign_against_the_roots_of_its_quadratic():
    rng = np.random.default_rng(20)
    n = 3000
    a = rng.choice([-1.0, 1.0], n) * 10 ** rng.uniform(-8, 8, n)
    b = 10 ** rng.uniform(-8, 8, n)
    y = rng.uniform(-6, 6, n)
    x = a * y * y + b * y + np.where(np.arange(n) % 3, 0.0, 10 ** rng.uniform(-8, 8, n))
    probabilities, errors = quadratic_form_cdf(a[:, None], b[:, None], x)
    difference = np.abs(probabilities - one_square(a, b, x))
    assert np.all(difference <= errors + 1e-15)
    assert difference.max() < ABSOLUTE


def test_equal_weights_are_noncentral_chi_square():
    rng = np.random.default_rng(21)
    d, n = 6, 60
    shift = rng.normal(size=(n, d)) * rng.choice([0.1, 1.0, 5.0], (n, 1))
    noncentrality = np.square(shift).sum(axis=1)
    level = rng.uniform(0.001, 0.999, n)
    x = stats.ncx2.ppf(level, d, noncentrality)
    probabilities, errors = quadratic_form_cdf(np.ones((n, d)), 2 * shift, x - noncentrality)
    # scipy's own accuracy bounds this one.
    np.testing.assert_allclose(probabilities, stats.ncx2.cdf(x, d, noncentrality), atol=1e-11)
    assert errors.max() < 1e-10


@pytest.mark.parametrize(
    ("a", "b", "x"),
    [
        ((1.0, -1.0), (0.0, 0.0), 0.3),
        ((1.0, -0.999), (0.01, 0.0), 1e-4),
        ((2.0, 0.5), (-3.0, 1.0), 0.7),
        ((-0.9, 4.0), (5.0, -7.0), -2.0),
        ((1e-7, 3.0), (2.0, 0.1), 5.0),
        ((-0.3, -0.2), (4.0, 1.0), -20.0),
    ],
)
def test_two_squares_against_high_precision_quadrature(a, b, x):
    def given_first(y):
        rest = x - a[0] * y * y - b[0] * y
        discriminant = mpmath.mpf(b[1]) ** 2 + 4 * a[1] * rest
        if discriminant <= 0:
            return mpmath.mpf(a[1] < 0)
        low, high = sorted(
            (-b[1] + sign * mpmath.sqrt(discriminant)) / (2 * mpmath.mpf(a[1])) for sign in (-1, 1)
        )
        inside = mpmath.ncdf(high) - mpmath.ncdf(low)
        return inside if a[1] > 0 else 1 - inside

    with mpmath.workdps(25):
        # The integrand has a root's branch point where the inner discriminant vanishes.
        kinks = np.roots([-4 * a[1] * a[0], -4 * a[1] * b[0], b[1] ** 2 + 4 * a[1] * x])
        kinks = [float(k.real) for k in kinks if abs(k.imag) < 1e-12 and abs(k.real) < 12]
        points = sorted([*kinks, -13, -8, -5, -2, 0, 2, 5, 8, 13])
        expected = float(mpmath.quad(lambda y: mpmath.npdf(y) * given_first(y), points))
    probabilities, errors = quadratic_form_cdf(np.array([a]), np.array([b]), np.array([x]))
    assert abs(probabilities[0] - expected) < 1e-12
    assert errors[0] < 1e-10


@pytest.mark.parametrize("d", [2, 5, 20])
@pytest.mark.parametrize("decades", [0.3, 3, 6])
def test_the_probability_does_not_depend_on_the_path(d, decades):
    rng = np.random.default_rng(22)
    n = 150
    a = rng.choice([-1.0, 1.0], (n, d)) * 10 ** rng.uniform(-decades, decades, (n, d))
    a[: n // 3] = np.abs(a[: n // 3])
    a[n // 2 :, 0] = 0.0
    b = 10 ** rng.uniform(-decades, decades, (n, d)) * (rng.random((n, d)) < 0.7)
    y = rng.normal(size=(n, d)) * rng.choice([1, 3], (n, 1))
    x = (a * y * y + b * y).sum(axis=1)
    x[::7] = 0.0
    probabilities, errors = quadratic_form_cdf(a, b, x)
    # No path meets this tolerance, so that all are integrated on the shortest edges.
    others, other_errors = quadratic_form_cdf(a, b, x, tolerance=1e-300)
    difference = np.abs(probabilities - others)
    assert np.all(difference <= errors + other_errors)
    assert difference.max() < ABSOLUTE
    assert errors.max() < 1e-10


def test_constants_infinite_thresholds_and_extreme_scales():
    zero = np.zeros((5, 2))
    x = np.array([-1e-300, 0.0, 1e-300, -np.inf, np.inf])
    np.testing.assert_array_equal(quadratic_form_cdf(zero, zero, x)[0], [0, 1, 1, 0, 1])
    square = quadratic_form_cdf(zero + 1, zero, x)[0]
    np.testing.assert_allclose(square, [0, 0, 0, 0, 1], atol=1e-299)
    for scale in (1e-300, 1e300):
        computed = quadratic_form_cdf(
            np.array([[scale, 0.0]]), np.array([[0.0, scale]]), np.array([0.7 * scale])
        )
        plain = quadratic_form_cdf(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([0.7]))
        assert computed[0][0] == pytest.approx(plain[0][0], rel=1e-13)
