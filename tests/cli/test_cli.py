"""The command line: exit codes, one sentence for every mistake, nothing imported that is not needed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import subjects
from command import conformance, one_sentence

from conformance.specs.load import specs_root

ONE = ("--check", "mse/mean/case/mean-thirds")


def test_a_right_loss_exits_0_and_a_wrong_one_1(tmp_path: Path) -> None:
    right = conformance("run", "--subject", subjects.write(tmp_path, subjects.RIGHT), *ONE, "-o", tmp_path / "right")
    assert right.returncode == 0, right.stderr
    wrong = conformance("run", "--subject", subjects.write(tmp_path, subjects.WRONG), *ONE, "-o", tmp_path / "wrong")
    assert wrong.returncode == 1, wrong.stderr
    text = " ".join(wrong.stdout.split())
    assert "mse/mean/case/mean-thirds" in text
    assert "found 5.5, expected 11/3" in text
    for name in ("index.html", "matrix.md", "table.json", "junit.xml", "badges/numpy.svg", "results/numpy.jsonl"):
        assert (tmp_path / "wrong" / name).is_file()


def test_the_reproducer_runs_on_its_own_and_shows_the_failure(tmp_path: Path) -> None:
    subject = subjects.write(tmp_path, subjects.WRONG)
    done = conformance("run", "--subject", subject, *ONE, "-o", tmp_path / "out")
    program = done.stdout.split("in a few lines:\n\n", 1)[1].split("\n\nreports:", 1)[0]
    again = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert again.stdout.split() == ["found", "5.5", "expected", "element", "0:", "11/3", "allowed", *again.stdout.split()[7:]]


def test_replay_runs_the_one_cell_again(tmp_path: Path) -> None:
    subject = subjects.write(tmp_path, subjects.WRONG)
    done = conformance("replay", "mse/mean/case/mean-thirds:value@numpy/divides_by_n_minus_one/cpu/eager/float32", "--subject", subject)
    assert done.returncode == 1
    assert done.stdout.startswith("fail  mse/mean/case/mean-thirds:value@numpy/divides_by_n_minus_one/cpu/eager/float32\n")
    assert "found 5.5, expected 11/3" in done.stdout
    assert "print('expected'" in done.stdout


def test_json_on_stdout_is_one_document(tmp_path: Path) -> None:
    subject, out = subjects.write(tmp_path, subjects.RIGHT), tmp_path / "out"
    done = conformance("run", "--subject", subject, *ONE, "-o", out, "--seed", "0", "--format", "json")  # one that is drawn is told
    assert done.returncode == 0
    assert json.loads(done.stdout)["complaints"] == []
    assert done.stderr == ""


def test_nothing_selected_is_not_a_pass(tmp_path: Path) -> None:
    done = conformance("run", "--framework", "numpy", "--check", "no/such/check", "-o", tmp_path)
    assert done.returncode == 3


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("run", "--framework", "nunpy"), ("unknown framework 'nunpy'", "expected one of")),
        (("run", "--operation", "mse/maen"), ("--operation: found 'mse/maen'", "mse/mean")),
        (("run", "--subject", "absent.py"), ("absent.py", "found no such file")),
        (("report", "absent.jsonl", "-o", "out"), ("absent.jsonl", "expected a results file")),
        (("explain", "mse/mean/case/no-such-case"), ("unknown check", "conformance list checks")),
        (("replay", "mse/mean/case/mean-thirds"), ("expected framework/implementation/device/mode/dtype",)),
        (("replay", "mse/mean/case/mean-thirds:value@numpy/none/cpu/eager/float32"), ("found no such target",)),
    ],
)
def test_every_mistake_is_one_sentence(arguments: tuple[str, ...], parts: tuple[str, ...], tmp_path: Path) -> None:
    one_sentence(conformance(*arguments, cwd=tmp_path), *parts)


def test_a_syntax_error_in_a_subject_is_one_sentence_with_its_line(tmp_path: Path) -> None:
    subject = tmp_path / "broken.py"
    subject.write_text("import conformance\n\ndef loss(:\n")
    one_sentence(conformance("run", "--subject", subject, "-o", tmp_path / "out"), f"{subject}:3", "found a syntax error")


def test_an_unknown_operation_in_a_subject_is_one_sentence(tmp_path: Path) -> None:
    subject = subjects.write(tmp_path, subjects.RIGHT.replace("mse/mean", "mse/median"))
    one_sentence(conformance("run", "--subject", subject, "-o", tmp_path / "out"), "mse/median", "expected one of", "mse/mean")


def test_a_results_file_without_its_end_is_incomplete_and_a_truncated_one_refused(tmp_path: Path) -> None:
    conformance("run", "--subject", subjects.write(tmp_path, subjects.RIGHT), *ONE, "-o", tmp_path / "out")
    path = tmp_path / "out" / "results" / "numpy.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    done = conformance("report", path, "-o", tmp_path / "rep")
    assert done.returncode == 3
    assert "did not reach its end; it left" in " ".join(done.stdout.split())
    path.write_bytes(whole[:-30])
    last = len(whole.splitlines())
    one_sentence(
        conformance("report", path, "-o", tmp_path / "rep"), f"{path}:{last}", "middle of a record", "expected whole records", "--resume"
    )
    path.write_bytes(whole[:30])
    one_sentence(conformance("report", path, "-o", tmp_path / "rep"), f"{path}:1", "cut off", "expected the header")


def test_lint_names_file_case_key_found_and_expected(tmp_path: Path) -> None:
    root = tmp_path / "specs"
    shutil.copytree(specs_root(), root)
    mean = root / "mse" / "mean.toml"
    text = mean.read_text(encoding="utf-8")
    mean.write_text(text.replace('value = "11/3"', 'value = "13/3"', 1), encoding="utf-8")
    done = conformance("lint", root)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for part in ("mean.toml", "mean-thirds", "value", "13/3", "11/3"):
        assert part in done.stdout
    assert conformance("lint").returncode == 0


def test_explain_says_why_the_interval_is_what_it_is() -> None:
    done = conformance("explain", "mse/mean/case/mean-thirds", "--dtype", "float32")
    assert done.returncode == 0
    for part in ("together a relative error", "exactly 11/3", "sum: 2 in float32", "gradient/prediction"):
        assert part in done.stdout


def test_explain_knows_weights_and_what_only_chooses() -> None:
    """A weight is an input, has a gradient, and is multiplied in; a mask is an input and no more."""
    weighted = conformance("explain", "mse/weighted-mean/case/weighted-mean-thirds", "--dtype", "float32").stdout
    masked = conformance("explain", "mse/masked-mean/case/masked-mean-everything", "--dtype", "float32").stdout
    for part in ("\n  weight     1.0 (", "\n  gradient/weight\n", "\n    weight: 1 in float32"):
        assert part in weighted
    assert "\n  weight     1.0 (" in masked
    for part in ("gradient/weight", "weight: 1", "sum of the weights"):
        assert part not in masked


@pytest.mark.parametrize("what", ["results", "spec"])
def test_schemas_are_valid_json_schemas(what: str) -> None:
    schema = json.loads(conformance("schema", what).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)


def test_results_files_fit_their_schema(tmp_path: Path) -> None:
    conformance("run", "--subject", subjects.write(tmp_path, subjects.WRONG), *ONE, "-o", tmp_path / "out")
    validator = jsonschema.Draft202012Validator(json.loads(conformance("schema", "results").stdout))
    lines = (tmp_path / "out" / "results" / "numpy.jsonl").read_text().splitlines()
    assert len(lines) == 5
    for line in lines:
        validator.validate(json.loads(line))


def test_list_checks_and_targets_agree_with_what_runs() -> None:
    checks = json.loads(conformance("list", "checks", "--operation", "mse/none", "--format", "json").stdout)
    assert {"mse/none/law/exact-arithmetic", "mse/none/bound/cancellation"} <= {row["id"] for row in checks}
    assert all(row["title"] for row in checks)
    targets = conformance("list", "targets", "--framework", "numpy", "--operation", "mse/mean").stdout
    assert "numpy/written-out.mean/cpu/eager/float32  mse/mean  np.mean(np.square(" in targets


def test_doctor_tells_versions_devices_and_flags() -> None:
    (report,) = json.loads(conformance("doctor", "--framework", "numpy", "--format", "json").stdout)
    assert report["status"] == "ready"
    assert report["devices"][0]["name"] == "cpu"
    assert "ml_dtypes" in report["packages"]


@pytest.mark.parametrize("arguments", [["--help"], ["list", "operations"], ["run", "--help"]])
def test_starting_imports_no_framework(arguments: list[str]) -> None:
    program = (
        "import sys\nfrom conformance.cli import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "found = {'torch', 'tensorflow', 'jax', 'keras', 'hypothesis', 'rich.console'} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
