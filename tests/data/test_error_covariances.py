"""Measurement errors: refused in words that name row and column, or taken as they are."""

import numpy as np
import pandas as pd
import pytest

from bayesgmm.data.validation import check_data
from bayesgmm.errors import InputError, InputTypeError

N, D = 6, 3
RNG = np.random.default_rng(0)
X = pd.DataFrame(RNG.standard_normal((N, D)), columns=["a", "b", "c"])
X.loc[3, "b"] = np.nan
ROOTS = RNG.standard_normal((N, D, D))
MATRICES = ROOTS @ ROOTS.mT
VARIANCES = np.einsum("nii->ni", MATRICES).copy()


def changed(errors, at, value):
    out = errors.copy()
    out[at] = value
    return out


def checked(errors, x=X):
    return check_data(x, allow_nan=True, error_covariances=errors).errors


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (changed(VARIANCES, (2, 0), np.nan), r"NaN in row 2, column 'a'"),
        (changed(VARIANCES, (2, 2), np.inf), r"an infinite entry in row 2, column 'c'"),
        (changed(VARIANCES, (2, 1), -1.0), r"variance -1 in row 2, column 'b'"),
        (changed(MATRICES, (3, 2, 2), np.nan), r"NaN in row 3, column 'c'"),
        (changed(MATRICES, (5, 1, 1), -2.0), r"variance -2 in row 5, column 'b'"),
        (
            changed(MATRICES, (5, 1, 2), 9.0),
            r"not symmetric in row 5: 9 in column 'b' and column 'c', but .* the other way round",
        ),
        (
            changed(MATRICES, 4, np.eye(3) + 2.0 * np.eye(3)[[1, 0, 2]] * [[1], [1], [0]]),
            r"semi-definite in row 4: .* eigenvalue -1 .*: 2, column 'a' and column 'b'",
        ),
        (
            changed(MATRICES, 4, [[0.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
            r"not positive semi-definite in row 4",
        ),
        (np.eye(3) - 2.0, r"variance -1 in the covariance of all rows, column 'a'"),
        (changed(np.eye(3), (0, 1), np.nan), r"NaN in the covariance of all rows, column 'a'"),
        (VARIANCES[:, :2], r"shape \(6, 2\), but X has 6 rows of 3 columns"),
        (VARIANCES[:-1], r"shape \(5, 3\)"),
        (1.0, r"shape \(\)"),
        (np.ones(3), r"shape \(3,\)"),
        (pd.DataFrame(VARIANCES, columns=["c", "b", "a"]), r"columns \['c', 'b', 'a'\], but X has"),
        (VARIANCES + 1j, "Complex"),
    ],
)
def test_errors_that_cannot_be_are_named(errors, words):
    with pytest.raises(InputError, match=words):
        checked(errors)


def test_text_is_not_a_variance():
    with pytest.raises(InputTypeError, match="error_covariances has text in column 0"):
        checked([["1"] * D] * N)


def test_as_many_rows_as_columns_are_explained():
    x = np.arange(9.0).reshape(3, 3)
    with pytest.raises(InputError, match=r"one covariance of all rows. Give variances of each row"):
        checked(np.arange(9.0).reshape(3, 3), x)
    one = checked(np.eye(3), x)
    assert one.shape == (1, 9)
    assert checked(np.stack([np.eye(3)] * 3), x).shape == (3, 9)


def test_what_was_not_seen_is_not_read():
    unread = changed(changed(MATRICES, (3, 1), np.nan), (3, slice(None), 1), -np.inf)
    kept = checked(unread).reshape(N, D, D)
    assert np.isfinite(kept).all()
    np.testing.assert_array_equal(np.delete(kept, 3, axis=0), np.delete(MATRICES, 3, axis=0))
    np.testing.assert_array_equal(checked(changed(VARIANCES, (3, 1), -1.0))[2], VARIANCES[2])


@pytest.mark.parametrize("unit", [1e-100, 1e-12, 1.0, 1e100])
def test_singular_errors_of_any_unit_are_taken_and_others_are_not(unit):
    units = np.array([unit, 1.0, 1.0 / unit])
    singular = ROOTS[:, :, :1] @ ROOTS[:, :, :1].mT * units * units[:, np.newaxis]
    kept = checked(singular, X.fillna(0.0)).reshape(N, D, D)
    np.testing.assert_array_equal(kept, singular)
    wrong = changed(singular, (2, 0, 1), 1.1 * singular[2, 0, 1])
    with pytest.raises(InputError, match="not symmetric in row 2"):
        checked(wrong)
    wrong[2, 1, 0] = wrong[2, 0, 1]
    with pytest.raises(InputError, match="semi-definite in row 2"):
        checked(wrong)


def test_single_precision_is_taken_at_its_own_rounding():
    root = RNG.standard_normal((200, 5, 1)).astype(np.float32)
    units = np.float32(10.0) ** np.arange(-6, 9, 3, dtype=np.float32)
    singular = root @ root.mT * units * units[:, np.newaxis]
    assert np.linalg.eigvalsh(singular.astype(float)).min() < 0.0
    assert checked(singular, np.zeros((200, 5))).shape == (200, 25)
    with pytest.raises(InputError, match="semi-definite"):
        checked(
            singular - np.float32(1e-3) * np.eye(5, dtype=np.float32) * singular, np.zeros((200, 5))
        )


def test_frames_of_other_names_are_taken_in_their_order():
    frame = pd.DataFrame(VARIANCES, columns=["a_error", "b_error", "c_error"])
    expected = np.where(np.isnan(X), 0.0, VARIANCES)
    np.testing.assert_array_equal(checked(frame), expected)
    np.testing.assert_array_equal(checked(frame.set_axis(["a", "b", "c"], axis=1)), expected)
