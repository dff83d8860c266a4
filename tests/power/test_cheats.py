"""Subjects that wish not to be found: each is rejected, beside the suite and in a sandbox, and can change neither verdict nor results."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import conformance, one_sentence

from conformance.power.power_run import PowerRun
from conformance.power.variants import CHEATS, examine, own_files
from conformance.results.reading import read
from conformance.results.records import Outcome
from conformance.results.writing import WriteError, Writer
from conformance.run.profiles import PROFILES
from conformance.runner.sandbox import version
from conformance.specs.load import load

FILES = [path for path in own_files() if path.parent.name == CHEATS]
PLAIN = """\
import os

import conformance
import numpy as np


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def mine(prediction, target):
    {does}
    return np.mean(np.square(prediction - target))
"""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_cheats_are_rejected(path: Path) -> None:
    (file,) = examine([path], (), 1)
    if file.not_run:
        pytest.skip(file.not_run)
    power = PowerRun(load(), PROFILES["quick"], (0,), [file], 1, stop_at_first_kill=True)
    (verdict,) = power.execute()
    assert verdict.variant.group == CHEATS
    assert verdict.survived((0,)) == []


def test_there_are_cheats_of_every_kind() -> None:
    assert len(FILES) >= 26


def test_what_a_subject_writes_into_the_results_ends_the_run(tmp_path: Path) -> None:
    """Nothing is said to be complete into which somebody else wrote."""
    results = tmp_path / "out" / "results" / "numpy.jsonl"
    does = f"open({str(results)!r}, 'r+').write('x')"
    subject = tmp_path / "mine.py"
    subject.write_text(PLAIN.format(does=does), encoding="utf-8")
    done = conformance("run", "--subject", subject, "--check", "mse/mean/case/*", "-o", tmp_path / "out", "--seed", "1")
    assert done.returncode == 3, done.stderr
    assert "found other bytes than were written" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_written_by_two_is_not_closed(tmp_path: Path) -> None:
    done = conformance("run", "--framework", "numpy", "--check", "mse/mean/case/mean-thirds", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    found = read(tmp_path / "out" / "results" / "numpy.jsonl")
    with Writer(tmp_path / "again.jsonl", found.header) as writer:
        writer.append(*found.cells)
        with (tmp_path / "again.jsonl").open("r+b") as other:
            other.write(b" ")
        with pytest.raises(WriteError, match="other bytes"):
            writer.close(0.0)


@pytest.mark.skipif(not version(), reason="the system offers no Landlock")
def test_in_a_sandbox_nothing_is_written(tmp_path: Path) -> None:
    """Its own folder for temporary files is left to it."""
    place = tmp_path / "written"
    does = f"\n    try:\n        open({str(place)!r}, 'w').write('x')\n    except OSError:\n        pass"
    subject = tmp_path / "mine.py"
    subject.write_text(PLAIN.format(does=f"import tempfile; tempfile.TemporaryFile().close(){does}"), encoding="utf-8")
    done = conformance("run", "--sandbox", "--subject", subject, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not place.exists()
    done = conformance("run", "--subject", subject, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert place.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux hides the memory of a process")
def test_the_memory_of_a_judge_cannot_be_opened() -> None:
    program = (
        "import os, subprocess, sys\n"
        "from conformance.runner.sandbox import give_up_tracing, hide_memory\n"
        "if len(sys.argv) > 1:\n"
        "    give_up_tracing()\n"
        "    open(f'/proc/{os.getppid()}/mem', 'r+b')\n"
        "else:\n"
        "    hide_memory()\n"
        "    sys.exit(subprocess.run([sys.executable, '-c', open('/proc/self/cmdline').read().split(chr(0))[2], 'x']).returncode)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 1
    assert "PermissionError" in done.stderr


def test_the_seed_of_a_subject_is_drawn_and_recorded(tmp_path: Path) -> None:
    """Nobody who writes a subject can know on what it will be run; whoever reads the results can repeat it."""
    subject = tmp_path / "mine.py"
    subject.write_text(PLAIN.format(does="pass"), encoding="utf-8")
    seeds = set()
    for name in ("first", "second"):
        done = conformance("run", "--subject", subject, "--check", "mse/mean/case/*", "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
        seed = read(tmp_path / name / "results" / "numpy.jsonl").header.seed
        assert f"--seed {seed}" in done.stderr
        seeds.add(seed)
    assert len(seeds) == 2
    again = conformance("run", "--subject", subject, "--check", "mse/mean/case/*", "-o", tmp_path / "first", "--resume")
    assert again.returncode == 0, again.stderr


@pytest.mark.skipif(bool(version()), reason="the system offers Landlock")
def test_without_landlock_a_sandbox_is_refused(tmp_path: Path) -> None:
    one_sentence(conformance("run", "--sandbox", "--framework", "numpy", "-o", tmp_path), "--sandbox", "Landlock")


def test_a_subject_that_hangs_costs_three_timeouts(tmp_path: Path) -> None:
    subject = tmp_path / "mine.py"
    subject.write_text(PLAIN.format(does="import time; time.sleep(1000)").replace('"float32",', '"float32", "float64",'), encoding="utf-8")
    done = conformance("run", "--subject", subject, "--timeout", "1", "-o", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    cells = read(tmp_path / "out" / "results" / "numpy.jsonl").cells
    asked = [cell for cell in cells if cell.outcome is not Outcome.NOT_RUN]
    assert {cell.outcome for cell in asked} == {Outcome.ERROR}
    hung = {(cell.check, cell.target.id) for cell in asked if cell.reason.startswith("it hung")}
    assert len(hung) == 3
    assert all("given up after 3 hangs or deaths in a row" in cell.reason for cell in asked if not cell.reason.startswith("it hung"))
