"""Folders of specs that somebody wrote to do harm: each ends in one sentence, and nothing is read that might never end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from spec_folder import CASE, HEAD, change, write

from conformance.specs import read
from conformance.specs.load import collect


def sentences(folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in collect(folder)[1]]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, HEAD + CASE)
    os.mkfifo(tmp_path / "mse" / "pipe.toml")
    assert sentences(tmp_path) == ["mse/pipe.toml: found something that is not a plain file, expected a readable TOML file"]


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.toml"
    outside.write_text(HEAD, encoding="utf-8")
    folder = tmp_path / "specs"
    folder.mkdir()
    write(folder, HEAD + CASE)
    (folder / "mse" / "link.toml").symlink_to(outside)
    assert sentences(folder) == ["mse/link.toml: found a link that leads out of the folder, expected a file inside it"]


def test_a_folder_that_is_a_link_itself_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    write(folder, HEAD + CASE)
    (tmp_path / "link").symlink_to(folder)
    assert sentences(tmp_path / "link") == []


def test_a_ring_of_links_is_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, HEAD + CASE)
    (tmp_path / "mse" / "a.toml").symlink_to(tmp_path / "mse" / "b.toml")
    (tmp_path / "mse" / "b.toml").symlink_to(tmp_path / "mse" / "a.toml")
    assert [sentence.split(" (")[0] for sentence in sentences(tmp_path)] == [
        f"mse/{name}.toml: found a file that cannot be read" for name in ("a", "b")
    ]
    (tmp_path / "mse" / "ring").symlink_to(tmp_path)
    assert len(sentences(tmp_path)) == 2


@pytest.mark.parametrize("cases", ["[[case]]\n", CASE])
def test_a_million_cases_are_refused_before_they_are_looked_at(cases: str, tmp_path: Path) -> None:
    count = min(1_000_000, (read.MAX_BYTES - len(HEAD)) // len(cases))
    write(tmp_path, HEAD + cases * count)
    assert sentences(tmp_path)[0] == f"mse/mean.toml: case: found {count} of them, expected at most 2000 in one file"


def test_files_are_read_up_to_a_sum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "MAX_BYTES_TOGETHER", 2 << 20)
    write(tmp_path, HEAD + CASE)
    for number in range(30):
        write(tmp_path, "#" * (1 << 17), f"mse/big-{number:02}.toml")
    told = [sentence for sentence in sentences(tmp_path) if "in the folder" in sentence]
    assert told == ["mse/big-15.toml: found more than 2 MiB in the folder up to this file, expected fewer or smaller files"]


def test_an_id_of_another_file_is_refused(tmp_path: Path) -> None:
    write(tmp_path, HEAD + CASE)
    write(tmp_path, change(HEAD, "mse/mean", "mse/sum") + CASE, "mse/sum.toml")
    assert sentences(tmp_path)[0] == "mse/sum.toml: case thirds: id: found an id that mean.toml uses too, expected an id of its own"
