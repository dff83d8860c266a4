"""The pytest plugin: ``pytest --pyargs conformance`` gives one item per check and target, run by the same judges.

Import-light, and does nothing unless the suite itself is collected. Its items ask processes, so a framework that
crashes takes no pytest session down, and Keras on three backends fits into one session.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conformance.judges.process import JudgeProcess
    from conformance.results.records import Cell, Header
    from conformance.results.writing import Writer
    from conformance.run.plan import PlannedCheck


def pytest_addoption(parser: pytest.Parser) -> None:
    """The selection of ``conformance run``, as options of pytest."""
    group = parser.getgroup("conformance", "mean squared error conformance")
    for name, what in (
        ("framework", "only this framework (keras: all of its backends)"),
        ("device", "only this device"),
        ("mode", "only this mode"),
        ("dtype", "only this dtype"),
        ("operation", "only operations that match this glob"),
        ("subject", "run the implementations in this Python file instead"),
    ):
        group.addoption(f"--conformance-{name}", action="append", default=[], metavar=name.upper(), help=f"{what}; may be repeated")
    group.addoption("--conformance-output", type=Path, metavar="DIR", help="write results files into DIR, for `conformance report`")
    group.addoption("--conformance-profile", default="quick", choices=("quick", "full", "deep"), help="how much is run (default: quick)")
    group.addoption("--conformance-strict", action="store_true", help="let checks of level 'should' count as well")
    group.addoption("--conformance-seed", type=int, metavar="N", help="draw other inputs: the same for the same N")


def pytest_configure(config: pytest.Config) -> None:
    """The kinds of checks are markers: ``-m case``, ``-m 'law or bound'``."""
    for kind, what in (
        ("case", "a pinned example"),
        ("bound", "generated inputs against derived intervals"),
        ("law", "an exact relation"),
        ("behaviour", "what a framework may define as it likes: recorded, never judged"),
    ):
        config.addinivalue_line("markers", f"{kind}: conformance check: {what}")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """The suite is collected through this file, which ``--pyargs conformance`` finds, and through no other."""
    if file_path == Path(__file__):
        collector: pytest.Collector = SuiteFile.from_parent(parent, path=file_path)
        return collector
    return None


class Session:
    """The judges of one pytest session: started when first asked, restarted when lost, ended with the session."""

    def __init__(self, config: pytest.Config) -> None:
        from conformance.run.engine import Run
        from conformance.run.plan import Selection
        from conformance.run.profiles import profile_of
        from conformance.specs.load import load

        def option(name: str) -> tuple[str, ...]:
            return tuple(config.getoption(f"--conformance-{name}"))

        of_xdist: dict[str, str] = getattr(config, "workerinput", {})
        self._part = of_xdist.get("workerid", "")
        self._names = option("framework")
        self._subjects = tuple(Path(path).resolve() for path in option("subject"))
        self._output: Path | None = config.getoption("--conformance-output")
        self._run = Run(
            load(),
            profile_of(config.getoption("--conformance-profile"), config.getoption("--conformance-seed")),
            Selection(option("device"), option("mode"), option("dtype"), option("operation"), subjects=self._subjects),
            self._output or Path(),
            run_id=of_xdist.get("testrunuid") or uuid.uuid4().hex,
        )
        self._judges: dict[str, JudgeProcess] = {}
        self._writers: dict[str, Writer] = {}
        self._headers: dict[str, Header] = {}
        self._started = time.perf_counter()

    def frameworks(self) -> list[str]:
        """The frameworks to run: those named, or those the subject files need, or all."""
        from conformance.frameworks.registry import select
        from conformance.workers.subjects import inspect

        needed = [framework for path in self._subjects for framework, _ in inspect(path)]
        return list(select([*self._names, *needed]))

    def plan(self, framework: str) -> list[PlannedCheck]:
        """Start the judge of a framework, and plan its items.

        Raises:
            ProcessLost: it could not be started.
        """
        from conformance.judges.process import JudgeOptions, JudgeProcess
        from conformance.run.ledger import known_failures
        from conformance.run.plan import plan

        self._judges[framework] = JudgeProcess(framework, JudgeOptions(self._subjects, specs=self._run.specs.root))
        description = self._judges[framework].describe()
        self._headers[framework] = self._run.header(description)
        self._run.ledger.add(known_failures(description))
        return plan(description, self._run.checks, self._run.selection, self._run.profile)

    def _record(self, framework: str, cells: Iterable[Cell]) -> None:
        """Append to the framework's results file; each process of a distributed session writes a file of its own."""
        from conformance.results.writing import Writer

        if self._output is None:
            return
        if framework not in self._writers:
            name = "-".join(filter(None, [framework, self._part]))
            self._writers[framework] = Writer(self._output / f"{name}.jsonl", self._headers[framework])
        self._writers[framework].append(*cells)

    def run(self, item: PlannedCheck) -> list[Cell]:
        """The cells of one item, from its judge."""
        reply = item.ask(self._judges[item.target.framework], self._run.profile.timeout)
        cells = [self._run.ledger.apply(cell) for cell in reply.cells]
        self._record(item.target.framework, cells)
        return cells

    def close(self) -> None:
        """End every judge, and every results file with its footer."""
        for writer in self._writers.values():
            writer.close(round(time.perf_counter() - self._started, 3))
        for judge in self._judges.values():
            judge.shutdown()


_SESSION = pytest.StashKey[Session]()


def _session(config: pytest.Config) -> Session:
    if _SESSION not in config.stash:
        config.stash[_SESSION] = Session(config)
    return config.stash[_SESSION]


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the judges, if any were started."""
    if _SESSION in config.stash:
        config.stash[_SESSION].close()


class SuiteFile(pytest.File):
    """Collects one item per check and target of the selected frameworks."""

    def collect(self) -> Iterable[pytest.Item]:
        """Start each framework's judge and plan its items; one that is not installed is a skipped item with the reason."""
        from conformance.frameworks.registry import frameworks
        from conformance.mistake import Mistake
        from conformance.workers.child import ProcessLost

        try:
            session = _session(self.config)
            names = session.frameworks()
        except Mistake as error:
            raise pytest.UsageError(str(error)) from None
        known = frameworks()
        for name in names:
            if reason := known[name].why_missing():
                yield AbsentItem.from_parent(self, name=f"{name}[not-run]", reason=reason, broken=False)
                continue
            try:
                planned = session.plan(name)
            except ProcessLost as lost:
                yield AbsentItem.from_parent(self, name=f"{name}[error]", reason=str(lost), broken=True)
                continue
            for item in planned:
                yield CheckItem.from_parent(self, name=f"{item.check.id}@{item.target.id}", planned=item)


class AbsentItem(pytest.Item):
    """A framework that cannot run here: skipped with the reason when it is not installed, failed when it is broken."""

    def __init__(self, *, reason: str, broken: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reason, self.broken = reason, broken

    def runtest(self) -> None:
        """Say why."""
        if self.broken:
            raise Nonconformance(self.reason)
        pytest.skip(self.reason)


class Nonconformance(Exception):
    """A check that did not hold; the message has a line per cell."""


class CheckItem(pytest.Item):
    """One check on one target."""

    def __init__(self, *, planned: PlannedCheck, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.planned = planned
        self.add_marker(planned.check.kind)

    def runtest(self) -> None:
        """Ask the judge; fail with every failing cell's sentence, skip where nothing ran."""
        from conformance.results.records import Outcome

        cells = _session(self.config).run(self.planned)
        for cell in cells:  # plain strings and numbers only: a NumPy scalar here would end an xdist session
            self.user_properties.append((f"conformance:{cell.quantity}", cell.model_dump_json(exclude_defaults=True, exclude={"witness"})))
        bad = [cell for cell in cells if cell.outcome in {Outcome.FAIL, Outcome.ERROR}]
        if bad and (self.planned.check.level == "must" or self.config.getoption("--conformance-strict")):
            raise Nonconformance("\n".join(self._lines(bad)))
        if bad:
            pytest.xfail(f"should hold, and --conformance-strict makes it count: {bad[0].reason}")
        if all(cell.outcome in {Outcome.UNSUPPORTED, Outcome.NOT_RUN} for cell in cells):
            pytest.skip(f"{cells[0].outcome.value}: {cells[0].reason}")
        deviating = [cell for cell in cells if cell.outcome is Outcome.DEVIATION]
        if deviating:
            pytest.xfail(f"documented deviation: {deviating[0].reason}")

    def _lines(self, bad: list[Cell]) -> Iterator[str]:
        yield self.planned.check.why
        for cell in bad:
            yield f"{cell.outcome.value}: {cell.id}"
            yield f"  {cell.reason}"
        yield f"again: conformance replay '{bad[0].id}'"

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The sentences alone: a traceback of this plugin helps nobody."""
        if isinstance(excinfo.value, Nonconformance):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the item says it is from."""
        return self.path, 0, self.name
