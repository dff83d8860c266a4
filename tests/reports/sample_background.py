"""What made-up specs say of the checks of the made-up run."""

from __future__ import annotations

from conformance.reports.background import Background, CheckDescription, CountedRounding, Derivation, Pinned
from conformance.results.records import Witness

THIRDS = Witness(shape=(2, 2), prediction=("0x1.8p+0", "-0x1p+1", "0x1p-2", "nan"), target=("0x1p-1", "0x1p+0", "-0x1.8p-1", "0x0p+0"))


class SampleBackground(Background):
    """Words for every check, inputs for one pinned case, and one rounding for the values."""

    def __init__(self) -> None:
        """Need no specs."""

    @property
    def digest(self) -> str:
        return "of other specs"

    def said(self, check: str) -> CheckDescription | None:
        return CheckDescription(f"Because of {check.rpartition('/')[2]}.", f"specs/{check}.toml", ("A wrong loss.",))

    def pinned(self, check: str, dtype: str) -> Pinned | None:
        return Pinned(THIRDS, {"value": "11/3"}) if check.endswith("/thirds") and dtype != "float16" else None

    def derivation(self, operation: str, quantity: str, dtype: str, shape: tuple[int, ...], *, unit_upstream: bool) -> Derivation | None:
        del operation, unit_upstream
        return Derivation((CountedRounding("sum", len(shape), dtype, "Additions round."),), 3.5) if quantity == "value" else None
