"""The process of a framework, as its judge sees it: what it has, and what it answers."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from conformance.checks.context import Group, member_of
from conformance.frameworks.base import Evaluation, Refused, Unsupported
from conformance.frameworks.messages import one_line
from conformance.frameworks.probe import Probe, Returned
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.registry import KNOWN
from conformance.frameworks.vmap import VMAP, member_shape
from conformance.numerics.definition import Inputs, Quantity
from conformance.numerics.formats import Array
from conformance.numerics.stack import Stack
from conformance.numerics.tasks import ReplicasTask, TrainingTask
from conformance.runner.frames import Message, Shared
from conformance.runner.messages import Raised, argument, evaluation_of, exception_of, plain, procedure_result_of
from conformance.workers import handover
from conformance.workers.child import NO_START, Child, ProcessLost, Question

FIRST_TIMEOUT = 120.0
"""Seconds for a call that may compile something: the first of its shape where shapes are compiled, and a whole training."""
TIMEOUT = 10.0
"""Seconds for every other call."""
_MODULE = "conformance.runner"
_BYTES_TOGETHER = 1 << 16
"""Bytes of calls that are sent in one message."""
_SHARED = 256 << 20
"""Bytes of the file that both processes map, a hole until something is written."""


@dataclass(frozen=True)
class RunnerOptions:
    """What every runner of a run is started with."""

    subjects: Sequence[Path] = ()
    memory: int | None = None
    """Bytes of its own that it may use."""
    python: Path | None = None
    """The interpreter that it runs in, in which the suite need not be installed; None is ours."""
    sandbox: bool = False
    """Whether it may write files nowhere but in a folder of its own, and open no connections."""


@dataclass(eq=False)
class Call:
    """A call, and the question in which it is sent, as the only one or beside others."""

    message: Mapping[str, object]
    timeout: float
    ticks: int
    size: int
    """About so many bytes."""
    question: Question | None = None
    place: int | None = None
    """Among the calls of the question, where there are several."""


@dataclass
class Turn:
    """What a runner is asked for, and what comes of it."""

    doing: str = "starting"
    timeout: float = TIMEOUT
    """Seconds for each call."""
    undone: dict[str, None] = field(default_factory=dict)
    lasting: dict[str, None] = field(default_factory=dict)
    """What was changed of the process: what has been undone, and what lasts."""
    answers: int = 0
    """How many calls of implementations were answered."""
    open: list[Call] = field(default_factory=list)
    """What nobody has waited for yet."""
    unsent: list[Call] = field(default_factory=list)
    """What has not been sent yet: it is once somebody waits, in one message."""


class Runner(Child):
    """The process in which one framework and its implementations run."""

    role = "runner"

    def __init__(self, framework: str, options: RunnerOptions | None = None) -> None:
        super().__init__()
        self.framework = framework
        self.options = options or RunnerOptions()
        self.turn = Turn()
        self._file: Any = None
        self._folder = tempfile.TemporaryDirectory(prefix="conformance-") if self.options.sandbox else None

    def command(self) -> Sequence[str]:
        """Our own interpreter, with the runner's module; or another, which is handed that module."""
        python = self.options.python
        command = [sys.executable, "-m", _MODULE] if python is None else handover.command(python, f"{_MODULE}.__main__")
        command.append(self.framework)
        for subject in self.options.subjects:
            command += ["--subject", str(subject)]
        if self.options.memory is not None:
            command += ["--memory", str(self.options.memory)]
        if self._folder is not None:
            command += ["--confined-to", self._folder.name]
        return [*command, "--map", self._file.name] if self._file else command

    def environment(self) -> Mapping[str, str]:
        """Ours, and the package can be imported; of another interpreter without what is ours alone."""
        return super().environment() if self.options.python is None else handover.variables(os.environ)

    def _start(self) -> Message:
        python = self.options.python
        if python is not None and (reason := handover.lacking(python, _required(self.framework))):
            raise ProcessLost(f"{NO_START}: {reason}")
        self._file = _mapped_file()
        try:
            first = super()._start()
            if python is not None:
                first["flags"] = {**first.get("flags", {}), handover.INTERPRETER: handover.ANOTHER}
            if self._file and self._pipe is not None:
                self._pipe.shared = Shared(self._file.fileno(), _SHARED, first_half=True)
        finally:
            if self._file:
                self._file.close()
                self._file = None
        return first

    def call(self, name: str, timeout: float | None = None, **arguments: Any) -> Message:
        """The reply to a call.

        Raises:
            ProcessLost: there is none.
            Exception: what the implementation raised, or the framework does not offer.
        """
        return self.reply_to(self.begin_call({"call": name, **arguments}, self.turn.timeout if timeout is None else timeout))

    def begin_call(self, message: Mapping[str, object], timeout: float, ticks: int = 0, size: int = 0) -> Call:
        """The first half of :meth:`call`; it may be sent together with what is asked next, up to some bytes."""
        turn, call = self.turn, Call(message, timeout, ticks, size)
        if turn.unsent and (turn.unsent[0].timeout != timeout or size + sum(one.size for one in turn.unsent) > _BYTES_TOGETHER):
            self._send()
        turn.unsent.append(call)
        turn.open.append(call)
        if size > _BYTES_TOGETHER:
            self._send()
        return call

    def _send(self) -> None:
        """What has not been sent yet."""
        turn = self.turn
        calls, turn.unsent = turn.unsent, []
        if len(calls) == 1:
            calls[0].question = self.begin(calls[0].message, turn.doing, calls[0].timeout, calls[0].ticks)
            return
        ticks = sum(call.ticks for call in calls) + len(calls)
        message = {"call": "several", "calls": [call.message for call in calls]}
        question = self.begin(message, turn.doing, calls[0].timeout, ticks)
        for place, call in enumerate(calls):
            call.question, call.place = question, place

    def reply_to(self, call: Call) -> Message:
        """The second half."""
        turn = self.turn
        turn.open.remove(call)
        if call in turn.unsent:
            self._send()
        if call.question is None:
            raise ProcessLost(f"its runner was lost before {turn.doing}")
        reply = self.finish(call.question)
        if call.place is not None and "raised" not in reply:
            reply = reply["result"][call.place]
        if changed := reply.get("changed"):
            turn.undone.update(dict.fromkeys(map(str, changed["undone"])))
            turn.lasting.update(dict.fromkeys(map(str, changed["lasting"])))
        if "raised" in reply:
            turn.answers += 1
            raise exception_of(reply["raised"])
        return reply

    def settle(self) -> None:
        """Wait for whatever was asked and is not waited for by anybody.

        Raises:
            ProcessLost: some of it is lost.
        """
        while self.turn.open:
            try:
                self.reply_to(self.turn.open[0])
            except ProcessLost:
                raise
            except Exception:  # noqa: BLE001, S112 - nobody asks any more what was raised
                continue


def _required(framework: str) -> tuple[str, ...]:
    """The modules that the runner of a framework needs; of one from elsewhere only its adapter knows what further ones."""
    return tuple(dict.fromkeys(("numpy", *(KNOWN[framework].requires if framework in KNOWN else ()))))


def _mapped_file() -> Any:
    """A file for large arrays, or None where there is no room for one: then they go through the pipe."""
    try:
        file = tempfile.NamedTemporaryFile(prefix="conformance-")  # noqa: SIM115 - closed once both sides have mapped it
        os.truncate(file.fileno(), _SHARED)
    except OSError:
        return None
    return file


@dataclass
class RemoteTarget:
    """An implementation that is prepared in a runner. Called, it evaluates one input; ``probe`` asks what goes beyond."""

    runner: Runner
    implementation: str
    device: str
    mode: str
    dtype: str
    compiles_each_shape: bool = False
    threads: int | None = None
    truth_values: bool = False
    """Whether weights are handed over as truth values: of a mask they mean the same."""
    optional: frozenset[str] = frozenset()
    """Calls that need not be offered: whatever is raised there says so."""
    _seen: set[Any] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._process = self.runner.starts
        self._handle = self.runner.call(
            "prepare",
            FIRST_TIMEOUT,
            implementation=self.implementation,
            device=self.device,
            mode=self.mode,
            dtype=self.dtype,
        )["handle"]

    def release(self) -> None:
        """It is not asked any more."""
        if self.runner.is_running and self._process == self.runner.starts:
            self.runner.call("release", handle=self._handle)

    def _is_there(self) -> None:
        """Raise ProcessLost where another process has taken the place of the one in which it was prepared."""
        if self._process != self.runner.starts:
            raise ProcessLost(f"its runner was lost before {self.runner.turn.doing}")

    def __call__(self, inputs: Inputs) -> Evaluation:
        """Value and gradients of one input.

        Raises:
            Exception: whatever the implementation raises.
        """
        (group,) = self.begin(Stack.of([inputs]))()
        if isinstance(group.result, Refused):
            raise group.result
        return member_of(group.result, 0)

    def begin(self, stack: Stack) -> Callable[[], Sequence[Group]]:
        """Ask for all members of a stack; what is returned waits for the answer."""
        runner, arrays = self.runner, self.given(stack.arrays)
        timeout = self._timeout("evaluate", arrays.prediction.shape[1:])
        more = {} if self.threads is None else {"threads": self.threads}
        message = {"call": "evaluate", "handle": self._handle, "inputs": plain(arrays), **more}
        self._is_there()
        call = runner.begin_call(message, timeout, len(stack), 4 * arrays.prediction.nbytes)

        def end() -> Sequence[Group]:
            try:
                reply = runner.reply_to(call)
            except Refused as refusal:
                if self.mode != VMAP or len(stack) == 1:
                    return [Group(len(stack), refusal)]
                return [group for place in range(len(stack)) for group in self.begin(stack.part(slice(place, place + 1)))()]
            runner.turn.answers += 1
            if self.mode != VMAP:
                return _groups_of(reply["groups"], len(stack))
            evaluation = evaluation_of(reply["together"])
            ran = replace(evaluation.executed_as, shape=member_shape(VMAP, evaluation.executed_as.shape))
            return [Group(len(stack), replace(evaluation, executed_as=ran))]

        return end

    def given(self, inputs: Inputs) -> Inputs:
        """What the implementation is given of these inputs."""
        weight = inputs.weight
        return replace(inputs, weight=weight.astype(bool)) if self.truth_values and weight is not None else inputs

    def ask(self, call: str, **arguments: Any) -> Message:
        """A call beyond value and gradients."""
        arguments = {name: plain(self.given(value)) if isinstance(value, Inputs) else value for name, value in arguments.items()}
        shapes = str([getattr(value, "shape", value if call == "accumulate" else None) for value in arguments.values()])
        self._is_there()
        try:
            reply = self.runner.call(call, self._timeout(call, shapes), handle=self._handle, **arguments)
        except Raised as error:
            if call in self.optional:
                raise Unsupported(f"it is not offered: {one_line(error)}") from None
            raise
        self.runner.turn.answers += 1
        return reply

    def _timeout(self, call: str, shape: object) -> float:
        """More for the first call of its kind and shape where that is compiled."""
        first = self.compiles_each_shape and (call, shape) not in self._seen
        self._seen.add((call, shape))
        return max(FIRST_TIMEOUT, self.runner.turn.timeout) if first else self.runner.turn.timeout

    @property
    def probe(self) -> Probe:
        """What can be asked beyond value and gradients."""
        return _RemoteProbe(self)


def _groups_of(found: Sequence[Mapping[str, Any]], members: int) -> list[Group]:
    """Of all members of a stack.

    Raises:
        ValueError: of more or fewer.
    """
    groups = [Group(one["count"], evaluation_of(one) if (refused := one.get("refused")) is None else Refused(refused)) for one in found]
    counts = [group.count for group in groups]
    if min(counts, default=0) < 1 or sum(counts) != members:
        raise ValueError(f"found the results of {sum(counts)} inputs, expected those of {members}")
    return groups


class _RemoteProbe(Probe):
    """Each question is a call."""

    def __init__(self, target: RemoteTarget) -> None:
        self._target = target

    def call(self, prediction: Any, target: Any, weight: Any = None) -> Returned:
        first = argument(prediction)
        second = first if target is prediction else argument(target)
        third = weight.astype(bool) if self._target.truth_values and isinstance(weight, np.ndarray) else argument(weight)
        reply = self._target.ask("call", prediction=first, target=second, weight=third)
        return Returned(reply["value"], reply["type"], tuple(reply["warnings"]))

    def gradient_of(self, inputs: Inputs, quantity: Quantity) -> Array:
        return self._array("gradient", inputs=inputs, quantity=quantity.value)

    def jvp(self, inputs: Inputs, prediction: Array, target: Array) -> Array:
        return self._array("jvp", inputs=inputs, prediction=prediction, target=target)

    def hvp(self, inputs: Inputs, direction: Array) -> tuple[Array, Array]:
        return self._two_arrays("hvp", inputs=inputs, direction=direction)

    def vmap(self, stack: Sequence[Inputs]) -> Array:
        return self._array("batch", members=[plain(self._target.given(inputs)) for inputs in stack])

    def update_in_place(self, inputs: Inputs, after: Inputs) -> tuple[Array, Array]:
        return self._two_arrays("update_in_place", inputs=inputs, after=after)

    def kept(self, inputs: Inputs, other: Inputs) -> Array:
        return self._array("kept", inputs=inputs, other=other)

    def interleaved(self, first: Inputs, second: Inputs) -> tuple[Array, Array]:
        return self._two_arrays("interleaved", first=first, second=second)

    def repeat(self, inputs: Inputs, count: int, seconds: float) -> int:
        return int(self._target.ask("repeat", inputs=inputs, count=count, seconds=seconds)["result"])

    def accumulate(self, inputs: Inputs, lengths: Sequence[int]) -> Array:
        return self._array("accumulate", inputs=inputs, lengths=list(lengths))

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        self._target.threads = count
        try:
            yield
        finally:
            self._target.threads = None

    def _array(self, call: str, **arguments: Any) -> Array:
        found: Array = self._target.ask(call, **arguments)["result"]
        return found

    def _two_arrays(self, call: str, **arguments: Any) -> tuple[Array, Array]:
        first, second = self._target.ask(call, **arguments)["result"]
        return first, second


def run_procedure(runner: Runner, implementation: str, task: TrainingTask | ReplicasTask, setting: ExecutionSetting) -> ProcedureResult:
    """Training or replicas, from beginning to end."""
    reply = runner.call(
        "run_procedure", max(FIRST_TIMEOUT, runner.turn.timeout), implementation=implementation, task=plain(task), **plain(setting)
    )
    runner.turn.answers += 1
    return procedure_result_of(reply["result"])
