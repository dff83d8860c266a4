"""Mistakes in a file of replicas, with the sentence that comes of each."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_folder import CASE, HEAD, change, write

from conformance.specs.lint import lint

REPLICAS = """\
format = 1
procedure = "replicas/mean-gradient"
title = "Replicas"

[[case]]
id = "three-and-one"
why = "Shards that differ."
dtypes = ["float16", "float64"]
inputs = [[1, -2], [-2, -2], [-2, 2], [1, 2]]
targets = [[-8, -3], [-8, -6], [3, -4], [0, -3]]
parameters = [[-1, 1], [2, -1]]
shards = [3, 1]
loss = 17.375
gradient = [[-3, -1], [-1.5, -5]]
"""


def sentences(folder: Path, text: str) -> list[str]:
    write(folder, HEAD + CASE)
    write(folder, text, "replicas/mean-gradient.toml")
    return [str(problem).removeprefix(f"{folder}/replicas/mean-gradient.toml: case three-and-one: ") for problem in lint(folder)]


def test_the_minimal_file_is_clean(tmp_path: Path) -> None:
    assert sentences(tmp_path, REPLICAS) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("loss = 17.375", "loss = 13.75", "loss: found 13.75, expected the exact 17.375"),
        ("[[-3, -1], [", "[[-1, -1], [", "gradient: found -1 at [0][0], expected the exact -3"),
        ("shards = [3, 1]", "shards = [3, 2]", "shards: found [3, 2], expected numbers of rows whose sum is 4, as the inputs have them"),
        ("shards = [3, 1]", "shards = [4]", "shards: found "),
        ("parameters = [[-1, 1], [2, -1]]", "parameters = [[-1, 1]]", "parameters: found 1 rows, expected 2, one for each number"),
        ("parameters = [[-1, 1], [2, -1]]", "parameters = [-1, 1]", "parameters: found rank 1, expected rank 2"),
        ("targets = [[-8, -3], ", "targets = [[-7, -3], ", "dtypes: found float16, in which the division of the "),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    found = sentences(tmp_path, change(REPLICAS, old, new))
    assert any(line.startswith(sentence) for line in found), found
