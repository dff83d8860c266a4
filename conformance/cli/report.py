"""The command ``report``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from conformance.cli.options import FORMAT, STRICT
from conformance.cli.output import finish


@click.command("report")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR")
@click.option("--since", type=click.Path(path_type=Path), metavar="OLD", help="An earlier run: the reports say what changed.")
@FORMAT
@STRICT
def command(results: tuple[Path, ...], output: Path, since: Path | None, as_format: str, strict: bool) -> None:  # noqa: FBT001 - click passes it
    """Render RESULTS (files, or folders of them), merged, into DIR."""
    from conformance.run.ledger import complaints_of_shards
    from conformance.specs.load import load

    specs = load()
    finish(specs, results, output, as_format, partial(complaints_of_shards, specs), strict=strict, since=since)
