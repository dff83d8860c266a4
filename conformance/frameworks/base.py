"""The protocol a framework adapter fulfils, and the values that cross it. Imports no framework."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from conformance.frameworks.domain import Domain
from conformance.numerics.definition import Inputs, Quantity, Shape
from conformance.numerics.formats import Array

Stream = Callable[[Sequence[tuple[Any, ...]]], Any]
"""From batches of the framework's tensors to the value of all of them together."""


class Unsupported(Exception):
    """The framework says it does not offer this combination; the message is the reason shown in the cell."""


class Refused(Unsupported):
    """The implementation does not take these inputs, and documents that it does not; it may take others. The message is its own."""


class ExecutionMismatch(Exception):
    """What ran is not what was asked for (device, mode, dtype): the cell is an error, never a pass.

    ``returned`` is the dtype that came back, where that is what was not as asked.
    """

    def __init__(self, message: str, *, returned: str = "") -> None:
        super().__init__(message)
        self.returned = returned


@dataclass(frozen=True)
class Environment:
    """Versions and every flag that changes numerics, as plain strings."""

    framework: str
    version: str
    packages: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Device:
    """A device the framework can compute on.

    ``flushes_subnormals`` names the dtypes whose subnormal results become zero there: a declaration that
    the suite checks against what it observes.
    """

    name: str
    kind: str
    flushes_subnormals: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Implementation:
    """One public entry point that claims to compute an operation.

    ``name`` is a slug, unique within the framework (letters, digits, ``.``, ``_``, ``-``); ``entry`` is the
    entry point as a person writes it; ``call(prediction, target[, weight])`` takes and returns the framework's own tensors.
    ``gradient(prediction, target[, weight], upstream)``, where there is one, takes the place of automatic differentiation and returns
    (d/d prediction, d/d target[, d/d weight]), None for what has none.
    ``stream(batches)``, where there is one, returns the value of all batches together, each of them the arguments of ``call`` and cut
    along the first axis. It begins from nothing every time: it makes its state anew, or resets it.
    ``domain`` is what a subject declares; an entry point of a framework has none.
    """

    name: str
    entry: str
    operation: str
    call: Callable[..., Any]
    modes: Sequence[str]
    dtypes: Sequence[str]
    gradient: Callable[..., Any] | None = None
    stream: Stream | None = None
    domain: Domain | None = None


@dataclass(frozen=True)
class ExecutionReport:
    """Where and how an evaluation really ran, read off the result rather than off the request."""

    device: str
    mode: str
    dtype: str
    shape: Shape


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What came back, as host arrays in the dtype the framework returned.

    ``gradients`` maps ``gradient/prediction``, ``gradient/target`` (and ``gradient/weight``) to arrays; a
    missing key means that the implementation has no such gradient, for the reason in ``no_gradient``.
    ``changed`` names the arguments that held other bits afterwards.
    """

    value: Array
    gradients: Mapping[str, Array]
    executed_as: ExecutionReport
    no_gradient: str = ""
    changed: tuple[str, ...] = ()

    def of(self, quantity: Quantity) -> Array | None:
        """The value or a gradient; None where it is missing."""
        return self.value if quantity is Quantity.VALUE else self.gradients.get(quantity.value)

    @property
    def why_no_gradient(self) -> str:
        """Why a gradient is missing, in words."""
        return self.no_gradient or "the implementation returned no such gradient"


Evaluate = Callable[[Inputs], Evaluation]


class Framework(Protocol):
    """Four methods; a new framework is one module and one entry point in the group ``conformance.frameworks``.

    A fifth is optional: ``probe``, of the arguments of ``prepare``, returns a :class:`conformance.frameworks.probe.Probe` for
    the laws that ask for more than value and gradients. Without it their cells are ``unsupported``. So is the attribute ``info``,
    a :class:`conformance.frameworks.info.FrameworkInfo`: how a program is written in it, its usual mode, which modes compile. So is
    ``with_gradient(call, gradient)``, where it differentiates by itself: the call, whose gradient is the other function.
    """

    name: str

    def environment(self) -> Environment:
        """Versions and flags of what is installed."""
        ...

    def devices(self) -> Sequence[Device]:
        """Every device the framework sees, the CPU first."""
        ...

    def implementations(self) -> Sequence[Implementation]:
        """Every entry point under test, with the modes and dtypes it is tested in."""
        ...

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """Return a function from host inputs to an :class:`Evaluation`.

        In the mode ``vmap`` both are stacks: the first axis of every array is that of the members (:mod:`conformance.frameworks.vmap`).

        Raises:
            Unsupported: the framework does not offer the combination.
        """
        ...
