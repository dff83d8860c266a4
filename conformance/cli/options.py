"""What commands share: exit codes, options, and arguments made into parts of the suite, every mistake in them one sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from conformance.run.plan import Selection
    from conformance.specs.model import Specs

_Command = TypeVar("_Command", bound=Callable[..., Any])

CONFORMS, NONCONFORMING, USAGE, INCOMPLETE = 0, 1, 2, 3
DTYPES = ("float16", "bfloat16", "float32", "float64")
PROFILE_NAMES = ("quick", "full", "deep")


def fail(sentence: object, code: int = USAGE) -> NoReturn:
    """One sentence on stderr and an exit code."""
    click.echo(f"conformance: {sentence}", err=True)
    sys.exit(code)


def many(*names: str, help: str, **options: Any) -> Callable[[_Command], _Command]:  # noqa: A002 - click's own name for it
    """An option that may be given several times."""
    return click.option(*names, multiple=True, help=help, **options)


def profile_option(default: str) -> Callable[[_Command], _Command]:
    """The option of how much is run."""
    return click.option("--profile", type=click.Choice(PROFILE_NAMES), default=default, show_default=True, help="How much is run.")


FRAMEWORK = many(
    "--framework", "frameworks", metavar="F", help="Only this framework (keras: all its backends); may be repeated, as all of these."
)
DEVICE = many("--device", "devices", metavar="D", help="Only this device: cpu, cuda, tpu, cuda:1.")
MODE = many("--mode", "modes", metavar="M", help="Only this mode: eager, compile, graph, xla, jit, vmap.")
DTYPE = many("--dtype", "dtypes", type=click.Choice(DTYPES), help="Only this dtype.")
OPERATION = many("--operation", "operations", metavar="GLOB", help="Only operations that match, such as 'mse/m*'.")
IMPLEMENTATION = many(
    "--implementation", "implementations", metavar="GLOB", help="Only implementations that match, such as 'written-out.*'."
)
CHECK = many("--check", "checks", metavar="GLOB", help="Only checks whose id matches, such as '*/law/*'.")
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), metavar="N", help="Draw other inputs: the same for the same N, in every profile."
)
FORMAT = click.option("--format", "as_format", type=click.Choice(("text", "json")), default="text", help="What stdout gets.")
PYTHON = many(
    "--python",
    "pythons",
    metavar="F=PATH",
    help="Run this framework (keras: all its backends) in another interpreter, at PATH or in the environment there. "
    "It needs Python 3.9 or later, NumPy and the framework, and not the suite.",
)
JOBS = click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Frameworks at a time; as many as processors by default.")
STRICT = click.option("--strict", is_flag=True, help="Let checks of level 'should' count as well.")


def selecting(command: _Command) -> _Command:
    """All options of what is selected; ``selection_of`` takes what they are given, less the frameworks."""
    for option in (CHECK, IMPLEMENTATION, OPERATION, DTYPE, MODE, DEVICE, FRAMEWORK):
        command = option(command)
    return command


def chosen_frameworks(names: Sequence[str]) -> list[Any]:
    """The frameworks of these names, all of them where there is none."""
    from conformance.frameworks.registry import frameworks, select

    known = frameworks()
    return [known[name] for name in select(names)]


def pythons_of(given: Sequence[str]) -> dict[str, Path]:
    """The interpreter of each framework for which one was named; the last one that was, where there are several."""
    from conformance.frameworks.registry import select
    from conformance.mistake import Mistake
    from conformance.workers.handover import interpreter

    found: dict[str, Path] = {}
    for one in given:
        name, equals, place = one.partition("=")
        if not (name and equals and place):
            fail(f"--python: found {one!r}, expected a framework and an interpreter, such as torch=old-torch/bin/python")
        try:
            found |= dict.fromkeys(select([name]), interpreter(Path(place).expanduser()))
        except Mistake as mistake:
            fail(f"--python: {mistake}")
    return found


def needed_by(files: Sequence[Path], specs: Specs, pythons: Mapping[str, Path] | None = None) -> list[str]:
    """The frameworks the subject files need."""
    from conformance.workers.subjects import inspect

    needed: dict[str, None] = {}
    for file in files:
        for framework, operation in inspect(file, (pythons or {}).values()):
            if operation not in specs.titles:
                fail(f"{file}: found the operation {operation!r}, expected one of {', '.join(specs.titles)}")
            needed[framework] = None
    return list(needed)


def selection_of(specs: Specs, **options: Any) -> Selection:
    """What the options of a command select."""
    from fnmatch import fnmatchcase

    from conformance.run.plan import Selection

    for glob in options.get("operations", ()):
        if not any(fnmatchcase(name, glob) for name in specs.titles):
            fail(f"--operation: found {glob!r}, which matches none of {', '.join(specs.titles)}")
    return Selection(**options)
