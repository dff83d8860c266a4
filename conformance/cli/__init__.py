"""The command line: thin; every command checks its arguments, calls one part, and prints.

Exit codes: 0 conforms, 1 non-conformance found, 2 usage, configuration or spec error, 3 nothing ran or incomplete.
A command's module is imported when the command is named, and other parts inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import gc
from collections import UserDict
from importlib import import_module
from typing import Any

import click

import conformance
from conformance.cli.options import INCOMPLETE, fail
from conformance.mistake import Mistake

COMMANDS = ("run", "report", "compare", "diff", "bisect", "list", "doctor", "lint", "explain", "replay", "power", "protocol-test", "schema")
"""Each is the function ``command`` of the module of its name."""


class _Modules(UserDict[str, click.Command]):
    """The commands by name; the module of one is imported when it is looked up."""

    def __getitem__(self, name: str) -> click.Command:
        module = str(super().__getitem__(name).name).replace("-", "_")
        command: click.Command = import_module(f"conformance.cli.{module}").command
        return command


class _Commands(click.Group):
    """Keeps the order of its commands; every mistake is one sentence, and an interrupt leaves a command incomplete: click says 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        return list(COMMANDS)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Mistake as error:
            fail(error, error.exit_code)
        except KeyboardInterrupt:
            fail("interrupted", INCOMPLETE)


@click.group(
    cls=_Commands,
    commands=_Modules({name: click.Command(name) for name in COMMANDS}),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(conformance.__version__, prog_name="conformance")
def main() -> None:
    """Is this really the mean squared error? Holds implementations to exact values and derived bounds."""
    gc.set_threshold(200_000, 50, 50)  # cells live until a command's end: looking for cycles among them took a quarter of its time
