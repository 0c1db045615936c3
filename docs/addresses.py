"""Find what a page of HTML fetches from the network."""

import re
from html.parser import HTMLParser

_ADDRESS = r"(?:[a-z]+:)?//[^\s\"')]+"
_IN_ATTRIBUTE = re.compile(rf"(?:^|\s)({_ADDRESS})", re.IGNORECASE)
_IN_STYLE = re.compile(rf"(?:url\(|@import)\s*[\"']?({_ADDRESS})", re.IGNORECASE)


class _Fetched(HTMLParser):
    """Addresses of scripts, pictures and styles; a link to follow is not fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        names = ("src", "srcset", "data", "poster") + ("href",) * (tag not in ("a", "area"))
        self.found += [
            address for name in names for address in _IN_ATTRIBUTE.findall(given.get(name) or "")
        ]
        self.found += _IN_STYLE.findall(given.get("style") or "")

    def handle_data(self, data: str) -> None:
        self.found += _IN_STYLE.findall(data) if self.cdata_elem == "style" else []


def fetched(html: str) -> list[str]:
    """Return the addresses on other hosts that a browser asks when it shows a page."""
    parser = _Fetched()
    parser.feed(html)
    return parser.found


def fetched_by_style(css: str) -> list[str]:
    """Return the addresses on other hosts in a style sheet."""
    return _IN_STYLE.findall(css)
