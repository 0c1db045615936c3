import pytest
from click.testing import CliRunner

from bayesgmm.cli import main


@pytest.fixture
def bayesgmm_command():
    """Run the command line in this process; what it prints goes to `stdout` and `stderr`."""

    def run(*arguments, **more):
        return CliRunner().invoke(main, [str(each) for each in arguments], **more)

    return run
