"""What a report may say of a check beyond what results files hold. Where it comes from, the reports need not know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from conformance.results.records import Witness


@dataclass(frozen=True)
class CheckDescription:
    """A check in words: why it is there, where it is written, and what goes wrong for whoever fails it."""

    why: str
    source: str
    consequences: Sequence[str] = ()


@dataclass(frozen=True)
class Pinned:
    """The inputs of a pinned case in one dtype, and what its spec states must come back, by quantity."""

    inputs: Witness
    stated: Mapping[str, str] = field(default_factory=dict)
    stricter: str = ""
    """The case's own rule, where it is stricter than the error model."""


@dataclass(frozen=True)
class CountedRounding:
    """One step of the error model in one situation: how many roundings, in which format, and why."""

    step: str
    count: int
    format: str
    because: str


@dataclass(frozen=True)
class Derivation:
    """The roundings that make an interval, and the relative error that they come to, in u."""

    roundings: tuple[CountedRounding, ...]
    together_u: float


class Background(Protocol):
    """Specs and checks, as far as a report quotes them. ``digest`` is that of the specs."""

    @property
    def digest(self) -> str: ...
    def said(self, check: str) -> CheckDescription | None:
        """The check in words; None where it is not known."""
        ...

    def pinned(self, check: str, dtype: str) -> Pinned | None:
        """What a pinned case puts in; None for every other check."""
        ...

    def derivation(self, operation: str, quantity: str, dtype: str, shape: tuple[int, ...], *, unit_upstream: bool) -> Derivation | None:
        """The roundings of one element; None where they depend on more than the shape."""
        ...


class Nothing:
    """No background: the results files are all there is."""

    digest = ""

    def said(self, check: str) -> CheckDescription | None:  # noqa: ARG002 - of the protocol
        return None

    def pinned(self, check: str, dtype: str) -> Pinned | None:  # noqa: ARG002 - of the protocol
        return None

    def derivation(self, operation: str, quantity: str, dtype: str, shape: tuple[int, ...], *, unit_upstream: bool) -> Derivation | None:  # noqa: ARG002 - of the protocol
        return None
