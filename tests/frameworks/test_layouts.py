from __future__ import annotations

import importlib
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from adapter_checks import evaluate, inputs, subject

from conformance.checks.laws.memory import LAYOUTS
from conformance.frameworks.base import Framework
from conformance.frameworks.helpers import arguments, modified_arguments
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS, Array
from conformance.numerics.layout import same_layout

SHAPES: dict[str, tuple[int, ...]] = {"a row": (1, 4), "a column": (4, 1), "both axes": (4, 8)}


def numbered(shape: tuple[int, ...], dtype: str = "float32") -> Array:
    array: Array = np.arange(1, 1 + int(np.prod(shape))).reshape(shape).astype(FORMATS[dtype].dtype)
    return array


def steps(array: Array) -> list[int]:
    """The strides that are ever taken."""
    return [stride for length, stride in zip(array.shape, array.strides, strict=True) if length > 1]


def address(array: Array) -> int:
    return int(array.ctypes.data)


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_copy_lies_in_memory_as_its_original(layout: str, shape: tuple[int, ...], dtype: str) -> None:
    given = LAYOUTS[layout](numbered(shape, dtype))
    made = same_layout(given)
    assert made.dtype == given.dtype
    assert steps(made) == steps(given)
    assert made.tobytes() == given.tobytes()
    assert made.flags.aligned == given.flags.aligned
    assert made.flags.writeable
    assert not np.shares_memory(made, given)


def test_the_layouts_are_what_they_are_called() -> None:
    """Otherwise the test above could compare contiguous arrays only."""
    made = {name: same_layout(lay_out(numbered((4, 8)))) for name, lay_out in LAYOUTS.items()}
    assert made["transposed"].flags.f_contiguous
    assert made["strided"].strides == (64, 8)
    assert made["a window"].strides == (40, 4)
    assert made["backwards"].strides == (-32, -4)
    assert made["repeated"].strides == (0, 4)
    assert not made["unaligned"].flags.aligned


def test_arguments_can_be_written_to_unless_the_inputs_say_otherwise() -> None:
    given = numbered((4,))
    given.flags.writeable = False
    inputs = Inputs(given, given, None, given)
    assert [array.flags.writeable for array in arguments(inputs)] == [True, True]
    assert [array.flags.writeable for array in arguments(replace(inputs, read_only=True))] == [False, False]


def test_what_is_contiguous_stays_so_and_fortran_stays_fortran() -> None:
    given = numbered((3, 5))
    assert same_layout(given).flags.c_contiguous
    assert same_layout(np.asfortranarray(given)).strides == (4, 12)
    assert same_layout(np.array(2.5)).tolist() == 2.5


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3)])
def test_nothing_is_copied_as_nothing(shape: tuple[int, ...]) -> None:
    given = np.zeros((*shape, 2), np.float32).T[0].T
    assert same_layout(given).shape == shape


def test_the_distance_to_a_vector_boundary_is_kept() -> None:
    memory = numbered((64,))
    for start in range(1, 16):
        given = memory[start : start + 33 : 2]
        assert address(same_layout(given)) % 64 == address(given) % 64


def test_memory_between_the_elements_comes_along() -> None:
    made = same_layout(LAYOUTS["strided"](numbered((2, 4))))
    whole = np.lib.stride_tricks.as_strided(made, (2, 7), (32, 4))
    assert np.isnan(whole[:, 1::2]).all()
    assert whole[:, ::2].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_memory_that_is_shared_within_an_array_stays_shared() -> None:
    """A stride of zero: one row is all rows, also for who writes to it."""
    row = numbered((4,))
    given = np.lib.stride_tricks.as_strided(row, (3, 4), (0, 4))
    made = same_layout(given)
    made[0, 1] = 9
    assert made[:, 1].tolist() == [9, 9, 9]
    assert row[1] == 2


def test_arguments_are_copies_in_call_order() -> None:
    prediction, target, weight = (numbered((2, 2)) * factor for factor in (1, 2, 3))
    two, three = (arguments(Inputs(prediction, target, extra, np.ones(()))) for extra in (None, weight))
    assert [array[0, 0] for array in two] == [1, 2]
    assert [array[0, 0] for array in three] == [1, 2, 3]
    three[0][...] = 0
    assert prediction[0, 0] == 1


def test_only_other_bits_are_altered() -> None:
    one = np.array([1.0, np.nan, -0.0], np.float32)
    given = Inputs(one, one.copy(), one.copy(), np.ones((), np.float32))
    assert modified_arguments(given, [one, one, one]) == ()
    assert modified_arguments(given, [one, one + 0, one]) == ("target",)  # the sign of zero
    assert modified_arguments(given, [one * 2, one, one * 2]) == ("prediction", "weight")
    assert modified_arguments(Inputs(one, one, None, one), [one, one * 2]) == ("target",)


def test_altered_looks_at_elements_and_not_at_memory() -> None:
    given = inputs("mse/mean", "bfloat16")
    fortran = Inputs(np.asfortranarray(given.prediction), given.target, None, given.upstream)
    assert fortran.prediction.dtype == ml_dtypes.bfloat16
    assert modified_arguments(fortran, [given.prediction, given.target]) == ()


def framework_of(name: str) -> Framework:
    pytest.importorskip(name, reason=f"{name} is not installed: pip install 'mse-conformance[{name}]'")
    adapter: Framework = getattr(importlib.import_module(f"conformance.frameworks.{name}.adapter"), f"{name.capitalize()}Framework")()
    return adapter


def in_numpy(argument: Array) -> None:
    argument += np.float32(1)


def in_torch(argument: Any) -> None:
    argument.data.add_(1)


@pytest.mark.parametrize("which", ["prediction", "target"])
@pytest.mark.parametrize(("name", "write"), [("numpy", in_numpy), ("torch", in_torch)])
def test_writing_to_an_argument_is_seen(name: str, write: Any, which: str) -> None:
    framework = framework_of(name)

    def scribbles(prediction: Any, target: Any) -> Any:
        value = ((prediction - target) ** 2).mean()
        write(prediction if which == "prediction" else target)
        return value

    def reads(prediction: Any, target: Any) -> Any:
        return ((prediction - target) ** 2).mean()

    evaluation = evaluate(framework, subject(scribbles), "eager", "float32")
    assert evaluation.changed == (which,)
    assert evaluation.value == 2.25
    assert evaluate(framework, subject(reads), "eager", "float32").changed == ()


def test_a_gradient_that_writes_to_an_argument_is_seen() -> None:
    def gradient(prediction: Array, target: Array, upstream: Array) -> tuple[Array, Array]:
        part = upstream * (prediction - target) * np.float32(0.25)
        prediction[...] = part
        return part, -part

    implementation = subject(lambda p, t: np.square(p - t).mean())
    careless = type(implementation)(**{**vars(implementation), "gradient": gradient})
    evaluation = evaluate(framework_of("numpy"), careless, "eager", "float32")
    assert evaluation.changed == ("prediction",)
    assert evaluation.gradients["gradient/target"].tolist()[0] == [-0.125, 0.375, -0.125, -0.125]
