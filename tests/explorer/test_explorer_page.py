"""The explorer in a real browser: stepped through by keyboard, silent, contained, accessible."""

import numpy as np
import pytest
from browser import chromium, needs_chromium, violations, watched

import bayesgmm
from bayesgmm import explore

pytestmark = [
    needs_chromium,
    pytest.mark.filterwarnings("ignore:The selected model:bayesgmm.errors.BayesGMMWarning"),
]
SHOWN = """
    [...document.querySelectorAll('main > section.at')].filter(each => each.checkVisibility())
        .map(each => each.className.match(/at-(\\S+)/)[1])
"""


@pytest.fixture(scope="module")
def browser():
    with chromium() as page:
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory, faithful, hostile, hostile_title):
    """Files of pages of all sorts, by name."""
    rng = np.random.default_rng(0)
    iris = bayesgmm.load_dataset("iris")
    made = {
        "faithful": explore(faithful, range(2, 5), ["EEE", "VVV"], title="F", progressbar=False),
        "iris": explore(iris.X, [2, 3], "VEV", labels=iris.labels, progressbar=False),
        "galaxies": explore(bayesgmm.load_dataset("galaxies").X, [1, 3], "V", progressbar=False),
        "hostile": explore(
            hostile, [1, 2], "EEI", title=hostile_title, labels=["<i>"] * 200,
            source="</p><img src=//x>", command="</code><script>alert(1)</script>",
            progressbar=False,
        ),
        "few": explore(rng.standard_normal((7, 2)), [1, 4, 9], ["EII", "VVV"], progressbar=False),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("pages")
    for name, each in made.items():
        each.save(folder / f"{name}.html")
    return {name: (folder / f"{name}.html").as_uri() for name in made}


NAMES = ["faithful", "iris", "galaxies", "hostile", "few"]


def test_arrow_keys_step_through_k_and_structure(browser, pages):
    browser.goto(pages["faithful"])
    assert browser.evaluate(SHOWN) == ["3-EEE"]
    browser.keyboard.press("Tab")
    assert browser.evaluate("document.activeElement.id") == "k-3"
    for key, shown in [
        ("ArrowRight", "4-EEE"),
        ("ArrowLeft", "3-EEE"),
        ("ArrowUp", "2-VVV"),
        ("ArrowDown", "3-EEE"),
        ("ArrowLeft", "2-VVV"),
    ]:
        browser.keyboard.press(key)
        assert browser.evaluate(SHOWN) == [shown]
        status = browser.inner_text("[role=status]")
        k, code = shown.split("-")
        assert status.startswith(f"K = {k}, {code}: BIC ")
    browser.keyboard.press("Tab")
    assert browser.evaluate("document.activeElement.id") == "s-best"
    browser.keyboard.press("ArrowRight")
    assert browser.evaluate(SHOWN) == ["2-EEE"]
    browser.keyboard.press("ArrowRight")
    assert browser.evaluate(SHOWN) == ["2-VVV"]


def test_the_chosen_model_alone_is_marked_on_the_curve(browser, pages):
    browser.goto(pages["faithful"])
    marks = """
        [...document.querySelectorAll('[id^="bic-line-"], [id^="bic-at-"]')]
            .filter(each => getComputedStyle(each).display != 'none').map(each => each.id)
    """
    assert browser.evaluate(marks) == ["bic-line-3-EEE", "bic-at-3-EEE"]
    browser.locator("#k-2").focus()
    browser.keyboard.press("Space")
    assert browser.evaluate(marks) == ["bic-line-2-VVV", "bic-at-2-VVV"]


def test_the_focus_is_seen_and_every_choice_has_a_name(browser, pages):
    browser.goto(pages["few"])
    browser.keyboard.press("Tab")
    outline = "getComputedStyle(document.activeElement.nextElementSibling).outlineWidth"
    assert browser.evaluate(outline) == "3px"
    for name in ("1 component", "4 components", "9 components, no fit", "VVV", "best for each K"):
        assert browser.get_by_role("radio", name=name, exact=True).count() == 1
    for name in ("Number of components, K", "Covariance structure"):
        assert browser.get_by_role("group", name=name, exact=True).count() == 1


def test_details_of_a_verdict_open_by_keyboard(browser, pages):
    browser.goto(pages["faithful"])
    summary = browser.locator("section.at-3-EEE summary").first
    table = browser.locator("section.at-3-EEE details table").first
    assert not table.is_visible()
    summary.focus()
    browser.keyboard.press("Enter")
    assert table.is_visible()


def test_a_k_without_a_fit_says_why(browser, pages):
    browser.goto(pages["few"])
    browser.locator("#k-9").check(force=True)
    assert browser.evaluate(SHOWN) == ["9-none"]
    assert "X has only 7 distinct rows." in browser.inner_text("main")


def every_state(browser, last=None):
    """Choose each model of a page in turn, or the last of them, with all its details open."""
    browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = browser.evaluate("[...document.querySelectorAll('[name=k]')].map(each => each.id)")
    for k in found if last is None else found[-last:]:
        browser.evaluate(f"document.getElementById({k!r}).click()")
        yield k


@pytest.mark.parametrize("name", NAMES)
def test_a_page_says_nothing_asks_nothing_and_fits_its_window(browser, pages, name):
    for width in (390, 1280):
        browser.set_viewport_size({"width": width, "height": 900})
        said, requests = watched(browser, pages[name])
        assert said == []
        assert requests == [pages[name]]
        for k in every_state(browser):
            assert browser.evaluate("document.scrollingElement.scrollWidth") <= width, k
            assert browser.evaluate("""
                [...document.querySelectorAll('main *')].filter(each => each.checkVisibility() &&
                    each.getBoundingClientRect().right > window.innerWidth + 1
                    && !each.closest('.scroll, .wide .picture, .unseen')).length
            """) == 0, k  # fmt: skip
    assert browser.evaluate("document.querySelectorAll('script, img, iframe').length") == 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1280), ("print", 1280)])
def test_axe_finds_nothing_serious(browser, pages, name, scheme, width):
    """Of the style, schemes change the colours alone and widths the layout alone.

    The last model of a page has all of its colours; `few` has states of all kinds, and few rows.
    """
    last = None if name == "few" else 1
    media = "print" if scheme == "print" else "screen"
    browser.emulate_media(color_scheme="dark" if scheme == "dark" else "light", media=media)
    browser.set_viewport_size({"width": width, "height": 900})
    browser.goto(pages[name])
    found = [(k, *each) for k in every_state(browser, last) for each in violations(browser)]
    browser.emulate_media(media="screen", color_scheme="light")
    assert found == []


def test_the_model_that_is_shown_is_printed(browser, pages):
    browser.goto(pages["faithful"])
    browser.locator("#k-2").check(force=True)
    browser.emulate_media(media="print")
    assert browser.evaluate(SHOWN) == ["2-VVV"]
    assert not browser.locator("fieldset").first.is_visible()
    assert browser.locator("[role=status]").is_visible()
    printed = browser.pdf(format="A4")
    browser.emulate_media(media="screen")
    assert 1 <= printed.count(b"/Type /Page\n") <= 4


def test_ids_are_unique_and_hostile_words_are_text(browser, pages):
    for name in NAMES:
        browser.goto(pages[name])
        ids = browser.evaluate("[...document.querySelectorAll('[id]')].map(each => each.id)")
        assert len(set(ids)) == len(ids)
    browser.goto(pages["hostile"])
    assert browser.title().startswith("</title><script>alert('title')")
    assert "</code><script>" in browser.inner_text("pre")


def test_axes_beside_rows_that_are_an_image_follow_the_scheme(browser, tmp_path):
    X = bayesgmm.simulate(bayesgmm.scenario("blobs"), 2500, rng=0).X
    path = tmp_path / "many.html"
    explore(X, 4, "EII", progressbar=False).save(path)
    seen = {}
    for scheme in ("light", "dark"):
        browser.emulate_media(color_scheme=scheme)
        browser.goto(path.as_uri())
        seen[scheme] = browser.evaluate("""
            (() => {
                const picture = document.querySelector('main > section.at svg');
                return [picture.querySelectorAll('image').length,
                        Object.fromEntries([...picture.querySelectorAll('text')].map(
                            each => [each.textContent, getComputedStyle(each).fill]))];
            })()
        """)
    browser.emulate_media(color_scheme="light")
    (images, light), (_, dark) = seen.values()
    assert images == 1
    assert {"x0", "x1"} <= set(light)
    assert all(light[word] != dark[word] for word in light)


def test_a_notebook_shows_it_in_a_frame(browser, faithful, tmp_path):
    made = explore(faithful, [1, 2], "EEE", title='a "quoted" <title>', progressbar=False)
    page = tmp_path / "notebook.html"
    page.write_text(f"<!DOCTYPE html><p>Cell</p>{made._repr_html_()}", encoding="utf-8")
    said, requests = watched(browser, page.as_uri())
    assert said == []
    assert {url.partition(":")[0] for url in requests} <= {"file", "about"}
    frame = browser.frames[1]
    assert frame.text_content("h1") == 'a "quoted" <title>'
    frame.locator("#k-1").check(force=True)
    assert frame.evaluate(SHOWN) == ["1-EEE"]
