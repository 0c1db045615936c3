"""Lines of docs and help that call the command line."""

import shlex

from bayesgmm.cli import main


def words_of(line):
    """The words of a line, without its comment."""
    return shlex.split(line, comments=True)


def examples_of(name):
    """The examples in the help of a command."""
    written = main.commands[name].callback.__doc__.splitlines()
    return [line.strip() for line in written if line.startswith("      bayesgmm ")]


# Of these, `test_every_command_writes_through_links_and_keeps_modes` tests what --force does, and
# `test_the_default_page_replaces_its_like_alone` what is done without a name of the page.
ONCE = ("explore", "report", "select")


def and_again(lines):
    """All lines, and once more those that name a file to write, which then is there."""
    again = [line for line in lines if {"-o", "--memberships"} & {*words_of(line)}]
    assert all("--force" in words_of(line) for line in again)
    return [*lines, *(line for line in again if words_of(line)[1] not in ONCE)]
