from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from conformance.frameworks import registry
from conformance.frameworks.registry import FrameworkMissing, UnknownFramework

OWN = (
    *("numpy", "tensorflow", "torch", "jax", "keras-tensorflow", "keras-torch", "keras-jax"),
    *("sklearn", "torchmetrics", "paddle", "mlx", "cupy"),
)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite's own entry point for NumPy, and one of another distribution."""
    numpy = EntryPoint("numpy", "conformance.frameworks.numpy.adapter:NumpyFramework", registry.GROUP)
    other = EntryPoint("abacus", "conformance.frameworks.numpy.adapter:NumpyFramework", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda *, group: [other, numpy] if group == registry.GROUP else [])


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


def test_what_is_not_installed_comes_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    info = registry.KNOWN["keras-torch"]
    assert info.why_missing() == "keras and torch are not installed: pip install 'mse-conformance[keras,torch]'"
    assert info.device_kinds == ("cpu", "cuda")
    with pytest.raises(FrameworkMissing, match="pip install 'mse-conformance\\[jax\\]'"):
        registry.load("jax")


def test_every_own_framework_has_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        distribution = importlib.metadata.distribution("mse-conformance")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the suite itself is not installed, so it has no entry points: pip install -e .")
    names = {entry.name for entry in distribution.entry_points if entry.group == registry.GROUP}
    assert names == set(OWN)


def test_nothing_here_imports_a_framework() -> None:
    code = (
        "import sys, conformance, conformance.frameworks.registry as r; r.frameworks(); [i.missing() for i in r.KNOWN.values()]\n"
        "print(sorted({'numpy', 'torch', 'tensorflow', 'jax', 'keras'} & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
