"""What the documents name exists: modules and what is in them, files, commands and their options."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from pkgutil import resolve_name
from unittest.mock import Mock

import pytest
from command import options

from conformance.cli import COMMANDS
from conformance.pytest_plugin import pytest_addoption

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "specs" / "README.md",
    ROOT / "benchmarks" / "README.md",
]
MODULE = re.compile(r"(?<![\w./-])conformance(?:\.[A-Za-z_]\w*)+")
FILE = re.compile(r"(?<![\w./-])(?:conformance|tests|docs|specs|benchmarks|reports|\.ci)/[\w./<>…*-]*")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
COMMAND = re.compile(r"(?<![\w./'-])conformance (?P<command>[a-z]+(?:-[a-z]+)*)")
OF_OTHER_PROGRAMS = {"--extra-index-url", "--force", "--junitxml", "--keep-going", "--orphan", "--pyargs", "--update"}
"""Of pip, git, pytest, Sphinx, and the programs in ``docs``."""
MADE_BY_THE_GUIDE = {"specs/mse/half.toml"}


def text_of(document: Path) -> str:
    """The document, each command on one line, without the pages that it links to."""
    joined = document.read_text(encoding="utf-8").replace("\\\n", " ")
    return re.sub(r"https?://\S+", "", joined)


def code_of(document: Path) -> list[str]:
    """What stands between backticks in a line, and every line of a block of code."""
    text = text_of(document)
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return lines + re.findall(r"`([^`\n]+)`", text)


@lru_cache
def options_of(command: str) -> set[str]:
    """The options of one command; those of all commands and of the pytest plugin if it is empty."""
    if not command:
        pytest_options = Mock()
        pytest_addoption(pytest_options)
        plugin = {call.args[0] for call in pytest_options.getgroup.return_value.addoption.call_args_list}
        return plugin.union(*map(options_of, COMMANDS), {"--conformance"})  # which is how those of the plugin begin
    return options(command) | {"--help"}


def in_each(documents: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("document", documents, ids=lambda path: path.relative_to(ROOT).as_posix())


@in_each(DOCUMENTS)
def test_modules(document: Path) -> None:
    missing = []
    for name in sorted(set(MODULE.findall(text_of(document)))):
        try:
            resolve_name(name)
        except (ImportError, AttributeError):
            missing.append(name)
    assert missing == []


@in_each(DOCUMENTS)
def test_files(document: Path) -> None:
    """``<group>``, ``…`` and words in capitals stand for any name."""

    def exists(name: str) -> bool:
        glob = re.sub(r"<\w+>|…|\b[A-Z]{3,}\b(?!\.md)", "*", name)
        return name in MADE_BY_THE_GUIDE or any(ROOT.glob(re.sub(r"\*+", "*", glob)))

    found = {name.rstrip(".") for name in FILE.findall(text_of(document))}
    assert [name for name in sorted(found) if not exists(name)] == []


@in_each([path for path in DOCUMENTS if path.parent.name != "benchmarks"])
def test_commands_and_their_options(document: Path) -> None:
    missing = []
    for code in code_of(document):
        named = COMMAND.search(code)
        command = named["command"] if named and named["command"] in COMMANDS else ""
        missing += [f"{command} {option}" for option in OPTION.findall(code) if option not in options_of(command) | OF_OTHER_PROGRAMS]
    assert missing == []


def test_the_readme_names_every_command() -> None:
    named = {found["command"] for code in code_of(ROOT / "README.md") for found in COMMAND.finditer(code)}
    assert named == set(COMMANDS)


def test_options_of_the_benchmarks() -> None:
    text = text_of(ROOT / "benchmarks" / "README.md")
    programs = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("*.py"))
    assert [option for option in OPTION.findall(text) if f'"{option}"' not in programs and option not in options_of("")] == []
