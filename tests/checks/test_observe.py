"""What is judged together is judged as it would be alone: the same intervals, the same findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_target import cells_of

from conformance.checks import observe as module
from conformance.checks.observe import stacked
from conformance.inputs.families import FAMILIES, Descriptor, make_stack
from conformance.numerics.bounds.expectation import expectation_of
from conformance.numerics.definition import Inputs, Over, Quantity, Weights
from conformance.numerics.exact.oracle import exact
from conformance.numerics.formats import FORMATS
from conformance.numerics.stack import Stack
from conformance.results.records import Cell
from conformance.specs.load import load
from conformance.workers.runner import RemoteTarget

SPECS = load()
PLAIN = {name: o.definition for name, o in SPECS.operations.items() if o.definition.sums_plain_squares}
SAME = ("lower", "upper", "center", "ulp_exponent", "nan", "relative", "infinity", "wide_lower", "wide_upper", "undefined")
CLOSE = ("rest", "bound_ulp", "u_per_ulp")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_stack_expects_what_its_rows_do(data: st.DataObject) -> None:
    definition, fmt = data.draw(st.sampled_from(list(PLAIN.values()))), data.draw(st.sampled_from(list(FORMATS.values())))
    output = data.draw(st.sampled_from([other for other in FORMATS.values() if other == fmt or other.is_wider_than(fmt)]))
    shape = data.draw(st.sampled_from([s for s in ((1,), (7,), (33,), (3, 5), (2, 3, 4)) if len(s) >= definition.least_rank]))
    family, flushes = FAMILIES[data.draw(st.sampled_from(list(FAMILIES)))], data.draw(st.booleans())
    descriptor = Descriptor(data.draw(st.integers(0, 999)), shape, data.draw(st.integers(0, 8)), data.draw(st.integers(0, 3)))
    drawn = make_stack(family, descriptor, 4, definition, fmt.name)
    batch = [drawn.member(number) for number in range(4)]
    whole = stacked(definition, drawn.arrays)
    assert whole is not None
    for quantity in definition.quantities:
        found = expectation_of(exact(*whole), SPECS.error_model, quantity, output, flushes=flushes)
        rows = [expectation_of(exact(definition, one), SPECS.error_model, quantity, output, flushes=flushes) for one in batch]
        for name in SAME:
            np.testing.assert_array_equal(getattr(found, name), np.concatenate([getattr(row, name) for row in rows]), err_msg=name)
        for name in CLOSE:
            wanted = np.concatenate([getattr(row, name) for row in rows])
            np.testing.assert_allclose(getattr(found, name), wanted, rtol=1e-14, atol=2.0**-47, err_msg=name)
        assert found.positive_zero == rows[0].positive_zero
        assert found.plain == all(row.plain for row in rows)
        assert [found.at(i).allowances for i in range(found.index.size)] == [
            row.at(i).allowances for row in rows for i in range(row.index.size)
        ]


def test_what_has_weights_a_root_or_too_many_elements_is_not_stacked() -> None:
    ones, one = np.ones(8, np.float32), np.ones((), np.float32)
    mean = PLAIN["mse/mean"]
    two = Stack.of([Inputs(ones, ones, None, one)] * 2).arrays
    assert stacked(mean, two) is not None
    assert stacked(replace(mean, root=True), two) is None
    assert stacked(replace(mean, weights=Weights.ELEMENT), Stack.of([Inputs(ones, ones, ones, one)] * 2).arrays) is None
    assert stacked(mean, Stack.of([Inputs(ones, ones, None, one)] * 1000).arrays) is None
    assert stacked(replace(mean, over=Over.NONE), Stack.of([Inputs(one, one, None, one)] * 2).arrays) is None


def mean(p: Any, t: Any) -> Any:
    squares = np.square(p - t)
    return squares.astype(np.result_type(squares, np.float32)).mean().astype(p.dtype)


def none(p: Any, t: Any) -> Any:
    return np.square(p - t)


def gradients_of_mean(p: Any, t: Any, upstream: Any) -> tuple[Any, Any]:
    gradient = (p - t) * (upstream * p.dtype.type(2 / p.size))
    return gradient, -gradient


def gradients_of_none(p: Any, t: Any, upstream: Any) -> tuple[Any, Any]:
    gradient = 2 * (p - t) * upstream
    return gradient, -gradient


def gradients_that_overflow_on_the_way(p: Any, t: Any, upstream: Any) -> tuple[Any, Any]:
    """Right under a name, where the upstream gradient is large."""
    gradient = 2 * ((p - t) * upstream) / p.dtype.type(p.size)
    return gradient, -gradient


def wrong_once_in_a_while(p: Any, t: Any) -> Any:
    """Where the first prediction ends in a certain bit: in some rows of a batch, and not in others."""
    return mean(p, t) * p.dtype.type(1.25 if int(p.ravel()[:1].view(f"u{p.dtype.itemsize}")[0]) % 4 == 1 else 1)


def nan_for_some(p: Any, t: Any) -> Any:
    return mean(p, t) if p.ravel()[0] > 0 else p.dtype.type(np.nan)


def another_dtype_for_some(p: Any, t: Any) -> Any:
    return mean(p, t) if p.ravel()[0] > 0 else mean(p.astype(np.float64), t.astype(np.float64))


def another_shape_for_some(p: Any, t: Any) -> Any:
    return mean(p, t) if p.ravel()[0] > 0 else mean(p, t).reshape(1)


RIGHT = (
    ("mse/mean", mean, gradients_of_mean),
    ("mse/mean", mean, gradients_that_overflow_on_the_way),
    ("mse/none", none, gradients_of_none),
    ("mse/mean", another_dtype_for_some, None),
)
WRONG = tuple(("mse/mean", call, gradients_of_mean) for call in (wrong_once_in_a_while, nan_for_some, another_shape_for_some))


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize(("operation", "call", "gradients"), [*RIGHT, *WRONG], ids=lambda x: getattr(x, "__name__", ""))
def test_together_finds_what_alone_does(
    operation: str, call: Callable[..., Any], gradients: Any, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> list[Cell]:
        cells = []
        for family in FAMILIES:
            cells += cells_of(f"{operation}/bound/{family}", call, gradients, dtype=dtype)
        return [cell.model_copy(update={"seconds": 0.0}) for cell in cells]

    with np.errstate(all="ignore"):
        at_once = found()
        monkeypatch.setattr(module, "stacked", lambda *_: None)
        one_by_one = found()
    assert len(at_once) > 10
    assert at_once == one_by_one
    assert any(cell.outcome == "fail" for cell in at_once) == (call in [row[1] for row in WRONG])


def test_a_member_with_a_name_leaves_the_others_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """It alone is judged alone."""
    noted: list[int] = []
    note = module._Judging._note

    def noting(*arguments: Any) -> None:
        noted.append(len(arguments[4]))
        note(*arguments)

    monkeypatch.setattr(module._Judging, "_note", noting)
    with np.errstate(all="ignore"):
        cells = cells_of("mse/mean/bound/integers", mean, gradients_that_overflow_on_the_way, dtype="float16")
    assert any("product overflows" in cell.flags for cell in cells)
    assert 0 < noted.count(1) < sum(size for size in noted if size > 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_part_expects_what_the_whole_does(family: str) -> None:
    definition = PLAIN["mse/mean"]
    whole = stacked(definition, make_stack(FAMILIES[family], Descriptor(1, (3, 5), 6, 3), 8, definition, "float16").arrays)
    assert whole is not None
    for worked_out in (False, True):
        found = expectation_of(exact(*whole), SPECS.error_model, Quantity.GRADIENT_PREDICTION)
        if worked_out:
            assert (found.lower.size, found.center.size) == (120, 120)
        part = found.part(slice(30, 75))
        assert part.shape == (45,)
        for name in (*SAME, *CLOSE):
            np.testing.assert_array_equal(getattr(part, name), getattr(found, name)[30:75], err_msg=name)
        assert [part.at(i) for i in range(45)] == [found.at(i) for i in range(30, 75)]


@pytest.mark.parametrize("quantity", [Quantity.VALUE, Quantity.GRADIENT_TARGET])
def test_a_stack_is_used(quantity: Quantity, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the tests above compare a thing with itself."""
    together: list[Quantity] = []
    judged = module._Judging.judged

    def noting(*arguments: Any) -> Any:
        if len(arguments[0].places) > 1:
            together.append(arguments[1])
        return judged(*arguments)

    monkeypatch.setattr(module._Judging, "judged", noting)
    cells_of("mse/mean/bound/ordinary", mean, gradients_of_mean)
    assert quantity in together


def test_a_wrong_member_of_a_batch_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through torch.vmap, where nothing is evaluated one by one: only what is judged can tell."""
    torch = pytest.importorskip("torch")
    sizes = []
    original = RemoteTarget.begin

    def noted(target: RemoteTarget, stack: Stack) -> Any:
        sizes.append(len(stack))
        return original(target, stack)

    monkeypatch.setattr(RemoteTarget, "begin", noted)

    def right(p: Any, t: Any) -> Any:
        return torch.mean(torch.square(p - t))

    def wrong_for_some(p: Any, t: Any) -> Any:
        return right(p, t) * torch.where(p.flatten()[0] > 0, 1.0, 1 + 1e-5)

    for call, outcome in ((right, "pass"), (wrong_for_some, "fail")):
        sizes.clear()
        cells = cells_of("mse/mean/bound/ordinary", call, framework="torch", mode="vmap")
        assert [cell.outcome for cell in cells] == [outcome] * 3
        assert 64 in sizes
        assert sizes[:6] == [1, 64, 64, 64, 64, 64] or outcome == "fail"  # first it is tried on one, whatever the check
        assert [cell.evaluations for cell in cells if cell.outcome == "pass"] == [5 * 64] * 3 * (outcome == "pass")
    assert [cell.witness.shape for cell in cells if cell.witness] == [(1,)] * 3
