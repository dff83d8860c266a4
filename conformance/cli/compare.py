"""The command that says what changes for someone who ports from one framework to another."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

import conformance
from conformance.cli.options import CONFORMS, INCOMPLETE, fail
from conformance.cli.output import write_output

_OWN = Path("conformance-results") / "results"


def _default_results() -> list[Path]:
    """What ``conformance run`` wrote here, else the results that came with a checkout."""
    committed = Path(conformance.__file__).resolve().parent.parent / "reports" / "results"
    found = next((folder for folder in (_OWN, committed) if folder.is_dir()), None)
    if found is None:
        fail(
            f"{_OWN}: found no such folder; expected the results of a `conformance run` there, or files or folders of results as arguments"
        )
    return [found]


@click.command("compare")
@click.argument("a", metavar="FROM")
@click.argument("b", metavar="TO")
@click.argument("results", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "as_format", type=click.Choice(("text", "markdown", "json", "html")), default="text", help="How it is written.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write it here, not to stdout.")
def command(a: str, b: str, results: tuple[Path, ...], as_format: str, output: Path | None) -> None:
    """What changes for someone who ports training code FROM one framework TO another.

    Each is a framework, such as torch or keras, or one entry point of it, such as torch:mse_loss.mean. RESULTS are results files, or
    folders of them: by default those in conformance-results, or those that came with the project.
    """
    from conformance.reports.compare.compare import port
    from conformance.reports.compare.render import markdown, page, text
    from conformance.reports.compare.sides import choose
    from conformance.specs.load import load

    porting = port(*choose(a, b, results or _default_results()), load())
    match as_format:
        case "json":
            written = json.dumps(porting.as_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
        case "html":
            written = page(porting)
        case "markdown":
            written = markdown(porting)
        case _:
            written = text(porting)
    if output is None:
        click.echo(written, nl=False)
    else:
        write_output(output, written)
    sys.exit(INCOMPLETE if porting.incomplete else CONFORMS)
