"""The command ``list``: what would run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from conformance.cli.options import FORMAT, FRAMEWORK, OPERATION, chosen_frameworks, selection_of

if TYPE_CHECKING:
    from conformance.frameworks.info import FrameworkInfo
    from conformance.run.plan import Selection


@click.command("list")
@click.argument("what", type=click.Choice(("operations", "checks", "targets")))
@FRAMEWORK
@OPERATION
@FORMAT
def command(what: str, frameworks: tuple[str, ...], operations: tuple[str, ...], as_format: str) -> None:
    """What would run."""
    from conformance.specs.load import load

    specs = load()
    selection = selection_of(specs, operations=operations)
    rows: list[dict[str, str]]
    if what == "operations":
        rows = [{"id": name, "title": title} for name, title in specs.titles.items() if selection.wants_operation(name)]
    elif what == "checks":
        from conformance.checks.catalogue import all_checks  # imports Hypothesis

        rows = [{"id": check.id, "title": check.why} for check in all_checks(specs).values() if selection.wants_check(check)]
    else:
        rows = [row for info in chosen_frameworks(frameworks) for row in _targets(info, selection)]
    if as_format == "json":
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['title']}" if row["title"] else row["id"])


def _targets(info: FrameworkInfo, selection: Selection) -> Iterator[dict[str, str]]:
    """Every target of a framework; one that is not installed is a row with the reason."""
    from conformance.judges.process import running
    from conformance.run.plan import targets_of
    from conformance.workers.child import ProcessLost

    try:
        if reason := info.why_missing():
            raise ProcessLost(reason)
        with running(info.name) as (_, description):
            entries = {i.name: f"{i.operation}  {i.entry}" for i in description.implementations}
            yield from ({"id": target.id, "title": entries[target.implementation]} for _, target in targets_of(description, selection))
    except ProcessLost as lost:
        yield {"id": f"{info.name}/*", "title": f"not-run: {lost}"}
