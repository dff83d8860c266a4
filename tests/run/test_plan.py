"""What is planned of an implementation: batches meet what asks for values and gradients, and what is asked for by name is not spared."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from conformance.checks.catalogue import all_checks
from conformance.judges.protocol import Description, DeviceDescription, ImplementationDescription, Reply, Request
from conformance.results.records import Outcome
from conformance.run.plan import CHECKS_AHEAD, PlannedCheck, Selection, ask_in_turn, plan
from conformance.run.profiles import PROFILES
from conformance.specs.load import load
from conformance.workers.child import ProcessLost

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


class Noting:
    """A judge that notes in which order it is asked and answers; it is lost on one check."""

    def __init__(self, lost_on: str) -> None:
        self.lost_on, self.events = lost_on, list[str]()

    def send(self, request: Request) -> None:
        self.events.append(f"ask {request.check}")

    def run(self, request: Request) -> Reply:
        self.events.append(f"answer {request.check}")
        if request.check == self.lost_on:
            raise ProcessLost("it died")
        return Reply(cells=(), uses_random_inputs=False)


def test_while_one_answer_is_looked_at_the_judge_works_on_the_next() -> None:
    """What is not run is told in its place, and whoever is lost on one check is asked for the next."""
    first, skipped, second, third = planned()[:4]
    items = [first, replace(skipped, skip_reason="not today"), second, third]
    judge = Noting(second.check.id)
    for reply in ask_in_turn(items, judge, 5):  # type: ignore[arg-type]  # of another class
        judge.events.append(f"look {reply.cells[0].reason if reply.cells else 'at it'}{', lost' if reply.lost else ''}")
    one, two, three = (item.check.id for item in (first, second, third))
    assert judge.events == [
        f"ask {one}",
        f"ask {two}",
        f"ask {three}",
        f"answer {one}",
        "look at it",
        "look not today",
        f"answer {two}",
        f"ask {three}",  # again: it was lost with the one before
        "look it died, lost",
        f"answer {three}",
        "look at it",
    ]


def test_no_more_is_asked_than_a_few_at_a_time() -> None:
    items = [replace(item, skip_reason="") for item in planned()[: CHECKS_AHEAD + 3]]
    judge = Noting("")
    most = waiting = 0
    for _ in ask_in_turn(items, judge, 5):  # type: ignore[arg-type]  # of another class
        pass
    for event in judge.events:
        waiting += 1 if event.startswith("ask") else -1
        most = max(most, waiting)
    assert most == CHECKS_AHEAD


def test_bounds_are_spread_among_the_checks_of_a_target_and_keep_their_order() -> None:
    of_target = [item.check for item in planned() if item.target == planned()[0].target]
    places = [place for place, check in enumerate(of_target) if check.kind == "bound"]
    assert len(places) > 2
    assert min(b - a for a, b in itertools.pairwise(places)) > 1
    assert of_target[0].kind != "bound"
    names = [check.name for check in of_target if check.kind == "bound"]
    assert names.index("growth") < names.index("accuracy")


def test_of_nothing_nothing_is_asked() -> None:
    judge = Noting("")
    assert list(ask_in_turn([], judge, 5)) == []  # type: ignore[arg-type]  # of another class
    (reply,) = ask_in_turn([replace(planned()[0], skip_reason="not today")], judge, 5)  # type: ignore[arg-type]  # likewise
    assert {cell.outcome for cell in reply.cells} == {Outcome.NOT_RUN}
    assert judge.events == []
