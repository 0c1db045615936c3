import pytest
from click.testing import CliRunner

from bayesgmm.cli import main


def run(*arguments, **more):
    return CliRunner().invoke(main, [str(each) for each in arguments], **more)


@pytest.fixture
def bayesgmm_command(undrawn):
    """Run the command line in this process; what it prints goes to `stdout` and `stderr`.

    Pages are without their figures: those of a process of its own have them, and the main job of
    the README.
    """
    return run


@pytest.fixture
def drawing_command():
    """The same, with the figures of pages."""
    return run
