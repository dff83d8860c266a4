"""The files to copy into other people's CI: they parse, and what they call exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from command import options

from conformance.frameworks.registry import KNOWN

yaml = pytest.importorskip("yaml", reason="pyyaml is not installed: pip install 'mse-conformance[test]'")

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "ci"
TEMPLATES = ("github.yml", "gitlab.yml")


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


def strings(part: Any) -> Iterator[str]:
    """Every string in a parsed file."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict):
        for one in part.values():
            yield from strings(one)
    elif isinstance(part, list):
        for one in part:
            yield from strings(one)


def commands(name: str) -> list[list[str]]:
    """The calls of ``conformance``, as a shell would split them."""
    lines = [line.strip() for text in strings(read(name)) for line in text.splitlines()]
    return [shlex.split(re.sub(r"\$\{\{.*?\}\}", "NAME", line))[1:] for line in lines if line.startswith("conformance ")]


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_runs_and_reports_with_commands_and_options_that_exist(name: str) -> None:
    called = commands(name)
    assert {command for command, *_ in called} == {"run", "report"}
    for command, *arguments in called:
        assert {argument for argument in arguments if argument.startswith("-")} <= options(command)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_frameworks_named_are_known(name: str) -> None:
    found = set(re.findall(r"(?:framework|FRAMEWORK): ([a-z-]+)", (FOLDER / name).read_text()))
    assert found
    assert found <= KNOWN.keys()


def test_github_merges_what_every_job_uploads_and_shows_it_whatever_was_found() -> None:
    jobs = read("github.yml")["jobs"]
    (upload,) = (step["with"] for step in jobs["run"]["steps"] if "upload-artifact" in step.get("uses", ""))
    (download,) = (step["with"] for step in jobs["report"]["steps"] if "download-artifact" in step.get("uses", ""))
    assert upload["name"] == "results-${{ matrix.name }}"
    assert download["pattern"] == "results-*"
    assert jobs["report"]["needs"] == "run"
    assert jobs["report"]["if"] == "always()"
    assert any("GITHUB_STEP_SUMMARY" in step.get("run", "") and step["if"] == "always()" for step in jobs["report"]["steps"])
    assert read("github.yml")["permissions"] == {"contents": "read"}
    names = [entry["name"] for entry in jobs["run"]["strategy"]["matrix"]["include"]]
    assert len(set(names)) == len(names)


def test_gitlab_hands_results_to_the_report_and_shows_its_tests() -> None:
    jobs = read("gitlab.yml")
    assert jobs["run"]["artifacts"] == {"when": "always", "paths": ["results"]}
    assert ["report", "results", "-o", "public"] in commands("gitlab.yml")
    assert jobs["report"]["when"] == "always"
    assert jobs["report"]["artifacts"]["reports"]["junit"] == "public/junit.xml"


def test_the_test_of_three_lines_passes_for_a_right_loss_and_fails_for_a_wrong_one(tmp_path: Path) -> None:
    test = (FOLDER / "test_my_loss.py").read_text()
    assert len([line for line in test.split('"""')[2].splitlines() if line.strip()]) == 3
    faster = test.replace('"float32"]', '"float32", "--check", "mse/mean/case/mean-t*"]')
    assert faster != test
    (tmp_path / "test_my_loss.py").write_text(faster)
    right = (FOLDER / "my_loss.py").read_text()
    assert "** 2)" in right
    for loss, code in ((right, 0), (right.replace("** 2)", "** 2) * 1.01"), 1)):
        (tmp_path / "my_loss.py").write_text(loss)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_my_loss.py"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout


def test_the_documents_show_them() -> None:
    text = (FOLDER.parent / "automation.md").read_text()
    shown = set(re.findall(r"\{literalinclude\} ci/(\S+)", text))
    assert shown == {path.name for path in FOLDER.iterdir() if path.suffix in {".py", ".yml"}}
