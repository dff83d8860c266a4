"""Commands that run checks."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from conformance.cli.arguments import (
    CHECK,
    CONFORMS,
    DEVICE,
    DTYPE,
    FORMAT,
    FRAMEWORK,
    IMPLEMENTATION,
    INCOMPLETE,
    MODE,
    NONCONFORMING,
    OPERATION,
    PROFILE_NAMES,
    SEED,
    STRICT,
    chosen_frameworks,
    fail,
    load_specs,
    many,
    needed_by,
    needed_shard,
    profile_option,
    selection_of,
)
from conformance.cli.reading import finish
from conformance.cli.slots import executor_of, places_to_run, run_in_slots


@click.command()
@FRAMEWORK
@DEVICE
@MODE
@DTYPE
@OPERATION
@IMPLEMENTATION
@CHECK
@many(
    "--subject",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Run the implementations in this Python file instead. It is code and runs as you.",
)
@profile_option("quick")
@SEED
@click.option("--shard", metavar="I/N", help="Only the I-th of N disjoint parts, by a stable hash; `conformance report` merges them.")
@click.option("--resume", is_flag=True, help="Go on with the run in DIR that was interrupted: keep what had finished.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Workers at a time; as many as processors by default.")
@click.option(
    "--executor",
    type=click.Choice(("local", "ray")),
    default="local",
    show_default=True,
    help="Where it runs: here, or on all machines of a Ray cluster (--address, or RAY_ADDRESS).",
)
@click.option("--address", metavar="HOST:PORT", help="The Ray cluster; without it, the one that this machine belongs to, or a new one.")
@many("--environment", metavar="GLOB", help="In environments of specs/targets.toml that match, which uv makes where they run.")
@click.option("--slots", type=click.IntRange(1, 1000), metavar="N", help="Into how many parts each framework or environment is cut there.")
@click.option("--timeout", type=click.FloatRange(min=1), metavar="S", help="Seconds for a check on a target; by default the profile's.")
@click.option(
    "--memory",
    type=click.FloatRange(min=0.25),
    metavar="GIB",
    help="What each worker may use; by default as much as the machine has.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("conformance-results"),
    show_default=True,
    metavar="DIR",
)
@FORMAT
@STRICT
def run(
    framework: tuple[str, ...],
    device: tuple[str, ...],
    mode: tuple[str, ...],
    dtype: tuple[str, ...],
    operation: tuple[str, ...],
    implementation: tuple[str, ...],
    check: tuple[str, ...],
    subject: tuple[Path, ...],
    profile: str,
    seed: int | None,
    shard: str | None,
    resume: bool,  # noqa: FBT001 - click passes it
    jobs: int | None,
    executor: str,
    address: str | None,
    environment: tuple[str, ...],
    slots: int | None,
    timeout: float | None,
    memory: float | None,
    output: Path,
    as_format: str,
    strict: bool,  # noqa: FBT001 - click passes it
) -> None:
    """Run what is installed, write results and reports into DIR, print the matrix."""
    from conformance.claim import FolderTaken, claimed
    from conformance.cluster.run import SlotRun
    from conformance.engine import default_jobs, default_memory, new_run
    from conformance.profiles import profile_of
    from conformance.progress import ProgressDisplay
    from conformance.resume import ResumeError
    from conformance.writer import WriteLost

    part = None if shard is None else needed_shard(shard)
    specs = load_specs()
    chosen = chosen_frameworks([*framework, *needed_by(subject, specs)] if subject else framework)
    selection = selection_of(
        specs,
        frameworks=framework,
        devices=device,
        modes=mode,
        dtypes=dtype,
        operations=operation,
        implementations=implementation,
        checks=check,
        subjects=tuple(path.resolve() for path in subject),
    )
    if executor == "ray" or environment:
        if subject or part:
            fail(f"{'--subject' if subject else '--shard'}: found --executor ray or --environment too, expected one of the two")
        in_slots = SlotRun(
            specs,
            profile_of(profile, seed, timeout),
            selection,
            output / "results",
            executor_of(executor, address, jobs or default_jobs()),
            slots,
            resume,
            int(memory * 2**30) if memory else None,
        )
        run_in_slots(in_slots, places_to_run(specs, chosen, environment), output, as_format, strict=strict)
    display = ProgressDisplay([info.name for info in chosen])
    task = new_run(
        specs,
        profile_of(profile, seed, timeout),
        selection,
        output / "results",
        display,
        shard=part,
        resume=resume,
        memory=int(memory * 2**30) if memory else default_memory(),
    )
    try:
        with claimed(task.folder):
            with display:
                files = task.execute(chosen, jobs or default_jobs())
            finish(
                specs, files, output, as_format, lambda _: task.complaints(), strict=strict, subjects=bool(subject), alone=part is not None
            )
    except KeyboardInterrupt:
        click.echo(f"conformance: interrupted; what had finished is in {task.folder}: --resume goes on with it", err=True)
        sys.exit(INCOMPLETE)
    except WriteLost as lost:
        click.echo(f"conformance: {lost}; what had finished is there: --resume goes on with it", err=True)
        sys.exit(INCOMPLETE)
    except (FolderTaken, ResumeError) as error:
        fail(error)
    except OSError as error:
        fail(f"{output}: {error.strerror}; expected a folder that can be written to")


@click.command()
@click.argument("identifier", metavar="ID")
@many("--subject", type=click.Path(path_type=Path), metavar="FILE", help="The file the implementation is in, if it is your own.")
@click.option(
    "--profile",
    type=click.Choice(PROFILE_NAMES),
    help="How much is run; by default quick, and if that passes, full.",
)
@SEED
def replay(identifier: str, subject: tuple[Path, ...], profile: str | None, seed: int | None) -> None:
    """Run the one cell ID (check:quantity@target) again and print it with a standalone program."""
    from conformance.profiles import profile_of
    from conformance.replay import ReplayError
    from conformance.replay import replay as again
    from conformance.reports.reproduce import reproducer
    from conformance.results import Outcome

    specs = load_specs()
    needed_by(subject, specs)
    try:
        for name in (profile,) if profile else ("quick", "full"):
            cells = again(specs, identifier, profile_of(name, seed), tuple(path.resolve() for path in subject))
            if any(cell.outcome is not Outcome.PASS or cell.kind not in {"bound", "law"} for cell, _ in cells):
                break  # the others draw nothing, and are the same in every profile
    except ReplayError as error:
        fail(error)
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


@click.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="With each of the seeds 0 to N-1.")
@profile_option("full")
@many("--group", metavar="G", help="Only wrong miniatures of this group (and all right ones): value, dtype, range, shape, …")
@click.option("--once", is_flag=True, help="One check that kills is enough: do not count the others. Much faster.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Workers at a time; as many as processors by default.")
@FORMAT
def power(
    files: tuple[Path, ...],
    seeds: int,
    profile: str,
    group: tuple[str, ...],
    once: bool,  # noqa: FBT001 - click passes it
    jobs: int | None,
    as_format: str,
) -> None:
    """Put wrong and right miniatures to the checks: which are killed, by what, and whether right ones are accused.

    FILES are Python files named wrong_<group>….py or right….py, as --subject takes them; by default those that came with the suite.
    """
    from rich.console import Console

    from conformance.engine import default_jobs
    from conformance.power.miniatures import GROUPS, MiniatureError, examine, own_files
    from conformance.power.run import PowerRun
    from conformance.profiles import PROFILES
    from conformance.progress import counting
    from conformance.reports.power import Power, show

    for name in group:
        if name not in GROUPS:
            fail(f"--group: found {name!r}, expected some of {', '.join(GROUPS)}")
    specs, at_once = load_specs(), jobs or default_jobs()
    try:
        found = examine(files or own_files(), group, at_once)
        with counting("miniatures") as step:
            task = PowerRun(specs, PROFILES[profile], range(seeds), found, at_once, once, step)
            shown = Power(task.execute(), task.seeds, profile, found)
    except MiniatureError as error:
        fail(error)
    if as_format == "json":
        click.echo(json.dumps(shown.summary(), allow_nan=False))
    else:
        show(shown, Console(width=None if sys.stdout.isatty() else 140))
    sys.exit(INCOMPLETE if not shown.verdicts else CONFORMS if shown.proven else NONCONFORMING)
