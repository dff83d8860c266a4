"""The environment of a version is made once, again when it would be made of something else, and holds no suite."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.cluster import node
from conformance.specs.targets import VersionEnvironment
from conformance.versions import make

OLD = VersionEnvironment("jax-v0.4.13", "jax", "0.4.13", "3.9", ("jax==0.4.13", "numpy<2"), "matrix")


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What was made: the Python, and the requirements."""
    found: list[tuple[str, ...]] = []

    def create(folder: Path, python: str, requirements: Sequence[str]) -> Path:
        assert not {"UV_CONSTRAINT", "PIP_CONSTRAINT"} & os.environ.keys()
        if "nothing" in requirements:
            raise node.JobFailed("no solution found")
        (folder / "bin").mkdir(parents=True)
        found.append((python, *requirements))
        return folder / "bin" / "python"

    monkeypatch.setattr(node, "create_environment", create)
    for variable in make.CONSTRAINTS:
        monkeypatch.delenv(variable, raising=False)
    return found


def test_it_is_made_once(tmp_path: Path, made: list[tuple[str, ...]]) -> None:
    assert [make.make(OLD, tmp_path / "framework") for _ in range(2)] == [True, False]
    assert made == [("3.9", "jax==0.4.13", "numpy<2")]


@pytest.mark.parametrize("other", [replace(OLD, python="3.10"), replace(OLD, requirements=("jax==0.4.14",))])
def test_of_something_else_it_is_made_again(tmp_path: Path, made: list[tuple[str, ...]], other: VersionEnvironment) -> None:
    make.make(OLD, tmp_path / "framework")
    assert make.make(other, tmp_path / "framework")
    assert len(made) == 2


def test_what_could_not_be_made_is_made_another_time(tmp_path: Path, made: list[tuple[str, ...]]) -> None:
    with pytest.raises(node.JobFailed):
        make.make(replace(OLD, requirements=("nothing",)), tmp_path / "framework")
    assert make.make(OLD, tmp_path / "framework")
    assert len(made) == 1


def test_the_program_is_not_bound_by_what_pins_the_suite(
    tmp_path: Path, made: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in make.CONSTRAINTS:
        monkeypatch.setenv(variable, "constraints.txt")
    monkeypatch.setattr("sys.argv", ["make", "tensorflow-v2.11.1", str(tmp_path / "framework")])
    make.main()
    assert made == [("3.9", "tensorflow-cpu==2.11.1", "numpy<1.24")]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("jax-v0", "conformance: found 'jax-v0', expected one of numpy-v"),
        ("jax-v0.4.13", "conformance: the environment jax-v0.4.13 could not"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    def fail(*_: object) -> None:
        raise node.JobFailed("no solution found")

    monkeypatch.setattr(node, "create_environment", fail)
    monkeypatch.setattr("sys.argv", ["make", name, str(tmp_path / "framework")])
    with pytest.raises(SystemExit, match=said):
        make.main()
