"""What a run and a judge say to each other: plain types, validated on arrival."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from conformance.checks.budget import Budget
from conformance.frameworks.domain import Domain
from conformance.results.records import Cell
from conformance.runner.frames import VERSION


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeviceDescription(_Message):
    """A device as the runner sees it."""

    name: str
    kind: str
    flushes_subnormals: tuple[str, ...] = ()


class ImplementationDescription(_Message):
    """An entry point that the runner can evaluate."""

    name: str
    entry: str
    operation: str
    modes: tuple[str, ...]
    dtypes: tuple[str, ...]
    domain: Domain | None = None


class Description(_Message):
    """The first message of a judge: what its runner has. ``failed`` says in a sentence why it has nothing."""

    protocol: int = VERSION
    framework: str = ""
    version: str = ""
    python: str = ""
    platform: str = ""
    packages: dict[str, str] = Field(default_factory=dict)
    flags: dict[str, str] = Field(default_factory=dict)
    devices: tuple[DeviceDescription, ...] = ()
    implementations: tuple[ImplementationDescription, ...] = ()
    usual_mode: str = "eager"
    """The mode in which the framework is mostly used."""
    compiling_modes: tuple[str, ...] = ()
    """The modes in which a new shape costs a compilation."""
    failed: str = ""


class Request(_Message):
    """One check on one target, and what it may spend."""

    check: str
    implementation: str
    device: str
    mode: str
    dtype: str
    budget: Budget
    timeout: float
    """Seconds for a call of the implementation that compiles nothing."""


class Reply(_Message):
    """The cells of one request. ``uses_random_inputs``: another seed may find something else. ``lost``: it took its runner down."""

    cells: tuple[Cell, ...]
    uses_random_inputs: bool = True
    lost: bool = False
