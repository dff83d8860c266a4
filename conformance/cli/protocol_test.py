"""The command ``protocol-test``."""

from __future__ import annotations

import sys

import click

from conformance.cli.options import CONFORMS, FRAMEWORK, INCOMPLETE, NONCONFORMING, PYTHON, chosen_frameworks, pythons_of


@click.command("protocol-test")
@FRAMEWORK
@PYTHON
def command(frameworks: tuple[str, ...], pythons: tuple[str, ...]) -> None:
    """Whether the runners of frameworks, each in its own interpreter, keep the protocol between judge and runner."""
    from conformance.workers.runner import Runner, RunnerOptions
    from conformance.workers.self_test import run

    others = pythons_of(pythons)
    ran, wrong = 0, 0
    for info in chosen_frameworks(frameworks):
        python = others.get(info.name)
        if python is None and (reason := info.why_missing()):
            click.echo(f"{info.name}: not run: {reason}")
            continue
        click.echo(f"{info.name}:")
        runner = Runner(info.name, RunnerOptions(python=python))
        try:
            for part, complaint in run(runner):
                ran, wrong = ran + 1, wrong + bool(complaint)
                click.echo(f"  {'✗' if complaint else '✓'} {part}{f': {complaint}' if complaint else ''}")
        finally:
            runner.shutdown()
    sys.exit(INCOMPLETE if not ran else NONCONFORMING if wrong else CONFORMS)
