"""What crosses between the suite and an implementation of a procedure. Imports no framework.

Such an implementation has ``call(task, setting)``: it is given host arrays, does all that the procedure says, where and how the setting
says, and returns what it :class:`ProcedureResult`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.frameworks.base import ExecutionMismatch
from conformance.numerics.definition import Quantity
from conformance.numerics.formats import Array


@dataclass(frozen=True)
class ExecutionSetting:
    """Where, how and in what format a procedure is to run, or ran."""

    device: str
    mode: str
    dtype: str


@dataclass(frozen=True, eq=False)
class ProcedureResult:
    """What came back: for each quantity host arrays by name. ``ran`` is read off the results, not off the request.

    ``missing`` says of a quantity why the implementation has no such thing.
    """

    arrays: Mapping[Quantity, Mapping[str, Array]]
    ran: ExecutionSetting
    missing: Mapping[Quantity, str] = field(default_factory=dict)

    def require(self, asked: ExecutionSetting) -> None:
        """Refuse what did not run as asked.

        Raises:
            ExecutionMismatch: another device, mode or dtype.
        """
        if self.ran.device != asked.device:
            raise ExecutionMismatch(f"asked for the device {asked.device}, it ran on {self.ran.device}")
        if self.ran.mode != asked.mode:
            raise ExecutionMismatch(f"asked for the mode {asked.mode}, it ran in {self.ran.mode}")
        if self.ran.dtype != asked.dtype:
            raise ExecutionMismatch(f"asked for {asked.dtype}, it ran in {self.ran.dtype}", returned=self.ran.dtype)


ProcedureCall = Callable[[Any, ExecutionSetting], ProcedureResult]
