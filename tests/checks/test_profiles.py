"""What a profile leaves out, and that it says why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.checks.base import operation_of
from conformance.checks.profiles import PROFILES, Profile
from conformance.numerics.definition import Shape
from conformance.results.records import Outcome, Target
from conformance.workers.protocol import Request
from conformance.workers.worker import Harness, open_harness


def target(mode: str = "eager", dtype: str = "float32", framework: str = "torch") -> Target:
    return Target(framework=framework, version="1", implementation="mine", device="cpu", mode=mode, dtype=dtype)


TWO, JAX_TWO = ("eager", "graph"), ("eager", "jit")


@pytest.mark.parametrize(
    ("where", "operation", "check", "options", "said"),
    [
        (target(), "mse/mean", "law/swap", {"first": True}, ""),
        (target(dtype="float16"), "mse/mean", "law/swap", {"first": True}, ""),
        (target("graph"), "mse/mean", "bound/ordinary", {"first": True, "modes": TWO}, ""),
        (target("graph"), "mse/mean", "law/exact-arithmetic", {"first": True, "modes": TWO}, ""),
        (
            target("graph"),
            "mse/mean",
            "law/swap",
            {"first": True, "modes": TWO},
            "on all laws in eager mode, on cases and families in every mode",
        ),
        (
            target("graph", "float16"),
            "mse/mean",
            "case/one",
            {"first": True, "modes": TWO},
            "in every mode in float32, and in every dtype in eager",
        ),
        (target("jit", "float16", "jax"), "mse/mean", "law/swap", {"first": True, "modes": JAX_TWO}, ""),
        (target(dtype="float16"), "mse/mean", "case/one", {"first": False}, "in every dtype, and the others in float32"),
        (target(dtype="float16"), "mse/sum", "case/one", {"first": True}, "in every dtype, and the others in float32"),
        (target("graph"), "mse/mean", "case/one", {"first": False, "modes": TWO}, "and the others in one, eager where they have it"),
        (target("graph"), "mse/mean", "case/one", {"first": False, "modes": ("graph", "xla")}, ""),
        (target("xla"), "mse/mean", "case/one", {"first": False, "modes": ("graph", "xla")}, "and the others in one"),
        (
            target(framework="jax"),
            "mse/mean",
            "case/one",
            {"first": False, "modes": JAX_TWO},
            "and the others in one, jit where they have it",
        ),
        (target(framework="keras-jax"), "mse/mean", "case/one", {"first": False, "modes": ("eager",)}, ""),
        (target("jit", framework="jax"), "mse/mean", "case/one", {"first": False, "modes": JAX_TWO}, ""),
        (target(), "mse/sum", "law/exact-arithmetic", {"first": True}, ""),
        (target(), "mse/sum", "law/swap", {"first": True}, "on all checks, and the others on pinned cases and exact arithmetic"),
        (target(), "mse/sum", "bound/ordinary", {"first": True}, "on all checks, and the others on pinned cases and exact arithmetic"),
        (target(), "mse/sum", "bound/ordinary", {"first": True, "alone": True}, ""),
        (target(dtype="float16"), "mse/sum", "law/swap", {"first": True, "alone": True}, ""),
        (target("vmap"), "mse/mean", "bound/ordinary", {"first": True, "modes": TWO}, ""),
        (target("eager"), "mse/mean", "bound/growth", {"first": True, "modes": ("eager",)}, ""),
        (target("graph"), "mse/mean", "bound/growth", {"first": True, "modes": TWO}, "on all laws in eager mode"),
        (target("graph"), "mse/mean", "bound/accuracy", {"first": True, "modes": TWO}, "on all laws in eager mode"),
        (target(), "mse/mean", "law/any-split", {"first": False, "rare": True}, ""),
        (target(dtype="float16"), "mse/mean", "law/any-split", {"first": True, "rare": True}, ""),
        (target(dtype="float16"), "mse/mean", "law/any-split", {"first": False, "rare": True}, "in every dtype, and the others in float32"),
        (target(dtype="float16"), "mse/mean", "law/any-split", {"first": False, "rare": True, "alone": True}, ""),
        (target("graph"), "training/sgd", "case/one", {"first": True}, ""),
        (target("graph"), "training/sgd", "case/one", {"first": False}, "runs one implementation of training/sgd"),
        (target("graph"), "training/sgd", "case/one", {"first": False, "alone": True}, ""),
        (target(), "replicas/mean-gradient", "case/one", {"first": True}, "starts no processes beside a framework's own"),
        (target(), "replicas/mean-gradient", "case/one", {"first": True, "alone": True}, ""),
        (target(), "mse/mean", "case/long", {"first": True, "shape": (4097,)}, "no case of more than 4096 elements"),
        (target(), "mse/mean", "case/long", {"first": True, "alone": True, "shape": (70_000,)}, ""),
        (target(), "mse/mean", "case/long", {"first": True, "alone": True, "shape": (70_001,)}, "no case of more than 70000 elements"),
        (target("jit", framework="jax"), "mse/mean", "case/one", {"first": True, "modes": JAX_TWO, "shape": (3,)}, "compiles few shapes"),
        (target("jit", framework="jax"), "mse/mean", "case/one", {"first": True, "modes": JAX_TWO, "shape": (4,)}, ""),
    ],
)
def test_quick_runs_a_little_of_everything(where: Target, operation: str, check: str, options: dict[str, object], said: str) -> None:
    asked = {"shape": None, "modes": (where.mode,), **options}
    reason = PROFILES["quick"].leaves_out(where, operation, check, **asked)  # type: ignore[arg-type]  # of a table
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
        (target("graph", "float16"), "mse/half-sum", "traces and compiles most implementations in float32 only"),
        (target("graph", "float16"), "mse/sum", ""),
        (target("vmap"), "mse/sum", "batches one implementation of mse/mean and mse/none in float32"),
        (target("compile"), "mse/sum", "compiles one implementation of mse/mean in float16 and float32"),
    ],
)
def test_full_leaves_out_what_is_dear(where: Target, operation: str, said: str) -> None:
    reason = PROFILES["full"].leaves_out(where, operation, first=True, shape=None)
    assert said in reason
    assert bool(reason) == bool(said)


def test_full_runs_what_is_asked_for_by_name_in_every_dtype() -> None:
    assert PROFILES["full"].leaves_out(target("graph", "float16"), "mse/half-sum", first=False, alone=True, shape=None) == ""


@pytest.mark.parametrize("mode", ["eager", "graph", "xla", "jit", "compile", "vmap"])
def test_deep_leaves_nothing_out(mode: str) -> None:
    for shape in (None, (2**24 + 1,)):
        assert PROFILES["deep"].leaves_out(target(mode, "bfloat16"), "mse/half-sum", first=False, shape=shape, needs_extra_calls=True) == ""


def test_a_fuller_profile_runs_more() -> None:
    quick, full, deep = (PROFILES[name] for name in ("quick", "full", "deep"))
    for less, more in ((quick, full), (full, deep)):
        assert less.examples * less.batch < more.examples * more.batch
        assert len(less.seeds()) < len(more.seeds())
        assert set(less.shapes) <= set(more.shapes)
        assert set(less.compiled_shapes) <= set(more.compiled_shapes)


@pytest.mark.parametrize(
    ("where", "modes", "first", "all_of_it"),
    [
        (target(), TWO, True, True),
        (target(), TWO, False, False),
        (target("graph"), TWO, True, False),
        (target("graph"), ("graph",), True, True),
        (target("jit", framework="jax"), JAX_TWO, True, True),
        (target(framework="jax"), JAX_TWO, True, False),
    ],
)
def test_less_is_drawn_on_further_targets_of_the_same_kernels(
    where: Target, modes: tuple[str, ...], *, first: bool, all_of_it: bool
) -> None:
    full = PROFILES["full"]
    on = full.on(where, "mse/mean", modes, first=first)
    assert (on.shapes == full.shapes) == all_of_it
    assert on.name == full.name
    assert on.seed == full.seed
    subject = full.on(where, "mse/mean", modes, first=first, subject=True)
    assert subject == full
    assert len(on.seeds()) < len(subject.seeds())
    assert on.examples < subject.examples
    if not all_of_it:
        assert set(on.shapes) < set(full.shapes)
        assert set(on.compiled_shapes) < set(full.compiled_shapes)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_law_that_compares_two_inputs_has_two(profile: Profile) -> None:
    for first in (False, True):
        seeds = profile.on(target(), "mse/mean", TWO, first=first).seeds()
        assert seeds[0] != seeds[-1]


def test_quick_draws_most_on_the_operations_that_it_puts_to_all_checks() -> None:
    quick = PROFILES["quick"]
    primary_operations, other = (quick.on(target(), operation, TWO, first=True) for operation in ("mse/mean", "mse/sum"))
    assert primary_operations == quick
    assert other.examples < primary_operations.examples
    assert len(other.shapes) < len(primary_operations.shapes)
    assert len(other.compiled_shapes) < len(primary_operations.compiled_shapes)
    assert quick.on(target(), "mse/sum", TWO, first=True, subject=True) == quick


FEW = sorted(
    {
        shapes
        for profile in PROFILES.values()
        for effort in (profile, profile.first, profile.further)
        if effort is not None
        for shapes in (effort.shapes, effort.compiled_shapes)
        if len(shapes) <= 3
    }
)


def of_shapes(framework: str, shapes: tuple[Shape, ...]) -> Harness:
    pytest.importorskip(framework)
    few = replace(
        PROFILES["full"], first=None, further=None, examples=1, shapes=shapes, compiled_shapes=shapes, lengths=(3,), pair_stride=40
    )
    return open_harness(framework, None, few, [])


@pytest.mark.parametrize("shapes", FEW, ids=str)
def test_no_law_is_without_an_input_where_shapes_are_few(shapes: tuple[Shape, ...]) -> None:
    bench = of_shapes("torch", shapes)
    first = {i.operation: i.name for i in reversed(bench.implementations.values()) if "float32" in i.dtypes and "eager" in i.modes}
    asked = [
        Request(check=check.id, implementation=first[operation_of(check)], device="cpu", mode="eager", dtype="float32")
        for check in bench.checks.values()
        if check.kind == "law" and "float32" in check.dtypes and operation_of(check) in first
    ]
    cells = [cell for request in asked for cell in bench.answer(request).cells]
    assert sum(cell.outcome is Outcome.PASS for cell in cells) > len(asked)
    assert [cell.id for cell in cells if cell.outcome is Outcome.ERROR] == []


@pytest.mark.parametrize("shapes", FEW, ids=str)
def test_every_length_has_one_where_each_is_compiled(shapes: tuple[Shape, ...]) -> None:
    bench = of_shapes("jax", shapes)
    request = Request(check="mse/mean/law/every-length", implementation="written-out.mean", device="cpu", mode="jit", dtype="float32")
    assert {cell.outcome for cell in bench.answer(request).cells} == {Outcome.PASS}


def test_deep_draws_as_much_on_every_target() -> None:
    deep = PROFILES["deep"]
    assert deep.on(target("graph"), "mse/mean", TWO, first=False) is deep


def test_a_call_with_a_stack_takes_more_inputs() -> None:
    full = PROFILES["full"]
    assert full.on(target("vmap"), "mse/mean", (*TWO, "vmap"), first=True).batch > full.on(target(), "mse/mean", TWO, first=True).batch
