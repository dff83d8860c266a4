"""What becomes of a run when something goes wrong: injects faults, resumes what was interrupted, and counts the cells that are lost.

    python benchmarks/faults.py
    python benchmarks/faults.py --fault 'a runner is killed' --moments 5 --format json

A fault is survived if the results file can be read, says what happened, is gone on with without repeating what had finished, and then
holds every cell of an undisturbed run, each with the outcome that it has there unless the fault is the cell's own.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import platform
import random
import resource
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import click
import fuzz
from rich.console import Console
from rich.table import Table as Grid
from rig import JUDGE, LOSS_OF_TORCH, NOBODYS, PATIENCE, RUNNER, Injection, Rig, children, wait_until

from conformance.results.reading import read
from conformance.results.records import Cell, Outcome


def killed(module: str) -> Callable[[Rig], Iterator[Injection]]:
    """``kill -9`` of one of the two processes of a framework, at random moments, from outside."""

    def inject(rig: Rig) -> Iterator[Injection]:
        subject = rig.subject()
        for _ in range(rig.moments):
            results, after = rig.fresh(), rig.moment()

            def kill(after: float = after) -> None:
                time.sleep(after)
                for pid in children(rig, module):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

            killer = threading.Thread(target=kill)
            killer.start()
            path = rig.run(results, subject)
            killer.join()
            yield rig.judged(path, own=lambda cell: "SIGKILL" in cell.reason)

    return inject


def the_engine_is_killed(rig: Rig) -> Iterator[Injection]:
    """``kill -9`` of the command, at random moments: judges and runners end with it."""
    subject = rig.subject("time.sleep(0.1)")
    for _ in range(max(1, rig.moments // 5)):
        yield from _killed(rig, subject, rig.moment() / 2, timeout=60.0)


def the_engine_is_killed_in_a_hang(rig: Rig) -> Iterator[Injection]:
    """The same while a runner waits for nothing, and does not notice."""
    yield from _killed(rig, rig.subject("time.sleep(600)"), 3.0, timeout=3.0, own=lambda cell: cell.target.implementation == "bad")


def _killed(rig: Rig, subject: Path, after: float, *, timeout: float, own: Callable[[Cell], bool] = NOBODYS) -> Iterator[Injection]:
    results = rig.fresh() / "results"
    process = rig.command(results, subject)
    begun = rig.begun(process, results)
    time.sleep(after)
    process.kill()
    process.communicate()
    gone = wait_until(lambda: not children(rig))
    found = rig.judged(rig.file(results), timeout=timeout, own=own)
    found.require(begun, "the run did not begin")
    found.require(gone, "a runner or a judge lives on")
    yield found


def an_interrupt(rig: Rig) -> Iterator[Injection]:
    """Ctrl-C at random moments."""
    subject = rig.subject("time.sleep(0.1)")
    for _ in range(max(1, rig.moments // 5)):
        results = rig.fresh() / "results"
        process = rig.command(results, subject)
        rig.begun(process, results)
        time.sleep(rig.moment() / 4)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
        found = rig.judged(rig.file(results))
        found.require(process.returncode in {0, 3, -signal.SIGINT}, f"exit code {process.returncode}: {errors[-300:]}")
        found.require("Traceback" not in errors, "a traceback")  # -SIGINT: the run had ended, and the process was leaving
        yield found


def a_full_disk(rig: Rig) -> Iterator[Injection]:
    """No room for the next record: a file that may not grow, at random sizes, and a device that is always full."""
    subject = rig.subject()
    size = rig.file(rig.run(rig.fresh(), subject).parent).stat().st_size
    for number in range(max(2, rig.moments // 5)):
        results = rig.fresh() / "results"
        limit = rig.chance.randrange(size // 4, size)
        before = f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY))" if number else "pass"
        if not number:
            results.mkdir()
            rig.file(results).symlink_to("/dev/full")
        process = rig.command(results, subject, before=before)
        _, errors = process.communicate(timeout=PATIENCE)
        if not number:
            rig.file(results).unlink()
        found = rig.judged(rig.run(results, subject, resume=True) if not number else rig.file(results))
        found.require(process.returncode == 3, f"exit code {process.returncode}")
        found.require(
            "expected room for another record" in errors and "Traceback" not in errors, f"the reason is not said: {errors[-200:]}"
        )
        yield found


def two_runs_at_once(rig: Rig) -> Iterator[Injection]:
    """Into one folder: the second says so, and the first goes on."""
    results = rig.fresh() / "results"
    leave = results.parent / "leave"
    subject = rig.subject(f"while not os.path.exists({str(leave)!r}): time.sleep(0.02)")
    first = rig.command(results, subject)
    rig.begun(first, results)
    second = rig.command(results, subject)
    _, errors = second.communicate(timeout=PATIENCE)
    leave.touch()
    first.communicate(timeout=PATIENCE)
    found = rig.judged(rig.file(results))
    found.require(first.returncode == 0, f"the first has exit code {first.returncode}")
    found.require(second.returncode == 2, f"the second has exit code {second.returncode}")
    found.require("found another run that writes into this folder" in errors, "the second does not say why")
    yield found


def inside(fault: str, happened: str, *, timeout: float = 60.0, memory: int | None = None) -> Callable[[Rig], Iterator[Injection]]:
    """A fault inside a call of the implementation: an error of that check, and of nothing else."""

    def inject(rig: Rig) -> Iterator[Injection]:
        path = rig.run(rig.fresh(), rig.subject(fault), timeout=timeout, memory=memory)
        yield rig.judged(path, happened=happened, own=lambda cell: cell.target.implementation == "bad")

    return inject


def harmless(fault: str, happened: str = "") -> Callable[[Rig], Iterator[Injection]]:
    """Something that an implementation does and that must change no outcome, neither its own nor another's."""

    def inject(rig: Rig) -> Iterator[Injection]:
        yield rig.judged(rig.run(rig.fresh(), rig.subject(fault)), happened=happened)

    return inject


def a_failing_import(rig: Rig) -> Iterator[Injection]:
    """A framework that cannot be imported: every check is an error, and runs once it can."""
    path = rig.run(rig.fresh(), rig.subject(head="raise ImportError('no libsomething.so')\n"))
    said = read(path)
    rig.subject()
    found = rig.judged(path)
    found.require(said.complete and {cell.outcome for cell in said.cells} == {Outcome.ERROR}, "it is not an error")
    found.require(all("no libsomething.so" in cell.reason for cell in said.cells), "the reason is not said")
    yield found


def a_default_dtype(rig: Rig) -> Iterator[Injection]:
    """PyTorch's default dtype, which another implementation relies on."""
    if importlib.util.find_spec("torch") is None:
        return
    other = Rig(rig.folder, rig.moments, rig.chance, "torch")
    path = other.run(other.fresh(), other.subject("torch.set_default_dtype(torch.float64)", loss=LOSS_OF_TORCH))
    yield other.judged(path, happened="changes default_dtype", own=lambda cell: cell.target.implementation == "bad")


def flush_to_zero(rig: Rig) -> Iterator[Injection]:
    """The processor's own mode, in which the oracle would reckon as well."""
    if platform.machine() in {"x86_64", "AMD64"} and hasattr(ctypes.CDLL(None), "fesetenv"):
        yield from inside("flush_to_zero()", "changes the floating-point environment")(rig)


FAULTS: dict[str, Callable[[Rig], Iterator[Injection]]] = {
    "a runner is killed": killed(RUNNER),
    "a judge is killed": killed(JUDGE),
    "the engine is killed": the_engine_is_killed,
    "the engine is killed in a hang": the_engine_is_killed_in_a_hang,
    "an interrupt": an_interrupt,
    "a full disk": a_full_disk,
    "two runs at once": two_runs_at_once,
    "a segfault in a call": inside("ctypes.string_at(0)", "died with signal SIGSEGV"),
    "a hang": inside("time.sleep(600)", "it hung: no answer in 3 s while running mse/mean/", timeout=3.0),
    "memory exhausted": inside("exhaust()", "MemoryError", memory=2**30),
    "it dies and leaves a process": inside("os.fork() and os._exit(7); time.sleep(600)", "died with exit code 7"),
    "a failing import": a_failing_import,
    "it prints on stdout": harmless("print('noise'); os.write(1, b'more' * 9999)"),
    "it reads stdin": harmless("sys.stdin.read()"),
    "it leaves the folder": harmless("os.chdir('/')", "changes the working directory"),
    "it sets the locale": harmless("locale.setlocale(locale.LC_ALL, 'C.UTF-8')", "changes the locale"),
    "it seeds random numbers": harmless("random.seed(0); np.random.seed(0)"),
    "it flushes to zero": flush_to_zero,
    "it sets the default dtype": a_default_dtype,
    "it leaves threads behind": harmless("threading.Thread(target=time.sleep, args=(600,)).start()"),
}


@click.command()
@click.option("--fault", "names", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--moments",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="At which a runner or judge is killed; others at a fifth.",
)
@click.option("--fuzzed", "count", type=click.IntRange(min=0), default=1000, show_default=True, help="Of spec files, and of results files.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--format", "as_format", type=click.Choice(("text", "json")), default="text")
def main(names: tuple[str, ...], moments: int, count: int, seed: int, as_format: str) -> None:
    """Inject the faults; exit code 1 if one of them was not survived."""
    every = {**FAULTS, **dict.fromkeys(fuzz.KINDS)}
    if unknown := [name for name in names if name not in every]:
        raise click.BadParameter(f"found {unknown[0]!r}, expected one of {', '.join(every)}")
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))  # of processes that die on purpose
    found: dict[str, list[Injection]] = {}
    console = Console(stderr=True)
    for name in names or every:
        with tempfile.TemporaryDirectory(prefix="faults-") as folder, console.status(name):
            if inject := FAULTS.get(name):
                found[name] = list(inject(Rig(Path(folder), moments, random.Random(seed))))  # noqa: S311 - moments, no secrets
            elif count:
                problems = fuzz.KINDS[name](Path(folder), count, seed)
                found[name] = [Injection([sentence] if sentence else []) for sentence in problems]
    _show(found, as_format)
    sys.exit(any(injection.problems for injections in found.values() for injection in injections))


def _show(found: dict[str, list[Injection]], as_format: str) -> None:
    counts = {
        name: (len(injections), sum(not injection.problems for injection in injections), sum(injection.lost for injection in injections))
        for name, injections in found.items()
    }
    problems = {
        name: list(dict.fromkeys(sentence for one in injections for sentence in one.problems)) for name, injections in found.items()
    }
    if as_format == "json":
        named = {name: dict(zip(("injected", "survived", "lost"), row, strict=True)) for name, row in counts.items()}
        click.echo(json.dumps({name: {**row, "problems": problems[name]} for name, row in named.items()}))
        return
    grid = Grid("fault", "injected", "survived", "cells lost")
    for name, row in counts.items():
        grid.add_row(name, *(f"{count:,}" for count in row))
    grid.add_section()
    grid.add_row("all", *(f"{sum(column):,}" for column in zip(*counts.values(), strict=True)))
    console = Console(width=100)
    console.print(grid)
    for name, sentences in problems.items():
        for sentence in sentences[:10]:
            console.print(f"{name}: {sentence}", markup=False, highlight=False)


if __name__ == "__main__":
    main()
