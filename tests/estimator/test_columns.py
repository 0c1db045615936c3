"""Columns of rows that are given to a fit later."""

import pytest

from bayesgmm import GaussianMixture, load_dataset
from bayesgmm.errors import InputError


def test_columns_in_another_order_or_too_many_come_with_the_way_out():
    frame = load_dataset("faithful").frame
    fit = GaussianMixture(2, random_state=0).fit(frame)
    for other in (frame[frame.columns[::-1]], frame.assign(more=1.0)):
        with pytest.raises(InputError, match=r"X\[list\(fit.feature_names_in_\)\]"):
            fit.predict(other)
        assert (fit.predict(other[list(fit.feature_names_in_)]) == fit.predict(frame)).all()
    with pytest.raises(InputError) as caught:
        fit.predict(frame.rename(columns={frame.columns[0]: "zzz"}))
    assert "X[list(" not in str(caught.value)
