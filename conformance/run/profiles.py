"""Run profiles: what each leaves out, rule by rule, and how much it spends on what it runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from conformance.checks.base import Check
from conformance.checks.budget import Budget
from conformance.frameworks.vmap import VMAP
from conformance.numerics.definition import Shape
from conformance.results.records import Target


@dataclass(frozen=True)
class Candidate:
    """A check on a target, as a profile sees it."""

    check: Check
    target: Target
    modes: Sequence[str] = ("eager",)
    """All modes of the implementation."""
    usual_mode: str = "eager"
    """The mode in which the framework is mostly used."""
    compiles_each_shape: bool = False
    is_first: bool = True
    """Whether the implementation is the first of its operation."""
    named: bool = False
    """Whether it is one of few that were asked for by name."""
    of_subject: bool = False

    @property
    def mode(self) -> str:
        """The mode in which the implementation is mostly used: the framework's, where it has it."""
        return self.usual_mode if self.usual_mode in self.modes else next(iter(self.modes), "")

    @property
    def in_usual_mode(self) -> bool:
        """Whether the target has that mode."""
        return self.target.mode == self.mode

    @property
    def in_float32(self) -> bool:
        """Whether the target is the one in float32."""
        return self.target.dtype == "float32"

    @property
    def counts_as_first(self) -> bool:
        """Few implementations offer what some checks ask for: there all that do count as first."""
        return self.is_first or self.check.rarely_offered

    def is_primary(self, operations: Sequence[str]) -> bool:
        """Whether the implementation is the first of one of these operations."""
        return self.check.operation in operations and self.counts_as_first


@dataclass(frozen=True)
class Rule:
    """What a profile leaves out: every check on a target to which it applies, for this reason, where ``{c}`` stands for the two."""

    applies: Callable[[Candidate], bool]
    reason: str
    limits_cases: bool = False
    """Whether it is about the length of pinned cases."""

    def unless_named(self) -> Rule:
        """The same rule, that spares what is named."""
        return replace(self, applies=lambda c: not c.named and self.applies(c))


@dataclass(frozen=True)
class Profile:
    """``rules`` in order: the first that applies says why a check is left out. ``timeout`` in seconds per call that compiles nothing."""

    name: str
    timeout: float
    budget: Budget
    """For subject files, and where nothing else is said."""
    rules: tuple[Rule, ...] = ()
    first: Mapping[str, object] = field(default_factory=dict)
    """What is other in the budget of the first implementation of an operation, in its usual mode."""
    further: Mapping[str, object] = field(default_factory=dict)
    """Likewise for a framework's further targets, most of which call the same kernels."""
    vmap_batch: int | None = None
    """How many inputs an example stands for where a stack of them is one call; None is as many as elsewhere."""
    first_of: tuple[str, ...] = ()
    """The operations whose first implementation has the budget ``first``; () is all of them."""

    def skip_reason(self, candidate: Candidate) -> str:
        """Why this profile does not run a check on a target; empty where it does."""
        return next((rule.reason.format(c=candidate) for rule in self.rules if rule.applies(candidate)), "")

    def budget_for(self, candidate: Candidate) -> Budget:
        """What a check may spend on a target, whatever else is run."""
        budget = replace(self.budget, compiles_each_shape=candidate.compiles_each_shape)
        batched = candidate.target.mode == VMAP
        if not candidate.of_subject:
            first = candidate.is_first and (not self.first_of or candidate.check.operation in self.first_of)
            foremost = first and (candidate.in_usual_mode or batched)
            budget = replace(budget, **(self.first if foremost else self.further))  # type: ignore[arg-type]  # fields of a budget, by name
        return replace(budget, batch=self.vmap_batch) if batched and self.vmap_batch else budget

    def with_long_cases(self) -> Profile:
        """The same profile, with pinned cases of any length."""
        return replace(self, rules=tuple(rule for rule in self.rules if not rule.limits_cases))


def _draws_little(check: Check) -> bool:
    """Pinned cases, and the law for which there is one right result, bit for bit, on inputs that are drawn."""
    return check.kind == "case" or (check.kind == "law" and check.name == "exact-arithmetic")


def _is_searched(check: Check) -> bool:
    """Families, but for growth and accuracy, which take shapes of their own."""
    return check.kind == "bound" and check.name not in {"growth", "accuracy"}


def _is_mean(c: Candidate) -> bool:
    """Whether the implementation is the one that the profile quick puts to all checks."""
    return c.check.operation == "mse/mean" and (c.is_first or (c.check.rarely_offered and c.in_float32))


def _is_mean_elsewhere(c: Candidate) -> bool:
    """That implementation outside its usual mode."""
    return _is_mean(c) and not c.in_usual_mode


_ONE = "the profile quick runs one implementation of mse/mean"
_FEW_OF_EVERYTHING = (
    Rule(
        lambda c: c.check.operation.startswith("replicas/"),
        "the profile quick starts no processes beside a framework's own: a fuller one does",
    ),
    Rule(
        lambda c: c.check.operation.startswith("training/") and not c.is_first,  # a training step is compiled for each run anew
        "the profile quick runs one implementation of {c.check.operation}: a fuller one runs them all",
    ),
    Rule(
        lambda c: _is_mean_elsewhere(c) and not c.in_float32,
        f"{_ONE} in every mode in float32, and in every dtype in {{c.mode}} mode: a fuller one runs them all",
    ),
    Rule(
        lambda c: _is_mean_elsewhere(c) and not (_draws_little(c.check) or _is_searched(c.check)),
        f"{_ONE} on all laws in {{c.mode}} mode, on cases and families in every mode: a fuller one runs them all",
    ),
    Rule(
        lambda c: not _is_mean(c) and not c.in_float32,
        f"{_ONE} in every dtype, and the others in float32: a fuller one runs them all",
    ),
    Rule(
        lambda c: not _is_mean(c) and bool(c.modes) and not c.in_usual_mode,
        f"{_ONE} in every mode, and the others in one, {{c.mode}} where they have it: a fuller one runs more of them",
    ),
    Rule(
        lambda c: not _is_mean(c) and not _draws_little(c.check),
        f"{_ONE} on all checks, and the others on pinned cases and exact arithmetic: a fuller one runs them all",
    ),
)
"""Only the first implementation of the mean runs all checks, in its usual mode; whatever is named runs in full.

In its other modes it runs cases, families and exact arithmetic in float32; all else runs cases and exact arithmetic, in float32 and
one mode.
"""


def _longest_case(profile: str, most: int) -> Rule:
    return Rule(
        lambda c: c.check.shape is not None and math.prod(c.check.shape) > most,
        f"the profile {profile} runs no case of more than {most} elements: a fuller one does",
        limits_cases=True,
    )


def _dear(
    profile: str,
    *,
    primary: Sequence[str],
    batched: Sequence[str],
    compiled: Sequence[str],
    compiled_dtypes: Sequence[str],
    case_shapes: frozenset[Shape],
    long_cases: tuple[Rule, ...],
) -> tuple[Rule, ...]:
    """What compiling makes dear, and long cases.

    ``batched`` and ``compiled``: the operations of which one implementation runs in vmap mode and by ``torch.compile``; ``case_shapes``:
    those of the pinned cases that run where each shape is compiled.
    """
    return (
        Rule(
            lambda c: c.target.mode == VMAP and not (c.is_primary(batched) and c.in_float32),
            f"the profile {profile} batches one implementation of {' and '.join(batched)} in float32: a fuller one runs more of them",
        ),
        Rule(
            lambda c: not (c.is_primary(primary) or c.named or c.in_float32) and (c.target.mode != "eager" or c.compiles_each_shape),
            f"the profile {profile} traces and compiles most implementations in float32 only: a fuller one runs them all",
        ),
        Rule(
            lambda c: c.target.mode == "compile" and (c.check.needs_extra_calls or c.check.kind == "behaviour"),
            f"the profile {profile} compiles value and gradients only: a fuller one compiles further functions",
        ),
        Rule(
            lambda c: c.target.mode == "compile" and not (c.is_primary(compiled) and c.target.dtype in compiled_dtypes),
            f"the profile {profile} compiles one implementation of {' and '.join(compiled)} in {' and '.join(compiled_dtypes)}: "
            "a fuller one runs them all",
        ),
        Rule(
            lambda c: c.check.needs_extra_calls and c.compiles_each_shape and not (c.counts_as_first and c.in_float32),
            f"the profile {profile} compiles further functions of one implementation of each operation, in float32: "
            "a fuller one runs them all",
        ),
        *long_cases,
        Rule(
            lambda c: c.check.shape is not None and c.check.shape not in case_shapes and c.compiles_each_shape,
            f"the profile {profile} compiles few shapes: a fuller one runs them all",
        ),
    )


_SHAPES: tuple[Shape, ...] = ((1,), (2,), (3,), (7,), (16,), (33,), (64,), (3, 5), (4, 8), (2, 3, 4), (100,), (2, 1, 3, 2))
_COMPILED: tuple[Shape, ...] = ((4,), (64,), (5, 8))
_FULL_BUDGET = Budget(
    examples=5,
    batch=4,
    draws=4,
    eager_shapes=_SHAPES,
    compiled_shapes=_COMPILED,
    growth_sizes=(1_000, 1_000_000),
    lengths=(*range(1, 36), *range(63, 67), *range(127, 131)),
    pair_stride=5,
)

_QUICK = Profile(
    name="quick",
    timeout=10.0,
    budget=replace(
        _FULL_BUDGET,
        examples=3,
        draws=2,
        eager_shapes=((1,), (7,), (64,), (3, 5), (2, 3, 4)),
        compiled_shapes=((4,), (5, 8)),
        growth_sizes=(1_000, 100_000),
    ),
    rules=(
        *(rule.unless_named() for rule in _FEW_OF_EVERYTHING),
        *_dear(
            "quick",
            primary=("mse/mean",),
            batched=("mse/mean",),
            compiled=("mse/mean",),
            compiled_dtypes=("float32",),
            case_shapes=frozenset({(2,), (4,)}),
            long_cases=(_longest_case("quick", 4_096).unless_named(), _longest_case("quick", 70_000)),
        ),
    ),
    first_of=("mse/mean",),
    further={"examples": 1, "eager_shapes": ((7,), (4, 16)), "compiled_shapes": ((4, 16),)},
)

_FULL = Profile(
    name="full",
    timeout=10.0,
    budget=_FULL_BUDGET,
    rules=_dear(
        "full",
        primary=("mse/mean", "mse/sum", "mse/none", "mse/last-axis"),
        batched=("mse/mean", "mse/none"),
        compiled=("mse/mean",),
        compiled_dtypes=("float16", "float32"),
        case_shapes=frozenset({(2,), (4,), (64,), (70000,)}),
        long_cases=(_longest_case("full", 70_000),),
    ),
    first={"examples": 3, "draws": 2},
    further={"examples": 1, "draws": 2, "eager_shapes": ((7,), (64,), (3, 5)), "compiled_shapes": _COMPILED[1:]},
    vmap_batch=64,
)

_DEEP = Profile(
    name="deep",
    timeout=60.0,
    budget=Budget(
        examples=200,
        batch=16,
        draws=16,
        eager_shapes=(*_SHAPES, (257,), (1000,), (4096,)),
        compiled_shapes=(*_COMPILED, (33,), (2, 3, 4), (1000,)),
        growth_sizes=(10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 2**24 + 1),  # which float32 cannot count
        seed=None,
    ),
)

PROFILES = {profile.name: profile for profile in (_QUICK, _FULL, _DEEP)}


def profile_of(name: str, seed: int | None, timeout: float | None = None) -> Profile:
    """A profile by name, with its own seed and timeout or others."""
    profile = PROFILES[name]
    budget = profile.budget if seed is None else replace(profile.budget, seed=seed)
    return replace(profile, budget=budget, timeout=profile.timeout if timeout is None else timeout)
