"""The command line: thin; every command checks its arguments, calls one part, and prints.

Exit codes: 0 conforms, 1 non-conformance found, 2 usage, configuration or spec error, 3 nothing ran or incomplete.
Imports of other parts stand inside the commands, so that ``--help`` and ``list operations`` answer at once.
"""

from __future__ import annotations

import gc
from typing import Any

import click

import conformance
from conformance.cli import asking, bisecting, porting, reading, running
from conformance.cli.arguments import INCOMPLETE


class _Commands(click.Group):
    """Commands that an interrupt leaves incomplete; to click it would be exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("conformance: interrupted", err=True)
            ctx.exit(INCOMPLETE)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(conformance.__version__, prog_name="conformance")
def main() -> None:
    """Is this really the mean squared error? Holds implementations to exact values and derived bounds."""
    gc.set_threshold(200_000, 50, 50)  # cells live until a command's end: looking for cycles among them took a quarter of its time


for _command in (
    running.run,
    reading.report,
    porting.compare,
    reading.diff,
    bisecting.bisect,
    asking.list_,
    asking.doctor,
    asking.lint,
    asking.explain,
    running.replay,
    running.power,
    asking.schema,
):
    main.add_command(_command)
