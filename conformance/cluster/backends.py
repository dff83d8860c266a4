"""Who brings slots to machines: threads on this one, or Ray on all that a cluster has."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Protocol

from conformance.cluster import node
from conformance.cluster.job import JobSpec

RETRIES = 3
"""So many times a slot is given to another machine after the one that had it was lost."""


@dataclass(frozen=True)
class Slot:
    """An order, the environment it needs (none: the one that is there), and the accelerators that it can use, as Ray calls them."""

    order: JobSpec
    name: str = ""
    requirements: tuple[str, ...] = ()
    python: str = ""
    accelerators: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """What its results file is called, less its ending."""
        return f"{self.name or self.order.framework}-{self.order.shard.number}-of-{self.order.shard.of}"


@dataclass(frozen=True)
class Done:
    """What came of a slot: the bytes of its results file, or why there are none."""

    slot: Slot
    data: bytes | None
    reason: str = ""


class Executor(Protocol):
    """Works on slots, anywhere."""

    def capacity(self) -> Mapping[str, float]:
        """What there is: ``CPU``, ``GPU``, ``TPU``, each with how many."""

    def run(self, slots: Sequence[Slot], suite: bytes, overrides: str, tell: Callable[[Done], None]) -> None:
        """Work on all of them; ``tell`` is called with each as it ends, in the thread that called."""


class NoExecutor(Exception):
    """The executor cannot be used; the message is one sentence."""


@dataclass(frozen=True)
class LocalExecutor:
    """Slots in processes of this machine, ``jobs`` at a time."""

    jobs: int

    def capacity(self) -> Mapping[str, float]:
        """The processors that are to be used."""
        return {"CPU": float(self.jobs)}

    def run(self, slots: Sequence[Slot], suite: bytes, overrides: str, tell: Callable[[Done], None]) -> None:
        """In the order in which they are given."""

        def work(slot: Slot) -> Done:
            try:
                return Done(slot, node.perform(suite, slot.order.model_dump_json(), slot.requirements, slot.python, overrides))
            except (node.JobFailed, OSError) as error:
                return Done(slot, None, str(error))

        with ThreadPoolExecutor(max_workers=self.jobs) as pool:
            for done in as_completed([pool.submit(work, slot) for slot in slots]):
                tell(done.result())


class RayExecutor:
    """Slots as tasks of a Ray cluster: one processor each, and an accelerator where the cluster has one that the slot can use.

    A slot whose machine is lost is worked on again elsewhere. Machines need Ray and Python; the suite travels with the slots.
    """

    def __init__(self, address: str | None = None) -> None:
        """Connect.

        Raises:
            NoExecutor: Ray is not installed, or there is no cluster at the address.
        """
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray  # an extra, and slow to import
        except ImportError:
            raise NoExecutor("ray is not installed: pip install 'mse-conformance[ray]'") from None
        self._ray: Any = ray
        if not ray.is_initialized():
            try:
                ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                first = (str(error).splitlines() or ["no reason given"])[0]
                raise NoExecutor(f"found no Ray cluster at {address or 'the default address'}: {first}") from None

    def capacity(self) -> Mapping[str, float]:
        """What the machines of the cluster have together."""
        found: Mapping[str, float] = self._ray.cluster_resources()
        return found

    def run(self, slots: Sequence[Slot], suite: bytes, overrides: str, tell: Callable[[Done], None]) -> None:
        """All at once: Ray gives each to a machine as soon as one has room."""
        ray = self._ray
        ray.cloudpickle.register_pickle_by_value(node)  # machines do not have the suite before a slot brings it
        try:
            perform, there = ray.remote(node.perform), self.capacity()
            travelling = ray.put(suite)
            waiting = {
                perform.options(max_retries=RETRIES, num_cpus=1, **_accelerators(slot, there)).remote(
                    travelling, slot.order.model_dump_json(), slot.requirements, slot.python, overrides
                ): slot
                for slot in slots
            }
            while waiting:
                ready, _ = ray.wait(list(waiting), num_returns=1)
                for reference in ready:
                    tell(self._done(waiting.pop(reference), reference))
        finally:
            ray.cloudpickle.unregister_pickle_by_value(node)

    def _done(self, slot: Slot, reference: Any) -> Done:
        try:
            return Done(slot, self._ray.get(reference))
        except self._ray.exceptions.RayTaskError as error:
            return Done(slot, None, str(error.cause))
        except self._ray.exceptions.RayError as error:
            words = " ".join(str(error).split())[:300]
            return Done(slot, None, f"its machine was lost {RETRIES + 1} times: {words}")


def _accelerators(slot: Slot, there: Mapping[str, float]) -> dict[str, Any]:
    """The first kind that the slot can use and the cluster has."""
    kind = next((kind for kind in slot.accelerators if there.get(kind)), None)
    return {} if kind is None else {"num_gpus": 1} if kind == "GPU" else {"resources": {kind: 1}}
