"""Backends that bring jobs to machines: threads on this one, or Ray on all that a cluster has."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.cluster import node
from conformance.cluster.job import Job
from conformance.mistake import Mistake

RETRIES = 3
"""So many times a job is given to another machine after the one that had it was lost."""


@dataclass(frozen=True)
class Done:
    """What came of a job: the bytes of its results file, or why there are none."""

    job: Job
    data: bytes | None
    reason: str = ""


class Executor(Protocol):
    """Works on jobs, anywhere."""

    def capacity(self) -> Mapping[str, float]:
        """What there is: ``CPU``, ``GPU``, ``TPU``, each with how many."""

    def run(self, jobs: Sequence[Job], suite: bytes, on_done: Callable[[Done], None]) -> None:
        """Work on all of them; ``on_done`` is called with each as it ends, in the thread that called."""


@dataclass(frozen=True)
class LocalExecutor:
    """Jobs in processes of this machine, ``processes`` at a time."""

    processes: int

    def capacity(self) -> Mapping[str, float]:
        """The processors that are to be used."""
        return {"CPU": float(self.processes)}

    def run(self, jobs: Sequence[Job], suite: bytes, on_done: Callable[[Done], None]) -> None:
        """In the order in which they are given."""

        def work(job: Job) -> Done:
            try:
                return Done(job, node.run_job(suite, *job.wanted))
            except (node.JobFailed, OSError) as error:
                return Done(job, None, str(error))

        with ThreadPoolExecutor(max_workers=self.processes) as pool:
            for done in as_completed([pool.submit(work, job) for job in jobs]):
                on_done(done.result())


class RayExecutor:
    """Jobs as tasks of a Ray cluster: one processor each, and an accelerator where the cluster has one that the job can use.

    A job whose machine is lost is worked on again elsewhere. Machines need Ray and Python; the suite travels with the jobs.
    """

    def __init__(self, address: str | None = None) -> None:
        """Connect.

        Raises:
            Mistake: Ray is not installed, or there is no cluster at the address.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray  # an extra, and slow to import
        except ImportError:
            raise Mistake("ray is not installed: pip install 'mse-conformance[ray]'") from None
        self._ray: Any = ray
        if not ray.is_initialized():
            try:
                ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                first = (str(error).splitlines() or ["no reason given"])[0]
                raise Mistake(f"found no Ray cluster at {address or 'the default address'}: {first}") from None

    def capacity(self) -> Mapping[str, float]:
        """What the machines of the cluster have together."""
        found: Mapping[str, float] = self._ray.cluster_resources()
        return found

    def run(self, jobs: Sequence[Job], suite: bytes, on_done: Callable[[Done], None]) -> None:
        """All at once: Ray gives each to a machine as soon as one has room."""
        ray = self._ray
        ray.cloudpickle.register_pickle_by_value(node)  # machines do not have the suite before a job brings it
        try:
            run_job, resources = ray.remote(node.run_job), self.capacity()
            travelling = ray.put(suite)
            waiting = {
                run_job.options(max_retries=RETRIES, num_cpus=1, **_accelerators(job, resources)).remote(travelling, *job.wanted): job
                for job in jobs
            }
            while waiting:
                ready, _ = ray.wait(list(waiting), num_returns=1)
                for reference in ready:
                    on_done(self._done(waiting.pop(reference), reference))
        finally:
            ray.cloudpickle.unregister_pickle_by_value(node)

    def _done(self, job: Job, reference: Any) -> Done:
        try:
            return Done(job, self._ray.get(reference))
        except self._ray.exceptions.RayTaskError as error:
            return Done(job, None, str(error.cause))
        except self._ray.exceptions.RayError as error:
            words = " ".join(str(error).split())[:300]
            return Done(job, None, f"its machine was lost {RETRIES + 1} times: {words}")


def _accelerators(job: Job, resources: Mapping[str, float]) -> dict[str, Any]:
    """The first kind that the job can use and the cluster has."""
    kind = next((kind for kind in job.accelerators if resources.get(kind)), None)
    return {} if kind is None else {"num_gpus": 1} if kind == "GPU" else {"resources": {kind: 1}}
