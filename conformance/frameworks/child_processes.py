"""Runs replicas in child processes, since logical devices and process groups must be set up before a framework starts.

A child is ``python -m`` with the module of a framework, which calls :func:`serve`. It reads orders on stdin, one a line, and answers each
on stdout, JSON with arrays as hexadecimal digits of their bytes; what the framework prints goes to stderr. Imports no framework.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as NotDone  # another class than the builtin before Python 3.11
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from conformance.frameworks.base import ExecutionMismatch, Implementation, Unsupported
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.messages import one_line
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.numerics.definition import Quantity
from conformance.numerics.formats import FORMATS, Array
from conformance.numerics.tasks import ReplicasTask, on_replica

REPLY_TIMEOUT = 100
"""Seconds that children are given for an answer: less than a worker is given for a check."""


class ReplicasFailed(Exception):
    """The children did not do it; the message is one sentence."""


@dataclass(frozen=True, eq=False)
class ReplicaRequest:
    """What a child is to do: a task, in one of its module's variants. ``rank`` is its own among children that share the ``folder``."""

    task: ReplicasTask
    variant: str
    rank: int
    folder: str


@dataclass(frozen=True, eq=False)
class Replica:
    """What one replica holds when all is done. ``place`` is the device or process that was its own, ``mode`` how it ran: as observed."""

    index: int
    place: str
    mode: str
    gradient: Array
    loss: Array


class ReplicaProcesses:
    """Child processes that wait for orders, each on its own pipe. They end when this process does, however it ends: their pipes close."""

    def __init__(self, module: str, environment: Mapping[str, str], children: int) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._noise = tempfile.TemporaryFile("w")  # noqa: SIM115 - closed in end(): the children write to it as long as they live
        self._children = [
            subprocess.Popen(  # noqa: S603 - Python, with a module of this package
                [sys.executable, "-m", module],
                env={**os.environ, **environment},
                text=True,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._noise,
            )
            for _ in range(children)
        ]

    def run(self, task: ReplicasTask, variant: str) -> list[Replica]:
        """What all replicas hold in the end. The crew is of no more use after a failure.

        Raises:
            ReplicasFailed: a child died, raised, answered nothing sensible or hung.
        """
        orders = [_order_text(ReplicaRequest(task, variant, rank, self._folder.name)) for rank in range(len(self._children))]
        pool = ThreadPoolExecutor(len(orders))
        asked = [pool.submit(_answer_of, *pair) for pair in zip(self._children, orders)]
        try:
            for done in as_completed(asked, REPLY_TIMEOUT):
                done.result()
        except NotDone:
            raise ReplicasFailed(f"the replicas hung: no answer in {REPLY_TIMEOUT} s; their processes were ended") from None
        finally:
            pool.shutdown(wait=False)
        self._folder.cleanup()  # in it they have found each other
        return [_read_replica(one) for serve in asked for one in serve.result()]

    def end(self) -> None:
        """End the children, whatever they do."""
        for child in self._children:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        self._noise.close()
        self._folder.cleanup()


@dataclass(frozen=True)
class ReplicaLauncher:
    """How a framework's replicas are started: all in one child, or one in each. They are kept for the next order."""

    module: str
    environment: Callable[[int], Mapping[str, str]]
    """Variables that must be set before the framework starts, of the number of replicas."""
    one_each: bool = False
    crews: dict[int, ReplicaProcesses] = field(default_factory=dict)

    def perform(self, variant: str) -> Callable[[ReplicasTask, ExecutionSetting], ProcedureResult]:
        """An implementation of the procedure that does it in one of the module's variants."""

        def call(task: ReplicasTask, setting: ExecutionSetting) -> ProcedureResult:
            if setting.device != "cpu":
                raise Unsupported("its replicas are logical devices of the CPU")
            return _produced(self._replicas(task, variant), len(task.shards))

        return call

    def implementations(self, stem: str, mode: str, entries: Mapping[str, str]) -> Sequence[Implementation]:
        """One for each variant, which ``entries`` show as a person writes them."""
        return tuple(
            Implementation(f"{stem}.{variant}", entry, "replicas/mean-gradient", self.perform(variant), (mode,), DTYPES)
            for variant, entry in entries.items()
        )

    def _replicas(self, task: ReplicasTask, variant: str) -> list[Replica]:
        replicas = len(task.shards)
        if replicas not in self.crews:
            self.crews[replicas] = ReplicaProcesses(self.module, self.environment(replicas), replicas if self.one_each else 1)
        try:
            return self.crews[replicas].run(task, variant)
        except ReplicasFailed:
            self.crews.pop(replicas).end()
            raise


def serve(run: Callable[[ReplicaRequest], Sequence[Replica]]) -> None:
    """Be a child: do what each line of stdin orders, and say on stdout what the replicas of this process then hold."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            said: Any = [_replica_text(replica) for replica in run(_read_order(line))]
        except Exception as error:  # noqa: BLE001 - a framework may raise anything; the parent says it in a cell
            said = {"failed": one_line(error)}
        pipe.write(json.dumps(said) + "\n")
        pipe.flush()
    os._exit(0)  # threads of a framework that wait for replicas that are gone must not hold the process


def _answer_of(child: subprocess.Popen[str], order: str) -> list[Any]:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(order + "\n")
        child.stdin.flush()
        said = json.loads(child.stdout.readline())
    except (OSError, ValueError):
        with suppress(subprocess.TimeoutExpired):
            child.wait(10)
        raise ReplicasFailed(f"a process of the replicas ended with exit status {child.returncode}, without an answer") from None
    if isinstance(said, dict):
        raise ReplicasFailed(f"a replica raised {said['failed']}")
    return cast("list[Any]", said)


def _produced(replicas: Sequence[Replica], expected: int) -> ProcedureResult:
    """What all replicas hold, by their names.

    Raises:
        ExecutionMismatch: there were others than asked for, two had one place, or they differ in how they ran.
    """
    indices = sorted(replica.index for replica in replicas)
    if indices != list(range(expected)):
        raise ExecutionMismatch(f"asked for the replicas 0 to {expected - 1}, found {', '.join(map(str, indices)) or 'none'}")
    places = [replica.place for replica in replicas]
    if len(set(places)) < expected:
        raise ExecutionMismatch(f"asked for {expected} replicas apart from each other, they ran on {' and '.join(places)}")
    modes = sorted({replica.mode for replica in replicas})
    dtypes = sorted({replica.gradient.dtype.name for replica in replicas})
    arrays = {
        Quantity.GRADIENT_PARAMETERS: {on_replica(replica.index): replica.gradient for replica in replicas},
        Quantity.LOSS: {on_replica(replica.index): replica.loss for replica in replicas},
    }
    return ProcedureResult(arrays, ExecutionSetting("cpu", " and ".join(modes), " and ".join(dtypes)))


# -- as text ------------------------------------------------------------------------------------------------------------------


def _array_text(array: Array) -> dict[str, Any]:
    return {"dtype": array.dtype.name, "shape": list(array.shape), "bytes": np.ascontiguousarray(array).tobytes().hex()}


def _read_array(text: Mapping[str, Any]) -> Array:
    array: Array = np.frombuffer(bytes.fromhex(text["bytes"]), FORMATS[text["dtype"]].dtype).reshape(text["shape"]).copy()
    return array


def _order_text(order: ReplicaRequest) -> str:
    task = order.task
    arrays = {"inputs": task.inputs, "targets": task.targets, "parameters": task.parameters}
    texts = {name: _array_text(array) for name, array in arrays.items()}
    return json.dumps({"task": {**texts, "shards": task.shards}, "variant": order.variant, "rank": order.rank, "folder": order.folder})


def _read_order(text: str) -> ReplicaRequest:
    read = json.loads(text)
    *arrays, shards = read["task"].values()
    inputs, targets, parameters = (_read_array(array) for array in arrays)
    return ReplicaRequest(ReplicasTask(inputs, targets, parameters, tuple(shards)), read["variant"], read["rank"], read["folder"])


def _replica_text(replica: Replica) -> dict[str, Any]:
    arrays = {"gradient": _array_text(replica.gradient), "loss": _array_text(replica.loss)}
    return {"index": replica.index, "place": replica.place, "mode": replica.mode, **arrays}


def _read_replica(text: Mapping[str, Any]) -> Replica:
    return Replica(text["index"], text["place"], text["mode"], _read_array(text["gradient"]), _read_array(text["loss"]))
