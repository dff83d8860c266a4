"""What commands print and write."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from conformance.cli.options import CONFORMS, INCOMPLETE, NONCONFORMING, fail

if TYPE_CHECKING:
    from conformance.results.reading import Results
    from conformance.specs.model import Specs


def write_output(path: Path, text: str) -> None:
    """Write what a command was asked to put into a file."""
    from conformance.reports.write import write_text

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        fail(f"{path}: {error.strerror}; expected a file that can be written")


def read_results(paths: Sequence[Path]) -> list[Results]:
    """The results files among the paths, merged, the shards of a run put together."""
    from conformance.results.merging import find, merge
    from conformance.results.reading import read
    from conformance.results.shards import combined

    return combined(merge(read(path) for path in find(paths)))


def finish(
    specs: Specs,
    files: Sequence[Path],
    output: Path,
    as_format: str,
    complain: Callable[[Sequence[Results]], Sequence[str]],
    *,
    strict: bool,
    subjects: bool = False,
    since: Path | None = None,
    alone: bool = False,
) -> NoReturn:
    """Write the reports, print the matrix, and say by the exit code what came of it.

    ``complain``: what is wrong with the documented deviations by these results.
    ``alone``: this is one shard, and that the others are not here does not count.
    """
    from rich.console import Console

    from conformance.reports.background import Background  # imports Hypothesis, with the checks
    from conformance.reports.behaviours import is_judged
    from conformance.reports.diff.model import Diff
    from conformance.reports.reproduce import most_readable
    from conformance.reports.table import ResultTable
    from conformance.reports.terminal import show
    from conformance.reports.write import write_all
    from conformance.results.records import Outcome

    results = read_results(files)
    complaints = complain(results)
    diff = Diff.of(read_results([since]), results) if since else None
    table = ResultTable.of(results)
    try:
        written = write_all(table, output, Background.of(specs), diff=diff, strict=strict)
    except OSError as error:
        fail(f"{output}: {error.strerror}; expected a folder that can be written to")
    if as_format == "json":
        changes = {"changes": diff.as_dict(strict=strict)} if diff else {}
        click.echo(json.dumps({**table.summary(), **changes, "complaints": list(complaints)}, allow_nan=False))
    else:
        console = Console(width=None if sys.stdout.isatty() else 100)
        show(table, console)
        if subjects:
            for name, program in most_readable(results).items():
                click.echo(f"\nTo see {name} fail again, in a few lines:\n\n{program}")
        if diff:
            click.echo(f"\nsince {since}: {diff.verdict(strict=strict)}")
        click.echo(f"\nreports: {', '.join(str(path) for path in written)}")
    for complaint in complaints:
        click.echo(f"conformance: deviations: {complaint}", err=True)
    outcomes = {cell.outcome for part in results for cell in part.cells if is_judged(cell)}
    if complaints or table.total.broken or (strict and outcomes & {Outcome.FAIL, Outcome.ERROR}):
        sys.exit(NONCONFORMING)
    reached = all(part.footer if alone else part.complete for part in results)
    sys.exit(CONFORMS if outcomes - {Outcome.NOT_RUN, Outcome.UNSUPPORTED} and reached else INCOMPLETE)
