"""What a profile leaves out, and that it says why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from one_target import own_harness, request_of

from conformance.checks.base import Check
from conformance.checks.budget import Budget
from conformance.frameworks.registry import info_of
from conformance.judges.harness import Harness
from conformance.numerics.definition import Shape
from conformance.results.records import Outcome, Target
from conformance.run.profiles import PROFILES, Candidate, Profile


def target(mode: str = "eager", dtype: str = "float32", framework: str = "torch") -> Target:
    return Target(framework=framework, version="1", implementation="mine", device="cpu", mode=mode, dtype=dtype)


KINDS = {kind: type(kind, (Check,), {"kind": kind}) for kind in ("case", "bound", "law", "behaviour")}


def candidate(  # of a check that is told by its kind and name
    where: Target,
    operation: str,
    check: str = "law/any",
    *,
    first: bool,
    rare: bool = False,
    alone: bool = False,
    modes: tuple[str, ...] = (),
    shape: Shape | None = None,
    needs_extra_calls: bool = False,
    subject: bool = False,
) -> Candidate:
    kind, name = check.split("/")
    made = KINDS[kind](operation=operation, name=name, why="", shape=shape, rarely_offered=rare, needs_extra_calls=needs_extra_calls)
    info = info_of(where.framework)
    compiles = info.compiles_each_shape(where.mode)
    return Candidate(made, where, modes, info.usual_mode, compiles, is_first=first, named=alone, of_subject=subject)


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
    asked = {"modes": (where.mode,), **options}
    reason = PROFILES["quick"].skip_reason(candidate(where, operation, check, **asked))  # type: ignore[arg-type]  # of a table
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
    reason = PROFILES["full"].skip_reason(candidate(where, operation, first=True))
    assert said in reason
    assert bool(reason) == bool(said)


def test_full_runs_what_is_asked_for_by_name_in_every_dtype() -> None:
    assert PROFILES["full"].skip_reason(candidate(target("graph", "float16"), "mse/half-sum", first=False, alone=True)) == ""


@pytest.mark.parametrize("mode", ["eager", "graph", "xla", "jit", "compile", "vmap"])
def test_deep_leaves_nothing_out(mode: str) -> None:
    for shape in (None, (2**24 + 1,)):
        asked = candidate(target(mode, "bfloat16"), "mse/half-sum", first=False, shape=shape, needs_extra_calls=True)
        assert PROFILES["deep"].skip_reason(asked) == ""


def test_a_fuller_profile_runs_more() -> None:
    quick, full, deep = (PROFILES[name].budget for name in ("quick", "full", "deep"))
    for less, more in ((quick, full), (full, deep)):
        assert less.examples * less.batch < more.examples * more.batch
        assert len(less.seeds()) < len(more.seeds())
        assert set(less.eager_shapes) <= set(more.eager_shapes)
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
    on = full.budget_for(candidate(where, "mse/mean", modes=modes, first=first))
    assert (on.eager_shapes == full.budget.eager_shapes) == all_of_it
    assert on.seed == full.budget.seed
    subject = full.budget_for(candidate(where, "mse/mean", modes=modes, first=first, subject=True))
    assert replace(subject, compiles_each_shape=False) == full.budget
    assert len(on.seeds()) < len(subject.seeds())
    assert on.examples < subject.examples
    if not all_of_it:
        assert set(on.eager_shapes) < set(full.budget.eager_shapes)
        assert set(on.compiled_shapes) < set(full.budget.compiled_shapes)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_law_that_compares_two_inputs_has_two(profile: Profile) -> None:
    for first in (False, True):
        seeds = profile.budget_for(candidate(target(), "mse/mean", modes=TWO, first=first)).seeds()
        assert seeds[0] != seeds[-1]


def test_quick_draws_most_on_the_operations_that_it_puts_to_all_checks() -> None:
    quick = PROFILES["quick"]
    primary, other = (quick.budget_for(candidate(target(), name, modes=TWO, first=True)) for name in ("mse/mean", "mse/sum"))
    assert primary == quick.budget
    assert other.examples < primary.examples
    assert len(other.eager_shapes) < len(primary.eager_shapes)
    assert len(other.compiled_shapes) < len(primary.compiled_shapes)
    assert quick.budget_for(candidate(target(), "mse/sum", modes=TWO, first=True, subject=True)) == quick.budget


FEW = sorted(
    {
        shapes
        for profile in PROFILES.values()
        for budget in (profile.budget, replace(profile.budget, **profile.first), replace(profile.budget, **profile.further))  # type: ignore[arg-type]  # fields by name
        for shapes in (budget.eager_shapes, budget.compiled_shapes)
        if len(shapes) <= 3
    }
)


def few(shapes: tuple[Shape, ...]) -> Budget:
    return replace(PROFILES["full"].budget, examples=1, eager_shapes=shapes, compiled_shapes=shapes, lengths=(3,), pair_stride=40)


def harness(framework: str) -> Harness:
    pytest.importorskip(framework)
    return own_harness(framework)


@pytest.mark.parametrize("shapes", FEW, ids=str)
def test_no_law_is_without_an_input_where_shapes_are_few(shapes: tuple[Shape, ...]) -> None:
    bench = harness("torch")
    described = bench.description.implementations
    first = {i.operation: i.name for i in reversed(described) if "float32" in i.dtypes and "eager" in i.modes}
    asked = [
        request_of(check.id, first[check.operation], budget=few(shapes))
        for check in bench.checks.values()
        if check.kind == "law" and "float32" in check.dtypes and check.operation in first
    ]
    cells = [cell for request in asked for cell in bench.answer(request).cells]
    assert sum(cell.outcome is Outcome.PASS for cell in cells) > len(asked)
    assert [cell.id for cell in cells if cell.outcome is Outcome.ERROR] == []


@pytest.mark.parametrize("shapes", FEW, ids=str)
def test_every_length_has_one_where_each_is_compiled(shapes: tuple[Shape, ...]) -> None:
    bench = harness("jax")
    budget = replace(few(shapes), compiles_each_shape=True)
    request = request_of("mse/mean/law/every-length", "written-out.mean", mode="jit", budget=budget)
    assert {cell.outcome for cell in bench.answer(request).cells} == {Outcome.PASS}


def test_deep_draws_as_much_on_every_target() -> None:
    deep = PROFILES["deep"]
    assert deep.budget_for(candidate(target("graph"), "mse/mean", modes=TWO, first=False)) == deep.budget


def test_a_call_with_a_stack_takes_more_inputs() -> None:
    full = PROFILES["full"]
    stack, one = (full.budget_for(candidate(target(mode), "mse/mean", modes=(*TWO, "vmap"), first=True)) for mode in ("vmap", "eager"))
    assert stack.batch > one.batch
