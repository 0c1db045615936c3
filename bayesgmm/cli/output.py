"""Results of a command: its file, its summary or JSON object, and its warnings as sentences."""

import json
import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

import bayesgmm
from bayesgmm.cli.wording import in_options, results_in_options

if TYPE_CHECKING:
    from bayesgmm.mixture.contamination import Contamination
    from bayesgmm.mixture.noise import Noise
    from bayesgmm.reporting.page import Page

STANDARD_OUTPUT = Path("/dev/stdout")
# The mark of a page in its head, of which the first bytes are enough.
_GENERATOR, _HEAD = b'<meta name="generator" content="bayesgmm">', 2000
# Parameters that name files, or other sources, to read.
_INPUTS = frozenset({"data", "model", "truth", "priors"})
# Keys of sentences in the numbers of a page; all other texts are names.
_SENTENCES = frozenset({"verdict", "reason", "notes", "note", "caption", "status", "headline"})
# Parameters of a command that do not change its page.
NOT_THE_PAGE = frozenset({"output", "force", "quiet", "as_json"})


class Results(NamedTuple):
    """Form and target of a command's results, as `options.result_options` names them."""

    as_json: bool
    output: Path | None
    force: bool
    quiet: bool

    def check_target(self) -> None:
        """Raise at once what would keep the file from being written."""
        if self.output is not None:
            check_output(self.output, force=self.force)

    def replacing_own_page(self) -> "Results":
        """The same, free to replace an earlier page of bayesgmm, unless the page was named."""
        source = click.get_current_context().get_parameter_source("output")
        if self.output is None or source is not click.core.ParameterSource.DEFAULT:
            return self
        if not self.output.is_file():
            return self
        with self.output.open("rb") as file:
            return self._replace(force=self.force or _GENERATOR in file.read(_HEAD))

    def write(self, text: str, what: str, content: Callable[[], bytes]) -> None:
        """Write the file and print the text, also if the file cannot be written.

        Text that is not JSON is printed in words of the command line.
        Where the file goes to standard output, the text goes to standard error.
        """
        try:
            if self.output is not None:
                write_file(self.output, content(), what, force=self.force, quiet=self.quiet)
        finally:
            text = text if self.as_json else results_in_options(text)
            click.echo(text, err=self.output == STANDARD_OUTPUT)


def check_output(path: Path, *, force: bool) -> None:
    """Raise at once what would keep a file from being written; no input is ever replaced."""
    from bayesgmm.data.file_access import check_target

    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.params.get(str(parameter.name))
        if parameter.name not in _INPUTS or given is None:
            continue
        source = Path("/dev/stdin" if str(given) == "-" else given)
        if path.is_file() and source.exists() and source.samefile(path):
            name = parameter.human_readable_name
            name = parameter.opts[0] if isinstance(parameter, click.Option) else name.upper()
            raise click.UsageError(
                f"The output {printable(path)!r} is the file of {name}, which would be lost. Give "
                "another name."
            )
    check_target(path, force=force)


def write_file(path: Path, content: bytes, what: str, *, force: bool, quiet: bool) -> None:
    """Write a file, and unless `quiet` a sentence that begins with `what`."""
    from bayesgmm.data.file_access import write_atomically

    write_atomically(path, content, force=force)
    if not quiet:
        click.echo(f"{what} written to {printable(path)}.", err=True)


def json_text(schema: str, data: str, fields: dict[str, Any], heard: list[str]) -> str:
    """Return a command's JSON object; numbers that are not finite become null."""
    head = {"schema": f"bayesgmm.{schema}", "version": 1, "data": data}
    head["program"] = f"bayesgmm {bayesgmm.__version__}"
    return json.dumps(_finite({**head, **fields, "warnings": heard}), allow_nan=False, indent=2)


def page_json(page: "Page", data: str, seed: int, heard: list[str]) -> str:
    """Return the JSON object of a page: its numbers, and its sentences in words of the commands."""
    fields = {"seed": seed, **_sentences_in_options(page.numbers)}
    return json_text(page.numbers["schema"].removeprefix("bayesgmm."), data, fields, heard)


def _sentences_in_options(value: Any, key: str | None = None) -> Any:
    """The same, with the sentences among its texts, by their keys, in words of the commands."""
    if isinstance(value, dict):
        return {name: _sentences_in_options(each, name) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_sentences_in_options(each, key) for each in value]
    return results_in_options(value) if isinstance(value, str) and key in _SENTENCES else value


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def document(model: "bayesgmm.GaussianMixture", kind: str = "") -> tuple[str, Callable[[], bytes]]:
    """Return the name and content of a file for `predict`, `simulate` and `sample`: the fit."""
    return f"The {kind}fit was", lambda: model.to_json().encode() + b"\n"


def noise_fields(noise: "Noise", size: int | None = None) -> dict[str, Any]:
    """Return the weight and box of noise, and the number of rows that it most probably has."""
    rows = {} if size is None else {"size": size}
    box = {"lower": noise.lower.tolist(), "upper": noise.upper.tolist()}
    return {"weight": noise.weight, **rows, **box}


def contamination_fields(outliers: "Contamination") -> dict[str, Any]:
    """Return the proportions and inflation of the outliers of the components."""
    return {
        "proportions": outliers.proportions.tolist(),
        "inflation": outliers.inflation.tolist(),
    }


@contextmanager
def heard_warnings(quiet: bool) -> Iterator[list[str]]:
    """Collect the package's warnings as sentences, and print them unless `quiet`."""
    heard: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", bayesgmm.errors.BayesGMMWarning)
        plain = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if not issubclass(category, bayesgmm.errors.BayesGMMWarning):
                plain(message, category, *rest, **more)
                return
            heard.append(in_options(str(message)))
            if not quiet:
                click.echo(f"Warning: {heard[-1]}", err=True)

        warnings.showwarning = show
        yield heard


def printable(word: str | os.PathLike[str]) -> str:
    """Return a word of the command line as text, with bytes that are not UTF-8 as escapes."""
    text = os.fspath(word)
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # halves of surrogate pairs that do not stand for bytes
        return text.encode("utf-8", "backslashreplace").decode()


def title_of(data: str) -> str:
    """Return the heading of a page that is not given one."""
    return "Standard input" if data == "-" else Path(data).stem.replace("_", " ")
