"""What crosses the pipe between the engine and a worker: JSON lines, plain types, validated on arrival."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from conformance.checks.budget import Budget
from conformance.results.records import Cell


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DeviceDescription(_Message):
    """A device as the worker sees it."""

    name: str
    kind: str
    flushes_subnormals: tuple[str, ...] = ()


class ImplementationDescription(_Message):
    """An entry point that the worker can evaluate."""

    name: str
    entry: str
    operation: str
    modes: tuple[str, ...]
    dtypes: tuple[str, ...]


class Description(_Message):
    """The first message of a worker: what it has. ``failed`` says in a sentence why it has nothing."""

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


class Reply(_Message):
    """The cells of one request. ``uses_random_inputs``: another seed may find something else.

    ``tainted``: something was changed for good, such as a default dtype, so that another implementation needs another process.
    """

    cells: tuple[Cell, ...]
    uses_random_inputs: bool = True
    tainted: bool = False
