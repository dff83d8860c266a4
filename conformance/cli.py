"""The command line: thin; every command checks its arguments, calls one part, and prints.

Exit codes: 0 conforms, 1 non-conformance found, 2 usage, configuration or spec error, 3 nothing ran or incomplete.
Imports of other parts stand inside the commands, so that ``--help`` and ``list operations`` answer at once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

import conformance

if TYPE_CHECKING:
    from conformance.plan import Selection
    from conformance.results import Results
    from conformance.specs.model import Specs

_Command = TypeVar("_Command", bound=Callable[..., Any])

CONFORMS, NONCONFORMING, USAGE, INCOMPLETE = 0, 1, 2, 3
DTYPES = ("float16", "bfloat16", "float32", "float64")
PROFILE_NAMES = ("quick", "full", "deep")


def fail(sentence: object) -> NoReturn:
    """One sentence on stderr and exit code 2."""
    click.echo(f"conformance: {sentence}", err=True)
    sys.exit(USAGE)


def _specs(root: Path | None = None) -> Specs:
    from conformance.specs.load import load
    from conformance.specs.problems import SpecError

    try:
        return load(root)
    except SpecError as error:
        fail(error)


def _many(*names: str, help: str, **options: Any) -> Callable[[_Command], _Command]:  # noqa: A002 - click's own name for it
    return click.option(*names, multiple=True, help=help, **options)


_FRAMEWORK = _many("--framework", metavar="F", help="Only this framework (keras: all its backends); may be repeated, as all of these.")
_DEVICE = _many("--device", metavar="D", help="Only this device: cpu, cuda, tpu, cuda:1.")
_MODE = _many("--mode", metavar="M", help="Only this mode: eager, compile, graph, xla, jit.")
_DTYPE = _many("--dtype", type=click.Choice(DTYPES), help="Only this dtype.")
_OPERATION = _many("--operation", metavar="GLOB", help="Only operations that match, such as 'mse/m*'.")
_CHECK = _many("--check", metavar="GLOB", help="Only checks whose id matches, such as '*/law/*'.")
_PROFILE = click.option("--profile", type=click.Choice(PROFILE_NAMES), default="quick", show_default=True, help="How much is run.")
_SEED = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), metavar="N", help="Draw other inputs: the same for the same N, in every profile."
)
_FORMAT = click.option("--format", "as_format", type=click.Choice(("text", "json")), default="text", help="What stdout gets.")

_STRICT = click.option("--strict", is_flag=True, help="Let checks of level 'should' count as well.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(conformance.__version__, prog_name="conformance")
def main() -> None:
    """Is this really the mean squared error? Holds implementations to exact values and derived bounds."""


def _frameworks(names: Sequence[str]) -> list[Any]:
    from conformance.frameworks.registry import UnknownFramework, frameworks, select

    try:
        chosen = select(names)
    except UnknownFramework as error:
        fail(error)
    known = frameworks()
    return [known[name] for name in chosen]


def _subjects(files: Sequence[Path], specs: Specs) -> list[str]:
    """The frameworks the subject files need; every mistake in them is one sentence."""
    from conformance.executors.subjects import inspect
    from conformance.subject import SubjectError

    needed: dict[str, None] = {}
    for file in files:
        try:
            found = inspect(file)
        except SubjectError as error:
            fail(error)
        for framework, operation in found:
            if operation not in specs.titles:
                fail(f"{file}: found the operation {operation!r}, expected one of {', '.join(specs.titles)}")
            needed[framework] = None
    return list(needed)


def _selection(specs: Specs, **options: Any) -> Selection:
    from fnmatch import fnmatchcase

    from conformance.plan import Selection

    for glob in options.get("operations", ()):
        if not any(fnmatchcase(name, glob) for name in specs.titles):
            fail(f"--operation: found {glob!r}, which matches none of {', '.join(specs.titles)}")
    return Selection(**options)


@main.command()
@_FRAMEWORK
@_DEVICE
@_MODE
@_DTYPE
@_OPERATION
@_CHECK
@_many(
    "--subject",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Run the implementations in this Python file instead. It is code and runs as you.",
)
@_PROFILE
@_SEED
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Workers at a time; as many as processors by default.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("conformance-results"),
    show_default=True,
    metavar="DIR",
)
@_FORMAT
@_STRICT
def run(
    framework: tuple[str, ...],
    device: tuple[str, ...],
    mode: tuple[str, ...],
    dtype: tuple[str, ...],
    operation: tuple[str, ...],
    check: tuple[str, ...],
    subject: tuple[Path, ...],
    profile: str,
    seed: int | None,
    jobs: int | None,
    output: Path,
    as_format: str,
    strict: bool,  # noqa: FBT001 - click passes it
) -> None:
    """Run what is installed, write results and reports into DIR, print the matrix."""
    from conformance.engine import default_jobs, new_run
    from conformance.profiles import profile_of
    from conformance.progress import ProgressDisplay

    specs = _specs()
    chosen = _frameworks([*framework, *_subjects(subject, specs)] if subject else framework)
    selection = _selection(
        specs,
        frameworks=framework,
        devices=device,
        modes=mode,
        dtypes=dtype,
        operations=operation,
        checks=check,
        subjects=tuple(path.resolve() for path in subject),
    )
    display = ProgressDisplay([info.name for info in chosen])
    task = new_run(specs, profile_of(profile, seed), selection, output / "results", display)
    try:
        with display:
            files = task.execute(chosen, jobs or default_jobs())
    except KeyboardInterrupt:
        click.echo(f"conformance: interrupted; what had finished is in {output / 'results'}, without footers", err=True)
        sys.exit(INCOMPLETE)
    except OSError as error:
        fail(f"{output}: {error.strerror}; expected a folder that can be written to")
    _finish(files, output, as_format, task.complaints(), strict=strict, subjects=bool(subject))


def _read(paths: Sequence[Path]) -> list[Results]:
    from conformance.results import ResultsError, find, merge, read

    try:
        return merge(read(path) for path in find(paths))
    except ResultsError as error:
        fail(error)


def _finish(
    files: Sequence[Path], output: Path, as_format: str, complaints: Sequence[str], *, strict: bool, subjects: bool = False
) -> NoReturn:
    """Write the reports, print the matrix, and say by the exit code what came of it."""
    from rich.console import Console

    from conformance.reports import Table, write_all
    from conformance.reports.behaviours import is_judged
    from conformance.reports.reproduce import most_readable
    from conformance.reports.terminal import show
    from conformance.results import Outcome

    results = _read(files)
    written = write_all(results, output)
    table = Table.of(results)
    if as_format == "json":
        click.echo(json.dumps({**table.summary(), "complaints": list(complaints)}, allow_nan=False))
    else:
        console = Console(width=None if sys.stdout.isatty() else 100)
        show(table, console)
        if subjects:
            for name, program in most_readable(results).items():
                click.echo(f"\nTo see {name} fail again, in a few lines:\n\n{program}")
        click.echo(f"\nreports: {', '.join(str(path) for path in written)}")
    for complaint in complaints:
        click.echo(f"conformance: deviations: {complaint}", err=True)
    outcomes = {cell.outcome for part in results for cell in part.cells if is_judged(cell)}
    if complaints or table.total.broken or (strict and outcomes & {Outcome.FAIL, Outcome.ERROR}):
        sys.exit(NONCONFORMING)
    sys.exit(CONFORMS if outcomes - {Outcome.NOT_RUN, Outcome.UNSUPPORTED} and not table.incomplete else INCOMPLETE)


@main.command()
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, metavar="DIR")
@_FORMAT
@_STRICT
def report(results: tuple[Path, ...], output: Path, as_format: str, strict: bool) -> None:  # noqa: FBT001 - click passes it
    """Render RESULTS (files, or folders of them), merged, into DIR."""
    _finish(results, output, as_format, (), strict=strict)


@main.command("list")
@click.argument("what", type=click.Choice(("operations", "checks", "targets")))
@_FRAMEWORK
@_OPERATION
@_FORMAT
def list_(what: str, framework: tuple[str, ...], operation: tuple[str, ...], as_format: str) -> None:
    """What would run."""
    specs = _specs()
    selection = _selection(specs, operations=operation)
    rows: list[dict[str, str]]
    if what == "operations":
        rows = [{"id": name, "title": title} for name, title in specs.titles.items() if selection.wants_operation(name)]
    else:
        from conformance import listing  # imports Hypothesis, with the checks

        rows = listing.checks(specs, selection) if what == "checks" else listing.targets(_frameworks(framework), selection)
    if as_format == "json":
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['title']}" if row["title"] else row["id"])


@main.command()
@_FRAMEWORK
@_FORMAT
def doctor(framework: tuple[str, ...], as_format: str) -> None:
    """What is installed, its devices, the flags that change numerics, and why a target is missing."""
    from rich.console import Console

    from conformance.doctor import examine, show

    reports = [examine(info) for info in _frameworks(framework)]
    if as_format == "json":
        click.echo(json.dumps(reports))
    else:
        show(reports, Console())
    sys.exit(CONFORMS if any(r["status"] == "ready" for r in reports) else INCOMPLETE)


@main.command()
@click.argument("specs", required=False, type=click.Path(path_type=Path))
def lint(specs: Path | None) -> None:
    """Check spec files: grammar, exact literals, stated results, resolving power."""
    from conformance.specs.lint import lint as check
    from conformance.specs.load import specs_root

    problems = check(specs)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        sys.exit(USAGE)
    loaded = _specs(specs)
    cases = sum(len(o.cases) for o in loaded.both)
    click.echo(
        f"{specs or specs_root()}: {len(loaded.titles)} operations, {cases} cases, {len(loaded.deviations)} deviations: all as stated"
    )


@main.command()
@click.argument("identifier", metavar="ID")
@click.option("--dtype", type=click.Choice(DTYPES))
@click.option("--flushes", is_flag=True, help="For a target that is declared to flush subnormals.")
def explain(identifier: str, dtype: str | None, flushes: bool) -> None:  # noqa: FBT001 - click passes it
    """Why the interval of a check (or of one of its cells) is what it is."""
    from conformance.checks.catalogue import all_checks
    from conformance.explain import UnknownId
    from conformance.explain import explain as lines

    specs = _specs()
    try:
        for line in lines(specs, all_checks(specs), identifier, dtype=dtype, flushes=flushes):
            click.echo(line)
    except UnknownId as error:
        fail(error)


@main.command()
@click.argument("identifier", metavar="ID")
@_many("--subject", type=click.Path(path_type=Path), metavar="FILE", help="The file the implementation is in, if it is your own.")
@_PROFILE
@_SEED
def replay(identifier: str, subject: tuple[Path, ...], profile: str, seed: int | None) -> None:
    """Run the one cell ID (check:quantity@target) again and print it with a standalone program."""
    from conformance.profiles import profile_of
    from conformance.replay import ReplayError
    from conformance.replay import replay as again
    from conformance.reports.reproduce import reproducer
    from conformance.results import Outcome

    specs = _specs()
    _subjects(subject, specs)
    try:
        cells = again(specs, identifier, profile_of(profile, seed), tuple(path.resolve() for path in subject))
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


@main.command()
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, metavar="N", help="With each of the seeds 0 to N-1.")
@_PROFILE
@_many("--group", metavar="G", help="Only wrong miniatures of this group (and all right ones): value, dtype, range, shape, …")
@click.option("--once", is_flag=True, help="One check that kills is enough: do not count the others. Much faster.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Workers at a time; as many as processors by default.")
@_FORMAT
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
    specs, at_once = _specs(), jobs or default_jobs()
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


@main.command()
@click.argument("what", type=click.Choice(("results", "spec")))
def schema(what: str) -> None:
    """Print the JSON Schema of a line of a results file, or of a spec file."""
    if what == "results":
        from conformance.results import schema as made
    else:
        from conformance.specs.schema import spec_schema as made
    click.echo(json.dumps(made(), indent=2))


if __name__ == "__main__":
    main()
