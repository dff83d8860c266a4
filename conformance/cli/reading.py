"""Commands that read results files."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from conformance.cli.arguments import CONFORMS, FORMAT, INCOMPLETE, NONCONFORMING, STRICT, fail, load_specs, write_output

if TYPE_CHECKING:
    from conformance.reports.diff import Diff
    from conformance.results import Results
    from conformance.specs.model import Specs


def read_results(paths: Sequence[Path]) -> list[Results]:
    """The results files among the paths, merged, the shards of a run put together."""
    from conformance.merging import find, merge
    from conformance.results import ResultsError, read
    from conformance.shards import combined

    try:
        return combined(merge(read(path) for path in find(paths)))
    except ResultsError as error:
        fail(error)


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

    from conformance.background import SpecsBackground  # imports Hypothesis, with the checks
    from conformance.reports import Table, write_all
    from conformance.reports.behaviours import is_judged
    from conformance.reports.diff import Diff
    from conformance.reports.reproduce import most_readable
    from conformance.reports.terminal import show
    from conformance.results import Outcome

    results = read_results(files)
    complaints = complain(results)
    diff = Diff.of(read_results([since]), results) if since else None
    table = Table.of(results)
    try:
        written = write_all(table, output, SpecsBackground.of(specs), diff=diff, strict=strict)
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


@click.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR")
@click.option("--since", type=click.Path(path_type=Path), metavar="OLD", help="An earlier run: the reports say what changed.")
@FORMAT
@STRICT
def report(results: tuple[Path, ...], output: Path, since: Path | None, as_format: str, strict: bool) -> None:  # noqa: FBT001 - click passes it
    """Render RESULTS (files, or folders of them), merged, into DIR."""
    from conformance.documented import complaints_of_shards

    specs = load_specs()
    finish(specs, results, output, as_format, partial(complaints_of_shards, specs), strict=strict, since=since)


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it there; stdout gets a line.")
@click.option(
    "--format",
    "as_format",
    type=click.Choice(("text", "markdown", "json")),
    default="text",
    show_default=True,
    help="What stdout, or FILE, gets.",
)
@STRICT
def diff(old: Path, new: Path, output: Path | None, as_format: str, strict: bool) -> None:  # noqa: FBT001 - click passes it
    """Compare two runs cell by cell: what regressed, is fixed, new or removed, better or worse.

    OLD and NEW are results files, or folders of them. Versions of a framework do not matter, or this could not tell what an upgrade
    changed. Exit code 1 on a regression, 3 if there is none to be seen because a run did not reach its end or ran a framework no longer.
    """
    from conformance.reports.diff import Diff

    compared = Diff.of(read_results([old]), read_results([new]))
    if output:
        held = io.StringIO()
        _show(compared, as_format, held, strict=strict)
        write_output(output, held.getvalue())
        click.echo(compared.verdict(strict=strict))
    else:
        _show(compared, as_format, sys.stdout, strict=strict)
    sys.exit(NONCONFORMING if compared.regressed(strict=strict) else INCOMPLETE if compared.hidden else CONFORMS)


def _show(compared: Diff, as_format: str, file: TextIO, *, strict: bool) -> None:
    """Write the comparison in a format; as text in colours, where there is a terminal."""
    if as_format == "json":
        click.echo(json.dumps(compared.as_dict(strict=strict), allow_nan=False), file=file)
    elif as_format == "markdown":
        from conformance.reports.diff.markdown import markdown

        click.echo(markdown(compared, strict=strict), file=file, nl=False)
    else:
        from rich.console import Console

        from conformance.reports.diff.terminal import show

        show(compared, Console(file=file, width=None if file.isatty() else 100), strict=strict)
