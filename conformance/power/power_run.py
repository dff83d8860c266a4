"""Puts miniatures to the checks, in worker processes: everything with the first seed, then with further seeds what they can change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from conformance.checks.base import Check
from conformance.checks.catalogue import all_checks
from conformance.checks.profiles import Profile
from conformance.power.variants import Miniature, MiniatureError, MiniatureFile
from conformance.power.verdicts import CheckReply, Verdict
from conformance.results.records import Outcome
from conformance.run.plan import Item, Selection, items
from conformance.specs.model import Specs
from conformance.workers.process import Worker, WorkerDied, WorkerOptions
from conformance.workers.protocol import Description

Ask = Callable[[Item, int], CheckReply]
Step = Callable[[int, int], None]
"""Whoever watches: told how many portions of work are done, and of how many."""


@dataclass
class Portion:
    """The items of some miniatures of one operation in one mode and dtype: they see the same bits, and share their expectations."""

    framework: str
    planned: list[tuple[Verdict, list[Item]]]

    def work(self, seed: int, ask: Ask, *, once: bool = False) -> None:
        """Ask whatever can still change a verdict; ``once``: one check that rejects a wrong one is enough."""
        for verdict, mine in self.planned:
            for item in mine:
                if verdict.needs(item, seed, once=once):
                    verdict.note(item, seed, ask(item, seed))


def portions(verdicts: Sequence[Verdict], planned: Iterable[Item]) -> list[Portion]:
    """The planned items, in portions."""
    by_name = {(v.miniature.framework, v.miniature.name): v for v in verdicts}

    def place(item: Item) -> tuple[str, str, str, str]:
        return item.target.framework, item.operation, item.target.mode, item.target.dtype

    made = []
    for (framework, *_), together in groupby(sorted(planned, key=place), key=place):
        mine: dict[str, list[Item]] = {}
        for item in together:
            mine.setdefault(item.target.implementation, []).append(item)
        made.append(Portion(framework, [(by_name[framework, name], its) for name, its in mine.items()]))
    return made


@dataclass
class PowerRun:
    """Miniatures, the seeds they are put to the checks with, and the verdicts."""

    specs: Specs
    profile: Profile
    seeds: Sequence[int]
    files: Sequence[MiniatureFile]
    jobs: int
    once: bool = False
    step: Step = lambda done, planned: None  # noqa: ARG005 - nobody need watch
    verdicts: list[Verdict] = field(default_factory=list)
    checks: dict[str, Check] = field(default_factory=dict)
    _own: threading.local = field(default_factory=threading.local)
    _workers: list[Worker] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _done: int = 0
    _planned: int = 0

    def execute(self) -> list[Verdict]:
        """Put every miniature to the checks.

        Raises:
            MiniatureError: a miniature cannot be planned: its file does not load, or claims an operation that there is not.
        """
        self.checks = all_checks(self.specs)
        pool = ThreadPoolExecutor(max_workers=self.jobs)
        try:
            frameworks = list(dict.fromkeys(name for file in self.files if not file.not_run for name in file.frameworks))
            planned = [portion for made in pool.map(self._plan, frameworks) for portion in made]
            further = self.seeds[1:]
            self._planned = len(planned) * len(self.seeds)
            # With all answers to the first seed it is known what the others can change.
            list(pool.map(lambda portion: self._work(portion, self.seeds[0]), planned))
            list(pool.map(lambda pair: self._work(*pair), [(portion, seed) for portion in planned for seed in further]))
        finally:
            with self._lock:
                for worker in self._workers:
                    worker.close()
            pool.shutdown(wait=True, cancel_futures=True)
        order = {id_: place for place, id_ in enumerate(self.checks)}
        for verdict in self.verdicts:
            verdict.kills = dict(sorted(verdict.kills.items(), key=lambda pair: order[pair[0]]))
        self.verdicts.sort(key=lambda verdict: verdict.miniature)
        return self.verdicts

    def _subjects(self, framework: str) -> list[Path]:
        return [file.path.resolve() for file in self.files if framework in file.frameworks and not file.not_run]

    def _worker(self, framework: str) -> Worker:
        return Worker(framework, WorkerOptions(self.profile, self.specs.root, self._subjects(framework)))

    def _plan(self, framework: str) -> list[Portion]:
        worker = self._worker(framework)
        try:
            description = worker.start()
        except WorkerDied as lost:
            raise MiniatureError(f"the miniatures of {framework} cannot be run: {lost}") from None
        finally:
            worker.close()
        groups = {file.path.name: file.group for file in self.files}
        verdicts = [
            Verdict(Miniature(framework, i.operation, i.name, groups[file], file), self.seeds[0])
            for i in description.implementations
            for file in [i.entry.partition(":")[0]]
        ]
        with self._lock:
            self.verdicts += verdicts
        return portions(verdicts, _on_the_cpu(description, self.checks, self.profile, self._subjects(framework)))

    def _work(self, portion: Portion, seed: int) -> None:
        portion.work(seed, lambda item, with_seed: self._ask(portion.framework, item, with_seed), once=self.once)
        with self._lock:
            self._done += 1
            self.step(self._done, self._planned)

    def _ask(self, framework: str, item: Item, seed: int) -> CheckReply:
        try:
            reply = self._mine(framework).ask(item.request.model_copy(update={"seed": seed}), self.profile.timeout)
        except WorkerDied as lost:
            self._let_go()
            return CheckReply(item.cells(Outcome.ERROR, str(lost)), drawn=False, lost=True)
        return CheckReply(reply.cells, reply.drawn)

    def _mine(self, framework: str) -> Worker:
        """The worker of the running thread for a framework; only one framework at a time stays in memory."""
        current: tuple[str, Worker] | None = getattr(self._own, "current", None)
        if current is not None and current[0] == framework:
            return current[1]
        self._let_go()
        worker = self._worker(framework)
        with self._lock:
            self._workers.append(worker)
        worker.start()
        self._own.current = (framework, worker)
        return worker

    def _let_go(self) -> None:
        current: tuple[str, Worker] | None = getattr(self._own, "current", None)
        if current is not None:
            current[1].close()
            with self._lock:
                self._workers.remove(current[1])
        self._own.current = None


def _on_the_cpu(description: Description, checks: dict[str, Check], profile: Profile, subjects: Sequence[Path]) -> list[Item]:
    """Miniatures are about mistakes, not about devices; some are wrong in long inputs only, which a profile may leave out."""
    thorough = replace(profile, largest_case=None)
    return items(description, checks, Selection(devices=("cpu",), subjects=tuple(subjects)), thorough)
