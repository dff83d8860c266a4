"""The command ``explain``."""

from __future__ import annotations

import click

from conformance.cli.options import DTYPES


@click.command("explain")
@click.argument("identifier", metavar="ID")
@click.option("--dtype", type=click.Choice(DTYPES))
@click.option("--flushes", is_flag=True, help="For a target that is declared to flush subnormals.")
def command(identifier: str, dtype: str | None, flushes: bool) -> None:  # noqa: FBT001 - click passes it
    """Why the interval of a check (or of one of its cells) is what it is."""
    from conformance.checks.catalogue import all_checks
    from conformance.checks.explain import explain as lines
    from conformance.specs.load import load

    specs = load()
    for line in lines(specs, all_checks(specs), identifier, dtype=dtype, flushes=flushes):
        click.echo(line)
