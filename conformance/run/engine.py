"""plan → evaluate → judge → record: drives one worker per framework and writes one results file for each."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock

import conformance
from conformance.checks.base import Check
from conformance.checks.catalogue import all_checks
from conformance.frameworks.info import FrameworkInfo
from conformance.results.records import Cell, Header, Outcome, RunEnvironment, Shard
from conformance.results.shards import holds
from conformance.results.writing import Writer
from conformance.run.ledger import DeviationLedger
from conformance.run.plan import PlannedCheck, Selection, not_run_cells, plan
from conformance.run.profiles import Profile
from conformance.run.resume import ResumePoint, load_resume_point
from conformance.specs.model import Specs
from conformance.workers.process import Worker, WorkerDied, WorkerOptions
from conformance.workers.protocol import Description


class Observer:
    """Receives the progress events of a run, and ignores them: the progress display does not."""

    def starting(self, framework: str) -> None:
        """Its worker is being started."""

    def planned(self, framework: str, count: int) -> None:
        """A framework is loaded and has this many checks."""

    def finished(self, framework: str, cells: Sequence[Cell]) -> None:
        """One check is done."""

    def ended(self, framework: str, note: str) -> None:
        """A framework is done; ``note`` says why it could not run, if it could not."""


@dataclass
class Run:
    """One run: what was selected, where it is written, and what came of it.

    ``shard`` is the part of it that is run, ``resume`` whether files of an earlier, interrupted one are gone on with; ``memory`` is what
    each worker may use, in bytes.
    """

    specs: Specs
    profile: Profile
    selection: Selection
    folder: Path
    observer: Observer = field(default_factory=Observer)
    shard: Shard | None = None
    resume: bool = False
    memory: int | None = None
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    ran: list[tuple[str, str]] = field(default_factory=list)
    stop: Event = field(default_factory=Event)
    checks: dict[str, Check] = field(init=False)
    ledger: DeviationLedger = field(init=False)
    _lock: Lock = field(default_factory=Lock)
    _workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.checks = all_checks(self.specs)
        self.ledger = DeviationLedger.today(self.specs.deviations)

    def execute(self, chosen: Sequence[FrameworkInfo], jobs: int) -> list[Path]:
        """Run the frameworks, ``jobs`` at a time; returns their results files in the matrix's order.

        KeyboardInterrupt ends the workers and leaves files without footers: incomplete, and said to be. So does

        Raises:
            WriteError: a cell could not be written.
            ResumeError: a file that was to be gone on with is of another run.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        first = sorted(chosen, key=lambda info: info.start_rank)
        pool = ThreadPoolExecutor(max_workers=max(1, jobs))
        futures = {info.name: pool.submit(self._framework, info) for info in first}
        try:
            return [futures[info.name].result() for info in chosen]
        finally:
            self.stop.set()
            with self._lock:
                for worker in self._workers:
                    worker.close()
            pool.shutdown(wait=True, cancel_futures=True)

    def complaints(self) -> list[str]:
        """What is wrong with the documented deviations after this run; of those that no cell met a shard knows nothing."""
        return self.ledger.complaints(self.ran, everything=self.selection.is_everything and self.shard is None)

    def _framework(self, info: FrameworkInfo) -> Path:
        started = time.perf_counter()
        self.observer.starting(info.name)
        path = self.folder / f"{info.name}{f'-{self.shard.number}-of-{self.shard.of}' if self.shard else ''}.jsonl"
        if reason := info.why_missing():
            return self._absent(path, info, reason)
        worker = Worker(info.name, WorkerOptions(self.specs.root, self.selection.subjects, self.memory))
        with self._lock:
            self._workers.append(worker)
        try:
            description = worker.start()
        except WorkerDied as lost:
            return path if self.stop.is_set() else self._absent(path, info, str(lost), Outcome.ERROR)
        with self._lock:
            self.ran.append((info.name, description.version))
        planned = [one for one in plan(description, self.checks, self.selection, self.profile) if holds(self.shard, one.target)]
        earlier = self._earlier(path, self._header(description), planned)
        self.observer.planned(info.name, len(planned))
        if not earlier.complete:
            with earlier.writer() as writer:
                if not self._run(worker, planned, earlier, writer):
                    return path
                writer.append(*(cell for cell in self._devices_not_here(info, description) if cell.id not in earlier.ids))
                writer.close(round(earlier.seconds + time.perf_counter() - started, 3))
        worker.shutdown()
        self.observer.ended(info.name, "")
        return path

    def _run(self, worker: Worker, planned: Sequence[PlannedCheck], earlier: ResumePoint, writer: Writer) -> bool:
        """Run what is missing; False if the run was stopped meanwhile."""
        for item in planned:
            if earlier.has(item):
                self.observer.finished(worker.framework, ())
                continue
            if self.stop.is_set():
                return False
            reply = item.ask(worker, self.profile.timeout)
            if self.stop.is_set():
                return False  # its worker was ended on purpose: the cell is not an error but was not run
            cells = [self.ledger.apply(cell) for cell in reply.cells]
            writer.append(*cells)
            self.observer.finished(worker.framework, cells)
        return True

    def _earlier(self, path: Path, header: Header, planned: Sequence[PlannedCheck]) -> ResumePoint:
        """What is kept of an earlier run: nothing, unless this one is to go on with it."""
        if not self.resume:
            return ResumePoint(path, header)
        earlier = load_resume_point(path, header, planned)
        for cell in earlier.cells:
            self.ledger.apply(cell)
        return earlier

    def _devices_not_here(self, info: FrameworkInfo, description: Description) -> list[Cell]:
        here = {device.kind for device in description.devices}
        missing = [] if self.selection.subjects else [kind for kind in info.device_kinds if kind not in here]
        return self._not_here(info, missing, f"{info.name} sees no such device on this machine")

    def _not_here(self, info: FrameworkInfo, kinds: Sequence[str], reason: str) -> list[Cell]:
        return [cell for cell in not_run_cells(info, self.checks, self.selection, kinds, reason) if holds(self.shard, cell.target)]

    def _header(self, description: Description) -> Header:
        return header_of(description, self.specs, self.profile, self.selection, self.run_id, self.shard)

    def _absent(self, path: Path, info: FrameworkInfo, reason: str, outcome: Outcome = Outcome.NOT_RUN) -> Path:
        """The results file of a framework that cannot run here: every check, with the reason."""
        cells = [cell.model_copy(update={"outcome": outcome}) for cell in self._not_here(info, info.device_kinds, reason)]
        self.observer.planned(info.name, 0)
        with self._earlier(path, self._header(Description(framework=info.name)), ()).writer() as writer:
            writer.append(*cells)
            writer.close(0.0)
        self.observer.ended(info.name, reason)
        return path


def header_of(
    description: Description, specs: Specs, profile: Profile, selection: Selection, run_id: str, shard: Shard | None = None
) -> Header:
    """The header of the results file of one worker."""
    return Header(
        run=run_id,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        suite_version=conformance.__version__,
        specs_digest=specs.digest,
        profile=profile.name,
        seed=profile.budget.seed,
        selection=selection.stated,
        shard=shard,
        environment=RunEnvironment(
            framework=description.framework,
            version=description.version,
            python=description.python,
            platform=description.platform,
            packages=description.packages,
            flags=description.flags,
            devices=tuple(d.name for d in description.devices),
        ),
        entries={i.name: i.entry for i in description.implementations},
    )


def default_memory() -> int:
    """All the memory of the machine, in bytes: nothing that could end well is refused."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def default_jobs() -> int:
    """As many workers at a time as there are processors to run them on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
