"""What a profile leaves out, and that it says why."""

from __future__ import annotations

import pytest

from conformance.profiles import PROFILES
from conformance.results import Target


def target(mode: str = "eager", dtype: str = "float32", framework: str = "torch") -> Target:
    return Target(framework=framework, version="1", implementation="mine", device="cpu", mode=mode, dtype=dtype)


@pytest.mark.parametrize(
    ("where", "operation", "options", "said"),
    [
        (target(), "mse/mean", {"first": True}, ""),
        (target(dtype="float16"), "mse/mean", {"first": True}, ""),
        (target(dtype="float16"), "mse/mean", {"first": False}, "in every dtype, and the others in float32"),
        (target(dtype="float16"), "mse/sum", {"first": True}, "in every dtype, and the others in float32"),
        (target("graph"), "mse/mean", {"first": False, "modes": ("eager", "graph")}, "and the others in one, eager where they have it"),
        (target("graph"), "mse/mean", {"first": False, "modes": ("graph", "xla")}, ""),
        (target("xla"), "mse/mean", {"first": False, "modes": ("graph", "xla")}, "and the others in one"),
        (target(framework="jax"), "mse/mean", {"first": False, "modes": ("eager", "jit")}, "and the others in one, jit where they have it"),
        (target(framework="keras-jax"), "mse/mean", {"first": False, "modes": ("eager",)}, ""),
        (target("jit", framework="jax"), "mse/mean", {"first": False, "modes": ("eager", "jit")}, ""),
        (target(), "mse/sum", {"first": True, "family": "ordinary"}, "on families of inputs, and the others on pinned cases and laws"),
        (target(), "mse/mean", {"first": True, "family": "ordinary"}, ""),
        (target("vmap"), "mse/mean", {"first": True}, ""),
        (target(), "mse/sum", {"first": True, "alone": True, "family": "ordinary"}, ""),
        (target(dtype="float16"), "mse/sum", {"first": True, "alone": True}, ""),
        (target(), "mse/mean", {"first": True, "shape": (4097,)}, "no case of more than 4096 elements"),
        (target(), "mse/mean", {"first": True, "alone": True, "shape": (70_000,)}, ""),
        (target(), "mse/mean", {"first": True, "alone": True, "shape": (70_001,)}, "no case of more than 70000 elements"),
    ],
)
def test_quick_runs_a_little_of_everything(where: Target, operation: str, options: dict[str, object], said: str) -> None:
    reason = PROFILES["quick"].leaves_out(where, operation, **{"shape": None, **options})  # type: ignore[arg-type]  # of a table
    assert said in reason
    assert bool(reason) == bool(said)
    if reason:
        assert reason.startswith("the profile quick ")
        assert ": a fuller one " in reason


@pytest.mark.parametrize(
    ("where", "operation", "said"),
    [
        (target(dtype="float16"), "mse/sum", ""),
        (target("graph"), "mse/half-sum", ""),
        (target("graph", "float16"), "mse/half-sum", "traces and compiles most operations in float32 only"),
        (target("vmap"), "mse/sum", "batches one implementation of mse/mean and mse/none in float32"),
        (target("compile"), "mse/sum", "compiles one implementation of mse/mean in float16 and float32"),
    ],
)
def test_full_leaves_out_what_is_dear(where: Target, operation: str, said: str) -> None:
    reason = PROFILES["full"].leaves_out(where, operation, first=True, shape=None)
    assert said in reason
    assert bool(reason) == bool(said)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla", "jit", "compile", "vmap"])
def test_deep_leaves_nothing_out(mode: str) -> None:
    for shape in (None, (2**24 + 1,)):
        assert PROFILES["deep"].leaves_out(target(mode, "bfloat16"), "mse/half-sum", first=False, shape=shape, own_functions=True) == ""


def test_a_fuller_profile_runs_more() -> None:
    quick, full, deep = (PROFILES[name] for name in ("quick", "full", "deep"))
    for less, more in ((quick, full), (full, deep)):
        assert less.examples * less.batch < more.examples * more.batch
        assert len(less.seeds()) < len(more.seeds())
        assert set(less.shapes) <= set(more.shapes)
        assert set(less.compiled_shapes) <= set(more.compiled_shapes)
