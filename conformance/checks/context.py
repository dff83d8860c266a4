"""One target under test: evaluates inputs, attests what came back, judges it, and keeps the tally of a check."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any, Protocol, TypeVar

from conformance.checks.budget import Budget
from conformance.checks.tally import QuantityRecord
from conformance.frameworks.base import Evaluation, ExecutionMismatch, Refused
from conformance.frameworks.domain import Domain
from conformance.frameworks.probe import Probe
from conformance.frameworks.vmap import VMAP
from conformance.numerics.bounds.error_model import RoundingStep
from conformance.numerics.bounds.expectation import Expectation, expectation_of
from conformance.numerics.definition import Definition, Inputs, Over, Quantity, Shape
from conformance.numerics.exact.oracle import Exact
from conformance.numerics.formats import FORMATS, Format, format_of
from conformance.numerics.stack import Stack
from conformance.results.records import Target
from conformance.specs.model import Operation, Policy

Expect = Callable[[Exact, Quantity, Format], Expectation]
"""Makes the expectation of one quantity in the output format that came back."""

_About = TypeVar("_About")
MESSAGES_AHEAD = 8
"""So many messages are on their way: the implementation computes while results are looked at."""
_INPUTS_TOGETHER = 64
"""Most inputs that are sent at a time."""
_KEPT = 16_384
_ELEMENTS = 1_000_000
"""Of all arrays that are kept: about 100 bytes each."""


class ExpectationCache:
    """Expectations of recent inputs: targets of one operation and dtype see the same bits, so each is made once.

    It must hold all that one target sees: the next one begins at the beginning again, and of fewer it would find none.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Expectation] = OrderedDict()
        self._elements = 0

    def get(self, key: Hashable, make: Callable[[], Expectation]) -> Expectation:
        """The expectation under ``key``, made when it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        made = make()
        self._kept[key] = made
        self._elements += made.index.size
        while len(self._kept) > _KEPT or (self._elements > _ELEMENTS and len(self._kept) > 1):
            self._elements -= self._kept.popitem(last=False)[1].index.size
        return made


class Outside(Refused):
    """Inputs that the domain of a subject does not hold; it was not asked."""


@dataclass(frozen=True, eq=False)
class Group:
    """What came back for members of a stack that follow each other: their arrays together, members first, or why they were refused."""

    count: int
    result: Evaluation | Refused


def member_of(evaluation: Evaluation, number: int) -> Evaluation:
    """What came back for one member of a group."""
    gradients = {name: gradient[number, ...] for name, gradient in evaluation.gradients.items()}
    return Evaluation(evaluation.value[number, ...], gradients, evaluation.executed_as, evaluation.no_gradient, evaluation.changed)


class Evaluator(Protocol):
    """A prepared implementation."""

    def __call__(self, inputs: Inputs) -> Evaluation:
        """Value and gradients of one input.

        Raises:
            Exception: whatever the implementation raises.
        """
        ...

    def begin(self, stack: Stack) -> Callable[[], Sequence[Group]]:
        """Ask for all members of a stack; what is returned waits for the answer, and raises what the implementation raised."""
        ...


@dataclass(frozen=True)
class FunctionEvaluator:
    """A function of one input as an evaluator: the members of a stack are evaluated one by one."""

    function: Callable[[Inputs], Evaluation]

    def __call__(self, inputs: Inputs) -> Evaluation:
        """What the function returns."""
        return self.function(inputs)

    def begin(self, stack: Stack) -> Callable[[], Sequence[Group]]:
        """Evaluates when it is waited for; each member is a group."""

        def group(place: int) -> Group:
            try:
                found = self.function(stack.member(place))
            except Refused as refusal:
                return Group(1, refusal)
            gradients = {name: gradient[None] for name, gradient in found.gradients.items()}
            return Group(1, replace(found, value=found.value[None], gradients=gradients))

        return lambda: [group(place) for place in range(len(stack))]


@dataclass(frozen=True)
class Sibling:
    """The same entry point's form of another operation: ``mse_loss.sum`` beside ``mse_loss.mean``."""

    name: str
    definition: Definition
    evaluate: Evaluator


@dataclass
class CheckContext:
    """A prepared target and everything needed to judge it.

    ``probe`` answers what goes beyond value and gradients; ``siblings`` prepares the entry point's forms of other operations.
    """

    target: Target
    operation: Operation
    evaluate: Evaluator
    error_model: Sequence[RoundingStep]
    flushes: bool
    budget: Budget
    cache: ExpectationCache
    probe: Probe = field(default_factory=Probe)
    siblings: Callable[[], Sequence[Sibling]] = tuple
    kept: dict[str, Sequence[Any]] = field(default_factory=dict)
    """What a check of this target found that another builds on, by the check's id."""
    declared: Mapping[str, Policy] = field(default_factory=dict)
    """What the specs declare of the target, by policy."""
    tallies: dict[Quantity, QuantityRecord] = field(default_factory=dict)
    """What the check has seen so far, of each of its quantities."""
    alone: Callable[[Sequence[Inputs]], Sequence[Evaluation]] | None = None
    """What a subject gives in a program of its own, without the suite; None of an entry point."""
    domain: Domain | None = None
    """What a subject declares; an entry point of a framework has none."""
    uses_random_inputs: bool = False
    """Whether the check asked for a seed: what it found without one holds whatever the seed."""
    foreseen: dict[Quantity, Format] = field(default_factory=dict)
    """The format in which each quantity came back last: so it will again, and what is expected of it can be made meanwhile."""

    @property
    def exact_format(self) -> Format:
        """The format in which exact data are drawn: the target's, or the narrower one in which a subject declares to return results."""
        return FORMATS[(self.domain.half_result if self.domain is not None else "") or self.target.dtype]

    @property
    def seed(self) -> int | None:
        """The seed of the inputs that a check searches; None draws afresh."""
        self.uses_random_inputs = True
        return self.budget.seed

    def seeds(self) -> range:
        """One seed for each of the inputs that a law draws of a shape."""
        self.uses_random_inputs = True
        return self.budget.seeds()

    def expect(self, oracle: Exact, quantity: Quantity, output: Format) -> Expectation:
        """The interval of the error model, for this target's flush policy."""
        return expectation_of(oracle, self.error_model, quantity, output, flushes=self.flushes)

    def evaluated(self, inputs: Inputs) -> Evaluation:
        """Evaluate, and refuse what did not run as asked.

        Raises:
            ExecutionMismatch: another device, another mode, or a narrower dtype than the inputs'.
        """
        return self.as_asked(self.evaluate(inputs))

    def evaluations(self, inputs: Iterable[Inputs]) -> Iterator[Evaluation]:
        """Evaluate one input after the other. Those of one shape that follow each other are sent together, and the next meanwhile.

        Raises:
            ExecutionMismatch: as above.
        """

        def begun() -> Iterator[Callable[[], Sequence[Group]]]:
            for _, alike in groupby(inputs, key=lambda one: (one.shape, one.read_only)):
                while members := list(islice(alike, 1 if self.target.mode == VMAP else _INPUTS_TOGETHER)):
                    yield self.evaluate.begin(Stack.of(members))

        asked: deque[Callable[[], Sequence[Group]]] = deque()
        following = begun()
        while True:
            asked.extend(islice(following, MESSAGES_AHEAD - len(asked)))
            if not asked:
                return
            for group in asked.popleft()():
                if isinstance(group.result, Refused):
                    raise group.result
                evaluation = self.as_asked(group.result)
                for number in range(group.count):
                    yield member_of(evaluation, number)

    def each(self, wanted: Iterable[tuple[_About, Sequence[Inputs]]]) -> Iterator[tuple[_About, list[Evaluation]]]:
        """The evaluations of several inputs each, beside what they are about; they are sent as :meth:`evaluations` does.

        Raises:
            ExecutionMismatch: as above.
        """
        waiting: deque[tuple[_About, int]] = deque()

        def inputs() -> Iterator[Inputs]:
            for about, some in wanted:
                waiting.append((about, len(some)))
                yield from some

        found = self.evaluations(inputs())
        for first in found:
            about, count = waiting.popleft()
            yield about, [first, *islice(found, count - 1)]

    def as_asked(self, evaluation: Evaluation) -> Evaluation:
        """An evaluation, unless it did not run as asked.

        Raises:
            ExecutionMismatch: as above.
        """
        asked, ran = self.target, evaluation.executed_as
        if ran.device != asked.device:
            raise ExecutionMismatch(f"asked for the device {asked.device}, it ran on {ran.device}")
        if ran.mode != asked.mode:
            raise ExecutionMismatch(f"asked for the mode {asked.mode}, it ran in {ran.mode}")
        arrays = {"value": evaluation.value, **evaluation.gradients}
        for name, array in arrays.items():
            wanted = FORMATS[asked.dtype]
            try:
                found = format_of(array)
            except KeyError:
                unknown = array.dtype.name
                raise ExecutionMismatch(f"{name}: found the dtype {unknown}, expected {asked.dtype}", returned=unknown) from None
            as_declared = self.domain is not None and found.name == self.domain.half_result
            if not (found == wanted or found.is_wider_than(wanted) or as_declared):
                raise ExecutionMismatch(f"asked for {asked.dtype}, {name} came back as {found.name}", returned=found.name)
        return evaluation

    def shape_of(self, quantity: Quantity, inputs: Inputs) -> Shape:
        """The shape that a result of these inputs must have."""
        if quantity is Quantity.VALUE:
            return self.operation.definition.value_shape(inputs.shape)
        return inputs.weight.shape if quantity is Quantity.GRADIENT_WEIGHT and inputs.weight is not None else inputs.shape

    def expectation(
        self, key: Hashable, quantity: Quantity, output: Format, expect: Expect | None, oracle: Callable[[], Exact]
    ) -> Expectation:
        """Made once for all targets that see the same bits; the two gradients are each other's negation, in every rule."""

        def of(wanted: Quantity) -> Expectation:
            return self.cache.get(
                (key, wanted, output.name, self.flushes, expect),
                lambda: (expect or self.expect)(oracle(), wanted, output),
            )

        if quantity is not Quantity.GRADIENT_TARGET:
            return of(quantity)
        return self.cache.get(
            (key, quantity, output.name, self.flushes, expect),
            lambda: of(Quantity.GRADIENT_PREDICTION).negated(quantity),
        )


def takes(context: CheckContext, shape: Shape) -> bool:
    """Whether a shape is in the domain: an entry point of a framework has none, and takes every shape."""
    return context.domain is None or context.domain.takes(shape)


def in_domain(context: CheckContext, shape: Shape) -> Shape:
    """The shape, or one of the domain with further axes of one element, which changes no result: rows stay rows, and samples samples."""
    definition = context.operation.definition
    more = [rank - len(shape) for rank in ([] if takes(context, shape) else sorted(context.domain.ranks if context.domain else ()))]
    added = next((count for count in more if count > 0), 0)
    kept = 1 if len(shape) > 1 or definition.over is Over.ALL_BUT_FIRST or definition.by_sample else 0
    return (*shape[:kept], *(1,) * added, *shape[kept:])


def inputs_in_domain(context: CheckContext, inputs: Inputs) -> Inputs:
    """The same numbers in a shape of the domain, as :func:`in_domain` finds it."""
    shape = in_domain(context, inputs.shape)
    if shape == inputs.shape:
        return inputs
    definition = context.operation.definition
    weight_shape = definition.weight_shape(shape)
    return replace(
        inputs,
        prediction=inputs.prediction.reshape(shape),
        target=inputs.target.reshape(shape),
        weight=None if inputs.weight is None or weight_shape is None else inputs.weight.reshape(weight_shape),
        upstream=inputs.upstream.reshape(definition.value_shape(shape)),
    )


def fitting(context: CheckContext) -> list[Shape]:
    """Shapes of the budget that the operation is defined on: a sum over the last axis needs one, samples with weights need two."""
    return [shape for shape in context.budget.shapes if len(shape) >= context.operation.definition.least_rank]
