"""Whether a runner keeps the protocol: it is asked everything once, and every answer is looked at. No number is judged here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.frameworks.base import ExecutionMismatch, Unsupported
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS, Array
from conformance.numerics.stack import Stack
from conformance.runner.frames import LARGE, VERSION, Message
from conformance.runner.messages import Raised, plain
from conformance.workers.child import ProcessLost
from conformance.workers.runner import FIRST_TIMEOUT, Runner

OPERATION = "mse/mean"
_DESCRIBED = (
    *("framework", "version", "python", "platform", "packages", "flags"),
    *("devices", "implementations", "usual_mode", "compiling_modes"),
)


class _Wrong(Exception):
    """An answer is not what the protocol says; the message is one sentence."""


@dataclass
class _Target:
    runner: Runner
    implementation: str
    device: str
    mode: str
    dtype: str

    def prepare(self) -> int:
        """The handle of another preparation."""
        asked = {"implementation": self.implementation, "device": self.device, "mode": self.mode, "dtype": self.dtype}
        handle = self.runner.call("prepare", FIRST_TIMEOUT, **asked)["handle"]
        _expect(isinstance(handle, int), f"found the handle {handle!r}, expected a whole number")
        return int(handle)

    def ones(self, *shape: int) -> Array:
        return np.ones(shape, FORMATS[self.dtype].dtype)

    def evaluate(self, handle: int, prediction: Array, members: int = 1, **more: Any) -> Message:
        """The group of members that are alike."""
        inputs = Inputs(prediction, np.zeros_like(prediction), None, self.ones(members))
        reply = self.runner.call("evaluate", FIRST_TIMEOUT, handle=handle, inputs=plain(inputs), **more)
        groups = reply["groups"]
        _expect(sum(group["count"] for group in groups) == members, f"found results of {groups!r:.80}, expected {members}")
        group: Message = groups[0]
        for name in ("value", "gradients", "executed_as", "no_gradient", "changed"):
            _expect(name in group, f"found no {name} in a result")
        _expect(group["value"].shape == (group["count"],), f"found a value of shape {group['value'].shape}, expected one for each member")
        return group


def _expect(holds: bool, sentence: str) -> None:  # noqa: FBT001 - the condition that must hold
    if not holds:
        raise _Wrong(sentence)


def run(runner: Runner) -> Iterator[tuple[str, str]]:
    """Each part of the protocol, and what is wrong with it in a sentence, empty if nothing is. The runner is started, and ended."""
    try:
        described = runner.start()
    except ProcessLost as lost:
        yield "it starts", str(lost)
        return
    yield "it starts", ""
    yield "it describes what it has", (wrong := _described(described))
    if wrong:
        return
    target = _target(runner, described)
    if target is None:
        yield f"it has an implementation of {OPERATION}", "found none, expected one to be asked"
        return
    for name, part in _PARTS.items():
        try:
            part(target)
        except ProcessLost as lost:
            yield name, str(lost)
            return
        except _Wrong as found:
            yield name, str(found)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            yield name, f"found an answer without what belongs in it ({type(error).__name__}: {error})"
        except (Raised, Unsupported, ExecutionMismatch) as raised:
            yield name, f"found {type(raised).__name__}: {raised}, expected an answer"
        else:
            yield name, ""


def _described(message: Mapping[str, Any]) -> str:
    missing = [name for name in _DESCRIBED if name not in message]
    if missing:
        return f"found no {missing[0]}"
    if message.get("protocol") != VERSION:
        return f"found version {message.get('protocol')!r} of the protocol, expected {VERSION}"
    return "" if message["devices"] else "found no device"


def _target(runner: Runner, described: Mapping[str, Any]) -> _Target | None:
    for one in described["implementations"]:
        if one["operation"] == OPERATION and "eager" in one["modes"] and "float32" in one["dtypes"]:
            return _Target(runner, one["name"], described["devices"][0]["name"], "eager", "float32")
    return None


def _evaluates(target: _Target) -> None:
    group = target.evaluate(target.prepare(), target.ones(1, 5))
    _expect(group["executed_as"]["mode"] == target.mode, f"found the mode {group['executed_as']['mode']!r}, expected {target.mode!r}")
    for name, gradient in group["gradients"].items():
        _expect(gradient.shape == (1, 5), f"found {name} of shape {gradient.shape}, expected (1, 5)")


def _stacks(target: _Target) -> None:
    stack = Stack.of([Inputs(target.ones(3), target.ones(3), None, target.ones()) for _ in range(7)]).arrays
    target.evaluate(target.prepare(), stack.prediction, 7)


def _several_handles(target: _Target) -> None:
    first, second = target.prepare(), target.prepare()
    _expect(first != second, f"found the handle {first} twice")
    target.runner.call("release", handle=first)
    target.evaluate(second, target.ones(1, 4))
    try:
        target.evaluate(first, target.ones(1, 4))
    except Raised:
        return
    raise _Wrong("found an answer of what had been released, expected an exception")


def _calls_together(target: _Target) -> None:
    inputs = plain(Inputs(target.ones(1, 4), np.zeros_like(target.ones(1, 4)), None, target.ones(1)))
    evaluate = {"call": "evaluate", "handle": target.prepare(), "inputs": inputs}
    replies = target.runner.call("several", FIRST_TIMEOUT, calls=[evaluate, {"call": "no-such-call"}, evaluate])["result"]
    _expect(len(replies) == 3, f"found {len(replies)} replies to three calls")
    _expect(["raised" in reply for reply in replies] == [False, True, False], "found no exception of the second call alone")
    _expect(all("groups" in reply for reply in (replies[0], replies[2])), "found no groups in a reply")


def _calls_ahead(target: _Target) -> None:
    handle = target.prepare()
    questions = []
    for value in (1, 2, 3):
        inputs = plain(Inputs(target.ones(1, 4) * value, np.zeros_like(target.ones(1, 4)), None, target.ones(1)))
        questions.append(target.runner.begin({"call": "evaluate", "handle": handle, "inputs": inputs}, "testing", FIRST_TIMEOUT, ticks=1))
    values = [float(target.runner.finish(question)["groups"][0]["value"][0]) for question in questions]
    _expect(values == sorted(set(values)), f"found {values} for growing inputs, expected the answers in the order of the calls")


def _exceptions(target: _Target) -> None:
    for call, given in (("no-such-call", {}), ("evaluate", {"handle": -1, "inputs": {}}), ("release", {"nothing": 1})):
        try:
            target.runner.call(call, **given)
        except Raised:
            continue
        raise _Wrong(f"found an answer of {call} with {given}, expected an exception")
    target.evaluate(target.prepare(), target.ones(1, 2))


def _layouts(target: _Target) -> None:
    handle = target.prepare()
    plain_ones = target.ones(1, 4, 6)
    wide = np.full((1, 4, 12), 7, plain_ones.dtype)
    wide[..., ::2] = 1
    read_only = target.ones(1, 4, 6)
    read_only.flags.writeable = False
    values = [target.evaluate(handle, one)["value"] for one in (plain_ones, np.asfortranarray(plain_ones), wide[..., ::2], read_only)]
    _expect(len({float(value[0]) for value in values}) == 1, "found other values for the same numbers in another layout")


def _large(target: _Target) -> None:
    handle = target.prepare()
    for elements in (LARGE // 8, LARGE):
        numbers = target.ones(1, elements)
        numbers[0, -1] = 2
        value = target.evaluate(handle, numbers)["value"]
        _expect(float(value[0]) > 1, f"found {float(value[0])!r} for {elements} numbers of which the last is 2: it did not arrive")


def _plain_call(target: _Target) -> None:
    handle = target.prepare()
    try:
        reply = target.runner.call("call", handle=handle, prediction=target.ones(3), target=target.ones(3), weight=None)
    except Unsupported:
        return
    _expect({"value", "type", "warnings"} <= reply.keys(), "found no value, type and warnings")


def _questions(target: _Target) -> None:
    handle, inputs = target.prepare(), plain(Inputs(target.ones(4), target.ones(4) * 2, None, target.ones()))
    asked: dict[str, dict[str, Any]] = {
        "gradient": {"inputs": inputs, "quantity": "gradient/prediction"},
        "jvp": {"inputs": inputs, "prediction": target.ones(4), "target": target.ones(4)},
        "hvp": {"inputs": inputs, "direction": target.ones(4)},
        "batch": {"members": [inputs, inputs]},
        "update_in_place": {"inputs": inputs, "after": inputs},
        "kept": {"inputs": inputs, "other": inputs},
        "interleaved": {"first": inputs, "second": inputs},
        "repeat": {"inputs": inputs, "count": 10, "seconds": 0.1},
        "accumulate": {"inputs": inputs, "lengths": [3, 1]},
    }
    for call, given in asked.items():
        try:
            reply = target.runner.call(call, FIRST_TIMEOUT, handle=handle, **given)
        except Unsupported:  # which is an answer
            continue
        _expect("result" in reply, f"found no result of {call}")


def _state(target: _Target) -> None:
    reply = target.runner.call("release", handle=target.prepare())
    _expect("changed" not in reply, f"found {reply.get('changed')!r} as what was changed, expected nothing")


_PARTS: Mapping[str, Callable[[_Target], None]] = {
    "it evaluates one input": _evaluates,
    "it evaluates a stack": _stacks,
    "it keeps several preparations apart": _several_handles,
    "it answers several calls in one message": _calls_together,
    "it answers calls that come before the last answer": _calls_ahead,
    "it answers after an exception": _exceptions,
    "it takes every layout": _layouts,
    "it takes large arrays": _large,
    "it takes a plain call": _plain_call,
    "it answers or refuses every question": _questions,
    "it says what was changed of its process": _state,
}
