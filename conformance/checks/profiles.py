"""How much a run does: sizes, shapes and numbers of examples, and what is left out where compiling is dear."""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from conformance.frameworks.vmap import VMAP
from conformance.numerics.definition import Shape
from conformance.results.records import Target

_SEEDS = 2**31
_STRIDE = 1_000_003
"""Prime and larger than any batch: the inputs of two seeds of a run do not overlap."""


_SPARED = 4_096
"""Elements of the longest pinned case that a sparing profile runs."""


_GROWING = ("bound/growth", "bound/accuracy")
"""What takes shapes of its own: a sparing profile runs it in the usual mode only."""


_SPARING_CHECKS = ("law/exact-arithmetic",)
"""What a sparing profile runs beside pinned cases: there is one right result, bit for bit, on inputs that are drawn."""


def usual_mode(framework: str, modes: Sequence[str]) -> str:
    """The mode in which a framework is mostly used, of those that an implementation has; empty if it has none."""
    usual = "jit" if framework.endswith("jax") else "eager"
    return usual if usual in modes else next(iter(modes), "")


def compiles_each_shape(target: Target) -> bool:
    """Whether a new shape costs the target a compilation. JAX compiles every operation, outside ``jit`` too."""
    return target.mode in {"compile", "jit", "xla"} or target.framework.endswith("jax")


@dataclass(frozen=True)
class Restriction:
    """What a profile runs of what is dear: one implementation of each of these operations, in these dtypes."""

    operations: tuple[str, ...]
    dtypes: tuple[str, ...]

    def covers(self, target: Target, operation: str, *, first: bool) -> bool:
        """Whether a target is among them; ``first``: its implementation is the first of its operation."""
        return first and operation in self.operations and target.dtype in self.dtypes

    def __str__(self) -> str:
        """In words."""
        return f"{' and '.join(self.operations)} in {' and '.join(self.dtypes)}"


@dataclass(frozen=True)
class Budget:
    """How many inputs are put to a target, and of how many shapes; the words are those of :class:`Profile`."""

    examples: int
    draws: int
    """Two at least: some laws compare the first with the last."""
    shapes: tuple[Shape, ...]
    """One at least of two dimensions, and one of so many elements that a division by them, and the root of them, is exact."""
    compiled_shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Profile:
    """``examples`` Hypothesis draws per bound check, each standing for ``batch`` evaluations; ``timeout`` in seconds per check and target.

    ``case_shapes``: where each shape is compiled, only pinned cases of these shapes run; None runs them all. ``seed`` moves every
    generated input; None draws afresh each time.
    """

    name: str
    examples: int
    batch: int
    shapes: tuple[Shape, ...]
    compiled_shapes: tuple[Shape, ...]
    growth_sizes: tuple[int, ...]
    timeout: float
    seed: int | None = 0
    case_shapes: frozenset[Shape] | None = None
    largest_case: int | None = None
    """Pinned cases of more elements are left out."""
    compile_thrift: Restriction | None = None
    """What is run of ``torch.compile``, which takes seconds a target; None is all."""
    batch_thrift: Restriction | None = None
    """What is run of the batched mode; None is all."""
    law_dtypes: tuple[str, ...] = ()
    """Where each shape is compiled, laws with functions of their own run in these dtypes, on the first implementations; () is all."""
    lengths: tuple[int, ...] = tuple(range(1, 131))
    """Two vectors of 64 elements and two more: every remainder of every vector width, with and without full vectors before it."""
    primary_operations: tuple[str, ...] = ()
    """But for the first implementations of these operations, what is traced or compiled is run in float32 only; () is none of that.

    What was asked for by name is run in all dtypes.
    """
    minimal: bool = False
    """Whether only the first implementation of the foremost operations is put to all checks, in its usual mode.

    In its other modes it is put to cases, families and exact arithmetic in float32; all else to cases and exact arithmetic, in float32 and
    one mode. Nothing is put to a long case. What was asked for by name is not spared.
    """
    apart: tuple[str, ...] = ()
    """Groups of operations that start processes of their own, each of which imports its framework anew: a sparing profile has none."""
    once: tuple[str, ...] = ()
    """Groups of operations of which a sparing profile runs the first implementations: a training step is compiled for each run anew."""
    pair_stride: int = 1
    """Every how many-th pair of special values is run where each pair is a call of its own."""
    draws: int = 4
    """How many inputs of a shape a law draws."""
    first: Budget | None = None
    """What the first implementation of an operation is put to in its usual mode; None is as much as what a subject file has."""
    further: Budget | None = None
    """What a framework's further targets are put to, most of which call the same kernels; None is as much as the first."""
    stack: int | None = None
    """How many inputs an example stands for where a stack of them is one call; None is ``batch``."""

    def on(self, target: Target, operation: str, modes: Sequence[str], *, first: bool, subject: bool = False) -> Profile:
        """The profile as it is on one target, of an implementation of an operation with these modes, whatever else is run.

        ``first``: it is the first of its operation; ``subject``: it is one of a subject file.
        """
        first = first and (operation in self.primary_operations or not self.minimal)
        effort = self.first if first and target.mode in {usual_mode(target.framework, modes), VMAP} else self.further
        profile = self if subject or effort is None else replace(self, **vars(effort))
        return replace(profile, batch=self.stack) if target.mode == VMAP and self.stack else profile

    def seeds(self) -> range:
        """One seed for each of the inputs that a law draws of a shape."""
        first = secrets.randbelow(_SEEDS) if self.seed is None else self.seed * _STRIDE % _SEEDS
        return range(first, first + self.draws)

    def shapes_for(self, target: Target) -> tuple[Shape, ...]:
        """The shapes that generated inputs have on this target."""
        return self.compiled_shapes if compiles_each_shape(target) else self.shapes

    def leaves_out(
        self,
        target: Target,
        operation: str,
        check: str = "",
        *,
        first: bool,
        rare: bool = False,
        alone: bool = False,
        modes: Sequence[str] = (),
        shape: Shape | None,
        needs_extra_calls: bool = False,
    ) -> str:
        """Why this profile does not run a check on a target; empty where it does.

        ``check`` is its kind and name, such as ``law/swap``; ``first``: the target's implementation is the first of its operation;
        ``rare``: few implementations offer what the check asks for, and all that do count as first; ``alone``: it is one of few that were
        asked for; ``modes``: all that it has; ``shape``: that of a pinned case; ``needs_extra_calls``: the check asks for functions beside
        value and gradients.
        """
        if self.minimal and not alone and (reason := self._spares(target, operation, check, modes, first=first, rare=rare)):
            return reason
        first = first or rare
        thrift = self.compile_thrift
        chief = not self.primary_operations or (first and operation in self.primary_operations)
        if target.mode == VMAP and (few := self.batch_thrift) and not few.covers(target, operation, first=first):
            return f"the profile {self.name} batches one implementation of {few}: a fuller one runs more of them"
        if not chief and not alone and target.dtype != "float32" and (target.mode != "eager" or compiles_each_shape(target)):
            return f"the profile {self.name} traces and compiles most implementations in float32 only: a fuller one runs them all"
        if needs_extra_calls and target.mode == "compile" and thrift:
            return f"the profile {self.name} compiles value and gradients only: a fuller one compiles further functions"
        if thrift and target.mode == "compile" and not thrift.covers(target, operation, first=first):
            return f"the profile {self.name} compiles one implementation of {thrift}: a fuller one runs them all"
        if self.law_dtypes and needs_extra_calls and compiles_each_shape(target) and not (first and target.dtype in self.law_dtypes):
            where = f"one implementation of each operation, in {' and '.join(self.law_dtypes)}"
            return f"the profile {self.name} compiles further functions of {where}: a fuller one runs them all"
        largest = _SPARED if self.minimal and not alone else self.largest_case
        if largest is not None and shape is not None and math.prod(shape) > largest:
            return f"the profile {self.name} runs no case of more than {largest} elements: a fuller one does"
        if self.case_shapes is not None and shape is not None and shape not in self.case_shapes and compiles_each_shape(target):
            return f"the profile {self.name} compiles few shapes: a fuller one runs them all"
        return ""

    def _spares(self, target: Target, operation: str, check: str, modes: Sequence[str], *, first: bool, rare: bool) -> str:
        one = f"the profile {self.name} runs one implementation of {' and '.join(self.primary_operations)}"
        usual = usual_mode(target.framework, modes)
        if operation.partition("/")[0] in self.apart:
            return f"the profile {self.name} starts no processes beside a framework's own: a fuller one does"
        if operation.partition("/")[0] in self.once and not first:
            return f"the profile {self.name} runs one implementation of {operation}: a fuller one runs them all"
        few = check.startswith("case/") or check in _SPARING_CHECKS
        in_float32 = target.dtype == "float32"
        chief = operation in self.primary_operations and (first or (rare and in_float32))
        if chief and target.mode == usual:
            return ""
        if chief and not in_float32:
            return f"{one} in every mode in float32, and in every dtype in {usual} mode: a fuller one runs them all"
        if chief:
            drawn = few or (check.startswith("bound/") and check not in _GROWING)
            return "" if drawn else f"{one} on all laws in {usual} mode, on cases and families in every mode: a fuller one runs them all"
        if not in_float32:
            return f"{one} in every dtype, and the others in float32: a fuller one runs them all"
        if modes and target.mode != usual:
            return f"{one} in every mode, and the others in one, {usual} where they have it: a fuller one runs more of them"
        return "" if few else f"{one} on all checks, and the others on pinned cases and exact arithmetic: a fuller one runs them all"


_FEW_SHAPES: tuple[Shape, ...] = ((1,), (7,), (64,), (3, 5), (2, 3, 4))
_SHAPES: tuple[Shape, ...] = ((1,), (2,), (3,), (7,), (16,), (33,), (64,), (3, 5), (4, 8), (2, 3, 4), (100,), (2, 1, 3, 2))
_COMPILED: tuple[Shape, ...] = ((4,), (64,), (5, 8))

_FULL = Profile(
    name="full",
    examples=5,
    batch=4,
    shapes=_SHAPES,
    compiled_shapes=_COMPILED,
    growth_sizes=(1_000, 1_000_000),
    timeout=120.0,
    case_shapes=frozenset({(2,), (4,), (64,), (70000,)}),
    compile_thrift=Restriction(operations=("mse/mean",), dtypes=("float16", "float32")),
    batch_thrift=Restriction(operations=("mse/mean", "mse/none"), dtypes=("float32",)),
    largest_case=70_000,
    law_dtypes=("float32",),
    lengths=(*range(1, 36), *range(63, 67), *range(127, 131)),
    pair_stride=5,
    primary_operations=("mse/mean", "mse/sum", "mse/none", "mse/last-axis"),
    first=Budget(examples=3, draws=2, shapes=_SHAPES, compiled_shapes=_COMPILED),
    further=Budget(examples=1, draws=2, shapes=((7,), (64,), (3, 5)), compiled_shapes=_COMPILED[1:]),
    stack=64,
)

PROFILES = {
    profile.name: profile
    for profile in (
        replace(
            _FULL,
            name="quick",
            examples=3,
            shapes=_FEW_SHAPES,
            compiled_shapes=(_COMPILED[0], _COMPILED[2]),
            case_shapes=frozenset({(2,), (4,)}),
            growth_sizes=(1_000, 100_000),
            compile_thrift=Restriction(operations=("mse/mean",), dtypes=("float32",)),
            batch_thrift=Restriction(operations=("mse/mean",), dtypes=("float32",)),
            primary_operations=("mse/mean",),
            minimal=True,
            apart=("replicas",),
            once=("training",),
            draws=2,
            first=None,
            further=Budget(examples=1, draws=2, shapes=((7,), (4, 16)), compiled_shapes=((4, 16),)),
            stack=None,
        ),
        _FULL,
        Profile(
            name="deep",
            examples=200,
            batch=16,
            shapes=(*_SHAPES, (257,), (1000,), (4096,)),
            compiled_shapes=(*_COMPILED, (33,), (2, 3, 4), (1000,)),
            growth_sizes=(10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 2**24 + 1),  # which float32 cannot count
            timeout=900.0,
            seed=None,
            draws=16,
        ),
    )
}


def profile_of(name: str, seed: int | None, timeout: float | None = None) -> Profile:
    """A profile by name, with its own seed and timeout or others."""
    profile = PROFILES[name]
    return replace(profile, seed=profile.seed if seed is None else seed, timeout=profile.timeout if timeout is None else timeout)
