"""The command ``list``."""

from __future__ import annotations

import json

import click

from conformance.cli.options import (
    FORMAT,
    FRAMEWORK,
    OPERATION,
    chosen_frameworks,
    load_specs,
    selection_of,
)


@click.command("list")
@click.argument("what", type=click.Choice(("operations", "checks", "targets")))
@FRAMEWORK
@OPERATION
@FORMAT
def command(what: str, framework: tuple[str, ...], operation: tuple[str, ...], as_format: str) -> None:
    """What would run."""
    specs = load_specs()
    selection = selection_of(specs, operations=operation)
    rows: list[dict[str, str]]
    if what == "operations":
        rows = [{"id": name, "title": title} for name, title in specs.titles.items() if selection.wants_operation(name)]
    else:
        from conformance.run import listing  # imports Hypothesis, with the checks

        rows = listing.checks(specs, selection) if what == "checks" else listing.targets(chosen_frameworks(framework), selection)
    if as_format == "json":
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['title']}" if row["title"] else row["id"])
