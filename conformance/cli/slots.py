"""The part of ``run`` that works in slots: on a cluster, or in environments of the versions that the matrix is made of."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from conformance.cli.arguments import INCOMPLETE, fail
from conformance.cli.reading import finish

if TYPE_CHECKING:
    from conformance.cluster.executors import Executor
    from conformance.cluster.run import Place, SlotRun
    from conformance.frameworks.registry import FrameworkInfo
    from conformance.specs.model import Specs


def executor_of(name: str, address: str | None, jobs: int) -> Executor:
    """Who works: threads of this machine, or a Ray cluster."""
    from conformance.cluster.executors import LocalExecutor, NoExecutor, RayExecutor

    try:
        return RayExecutor(address) if name == "ray" else LocalExecutor(jobs)
    except NoExecutor as error:
        fail(error)


def places_to_run(specs: Specs, chosen: Sequence[FrameworkInfo], globs: Sequence[str]) -> list[Place]:
    """The frameworks as they are found where they run; or the environments that match."""
    from conformance.cluster.run import Place
    from conformance.frameworks.registry import frameworks
    from conformance.specs.problems import SpecError
    from conformance.specs.targets import read_targets

    if not globs:
        return [Place(info) for info in chosen]
    try:
        known = list(read_targets(specs.root).environments())
    except SpecError as error:
        fail(error)
    for glob in globs:
        if not any(fnmatchcase(each.name, glob) for each in known):
            fail(f"--environment: found {glob!r}, which matches none of {', '.join(each.name for each in known)}")
    infos = frameworks()
    return [Place(infos[each.framework], each) for each in known if any(fnmatchcase(each.name, glob) for glob in globs)]


def run_in_slots(run: SlotRun, places: Sequence[Place], output: Path, as_format: str, *, strict: bool) -> NoReturn:
    """Work on all of them, and report what came of it."""
    from conformance.claim import FolderTaken, claimed
    from conformance.progress import counting

    try:
        with claimed(run.folder):
            with counting("slots") as step:
                files = run.execute(places, step)
            for done in run.failed:
                click.echo(f"conformance: {done.slot.stem}: {done.reason}; --resume runs it again", err=True)
            if not files:
                sys.exit(INCOMPLETE)
            finish(run.specs, files, output, as_format, run.complaints, strict=strict)
    except KeyboardInterrupt:
        click.echo(f"conformance: interrupted; what had finished is in {run.folder}: --resume goes on with it", err=True)
        sys.exit(INCOMPLETE)
    except FolderTaken as error:
        fail(error)
    except OSError as error:
        fail(f"{output}: {error.strerror}; expected a folder that can be written to")
