"""The table of ratios that a run of the benchmarks ends with."""

from typing import NamedTuple

import pytest


class Line(NamedTuple):
    """A measured quantity beside its target."""

    what: str
    ours: str
    theirs: str
    found: str
    target: str
    note: str = ""


_LINES = pytest.StashKey[list[Line]]()


def pytest_configure(config):
    config.stash[_LINES] = []


@pytest.fixture
def report(request, benchmark):
    """report(what, ours, theirs, found, target, note): a line of the table, and of the JSON."""

    def add(*fields):
        line = Line(*fields)
        request.config.stash[_LINES].append(line)
        benchmark.extra_info.update(line._asdict())

    return add


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash[_LINES]
    if not lines:
        return
    rows = [Line("", "ours", "theirs", "found", "target", ""), *lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(Line._fields))]
    terminalreporter.section("bayesgmm against its peers, in this very process")
    for row in rows:
        first, *middle, note = (
            field.ljust(width) if i in (0, 5) else field.rjust(width)
            for i, (field, width) in enumerate(zip(row, widths, strict=True))
        )
        terminalreporter.write_line("  ".join([first, *middle, note]).rstrip())
