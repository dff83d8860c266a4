"""A subject is asked what lies in its domain, and nothing else; what it refuses there is no way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from conformance.checks.context import Group, Outside, member_of
from conformance.frameworks.base import Evaluation, Refused, Unsupported
from conformance.frameworks.domain import Domain, Shape
from conformance.numerics.definition import Definition, Inputs, Quantity
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


def observed_domain(remote: RemoteTarget, definition: Definition, domain: Domain, dtype: str) -> tuple[Domain, str]:
    """The domain with what is not declared and can be seen on plain numbers: masks of truth values, and the numbers of axes.

    In words, too, what was found: a subject that takes nothing else is not wrong, and should say so.

    Raises:
        ProcessLost: it does not survive that.
    """
    found = []
    if definition.masked and not domain.mask_dtype and not _takes(remote, plain_inputs(definition, smallest(definition, domain), dtype)):
        remote.truth_values = True
        if any(_takes(remote, plain_inputs(definition, shape, dtype)) for shape in _shapes(definition)):
            domain = replace(domain, mask_dtype="bool")
            found.append('takes masks of truth values only: mask_dtype="bool" declares it')
        else:
            remote.truth_values = False
    if not domain.is_limited:
        taken = [len(shape) for shape in _shapes(definition) if _takes(remote, plain_inputs(definition, shape, dtype))]
        if taken and len(taken) < len(_shapes(definition)):
            domain = replace(domain, ranks=tuple(taken))
            axes = " or ".join(map(str, taken))
            found.append(f"takes {axes} axes only: ranks={tuple(taken)} declares it")
    evaluation = remote(plain_inputs(definition, smallest(definition, domain), dtype))
    if domain.gradients is None and (constants := _constants(evaluation, definition)):
        names = tuple(name for name, quantity in ARGUMENTS.items() if quantity in definition.quantities and name not in constants)
        domain = replace(domain, gradients=names)
        found.append(f"its {' and '.join(constants)} is a constant: gradients={names} declares it")
    return domain, "; ".join(found)


def _constants(evaluation: Evaluation, definition: Definition) -> list[str]:
    """The arguments beside the prediction whose gradient is missing, or zero: as JAX says it. Nothing where the prediction has none."""
    there = {
        name
        for name, quantity in ARGUMENTS.items()
        if (gradient := evaluation.gradients.get(quantity.value)) is not None and gradient.astype(np.float64).any()
    }
    if "prediction" not in there:
        return []
    return [name for name, quantity in ARGUMENTS.items() if quantity in definition.quantities and name not in there]


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


@dataclass(frozen=True)
class InDomain:
    """The evaluations of a subject."""

    remote: RemoteTarget
    domain: Domain

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
        special = arrays.read_only or self.remote.threads is not None
        may_lack = special or any(stride < 0 for array in pieces for stride in array.strides)  # PyTorch has no such tensors

        def end() -> Sequence[Group]:
            try:
                groups = finish()
            except Unsupported as refusal:
                if may_lack:
                    raise
                raise RefusedInside(f"it refused inputs of its domain: {refusal}") from None
            return [self._declared(group) for group in groups]

        return end

    def _declared(self, group: Group) -> Group:
        """With the gradients that are declared, no more and no fewer."""
        if isinstance(group.result, Refused):
            raise RefusedInside(f"it refused inputs of its domain: {group.result}")
        if self.domain.gradients is None:
            return group
        wanted = {ARGUMENTS[name].value for name in self.domain.gradients}
        found = group.result
        if missing := sorted(wanted - found.gradients.keys()):
            raise RefusedInside(f"it declares a {missing[0]} and has none: {found.why_no_gradient}")
        gradients = {name: gradient for name, gradient in found.gradients.items() if name in wanted}
        why = f"its domain has no such gradient: gradients={self.domain.gradients}"
        return Group(group.count, replace(found, gradients=gradients, no_gradient=why))
