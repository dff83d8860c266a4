"""The command ``schema``."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.argument("what", type=click.Choice(("results", "spec")))
def command(what: str) -> None:
    """Print the JSON Schema of a line of a results file, or of a spec file."""
    if what == "results":
        from conformance.results.reading import schema as made
    else:
        from conformance.specs.grammar import spec_schema as made
    click.echo(json.dumps(made(), indent=2))
