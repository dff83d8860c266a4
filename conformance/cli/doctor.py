"""The command ``doctor``."""

from __future__ import annotations

import json
import sys

import click

from conformance.cli.options import (
    CONFORMS,
    FORMAT,
    FRAMEWORK,
    INCOMPLETE,
    chosen_frameworks,
)


@click.command("doctor")
@FRAMEWORK
@FORMAT
def command(framework: tuple[str, ...], as_format: str) -> None:
    """What is installed, its devices, the flags that change numerics, and why a target is missing."""
    from rich.console import Console

    from conformance.run.doctor import examine, show

    reports = [examine(info) for info in chosen_frameworks(framework)]
    if as_format == "json":
        click.echo(json.dumps(reports))
    else:
        show(reports, Console())
    sys.exit(CONFORMS if any(r["status"] == "ready" for r in reports) else INCOMPLETE)
