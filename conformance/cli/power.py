"""The command ``power``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from conformance.cli.options import CONFORMS, FORMAT, INCOMPLETE, JOBS, NONCONFORMING, fail, many, profile_option


@click.command("power")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="With each of the seeds 0 to N-1.")
@profile_option("full")
@many("--group", metavar="G", help="Only mutants of this group (and all equivalent variants): value, dtype, range, shape, …")
@click.option("--stop-at-first-kill", is_flag=True, help="One check that kills is enough: do not count the others. Much faster.")
@JOBS
@FORMAT
def command(
    files: tuple[Path, ...],
    seeds: int,
    profile: str,
    group: tuple[str, ...],
    stop_at_first_kill: bool,  # noqa: FBT001 - click passes it
    jobs: int | None,
    as_format: str,
) -> None:
    """Measure the statistical power of the suite: which known-bad implementations it rejects, and whether it accepts the good ones.

    The checks run on mutants, each wrong in one way, and on equivalent variants, right in an unusual way: which mutants are killed, by
    which check, and whether an equivalent variant is accused.

    FILES are Python files named mutants_<group>….py or variants….py, as --subject takes them; by default those that came with the suite.
    """
    from rich.console import Console

    from conformance.power.power_run import PowerRun
    from conformance.power.report import show, summary
    from conformance.power.variants import GROUPS, examine, own_files
    from conformance.run.engine import default_jobs
    from conformance.run.profiles import PROFILES
    from conformance.run.progress import counting
    from conformance.specs.load import load

    for name in group:
        if name not in GROUPS:
            fail(f"--group: found {name!r}, expected some of {', '.join(GROUPS)}")
    specs, at_once = load(), jobs or default_jobs()
    found = examine(files or own_files(), group, at_once)
    with counting("variants") as progress:
        task = PowerRun(specs, PROFILES[profile], range(seeds), found, at_once, stop_at_first_kill, progress)
        task.execute()
    if as_format == "json":
        click.echo(json.dumps(summary(task), allow_nan=False))
    else:
        show(task, Console(width=None if sys.stdout.isatty() else 140))
    sys.exit(INCOMPLETE if not task.verdicts else CONFORMS if task.proven else NONCONFORMING)
