"""The command line: one file per command, which parses, calls one function and writes.

Results are written to standard output and messages to standard error. The exit status is 0 for
success, 1 for an error in the data or the fit, 2 for a usage error and 130 after Ctrl-C.
"""

import click

from bayesgmm.cli.datasets import datasets
from bayesgmm.cli.error_handling import Commands
from bayesgmm.cli.explore import explore
from bayesgmm.cli.fit import fit
from bayesgmm.cli.options import debug_option
from bayesgmm.cli.predict import predict
from bayesgmm.cli.report import report
from bayesgmm.cli.sample import sample
from bayesgmm.cli.select import select
from bayesgmm.cli.simulate import simulate


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bayesgmm")
def main() -> None:
    """Fit finite Gaussian mixtures to data, assess the fit, and simulate from it.

    Results are written to standard output and messages to standard error. The exit status is 0 for
    success, 1 for an error in the data or the fit, and 2 for a usage error.
    """


for command in (report, explore, fit, predict, select, sample, simulate, datasets):
    # click keeps the lines of a paragraph that begins with a backspace.
    command.help = (command.help or "").replace(r"\b", "\b")
    main.add_command(debug_option(command))
