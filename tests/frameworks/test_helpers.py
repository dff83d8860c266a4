"""What the adapters share: entry points that are compiled from what a person writes."""

from __future__ import annotations

import inspect
import traceback

import numpy as np
import pytest

from conformance.frameworks.helpers import compiled, implementations, streamed

ENTRY = "np.sum(weight * np.square(prediction - target), axis=-1)"


def test_an_entry_is_the_function_that_it_shows() -> None:
    call = compiled(ENTRY, {"np": np})
    assert list(inspect.signature(call).parameters) == ["prediction", "target", "weight"]
    assert call(np.array([1.0, 2.0]), 0.0, np.array([1.0, 10.0])) == 41.0
    assert list(inspect.signature(compiled("prediction - target", {})).parameters) == ["prediction", "target"]
    assert list(inspect.signature(compiled("sum(p - t for p, t in batches)", {})).parameters) == ["batches"]


def test_its_source_can_be_looked_up() -> None:
    call = compiled(ENTRY, {"np": np})
    assert inspect.getsource(call) == f"lambda prediction, target, weight: {ENTRY}\n"
    with pytest.raises(TypeError) as caught:
        call("one", 1, 1)
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert last.line == f"lambda prediction, target, weight: {ENTRY}"
    assert "," not in last.filename  # PaddlePaddle parses tracebacks


def test_what_is_called_may_be_another_function() -> None:
    one, other = implementations((("a", "none", "prediction - target"), ("b", "none", "prediction - target", max)), {}, ("eager",))
    assert (one.call(3, 1), other.call(3, 1), one.entry) == (2, 3, other.entry)
    (stream,) = streamed((("c", "sum", "sum(p - t for p, t in batches)"),), {}, ("eager",), ("float32",))
    assert stream.stream is not None
    assert (stream.call(3, 1), stream.stream([(3, 1), (5, 2)]), stream.dtypes) == (2, 5, ("float32",))
