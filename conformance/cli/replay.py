"""The command ``replay``: run one cell again, with the inputs of a profile and a seed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from conformance.cli.options import CONFORMS, NONCONFORMING, PROFILE_NAMES, SEED, many, needed_by


@click.command("replay")
@click.argument("identifier", metavar="ID")
@many("--subject", type=click.Path(path_type=Path), metavar="FILE", help="The file the implementation is in, if it is your own.")
@click.option("--profile", type=click.Choice(PROFILE_NAMES), help="How much is run; by default quick, and if that passes, full.")
@SEED
def command(identifier: str, subject: tuple[Path, ...], profile: str | None, seed: int | None) -> None:
    """Run the one cell ID (check:quantity@target) again and print it with a standalone program."""
    from conformance.reports.reproduce import reproducer
    from conformance.results.records import Outcome
    from conformance.run.profiles import profile_of
    from conformance.run.replay import replay as again
    from conformance.specs.load import load

    specs = load()
    needed_by(subject, specs)
    for name in (profile,) if profile else ("quick", "full"):
        cells = again(specs, identifier, profile_of(name, seed), tuple(path.resolve() for path in subject))
        if any(cell.outcome is not Outcome.PASS or cell.kind not in {"bound", "law"} for cell, _ in cells):
            break  # the others draw nothing, and are the same in every profile
    for cell, entry in cells:
        click.echo(f"{cell.outcome.value}  {cell.id}")
        if cell.reason:
            click.echo(f"  {cell.reason}")
        if cell.answer:
            click.echo(f"  {cell.answer}")
        if cell.error_ulp is not None:
            click.echo(
                f"  worst error {cell.error_ulp:.3g} ulp, {cell.error_u:.3g} u; {cell.evaluations} evaluations; grade {cell.grade or '-'}"
            )
        if program := reproducer(cell, entry):
            click.echo(f"\n{program}")
    sys.exit(NONCONFORMING if any(cell.outcome in {Outcome.FAIL, Outcome.ERROR} for cell, _ in cells) else CONFORMS)
