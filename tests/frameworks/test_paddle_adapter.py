from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import probe_checks
import pytest
from adapter_checks import EXPECTED, FURTHER, evaluate, faults, inputs, losses, subject

from conformance.frameworks.base import ExecutionMismatch, Unsupported
from conformance.frameworks.probe import AsIs
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS

if TYPE_CHECKING:
    from conformance.frameworks.paddle.adapter import PaddleFramework

MODES = ["eager", "graph"]
NO_VMAP = {"forward, prediction", "forward, target", "forward, both", "batched"}


@pytest.fixture(scope="module")
def framework() -> PaddleFramework:
    pytest.importorskip("paddle", reason="PaddlePaddle is not installed: pip install 'mse-conformance[paddle]'")
    adapter: PaddleFramework = importlib.import_module("conformance.frameworks.paddle.adapter").PaddleFramework()
    return adapter


@pytest.fixture(scope="module")
def paddle(framework: PaddleFramework) -> Any:
    return importlib.import_module("paddle")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", MODES)
def test_every_implementation(framework: PaddleFramework, mode: str, dtype: str) -> None:
    for implementation in losses(framework):
        if mode not in implementation.modes:
            continue
        evaluation = evaluate(framework, implementation, mode, dtype)
        wrong = faults(evaluation, implementation.operation, mode)
        if implementation.name == "written-out.weighted-by-nonzero":  # a documented deviation
            assert [fault.partition(" ")[0] for fault in wrong] == ["gradient/weight"]
        else:
            assert wrong == [], implementation.name
        assert evaluation.executed_as.dtype == (
            "float64" if implementation.name == "written-out.by-batch" else dtype
        )  # which sums in float64


def test_every_operation_has_an_entry_point(framework: PaddleFramework) -> None:
    assert {one.operation for one in losses(framework)} == EXPECTED.keys() | FURTHER.keys()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("mode", MODES)
def test_a_missing_kernel_is_unsupported(framework: PaddleFramework, mode: str, dtype: str) -> None:
    for implementation in framework.implementations():
        if implementation.operation == "mse/mean" and mode in implementation.modes and "by-batch" not in implementation.name:
            with pytest.raises(Unsupported, match=r"is not registered|must be|Check data type"):
                evaluate(framework, implementation, mode, dtype)


def test_another_error_is_not_unsupported(framework: PaddleFramework) -> None:
    with pytest.raises(Exception, match="broadcast") as caught:
        evaluate(framework, subject(lambda p, t: ((p - t[:, :3]) ** 2).mean()), "eager", "float32")
    assert not isinstance(caught.value, Unsupported)


@pytest.mark.parametrize("mode", MODES)
def test_every_question_to_every_implementation(framework: PaddleFramework, mode: str) -> None:
    for implementation in losses(framework):
        if implementation.operation in EXPECTED and mode in implementation.modes:
            wrong, refused = probe_checks.faults(framework, implementation, mode, "float32")
            assert wrong == []
            assert set(refused) == NO_VMAP | ({"curvature"} if mode == "graph" else set())


def test_every_stream_gives_the_value_of_the_whole(framework: PaddleFramework) -> None:
    streams = [implementation for implementation in framework.implementations() if implementation.stream is not None]
    assert {implementation.operation for implementation in streams} == {"mse/mean", "mse/sum"}
    for implementation in streams:
        probe = framework.probe(implementation, "cpu", "eager", "float32")
        for lengths in ([2], [1, 1], [0, 2]):
            assert probe.accumulate(inputs("mse/mean", "float32"), lengths) == EXPECTED[implementation.operation][0]


def test_what_should_be_a_graph_and_runs_eager_is_not_attested(framework: PaddleFramework, paddle: Any) -> None:
    run = framework.prepare(framework.implementations()[0], "cpu", "graph", "float32")
    paddle.jit.enable_to_static(enable_to_static_bool=False)
    try:
        with pytest.raises(ExecutionMismatch, match="eager"):
            run(inputs("mse/mean", "float32"))
    finally:
        paddle.jit.enable_to_static(enable_to_static_bool=True)


def test_a_graph_is_made_once_for_all_sizes_of_a_rank(framework: PaddleFramework) -> None:
    made = []

    def loss(prediction: Any, target: Any) -> Any:
        made.append(prediction.ndim)
        return ((prediction - target) ** 2).mean()

    run = framework.prepare(subject(loss), "cpu", "graph", "float32")
    for shape in ((4,), (8,), (2, 2), (3,)):
        ones = np.ones(shape, np.float32)
        evaluation = run(Inputs(3 * ones, ones, None, np.ones((), np.float32)))
        assert evaluation.value == 4
        assert np.array_equal(evaluation.gradients["gradient/target"], -4 * ones / ones.size)
    assert made == [1, 2]


def test_lists_and_raw_arrays_are_handed_over_as_they_are(framework: PaddleFramework) -> None:
    seen: list[type] = []

    def call(prediction: Any, target: Any) -> Any:
        seen.extend((type(prediction), type(target)))
        return prediction[0] - target[0]

    probe = framework.probe(subject(call), "cpu", "eager", "float32")
    assert probe.call([1.5, 2.0], AsIs(np.array([0.5, 1.0]))).value == 1.0
    assert seen == [list, np.ndarray]
    with pytest.raises(Unsupported, match="takes no list"):
        framework.probe(subject(call), "cpu", "graph", "float32").call([1.5], [0.5])


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "complex64", "bfloat16", "float16"])
def test_arrays_become_tensors_of_their_dtype(framework: PaddleFramework, dtype: str) -> None:
    given = np.array([[0, 1, 1], [1, 0, 1]]).astype(FORMATS[dtype].dtype if dtype in FORMATS else dtype)
    returned = framework.probe(subject(lambda p, _: p), "cpu", "eager", "float32").call(given.T, given)
    assert returned.value.dtype == given.dtype
    assert np.array_equal(returned.value, given.T)


@pytest.mark.parametrize("mode", MODES)
def test_missing_gradients_have_a_reason(framework: PaddleFramework, mode: str) -> None:
    misshapen = evaluate(framework, subject(lambda p, t: (p - t) ** 2), mode, "float32")
    assert misshapen.gradients == {}
    assert "shape" in misshapen.no_gradient
    cut = evaluate(framework, subject(lambda p, t: ((p - t).detach() ** 2).mean()), mode, "float32")
    assert cut.gradients == {}
    assert "autograd" in cut.no_gradient


@pytest.mark.parametrize("mode", MODES)
def test_what_is_no_tensor_is_an_error(framework: PaddleFramework, mode: str) -> None:
    with pytest.raises(TypeError, match="float"):
        evaluate(framework, subject(lambda *_: 2.25), mode, "float32")


def test_an_argument_that_is_written_to_is_named(framework: PaddleFramework, paddle: Any) -> None:
    def loss(prediction: Any, target: Any) -> Any:
        value = ((prediction - target) ** 2).mean()
        paddle.assign(prediction.detach(), target)
        return value

    with paddle.no_grad():
        assert evaluate(framework, subject(loss), "eager", "float32").changed == ("target",)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_cpu_keeps_subnormals_as_it_declares(framework: PaddleFramework, dtype: str) -> None:
    small = np.full(8, 2.0 ** {"float32": -65, "float64": -530}[dtype], FORMATS[dtype].dtype)
    run = framework.prepare(subject(lambda p, t: (p - t) ** 2, "mse/none"), "cpu", "eager", dtype)
    assert (run(Inputs(small, np.zeros_like(small), None, np.ones_like(small))).value > 0).all()
    assert framework.devices()[0].flushes_subnormals == frozenset()


def test_another_device_is_unsupported(framework: PaddleFramework) -> None:
    with pytest.raises(Unsupported, match="no device 'cuda:0'"):
        framework.prepare(framework.implementations()[0], "cuda:0", "eager", "float32")
