"""Runners in other interpreters: what is handed over, what is not found there, what is said where that does not work."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from command import conformance

from conformance.cli import main
from conformance.cluster import node
from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.procedure import ExecutionSetting
from conformance.mistake import Mistake
from conformance.numerics.definition import Quantity
from conformance.numerics.tasks import ReplicasTask
from conformance.results.reading import Results, read
from conformance.results.records import Outcome
from conformance.subject import SubjectError
from conformance.workers import handover
from conformance.workers.child import ProcessLost
from conformance.workers.runner import Runner, RunnerOptions, run_procedure
from conformance.workers.subjects import inspect

OURS = Path(sys.executable)
CASE = "mse/mean/case/mean-thirds"
SUBJECT = """
import os
import sys
import conformance

assert sys.flags.isolated and "PYTHONPATH" not in os.environ
assert os.path.basename(os.path.dirname(os.path.dirname(conformance.__file__))).startswith("conformance-")
assert not [name for name in ("pydantic", "click", "conformance.specs", "conformance.checks") if name in sys.modules]

@conformance.implementation("mse/mean", framework="numpy")
def mine(prediction, target):
    return ((prediction - target) ** 2).mean()
"""
PLAIN = SUBJECT[: SUBJECT.index("assert")] + SUBJECT[SUBJECT.index("@conf") :]


def environment(folder: Path) -> Path:
    """A virtual environment in which nothing is installed."""
    venv.create(folder, with_pip=False, symlinks=True)
    return folder


def script(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def conformance_run(folder: Path, *options: str) -> tuple[int, str, dict[str, Results]]:
    done = CliRunner().invoke(main, ["run", "--check", CASE, "--dtype", "float64", "-o", str(folder), *options])
    return done.exit_code, done.stdout + done.stderr, {path.stem: read(path) for path in folder.rglob("*.jsonl")}


# ---- the folder ----


def test_everything_that_is_imported_there_is_there_too() -> None:
    root = handover.folder()
    there = {path.relative_to(root).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__") for path in root.rglob("*.py")}
    missing = {}
    for path in root.rglob("*.py"):
        for at in ast.walk(ast.parse(path.read_text())):
            for name in [at.module] if isinstance(at, ast.ImportFrom) else [a.name for a in at.names] if isinstance(at, ast.Import) else []:
                if name and name.partition(".")[0] == "conformance" and name not in there:
                    missing[name] = path.name
    assert missing == {}


def test_the_judge_is_not_handed_over() -> None:
    package = handover.folder() / "conformance"
    assert {path.name for path in package.iterdir() if path.is_dir()} == {"frameworks", "numerics", "runner"}
    assert not (package / "numerics" / "exact").exists()
    assert list(package.rglob("__pycache__")) == []


def test_a_process_makes_one_and_it_goes_with_it_even_if_that_is_killed() -> None:
    program = "from conformance.workers import handover as h; print(h.folder(), h.folder(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first, second = process.stdout.readline().split()
        assert first == second
        assert (Path(first) / "conformance" / "runner").is_dir()
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while Path(first).exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(first).exists()


# ---- interpreters ----


def test_an_interpreter_is_found_by_its_path_and_in_an_environment(tmp_path: Path) -> None:
    made = environment(tmp_path / "environment")
    assert handover.interpreter(made) == handover.interpreter(made / "bin" / "python") == made / "bin" / "python"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, "found no Python at .*/python, expected an interpreter, or the folder of an environment"),
        ("echo hello", "which does not answer as one, expected an interpreter of Python 3.9 or later"),
        ("exit 2", "which does not answer as one"),
        ("echo 3.8.18", "found Python 3.8.18 at .*/python, expected an interpreter of Python 3.9 or later"),
        ("echo 2.7.18", "found Python 2.7.18"),
    ],
)
def test_what_is_no_interpreter_or_too_old_a_one_is_a_mistake(tmp_path: Path, body: str | None, said: str) -> None:
    if body is not None:
        script(tmp_path / "python", body)
    with pytest.raises(Mistake, match=said):
        handover.interpreter(tmp_path / "python")


def test_a_file_that_cannot_be_run_is_no_interpreter(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("")
    with pytest.raises(Mistake, match="does not answer"):
        handover.interpreter(tmp_path / "python")


def test_what_an_interpreter_lacks_is_said_in_words(tmp_path: Path) -> None:
    assert handover.lacking(OURS, ("numpy", "json")) == ""
    assert handover.lacking(OURS, ("numpy", "frobnicate")) == "frobnicate is not installed in the interpreter that it was to run in"
    assert handover.lacking(OURS, ("a1", "b1")).startswith("a1 and b1 are not installed")
    assert handover.lacking(script(tmp_path / "python", "exit 1"), ("numpy",)) == "the interpreter that it was to run in does not answer"


# ---- runners ----


def test_a_runner_there_knows_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    (tmp_path / "mine.py").write_text(SUBJECT)
    runner = Runner("numpy", RunnerOptions(subjects=(tmp_path / "mine.py",), python=OURS))
    try:
        first = runner.start()
    finally:
        runner.shutdown()
    assert [one["name"] for one in first["implementations"]] == ["mine"]
    assert first["flags"][handover.INTERPRETER] == handover.ANOTHER


def test_a_runner_there_is_started_again_after_it_died() -> None:
    runner = Runner("numpy", RunnerOptions(python=OURS))
    try:
        runner.start()
        assert runner._process is not None
        os.kill(runner._process.pid, signal.SIGKILL)
        with pytest.raises(ProcessLost, match="SIGKILL"):
            runner.call("state")
        assert runner.start()["framework"] == "numpy"
    finally:
        runner.close()


def test_without_numpy_there_is_no_runner(tmp_path: Path) -> None:
    runner = Runner("numpy", RunnerOptions(python=environment(tmp_path / "bare") / "bin" / "python"))
    with pytest.raises(ProcessLost, match="it could not start: numpy is not installed in the interpreter that it was to run in"):
        runner.start()


def test_replicas_find_what_was_handed_over_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed: its replicas are processes")
    monkeypatch.chdir(tmp_path)  # where no package is
    runner = Runner("torch", RunnerOptions(python=OURS))
    ones = np.ones((2, 1), np.float32)
    try:
        runner.start()
        task = ReplicasTask(ones, ones, np.ones((1, 1), np.float32), (1, 1))
        result = run_procedure(runner, "DDP.mean", task, ExecutionSetting("cpu", "eager", "float32"))
    finally:
        runner.close()
    assert [float(loss) for loss in result.arrays[Quantity.LOSS].values()] == [0, 0]


# ---- the command ----


def test_a_run_says_that_the_interpreter_was_another_and_names_no_path(tmp_path: Path) -> None:
    code, said, results = conformance_run(tmp_path / "out", "--framework", "numpy", "--python", f"numpy={OURS}")
    assert code == 0, said
    header = results["numpy"].header
    assert header.environment.flags[handover.INTERPRETER] == handover.ANOTHER
    assert header.environment.python == sys.version.split()[0]
    assert str(OURS) not in header.model_dump_json()
    assert Outcome.PASS in {cell.outcome for cell in results["numpy"].cells}


def test_what_is_not_installed_here_is_run_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FrameworkInfo, "missing", lambda self: self.requires)
    code, said, results = conformance_run(
        tmp_path / "out", "--framework", "numpy", "--framework", "sklearn", "--python", f"numpy={OURS.parent.parent}"
    )
    assert code == 0, said
    assert Outcome.PASS in {cell.outcome for cell in results["numpy"].cells}
    assert {cell.outcome for cell in results["sklearn"].cells} == {Outcome.NOT_RUN}


def test_an_interpreter_without_the_framework_is_the_reason_of_every_cell(tmp_path: Path) -> None:
    bare = environment(tmp_path / "bare")
    code, said, results = conformance_run(tmp_path / "out", "--framework", "keras-torch", "--python", f"keras={bare}")
    assert code == 1, said
    reasons = {(cell.outcome, cell.reason) for cell in results["keras-torch"].cells}
    lacking = "numpy and keras and torch are not installed in the interpreter that it was to run in"
    assert reasons == {(Outcome.ERROR, f"it could not start: {lacking}")}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--python", "numpy=/no/such/place"], "--python: found no Python at /no/such/place, expected an interpreter"),
        (["--python", "numpy"], "--python: found 'numpy', expected a framework and an interpreter, such as torch="),
        (["--python", f"=={OURS}"], "--python: found '==/"),
        (["--python", f"caffe={OURS}"], "--python: unknown framework 'caffe': expected one of numpy,"),
        (["--framework", "numpy", "--python", f"torch={OURS}"], "--python: found an interpreter of torch, expected one of numpy"),
        (["--framework", "numpy", "--python", f"numpy={OURS}", "--environment", "*"], "--python: found --executor ray or --environment"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(tmp_path: Path, options: list[str], said: str) -> None:
    code, printed, _ = conformance_run(tmp_path / "out", *options)
    assert code == 2
    assert printed.startswith(f"conformance: {said}"), printed
    assert len(printed.splitlines()) == 1


# ---- subject files ----


def test_a_subject_file_that_only_runs_there_is_looked_into_there(tmp_path: Path) -> None:
    there = environment(tmp_path / "there")
    (packages,) = there.glob("lib/python*/site-packages")
    (packages / "only_there.py").write_text("")
    file = tmp_path / "mine.py"
    file.write_text(f"import only_there\n{PLAIN}")
    with pytest.raises(SubjectError, match="No module named 'only_there'"):
        inspect(file)
    bare = environment(tmp_path / "bare") / "bin" / "python"
    assert inspect(file, (bare, there / "bin" / "python")) == [("numpy", "mse/mean")]
    with pytest.raises(SubjectError, match="No module named 'only_there'"):
        inspect(file, (bare,))


def test_a_mistake_in_a_subject_file_is_found_by_ours(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("1 / 0\n")
    with pytest.raises(SubjectError, match="ZeroDivisionError"):
        inspect(file, (tmp_path / "never-asked",))


# ---- an old interpreter ----


@pytest.fixture(scope="module")
def python39(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of Python 3.9 with NumPy alone, which uv makes."""
    elsewhere = [str(path) for path in sorted(Path.home().glob(".pyenv/versions/3.9*/bin"))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.pathsep.join([os.environ["PATH"], *elsewhere]))
        try:
            return node.create_environment(tmp_path_factory.mktemp("old") / "python39", "3.9", ["numpy"])
        except node.JobFailed as error:
            pytest.skip(f"uv makes no environment of Python 3.9 here: {error}")


def test_numpy_alone_on_python_39(tmp_path: Path, python39: Path) -> None:
    done = CliRunner().invoke(
        main, ["run", "--framework", "numpy", "--python", f"numpy={python39}", "--check", "*/case/*", "-o", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    results = read(tmp_path / "out" / "results" / "numpy.jsonl")
    assert results.header.environment.python.startswith("3.9.")
    assert "ml-dtypes" not in json.dumps(dict(results.header.environment.packages)).replace("_", "-")
    assert {cell.target.dtype for cell in results.cells} == {"float16", "float32", "float64"}, "bfloat16 is none of NumPy's own"
    assert not {Outcome.ERROR, Outcome.FAIL} & {cell.outcome for cell in results.cells}


def test_without_ml_dtypes_a_subject_runs_in_the_other_dtypes(tmp_path: Path, python39: Path) -> None:
    (tmp_path / "mine.py").write_text(PLAIN)
    done = CliRunner().invoke(
        main, ["run", "--subject", str(tmp_path / "mine.py"), "--python", f"numpy={python39}", "--check", CASE, "-o", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    cells = [cell for cell in read(tmp_path / "out" / "results" / "numpy.jsonl").cells if cell.quantity == "value"]
    assert {cell.target.dtype for cell in cells if cell.outcome is Outcome.PASS} == {"float16", "float32", "float64"}


def test_a_runner_of_python_39_keeps_the_protocol(python39: Path) -> None:
    done = conformance("protocol-test", "--framework", "numpy", "--python", f"numpy={python39}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("✓") > 10
    assert "✗" not in done.stdout
