"""A distributed run: planned from what there is, each job's results kept as they come, finished jobs not repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from conformance.cluster.backends import Done, Executor
from conformance.cluster.job import Job, JobSpec, JobTarget
from conformance.cluster.package import packed
from conformance.results.reading import Results, ResultsError, read
from conformance.results.records import Shard
from conformance.run.ledger import complaints
from conformance.run.plan import Selection
from conformance.run.profiles import Profile
from conformance.run.progress import ProgressCallback
from conformance.specs.model import Specs


@dataclass
class DistributedRun:
    """One run, in jobs."""

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

    def jobs(self, places: Sequence[JobTarget]) -> list[Job]:
        """The jobs of these places."""
        processors = self.executor.capacity().get("CPU", 1)
        of = self.parts or max(1, math.ceil(processors / max(1, len(places))))

        def spec(place: JobTarget, number: int) -> JobSpec:
            return JobSpec(
                framework=place.framework.name,
                shard=Shard(number=number, of=of),
                profile=self.profile.name,
                seed=self.profile.budget.seed,
                timeout=self.profile.timeout,
                memory=self.memory,
                selection=replace(self.selection, subjects=()),
            )

        return [Job(spec(place, number), place) for number in range(1, of + 1) for place in places]

    def execute(self, places: Sequence[JobTarget], progress: ProgressCallback = lambda done, planned: None) -> list[Path]:  # noqa: ARG005 - nobody need watch
        """Work on everything that is missing; returns the results files there are. What failed is in ``failed``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        jobs = self.jobs(places)
        paths = {job.stem: self.folder / f"{job.stem}.jsonl" for job in jobs}
        missing = [job for job in jobs if not (self.resume and self._is_done(job, paths[job.stem]))]
        finished = len(jobs) - len(missing)
        progress(finished, len(jobs))

        def keep(done: Done) -> None:
            nonlocal finished
            if done.data is None:
                self.failed.append(done)
            else:
                path = paths[done.job.stem]
                fresh = path.with_suffix(".part")
                fresh.write_bytes(done.data)
                fresh.replace(path)  # whole or not at all
            finished += 1
            progress(finished, len(jobs))

        if missing:
            self.executor.run(missing, packed(self.specs.root), keep)
        return [path for path in paths.values() if path.exists()]

    def complaints(self, results: Sequence[Results]) -> list[str]:
        """What is wrong with the documented deviations, seen from all jobs together."""
        whole = not self.failed and not any(part.lacking for part in results)
        return complaints(self.specs, results, everything=whole and self.selection.is_everything)

    def _is_done(self, job: Job, path: Path) -> bool:
        """Whether the file of the job is whole and of this run."""
        try:
            found = read(path)
        except (ResultsError, OSError):
            return False
        header, spec = found.header, job.spec
        asked = (self.specs.digest, self.profile.name, self.profile.budget.seed, spec.shard, self.selection.stated)
        return found.complete and asked == (header.specs_digest, header.profile, header.seed, header.shard, header.selection)
