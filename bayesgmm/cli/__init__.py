"""The command line: parse, call one function, write. One file holds one command.

Results go to standard output and messages to standard error. The exit status is 0, 1 (the data or
the fit), 2 (usage), or 130 after Ctrl-C.
"""

import click

from bayesgmm.cli.datasets import datasets
from bayesgmm.cli.fit import fit
from bayesgmm.cli.group import Commands
from bayesgmm.cli.options import debug_option
from bayesgmm.cli.report import report
from bayesgmm.cli.sample import sample
from bayesgmm.cli.select import select
from bayesgmm.cli.simulate import simulate


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bayesgmm")
def main() -> None:
    """Finite Gaussian mixtures: fit them to data, check the fit, and draw from them.

    Results are written to standard output, messages to standard error. Exit status: 0, 1 (the data
    or the fit), 2 (usage).
    """


for command in (report, fit, select, sample, simulate, datasets):
    # click keeps the lines of a paragraph that begins with a backspace.
    command.help = (command.help or "").replace(r"\b", "\b")
    main.add_command(debug_option(command))
