"""The command ``diff``."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from conformance.cli.options import CONFORMS, INCOMPLETE, NONCONFORMING, STRICT
from conformance.cli.output import read_results, write_output

if TYPE_CHECKING:
    from conformance.reports.diff.model import Diff


@click.command("diff")
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
def command(old: Path, new: Path, output: Path | None, as_format: str, strict: bool) -> None:  # noqa: FBT001 - click passes it
    """Compare two runs cell by cell: what regressed, is fixed, new or removed, better or worse.

    OLD and NEW are results files, or folders of them. Versions of a framework do not matter, or this could not tell what an upgrade
    changed. Exit code 1 on a regression, 3 if there is none to be seen because a run did not reach its end or ran a framework no longer.
    """
    from conformance.reports.diff.model import Diff

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
