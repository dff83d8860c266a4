"""A subject is asked what lies in its domain, and nothing else; what it refuses there is no way out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.checks.context import Group, Outside, member_of
from conformance.frameworks.base import Evaluation, Refused, Unsupported
from conformance.frameworks.domain import Domain, Shape, observation
from conformance.frameworks.messages import one_line
from conformance.numerics.definition import Definition, Divisor, Inputs, Quantity
from conformance.numerics.exact.oracle import Exact, exact
from conformance.numerics.formats import FORMATS
from conformance.numerics.stack import Stack
from conformance.runner.messages import Raised
from conformance.workers.child import ProcessLost
from conformance.workers.runner import RemoteTarget

ARGUMENTS: Mapping[str, Quantity] = {
    "prediction": Quantity.GRADIENT_PREDICTION,
    "target": Quantity.GRADIENT_TARGET,
    "weight": Quantity.GRADIENT_WEIGHT,
}
MOST_AXES = 5
"""So many axes are tried where nothing is declared of them."""


class RefusedInside(Raised):
    """A subject did not take inputs of its domain."""


def plain_inputs(definition: Definition, shape: Shape, dtype: str) -> Inputs:
    """Ones against zeros, the first of them 2 where there are two; all weights are one."""
    numbers = np.ones(shape, FORMATS[dtype].dtype)
    if numbers.size > 1:
        numbers.reshape(-1)[-1] = 2
    weight_shape = definition.weight_shape(shape)
    weight = None if weight_shape is None else np.ones(weight_shape, numbers.dtype)
    return Inputs(numbers, np.zeros_like(numbers), weight, np.ones(definition.value_shape(shape), numbers.dtype))


def smallest(definition: Definition, domain: Domain | None = None) -> Shape:
    """A shape of two elements on which an operation is defined, or one of the domain."""
    shape = (1,) * (definition.least_rank - 1) + (2,)
    return shape if domain is None or domain.takes(shape) else domain.fitted([])[0]


def observed_domain(
    remote: RemoteTarget, definition: Definition, domain: Domain, dtype: str, *, differentiates: bool
) -> tuple[Domain, tuple[str, ...]]:
    """The domain with what is not declared and shows on plain numbers: masks of truth values, numbers of axes, constant arguments.

    And what was found, in words: a subject that takes nothing else is right, and its author should know. ``differentiates``: the framework
    does so by itself.

    Raises:
        ProcessLost: the process does not survive it.
        Exception: the subject takes none of the plain inputs.
    """
    found = []
    remote.truth_values = domain.mask_dtype == "bool"
    shapes = domain.fitted([]) or _shapes(definition)

    def taken() -> list[Shape]:
        return [shape for shape in shapes if _takes(remote, plain_inputs(definition, shape, dtype))]

    takes = taken()
    if not takes and definition.masked and not domain.mask_dtype:
        remote.truth_values = True
        takes = taken()
        if takes:
            domain = replace(domain, mask_dtype="bool")
            found.append(observation("takes masks of truth values only", 'mask_dtype="bool"'))
        else:
            remote.truth_values = False
    if takes and len(takes) < len(shapes) and not domain.is_limited:
        ranks = tuple(map(len, takes))
        domain = replace(domain, ranks=ranks)
        found.append(observation(f"takes {' or '.join(map(str, ranks))} axes only", f"ranks={ranks}"))
    inputs = plain_inputs(definition, takes[-1] if takes else smallest(definition, domain), dtype)
    evaluation = remote(inputs)
    if domain.gradients is None:
        constants = _constants(evaluation, definition, inputs)
        there = [
            name for name, quantity in ARGUMENTS.items() if quantity in definition.quantities and quantity.value in evaluation.gradients
        ]
        names = tuple(name for name in there if name not in constants)
        domain = replace(domain, gradients=names)  # what it has once it must always have
        if constants:
            what = f"takes its {' and '.join(constants)} as {'a constant' if len(constants) == 1 else 'constants'}"
            found.append(observation(what, f"gradients={names}"))
        elif not names and differentiates:
            found.append(observation("has no gradient", "gradients=()"))
    return domain, tuple(found)


def _constants(evaluation: Evaluation, definition: Definition, inputs: Inputs) -> list[str]:
    """The arguments beside the prediction whose gradient is missing, or zero where it should not be: as JAX says it.

    Nothing where the prediction has none.
    """
    oracle = exact(definition, inputs)
    there = {name for name, quantity in ARGUMENTS.items() if quantity in definition.quantities and _has(evaluation, quantity, oracle)}
    if "prediction" not in there:
        return []
    return [name for name, quantity in ARGUMENTS.items() if quantity in definition.quantities and name not in there]


def _has(evaluation: Evaluation, quantity: Quantity, oracle: Exact) -> bool:
    gradient = evaluation.gradients.get(quantity.value)
    return gradient is not None and (bool(gradient.astype(np.float64).any()) or not any(oracle.of(quantity)))


def _shapes(definition: Definition) -> Sequence[Shape]:
    """One of each number of axes. No two lengths that meet by mistake fit each other."""
    return [((3, *[2] * (rank - 2), 4) if rank > 1 else (4,) * rank) for rank in range(definition.least_rank, MOST_AXES + 1)]


def _takes(remote: RemoteTarget, inputs: Inputs) -> bool:
    try:
        remote(inputs)
    except ProcessLost:
        raise
    except Exception:  # noqa: BLE001 - in whatever way it refuses
        return False
    return True


def without_a_value(definition: Definition, stack: Stack) -> str:
    """Why inputs of a stack have no value that a subject must give, in words; empty if all of them have one.

    A mean of nothing is 0/0. Whoever raises there refuses what has no answer; whoever answers must answer NaN. What has no elements at
    all, a sum too, may be refused likewise.
    """
    arrays = stack.arrays
    if not arrays.prediction.size:
        return "inputs without elements"
    if definition.divisor not in {Divisor.WEIGHTS, Divisor.NONZERO_WEIGHTS} or arrays.weight is None:
        return ""
    of_members = arrays.weight.astype(np.float64).reshape(len(stack), -1)
    total = np.count_nonzero if definition.divisor is Divisor.NONZERO_WEIGHTS else math.fsum
    return "" if all(total(weights) for weights in of_members) else "weights that sum to zero"


@dataclass(frozen=True)
class InDomain:
    """The evaluations of a subject."""

    remote: RemoteTarget
    domain: Domain
    definition: Definition

    def __call__(self, inputs: Inputs) -> Evaluation:
        """Value and gradients of one input.

        Raises:
            Outside: its domain does not hold it.
            Exception: what the implementation raises.
        """
        (group,) = self.begin(Stack.of([inputs]))()
        if isinstance(group.result, Refused):
            raise group.result
        return member_of(group.result, 0)

    def begin(self, stack: Stack) -> Callable[[], Sequence[Group]]:
        """Ask for all members of a stack, if they are inside."""
        arrays = stack.arrays
        if not self.domain.takes(arrays.prediction.shape[1:]):
            return lambda: [Group(len(stack), Outside(f"outside of its domain: it takes {self.domain.in_words()}"))]
        finish = self.remote.begin(stack)
        pieces = (arrays.prediction, arrays.target, *(() if arrays.weight is None else (arrays.weight,)))
        odd = arrays.read_only or not all(array.flags.c_contiguous and array.flags.aligned for array in pieces)
        no_negative_strides = any(stride < 0 for array in pieces for stride in array.strides)  # as in PyTorch
        may_lack = arrays.read_only or self.remote.threads is not None or no_negative_strides

        def end() -> Sequence[Group]:
            try:
                groups = finish()
            except Unsupported as refusal:
                if may_lack:
                    raise
                raise RefusedInside(f"it refused inputs of its domain: {refusal}") from None
            except Raised as error:
                if odd and self.domain.layouts is None:
                    return [Group(len(stack), Refused(one_line(error)))]
                if not (why := without_a_value(self.definition, stack)) or self.domain.shapes:
                    raise
                if len(stack) > 1:
                    return [group for place in range(len(stack)) for group in self.begin(stack.part(slice(place, place + 1)))()]
                return [Group(1, Refused(f"it refuses {why}: {one_line(error)}"))]
            return [self._declared(group, arrays.upstream.shape[1:]) for group in groups]

        return end

    def _declared(self, group: Group, value_shape: Shape) -> Group:
        if isinstance(group.result, Refused):
            raise RefusedInside(f"it refused inputs of its domain: {group.result}")
        if group.result.value.shape[1:] != value_shape:
            return group  # which is wrong, and leaves nothing to differentiate
        return Group(group.count, declared_gradients(group.result, self.domain))


def declared_gradients(evaluation: Evaluation, domain: Domain) -> Evaluation:
    """The evaluation with the gradients that are declared, no more and no fewer.

    Raises:
        RefusedInside: one is missing.
    """
    if domain.gradients is None:
        return evaluation
    wanted = {ARGUMENTS[name].value for name in domain.gradients}
    if missing := sorted(wanted - evaluation.gradients.keys()):
        raise RefusedInside(f"it declares a {missing[0]} and has none: {evaluation.why_no_gradient}")
    gradients = {name: gradient for name, gradient in evaluation.gradients.items() if name in wanted}
    if len(gradients) == len(evaluation.gradients):
        return evaluation
    return replace(evaluation, gradients=gradients, no_gradient=f"its domain has no such gradient: gradients={domain.gradients}")
