"""The command ``run``."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from conformance.cli.options import (
    FORMAT,
    INCOMPLETE,
    JOBS,
    PYTHON,
    SEED,
    STRICT,
    chosen_frameworks,
    fail,
    many,
    needed_by,
    profile_option,
    pythons_of,
    selecting,
    selection_of,
)
from conformance.cli.output import finish

if TYPE_CHECKING:
    from conformance.cluster.distributed_run import DistributedRun
    from conformance.cluster.job import JobTarget
    from conformance.frameworks.info import FrameworkInfo
    from conformance.results.reading import Results
    from conformance.run.engine import Run
    from conformance.specs.model import Specs

    Complain = Callable[[Sequence[Results]], Sequence[str]]


@click.command("run")
@selecting
@many(
    "--subject",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Run the implementations in this Python file instead. It is code and runs as you.",
)
@PYTHON
@profile_option("quick")
@SEED
@click.option("--shard", metavar="I/N", help="Only the I-th of N disjoint parts, by a stable hash; `conformance report` merges them.")
@click.option("--resume", is_flag=True, help="Go on with the run in DIR that was interrupted: keep what had finished.")
@JOBS
@click.option(
    "--executor",
    type=click.Choice(("local", "ray")),
    default="local",
    show_default=True,
    help="Where it runs: here, or on all machines of a Ray cluster (--address, or RAY_ADDRESS).",
)
@click.option("--address", metavar="HOST:PORT", help="The Ray cluster; without it, the one that this machine belongs to, or a new one.")
@many("--environment", metavar="GLOB", help="In environments of specs/targets.toml that match, which uv makes where they run.")
@click.option(
    "--shards-per-framework",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Into how many parts each framework or environment is cut there.",
)
@click.option("--sandbox", is_flag=True, help="What runs writes no files, opens no connections and signals nobody (Linux 5.13 or later).")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    metavar="S",
    help="Seconds for a call of an implementation, 10 by default; the first call of a shape that is compiled has 120 at least.",
)
@click.option(
    "--memory",
    type=click.FloatRange(min=0.25),
    metavar="GIB",
    help="What each process may use; by default as much as the machine has.",
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
def command(
    frameworks: tuple[str, ...],
    subject: tuple[Path, ...],
    pythons: tuple[str, ...],
    profile: str,
    seed: int | None,
    shard: str | None,
    resume: bool,  # noqa: FBT001 - click passes it
    jobs: int | None,
    executor: str,
    address: str | None,
    environment: tuple[str, ...],
    shards_per_framework: int | None,
    timeout: float | None,
    memory: float | None,
    sandbox: bool,  # noqa: FBT001 - click passes it
    output: Path,
    as_format: str,
    strict: bool,  # noqa: FBT001 - click passes it
    **selected: tuple[str, ...],
) -> None:
    """Run what is installed, write results and reports into DIR, print the matrix."""
    from conformance.cluster.backends import LocalExecutor, RayExecutor
    from conformance.cluster.distributed_run import DistributedRun
    from conformance.results.lock import lock_folder
    from conformance.results.shards import shard_of
    from conformance.results.writing import WriteError
    from conformance.run.engine import Run, default_jobs, default_memory
    from conformance.run.profiles import profile_of
    from conformance.runner.sandbox import hide_memory, version
    from conformance.specs.load import load

    part = None if shard is None else shard_of(shard)
    specs = load()
    others = pythons_of(pythons)
    chosen = chosen_frameworks([*frameworks, *needed_by(subject, specs, others)])
    if others and not any(info.name in others for info in chosen):
        fail(f"--python: found an interpreter of {', '.join(others)}, expected one of {', '.join(info.name for info in chosen)}")
    if subject:
        hide_memory()  # what judges them must not be patched by them
    if subject and seed is None:
        seed = _seed_of_subjects(output / "results", resume=resume)
    if sandbox and not version():
        fail("--sandbox: found a system without Landlock, expected Linux 5.13 or later")
    selection = selection_of(specs, **selected, subjects=tuple(path.resolve() for path in subject))
    asked = (specs, profile_of(profile, seed, timeout), selection, output / "results")
    limit = int(memory * 2**30) if memory else None
    work: Callable[[], tuple[list[Path], Complain]]
    if executor == "ray" or environment:
        if here := next((name for name, given in (("--subject", subject), ("--shard", part), ("--python", others)) if given), ""):
            fail(f"{here}: found --executor ray or --environment too, expected one of the two")
        where = RayExecutor(address) if executor == "ray" else LocalExecutor(jobs or default_jobs())
        run = DistributedRun(*asked, where, shards_per_framework, resume, limit)
        work = partial(_run_jobs, run, job_targets(specs, chosen, environment))
    else:
        task = Run(*asked, shard=part, resume=resume, memory=limit or default_memory(), pythons=others, sandbox=sandbox)
        work = partial(_run_here, task, chosen, jobs or default_jobs())
    try:
        with lock_folder(output / "results"):
            files, complain = work()
            finish(specs, files, output, as_format, complain, strict=strict, subjects=bool(subject), alone=part is not None)
    except KeyboardInterrupt:
        fail(f"interrupted; what had finished is in {output / 'results'}: --resume goes on with it", INCOMPLETE)
    except WriteError as lost:
        fail(f"{lost}; what had finished is there: --resume goes on with it", INCOMPLETE)
    except OSError as error:
        fail(f"{output}: {error.strerror}; expected a folder that can be written to")


def _seed_of_subjects(folder: Path, *, resume: bool) -> int:
    """One that nobody could know when a subject was written; that of the run that is gone on with."""
    from conformance.results.reading import read

    if resume:
        for path in sorted(folder.glob("*.jsonl")):
            if (seed := read(path).header.seed) is not None:
                return seed
    seed = secrets.randbelow(2**31)
    click.echo(f"seed {seed}, drawn for what is run: --seed {seed} draws the same inputs again", err=True)
    return seed


def _run_here(task: Run, chosen: Sequence[FrameworkInfo], jobs: int) -> tuple[list[Path], Complain]:
    """Run the frameworks on this machine: their results files, and what names wrong documented deviations."""
    return task.execute(chosen, jobs), lambda _: task.complaints()


def _run_jobs(run: DistributedRun, targets: Sequence[JobTarget]) -> tuple[list[Path], Complain]:
    """Run the jobs of these targets, and name on stderr those that failed."""
    from conformance.run.progress import counting

    with counting("jobs") as progress:
        files = run.execute(targets, progress)
    for done in run.failed:
        click.echo(f"conformance: {done.job.stem}: {done.reason}; --resume runs it again", err=True)
    if not files:
        sys.exit(INCOMPLETE)
    return files, run.complaints


def job_targets(specs: Specs, chosen: Sequence[FrameworkInfo], globs: Sequence[str]) -> list[JobTarget]:
    """The frameworks as they are found where they run; or the environments that match."""
    from conformance.cluster.job import JobTarget
    from conformance.frameworks.registry import frameworks
    from conformance.specs.targets import read_targets

    if not globs:
        return [JobTarget(info) for info in chosen]
    known = list(read_targets(specs.root).environments())
    for glob in globs:
        if not any(fnmatchcase(each.name, glob) for each in known):
            fail(f"--environment: found {glob!r}, which matches none of {', '.join(each.name for each in known)}")
    infos = frameworks()
    return [JobTarget(infos[each.framework], each) for each in known if any(fnmatchcase(each.name, glob) for glob in globs)]
