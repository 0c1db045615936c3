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


STAGES = {
    "Choosing K and the structure",
    "Computing the memberships",
    "Fitting by EM",
    "Fitting the models, diagnosing, drawing",
    "Reading the model",
    "Reading the rows",
    "Relabelling",
    "Relabelling, diagnosing, drawing",
}


def beside_stages(messages):
    """Messages on standard error, text or bytes, without the names of stages."""
    text = messages.decode() if isinstance(messages, bytes) else messages
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if line.rstrip("\n") not in STAGES)
