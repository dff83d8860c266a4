"""A run in slots: planned from what there is, each slot's results kept as they come, finished slots not repeated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from conformance.cluster.backends import Done, Executor, Slot
from conformance.cluster.job import JobSpec
from conformance.cluster.package import dependencies, packed
from conformance.frameworks.info import FrameworkInfo
from conformance.results.reading import Results, ResultsError, read
from conformance.results.records import Shard
from conformance.run.ledger import complaints
from conformance.run.plan import Selection
from conformance.run.profiles import Profile
from conformance.specs.model import Specs
from conformance.specs.targets import OVERRIDES, VersionEnvironment

_RAY_NAMES = {"cuda": "GPU", "gpu": "GPU", "tpu": "TPU"}
Step = Callable[[int, int], None]


@dataclass(frozen=True)
class JobTarget:
    """A framework and the environment to run it in; without one it is run as it is found."""

    framework: FrameworkInfo
    environment: VersionEnvironment | None = None

    def slot(self, order: JobSpec) -> Slot:
        """The slot of an order here."""
        accelerators = tuple(dict.fromkeys(_RAY_NAMES[kind] for kind in self.framework.device_kinds if kind in _RAY_NAMES))
        made = self.environment
        if made is None:
            return Slot(order, accelerators=accelerators)
        return Slot(order, made.name, (*made.requirements, *dependencies()), made.python, accelerators)


@dataclass
class DistributedRun:
    """One run in slots."""

    specs: Specs
    profile: Profile
    selection: Selection
    folder: Path
    executor: Executor
    parts: int | None = None
    """Into how many shards each place is cut; by default into as many as keep every processor busy."""
    resume: bool = False
    memory: int | None = None
    failed: list[Done] = field(default_factory=list)

    def slots(self, places: Sequence[JobTarget]) -> list[Slot]:
        """The slots of these places."""
        processors = self.executor.capacity().get("CPU", 1)
        of = self.parts or max(1, math.ceil(processors / max(1, len(places))))
        return [
            place.slot(JobSpec.of(place.framework.name, Shard(number=number, of=of), self.profile, self.selection, self.memory))
            for number in range(1, of + 1)
            for place in places
        ]

    def execute(self, places: Sequence[JobTarget], step: Step = lambda done, planned: None) -> list[Path]:  # noqa: ARG005 - nobody need watch
        """Work on everything that is missing; returns the results files there are. What failed is in ``failed``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        slots = self.slots(places)
        paths = {slot.stem: self.folder / f"{slot.stem}.jsonl" for slot in slots}
        missing = [slot for slot in slots if not (self.resume and self._is_done(slot, paths[slot.stem]))]
        finished = len(slots) - len(missing)
        step(finished, len(slots))

        def keep(done: Done) -> None:
            nonlocal finished
            if done.data is None:
                self.failed.append(done)
            else:
                _write(paths[done.slot.stem], done.data)
            finished += 1
            step(finished, len(slots))

        if missing:
            overrides = self.specs.root / OVERRIDES
            self.executor.run(missing, packed(self.specs.root), overrides.read_text("utf-8") if overrides.exists() else "", keep)
        return [path for path in paths.values() if path.exists()]

    def complaints(self, results: Sequence[Results]) -> list[str]:
        """What is wrong with the documented deviations, seen from all slots together."""
        whole = not self.failed and not any(part.lacking for part in results)
        return complaints(self.specs, results, everything=whole and self.selection.is_everything)

    def _is_done(self, slot: Slot, path: Path) -> bool:
        """Whether the file of the slot is whole and of this run."""
        try:
            found = read(path)
        except (ResultsError, OSError):
            return False
        header, order = found.header, slot.order
        asked = (self.specs.digest, self.profile.name, self.profile.budget.seed, order.shard, self.selection.stated)
        return found.complete and asked == (header.specs_digest, header.profile, header.seed, header.shard, header.selection)


def _write(path: Path, data: bytes) -> None:
    """The file, whole or not at all."""
    fresh = path.with_suffix(".part")
    fresh.write_bytes(data)
    fresh.replace(path)
