"""The command that finds the release in which a cell changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli.options import CONFORMS, DTYPE, FORMAT, IMPLEMENTATION, MODE, chosen_frameworks, fail, many, profile_option

if TYPE_CHECKING:
    from conformance.results.records import Cell
    from conformance.specs.grammar import MatrixTable
    from conformance.specs.targets import Targets
    from conformance.versions.search import Found


@click.command("bisect")
@click.option("--framework", required=True, metavar="F", help="The framework, such as jax or keras-tensorflow.")
@click.option("--check", required=True, metavar="ID", help="A check or a glob of some, or one cell: check:quantity@target.")
@click.option("--good", required=True, metavar="A", help="A release, such as 0.4.31.")
@click.option("--bad", required=True, metavar="B", help="Another, in which the cell differs; which of the two is later does not matter.")
@IMPLEMENTATION
@MODE
@DTYPE
@click.option("--package", default="", metavar="P", help="Go through the releases of this distribution instead of the framework's own.")
@many("--with", "extra", metavar="REQUIREMENT", help="Install this beside it, such as 'numpy<2'.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("conformance-bisect"),
    show_default=True,
    metavar="DIR",
    help="Where the results of each release are kept.",
)
@profile_option("full")
@FORMAT
def command(
    framework: str,
    check: str,
    good: str,
    bad: str,
    package: str,
    extra: tuple[str, ...],
    cache: Path,
    profile: str,
    as_format: str,
    **target: tuple[str, ...],
) -> None:
    """Find the two neighbouring releases between which a cell changed.

    Each release is installed with uv into an environment of its own, which is thrown away; what it answered is kept. Exit code 0 if the
    two were found, 3 if A and B do not differ or could not be run.
    """
    from conformance.specs.load import load
    from conformance.versions.environments import EnvironmentBuilder
    from conformance.versions.search import search

    chosen = chosen_frameworks([framework])
    if len(chosen) != 1:
        fail(f"--framework: found {framework!r}, which stands for {len(chosen)} frameworks, expected one, such as {chosen[0].name}")
    specs = load()
    targets, table = _table(specs.root, chosen[0].name, package)
    options = [*_selected(check, target), "--profile", profile]
    builder = EnvironmentBuilder(specs, targets, table, extra, tuple(options), cache, lambda line: click.echo(line, err=True))
    releases = builder.releases(good, bad)
    click.echo(f"{len(releases)} releases of {table.distribution} from {releases[0]} to {releases[-1]}", err=True)
    found = search(releases, builder.run_release)
    if as_format == "json":
        click.echo(json.dumps(_as_dict(found, table.distribution), allow_nan=False))
    else:
        for line in _lines(found, table.distribution):
            click.echo(line)
    sys.exit(CONFORMS)


def _table(root: Path, framework: str, package: str) -> tuple[Targets, MatrixTable]:
    from conformance.specs.targets import read_targets

    targets = read_targets(root)
    table = targets.table_of(framework, package)
    if table is None:
        known = ", ".join(f"{t.framework} with {t.distribution}" for t in targets.tables)
        fail(f"found no {package or 'versions'} of {framework} in targets.toml, expected one of {known}")
    return targets, table


def _selected(check: str, given: Mapping[str, Sequence[str]]) -> list[str]:
    """The options of ``conformance run`` that select the check, and of a cell its target; of a check what of its targets was given."""
    from conformance.results.records import split_id

    id_, _, target = split_id(check)
    if target:
        parts = target.split("/")
        if len(parts) != 5:
            fail(f"--check: found the target {target!r}, expected framework/implementation/device/mode/dtype after an @")
        _, named, device, ran, kind = parts
        return ["--check", id_, "--implementation", named, "--device", device, "--mode", ran, "--dtype", kind]
    pairs = [(f"--{name}", value) for name in ("implementation", "mode", "dtype") for value in given.get(f"{name}s", ())]
    return ["--check", id_, *(part for pair in pairs for part in pair)]


def _lines(found: Found, distribution: str) -> list[str]:
    lines = [
        f"{found.cell}",
        f"changed from {distribution} {found.before} to {found.after}:",
        f"  {found.before}  {_said(found.cell_before)}",
        f"  {found.after}  {_said(found.cell_after)}",
    ]
    if found.others:
        lines += ["with it changed:", *(f"  {id_}" for id_ in found.others[:20])]
        lines += [f"  … and {len(found.others) - 20} more"] if len(found.others) > 20 else []
    lines += [f"{version}, which lies between, could not be looked at: {why}" for version, why in found.skipped.items()]
    return [*lines, f"{found.looked} releases were looked at"]


def _said(cell: Cell | None) -> str:
    """One side in a line."""
    if cell is None:
        return "no such cell"
    if cell.kind == "behaviour":
        return cell.answer
    error = f"{cell.error_u:.3g} u" if cell.error_u is not None else ""
    grade = str(cell.grade) if cell.grade else ""
    more = "; ".join(part for part in (cell.reason, error, grade, *cell.flags) if part)
    return f"{cell.outcome.value}: {more}" if more else cell.outcome.value


def _as_dict(found: Found, distribution: str) -> dict[str, object]:
    def side(version: str, cell: Cell | None) -> dict[str, object]:
        return {"version": version, "cell": cell and cell.model_dump(mode="json", exclude_defaults=True)}

    return {
        "distribution": distribution,
        "cell": found.cell,
        "before": side(found.before, found.cell_before),
        "after": side(found.after, found.cell_after),
        "others": list(found.others),
        "skipped": dict(found.skipped),
        "looked": found.looked,
    }
