from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from conformance.frameworks import registry
from conformance.frameworks.info import FrameworkInfo, Program
from conformance.frameworks.registry import FrameworkMissing, UnknownFramework
from conformance.reports.reproduce import reproducer
from conformance.results.records import Cell, Outcome, Target, Witness

ROOT = Path(__file__).resolve().parents[2]
OWN = (
    *("numpy", "tensorflow", "torch", "jax", "keras-tensorflow", "keras-torch", "keras-jax"),
    *("sklearn", "torchmetrics", "paddle", "mlx", "cupy"),
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The entry point of another distribution, and one that takes the name of a framework of the suite's own."""
    numpy = EntryPoint("numpy", "no_such_module:Adapter", registry.GROUP)
    other = EntryPoint("abacus", "conformance.frameworks.numpy.adapter:NumpyFramework", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda *, group: [other, numpy] if group == registry.GROUP else [])
    registry.info_of.cache_clear()
    yield
    registry.info_of.cache_clear()


def test_own_frameworks_come_in_the_order_of_the_matrix_and_others_after() -> None:
    assert tuple(registry.frameworks()) == (*OWN, "abacus")
    assert registry.frameworks()["abacus"].requires == ()


def test_select() -> None:
    assert registry.select([]) == (*OWN, "abacus")
    assert registry.select(["keras"]) == ("keras-tensorflow", "keras-torch", "keras-jax")
    assert registry.select(["torch", "numpy", "torch"]) == ("numpy", "torch")
    assert registry.select(["keras-jax", "abacus"]) == ("keras-jax", "abacus")


@pytest.mark.parametrize("name", ["tensroflow", "", "ker"])
def test_an_unknown_name_lists_those_there_are(name: str) -> None:
    with pytest.raises(UnknownFramework, match="numpy, tensorflow, torch"):
        registry.select([name])
    with pytest.raises(UnknownFramework):
        registry.load(name)


def test_load() -> None:
    assert registry.load("numpy").name == "numpy"
    assert registry.load("abacus").name == "numpy"


class Abacus:
    """The adapter of another distribution, as far as it says what it is."""

    info = FrameworkInfo("abacus", usual_mode="beads", compiled_modes=("wires",), program=Program("beads({floats}, {shape})"))


def test_a_framework_from_elsewhere_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda **_: [EntryPoint("abacus", f"{__name__}:Abacus", registry.GROUP)])
    info = registry.info_of("abacus")
    assert info == Abacus.info
    assert [info.compiles_each_shape(mode) for mode in ("wires", "beads", "jit")] == [True, False, False]
    cell = Cell(
        check="c",
        kind="case",
        operation="mse/mean",
        quantity="value",
        target=Target(framework="abacus", version="1", implementation="i", device="cpu", mode="beads", dtype="float32"),
        outcome=Outcome.FAIL,
        witness=Witness(shape=(1,), prediction=("0x1p+0",), target=("0x0p+0",), element=0, expected="1"),
    )
    assert "prediction = beads([1.0], (1,))" in reproducer(cell, "slide(prediction, target)")


@pytest.mark.parametrize("place", ["no_such_module:Adapter", f"{__name__}:Nothing", "conformance.frameworks.base:Framework"])
def test_of_one_that_says_nothing_the_name_is_known(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "entry_points", lambda **_: [EntryPoint("abacus", place, registry.GROUP)])
    assert registry.info_of("abacus") == FrameworkInfo("abacus") == registry.frameworks()["abacus"]
    assert registry.info_of("unheard-of") == FrameworkInfo("unheard-of")


@pytest.mark.parametrize("name", OWN)
def test_every_own_framework_is_said_of_itself(name: str) -> None:
    info = registry.info_of(name)
    assert info is registry.KNOWN[name]
    assert info.compiles_each_shape("eager") == name.endswith("jax") == (info.usual_mode == "jit")
    assert (info.program is None) == (name == "cupy")


def test_what_is_not_installed_comes_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    info = registry.KNOWN["keras-torch"]
    assert info.why_missing() == "keras and torch are not installed: pip install 'mse-conformance[keras,torch]'"
    assert info.device_kinds == ("cpu", "cuda")
    with pytest.raises(FrameworkMissing, match="pip install 'mse-conformance\\[jax\\]'"):
        registry.load("jax")


def test_own_frameworks_are_found_without_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a runner is handed over, no distribution of the suite is installed that could have any."""
    monkeypatch.setattr(registry, "entry_points", lambda **_: [])
    assert registry.load("numpy").name == "numpy"
    assert tuple(registry.frameworks()) == OWN


@pytest.mark.parametrize("name", OWN)
def test_an_adapter_is_where_it_is_said_to_be(name: str) -> None:
    """Read, since its framework need not be installed."""
    module, _, adapter = registry.KNOWN[name].adapter.partition(":")
    source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text()
    (found,) = [at for at in ast.parse(source).body if isinstance(at, ast.ClassDef) and at.name == adapter]
    names = [at.value for at in found.body if isinstance(at, ast.Assign) and ast.unparse(at.targets[0]) == "name"]
    assert [ast.literal_eval(value) for value in names] == [name]


def test_nothing_here_imports_a_framework() -> None:
    code = (
        "import sys, conformance, conformance.frameworks.registry as r; r.frameworks(); [i.missing() for i in r.KNOWN.values()]\n"
        "print(sorted({'numpy', 'torch', 'tensorflow', 'jax', 'keras'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
