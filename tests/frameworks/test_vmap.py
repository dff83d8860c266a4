"""The batched mode: a stack in one call gives each of its members what it gets alone, or is refused; a loop is never taken for a batch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from adapter_checks import as_a_stack_of_one, evaluate, faults, inputs, losses, member, subject
from one_target import runner_of

from conformance.frameworks import registry
from conformance.frameworks.base import Evaluate, Evaluation, ExecutionMismatch, ExecutionReport, Unsupported
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.frameworks.probe import Probe
from conformance.frameworks.vmap import VMAP, require_batched
from conformance.numerics.definition import Inputs
from conformance.numerics.stack import Stack
from conformance.workers.runner import RemoteTarget

FRAMEWORKS = ("torch", "tensorflow", "jax")
NO_RULE = {  # which entry points a framework cannot batch, and what it says of it
    "torch": ("masked-mean", "vmap: "),
    "tensorflow": ("boolean_mask", "l2_loss"),
    "jax": (),
}


def adapter(name: str) -> Any:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    return registry.load(name)


def three(operation: str, dtype: str) -> Stack:
    """The input of the adapters' tests between two others."""
    one = inputs(operation, dtype)
    other = replace(one, prediction=one.prediction + one.prediction.dtype.type(1))
    return Stack.of([other, one, replace(one, target=one.prediction)])


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@pytest.mark.parametrize("name", FRAMEWORKS)
def test_every_implementation_gives_a_member_what_it_gets_alone(name: str, dtype: str) -> None:
    framework = adapter(name)
    wrong, refused, batched = [], [], 0
    for implementation in losses(framework):
        if VMAP not in implementation.modes:
            continue
        run = framework.prepare(implementation, "cpu", VMAP, dtype)
        try:
            found = run(three(implementation.operation, dtype).arrays)
        except Unsupported as error:
            refused.append(f"{implementation.name}: {error}")
            continue
        batched += 1
        alone = as_a_stack_of_one(run, inputs(implementation.operation, dtype))
        both = (alone, member(found, 1))
        wrong += [f"{implementation.name}: {fault}" for one in both for fault in faults(one, implementation.operation, VMAP)]
    assert wrong == []
    assert batched >= 15
    assert all(any(part in refusal for part in NO_RULE[name]) for refusal in refused), refused


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_what_goes_beyond_value_and_gradients_is_not_asked_of_a_batch(name: str) -> None:
    framework = adapter(name)
    implementation = losses(framework)[0]
    assert type(framework.probe(implementation, "cpu", VMAP, "float32")) is Probe


def test_torch_says_that_it_cannot_batch_what_looks_at_its_numbers() -> None:
    framework = adapter("torch")

    def looks(p: Any, t: Any) -> Any:
        return (p - t).square().mean() if bool((p > t).any()) else p.sum() * 0

    with pytest.raises(Unsupported, match="vmap"):
        evaluate(framework, subject(looks), VMAP, "float32")


def test_tensorflow_refuses_what_it_would_run_as_a_loop() -> None:
    import tensorflow as tf

    framework = adapter("tensorflow")
    halved = subject(lambda p, t: 2 * tf.nn.l2_loss(p - t) / tf.cast(tf.size(p), p.dtype))
    with pytest.raises(Unsupported, match=r"^tf\.vectorized_map has no rule for L2Loss$"):
        evaluate(framework, halved, VMAP, "float32")


def whole(function: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """In the place of ``vmap``: the function, called with the whole stack."""
    return function


def one_by_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """In the place of ``torch.vmap``: a loop over the members."""
    import torch

    def looped(*stacks: Any) -> Any:
        values, gradients = zip(*(function(*parts) for parts in zip(*stacks, strict=True)), strict=True)
        return torch.stack(values), [torch.stack(parts) for parts in zip(*gradients, strict=True)]

    return looped


def test_what_torch_runs_one_by_one_is_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    framework = adapter("torch")
    import torch

    run = framework.prepare(subject(lambda p, t: (p - t).square().mean()), "cpu", VMAP, "float32")
    stack = three("mse/mean", "float32").arrays
    assert run(stack).executed_as.mode == VMAP
    monkeypatch.setattr(torch, "vmap", one_by_one)
    with pytest.raises(ExecutionMismatch, match=r"called 3 times, expected once with arrays of shape \(2, 4\)$"):
        run(stack)


def test_torch_has_no_loop_to_fall_back_to() -> None:
    framework = adapter("torch")
    import torch

    def loss(p: Any, t: Any) -> Any:
        return (p - t).square().mean() + 0 * torch.histc(p.detach(), bins=2, min=0, max=1).sum()

    run = framework.prepare(subject(loss), "cpu", VMAP, "float32")
    with pytest.raises(Unsupported, match="hit the vmap fallback"):
        run(three("mse/mean", "float32").arrays)


def test_what_jax_is_given_as_a_whole_is_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    framework = adapter("jax")
    import jax

    monkeypatch.setattr(jax, "vmap", whole)
    run = framework.prepare(subject(lambda p, t: jax.numpy.square(p - t).mean(axis=(1, 2))), "cpu", VMAP, "float32")
    with pytest.raises(ExecutionMismatch, match="asked for vmap, but the function was run in eager"):
        run(three("mse/mean", "float32").arrays)


def test_what_tensorflow_is_given_as_a_whole_is_no_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    framework = adapter("tensorflow")
    import tensorflow as tf

    monkeypatch.setattr(tf, "vectorized_map", lambda function, elements, **_: function(elements))
    run = framework.prepare(subject(lambda p, t: tf.reduce_mean(tf.square(p - t), axis=(1, 2))), "cpu", VMAP, "float32")
    with pytest.raises(ExecutionMismatch, match="asked for vmap, but the function was run in graph mode"):
        run(three("mse/mean", "float32").arrays)


def test_a_reason_speaks_of_members() -> None:
    framework = adapter("torch")
    found = evaluate(framework, subject(lambda p, t: (p - t).square().mean(dim=0)), VMAP, "float32")
    assert found.no_gradient == "the value has shape (4,), so an upstream gradient of shape () does not fit it"


@pytest.mark.parametrize("seen", [[], [(2, 4), (2, 4)], [(3, 2, 4)]])
def test_what_was_no_batch_is_not_attested(seen: list[tuple[int, ...]]) -> None:
    with pytest.raises(ExecutionMismatch, match=r"expected once with arrays of shape \(2, 4\)$"):
        require_batched(seen, three("mse/mean", "float32").arrays)


def test_one_is_a_stack_of_one() -> None:
    shapes: list[Any] = []

    def together(stack: Inputs) -> Evaluation:
        shapes.append((stack.shape, stack.upstream.shape))
        value = np.square(stack.prediction - stack.target).mean(axis=(1, 2))
        return Evaluation(value, {"gradient/prediction": stack.prediction}, ExecutionReport("cpu", VMAP, "float32", value.shape))

    class OfStacks(NumpyFramework):
        def prepare(self, *_: Any) -> Evaluate:
            return together

    runner = runner_of(OfStacks(), [subject(together, modes=(VMAP,))])
    runner.start()
    found = RemoteTarget(runner, "mine", "cpu", VMAP, "float32")(inputs("mse/mean", "float32"))
    assert shapes == [((1, 2, 4), (1,))]
    assert (found.value.shape, found.executed_as.shape, found.gradients["gradient/prediction"].shape) == ((), (), (2, 4))


def test_a_stack_has_the_members_that_it_was_made_of() -> None:
    rng = np.random.default_rng(1)

    def drawn(shape: tuple[int, ...]) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    members = [Inputs(drawn((2, 3)), drawn((2, 3)), drawn((2,)), drawn(())) for _ in range(4)]
    stack = Stack.of(members)
    assert len(stack) == 4
    parts: tuple[Callable[[Inputs], Any], ...] = (lambda i: i.prediction, lambda i: i.target, lambda i: i.weight, lambda i: i.upstream)
    for part in parts:
        for number, one in enumerate(members):
            np.testing.assert_array_equal(part(stack.member(number)), part(one))
            np.testing.assert_array_equal(part(stack.part(slice(number, None)).member(0)), part(one))
            assert part(stack.member(number)).shape == part(one).shape
