"""Messages of the package in words of the command line: options for its arguments."""

import re
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    from bayesgmm.arrays import Integers

_LINES = "bayesgmm.lines"


class _Wording(NamedTuple):
    """Words of Python, and those that replace them.

    Attributes
    ----------
    python : str
        A regular expression.
    option : str
        The words where the running command has their first option; groups as in `re.sub`.
    otherwise : str or None
        The words where it does not. None: the same.
    """

    python: str
    option: str
    otherwise: str | None = None


_SIMPLER = "Use fewer components, or a structure with fewer parameters."
# Sentences and phrases first, and single arguments after them. In the patterns of sentences,
# what a message says beside its advice is left to the rules that follow.
_WORDINGS = (
    # Choice of the model.
    _Wording(
        r"is that of bayesgmm\.evidence\(X\) and bayesgmm report --evidence, the number of "
        r"clusters in a posterior that of bayesgmm\.posterior_partition\(posterior\)\.",
        "is that of bayesgmm report --evidence, the number of clusters in a posterior that of "
        "bayesgmm report.",
    ),
    _Wording(r"range\(\d+, \d+\), or (?=-)", ""),
    _Wording(r"column note of the table", "--json has all of them"),
    _Wording(
        r"report --select and select_mixture\(X\) compare them, and may",
        "report --select compares them, and may",
    ),
    _Wording(r" ?merge_components\(fit, X\) combines components by entropy\.", ""),
    _Wording(r"select_mixture(?:\(X\))?", "`bayesgmm select`"),
    _Wording(r"[(]max_time[)]", "(--max-time)"),
    _Wording(r"max_time=(\d[\d.e+]*)", r"--max-time \1"),
    _Wording(r"max_time", "--max-time"),
    _Wording(r"criterion=[\"'](\w+)[\"']", r"--criterion \1"),
    # Fits that failed.
    _Wording(
        r"priors='default', which keeps",
        "`bayesgmm fit --priors FILE`, where a file of {} has the default priors, which keep",
    ),
    _Wording(r", or reg_covar > 0", ""),
    _Wording(
        r"eigenvalue_ratio=(\d+)",
        r"--eigenvalue-ratio \1",
        r"`bayesgmm fit --eigenvalue-ratio \1`",
    ),
    _Wording(r"Increase max_iter(?: or tol)?\.", _SIMPLER),
    _Wording(
        r"Give the rows \(and sample_weight\) of the fit, fitted without reg_covar until "
        r"convergence\.",
        _SIMPLER,
    ),
    # Standard errors.
    _Wording(r" or use method='[\w-]*bootstrap'", ""),
    _Wording(r"Use method='[\w-]*bootstrap'\.", "In Python, the bootstrap gives standard errors."),
    _Wording(r"take long: see standard_errors\(\)\.", "take long, and are computed in Python."),
    _Wording(
        r"take a pass over the rows: see standard_errors\(X\)\.",
        "take another pass over the rows, in Python.",
    ),
    _Wording(
        r"see (?:standard_errors\(\)\.table, and )?covariances_\.", "--json has the covariances."
    ),
    _Wording(r" \(numbers: priors_\)", ""),
    # The posterior.
    _Wording(r"method='(nuts|laplace)'", r"--method \1", r"`bayesgmm sample --method \1`"),
    _Wording(r"\(covariance_type='full', --covariance full\)", "(--covariance full)"),
    _Wording(r"target_accept or --target-accept", "--target-accept"),
    _Wording(r", or give a reference and use method='ecr'", ""),
    _Wording(
        r"compare chains from separate starts and EM's other local maxima \(starts_\), or draw by "
        r"sample_posterior, which",
        "compare chains from separate starts and EM's other local maxima (`bayesgmm fit --json`), "
        "or draw by `bayesgmm sample`, which",
    ),
    # Priors: a file of --priors has a field for each argument of `Priors`.
    _Wording(r"or sample_posterior and filled_components for", "or `bayesgmm sample` for"),
    _Wording(r"sample_posterior", "`bayesgmm sample`"),
    _Wording(r"Priors\((\w+)=\.\.\.\)", r'"\1" in --priors'),
    _Wording(r"Priors\((\w+)=False\)", r'--priors with "\1": false'),
    _Wording(r"of the attribute priors", "on the page"),
    _Wording(r"\binit(?= (?:has|was)\b)", "--init"),
    _Wording(r"\bem(?= has \d)", "--init"),
    _Wording(r"\bcovariances=None", 'leave out "covariances" in --priors'),
    _Wording(r"\bcovariances='([\w-]+)'", r'"covariances": "\1" in --priors'),
    _Wording(r"concentration=([\d.e-]+)", r"concentration \1"),
    _Wording(r"Use InverseWishart\.", "Use the inverse-Wishart prior."),
    # Rows and models.
    _Wording(
        r"Complete rows are needed: leave the others out, as by X\[~numpy.*?dropna\(\) of a data "
        r"frame\.",
        "Complete rows are needed: --drop-missing leaves the others out.",
    ),
    _Wording(
        r"Where X was not seen, write NaN in X itself\.",
        "Where the value itself was not seen, leave its cell empty.",
    ),
    _Wording(r"`fit -o` or `to_json` wrote", "`fit -o` wrote"),
    _Wording(
        r"Build a new one from its numbers with Mixture\(weights, means, covariances\)\.",
        "Write it again with `fit -o`.",
    ),
    _Wording(r"read it with [^\n]*from_json[^\n]*", "give it as MODEL."),
    _Wording(
        r"X has (\d+) features, but \w+ is expecting (\d+) features as input",
        r"The data have \1 columns, but the model has \2",
    ),
    _Wording(r"\nX\[list\(fit\.feature_names_in_\)\] has the columns of the fit\.", ""),
    _Wording(r"X has(?= (?:only )?\d+ (?:distinct )?rows?\W)", "The data have"),
    # Arguments.
    _Wording(r"noise_component=True", "--noise", "noise"),
    _Wording(r"noise_component and contaminated", "--noise and --contaminated"),
    _Wording(r"noise_component", "--noise", "noise"),
    _Wording(r"contaminated=True", "--contaminated", "outliers of the components"),
    _Wording(r"fixed or equal_weights holds", "--equal-weights holds", "holding them equal holds"),
    _Wording(r"equal_weights(?:=True)?", "--equal-weights", "equal weights"),
    _Wording(r" ?\(n_samples=\d+\)", ""),
    _Wording(r"n_samples=(\d+)", r"\1 rows"),
    _Wording(r"n_components=(\d+)", r"-k \1"),
    _Wording(r"n_components", "-k"),
    _Wording(r"covariance_type='(\w+)'", r"--covariance \1", r"--structures \1"),
    _Wording(r"covariance_type", "--covariance", "--structures"),
    _Wording(r"missing=([\d.e-]+)", r"--missing \1"),
    _Wording(r"sample_weight", "--weights"),
    _Wording(r"error_covariances", "--errors"),
    _Wording(r"order_by", "--order-by"),
    _Wording(r"target_accept", "--target-accept"),
    _Wording(r"labels(?= must| name| number)", "--labels"),
)
# The rows, in errors and warnings alone: in results a column may have the name X.
_START = r"(?:(?<=\n)|(?<=\. )|^)(?:Input )?"
_ROWS = (
    _Wording(_START + "X has", "The data have"),
    _Wording(_START + "X contains", "The data contain"),
    _Wording(_START + "X (run|repeat)s", r"The data \1"),
    _Wording(_START + "X is", "The data are"),
    _Wording(_START + "X", "The data"),
    _Wording("(?:[Ii]nput )?X has", "the data have"),
    _Wording("(?:[Ii]nput )?X", "the data"),
)
_ROWS_IN_MESSAGES = re.compile(r"\b[Rr]ows? (\d+(?:, \d+)*(?: and \d+)?)(?![\w.:])")
# Names of columns, files and components, in quotes and brackets, are not words of Python.
_NAMES = re.compile(r"(?<![\w=])'[^'\n]*'(?!\w)|(?<=[a-z])\[[^\]\n]*\]")


def in_options(message: str) -> str:
    """An error or a warning of the package, in words of the running command."""
    return _worded(message, (*_WORDINGS, *_ROWS))


def results_in_options(text: str) -> str:
    """The text of results, in words of the running command."""
    return _worded(text, _WORDINGS)


def _worded(message: str, wordings: tuple[_Wording, ...]) -> str:
    names = _NAMES.findall(message)
    message = _NAMES.sub("\0", message)
    for each in wordings:
        words = each.option if each.otherwise is None or _exists(each.option) else each.otherwise
        # An option that follows in brackets is not repeated.
        follows = rf"(?: \({re.escape(words)}\))?"
        whole = r"(?<![\w.-])" * each.python[0].isalpha()
        message = re.sub(rf"{whole}(?:{each.python})(?!\w){follows}", words, message)
    message = _ROWS_IN_MESSAGES.sub(_with_lines, message)
    kept = iter(names)
    return re.sub("\0", lambda _: next(kept), message)


def remember_lines(lines: "Integers | None") -> None:
    """Keep the lines of a file that hold the rows (n,), for messages that number rows from 0."""
    click.get_current_context().meta[_LINES] = lines


def _with_lines(found: re.Match[str]) -> str:
    """Rows by their numbers, and by the lines of the file that hold them, if these are known."""
    context = click.get_current_context(silent=True)
    lines = None if context is None else context.meta.get(_LINES)
    rows = [int(each) for each in re.findall(r"\d+", found[0])]
    if lines is None or max(rows) >= len(lines):
        return found[0]
    words = iter(lines[rows].tolist())
    numbers = re.sub(r"\d+", lambda _: str(next(words)), found[1])
    return f"{found[0]} ({'line' if len(rows) == 1 else 'lines'} {numbers})"


def _exists(words: str) -> bool:
    """True if the running command has the first option that the words name."""
    context, option = click.get_current_context(silent=True), re.search(r"--?[a-z][a-z-]*", words)
    if context is None or option is None:
        return True
    command = context.command
    if isinstance(command, click.Group):  # in which errors of its commands arrive
        command = command.commands.get(context.invoked_subcommand or "", command)
    return any(option[0] in each.opts for each in command.params)
