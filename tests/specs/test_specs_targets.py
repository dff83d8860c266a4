from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from conformance.frameworks.registry import KNOWN
from conformance.specs.grammar import MATRIX
from conformance.specs.load import collect, specs_root
from conformance.specs.problems import SpecError
from conformance.specs.targets import Targets, read_targets
from conformance.versions.tox_ini import tox_ini

ROOT = Path(__file__).parents[2]
SMALL = """
format = 1
python = "3.11"
[selection]
options = ["--check", "*/case/*"]
because = "They say the same in every version."
[[matrix]]
name = "jax"
framework = "jax"
distribution = "jax"
versions = ["0.4.13", "0.10.2"]
with = ["jaxlib<={version}", "optax"]
[[matrix.pins]]
versions = "<0.4.26"
packages = ["numpy<2", "optax<0.1.8"]
because = "It was built before NumPy 2."
[[matrix.pins]]
versions = "<0.4.12"
python = "3.9"
because = "There is none for a later Python."
"""


@pytest.fixture(scope="module")
def targets() -> Targets:
    return read_targets(specs_root())


def written(folder: Path, text: str) -> Path:
    (folder / "targets.toml").write_text(text)
    return folder


def test_tox_ini_is_what_the_targets_make(targets: Targets) -> None:
    stale = "tox.ini is stale: python -m conformance.versions.tox_ini"
    assert (ROOT / "tox.ini").read_text() == tox_ini(targets), stale


def test_every_environment_has_a_section_of_its_own_and_a_label(targets: Targets) -> None:
    ini = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    ini.read_string(tox_ini(targets))
    names = [environment.name for environment in targets.environments()]
    assert len(set(names)) == len(names)
    assert {f"testenv:{name}" for name in names} <= set(ini.sections())
    matrix = [environment.name for environment in targets.environments() if environment.label == MATRIX]
    assert [name.strip() for name in ini["testenv:report-matrix"]["depends"].replace("\\\n", "").split(",")] == matrix


def test_every_framework_is_in_the_matrix(targets: Targets) -> None:
    """One that runs on no CPU has environments too, which have a label of their own."""
    on_cpus = {name for name, info in KNOWN.items() if "cpu" in info.device_kinds}
    assert {environment.framework for environment in targets.environments() if environment.label == MATRIX} == on_cpus
    assert {environment.framework for environment in targets.environments()} == set(KNOWN)


def test_the_oldest_version_that_each_extra_admits_is_in_the_matrix(targets: Targets) -> None:
    versions = {table.name: {version.rpartition(".")[0] for version in table.versions} for table in targets.tables}
    oldest = {"tensorflow": "2.13", "jax": "0.4", "keras": "3.0", "sklearn": "1.4", "paddle": "3.3", "mlx": "0.32"}
    assert {name for name, version in oldest.items() if version not in versions[name]} == set()


def test_versions_that_no_python_of_the_suite_has_are_in_the_matrix(targets: Targets) -> None:
    old = {environment.name for environment in targets.environments() if environment.python == "3.9"}
    assert {"numpy-v1.21.6", "tensorflow-v2.11.1", "older-torch-v1.12.1"} <= old


def test_an_environment_of_a_version_holds_the_suite_and_the_framework_apart(targets: Targets) -> None:
    ini = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    ini.read_string(tox_ini(targets))
    section = ini["testenv:tensorflow-v2.11.1"]
    assert section["deps"] == "uv"
    make, run = section["commands"].strip().splitlines()
    assert make == "python -m conformance.versions.make {env_name} {env_dir}{/}framework"
    assert run.startswith("conformance run --framework tensorflow --python tensorflow={env_dir}{/}framework -o")


def test_pins_apply_to_the_versions_they_name_and_take_the_place_of_plain_names(tmp_path: Path) -> None:
    old, new = read_targets(written(tmp_path, SMALL)).environments()
    assert old.requirements == ("jax==0.4.13", "jaxlib<=0.4.13", "numpy<2", "optax<0.1.8")
    assert new.requirements == ("jax==0.10.2", "jaxlib<=0.10.2", "optax")
    assert (old.name, old.python, old.label) == ("jax-v0.4.13", "3.11", "matrix")


def test_a_version_that_is_not_listed_has_an_environment_too(tmp_path: Path) -> None:
    targets = read_targets(written(tmp_path, SMALL))
    table = targets.table_of("jax")
    assert table is not None
    assert "numpy<2" in targets.environment(table, "0.4.20").requirements
    assert [targets.environment(table, version).python for version in ("0.4.11", "0.4.12")] == ["3.9", "3.11"]
    assert targets.pythons(table) == ("3.11", "3.9")
    assert targets.table_of("jax", "optax") is None
    assert targets.table_of("torch") is None


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"0.10.2"', '"ten"', "case jax: versions: found 'ten', expected the number of a release, such as 2.13.1"),
        ('"<0.4.26"', '"before 1"', "case jax: pins.versions: found 'before 1', expected a version specifier"),
        ('"numpy<2"', '"numpy<<2"', "case jax: with: found 'numpy<<2', expected a requirement"),
        ('name = "jax"', 'name = "J A X"', 'case J A X: name: found "J A X", expected lower-case letters'),
        ('python = "3.9"\n', "", "case jax: pins: found neither packages nor python, expected what these versions need"),
        ('"3.11"', '"2.7"', 'python: found "2.7", expected a version of Python, such as 3.11'),
        ("because", "reason", "selection.reason: found unknown key reason, expected one of options, because"),
        (
            'versions = "<',
            'version = "<',
            "case jax: pins[0].version: found unknown key version, expected one of versions, packages, python, because",
        ),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(SpecError) as raised:
        read_targets(written(tmp_path, SMALL.replace(old, new, 1)))
    assert sentence in str(raised.value)


def test_a_name_is_used_once(tmp_path: Path) -> None:
    table = SMALL[SMALL.index("[[matrix]]") : SMALL.index("[[matrix.pins]]")]
    with pytest.raises(SpecError, match="found a name that the file uses twice"):
        read_targets(written(tmp_path, SMALL + table))


def test_the_specs_complain_of_it_and_their_digest_does_not_depend_on_it(tmp_path: Path) -> None:
    for file in specs_root().rglob("*.toml"):
        copy = tmp_path / file.relative_to(specs_root())
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(file.read_bytes())
    specs, problems = collect(tmp_path)
    assert problems == []
    (tmp_path / "targets.toml").write_text(SMALL)
    assert collect(tmp_path)[0].digest == specs.digest
    (tmp_path / "targets.toml").write_text(SMALL.replace('"0.10.2"', '"ten"'))
    assert ["ten" in str(problem) for problem in collect(tmp_path)[1]] == [True]
