"""The project around the code: commands that are stated twice agree, the wheel is complete, imports stay light, exceptions give reasons."""

from __future__ import annotations

import ast
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tokenize
import tomllib
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FRAMEWORK_MODULES = {
    "tensorflow",
    "torch",
    "jax",
    "jaxlib",
    "keras",
    "optax",
    "sklearn",
    "torchmetrics",
    "paddle",
    "mlx",
    "cupy",
    "tinygrad",
}
ELSEWHERE = ["/" + "work/", "/" + "root/", "/" + "opt/", "/" + "home/"]
"""Beginnings of absolute paths, of somebody's machine; put together here, so that this file names none."""


def has_git() -> bool:
    return (ROOT / ".git").exists()


@lru_cache
def tracked() -> list[Path]:
    """The files of the checkout that git tracks or would track."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    return [path for name in sorted(filter(None, listed.split("\0"))) if (path := ROOT / name).is_file()]


def python_files() -> Iterator[Path]:
    for folder in ("conformance", "tests", "docs"):
        yield from sorted((ROOT / folder).rglob("*.py"))


def blocks(document: str, language: str, containing: str = "") -> list[str]:
    """The fenced blocks of a document in one language, those inside list items without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)
    return [text for indent, block in found if containing in (text := re.sub(rf"^{indent}", "", block, flags=re.MULTILINE))]


# ---- the README's commands ----


def copied_blocks() -> list[list[str]]:
    """What follows the making of an environment, in each shell block of the README that makes one."""
    texts = [block.replace("\\\n", " ").replace("\n", "&&") for block in blocks("README.md", "sh")]
    commands = [[command for part in text.split("&&") if (command := part.strip())] for text in texts]
    return [found[2:] for found in commands if found[:2] == ["python3.11 -m venv .venv", ". .venv/bin/activate"]]


def test_the_readme_has_two_commands_that_begin_with_nothing() -> None:
    first, second = copied_blocks()
    assert first == ["pip install -c constraints.txt -e '.[all-cpu]'", "conformance run"]
    assert second == ["pip install -c constraints.txt -e '.[all-cpu,test]'", "pytest -n 2"]


def test_ci_runs_the_second_command_word_for_word() -> None:
    steps = [re.sub(r"^check\s+", "", line) for line in (ROOT / ".ci" / "run").read_text().splitlines()]
    places = [steps.index(command) for command in copied_blocks()[1]]
    assert places == sorted(places)
    for needed in ("ruff check", "ruff format --check", "mypy", "conformance lint"):
        assert places[0] < steps.index(needed) < places[1]


def test_the_hooks_check_what_ci_checks() -> None:
    hooks = re.findall(r"entry: (\w+ ?\w*)", (ROOT / ".pre-commit-config.yaml").read_text())
    assert hooks == ["ruff check", "ruff format", "mypy", "conformance lint"]


def test_ci_is_a_program() -> None:
    subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=True)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_links_of_the_documents_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "specs" / "README.md"]
    links = [
        (document, link)
        for document in documents
        for link in re.findall(r"(?:\]\(|^\[[^\]]+\]: )([^)#\s]+)", document.read_text(), re.MULTILINE)
    ]
    assert [f"{d.name}: {link}" for d, link in links if "://" not in link and not (d.parent / link).exists()] == []


# ---- the documents' examples ----


@pytest.mark.parametrize(("name", "code"), [("my_loss", 0), ("wrong_loss", 1)])
def test_the_losses_of_the_readme_are_judged_as_it_says(name: str, code: int, tmp_path: Path) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed: pip install 'mse-conformance[torch]'")
    (source,) = blocks("README.md", "python", f"# {name}.py")
    (tmp_path / f"{name}.py").write_text(source)
    command = [sys.executable, "-m", "conformance", "run", "--subject", f"{name}.py", "--check", "*/mean-ordinary", "--dtype", "float32"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("found 0.5, expected 3/8, off by " in done.stdout) is (code == 1)


def test_the_stream_of_the_readme_is_one(tmp_path: Path) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed: pip install 'mse-conformance[torch]'")
    (loss,) = blocks("README.md", "python", "# my_loss.py")
    (rule,) = blocks("README.md", "python", "@my_loss.stream")
    (tmp_path / "my_loss.py").write_text(f"{loss}\n\n{rule}")
    (tmp_path / "of_means.py").write_text(
        f"{loss}\n\n@my_loss.stream\ndef _(batches):\n    return sum(my_loss(*b) for b in batches) / len(batches)\n"
    )
    command = [sys.executable, "-m", "conformance", "run", "--check", "*/any-split*", "--dtype", "float32"]
    for name, code in (("my_loss", 0), ("of_means", 1)):
        done = subprocess.run([*command, "--subject", f"{name}.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr


def test_the_gradient_of_the_readme_is_one(tmp_path: Path) -> None:
    from conformance.subject import load_subjects

    (loss,) = blocks("README.md", "python", "# my_loss.py")
    (rule,) = blocks("README.md", "python", "@my_loss.gradient")
    file = tmp_path / "numpy_loss.py"
    file.write_text(
        loss.replace("torch", "numpy").replace("(prediction - target).square()", "((prediction - target) ** 2)") + "\n\n" + rule
    )
    command = [sys.executable, "-m", "conformance", "run", "--subject", file.name, "--check", "*/mean-thirds"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert load_subjects(file)[0].gradient is not None
    assert "conforms: 9/9" in done.stdout, done.stdout + done.stderr  # three formats: NumPy has no bfloat16 of its own


def test_the_specs_of_the_guide_pass_lint(tmp_path: Path) -> None:
    from conformance.specs.lint import lint

    specs = tmp_path / "specs"
    shutil.copytree(ROOT / "specs", specs)
    (case,) = blocks("CONTRIBUTING.md", "toml", 'id = "mean-halves"')
    (operation,) = blocks("CONTRIBUTING.md", "toml", 'operation = "mse/half"')
    mean = specs / "mse" / "mean.toml"
    mean.write_text(f"{mean.read_text()}\n{case}")
    (specs / "mse" / "half.toml").write_text(operation)
    assert [str(problem) for problem in lint(specs)] == []


def test_the_law_of_the_guide_is_added_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every operation of plain squares, kept by a right loss and broken by one that ignores what arrives from above."""
    import numpy as np
    from one_target import SPECS, cells_of

    from conformance.checks.catalogue import all_checks
    from conformance.checks.laws.law import LAWS

    (source,) = blocks("CONTRIBUTING.md", "python", "@law(")
    monkeypatch.setattr("conformance.checks.laws.law.LAWS", LAWS.copy())
    monkeypatch.setattr("conformance.checks.catalogue.LAWS", laws := sys.modules["conformance.checks.laws.law"].LAWS)
    exec(source, {"__name__": "guide"})  # noqa: S102 - our own document
    ((name, _),) = [(name, law) for name, law in laws.items() if name not in LAWS]
    having = {check.operation for check in all_checks(SPECS).values() if check.name == name}
    assert having == {operation.name for operation in SPECS.operations.values() if operation.definition.sums_plain_squares}

    def mean(p: Any, t: Any) -> Any:
        return np.square(p - t).mean()

    def right(p: Any, t: Any, upstream: Any) -> Any:
        gradient = 2 * (p - t) * upstream / p.dtype.type(p.size)
        return gradient, -gradient

    def without_upstream(p: Any, t: Any, upstream: Any) -> Any:
        return right(p, t, np.ones_like(upstream))

    for gradient, outcome in ((right, "pass"), (without_upstream, "fail")):
        cells = cells_of(f"mse/mean/law/{name}", mean, gradient)
        assert [cell.outcome.value for cell in cells] == [outcome] * 2


def test_the_adapter_of_the_guide_evaluates() -> None:
    import numpy as np

    from conformance.numerics.definition import Inputs

    (source,) = blocks("CONTRIBUTING.md", "python", "# plain_python.py")
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102 - our own document
    adapter = names["PlainPython"]()
    (mean,) = adapter.implementations()
    prediction, target = np.array([1.0, 2.0]), np.array([0.0, 0.0])
    evaluation = adapter.prepare(mean, "cpu", "eager", "float64")(Inputs(prediction, target, None, np.ones(())))
    assert evaluation.value == 2.5
    assert evaluation.executed_as.dtype == "float64"


def test_the_framework_of_the_guide_runs(tmp_path: Path) -> None:
    """Installed beside the suite, as a distribution of its own with an entry point."""
    (source,) = blocks("CONTRIBUTING.md", "python", "# plain_python.py")
    (entry,) = blocks("CONTRIBUTING.md", "toml", "plain-python = ")
    (tmp_path / "plain_python.py").write_text(source)
    distribution = tmp_path / "plain_python-1.dist-info"
    distribution.mkdir()
    (distribution / "METADATA").write_text("Metadata-Version: 2.1\nName: plain-python\nVersion: 1\n")
    ((group, points),) = tomllib.loads(entry)["project"]["entry-points"].items()
    (distribution / "entry_points.txt").write_text(f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in points.items()))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))}
    command = [sys.executable, "-m", "conformance", "run", "--framework", "plain-python", "--dtype", "float64", "--check"]
    for check, code, part in (("*/mean-thirds", 0, "1/3 "), ("*/mean-overflow-float64", 1, "raised OverflowError: (34, 'Numerical result")):
        done = subprocess.run([*command, check], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert part in done.stdout, done.stdout


# ---- what is pinned, and what is installed ----


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-") for requirement in requirements}


def test_everything_our_environments_install_is_pinned() -> None:
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin)] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"]
    wanted = names(project["project"]["dependencies"]) | names([line for extra in extras.values() for line in extra])
    assert wanted - names(pins) == {"mse-conformance"}


def test_every_framework_has_an_environment() -> None:
    from conformance.frameworks.registry import KNOWN

    environments = re.search(r"^env_list = (.*)$", (ROOT / "tox.ini").read_text(), re.MULTILINE)
    assert environments is not None
    assert environments[1].split(", ") == [
        *(n for n in sorted(KNOWN, key=lambda n: (n.startswith("keras"), list(KNOWN).index(n))) if "cpu" in KNOWN[n].device_kinds),
        "report",
    ]


def built(kind: str, folder: Path) -> zipfile.ZipFile:
    """What ``build_wheel`` or ``build_editable`` makes of the project."""
    if importlib.util.find_spec("hatchling") is None:
        pytest.skip("hatchling is not installed: nothing is built")
    build = f"from hatchling.build import {kind}; import sys; print({kind}(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", build, str(folder)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(folder / done.stdout.split()[-1])


def test_it_can_be_installed_editable(tmp_path: Path) -> None:
    """As the README's commands do: the checkout's root is put on the path, and nothing is copied."""
    with built("build_editable", tmp_path) as archive:
        assert archive.read("_mse_conformance.pth").decode().strip() == str(ROOT)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names in the wheel."""
    with built("build_wheel", tmp_path_factory.mktemp("wheel")) as archive:
        return archive.namelist()


def test_the_wheel_holds_all_of_the_package_and_the_specs(wheel: list[str]) -> None:
    def files(folder: str, suffixes: set[str]) -> set[str]:
        return {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if path.suffix in suffixes}

    package = files("conformance", {".py", ".css", ".js", ".jinja", ".typed"})
    specs = {f"conformance/_specs/{name.removeprefix('specs/')}" for name in files("specs", {".toml", ".md", ".txt"})}
    variants = {
        f"conformance/_{name.removeprefix('tests/')}" for folder in ("mutants", "variants") for name in files(f"tests/{folder}", {".py"})
    }
    held = {name for name in wheel if ".dist-info/" not in name}
    assert {"conformance/py.typed", "conformance/reports/page/page.html.jinja", "conformance/_specs/mse/mean.toml"} <= held
    assert package | specs | variants == held


def test_the_wheel_holds_the_licence_and_the_entry_points(wheel: list[str]) -> None:
    ends = {name.partition(".dist-info/")[2] for name in wheel if ".dist-info/" in name}
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= ends


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert len(text.splitlines()) == 202
    assert "END OF TERMS AND CONDITIONS" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text


# ---- imports ----


@pytest.mark.parametrize(
    "code",
    [
        "import conformance",
        "import conformance.cli",
        "import conformance.pytest_plugin",
        "import conformance.numerics.exact.oracle, conformance.specs.lint, conformance.reports.write, conformance.run.engine",
        "from conformance.frameworks.registry import frameworks; frameworks()",
    ],
)
def test_no_framework_is_imported(code: str) -> None:
    show = f"{code}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    loaded = set(subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout.split())
    assert loaded & FRAMEWORK_MODULES == set()


@pytest.mark.parametrize("arguments", [["--help"], ["list", "operations"], ["run", "--help"]], ids=" ".join)
def test_a_quick_question_imports_no_framework(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "conformance", *arguments], capture_output=True, text=True, check=True, cwd=ROOT
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "click" in imported
    assert imported & FRAMEWORK_MODULES == set()


@pytest.mark.parametrize("folder", ["numerics", "specs", "reports", "inputs"])
def test_only_adapters_import_frameworks(folder: str) -> None:
    found = []
    for path in sorted((ROOT / "conformance" / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {module}" for module in modules if module.partition(".")[0] in FRAMEWORK_MODULES]
    assert found == []


# ---- words and exceptions ----


@pytest.mark.skipif(not has_git(), reason="not a git checkout: there is no list of tracked files")
def test_no_file_names_a_path_of_somebodys_machine() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [f"{path.relative_to(ROOT)}: {beginning}" for beginning in ELSEWHERE if beginning in text]
    assert found == []


def test_every_ignored_rule_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    lists = re.findall(r'^(?:ignore|"[^"]+") = \[\n(.*?)^\]', text, re.MULTILINE | re.DOTALL)
    rules = [line.strip() for part in lists for line in part.splitlines() if re.match(r'\s*"[A-Z]+[0-9]*",', line)]
    assert len(rules) > 20
    assert [rule for rule in rules if not re.search(r"#\s*\w", rule)] == []


def comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_every_silenced_complaint_gives_its_reason_on_the_line() -> None:
    """``# noqa: RULE - reason`` or ``# type: ignore[code]  # reason``."""
    bare = []
    for path in python_files():
        for line, comment in comments(path):
            noqa = re.search(r"# noqa(?!: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)* - \S)", comment)
            ignored = re.search(r"# type: ignore(?!\[[a-z, -]+\]\s+# \S)", comment)
            if noqa or ignored:
                bare.append(f"{path.relative_to(ROOT)}:{line}: {comment}")
    assert bare == []


def test_modules_say_what_they_are_for() -> None:
    silent = [path.relative_to(ROOT) for path in (ROOT / "conformance").rglob("*.py") if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []
