"""Every result in a notebook cell, and in a console."""

import pickle
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from public_calls import things

import bayesgmm
from bayesgmm import GaussianMixture
from bayesgmm.results import Result

ROW = 60  # rows of `things().X`


class Reader(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def results():
    t = things()
    yield "fit", t.fit
    yield "mixture", t.mixture
    yield from ((name, each) for name, each in vars(t).items() if isinstance(each, Result))
    yield "test", bayesgmm.bootstrap_lrt(t.X, n_resamples=2, progressbar=False, rng=0)
    yield "page", bayesgmm.report(t.X, em=t.fit)
    yield "simulation", bayesgmm.simulate(t.mixture, 1000, rng=0)
    yield "data", bayesgmm.load_dataset("iris")


@pytest.fixture(scope="module")
def every():
    return dict(results())


def test_each_has_a_cell_of_words_and_a_console_has_short_text(every):
    assert len(every) > 10
    for name, each in every.items():
        cell = Reader(each._repr_html_())
        assert cell.tags, name
        assert not {"script", "img"} & set(cell.tags), name
        assert repr(each).count("\n") <= 40, name


@pytest.mark.parametrize(
    "name", ["fit", "mixture", "errors", "selection", "merging", "recovery", "engines"]
)
def test_a_cell_has_a_table(every, name):
    assert "table" in Reader(every[name]._repr_html_()).tags


def test_the_cell_of_a_fit_has_verdict_criteria_and_errors(every):
    fit = every["fit"]
    text = Reader(fit._repr_html_()).text
    assert "starts reached this maximum" in text
    assert f"BIC {fit.bic():.2f}" in text
    assert "s.e." in text
    assert repr(fit) == "GaussianMixture(n_components=2, random_state=0)"
    assert fit._repr_mimebundle_()["text/html"] == fit._repr_html_()
    # Without rows there are no errors, and that is said.
    stored = pickle.loads(pickle.dumps(fit))
    assert "not stored" in Reader(stored._repr_html_()).text
    # Before a fit: scikit-learn's diagram.
    assert "sk-top-container" in GaussianMixture(2)._repr_html_()


def test_rows_are_not_printed(every):
    for name in ("data", "simulation"):
        for text in (repr(every[name]), every[name]._repr_html_()):
            assert len(text) < 700


def test_names_are_text_in_cells():
    frame = pd.DataFrame(things().X, columns=["<script>alert(1)</script>", "<img src=x>"])
    fit = GaussianMixture(2, random_state=0).fit(frame)
    for each in (fit, fit.mixture_, fit.standard_errors(frame)):
        assert not {"script", "img"} & set(Reader(each._repr_html_()).tags)


def test_long_tables_are_cut_in_consoles_and_whole_in_summaries():
    X = np.random.default_rng(0).standard_normal((400, 6))
    errors = GaussianMixture(2, random_state=0).fit(X).standard_errors(X)
    assert repr(errors).count("\n") < 20
    assert errors.summary().count("\n") > 50
