from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from adapter_checks import EXPECTED, FURTHER, evaluate, faults, inputs, losses, subject

from conformance.frameworks.base import ExecutionMismatch, Unsupported
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS

if TYPE_CHECKING:
    from conformance.frameworks.torch.adapter import TorchFramework


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'mse-conformance[torch]'")


@pytest.fixture(scope="module")
def framework(torch: Any) -> TorchFramework:
    adapter: TorchFramework = importlib.import_module("conformance.frameworks.torch.adapter").TorchFramework()
    return adapter


@pytest.fixture
def compiles(framework: TorchFramework) -> None:
    try:
        framework.prepare(subject(lambda p, t: (p - t).square().mean()), "cpu", "compile", "float32")
    except Unsupported as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("dtype", FORMATS)
def test_every_implementation_eager(framework: TorchFramework, dtype: str) -> None:
    for implementation in losses(framework):
        evaluation = evaluate(framework, implementation, "eager", dtype)
        assert faults(evaluation, implementation.operation, "eager") == [], implementation.name
        assert evaluation.executed_as.dtype == (
            "float64" if implementation.name == "written-out.by-batch" else dtype
        )  # which sums in float64


def test_every_operation_has_an_entry_point(framework: TorchFramework) -> None:
    assert {one.operation for one in losses(framework)} == EXPECTED.keys() | FURTHER.keys()


@pytest.mark.usefixtures("compiles")
@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("mse_loss.mean", "float16"),
        ("MSELoss.none", "bfloat16"),
        ("written-out.last-axis", "float64"),
        ("written-out.masked-mean", "float32"),
    ],
)
def test_compiled(framework: TorchFramework, name: str, dtype: str) -> None:
    (implementation,) = (one for one in framework.implementations() if one.name == name)
    evaluation = evaluate(framework, implementation, "compile", dtype)
    assert faults(evaluation, implementation.operation, "compile") == []
    assert evaluation.executed_as.dtype == dtype


@pytest.mark.usefixtures("compiles")
def test_a_compiled_function_that_runs_eager_is_not_attested(framework: TorchFramework, torch: Any) -> None:
    def loss(prediction: Any, target: Any) -> Any:
        return (prediction - target).square().mean()

    run = framework.prepare(subject(loss, modes=("eager", "compile")), "cpu", "compile", "float32")
    with torch.compiler.set_stance("force_eager"), pytest.raises(ExecutionMismatch, match="eager"):
        run(inputs("mse/mean", "float32"))


@pytest.mark.usefixtures("compiles")
def test_a_compiler_that_gave_up_is_not_attested(framework: TorchFramework, torch: Any) -> None:
    run = framework.prepare(subject(lambda p, t: (p - t).square().mean()), "cpu", "compile", "float32")
    run(inputs("mse/mean", "float32"))
    ones = np.ones(3, np.float32)
    with torch._dynamo.config.patch(recompile_limit=1), pytest.raises(ExecutionMismatch, match="recompile limit"):
        run(Inputs(ones, ones, None, np.ones((), np.float32)))


@pytest.mark.usefixtures("compiles")
def test_a_graph_break_raises(framework: TorchFramework, torch: Any) -> None:
    def loss(prediction: Any, target: Any) -> Any:
        torch._dynamo.graph_break()
        return (prediction - target).square().mean()

    with pytest.raises(Exception, match="graph_break"):
        evaluate(framework, subject(loss), "compile", "float32")


def test_a_missing_compiler_is_unsupported(framework: TorchFramework, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = importlib.import_module("torch._inductor.cpp_builder")
    absent = importlib.import_module("torch._inductor.exc").InvalidCxxCompiler

    def none_found() -> str:
        raise absent

    monkeypatch.setattr(builder, "get_cpp_compiler", none_found)
    with pytest.raises(Unsupported, match=r"C\+\+ compiler"):
        framework.prepare(subject(lambda *_: 2.25), "cpu", "compile", "float32")


def test_bfloat16_round_trip_keeps_every_bit(framework: TorchFramework) -> None:
    bits = np.arange(0, 1 << 16, dtype=np.uint16)
    every = bits.view(FORMATS["bfloat16"].dtype)
    evaluation = framework.prepare(subject(lambda p, t: p + 0 * t, "mse/none"), "cpu", "eager", "bfloat16")(
        Inputs(every, np.zeros_like(every), None, np.ones_like(every))
    )
    finite = np.isfinite(every.astype(np.float32)) & (bits != 0x8000)  # -0 + 0 is 0
    assert np.array_equal(evaluation.value.view(np.uint16)[finite], bits[finite])


def test_weight_gets_a_gradient(framework: TorchFramework) -> None:
    given = inputs("mse/mean", "float32")
    weighted = Inputs(given.prediction, given.target, np.ones((2, 4), np.float32), given.upstream)
    evaluation = framework.prepare(subject(lambda p, t, w: (w * (p - t).square()).sum()), "cpu", "eager", "float32")(weighted)
    assert np.array_equal(evaluation.gradients["gradient/weight"], 0.5 * np.array(EXPECTED["mse/none"][0]))


def test_a_narrower_result_is_reported_as_it_is(framework: TorchFramework) -> None:
    evaluation = evaluate(framework, subject(lambda p, t: (p.float() - t.float()).square().mean()), "eager", "float64")
    assert evaluation.executed_as.dtype == "float32"
    assert evaluation.value.dtype == np.float32
    assert evaluation.gradients["gradient/prediction"].dtype == np.float64


def test_missing_gradients_have_a_reason(framework: TorchFramework) -> None:
    detached = evaluate(framework, subject(lambda p, t: (p - t.detach()).square().mean()), "eager", "float32")
    assert set(detached.gradients) == {"gradient/prediction"}
    assert "gradient/target" in detached.no_gradient
    assert evaluate(framework, subject(lambda p, t: (p - t).detach().square().mean()), "eager", "float32").gradients == {}
    misshapen = evaluate(framework, subject(lambda p, t: (p - t).square()), "eager", "float32")
    assert misshapen.executed_as.shape == (2, 4)
    assert "shape" in misshapen.no_gradient


def test_what_torch_lacks_is_unsupported(framework: TorchFramework) -> None:
    def no_kernel(prediction: Any, target: Any) -> Any:
        raise NotImplementedError("\"mse_cpu\" not implemented for 'Half'")

    with pytest.raises(Unsupported, match="Half"):
        evaluate(framework, subject(no_kernel), "eager", "float16")
    with pytest.raises(Unsupported, match="cuda:99"):
        evaluate(framework, subject(no_kernel), "eager", "float16", device="cuda:99")


def test_what_is_not_a_tensor_is_an_error(framework: TorchFramework) -> None:
    with pytest.raises(TypeError, match="float"):
        evaluate(framework, subject(lambda *_: 2.25), "eager", "float32")


def test_cpu_keeps_subnormals_as_declared(framework: TorchFramework) -> None:
    small = np.full(8, 2.0**-65, np.float32)
    evaluation = framework.prepare(subject(lambda p, t: (p - t).square(), "mse/none"), "cpu", "eager", "float32")(
        Inputs(small, np.zeros_like(small), None, small)
    )
    assert framework.devices()[0].flushes_subnormals == frozenset()
    assert (evaluation.value == np.float32(2.0**-130)).all()


def test_environment(framework: TorchFramework, torch: Any) -> None:
    environment = framework.environment()
    assert environment.version == torch.__version__
    assert environment.flags["flush_denormal"] == "False"
    assert all(isinstance(text, str) for text in environment.flags.values())
