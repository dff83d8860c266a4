from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest
from adapter_checks import evaluate, faults

import conformance
from conformance.frameworks.numpy.adapter import NumpyFramework
from conformance.subject import SubjectError, load_subjects


def write(folder: Path, text: str) -> Path:
    path = folder / "my_loss.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


RIGHT = """
    import conformance
    import numpy as np

    @conformance.implementation("mse/mean", framework="numpy")
    def my_loss(prediction, target):
        return np.mean((prediction - target) ** 2)

    @my_loss.gradient
    def _(prediction, target, upstream):
        part = upstream * 2 * (prediction - target) / prediction.size
        return part, -part

    @conformance.implementation("mse/sum", framework="torch", modes=("eager", "compile"), dtypes=("float32",))
    def another(prediction, target):
        return (prediction - target).square().sum()

    assert my_loss(np.float32(3), np.float32(1)) == 4
"""


def test_a_right_file(tmp_path: Path) -> None:
    first, second = load_subjects(write(tmp_path, RIGHT))
    implementation = first.implementation()
    assert (implementation.name, implementation.entry, implementation.operation) == ("my_loss", "my_loss.py:my_loss", "mse/mean")
    assert implementation.modes == ("eager",)
    assert implementation.dtypes == ("float16", "float32", "float64")  # bfloat16 is none of NumPy's own
    assert faults(evaluate(NumpyFramework(), implementation, "eager", "float32"), "mse/mean", "eager") == []
    assert (second.adapter, second.modes, second.dtypes) == ("torch", ("eager", "compile"), ("float32",))
    assert second.implementation().gradient is None


def test_loading_twice_gives_the_same_again(tmp_path: Path) -> None:
    path = write(tmp_path, RIGHT)
    assert [one.name for one in load_subjects(path)] == [one.name for one in load_subjects(path)] == ["my_loss", "another"]


def test_keras_runs_on_the_backend_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "import conformance\n@conformance.implementation('mse/mean', framework='keras')\ndef f(p, t): ...\n")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert load_subjects(path)[0].adapter == "keras-tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert load_subjects(path)[0].adapter == "keras-jax"


HEAD = "import conformance\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("def my_loss(:\n    pass\n", 1, "syntax error"),
        (HEAD + "x = 1\ny = x / 0\n", 3, "ZeroDivisionError: division by zero"),
        (HEAD + "import no_such_module\n", 2, "no_such_module"),
        (HEAD + "raise SystemExit('no')\n", 2, "SystemExit: no"),
        (
            HEAD + "x = 1\n@conformance.implementation('mse/mean', framework='torhc')\ndef f(p, t): ...\n",
            3,
            "'torhc', expected one of numpy",
        ),
        (HEAD + "@conformance.implementation(3, framework='torch')\ndef f(p, t): ...\n", 2, "found 3 as the operation"),
        (HEAD + "@conformance.implementation('mean', framework='torch')\ndef f(p, t): ...\n", 2, "'mse/mean'"),
        (HEAD + "@conformance.implementation('mse/mean', framework='jax', modes='jit')\ndef f(p, t): ...\n", 2, "modes='jit'"),
        (HEAD + "@conformance.implementation('mse/mean', framework='jax', dtypes=['int8'])\ndef f(p, t): ...\n", 2, "'int8'"),
        (HEAD + "conformance.implementation('mse/mean', framework='jax')(lambda p, t: p)\n", 2, "name="),
        (HEAD + "conformance.implementation('mse/mean', framework='jax')(3)\n", 2, "found int"),
    ],
)
def test_a_wrong_file_gives_one_sentence(tmp_path: Path, text: str, line: int, says: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SubjectError) as caught:
        load_subjects(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: found")
    assert "expected" in message
    assert says in message
    assert "\n" not in message


def test_no_file_nothing_registered_and_one_name_twice(tmp_path: Path) -> None:
    with pytest.raises(SubjectError, match="no such file"):
        load_subjects(tmp_path / "absent.py")
    with pytest.raises(SubjectError, match="found no implementation"):
        load_subjects(write(tmp_path, "x = 1\n"))
    one = "@conformance.implementation('mse/mean', framework='jax')\ndef f(p, t): ...\n"
    with pytest.raises(SubjectError, match="two implementations 'f'"):
        load_subjects(write(tmp_path, HEAD + one + one))


def test_a_failed_file_leaves_nothing_behind(tmp_path: Path) -> None:
    registers = "@conformance.implementation('mse/mean', framework='jax')\ndef f(p, t): ...\n"
    with pytest.raises(SubjectError):
        load_subjects(write(tmp_path, HEAD + registers + "1 / 0\n"))
    with pytest.raises(SubjectError, match="found no implementation"):
        load_subjects(write(tmp_path, "x = 1\n"))


def test_modules_beside_the_file_are_found_and_no_cache_is_left(tmp_path: Path) -> None:
    (tmp_path / "beside_my_loss.py").write_text("FACTOR = 1\n", encoding="utf-8")
    registers = "@conformance.implementation('mse/mean', framework='jax')\ndef f(p, t): ...\n"
    load_subjects(write(tmp_path, HEAD + "from beside_my_loss import FACTOR\n" + registers))
    assert not list(tmp_path.glob("__pycache__/my_loss*"))


def test_the_function_stays_a_function() -> None:
    def loss(prediction: float, target: float) -> float:
        return (prediction - target) ** 2

    assert conformance.implementation("mse/mean", framework="numpy")(loss) is loss
    assert loss(np.float64(3), np.float64(1)) == 4
