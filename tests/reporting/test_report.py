import json

import pandas as pd
import pytest

import bayesgmm


@pytest.fixture(scope="module")
def faithful():
    shipped = bayesgmm.load_dataset("faithful")
    return pd.DataFrame(shipped.X, columns=list(shipped.feature_names))


def test_a_page_and_its_numbers(faithful):
    em = bayesgmm.GaussianMixture(2, random_state=0).fit(faithful)
    made = bayesgmm.report(faithful, em=em, title="Old Faithful")
    assert made.numbers["sections"]["mixture"]["numbers"]["log_likelihood"] == em.log_likelihood_
    assert json.loads(made.to_json()) == made.numbers
    assert "<h1>Old Faithful</h1>" in made.html
    assert made.html == bayesgmm.report(faithful, em=em, title="Old Faithful").html


def test_the_room_does_not_hide_the_function():
    from bayesgmm.reporting import report

    assert bayesgmm.report is report
