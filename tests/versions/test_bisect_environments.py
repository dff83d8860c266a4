"""With stand-ins for uv, which only notes what it is asked for, and for the suite, which copies prepared results: nothing is downloaded."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli import main
from conformance.cli.bisect import _selected
from conformance.cluster import node
from conformance.results.records import Cell, Header, Outcome, RunEnvironment, Target, Witness
from conformance.results.writing import Writer
from conformance.specs.load import load, specs_root
from conformance.specs.targets import read_targets
from conformance.versions import environments
from conformance.versions.environments import EnvironmentBuilder
from conformance.versions.search import BisectError, EnvironmentUnavailable

CHECK = "mse/mean/case/mean-thirds"
UV = """#!{python}
import json, pathlib, shutil, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
match sys.argv[1:]:
    case ["venv", *_, folder]:
        (pathlib.Path(folder) / "bin").mkdir(parents=True)
    case ["tool", "run", *_]:
        print("jax (0.4.31)\\nAvailable versions: 0.4.31, 0.4.20, 0.4.14, 0.4.13")
    case ["pip", "install", *_]:
        version = next(a.partition("==")[2] for a in sys.argv if a.startswith("jax=="))
        if version == "0.4.14":
            sys.exit("no solution found:\\n  jax 0.4.14 has no wheel")
        pathlib.Path(sys.argv[sys.argv.index("--python") + 1]).write_text(version)
"""
SUITE = """
import pathlib, shutil, sys
framework, _, python = sys.argv[sys.argv.index("--python", 2) + 1].partition("=")
assert (sys.argv[1], framework) == ("run", sys.argv[sys.argv.index("--framework") + 1])
out = pathlib.Path(sys.argv[-1])
out.mkdir()
shutil.copy(pathlib.Path(__file__).parent / (pathlib.Path(python).read_text() + ".jsonl"), out)
"""


def results(path: Path, *, version: str, outcome: Outcome, implementation: str = "written-out.mean") -> None:
    environment = RunEnvironment(framework="jax", version=version)
    header = Header(
        run="r", started="2026-01-01T00:00:00+00:00", suite_version="0", specs_digest="d", profile="quick", environment=environment
    )
    target = Target(framework="jax", version=version, implementation=implementation, device="cpu", mode="eager", dtype="float16")
    witness = Witness(shape=(1,), observed="inf") if outcome is Outcome.FAIL else None
    reason = "it could not start: ImportError" if implementation == "*" else ""
    cell = Cell(
        check=CHECK, kind="case", operation="mse/mean", quantity="value", target=target, outcome=outcome, witness=witness, reason=reason
    )
    with Writer(path, header) as writer:
        writer.append(cell)
        writer.close(0.0)


@pytest.fixture
def uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "uv-folder"
    folder.mkdir()
    (folder / "uv").write_text(UV.format(python=sys.executable))
    (folder / "uv").chmod(0o755)
    monkeypatch.setattr(node, "uv", lambda: str(folder / "uv"))
    (folder / "suite.py").write_text(SUITE)
    monkeypatch.setattr(environments, "SUITE", (sys.executable, str(folder / "suite.py")))
    results(folder / "0.4.13.jsonl", version="0.4.13", outcome=Outcome.FAIL)
    results(folder / "0.4.20.jsonl", version="0.4.20", outcome=Outcome.FAIL)
    results(folder / "0.4.31.jsonl", version="0.4.31", outcome=Outcome.PASS)
    return folder


def calls(uv: Path, *begin: str) -> list[list[str]]:
    made = [json.loads(line) for line in (uv / "calls").read_text().splitlines()]
    return [one for one in made if one[: len(begin)] == list(begin)]


def builder(cache: Path, said: list[str] | None = None) -> EnvironmentBuilder:
    targets = read_targets(specs_root())
    table = targets.table_of("jax")
    assert table is not None
    return EnvironmentBuilder(load(), targets, table, ("absl-py",), ("--check", CHECK), cache, (said if said is not None else []).append)


def test_releases_are_those_between_the_two_in_their_order(uv: Path, tmp_path: Path) -> None:
    assert builder(tmp_path).releases("0.4.31", "0.4.14") == ["0.4.14", "0.4.20", "0.4.31"]
    assert calls(uv, "tool", "run")[0][-4:] == ["pip", "index", "versions", "jax"]


@pytest.mark.parametrize(("good", "bad", "said"), [("0.4.31", "0.1", "found no such release"), ("0.4.31", "0.4.31", "twice")])
def test_releases_that_make_no_range(uv: Path, tmp_path: Path, good: str, bad: str, said: str) -> None:
    assert uv.exists()
    with pytest.raises(BisectError, match=said):
        builder(tmp_path).releases(good, bad)


def test_an_environment_has_the_pins_of_the_version_and_what_was_asked_for(uv: Path, tmp_path: Path) -> None:
    cells = builder(tmp_path).run_release("0.4.13")
    assert [cell.outcome for cell in cells.values()] == [Outcome.FAIL]
    (install,) = calls(uv, "pip", "install")
    assert install[-6:] == ["jax==0.4.13", "jaxlib<=0.4.13", "numpy<2", "scipy<1.12", "optax<0.1.8", "absl-py"], "and no suite"


def test_a_release_is_looked_at_once(uv: Path, tmp_path: Path) -> None:
    said: list[str] = []
    first, second = (builder(tmp_path / "cache", said).run_release("0.4.13") for _ in range(2))
    assert first == second
    assert len(calls(uv, "pip", "install")) == 1
    assert [line.partition(":")[2].split(",")[0].split()[0] for line in said] == ["installing", "running", "looked"]


def test_what_cannot_be_installed_says_what_uv_said(uv: Path, tmp_path: Path) -> None:
    assert uv.exists()
    with pytest.raises(EnvironmentUnavailable, match=r"could not be installed: no solution found: jax 0\.4\.14 has no wheel"):
        builder(tmp_path).run_release("0.4.14")


def test_a_framework_that_cannot_start_is_no_answer(uv: Path, tmp_path: Path) -> None:
    results(uv / "0.4.20.jsonl", version="", outcome=Outcome.ERROR, implementation="*")
    with pytest.raises(EnvironmentUnavailable, match="it could not start: ImportError"):
        builder(tmp_path).run_release("0.4.20")


def command(cache: Path, *more: str) -> list[str]:
    return ["bisect", "--framework", "jax", "--check", CHECK, "--good", "0.4.31", "--bad", "0.4.13", "--cache", str(cache), *more]


def test_the_command_names_two_neighbours_and_shows_both_cells(uv: Path, tmp_path: Path) -> None:
    assert uv.exists()
    done = CliRunner().invoke(main, command(tmp_path / "cache"))
    assert done.exit_code == 0, done.output
    assert "changed from jax 0.4.20 to 0.4.31" in done.stdout
    assert "0.4.20  fail" in done.stdout
    assert "0.4.31  pass" in done.stdout
    assert "0.4.13: installing jax==0.4.13" in done.stderr


def test_the_command_as_json(uv: Path, tmp_path: Path) -> None:
    assert uv.exists()
    found = json.loads(CliRunner().invoke(main, command(tmp_path / "cache", "--format", "json")).stdout)
    assert (found["before"]["version"], found["after"]["version"]) == ("0.4.20", "0.4.31")
    assert found["before"]["cell"]["outcome"] == "fail"
    assert found["cell"] == f"{CHECK}:value@jax/written-out.mean/cpu/eager/float16"


def test_two_releases_that_do_not_differ_are_exit_code_3(uv: Path, tmp_path: Path) -> None:
    results(uv / "0.4.13.jsonl", version="0.4.13", outcome=Outcome.PASS)
    done = CliRunner().invoke(main, command(tmp_path / "cache"))
    assert done.exit_code == 3
    assert done.stderr.splitlines()[-1] == "conformance: 0.4.13 and 0.4.31 do not differ in any of 1 cells"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--framework", "keras"], "--framework: found 'keras', which stands for 3 frameworks, expected one, such as keras-tensorflow"),
        (["--framework", "caffe"], "unknown framework 'caffe'"),
        (["--package", "flax"], "found no flax of jax in targets.toml, expected one of numpy with numpy"),
        (["--check", "mse/mean/case/a:value@jax"], "--check: found the target 'jax', expected framework/implementation/device/mode/dtype"),
    ],
)
def test_bad_arguments_are_one_sentence(tmp_path: Path, given: list[str], sentence: str) -> None:
    done = CliRunner().invoke(main, [*command(tmp_path), *given])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"conformance: {sentence}")
    assert len(done.stderr.splitlines()) == 1


def test_a_cell_selects_its_target() -> None:
    found = _selected(f"{CHECK}:value@jax/written-out.mean/cpu/eager/float16", {})
    target = ["--implementation", "written-out.mean", "--device", "cpu", "--mode", "eager", "--dtype", "float16"]
    assert found == ["--check", CHECK, *target]
    given = {"modes": ("jit",), "implementations": ("written-out.*",)}
    assert _selected(CHECK, given) == ["--check", CHECK, "--implementation", "written-out.*", "--mode", "jit"]
