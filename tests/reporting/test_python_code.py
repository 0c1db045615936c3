"""The listing "Python code for this page": it can be pasted, and makes the same fit."""

import html
import re
from urllib.parse import unquote

import numpy as np
import pytest

from bayesgmm import (
    LKJ,
    Gamma,
    GaussianMixture,
    InverseGamma,
    InverseWishart,
    Mixture,
    Priors,
    Wishart,
    report,
    sample_posterior,
    select_mixture,
)
from bayesgmm.covariance.structures import as_structure
from bayesgmm.reporting.python_code import as_code

pytestmark = pytest.mark.usefixtures("undrawn")


def code_of(page):
    """The listing without the lines that load the rows and write the page."""
    blocks = [html.unescape(each) for each in re.findall("<code>(.*?)</code>", page.html, re.S)]
    (code,) = [each for each in blocks if each.startswith("import bayesgmm as bg")]
    return code


def made_again(page, **given):
    names = dict(given)
    lines = [each for each in code_of(page).splitlines() if ".save(" not in each]
    exec("\n".join(each for each in lines if "= ...  #" not in each), names)
    return names


PRIORS = [
    "default",
    Priors(hierarchical=False, concentration=[2.0, 3.0]),
    Priors(mean_location=[3.0, 70.0], mean_sd=np.array([1.0, 20.0]), ordered=1),
    Priors(covariances=InverseWishart(df=6, scale=[[0.2, 0.0], [0.0, 50.0]])),
    Priors(covariances=InverseWishart(6.0, Wishart(2.0, [[1.0, 0.1], [0.1, 50.0]]))),
]


@pytest.mark.parametrize("priors", PRIORS)
def test_a_penalised_fit_is_made_again(faithful, priors):
    fit = GaussianMixture(2, priors=priors, random_state=3).fit(faithful)
    page = report(faithful, em=fit)
    again = made_again(page, X=faithful)["em"]
    assert again.priors_ == fit.priors_
    assert again.means_.tolist() == fit.means_.tolist()
    tables = {each["caption"]: each for each in page.numbers["sections"]["methods"]["tables"]}
    (dirichlet,) = [row[1] for row in tables["Priors"]["rows"] if row[0] == "weights"]
    assert dirichlet == f"Dirichlet({', '.join(f'{c:g}' for c in fit.priors_.concentration)})"
    assert "their parameters are given in the table of priors." in page.html


@pytest.mark.filterwarnings("ignore:The selected model, .* lies at the edge")
@pytest.mark.parametrize(
    ("grid", "settings"),
    [
        (range(1, 4), {}),
        ([1, 3], {"covariance_type": ["VVV", "EEE"], "criterion": "icl"}),
        (range(2, 4), {"covariance_type": ["EII"], "noise_component": True}),
    ],
)
def test_a_selection_is_made_again(faithful, grid, settings):
    chosen = select_mixture(faithful, grid, rng=0, progressbar=False, **settings)
    page = report(faithful, em=chosen.best, selection=chosen)
    again = made_again(page, X=faithful)
    assert again["selection"].table.equals(chosen.table)
    assert again["selection"].criterion == chosen.criterion
    assert again["em"].means_.tolist() == chosen.best.means_.tolist()
    assert "bg.report(X, em=em, selection=selection)" in code_of(page)


def test_priors_are_a_file_with_all_digits(faithful):
    fit = GaussianMixture(2, priors="default", random_state=0).fit(faithful)
    page = report(faithful, em=fit)
    address = re.search(r'download="priors.json" href="([^"]*)"', page.html)[1]
    text = unquote(html.unescape(address).partition(",")[2])
    assert Priors.from_json(text).for_data(faithful, 2) == fit.priors_
    assert "priors.json has all digits" in page.html


def test_every_kind_of_setting_is_code(faithful):
    settings = {
        "covariance_type": as_structure("VVI"),
        "means_init": np.array([[2.0, 50.0], [4.0, 80.0]]),
        "max_iter": np.int64(50),
        "priors": Priors(covariances=InverseGamma(3.0, Gamma(0.2, [1.0, 4.0]))),
    }
    fit = GaussianMixture(np.int64(2), random_state=0, **settings).fit(faithful)
    again = made_again(report(faithful, em=fit), X=faithful)["em"]
    assert again.means_.tolist() == fit.means_.tolist()
    assert again.priors_ == fit.priors_


def test_a_value_without_code_has_a_line_to_fill_in(faithful):
    reference = Mixture([0.5, 0.5], [[4.0, 80.0], [2.0, 50.0]], [np.eye(2)] * 2)
    rng = np.random.default_rng(0)
    fit = GaussianMixture(2, order_by=reference, random_state=rng).fit(
        faithful, sample_weight=np.ones(len(faithful))
    )
    code = code_of(report(faithful, em=fit))
    assert "order_by = ...  # as for the fit\n" in code
    assert "random_state = ...  # as for the fit\n" in code
    assert "order_by=order_by, random_state=random_state).fit(X, sample_weight=weights)" in code


@pytest.mark.parametrize("family", [LKJ(3.0), InverseWishart(7.0)])
def test_a_posterior_is_drawn_again(faithful, family):
    given = Priors(concentration=4.0, covariances=family)
    posterior = sample_posterior(
        faithful, 2, priors=given, draws=20, tune=30, chains=2, rng=8, progressbar=False
    )
    page = report(faithful, posterior=posterior)
    again = made_again(page, X=faithful)["posterior"]
    assert again.attrs["priors"] == posterior.attrs["priors"]
    assert again["posterior"].equals(posterior["posterior"])


def test_priors_of_the_fit_or_the_defaults_are_not_repeated(faithful):
    fit = GaussianMixture(2, priors="default", random_state=0).fit(faithful)
    for settings in ({"init": fit}, {"init": "em"}):
        drawn = sample_posterior(
            faithful, 2, **settings, draws=20, tune=30, chains=2, rng=8, progressbar=False
        )
        em = None if settings["init"] == "em" else fit
        assert "priors = " not in code_of(report(faithful, em=em, posterior=drawn))


def test_priors_that_differ_have_a_table_each(faithful):
    fit = GaussianMixture(2, priors="default", random_state=0).fit(faithful)
    posterior = sample_posterior(faithful, 2, draws=20, tune=30, chains=2, rng=8, progressbar=False)
    page = report(faithful, em=fit, posterior=posterior)
    captions = [each["caption"] for each in page.numbers["sections"]["methods"]["tables"]]
    assert {"Priors of EM", "Priors of the posterior"} < set(captions)
    assert 'download="priors-em.json"' in page.html
    assert 'download="priors-posterior.json"' in page.html
    assert "Priors of EM were Dirichlet" in page.html


def test_what_is_not_a_setting_has_no_code():
    assert as_code(object()) is None
    assert as_code([1.0, object()]) is None
    assert as_code([float("nan"), True, None, "a"]) == "[float(\"nan\"), True, None, 'a']"
