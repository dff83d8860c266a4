"""The command ``lint``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.options import USAGE


@click.command("lint")
@click.argument("specs", required=False, type=click.Path(path_type=Path))
def command(specs: Path | None) -> None:
    """Check spec files: grammar, exact literals, stated results, resolving power."""
    from conformance.specs.lint import lint as check
    from conformance.specs.load import load, specs_root

    problems = check(specs)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        sys.exit(USAGE)
    loaded = load(specs)
    cases = sum(len(o.cases) for o in loaded.both)
    click.echo(
        f"{specs or specs_root()}: {len(loaded.titles)} operations, {cases} cases, {len(loaded.deviations)} deviations: all as stated"
    )
