"""Write the help of all commands into docs/command_line.md: `python docs/command_help.py`."""

import re
from pathlib import Path

from click.testing import CliRunner

from bayesgmm.cli import main as commands

PAGE = Path(__file__).parent / "command_line.md"


def with_help(text: str) -> str:
    """Return the page with the block under each command's heading replaced by its help."""

    def block(found: re.Match[str]) -> str:
        arguments = [found[2], "--help"]
        shown = CliRunner().invoke(commands, arguments, prog_name="bayesgmm", terminal_width=92)
        return f"{found[1]}```text\n{shown.stdout.rstrip()}\n```\n"

    pattern = r"^(### `bayesgmm (\w+)`\n\n)```text\n.*?^```\n"
    return re.sub(pattern, block, text, flags=re.DOTALL | re.MULTILINE)


if __name__ == "__main__":
    PAGE.write_text(with_help(PAGE.read_text("utf-8")), "utf-8")
