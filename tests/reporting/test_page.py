"""The page in a real browser: silent, contained, legible and accessible."""

import numpy as np
import pandas as pd
import pytest
from browser import chromium, needs_chromium, violations, watched

import bayesgmm
from bayesgmm import GaussianMixture, random_mixture, report, simulate

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as page:
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory, faithful, faithful_em, hostile, hostile_title, posterior_of):
    """Files of pages of all sorts, by name."""
    iris = bayesgmm.load_dataset("iris")
    iris_em = GaussianMixture(3, random_state=0).fit(iris.X)
    hostile_em = GaussianMixture(2, covariance_type="diag", random_state=0).fit(hostile)
    few_em = GaussianMixture(2, random_state=0).fit(hostile.iloc[:, :5])
    made = {
        "faithful": report(faithful, em=faithful_em, title="Old Faithful"),
        "everything": report(
            faithful,
            em=faithful_em,
            posterior=posterior_of(faithful_em, len(faithful)),
            truth=faithful_em.mixture_,
            selection=grid(faithful),
        ),
        "iris": report(iris.X, em=iris_em, labels=iris.labels, title="Iris"),
        "hostile": report(hostile, em=hostile_em, title=hostile_title, labels=["<i>"] * 200),
        "hostile figures": report(hostile.iloc[:, :5], em=few_em, source="</p><img src=//x>"),
        "long names": long_names(),
        "nothing": report(np.arange(6.0).reshape(3, 2)),
    }
    folder = tmp_path_factory.mktemp("pages")
    for name, each in made.items():
        each.save(folder / f"{name}.html")
    return {name: (folder / f"{name}.html").as_uri() for name in made}


def long_names():
    """Seven components of columns whose names differ after thirty characters."""
    truth = random_mixture(7, 4, max_overlap=0.01, rng=1)
    drawn = simulate(truth, 500, rng=2)
    names = [f"concentration_of_the_substance_number_{j}_in_micrograms" for j in range(4)]
    frame = pd.DataFrame(drawn.X, columns=names)
    labels = [f"group {k}" for k in drawn.labels]
    return report(frame, 7, truth=truth, labels=labels, title="A title of more than one word " * 4)


def grid(X):
    """What `select_mixture` tabulates, of four models."""
    records = []
    for k in (1, 2):
        for word in ("full", "diag"):
            fit = GaussianMixture(k, covariance_type=word, random_state=0).fit(X)
            record = {"n_components": k, "covariance_type": word, "note": ""}
            record |= {"bic": fit.bic(X), "icl": fit.icl(X)}
            record |= {"log_likelihood": fit.log_likelihood_, "n_parameters": fit.n_parameters_}
            records.append(record)
    return pd.DataFrame(records)


NAMES = ["faithful", "everything", "iris", "hostile", "hostile figures", "nothing"]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_nothing_asks_nothing_and_fits_its_window(browser, pages, name):
    for width in (390, 1280):
        browser.set_viewport_size({"width": width, "height": 900})
        said, requests = watched(browser, pages[name])
        assert said == []
        assert requests == [pages[name]]
        assert browser.evaluate("document.scrollingElement.scrollWidth") <= width
        # What is wider than its box scrolls inside it, and can be reached by the keyboard.
        assert browser.evaluate("""
            [...document.querySelectorAll('main *')].filter(each =>
                each.getBoundingClientRect().right > window.innerWidth + 1
                && !each.closest('.scroll, .wide .picture, .unseen')).length
        """) == 0  # fmt: skip
    assert browser.evaluate("document.querySelectorAll('script, img, iframe').length") == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_has_alternative_text(browser, pages, name):
    browser.goto(pages[name])
    texts = browser.evaluate(
        "[...document.querySelectorAll('figure')].map(each => "
        "each.querySelector('[role=img]')?.getAttribute('aria-label') ?? '')"
    )
    assert all(len(text) > 20 for text in texts)
    drawn = browser.evaluate("document.querySelectorAll('svg').length")
    assert drawn == len(texts)
    assert (drawn > 0) == (name != "nothing")


SCHEMES = [("light", 390), ("dark", 1280), ("print", 1280)]


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        *((name, *scheme) for name in ("everything", "iris", "nothing") for scheme in SCHEMES),
        *((name, *SCHEMES[0]) for name in ("hostile", "hostile figures")),
    ],
)
def test_axe_finds_nothing_serious(browser, pages, name, scheme, width):
    """Of the style, schemes change the colours alone and widths the layout alone.

    Names have no colours of their own, and "everything" has all that "faithful" has.
    """
    media = "print" if scheme == "print" else "screen"
    browser.emulate_media(color_scheme="dark" if scheme == "dark" else "light", media=media)
    browser.set_viewport_size({"width": width, "height": 900})
    browser.goto(pages[name])
    found = violations(browser)
    browser.emulate_media(media="screen")
    assert found == []


def test_light_and_dark_differ_and_figures_follow(browser, pages):
    seen = {}
    for scheme in ("light", "dark"):
        browser.emulate_media(color_scheme=scheme)
        browser.goto(pages["faithful"])
        seen[scheme] = browser.evaluate("""
            [getComputedStyle(document.body).backgroundColor,
             getComputedStyle(document.querySelector('svg text')).fill]
        """)
    (paper, ink), (dark_paper, light_ink) = seen["light"], seen["dark"]
    assert brightness(paper) > 230
    assert brightness(ink) < 60
    assert brightness(dark_paper) < 60
    assert brightness(light_ink) > 200


def brightness(colour):
    return np.mean([float(each) for each in colour.strip("rgba()").split(",")[:3]])


def test_tables_of_many_columns_leave_the_column_of_text(browser, pages):
    browser.emulate_media(color_scheme="light")
    browser.set_viewport_size({"width": 1280, "height": 900})
    browser.goto(pages["iris"])
    text, widest = browser.evaluate("""
        [document.querySelector('main').getBoundingClientRect().width,
         Math.max(...[...document.querySelectorAll('.broad')].map(
            each => each.getBoundingClientRect().width))]
    """)
    assert text < widest < 1280
    # On a phone they scroll within the page.
    browser.set_viewport_size({"width": 390, "height": 900})
    assert browser.evaluate("""
        [...document.querySelectorAll('.broad')].every(
            each => each.getBoundingClientRect().right <= 390)
    """)


def test_headings_stay_with_what_follows_on_paper(browser, pages):
    browser.emulate_media(media="print", color_scheme="light")
    browser.goto(pages["everything"])
    styles = browser.evaluate("""
        Object.fromEntries(['h2', '.verdict', 'figure', 'table', 'caption'].map(name => {
            const style = getComputedStyle(document.querySelector('main > section[id] ' + name));
            return [name, [style.breakInside, style.breakAfter]];
        }))
    """)
    browser.emulate_media(media="screen")
    assert styles["h2"][1] == styles[".verdict"][1] == "avoid"
    assert styles["caption"][1] == "avoid"
    assert {styles[name][0] for name in (".verdict", "figure", "table")} == {"avoid"}


# The part of a sheet of A4 within the margins, in pixels of 1/96 inch.
WIDTH, HEIGHT = 672, 986


@pytest.mark.parametrize("name", [*NAMES, "long names"])
def test_the_head_and_all_columns_of_tables_fit_on_paper(browser, pages, name):
    browser.emulate_media(media="print", color_scheme="light")
    browser.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    browser.goto(pages[name])
    assert browser.evaluate("document.querySelector('.summary').getBoundingClientRect().bottom") < (
        HEIGHT
    )
    beyond = browser.evaluate("""
        [...document.querySelectorAll('.summary, .summary *, .scroll:not(.many) td, h1')].filter(
            each => each.getBoundingClientRect().right > window.innerWidth + 1
                && !each.closest('.unseen')).map(each => each.textContent)
    """)
    browser.emulate_media(media="screen")
    assert beyond == []


def test_it_prints_on_paper_in_black(browser, pages):
    browser.emulate_media(media="print", color_scheme="dark")
    browser.goto(pages["iris"])
    assert browser.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    printed = browser.pdf(format="A4")
    browser.emulate_media(media="screen", color_scheme="light")
    assert printed.startswith(b"%PDF")
    assert 2 <= printed.count(b"/Type /Page\n") <= 12


def test_a_notebook_shows_it_in_a_frame(browser, faithful, faithful_em, tmp_path):
    made = report(faithful, em=faithful_em, title='a "quoted" <title>')
    page = tmp_path / "notebook.html"
    page.write_text(f"<!DOCTYPE html><p>Cell</p>{made._repr_html_()}", encoding="utf-8")
    said, requests = watched(browser, page.as_uri())
    assert said == []
    assert {url.partition(":")[0] for url in requests} <= {"file", "about"}
    frame = browser.frames[1]
    assert frame.text_content("h1") == 'a "quoted" <title>'
