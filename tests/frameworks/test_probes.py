from __future__ import annotations

import importlib
import importlib.util
import json
import operator
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapter_checks import EXPECTED, inputs, losses, subject
from one_target import harness_of, request_of
from probe_checks import Probing, faults, questions

from conformance.frameworks.base import ExecutionMismatch, Unsupported
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.frameworks.probe import AsIs, Probe
from conformance.numerics.formats import FORMATS
from conformance.run.profiles import PROFILES

ADAPTERS = {"numpy": "NumpyFramework", "torch": "TorchFramework", "tensorflow": "TensorflowFramework", "jax": "JaxFramework"}
MODES = {"numpy": ["eager"], "torch": ["eager"], "tensorflow": ["eager", "graph", "xla"], "jax": ["eager", "jit"]}
EVERY = [pytest.param(name, mode, id=f"{name}-{mode}") for name, modes in MODES.items() for mode in modes]
EAGER = [pytest.param(name, "eager", id=name) for name in MODES]
TRACED = [(name, mode) for name, modes in MODES.items() for mode in modes if mode != "eager"]
DIFFERENTIATED = {"alone, prediction", "alone, target", "forward, prediction", "forward, target", "forward, both", "curvature", "batched"}
REFUSED = {"numpy": DIFFERENTIATED, "torch": set(), "tensorflow": {"edited"}, "jax": {"edited"}}


def framework_of(name: str) -> Probing:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: pip install 'mse-conformance[{name}]'")
    adapter: Probing = getattr(importlib.import_module(f"conformance.frameworks.{name}.adapter"), ADAPTERS[name])()
    return adapter


def probe_of(name: str, mode: str, call: Any, dtype: str = "float32") -> Probe:
    return framework_of(name).probe(subject(call, modes=(mode,)), "cpu", mode, dtype)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
@pytest.mark.parametrize(("name", "mode"), EVERY)
def test_every_question_to_every_implementation(name: str, mode: str, dtype: str) -> None:
    framework = framework_of(name)
    for implementation in (one for one in losses(framework) if one.operation in EXPECTED):
        wrong, refused = faults(framework, implementation, mode, dtype)
        assert wrong == []
        assert refused.keys() == REFUSED[name]
        assert all(refused.values())


@pytest.mark.parametrize(("name", "mode"), EVERY)
def test_every_stream_gives_the_value_of_the_whole(name: str, mode: str) -> None:
    framework = framework_of(name)
    given = inputs("mse/mean", "float32")
    streams = [implementation for implementation in framework.implementations() if implementation.stream is not None]
    assert {implementation.operation for implementation in streams} == {"mse/mean", "mse/sum"}
    for implementation in streams:
        probe = framework.probe(implementation, "cpu", mode, "float32")
        for lengths in ([2], [1, 1], [0, 2]):
            assert probe.accumulate(given, lengths) == EXPECTED[implementation.operation][0], (implementation.name, lengths)


def test_torch_compiled() -> None:
    framework = framework_of("torch")
    implementation = framework.implementations()[0]
    try:
        framework.prepare(implementation, "cpu", "compile", "float32")
    except Unsupported as reason:
        pytest.skip(str(reason))
    wrong, refused = faults(framework, implementation, "compile", "float32")
    assert wrong == []
    assert set(refused) == {"forward, prediction", "forward, target", "forward, both", "curvature"}


@pytest.mark.parametrize(("backend", "modes"), [("tensorflow", ["eager", "graph", "xla"]), ("torch", ["eager"]), ("jax", ["eager", "jit"])])
def test_keras_asks_its_backend(backend: str, modes: list[str]) -> None:
    for module in ("keras", backend):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install 'mse-conformance[keras,{backend}]'")
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])}
    command = [sys.executable, str(here / "keras_probes.py"), backend]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    metrics = ("metrics.MeanSquaredError", "metrics.MeanSquaredError.dtype")
    names = ("MeanSquaredError.dtype", "MeanSquaredError", "MeanSquaredError.none", "mean_squared_error", *metrics)
    assert [(row["name"], row["mode"]) for row in found["rows"]] == [(name, mode) for name in names for mode in modes]
    for row in found["rows"]:
        assert row["faults"] == []
        writes = row["name"] in metrics and backend != "jax"
        assert set(row["refused"]) == (REFUSED[backend] | DIFFERENTIATED if writes else REFUSED[backend])
        assert row["given"] == 1.0  # two lists of numbers
    assert found["scopes"] == ["cpu"] * 9


@pytest.mark.parametrize(("name", "mode"), EVERY)
@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "complex64", "bfloat16"])
def test_arrays_become_tensors_of_their_dtype(name: str, mode: str, dtype: str) -> None:
    given = np.array([[0, 1, 1], [1, 0, 1]]).astype(FORMATS[dtype].dtype if dtype in FORMATS else dtype)
    returned = probe_of(name, mode, lambda p, _: p).call(given, given[0])
    assert returned.value.dtype == given.dtype
    assert np.array_equal(returned.value, given)
    assert returned.type == {"numpy": "numpy.ndarray", "jax": "jax.Array"}.get(name, f"{name}.Tensor")


@pytest.mark.parametrize(("name", "mode"), EVERY)
def test_any_layout_is_taken(name: str, mode: str) -> None:
    given = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]
    given.flags.writeable = False
    assert np.array_equal(probe_of(name, mode, lambda p, t: p - t).call(given, np.zeros_like(given)).value, given)


@pytest.mark.parametrize(("name", "mode"), EVERY)
def test_lists_and_raw_arrays_are_handed_over_as_they_are(name: str, mode: str) -> None:
    seen = []

    def call(prediction: Any, target: Any) -> Any:
        seen.append((prediction, target))
        return prediction[0] - target[0]

    assert probe_of(name, mode, call).call([1.5, 2.0], AsIs(np.array([0.5, 1.0]))).value == 1.0
    assert isinstance(seen[0][0], list)
    assert isinstance(seen[0][1], np.ndarray) == (mode == "eager")


@pytest.mark.parametrize(("name", "mode"), EAGER)
def test_one_array_given_twice_is_one_tensor(name: str, mode: str) -> None:
    same: list[bool] = []

    def call(prediction: Any, target: Any) -> Any:
        same.append(prediction is target)
        return prediction

    given = np.ones(2, np.float32)
    probe = probe_of(name, mode, call)
    probe.call(given, given)
    probe.call(given, given.copy())
    assert same == [True, False]


@pytest.mark.parametrize(("name", "mode"), EAGER)
def test_what_came_back_is_named_and_warnings_are_heard(name: str, mode: str) -> None:
    def call(prediction: Any, target: Any) -> float:
        warnings.warn("careful", stacklevel=1)
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return 2.25

    returned = probe_of(name, mode, call).call(np.ones(2), np.ones(2))
    assert returned.value == 2.25
    assert (returned.type, returned.warnings) == ("float", ("UserWarning: careful",))


def test_what_tensorflow_logs_is_heard() -> None:
    framework_of("tensorflow")
    import tensorflow as tf

    def call(prediction: Any, target: Any) -> Any:
        return tf.cast(prediction, tf.float32) - tf.cast(target, tf.float32)

    said = probe_of("tensorflow", "graph", call).call(np.array([1j]), np.array([2j])).warnings
    assert len(said) == 1
    assert "imaginary part" in said[0]


def test_a_missing_kernel_is_unsupported() -> None:
    framework_of("tensorflow")
    import tensorflow as tf

    probe = probe_of("tensorflow", "eager", lambda p, _: tf.square(p))
    with pytest.raises(Unsupported, match="bool is not in the list of allowed values"):
        probe.call(np.array([True]), np.array([True]))


@contextmanager
def untraced(name: str) -> Iterator[None]:
    """The framework's own switch for running eagerly what should be traced."""
    if name == "jax":
        import jax

        with jax.disable_jit():
            yield
        return
    import tensorflow as tf

    tf.config.run_functions_eagerly(run_eagerly=True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(run_eagerly=False)


@pytest.mark.parametrize("question", ["call", *sorted(DIFFERENTIATED)])
@pytest.mark.parametrize(("name", "mode"), TRACED)
def test_a_question_that_is_run_eagerly_is_not_attested(name: str, mode: str, question: str) -> None:
    framework = framework_of(name)
    ask, _ = questions(framework.probe(framework.implementations()[0], "cpu", mode, "float32"), "mse/mean", "float32")[question]
    with untraced(name), pytest.raises(ExecutionMismatch, match="eager"):
        ask()


@pytest.mark.parametrize("question", ["call", *sorted(DIFFERENTIATED)])
@pytest.mark.parametrize(("name", "mode"), TRACED)
def test_a_question_is_traced_once(name: str, mode: str, question: str) -> None:
    traces = []

    def call(prediction: Any, target: Any) -> Any:
        traces.append(prediction)
        return ((prediction - target) ** 2).sum() if name == "jax" else sum_of_squares(prediction, target)

    ask, expected = questions(probe_of(name, mode, call), "mse/sum", "float32")[question]
    ask()
    first = len(traces)
    again = ask()
    assert len(traces) == first > 0
    assert np.array_equal(np.array(again), np.array(expected))


def sum_of_squares(prediction: Any, target: Any) -> Any:
    import tensorflow as tf

    return tf.reduce_sum(tf.square(prediction - target))


@pytest.mark.parametrize("name", ["torch", "tensorflow", "jax"])
def test_one_argument_alone_is_the_only_one_differentiated(name: str) -> None:
    module = importlib.import_module(name)
    stop = {"torch": "Tensor.detach", "tensorflow": "stop_gradient", "jax": "lax.stop_gradient"}[name]
    constant = operator.attrgetter(stop)(module)
    ask = questions(probe_of(name, "eager", lambda p, t: (p - constant(t))[0, 0]), "mse/mean", "float32")
    assert ask["alone, prediction"][0]().tolist() == [[0.5, 0, 0, 0], [0, 0, 0, 0]]
    if name == "jax":  # where there is no path, JAX says zero and the others that there is none
        assert not ask["alone, target"][0]().any()
    else:
        with pytest.raises((TypeError, RuntimeError)):
            ask["alone, target"][0]()


def test_torch_takes_the_number_of_threads_and_gives_it_back() -> None:
    framework = framework_of("torch")
    import torch

    before = torch.get_num_threads()
    other = 1 if before > 1 else 2
    with framework.probe(framework.implementations()[0], "cpu", "eager", "float32").threads(other):
        assert torch.get_num_threads() == other
    assert torch.get_num_threads() == before


class Bare:
    """A third party's framework: the four methods of the protocol, and no probe."""

    def __init__(self) -> None:
        inner = NumpyFramework()
        self.name = inner.name
        self.environment, self.devices = inner.environment, inner.devices
        self.implementations, self.prepare = inner.implementations, inner.prepare


def test_a_framework_without_a_probe_is_unsupported_where_one_is_asked() -> None:
    bare = Bare()
    bench = harness_of(bare, bare.implementations())
    budget = PROFILES["quick"].budget

    def outcomes(check: str) -> set[tuple[str, str]]:
        request = request_of(check, "written-out.mean", budget=budget)
        return {(str(cell.outcome), cell.reason) for cell in bench.answer(request).cells if cell.quantity == "value"}

    assert outcomes("mse/mean/law/one-buffer") == {("unsupported", "the adapter offers no plain calls here")}
    assert outcomes("mse/mean/law/edited-in-place") == {("unsupported", "the adapter offers no tensors that can be edited in place here")}
    assert outcomes("mse/mean/law/swap") == {("pass", "")}


def test_what_no_adapter_answers_says_what_is_missing() -> None:
    probe = Probe()
    for ask, _ in questions(probe, "mse/mean", "float32").values():
        with pytest.raises(Unsupported, match="the adapter offers no "):
            ask()
    with pytest.raises(Unsupported, match="number of threads"):
        probe.threads(2)
