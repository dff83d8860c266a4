"""Commands that read results files: ``diff``, and ``report`` with an earlier run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import conformance, one_sentence

from conformance.results.records import Cell, Header, Outcome, RunEnvironment, Target
from conformance.results.writing import Writer


def run(path: Path, *outcomes: Outcome, version: str = "1", level: str = "must", complete: bool = True, digest: str = "d") -> Path:
    """A results file of so many checks on one target."""
    header = Header(
        run=path.stem,
        started="2026-11-23T00:00:00+00:00",
        suite_version="0.1.0",
        specs_digest=digest,
        profile="quick",
        environment=RunEnvironment(framework="torch", version=version),
    )
    target = Target(framework="torch", version=version, implementation="mse_loss", device="cpu", mode="eager", dtype="float32")
    with Writer(path, header) as writer:
        for number, outcome in enumerate(outcomes):
            cell = Cell(
                check=f"mse/mean/case/number-{number}",
                kind="case",
                operation="mse/mean",
                quantity="value",
                target=target,
                outcome=outcome,
                level=level,  # type: ignore[arg-type]  # pydantic checks it
                reason="" if outcome is Outcome.PASS else f"value: found {number}, expected 1/2",
            )
            writer.append(cell)
        if complete:
            writer.close(1.0)
    return path


PASSES = (Outcome.PASS,) * 3
BREAKS = (Outcome.PASS, Outcome.FAIL, Outcome.FAIL)


def test_a_regression_exits_1_and_reads_as_one_line(tmp_path: Path) -> None:
    old, new = run(tmp_path / "old" / "torch.jsonl", *PASSES), run(tmp_path / "new" / "torch.jsonl", *BREAKS, version="2")
    done = conformance("diff", old.parent, new)
    assert done.returncode == 1, done.stderr
    assert "version: 1 → 2 (torch)" in done.stdout
    assert "✗ torch · mse_loss · cpu · eager · float32 (2 cells)" in done.stdout
    assert "pass → fail: value: found 1, expected 1/2" in done.stdout
    assert "conformance replay mse/mean/case/number-1:value@torch/mse_loss/cpu/eager/float32" in done.stdout
    assert done.stdout.rstrip().endswith("regressed: 2 regressed · 1 unchanged")
    assert done.stderr == ""


def test_nothing_new_exits_0_and_a_fix_too(tmp_path: Path) -> None:
    old, new = run(tmp_path / "old.jsonl", *BREAKS), run(tmp_path / "new.jsonl", *PASSES)
    assert conformance("diff", old, old).stdout == "\nno regression: 3 unchanged\n"
    done = conformance("diff", old, new)
    assert done.returncode == 0
    assert done.stdout.rstrip().endswith("no regression: 2 fixed · 1 unchanged")


def test_what_only_should_pass_counts_strictly(tmp_path: Path) -> None:
    old, new = run(tmp_path / "old.jsonl", *PASSES, level="should"), run(tmp_path / "new.jsonl", *BREAKS, level="should")
    assert conformance("diff", old, new).returncode == 0
    assert conformance("diff", old, new, "--strict").returncode == 1


def test_a_run_that_was_cut_off_exits_3_unless_it_regressed(tmp_path: Path) -> None:
    old = run(tmp_path / "old.jsonl", *PASSES)
    cut = conformance("diff", old, run(tmp_path / "cut.jsonl", *PASSES[:2], complete=False))
    assert cut.returncode == 3
    assert "INCOMPLETE: the new run of torch 1 did not reach its end: 1 cell of the old run may or may not have" in cut.stdout
    assert conformance("diff", old, run(tmp_path / "bad.jsonl", *BREAKS[:2], complete=False)).returncode == 1


def test_json_goes_to_stdout_or_to_a_file(tmp_path: Path) -> None:
    old, new = run(tmp_path / "old.jsonl", *PASSES), run(tmp_path / "new.jsonl", *BREAKS, digest="other")
    plain = json.loads(conformance("diff", old, new, "--format", "json").stdout)
    assert plain["counts"]["regressed"] == 2
    assert plain["remarks"] == ["The runs were judged by different specs."]
    (group,) = plain["groups"]
    assert group["cells"] == [f"mse/mean/case/number-{number}:value@torch/mse_loss/cpu/eager/float32" for number in (1, 2)]
    file = tmp_path / "reports" / "diff.md"
    done = conformance("diff", old, new, "--format", "markdown", "-o", file)
    assert (done.returncode, done.stdout) == (1, "regressed: 2 regressed · 1 unchanged\n")
    assert file.read_text("utf-8").startswith("# What changed\n")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("diff", "absent.jsonl", "old.jsonl"), ("absent.jsonl", "expected a results file")),
        (("diff", "old.jsonl", "empty"), ("empty", "expected at least one results file")),
        (("diff", "old.jsonl", "broken.jsonl"), ("broken.jsonl:1", "found")),
        (("diff", "old.jsonl", "old.jsonl", "-o", "old.jsonl/below"), ("old.jsonl/below", "expected a file that can be written")),
        (("report", "old.jsonl", "-o", "out", "--since", "absent.jsonl"), ("absent.jsonl", "expected a results file")),
        (("report", "old.jsonl", "-o", "old.jsonl/below"), ("old.jsonl/below", "expected a folder that can be written to")),
    ],
)
def test_every_mistake_is_one_sentence(arguments: tuple[str, ...], parts: tuple[str, ...], tmp_path: Path) -> None:
    run(tmp_path / "old.jsonl", *PASSES)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.jsonl").write_text('{"record": "\x1b[31mheader"}\n')
    one_sentence(conformance(*arguments, cwd=tmp_path), *parts)


def test_a_report_since_an_earlier_run_says_what_changed(tmp_path: Path) -> None:
    old, new = run(tmp_path / "old.jsonl", *PASSES), run(tmp_path / "new.jsonl", *BREAKS)
    done = conformance("report", new, "-o", tmp_path / "out", "--since", old)
    assert done.returncode == 1
    assert "regressed: 2 regressed · 1 unchanged" in " ".join(done.stdout.split())
    text = (tmp_path / "out" / "matrix.md").read_text("utf-8")
    assert text.index("| target |") < text.index("## What changed") < text.index("## What does not conform")
    assert json.loads((tmp_path / "out" / "table.json").read_text("utf-8"))["changes"]["counts"]["regressed"] == 2
    assert {path.name for path in (tmp_path / "out" / "badges").iterdir()} == {"torch.svg", "torch.json"}


def test_what_must_not_be_merged_is_one_sentence_that_names_both_files(tmp_path: Path) -> None:
    one = run(tmp_path / "one" / "torch.jsonl", *PASSES)
    specs = run(tmp_path / "specs.jsonl", *PASSES, digest="other")
    copy, state, torn = (tmp_path / f"{name}.jsonl" for name in ("copy", "state", "torn"))
    lines = one.read_bytes().splitlines(keepends=True)
    copy.write_bytes(b"".join(lines))
    state.write_bytes(b"".join(lines[:-2]))
    torn.write_bytes(b"".join(lines).replace(b'"run":"torch"', b'"run":"other"')[:-5])
    for added, said in ((specs, "different specs"), (copy, "a copy of"), (state, "an earlier state of"), (one, "the same file as")):
        one_sentence(conformance("report", one.parent, added, "-o", tmp_path / "out"), f"{added}:", f"{one}", said)
    one_sentence(conformance("report", one.parent, torn, "-o", tmp_path / "out"), f"{torn}:{len(lines)}:", "in the middle of a record")
    one_sentence(conformance("diff", tmp_path / "one", torn), f"{torn}:{len(lines)}:", "in the middle of a record")
    both = tmp_path / "both"
    both.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (both / name).write_bytes(copy.read_bytes())
    one_sentence(conformance("diff", one, both), f"{both / 'b.jsonl'}:", f"{both / 'a.jsonl'}", "a copy of")
    one_sentence(conformance("compare", "torch", "torch", both), f"{both / 'b.jsonl'}:", f"{both / 'a.jsonl'}", "a copy of")
    assert not (tmp_path / "out").exists()


def test_two_machines_that_disagree_are_both_shown_and_named(tmp_path: Path) -> None:
    passed = run(tmp_path / "in" / "this-machine.jsonl", *PASSES)
    broke = run(tmp_path / "in" / "other-machine.jsonl", *BREAKS)
    done = conformance("report", passed, broke, "-o", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    assert "runs disagree on mse/mean/case/number-1:value@torch/mse_loss/cpu/eager/float32" in " ".join(done.stdout.split())
    assert len(json.loads((tmp_path / "out" / "table.json").read_text("utf-8"))["disagreements"]) == 2
