"""The pytest plugin: the same checks, cells and ids as the command, through items that ask judges."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import subjects

from conformance.results.reading import read

WHERE = ("--conformance-framework", "numpy", "--conformance-operation", "mse/none", "--conformance-dtype", "float32")


def pytest_in(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs", "conformance", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def test_items_have_the_ids_of_the_cells_and_can_be_selected(tmp_path: Path) -> None:
    listed = pytest_in(tmp_path, *WHERE, "--collect-only", "-q", "-k", "exact-arithmetic")
    assert "pytest_plugin.py::mse/none/law/exact-arithmetic@numpy/written-out.none/cpu/eager/float32" in listed.stdout
    done = pytest_in(tmp_path, *WHERE, "-q", "-m", "law")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout
    assert " failed" not in done.stdout  # an xfailed one is a documented departure


def test_the_same_cells_as_the_command(tmp_path: Path) -> None:
    subject = subjects.write(tmp_path, subjects.RIGHT, subjects.WRONG)
    done = pytest_in(
        tmp_path, "-q", "--conformance-subject", subject, "-k", "mean-thirds or mean-integers", "--junitxml", tmp_path / "junit.xml"
    )
    assert done.returncode == 1
    from_pytest = set()
    for item in ET.parse(tmp_path / "junit.xml").iter("property"):  # noqa: S314 - written by the run above
        cell = json.loads(item.get("value", ""))
        from_pytest.add((cell["check"], cell["quantity"], cell["target"]["implementation"], cell["outcome"]))
    command = [sys.executable, "-m", "conformance", "run", "--subject", str(subject), "-o", str(tmp_path / "out")]
    command += ["--check", "mse/mean/case/mean-thirds*", "--check", "mse/mean/case/mean-integers*"]
    subprocess.run(command, capture_output=True, check=False)
    cells = read(tmp_path / "out" / "results" / "numpy.jsonl").cells
    assert from_pytest == {(c.check, c.quantity, c.target.implementation, c.outcome.value) for c in cells}


def test_a_failure_is_sentences_and_a_command_not_a_traceback(tmp_path: Path) -> None:
    subject = subjects.write(tmp_path, subjects.WRONG)
    done = pytest_in(tmp_path, "-q", "--conformance-subject", subject, "-k", "mean-thirds")
    assert "found 5.5, expected 11/3" in done.stdout
    assert "again: conformance replay 'mse/mean/case/mean-thirds:value@numpy/" in done.stdout
    assert "raise Nonconformance" not in done.stdout


def test_xdist_gives_the_same_result(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, *WHERE, "-q", "-n", "2", "-m", "law or case")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_results_files_of_a_distributed_session_merge_into_one_matrix(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, *WHERE, "-q", "-n", "2", "-m", "law or case", "--conformance-output", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    parts = [read(path) for path in sorted((tmp_path / "out").glob("*.jsonl"))]
    assert all(part.complete for part in parts)
    assert len({part.header.run for part in parts}) == 1
    cells = [cell.id for part in parts for cell in part.cells]
    assert len(cells) == len(set(cells)) > 10
    report = [sys.executable, "-m", "conformance", "report", str(tmp_path / "out"), "-o", str(tmp_path / "rep")]
    assert subprocess.run(report, capture_output=True, check=False).returncode == 0


def test_a_crashing_loss_does_not_take_the_session_down(tmp_path: Path) -> None:
    subject = subjects.write(tmp_path, subjects.misbehaving("os.kill(os.getpid(), signal.SIGKILL)"))
    done = pytest_in(tmp_path, "-q", "--conformance-subject", subject, "-k", "mean-thirds or mean-integers")
    assert "signal SIGKILL" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


def test_a_mistake_in_a_subject_is_one_sentence(tmp_path: Path) -> None:
    subject = tmp_path / "broken.py"
    subject.write_text("def loss(:\n")
    done = pytest_in(tmp_path, "-q", "--conformance-subject", subject)
    assert done.returncode != 0
    assert "found a syntax error" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_plugin_imports_nothing_until_the_suite_is_collected(tmp_path: Path) -> None:
    (tmp_path / "test_nothing.py").write_text(
        "import sys\n\ndef test_nothing():\n"
        "    assert not {'numpy', 'hypothesis.core', 'pydantic', 'conformance.run.engine'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "1 passed" in done.stdout, done.stdout
