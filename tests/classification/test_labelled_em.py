"""EM with known classes, beside brute force and mclust."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn import datasets

from bayesgmm import structures
from bayesgmm.classification.labelled_em import LabelledRows, fit_classes, pooled
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import check_data
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.likelihood.statistics import Parameters

MCLUST = json.loads((Path(__file__).parent / "mclust_da.json").read_text())
# mclust's iterative M-steps end at a relative change of 1e-5.
TOLERANCE = {"VEI": 5e-4, "VEE": 5e-4, "VEV": 5e-4, "EVE": 5e-3}
CODES = [each.code for each in structures()]


def rows_of(X, labels, weights=None, errors=None):
    labels = np.asarray(labels)
    return LabelledRows(
        check_data(X, allow_nan=True, error_covariances=errors), labels, weights, labels.max() + 1
    )


@pytest.fixture
def overlapping():
    """Three classes of 60 rows, of which 120 rows are of unknown class, and 10 % are missing."""
    rng = np.random.default_rng(4)
    truth = np.repeat(np.arange(3), 60)
    X = rng.standard_normal((180, 3)) * (1.0 + truth[:, None] / 2) + 1.5 * truth[:, None] * [
        1,
        0,
        1,
    ]
    X[rng.random(X.shape) < 0.1] = np.nan
    labels = np.where(rng.random(180) < 1 / 3, truth, -1)
    return X, labels


def brute_force(X, labels, fit, errors=None):
    """Log-likelihood of rows and known classes by scipy's normal densities on what was seen."""
    total = 0.0
    for i, (x, label) in enumerate(zip(X, labels, strict=True)):
        o = ~np.isnan(x)
        density = np.empty(len(fit.classes))
        for c, own in enumerate(fit.classes):
            density[c] = fit.class_prior[c] * sum(
                w
                * multivariate_normal.pdf(
                    x[o], m[o], v[np.ix_(o, o)] + (0.0 if errors is None else np.diag(errors[i][o]))
                )
                if o.any()
                else w
                for w, m, v in zip(*own, strict=True)
            )
        total += np.log(density.sum() if label < 0 else density[label])
    return total


@pytest.mark.parametrize("name", ["iris", "wine"])
@pytest.mark.parametrize("code", CODES)
def test_one_component_a_class_has_the_likelihood_of_mclust(name, code):
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    fit = fit_classes(rows_of(X, y), [as_structure(code)])
    assert fit.converged
    # mclust reports the likelihood of the rows alone, to six digits.
    reached = pooled(fit.class_prior, fit.classes).mixture().log_density(X).sum()
    known = MCLUST["edda_log_likelihood"][name][code]
    if code == "VVE":
        # mclust's M-step stops short.
        assert known < reached < known + 6.0
    else:
        assert reached == pytest.approx(known, abs=TOLERANCE.get(code, 1e-5))


@pytest.mark.parametrize("code", CODES)
def test_em_never_falls_and_knows_its_likelihood(overlapping, code):
    X, labels = overlapping
    errors = np.random.default_rng(1).uniform(0.1, 0.4, X.shape)
    labelled = labels >= 0
    first = fit_classes(rows_of(X[labelled], labels[labelled]), [as_structure(code)])
    rows = rows_of(X, labels, errors=errors)
    fit = fit_classes(rows, [as_structure(code)], first.classes)
    assert fit.converged
    assert len(fit.trace) > 3
    assert (np.diff(fit.trace) > 0).all()
    assert fit.log_likelihood == pytest.approx(brute_force(X, labels, fit, errors), rel=1e-10)


def test_mixtures_of_classes_with_structures_of_their_own(overlapping):
    X, labels = overlapping
    wanted = [as_structure(code) for code in ("VVV", "EEI", "VII")]
    start = []
    for c, k in enumerate((1, 2, 3)):
        own = np.nan_to_num(X[labels == c])
        start.append(Parameters(np.full(k, 1 / k), own[:k], np.array([np.eye(3)] * k)))
    fit = fit_classes(rows_of(X, labels), wanted, start)
    assert (np.diff(fit.trace) > 0).all()
    assert fit.log_likelihood == pytest.approx(brute_force(X, labels, fit), rel=1e-10)
    shared = fit.classes[1].covariances
    np.testing.assert_allclose(shared[0], shared[1])
    assert (shared[0] == np.diag(np.diag(shared[0]))).all()


def test_a_weight_is_a_number_of_repetitions(overlapping):
    X, labels = overlapping
    times = np.random.default_rng(2).integers(1, 4, len(X))
    one = fit_classes(rows_of(X, labels, times.astype(float)), [as_structure("VEE")])
    other = fit_classes(
        rows_of(np.repeat(X, times, 0), np.repeat(labels, times)), [as_structure("VEE")]
    )
    assert one.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-10)
    for a, b in zip(one.classes, other.classes, strict=True):
        np.testing.assert_allclose(a.covariances, b.covariances, rtol=1e-4)


@pytest.mark.parametrize("code", ["VVV", "EEE", "VVI", "EEI"])
def test_units_and_offsets_change_nothing_but_the_units(code):
    X, y = datasets.load_iris(return_X_y=True)
    scale, offset = np.array([1e-60, 1.0, 1e50, 3.0]), np.array([0.0, 1e7, 0.0, -5.0])
    fit = fit_classes(rows_of(X, y), [as_structure(code)])
    other = fit_classes(rows_of(X * scale + offset, y), [as_structure(code)])
    for a, b in zip(fit.classes, other.classes, strict=True):
        np.testing.assert_allclose(b.covariances, a.covariances * scale * scale[:, None], rtol=1e-7)


def test_held_proportions_stay(overlapping):
    X, labels = overlapping
    prior = np.array([0.5, 0.25, 0.25])
    fit = fit_classes(rows_of(X, labels), [as_structure("EEE")], None, prior)
    assert fit.class_prior is prior
    assert fit.log_likelihood == pytest.approx(brute_force(X, labels, fit), rel=1e-10)


def test_a_flat_class_is_named():
    X, y = datasets.load_iris(return_X_y=True)
    X[y == 1, 2] = 2.0 * X[y == 1, 0]
    with pytest.raises(SingularCovarianceError) as caught:
        fit_classes(rows_of(X, y), [as_structure("VVV")])
    assert caught.value.component == 1
