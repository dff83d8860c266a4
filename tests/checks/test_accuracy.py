"""A loss that is right and inaccurate: inside the interval of any order, and below the grade that it should have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import subjects

STAGNATES = """
@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def stagnates(prediction, target):
    squares = np.square(prediction - target).ravel()
    total = np.add.accumulate(squares)[-1] if squares.size else np.float32(0)
    return np.float32(total / np.float32(squares.size)) if squares.size else np.float32(np.nan)
"""
ACCURACY = ("--check", "mse/mean/bound/accuracy", "--check", "mse/mean/bound/growth")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    subject = subjects.write(folder, STAGNATES, subjects.RIGHT)
    command = [sys.executable, "-m", "conformance", "run", "--subject", str(subject), "-o", str(folder / "out"), *ACCURACY, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_sum_that_stagnates_counts_when_strict(tmp_path: Path) -> None:
    lenient = run(tmp_path)
    assert lenient.returncode == 0, lenient.stdout + lenient.stderr
    assert "the grade is linear, and should be square-root or better" in " ".join(lenient.stdout.split())
    assert run(tmp_path, "--strict").returncode == 1


def test_the_accused_is_the_one_that_stagnates(tmp_path: Path) -> None:
    done = run(tmp_path, "--strict", "--format", "json")
    assert "stagnates" in done.stdout
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-k", "accuracy", "--pyargs", "conformance"]
    command += ["--conformance-subject", str(tmp_path / "my_loss.py")]
    lenient = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    strict = subprocess.run([*command, "--conformance-strict"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (lenient.returncode, strict.returncode) == (0, 1)
    assert "1 failed, 1 passed" in strict.stdout
    assert "1 passed" in lenient.stdout
    assert "1 xfailed" in lenient.stdout
