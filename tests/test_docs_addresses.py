"""The check that the built documentation fetches nothing from the network."""

import runpy
from pathlib import Path

import pytest

FIND = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "addresses.py"))
HOST = "//cdn.example/x"


@pytest.mark.parametrize(
    "html",
    [
        f'<script src="https:{HOST}"></script>',
        f'<script defer="defer" src="{HOST}">1 < 2</script>',
        f'<link rel="stylesheet" href="http:{HOST}">',
        f'<img alt="a picture" src="HTTPS:{HOST}">',
        f'<img srcset="a.png 1x, https:{HOST} 2x">',
        f'<iframe src="https:{HOST}"></iframe>',
        f'<object data="https:{HOST}"></object>',
        f"<p style=\"background: url('https:{HOST}')\">text</p>",
        f'<style>@import "https:{HOST}";</style>',
        f"<style>p {{ background: URL({HOST}) }}</style>",
    ],
)
def test_what_a_page_fetches(html):
    (address,) = FIND["fetched"](f"<p>before</p>{html}<p>after</p>")
    assert address.endswith(HOST)


@pytest.mark.parametrize(
    "html",
    [
        f'<a href="https:{HOST}">a link</a>',
        f"<p>https:{HOST}</p>",
        '<script src="../_static/doctools.js?v=1"></script>',
        '<link rel="stylesheet" href="_static/basic.css">',
        '<img src="data:image/png;base64,AA//BB">',
        f"<pre>@import https:{HOST}</pre>",
        '<math xmlns="http://www.w3.org/1998/Math/MathML"><mi>x</mi></math>',
        '<style>@import "../basic.css";</style>',
    ],
)
def test_what_a_page_does_not_fetch(html):
    assert FIND["fetched"](html) == []


def test_style_sheets():
    css = f'@import "../basic.css"; p {{ background: url("https:{HOST}") }} /* {HOST} */'
    assert FIND["fetched_by_style"](css) == [f"https:{HOST}"]
