"""plan → evaluate → judge → record: drives one judge per framework and writes one results file for each."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread

import conformance
from conformance.checks.base import Check
from conformance.checks.catalogue import all_checks
from conformance.frameworks.info import FrameworkInfo
from conformance.judges.process import JudgeOptions, JudgeProcess
from conformance.judges.protocol import Description
from conformance.results.records import Cell, Header, Outcome, RunEnvironment, Shard
from conformance.results.shards import holds
from conformance.results.writing import Writer
from conformance.run.ledger import DeviationLedger, known_failures
from conformance.run.machine import processor
from conformance.run.plan import PlannedCheck, Selection, ask_in_turn, not_run_cells, plan
from conformance.run.profiles import Profile
from conformance.run.progress import ProgressDisplay
from conformance.run.resume import ResumePoint, load_resume_point
from conformance.specs.model import Specs
from conformance.workers.child import ProcessLost


@dataclass
class Run:
    """One run: what was selected, where it is written, and what came of it.

    ``shard`` is the part of it that is run, ``resume`` whether files of an earlier, interrupted one are gone on with; ``memory`` is what
    each runner may use, in bytes; ``pythons`` are the interpreters of those frameworks that do not run in ours; in
    a ``sandbox`` runners write no files.
    """

    specs: Specs
    profile: Profile
    selection: Selection
    folder: Path
    shard: Shard | None = None
    resume: bool = False
    memory: int | None = None
    pythons: Mapping[str, Path] = field(default_factory=dict)
    sandbox: bool = False
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    ran: list[tuple[str, str]] = field(default_factory=list)
    stop: Event = field(default_factory=Event)
    checks: dict[str, Check] = field(init=False)
    ledger: DeviationLedger = field(init=False)
    _lock: Lock = field(default_factory=Lock)
    _judges: list[JudgeProcess] = field(default_factory=list)
    _display: ProgressDisplay = field(init=False)

    def __post_init__(self) -> None:
        self.checks = all_checks(self.specs)
        self.ledger = DeviationLedger.today(self.specs.deviations)

    def execute(self, chosen: Sequence[FrameworkInfo], jobs: int) -> list[Path]:
        """Run the frameworks, ``jobs`` at a time; returns their results files in the matrix's order.

        On KeyboardInterrupt, or one of the errors below, the judges end and the files get no footers: readers see them as incomplete.

        Raises:
            WriteError: a cell could not be written.
            Mistake: a file that was to be gone on with is of another run.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._display = ProgressDisplay([info.name for info in chosen])
        first = sorted(chosen, key=lambda info: info.start_rank)
        Thread(target=processor, daemon=True).start()  # it asks other programs, which takes as long as a judge takes to start
        pool = ThreadPoolExecutor(max_workers=max(1, jobs))
        futures = {info.name: pool.submit(self._framework, info) for info in first}
        try:
            with self._display:
                return [futures[info.name].result() for info in chosen]
        finally:
            self.stop.set()
            with self._lock:
                for judge in self._judges:
                    judge.close()
            pool.shutdown(wait=True, cancel_futures=True)

    def complaints(self) -> list[str]:
        """What is wrong with the documented deviations after this run; of those that no cell met a shard knows nothing."""
        return self.ledger.complaints(self.ran, everything=self.selection.is_everything and self.shard is None)

    def header(self, description: Description) -> Header:
        """The header of the results file of one framework."""
        described = description.model_dump(include=RunEnvironment.model_fields.keys() - {"devices"})
        if cpu := processor():
            described["flags"] = {**described["flags"], "processor": cpu}
        return Header(
            run=self.run_id,
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            suite_version=conformance.__version__,
            specs_digest=self.specs.digest,
            profile=self.profile.name,
            seed=self.profile.budget.seed,
            selection=self.selection.stated,
            shard=self.shard,
            environment=RunEnvironment(**described, devices=tuple(d.name for d in description.devices)),
            entries={i.name: i.entry for i in description.implementations},
        )

    def _framework(self, info: FrameworkInfo) -> Path:
        started = time.perf_counter()
        self._display.starting(info.name)
        path = self.folder / f"{info.name}{f'-{self.shard.number}-of-{self.shard.of}' if self.shard else ''}.jsonl"
        python = self.pythons.get(info.name)
        if python is None and (reason := info.why_missing()):
            return self._absent(path, info, reason)
        options = JudgeOptions(self.selection.subjects, self.memory, python, self.sandbox, self.specs.root)
        judge = JudgeProcess(info.name, options)
        with self._lock:
            self._judges.append(judge)
        try:
            description = judge.describe()
        except ProcessLost as lost:
            return path if self.stop.is_set() else self._absent(path, info, str(lost), Outcome.ERROR)
        with self._lock:
            self.ran.append((info.name, description.version))
            self.ledger.add(known_failures(description))
        planned = [one for one in plan(description, self.checks, self.selection, self.profile) if holds(self.shard, one.target)]
        earlier = self._earlier(path, self.header(description), planned)
        self._display.planned(info.name, len(planned))
        if not earlier.complete:
            with earlier.writer() as writer:
                if not self._run(judge, planned, earlier, writer):
                    return path
                here = {device.kind for device in description.devices}
                kinds = [] if self.selection.subjects else [kind for kind in info.device_kinds if kind not in here]
                absent = self._not_here(info, kinds, f"{info.name} sees no such device on this machine")
                kept = {cell.id: cell.seconds for cell in earlier.cells}
                writer.append(*(cell for cell in absent if cell.id not in kept))
                writer.close(round(sum(kept.values()) + time.perf_counter() - started, 3))
        judge.shutdown()
        self._display.ended(info.name, "")
        return path

    def _run(self, judge: JudgeProcess, planned: Sequence[PlannedCheck], earlier: ResumePoint, writer: Writer) -> bool:
        """Run what is missing; False if the run was stopped meanwhile."""
        done = {(cell.check, cell.target.id) for cell in earlier.cells}
        missing = [item for item in planned if (item.check.id, item.target.id) not in done]
        for _ in range(len(planned) - len(missing)):
            self._display.checked(judge.framework, ())
        for reply in ask_in_turn(missing, judge, self.profile.timeout):
            if self.stop.is_set():
                return False  # its judge was ended on purpose: the cell is not an error but was not run
            cells = [self.ledger.apply(cell) for cell in reply.cells]
            writer.append(*cells)
            self._display.checked(judge.framework, cells)
        return True

    def _earlier(self, path: Path, header: Header, planned: Sequence[PlannedCheck]) -> ResumePoint:
        """What is kept of an earlier run: nothing, unless this one is to go on with it."""
        if not self.resume:
            return ResumePoint(path, header)
        earlier = load_resume_point(path, header, planned)
        for cell in earlier.cells:
            self.ledger.apply(cell)
        return earlier

    def _not_here(self, info: FrameworkInfo, kinds: Sequence[str], reason: str) -> list[Cell]:
        return [cell for cell in not_run_cells(info, self.checks, self.selection, kinds, reason) if holds(self.shard, cell.target)]

    def _absent(self, path: Path, info: FrameworkInfo, reason: str, outcome: Outcome = Outcome.NOT_RUN) -> Path:
        """The results file of a framework that cannot run here: every check, with the reason."""
        cells = [cell.model_copy(update={"outcome": outcome}) for cell in self._not_here(info, info.device_kinds, reason)]
        self._display.planned(info.name, 0)
        with self._earlier(path, self.header(Description(framework=info.name)), ()).writer() as writer:
            writer.append(*cells)
            writer.close(0.0)
        self._display.ended(info.name, reason)
        return path


def default_memory() -> int:
    """All the memory of the machine, in bytes: nothing that could end well is refused."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def default_jobs() -> int:
    """As many judges at a time as there are processors to run them on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
