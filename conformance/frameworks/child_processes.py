"""Runs replicas in child processes, since logical devices and process groups must be set up before a framework starts.

A child is a module of a framework, run by this interpreter with two arguments: its rank among the children, and a folder that they share.
The module calls :func:`serve`, which reads orders on stdin and answers each on stdout, in pickles; what the framework
prints goes to stderr. Imports no framework.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures import TimeoutError as NotDone  # another class than the builtin before Python 3.11
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

from conformance.frameworks.base import ExecutionMismatch, Implementation, Unsupported
from conformance.frameworks.helpers import DTYPES
from conformance.frameworks.messages import one_line
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.numerics.definition import Quantity
from conformance.numerics.formats import Array, name_of
from conformance.numerics.tasks import ReplicasTask, on_replica

_PLACE = str(Path(__file__).resolve().parents[2])
_ALONE = f"import runpy, sys; sys.path.insert(0, {_PLACE!r}); runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
_RUN = [sys.executable, *(("-I", "-c", _ALONE) if sys.flags.isolated else ("-m",))]
"""Runs a module of this package: where this interpreter is isolated, as the suite is not installed in it, the child is too."""
REPLY_TIMEOUT = 100
"""Seconds that children are given for an answer: less than a runner is given for a call that may compile."""


class ReplicasFailed(Exception):
    """The children did not do it; the message is one sentence."""


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
        self._children = [
            subprocess.Popen(  # noqa: S603 - Python, with a module of this package
                [*_RUN, module, str(rank), self._folder.name],
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            for rank in range(children)
        ]

    def run(self, task: ReplicasTask, variant: str) -> list[Replica]:
        """What all replicas hold in the end. The crew is of no more use after a failure.

        Raises:
            ReplicasFailed: a child died, raised, answered nothing sensible or hung.
            Unsupported: what a child raised.
        """
        pool = ThreadPoolExecutor(len(self._children))
        asked = [pool.submit(_answer_of, child, (task, variant)) for child in self._children]
        try:
            for done in as_completed(asked, REPLY_TIMEOUT):
                done.result()
        except NotDone:
            raise ReplicasFailed(f"the replicas hung: no answer in {REPLY_TIMEOUT} s; their processes were ended") from None
        finally:
            pool.shutdown(wait=False)
        self._folder.cleanup()  # in it they have found each other
        return [replica for done in asked for replica in done.result()]

    def end(self) -> None:
        """End the children, whatever they do."""
        for child in self._children:
            with suppress(OSError), child:  # which closes its pipes
                child.kill()
                child.wait()
        self._folder.cleanup()


@dataclass(frozen=True)
class ReplicaLauncher:
    """How a framework's replicas are started: all in one child, or one in each. They are kept for the next order."""

    module: str
    environment: Callable[[int], Mapping[str, str]]
    """Variables that must be set before the framework starts, of the number of replicas."""
    one_each: bool = False
    crews: dict[int, ReplicaProcesses] = field(default_factory=dict)

    def implementations(self, stem: str, mode: str, entries: Mapping[str, str]) -> Sequence[Implementation]:
        """One for each variant, which ``entries`` show as a person writes them."""
        return tuple(
            Implementation(f"{stem}.{variant}", entry, "replicas/mean-gradient", partial(self.perform, variant), (mode,), DTYPES)
            for variant, entry in entries.items()
        )

    def perform(self, variant: str, task: ReplicasTask, setting: ExecutionSetting) -> ProcedureResult:
        """The procedure, done in one of the module's variants.

        Raises:
            Unsupported: another device is asked for than the CPU, or the framework cannot do it.
            ReplicasFailed: the children did not do it; the next are new ones.
        """
        if setting.device != "cpu":
            raise Unsupported("its replicas are logical devices of the CPU")
        replicas = len(task.shards)
        if replicas not in self.crews:
            self.crews[replicas] = ReplicaProcesses(self.module, self.environment(replicas), replicas if self.one_each else 1)
        try:
            return _produced(self.crews[replicas].run(task, variant), replicas)
        except (ReplicasFailed, Unsupported):
            self.crews.pop(replicas).end()
            raise


def serve(run: Callable[[ReplicasTask, str], Sequence[Replica]]) -> None:
    """Be a child: do what stdin orders, a task in one of the module's variants, and say what the replicas of this process then hold."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(EOFError):  # nobody is left to ask
        while True:
            order = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the process that started this one
            said: Any
            try:
                said = run(*order)
            except Unsupported as error:
                said = error
            except Exception as error:  # noqa: BLE001 - a framework may raise anything; the parent says it in a cell
                said = one_line(error)
            pipe.write(pickle.dumps(said))
            pipe.flush()
    os._exit(0)  # threads of a framework that wait for replicas that are gone must not hold the process


def _answer_of(child: subprocess.Popen[bytes], order: tuple[ReplicasTask, str]) -> Sequence[Replica]:
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(pickle.dumps(order))
        child.stdin.flush()
        said = pickle.load(child.stdout)  # noqa: S301 - written by a process that this one started
    except Exception:  # noqa: BLE001 - what is no pickle may raise anything
        with suppress(subprocess.TimeoutExpired):
            child.wait(10)
        raise ReplicasFailed(f"a process of the replicas ended with exit status {child.returncode}, without an answer") from None
    if isinstance(said, Unsupported):
        raise said
    if isinstance(said, str):
        raise ReplicasFailed(f"a replica raised {said}")
    return cast("Sequence[Replica]", said)


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
    dtypes = sorted({name_of(replica.gradient) for replica in replicas})
    arrays = {
        Quantity.GRADIENT_PARAMETERS: {on_replica(replica.index): replica.gradient for replica in replicas},
        Quantity.LOSS: {on_replica(replica.index): replica.loss for replica in replicas},
    }
    return ProcedureResult(arrays, ExecutionSetting("cpu", " and ".join(modes), " and ".join(dtypes)))
