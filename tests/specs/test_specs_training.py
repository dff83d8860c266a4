"""Every mistake that a training file can have, with the sentence that comes of it."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
from spec_folder import CASE, HEAD, change, write

from conformance.specs.grammar import spec_schema
from conformance.specs.lint import lint
from conformance.specs.load import load

TRAINING = """\
format = 1
procedure = "training/sgd"
title = "Steps"
weighted = false

[[case]]
id = "one-step"
why = "A step."
dtypes = ["float16", "float64"]
inputs = [[1], [2]]
targets = [[2], [0]]
batch = 2
learning-rate = 0.5
loss = [2.5]
metric = [2.5]

[case.network]
hidden-weight = [[1, -1]]
hidden-bias = [0, 0]
output-weight = [[1], [1]]
output-bias = [0]

[[case.after]]
epoch = 1
hidden-weight = [[-0.5, -1]]
hidden-bias = [-0.5, 0]
output-weight = [[-0.5], [1]]
output-bias = [-0.5]

[case.evaluation]
inputs = [[4], [4], [-2]]
targets = [[0.5], [0.5], [-0.75]]
batch = 2
loss = "6/3"
metric = 2
"""


def sentences(folder: Path, text: str) -> list[str]:
    write(folder, HEAD + CASE)
    write(folder, text, "training/sgd.toml")
    return [str(problem).removeprefix(f"{folder}/training/sgd.toml: ") for problem in lint(folder)]


def test_the_minimal_file_is_clean(tmp_path: Path) -> None:
    assert sentences(tmp_path, TRAINING) == []
    specs = load(tmp_path)
    assert list(specs.procedures) == ["training/sgd"]
    assert "training/sgd/case/one-step" in specs.checks()
    task = specs.procedures["training/sgd"].cases[0].task("float16")
    assert (task.parameters["hidden-weight"].dtype.name, task.epochs, task.evaluation.batch) == ("float16", 1, 2)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("batch = 2\nlearning", "batch = 0\nlearning", "case one-step: batch: found 0, expected greater than or equal to 1"),
        ("weighted = false", "weigthed = false", "weigthed: found unknown key weigthed, expected one of format, procedure, title, "),
        ("loss = [2.5]", "loss = [2.625]", "case one-step: loss: found 2.625 at [0], expected the exact 2.5"),
        ("loss = [2.5]", "loss = [2.5, 1]", "case one-step: loss: found shape [2], expected shape [1]"),
        ('loss = "6/3"', 'loss = "inf"', 'case one-step: evaluation.loss: found "inf", expected a finite number, and 0 without a sign'),
        ("hidden-bias = [-0.5, 0]", "hidden-bias = [0, 0]", "case one-step: after[0].hidden-bias: found 0 at [0], expected the exact -0.5"),
        ("epoch = 1", "epoch = 0", "case one-step: after[0].epoch: found 0, expected greater than or equal to 1"),
        (
            "hidden-bias = [0, 0]",
            "hidden-bias = [0]",
            "case one-step: network.hidden-bias: found shape [1], expected shape [2], as",
        ),
        ("targets = [[2], [0]]", "targets = [[2]]", "case one-step: targets: found shape [1, 1], expected shape [2, 1]"),
        ("inputs = [[1], [2]]", "inputs = [1, 2]", "case one-step: inputs: found shape [2], expected a row of 1 numbers for each sample"),
        ("inputs = [[1], [2]]", "inputs = [[0.1], [2]]", "case one-step: inputs[0][0]: found 0.1, which is not exactly a binary number"),
        ("inputs = [[1], [2]]", "inputs = [[4097], [2]]", "case one-step: inputs[0][0]: found 4097, which float16 cannot hold"),
        ("learning-rate = 0.5", 'learning-rate = "1/2"', "case one-step: learning-rate: found "),
        (
            "batch = 2\nlearning-rate",
            "batch = 2\nweight = [1, 1]\nlearning-rate",
            "case one-step: weight: found [1, 1], expected none: the procedure",
        ),
        (
            "weighted = false",
            "weighted = true",
            "case one-step: weight: found nothing, expected this key, because the procedure is",
        ),
        (
            'dtypes = ["float16", "float64"]',
            'dtypes = ["float16"]\nflags = ["x"]',
            "case one-step: flags: found unknown flag x, expected a flag of the file: none, since the file has no [flags]",
        ),
        (
            "output-bias = [0]",
            'output-bias = ["0x1p-12"]',
            "case one-step: dtypes: found float16, in which a partial sum of the prediction in epoch 1 may round, expected dtypes in which",
        ),
        (
            "hidden-bias = [0, 0]",
            "hidden-bias = [-1, 0]",
            "case one-step: case: found an input of the relu is exactly zero in epoch 1, where frameworks may differ, expected ",
        ),
        ("learning-rate = 0.5", "learning-rate = 0.75", "case one-step: case: found the learning rate 3/4 is no power of two, expected "),
        ('procedure = "training/sgd"', 'procedure = "training/adam"', "procedure: found training/adam, expected training/sgd, as the file"),
        ('id = "one-step"', 'id = "thirds"', "case thirds: id: found an id that mean.toml uses too, expected an id of its own"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    found = sentences(tmp_path, change(TRAINING, old, new))
    assert any(line.startswith(sentence) for line in found), found


def test_the_schema_knows_the_format() -> None:
    import tomllib

    jsonschema.validate(tomllib.loads(TRAINING), spec_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(tomllib.loads(change(TRAINING, "batch = 2\nlearning", "batch = 0\nlearning")), spec_schema())
