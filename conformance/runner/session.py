"""One framework and its implementations, answering calls. Holds no expectation, no seed and no spec.

Every call is a message with the name of a method here under ``call``, and its arguments; so is every reply, with ``raised`` in it where
something was raised.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from conformance.frameworks.base import Evaluate, Evaluation, Framework, Implementation, Refused
from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.probe import Probe
from conformance.frameworks.procedure import ExecutionSetting, ProcedureResult
from conformance.frameworks.vmap import VMAP
from conformance.numerics.definition import Quantity
from conformance.numerics.stack import Stack
from conformance.runner.frames import VERSION, Message
from conformance.runner.libraries import thread_pools
from conformance.runner.messages import described, given, groups, inputs_of, plain, task_of
from conformance.runner.packages import canonical, packages_of
from conformance.runner.process_state import ProcessState


@dataclass
class Prepared:
    """An implementation that is ready to be called on one device, in one mode and dtype."""

    implementation: Implementation
    evaluate: Evaluate
    probe: Probe
    mode: str


@dataclass
class Session:
    """A framework, the implementations that are asked of it, and those that are prepared."""

    framework: Framework
    implementations: Mapping[str, Implementation]
    info: FrameworkInfo
    process_state: ProcessState = field(default_factory=ProcessState)
    watched: bool = False
    """Whether settings of the framework are compared too: subject files may change them, adapters do not."""
    tick: Callable[[], None] = lambda: None
    """Called before each evaluation."""
    _prepared: dict[int, Prepared] = field(default_factory=dict)
    _handles: int = 0
    _settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._settings = self._now()

    def answer(self, call: Mapping[str, Any]) -> Message:
        """The reply to one call; whatever is raised becomes one."""
        arguments = {name: value for name, value in call.items() if name not in ("call", "number")}
        try:
            found = self._CALLS[call["call"]](self, **arguments)
            reply = found if isinstance(found, dict) else {"result": plain(found)}
        except Exception as error:  # noqa: BLE001 - an implementation may raise anything
            reply = {"raised": described(error)}
        try:
            changed = self._changed()
        except Exception as error:  # noqa: BLE001 - it may have broken what its state is read from, too
            return {"raised": described(error)}
        return {**reply, "changed": changed} if changed else reply

    def describe(self) -> Message:
        """What there is: the framework, its devices, its implementations."""
        environment = self.framework.environment()
        named = {canonical(name) for name in environment.packages}
        below = packages_of(self.info.requires)
        modes = dict.fromkeys(mode for i in self.implementations.values() for mode in i.modes)
        return {
            "protocol": VERSION,
            "framework": self.framework.name,
            "version": environment.version,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "packages": {**environment.packages, **{name: found for name, found in below.items() if name not in named}},
            "flags": {**environment.flags, **thread_pools()},
            "devices": [
                {"name": d.name, "kind": d.kind, "flushes_subnormals": sorted(d.flushes_subnormals)} for d in self.framework.devices()
            ],
            "implementations": [
                {
                    "name": i.name,
                    "entry": i.entry,
                    "operation": i.operation,
                    "modes": list(i.modes),
                    "dtypes": list(i.dtypes),
                    "domain": plain(i.domain),
                }
                for i in self.implementations.values()
            ],
            "usual_mode": self.info.usual_mode,
            "compiling_modes": [mode for mode in modes if self.info.compiles_each_shape(mode)],
        }

    def prepare(self, implementation: str, device: str, mode: str, dtype: str) -> Message:
        """Make an implementation ready; several may be at a time. The handle names it until it is released."""
        chosen = self.implementations[implementation]
        own = getattr(self.framework, "with_gradient", None)
        if chosen.gradient is not None and own is not None:
            chosen = replace(chosen, call=own(chosen.call, chosen.gradient))
        evaluate = self.framework.prepare(chosen, device, mode, dtype)
        make = getattr(self.framework, "probe", None)
        probe = Probe() if make is None else make(chosen, device, mode, dtype)
        self._handles += 1
        self._prepared[self._handles] = Prepared(chosen, evaluate, probe, mode)
        return {"handle": self._handles}

    def several(self, calls: Sequence[Mapping[str, Any]]) -> Message:
        """Calls that nobody waits for one by one: the reply to each, in their order."""
        return {"result": [self.answer(call) for call in calls]}

    def release(self, handle: int) -> Message:
        """It is not asked any more."""
        self._prepared.pop(handle, None)
        return {}

    def evaluate(self, handle: int, inputs: Mapping[str, Any], threads: int | None = None) -> Message:
        """Value and gradients of each member of a stack; in the mode ``vmap`` of all of them in one call."""
        prepared = self._prepared[handle]
        stack = inputs_of(inputs)
        with nullcontext() if threads is None else prepared.probe.threads(threads):
            if prepared.mode == VMAP:
                return {"together": plain(prepared.evaluate(stack))}
            return {"groups": groups(self._each(prepared, Stack(stack)))}

    def _each(self, prepared: Prepared, stack: Stack) -> list[Evaluation | Refused]:
        found: list[Evaluation | Refused] = []
        for number in range(len(stack)):
            self.tick()
            try:
                found.append(prepared.evaluate(stack.member(number)))
            except Refused as refusal:  # it may take the others
                found.append(refusal)
        return found

    def call(self, handle: int, prediction: Any, target: Any, weight: Any = None) -> Message:
        """A plain call, with whatever arguments."""
        probe = self._prepared[handle].probe
        first = given(prediction)
        returned = probe.call(first, first if target is prediction else given(target), None if weight is None else given(weight))
        return {"value": np.asarray(returned.value), "type": returned.type, "warnings": list(returned.warnings)}

    def gradient(self, handle: int, inputs: Mapping[str, Any], quantity: str) -> Any:
        """Of one argument alone."""
        return self._prepared[handle].probe.gradient_of(inputs_of(inputs), Quantity(quantity))

    def jvp(self, handle: int, inputs: Mapping[str, Any], prediction: Any, target: Any) -> Any:
        """Forward mode."""
        return self._prepared[handle].probe.jvp(inputs_of(inputs), prediction, target)

    def hvp(self, handle: int, inputs: Mapping[str, Any], direction: Any) -> Any:
        """Second derivatives along a direction."""
        return self._prepared[handle].probe.hvp(inputs_of(inputs), direction)

    def batch(self, handle: int, members: Sequence[Mapping[str, Any]]) -> Any:
        """What the framework's batching makes of one function."""
        return self._prepared[handle].probe.vmap([inputs_of(inputs) for inputs in members])

    def update_in_place(self, handle: int, inputs: Mapping[str, Any], after: Mapping[str, Any]) -> Any:
        """Two calls on the same tensors, which are overwritten in between."""
        return self._prepared[handle].probe.update_in_place(inputs_of(inputs), inputs_of(after))

    def kept(self, handle: int, inputs: Mapping[str, Any], other: Mapping[str, Any]) -> Any:
        """A value, looked at after the next call."""
        return self._prepared[handle].probe.kept(inputs_of(inputs), inputs_of(other))

    def interleaved(self, handle: int, first: Mapping[str, Any], second: Mapping[str, Any]) -> Any:
        """Gradients of two inputs whose forward passes came first."""
        return self._prepared[handle].probe.interleaved(inputs_of(first), inputs_of(second))

    def repeat(self, handle: int, inputs: Mapping[str, Any], count: int, seconds: float) -> Any:
        """Many calls: half of the time with gradients, half of it plain ones."""
        prepared, given = self._prepared[handle], inputs_of(inputs)
        deadline, calls = time.monotonic() + seconds / 2, 0
        while calls < count // 2 and time.monotonic() < deadline:
            prepared.evaluate(given)
            calls += 1
        return calls + prepared.probe.repeat(given, count - calls, seconds / 2)

    def accumulate(self, handle: int, inputs: Mapping[str, Any], lengths: Sequence[int]) -> Any:
        """The value of a stream of batches."""
        return self._prepared[handle].probe.accumulate(inputs_of(inputs), lengths)

    def run_procedure(self, implementation: str, task: Mapping[str, Any], device: str, mode: str, dtype: str) -> Any:
        """Training or replicas, from beginning to end."""
        result = self.implementations[implementation].call(task_of(task), ExecutionSetting(device, mode, dtype))
        if not isinstance(result, ProcedureResult):
            raise TypeError(f"the implementation returned {type(result).__name__}, expected a ProcedureResult")
        return result

    def _changed(self) -> Message:
        """What was changed of the process since the last call: what is undone hereby, and what lasts; empty if nothing was."""
        undone, lasting = self.process_state.restore()
        before, self._settings = self._settings, self._now()
        changed = [f"changes {name}" for name, value in self._settings.items() if value != before.get(name)]
        return {"undone": list(undone), "lasting": [*lasting, *changed]} if undone or lasting or changed else {}

    def _now(self) -> dict[str, str]:
        return dict(self.framework.environment().flags) if self.watched else {}

    _CALLS: ClassVar[Mapping[str, Callable[..., Any]]] = {
        one.__name__: one
        for one in (
            *(describe, prepare, release, evaluate, call, gradient, jvp, hvp, batch),
            *(update_in_place, kept, interleaved, repeat, accumulate, run_procedure, several),
        )
    }
