"""Commands that say what there is, and why."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from conformance.cli.arguments import (
    CONFORMS,
    DTYPES,
    FORMAT,
    FRAMEWORK,
    INCOMPLETE,
    OPERATION,
    USAGE,
    chosen_frameworks,
    fail,
    load_specs,
    selection_of,
)


@click.command("list")
@click.argument("what", type=click.Choice(("operations", "checks", "targets")))
@FRAMEWORK
@OPERATION
@FORMAT
def list_(what: str, framework: tuple[str, ...], operation: tuple[str, ...], as_format: str) -> None:
    """What would run."""
    specs = load_specs()
    selection = selection_of(specs, operations=operation)
    rows: list[dict[str, str]]
    if what == "operations":
        rows = [{"id": name, "title": title} for name, title in specs.titles.items() if selection.wants_operation(name)]
    else:
        from conformance import listing  # imports Hypothesis, with the checks

        rows = listing.checks(specs, selection) if what == "checks" else listing.targets(chosen_frameworks(framework), selection)
    if as_format == "json":
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['title']}" if row["title"] else row["id"])


@click.command()
@FRAMEWORK
@FORMAT
def doctor(framework: tuple[str, ...], as_format: str) -> None:
    """What is installed, its devices, the flags that change numerics, and why a target is missing."""
    from rich.console import Console

    from conformance.doctor import examine, show

    reports = [examine(info) for info in chosen_frameworks(framework)]
    if as_format == "json":
        click.echo(json.dumps(reports))
    else:
        show(reports, Console())
    sys.exit(CONFORMS if any(r["status"] == "ready" for r in reports) else INCOMPLETE)


@click.command()
@click.argument("specs", required=False, type=click.Path(path_type=Path))
def lint(specs: Path | None) -> None:
    """Check spec files: grammar, exact literals, stated results, resolving power."""
    from conformance.specs.lint import lint as check
    from conformance.specs.load import specs_root

    problems = check(specs)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        sys.exit(USAGE)
    loaded = load_specs(specs)
    cases = sum(len(o.cases) for o in loaded.both)
    click.echo(
        f"{specs or specs_root()}: {len(loaded.titles)} operations, {cases} cases, {len(loaded.deviations)} deviations: all as stated"
    )


@click.command()
@click.argument("identifier", metavar="ID")
@click.option("--dtype", type=click.Choice(DTYPES))
@click.option("--flushes", is_flag=True, help="For a target that is declared to flush subnormals.")
def explain(identifier: str, dtype: str | None, flushes: bool) -> None:  # noqa: FBT001 - click passes it
    """Why the interval of a check (or of one of its cells) is what it is."""
    from conformance.checks.catalogue import all_checks
    from conformance.explain import UnknownId
    from conformance.explain import explain as lines

    specs = load_specs()
    try:
        for line in lines(specs, all_checks(specs), identifier, dtype=dtype, flushes=flushes):
            click.echo(line)
    except UnknownId as error:
        fail(error)


@click.command()
@click.argument("what", type=click.Choice(("results", "spec")))
def schema(what: str) -> None:
    """Print the JSON Schema of a line of a results file, or of a spec file."""
    if what == "results":
        from conformance.results import schema as made
    else:
        from conformance.specs.schema import spec_schema as made
    click.echo(json.dumps(made(), indent=2))
