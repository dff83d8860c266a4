"""Every kind of standalone program runs: of each framework's every implementation, in its modes and dtypes, and it finds what is true."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.frameworks.domain import TRUTH_VALUES
from conformance.frameworks.registry import KNOWN
from conformance.reports.reproduce import blanks, filled, is_whole, template
from conformance.results.records import Cell, Outcome, Target, Witness

PROGRAMS = Path(__file__).with_name("programs.py")


@pytest.mark.parametrize("name", [name for name, info in KNOWN.items() if "cpu" in info.device_kinds])
def test_the_programs_of_every_implementation_run_and_find_what_is_true(name: str) -> None:
    if reason := KNOWN[name].why_missing():
        pytest.skip(reason)
    done = subprocess.run([sys.executable, str(PROGRAMS), name], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["ran"] > 10
    assert found["wrong"] == []
    assert [words for words in found["without"] if "metrics." not in words or "/eager/" in words] == []


CELL = Cell(
    check="c",
    kind="case",
    operation="mse/mean",
    quantity="value",
    target=Target(framework="numpy", version="2", implementation="i", device="cpu", mode="eager", dtype="float32"),
    outcome=Outcome.FAIL,
)
WITNESS = Witness(shape=(2,), prediction=("0x1p+0", "nan"), target=("0x0p+0", "-inf"), element=1, expected="x")


def test_a_template_has_blanks_and_a_line_with_nothing_to_say_is_left_out() -> None:
    program = template(CELL, "np.mean(np.square(prediction - target))", WITNESS)
    assert "\x00prediction\x00" in program
    written = filled(program, blanks(CELL, WITNESS))
    assert "\x00" not in written
    assert "[1.0, float('nan')]" in written
    assert "[0.0, float('-inf')]" in written
    assert "allowed" not in written
    assert "allowed" in filled(program, blanks(CELL, WITNESS.model_copy(update={"allowed": ("1", "2")})))


def test_inputs_that_are_cut_make_no_program() -> None:
    assert is_whole(WITNESS)
    assert not is_whole(WITNESS.model_copy(update={"prediction": ("0x1p+0", "…")}))
    assert not is_whole(Witness(shape=(2,)))
    assert is_whole(Witness(shape=(0,)))


def test_a_mask_of_truth_values_is_one_in_the_program() -> None:
    cell = CELL.model_copy(update={"operation": "mse/masked-mean", "flags": (TRUTH_VALUES,)})
    witness = WITNESS.model_copy(
        update={"prediction": ("0x1p+0", "0x1p+2"), "target": ("0x0p+0", "0x0p+0"), "weight": ("0x1p+0", "0x0p+0")}
    )
    program = filled(template(cell, "np.mean(np.square(prediction - target)[weight])", witness), blanks(cell, witness))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("found    1.0\n")
