"""The rooms of the package: imports run downwards only and in no circle, and what runs beside a framework knows nothing of the judge."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "conformance"
LAYERS = (
    ("__init__", "__main__"),
    ("cli", "pytest_plugin"),
    ("versions",),
    ("cluster", "power"),
    ("run", "reports"),
    ("judges",),
    ("workers",),
    ("checks", "runner"),
    ("inputs", "specs", "results"),
    ("subject",),
    ("frameworks",),
    ("numerics",),
    ("mistake",),
)
"""From the top down: a room imports only rooms below its own layer."""
BESIDE_A_FRAMEWORK = ("frameworks", "runner", "__init__", "subject", "mistake")
"""What runs in the process of a framework."""
DEFINITIONS = {f"conformance.numerics.{name}" for name in ("definition", "formats", "layout", "stack", "tasks")}
"""What of the numbers such a process may know: formats, and what is computed, but no exact value and no bound."""
FOLDERS_OF_FRAMEWORKS = {path.parent for path in ROOT.glob("frameworks/*/__init__.py")}
MOST_LOOSE_FILES = 5
MOST_OF_ONE_NAME = 2


@cache
def modules() -> dict[str, Path]:
    """Every module of the package, by its name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_by(path: Path) -> Iterator[tuple[str, int]]:
    """The modules of the package that a module imports, wherever in it, with the lines."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            module = name if name in modules() else name.rpartition(".")[0]
            if module in modules():
                yield module, node.lineno


def room_of(module: str) -> str:
    """The folder, or the loose file, that a module stands in."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def layer_of(room: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room in rooms)


def test_every_room_has_a_layer() -> None:
    assert {room_of(module) for module in modules()} == {room for rooms in LAYERS for room in rooms}


def test_imports_run_downwards() -> None:
    upwards = [
        f"{path.relative_to(ROOT.parent)}:{line} imports {other}"
        for module, path in modules().items()
        for other, line in imported_by(path)
        if room_of(other) != room_of(module) and layer_of(room_of(other)) <= layer_of(room_of(module))
        if other != "conformance"  # its version
    ]
    assert upwards == []


def test_imports_run_in_no_circle() -> None:
    graph = {module: {other for other, _ in imported_by(path)} - {"conformance"} for module, path in modules().items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"modules import each other: {' → '.join(reversed(error.args[1]))}")


def test_what_runs_beside_a_framework_knows_nothing_of_the_judge() -> None:
    beyond = [
        f"{path.relative_to(ROOT.parent)}:{line} imports {other}"
        for module, path in modules().items()
        if room_of(module) in BESIDE_A_FRAMEWORK
        for other, line in imported_by(path)
        if room_of(other) not in BESIDE_A_FRAMEWORK and other not in DEFINITIONS
    ]
    assert beyond == []


def test_the_definitions_know_no_exact_value() -> None:
    beyond = [
        f"{module} imports {other}" for module in DEFINITIONS for other, _ in imported_by(modules()[module]) if other not in DEFINITIONS
    ]
    assert beyond == []


def test_few_files_stand_loose() -> None:
    assert len(list(ROOT.glob("*.py"))) <= MOST_LOOSE_FILES


def test_a_file_name_says_which_file_it_is() -> None:
    names = Counter(path.name for path in modules().values() if not path.name.startswith("__") and path.parent not in FOLDERS_OF_FRAMEWORKS)
    assert {name: count for name, count in names.items() if count > MOST_OF_ONE_NAME} == {}
