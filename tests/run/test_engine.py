"""The engine: nothing absent, nothing lost, whatever happens to a runner or its judge."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import subjects

from conformance.frameworks.info import FrameworkInfo
from conformance.frameworks.registry import frameworks
from conformance.results.reading import Results, read
from conformance.results.records import Outcome
from conformance.run.engine import Run
from conformance.run.plan import Selection
from conformance.run.profiles import PROFILES
from conformance.specs.load import load

CASES = ("mse/mean/case/mean-thirds", "mse/mean/case/mean-integers", "mse/mean/case/mean-ordinary")
"""The first has three elements, and so has the subject's bad moment."""


def run(folder: Path, subject: Path, *, timeout: float = 60, info: FrameworkInfo | None = None, checks: tuple[str, ...] = CASES) -> Results:
    selection = Selection(subjects=(subject,), checks=checks)
    task = Run(load(), replace(PROFILES["quick"], timeout=timeout), selection, folder)
    (path,) = task.execute([info or frameworks()["numpy"]], jobs=1)
    return read(path)


def outcomes(results: Results, check: str) -> set[Outcome]:
    return {cell.outcome for cell in results.cells if cell.check == check}


def test_a_right_loss_passes_every_selected_check(tmp_path: Path) -> None:
    results = run(tmp_path / "out", subjects.write(tmp_path, subjects.RIGHT))
    assert results.complete
    assert Counter(c.outcome for c in results.cells) == {Outcome.PASS: 9}
    assert {c.quantity for c in results.cells} == {"value", "gradient/prediction", "gradient/target"}
    assert results.header.entries == {"right": "my_loss.py:right"}


def test_a_wrong_loss_fails_with_a_sentence_and_a_witness(tmp_path: Path) -> None:
    results = run(tmp_path / "out", subjects.write(tmp_path, subjects.WRONG))
    failed = [c for c in results.cells if c.check == CASES[0] and c.quantity == "value"]
    assert [c.outcome for c in failed] == [Outcome.FAIL]
    assert failed[0].reason.startswith("value: found 5.5, expected 11/3, off by")
    assert failed[0].witness is not None
    assert failed[0].witness.prediction == ("0x1.8000000000000p+0", "-0x1.0000000000000p+1", "0x1.0000000000000p-2")
    unsupported = [c for c in results.cells if c.outcome is Outcome.UNSUPPORTED]
    assert {c.quantity for c in unsupported} == {"gradient/prediction", "gradient/target"}
    assert all(c.reason for c in unsupported)


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "the runner died with signal SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the runner died with signal SIGSEGV"),
        ("os._exit(7)", "the runner died with exit code 7"),
        (
            "os.write(2, b'z' * 1_000_000 + b'\\nthe end\\n'); os._exit(7)",
            " bytes that it wrote then were cut; its last words: the end",
        ),
        ("time.sleep(600)", "it hung: no answer in 5 s while running mse/mean/case/mean-thirds; the process was ended"),
        ("raise RuntimeError('no kernel today')", "raised RuntimeError: no kernel today"),
    ],
)
def test_a_lost_runner_is_an_error_of_one_check_and_the_run_goes_on(tmp_path: Path, what: str, sentence: str) -> None:
    results = run(tmp_path / "out", subjects.write(tmp_path, subjects.misbehaving(what)), timeout=5)
    assert results.complete
    assert outcomes(results, CASES[0]) == {Outcome.ERROR}
    assert all(sentence in c.reason for c in results.cells if c.check == CASES[0])
    for check in CASES[1:]:
        assert Outcome.PASS in outcomes(results, check)


@pytest.mark.parametrize(
    "noise", ["print('noise on stdout')", "sys.stdout.write('x' * 100000)", "os.write(2, b'x' * 1_000_000)", "os.chdir('/')"]
)
def test_noise_and_wandering_do_not_reach_the_results(tmp_path: Path, noise: str) -> None:
    results = run(tmp_path / "out", subjects.write(tmp_path, subjects.misbehaving(noise)))
    assert Counter(c.outcome for c in results.cells if c.quantity == "value") == {Outcome.PASS: 3}


def test_a_runner_that_is_done_deletes_what_it_made_for_itself(tmp_path: Path) -> None:
    made = tmp_path / "made"
    tidy = f"import atexit, pathlib\nmade = pathlib.Path({str(made)!r})\nmade.touch()\natexit.register(made.unlink)\n"
    assert run(tmp_path / "out", subjects.write(tmp_path, tidy, subjects.RIGHT)).complete
    assert not made.exists()


def test_a_runner_that_does_not_end_by_itself_is_ended(tmp_path: Path) -> None:
    stays = "import atexit\natexit.register(lambda: time.sleep(600))\n"
    assert run(tmp_path / "out", subjects.write(tmp_path, stays, subjects.RIGHT)).complete


def test_a_missing_framework_is_not_run_with_the_command_that_installs_it(tmp_path: Path) -> None:
    info = FrameworkInfo("torch", requires=("no_such_module",), extras=("torch",))
    results = run(tmp_path / "out", subjects.write(tmp_path, subjects.RIGHT), info=info)
    assert results.complete
    assert {c.outcome for c in results.cells} == {Outcome.NOT_RUN}
    assert {c.check for c in results.cells} == set(CASES)
    assert all("pip install 'mse-conformance[torch]'" in c.reason for c in results.cells)


def test_a_device_that_is_not_here_is_not_run(tmp_path: Path) -> None:
    selection = Selection(operations=("mse/none",), checks=("*/law/exact-arithmetic",), dtypes=("float32",))
    info = replace(frameworks()["numpy"], device_kinds=("cpu", "tpu"))
    task = Run(load(), PROFILES["quick"], selection, tmp_path)
    (path,) = task.execute([info], jobs=1)
    absent = [c for c in read(path).cells if c.target.device == "tpu"]
    assert absent
    assert {c.outcome for c in absent} == {Outcome.NOT_RUN}
    assert {c.check for c in absent} == {"mse/none/law/exact-arithmetic"}


def _start(folder: Path, subject: Path, *checks: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "conformance", "run", "--subject", str(subject), "-o", str(folder)]
    for check in checks:
        command += ["--check", check]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _cells_so_far(path: Path) -> int:
    return sum(1 for _ in path.open()) - 1 if path.exists() else 0


def _wait_for_cells(path: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while _cells_so_far(path) < count:
        assert time.monotonic() < deadline, "the run wrote no cells"
        time.sleep(0.05)


SLOW = subjects.misbehaving("pass").replace("    return np.mean", "    time.sleep(0.3)\n    return np.mean")


@pytest.mark.parametrize(("who", "module"), [("runner", "conformance.runner"), ("judge", "conformance.judges")])
def test_killing_one_from_outside_leaves_a_file_that_says_so(tmp_path: Path, who: str, module: str) -> None:
    process = _start(tmp_path / "out", subjects.write(tmp_path, SLOW), "mse/mean/case/*")
    path = tmp_path / "out" / "results" / "numpy.jsonl"
    _wait_for_cells(path, 6)
    found = subprocess.run(["pgrep", "-f", f"{module} numpy .*{tmp_path}"], capture_output=True, text=True, check=True)
    (pid,) = found.stdout.split()
    os.kill(int(pid), signal.SIGKILL)
    process.communicate(timeout=300)
    results = read(path)
    assert results.complete
    killed = [c for c in results.cells if f"the {who} died with signal SIGKILL while running mse/mean/case/" in c.reason]
    assert {c.outcome for c in killed} == {Outcome.ERROR}
    assert len({c.check for c in killed}) == 1
    assert process.returncode == 1


def test_killing_the_parent_leaves_an_incomplete_file_and_the_report_says_so(tmp_path: Path) -> None:
    process = _start(tmp_path / "out", subjects.write(tmp_path, SLOW), "mse/mean/case/*")
    path = tmp_path / "out" / "results" / "numpy.jsonl"
    _wait_for_cells(path, 6)
    process.kill()
    process.wait()
    results = read(path)
    assert not results.complete
    assert len(results.cells) >= 6
    report = subprocess.run(
        [sys.executable, "-m", "conformance", "report", str(path), "-o", str(tmp_path / "rep")], capture_output=True, text=True, check=False
    )
    assert report.returncode == 3
    assert "did not reach its end" in report.stdout
