"""Commands that read results files."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from conformance.cli.arguments import CONFORMS, FORMAT, INCOMPLETE, NONCONFORMING, STRICT, fail, load_specs

if TYPE_CHECKING:
    from conformance.results import Results


def read_results(paths: Sequence[Path]) -> list[Results]:
    """The results files among the paths, merged."""
    from conformance.results import ResultsError, find, merge, read

    try:
        return merge(read(path) for path in find(paths))
    except ResultsError as error:
        fail(error)


def finish(
    files: Sequence[Path], output: Path, as_format: str, complaints: Sequence[str], *, strict: bool, subjects: bool = False
) -> NoReturn:
    """Write the reports, print the matrix, and say by the exit code what came of it."""
    from rich.console import Console

    from conformance.background import SpecsBackground  # imports Hypothesis, with the checks
    from conformance.reports import Table, write_all
    from conformance.reports.behaviours import is_judged
    from conformance.reports.reproduce import most_readable
    from conformance.reports.terminal import show
    from conformance.results import Outcome

    results = read_results(files)
    written = write_all(results, output, SpecsBackground.of(load_specs()))
    table = Table.of(results)
    if as_format == "json":
        click.echo(json.dumps({**table.summary(), "complaints": list(complaints)}, allow_nan=False))
    else:
        console = Console(width=None if sys.stdout.isatty() else 100)
        show(table, console)
        if subjects:
            for name, program in most_readable(results).items():
                click.echo(f"\nTo see {name} fail again, in a few lines:\n\n{program}")
        click.echo(f"\nreports: {', '.join(str(path) for path in written)}")
    for complaint in complaints:
        click.echo(f"conformance: deviations: {complaint}", err=True)
    outcomes = {cell.outcome for part in results for cell in part.cells if is_judged(cell)}
    if complaints or table.total.broken or (strict and outcomes & {Outcome.FAIL, Outcome.ERROR}):
        sys.exit(NONCONFORMING)
    sys.exit(CONFORMS if outcomes - {Outcome.NOT_RUN, Outcome.UNSUPPORTED} and not table.incomplete else INCOMPLETE)


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR")
@FORMAT
@STRICT
def report(results: tuple[Path, ...], output: Path, as_format: str, strict: bool) -> None:  # noqa: FBT001 - click passes it
    """Render RESULTS (files, or folders of them), merged, into DIR."""
    finish(results, output, as_format, (), strict=strict)
