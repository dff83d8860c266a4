"""Runs the checks on variants, by judges: everything with the first seed, then with further seeds what they can change."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from conformance.checks.base import Check
from conformance.checks.catalogue import all_checks
from conformance.checks.laws.trust import BY_ITSELF
from conformance.judges.process import JudgeOptions, JudgeProcess, running
from conformance.mistake import Mistake
from conformance.power.variants import Variant, VariantFile
from conformance.power.verdicts import Verdict
from conformance.run.plan import CheckReply, PlannedCheck, Selection, plan
from conformance.run.profiles import Profile
from conformance.run.progress import ProgressCallback
from conformance.specs.model import Specs
from conformance.workers.child import ProcessLost

Bench = tuple[str, tuple[Path, ...]]
"""A framework, and the files that share a runner of it."""


@dataclass(frozen=True)
class Portion:
    """What is planned for one operation on a bench in one mode and dtype: its variants see the same inputs and share their expectations."""

    bench: Bench
    planned: Sequence[tuple[Verdict, PlannedCheck]]


@dataclass
class PowerRun:
    """Variants, the seeds with which they are checked, and the verdicts."""

    specs: Specs
    profile: Profile
    seeds: Sequence[int]
    files: Sequence[VariantFile]
    jobs: int
    stop_at_first_kill: bool = False
    progress: ProgressCallback = lambda done, total: None  # noqa: ARG005 - nobody need watch
    verdicts: list[Verdict] = field(default_factory=list)
    checks: dict[str, Check] = field(default_factory=dict)
    _thread: threading.local = field(default_factory=threading.local)
    _judges: list[JudgeProcess] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _done: int = 0
    _total: int = 0

    def execute(self) -> list[Verdict]:
        """Run the checks on every variant.

        Raises:
            Mistake: a variant cannot be planned: its file does not load, or claims an operation that there is not.
        """
        self.checks = all_checks(self.specs)
        pool = ThreadPoolExecutor(max_workers=self.jobs)
        try:
            portions = [portion for made in pool.map(self._plan, self._benches()) for portion in made]
            self._total = len(portions) * len(self.seeds)
            # With all answers to the first seed it is known what the others can change.
            list(pool.map(lambda portion: self._work(portion, self.seeds[0]), portions))
            list(pool.map(lambda pair: self._work(*pair), [(portion, seed) for portion in portions for seed in self.seeds[1:]]))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for judge in self._judges:
                judge.close()
            pool.shutdown(wait=True)
        order = {id_: place for place, id_ in enumerate(self.checks)}
        for verdict in self.verdicts:
            verdict.kills = dict(sorted(verdict.kills.items(), key=lambda pair: order[pair[0]]))
        self.verdicts.sort(key=lambda verdict: verdict.variant)
        return self.verdicts

    @property
    def mutants(self) -> list[Verdict]:
        """Those of the mutants."""
        return [v for v in self.verdicts if v.variant.is_mutant]

    @property
    def equivalent(self) -> list[Verdict]:
        """Those of the equivalent variants."""
        return [v for v in self.verdicts if not v.variant.is_mutant]

    @property
    def survivors(self) -> list[Verdict]:
        """Mutants that at least one seed lets through."""
        return [v for v in self.mutants if v.how(self.seeds) == "survived"]

    @property
    def accused(self) -> list[Verdict]:
        """Equivalent variants that some check rejects."""
        return [v for v in self.equivalent if v.how(self.seeds) == "accused"]

    @property
    def proven(self) -> bool:
        """Every mutant killed with every seed, no equivalent variant accused, and there was something to judge."""
        return bool(self.verdicts) and not self.survivors and not self.accused

    def group(self, name: str) -> list[Verdict]:
        """The mutants of one group."""
        return [v for v in self.mutants if v.variant.group == name]

    def _benches(self) -> list[Bench]:
        together: dict[str, list[Path]] = {}
        alone: list[Bench] = []
        for file in self.files:
            for framework in () if file.not_run else file.frameworks:
                if file.is_alone:
                    alone.append((framework, (file.path.resolve(),)))
                else:
                    together.setdefault(framework, []).append(file.path.resolve())
        return [*((framework, tuple(paths)) for framework, paths in together.items()), *alone]

    def _plan(self, bench: Bench) -> list[Portion]:
        """On the CPU, as variants are about mistakes and not about devices; with long cases, as some are wrong in long inputs only."""
        framework, paths = bench
        options = JudgeOptions(paths, specs=self.specs.root)
        try:
            with running(framework, options) as (_, started):
                description = started
        except ProcessLost as lost:
            raise Mistake(f"the variants of {framework} cannot be run: {lost}") from None
        groups, verdicts = {file.path.name: file.group for file in self.files}, {}
        for i in description.implementations:
            file = i.entry.partition(":")[0]
            verdicts[i.name] = Verdict(Variant(framework, i.operation, i.name, groups[file], file), self.seeds[0])
        with self._lock:
            self.verdicts += verdicts.values()

        def place(item: PlannedCheck) -> tuple[str, str, str]:
            return item.check.operation, item.target.mode, item.target.dtype

        selection = Selection(devices=("cpu",), subjects=paths)
        planned = sorted(plan(description, self.checks, selection, self.profile.with_long_cases()), key=place)
        portions = []
        for _, together in groupby(planned, key=place):
            items = [(verdicts[item.target.implementation], item) for item in together]
            portions.append(Portion(bench, [(v, _thrifty(item, v, len(paths))) for v, item in items if _is_worth_it(item, v, len(paths))]))
        return portions

    def _work(self, portion: Portion, seed: int) -> None:
        """Ask whatever can still change a verdict."""
        for verdict, item in portion.planned:
            if verdict.needs(item, seed, stop_at_first_kill=self.stop_at_first_kill):
                verdict.note(item, seed, self._ask(item, seed, portion.bench))
        with self._lock:
            self._done += 1
            self.progress(self._done, self._total)

    def _ask(self, item: PlannedCheck, seed: int, bench: Bench) -> CheckReply:
        return replace(item, budget=replace(item.budget, seed=seed)).ask(self._judge(bench), self.profile.timeout)

    def _judge(self, bench: Bench) -> JudgeProcess:
        """The judge of the running thread; only one bench at a time stays in memory."""
        current: JudgeProcess | None = getattr(self._thread, "judge", None)
        if current is None or self._thread.bench != bench:
            if current is not None:
                current.close()
            framework, paths = self._thread.bench = bench
            current = self._thread.judge = JudgeProcess(framework, JudgeOptions(paths, specs=self.specs.root))
            self._judges.append(current)
        return current


def _is_worth_it(item: PlannedCheck, verdict: Verdict, files: int) -> bool:
    """Each program without the suite takes a second or more: of mutants that are no cheats it would find nothing else."""
    return item.check.name != BY_ITSELF or files == 1 or not verdict.variant.is_mutant


def _thrifty(item: PlannedCheck, verdict: Verdict, files: int) -> PlannedCheck:
    """Whoever counts thousands of calls is a cheat."""
    return item if files == 1 and verdict.variant.is_mutant else replace(item, budget=replace(item.budget, seconds=0.1))
