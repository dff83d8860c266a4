"""Policies: what a file may say, and what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_folder import CASE, HEAD, write

from conformance.specs.load import load
from conformance.specs.policies import declared
from conformance.specs.problems import SpecError

ENTRY = 'format = 1\n[[policy]]\nwhere = {{ framework = "numpy"{where} }}\nbecause = "So."\npolicy = "{policy}"\nis = "{answer}"\n'
TARGET = {"framework": "numpy", "version": "2.4.6", "implementation": "x", "device": "cpu", "mode": "eager", "dtype": "float32"}


def folder(tmp_path: Path, policy: str, answer: str, where: str = "") -> Path:
    write(tmp_path, HEAD + CASE)
    return write(tmp_path, ENTRY.format(policy=policy, answer=answer, where=where), "policies/numpy.toml")


def test_what_is_read(tmp_path: Path) -> None:
    found = declared(load(folder(tmp_path, "broadcasting", "raises")).policies, TARGET)
    assert found["broadcasting"].answer == "raises"
    assert declared(load(folder(tmp_path, "broadcasting", "raises", ', version = ">=3"')).policies, TARGET) == {}


@pytest.mark.parametrize(
    ("policy", "answer", "where", "sentence"),
    [
        ("luck", "good", "", "policy: found no such policy, expected one of broadcasting"),
        ("broadcasting", "perhaps", "", "expected one of"),
        ("broadcasting", "raises", ', version = "newest"', "expected a version specifier"),
        ("broadcasting", "raises", ', colour = "red"', "colour"),
    ],
)
def test_a_mistake_is_one_sentence(policy: str, answer: str, where: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as found:
        load(folder(tmp_path, policy, answer, where))
    assert "policies/numpy.toml" in str(found.value)
    assert sentence in str(found.value)
