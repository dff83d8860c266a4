"""Behaviours: what a question may say, and what it may not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from spec_folder import CASE, HEAD, write

from conformance.specs.load import load
from conformance.specs.problems import SpecError

ENTRY = """format = 1
[[question]]
id = "a-question"
title = "A title"
why = "So."
operations = [{operations}]
prediction = {{ dtype = "{dtype}", values = {values} }}
target = {{ dtype = "float32", values = [0, 0] }}
"""


def folder(tmp_path: Path, operations: str = '"mse/*"', dtype: str = "float32", values: str = "[1, 2]", more: str = "") -> Path:
    write(tmp_path, HEAD + CASE)
    return write(tmp_path, ENTRY.format(operations=operations, dtype=dtype, values=values) + more, "behaviours/all.toml")


def test_what_is_read(tmp_path: Path) -> None:
    (question,) = load(folder(tmp_path, dtype="int8", values="[-128, 127]")).behaviours
    assert question.operations == ("mse/mean",)
    assert question.prediction.array().dtype == np.int8
    assert question.weight is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"operations": '"mse/luck"'},
            "operations[0]: found mse/luck, which matches no operation without weights, expected one of mse/mean",
        ),
        (
            {"more": 'weight = { dtype = "float32", values = 1 }\n'},
            "operations[0]: found mse/*, which matches no operation with weights, expected one of none, or a glob",
        ),
        ({"values": "[0.1, 0]"}, "prediction.values[0]: found 0.1"),
        (
            {"dtype": "int8", "values": "[128]"},
            "prediction.values[0]: found 128, which int8 cannot hold, expected an integer from -128 to 127",
        ),
        ({"dtype": "bool", "values": "[2]"}, "expected an integer from 0 to 1"),
        ({"dtype": "float128"}, "prediction.dtype"),
        ({"more": "colour = 1\n"}, "colour"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: dict[str, str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as found:
        load(folder(tmp_path, **arguments))
    assert "behaviours/all.toml" in str(found.value)
    assert sentence in str(found.value)
