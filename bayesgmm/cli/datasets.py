"""`bayesgmm datasets`: the real data shipped with the package."""

import json
from typing import Any

import click

import bayesgmm
from bayesgmm.cli.options import completion
from bayesgmm.display import plural


@click.command()
@click.argument(
    "name",
    required=False,
    shell_complete=completion("bayesgmm.datasets.load", "dataset_names", files=False),
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def datasets(name: str | None, as_json: bool) -> None:
    r"""List the shipped data sets with their sizes and sources, or print one as CSV.

    \b
    Examples:
      bayesgmm datasets
      bayesgmm datasets iris
    """
    from bayesgmm.data.csv_files import csv_text
    from bayesgmm.datasets.load import dataset_names

    if name is None:
        described = [_describe(each) for each in dataset_names()]
        if as_json:
            click.echo(json.dumps(described, indent=2))
        else:
            click.echo("\n\n".join(_paragraph(each) for each in described))
        return
    found = bayesgmm.load_dataset(name)
    if as_json:
        rows = {"rows": found.X.tolist()}
        labels = None if found.labels is None else found.labels.tolist()
        click.echo(json.dumps({**_describe(name), **rows, "labels": labels}))
        return
    names, columns = list(found.feature_names), list(found.X.T)
    if found.labels is not None:
        names.append("label")
        columns.append(found.labels)
    click.echo(csv_text(names, columns), nl=False)


def _describe(name: str) -> dict[str, Any]:
    found = bayesgmm.load_dataset(name)
    return {
        "name": name,
        "n_rows": len(found.X),
        "feature_names": list(found.feature_names),
        "groups": None if found.labels is None else sorted({str(each) for each in found.labels}),
        "source": found.source,
    }


def _paragraph(described: dict[str, Any]) -> str:
    names = described["feature_names"]
    lines = [
        f"{described['name']}: {plural(described['n_rows'], 'row')}, {plural(len(names), 'column')}"
    ]
    lines[0] += f" ({', '.join(names)})"
    if described["groups"]:
        lines.append(f"Known groups: {', '.join(described['groups'])}.")
    lines.append(described["source"])
    return "\n".join(click.wrap_text(line, 88, "", "  ") for line in lines)
