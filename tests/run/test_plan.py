"""What is planned of an implementation: batches meet what asks for values and gradients, and what is asked for by name is not spared."""

from __future__ import annotations

import pytest

from conformance.checks.catalogue import all_checks
from conformance.run.plan import PlannedCheck, Selection, plan
from conformance.run.profiles import PROFILES
from conformance.specs.load import load
from conformance.workers.protocol import Description, DeviceDescription, ImplementationDescription

CHECKS = all_checks(load())
DESCRIPTION = Description(
    framework="torch",
    version="1",
    devices=(DeviceDescription(name="cpu", kind="cpu"),),
    implementations=tuple(
        ImplementationDescription(name=name, entry=name, operation="mse/mean", modes=("eager", "vmap"), dtypes=("float32", "float16"))
        for name in ("first", "second")
    ),
)


def planned(profile: str = "deep", **selection: tuple[str, ...]) -> list[PlannedCheck]:
    return plan(DESCRIPTION, CHECKS, Selection(**selection), PROFILES[profile])  # type: ignore[arg-type]  # of names that a test gives


def test_a_batch_is_put_to_what_asks_for_values_and_gradients_alone() -> None:
    eager, batched = ({i.check.id for i in planned(modes=(mode,))} for mode in ("eager", "vmap"))
    assert batched < eager
    assert {CHECKS[name].kind for name in batched} == {"case", "bound", "law"}
    assert {name for name in eager if CHECKS[name].kind in {"case", "bound"}} <= batched
    laws = {name.rpartition("/")[2] for name in batched if CHECKS[name].kind == "law"}
    assert {"exact-arithmetic", "swap", "euler", "special-pairs"} <= laws
    assert not laws & {"batching", "curvature", "edited-in-place", "inputs-unchanged", "policy-promotion", "any-split"}


@pytest.mark.parametrize("selection", [{"operations": ("mse/mean",)}, {"implementations": ("second",)}])
def test_what_is_asked_for_by_name_is_run_in_every_dtype(selection: dict[str, tuple[str, ...]]) -> None:
    def left_out(**these: tuple[str, ...]) -> set[str]:
        found = planned("quick", modes=("eager",), **these)
        return {i.skip_reason for i in found if i.target.implementation == "second" and "one implementation" in i.skip_reason}

    assert left_out(**selection) == set()
    assert len(left_out()) == 2  # another dtype, a family
