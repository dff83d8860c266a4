"""``tox.ini`` from ``specs/targets.toml``: ``python -m conformance.versions.tox_ini`` writes it into the current folder."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from conformance.frameworks.registry import KNOWN
from conformance.specs.grammar import MATRIX
from conformance.specs.load import specs_root
from conformance.specs.problems import SpecError
from conformance.specs.targets import Targets, VersionEnvironment, read_targets

TEMPLATE = Template("""\
# Generated from specs/targets.toml by `python -m conformance.versions.tox_ini`: change that file, run this. A test says when it is stale.
#
#   tox -m smoke             the newest NumPy, scikit-learn and JAX of the matrix, the report
#   tox -m current           every framework in the version that constraints.txt pins, the report (the same as plain `tox`)
#   tox -m matrix            the versions of specs/targets.toml, each in an environment of its own, the report
#   tox run-parallel -p 2 -m matrix
#   tox -e jax,report        one framework, the report
#   tox -e jax -- --profile full --operation 'mse/mean'
#   tox -e lowest            the oldest versions of what the suite itself requires
#
# The results lie in .tox/current and .tox/matrix, a folder for each environment, and stay there: running one environment again renews its
# part of the report. Results of different specs cannot be merged: delete these folders when the specs have changed. An environment whose
# framework does not conform fails, and so does the whole of tox; the others and the report run all the same.
# tox installs tox-uv by itself: some old frameworks can only be installed by uv, which reads specs/overrides.txt.

[tox]
min_version = 4.11
requires = tox-uv>=1.20
env_list = $current, report
labels =
    smoke = $smoke, report-smoke
    current = $current, report
$labels

[testenv]
description = Hold {env_name} to the specs
package = wheel
wheel_build_env = .pkg
# tensorflow-cpu is a distribution of its own and the extra asks for the large one, so it is named here.
deps =
$deps
extras =
$extras
set_env =
    PIP_CONSTRAINT = {tox_root}{/}constraints.txt
    UV_CONSTRAINT = {tox_root}{/}constraints.txt
    UV_FIND_LINKS = {env:UV_FIND_LINKS:{env:PIP_FIND_LINKS:}}
pass_env =
    CUDA_VISIBLE_DEVICES
    GITHUB_STEP_SUMMARY
    JAX_*
    PIP_*
    TF_*
    UV_*
    XLA_FLAGS
commands = conformance run --framework {env_name} -o {work_dir}{/}current{/}{env_name} {posargs:--profile quick}

[testenv:report]
description = Merge the results of the current versions into one report
depends = $current
deps =
extras =
commands = conformance report {work_dir}{/}current -o {work_dir}{/}current

[testenv:report-smoke]
description = Merge the results of those versions that there are
depends = $smoke
deps =
extras =
commands = conformance report {work_dir}{/}matrix -o {work_dir}{/}matrix

[testenv:report-matrix]
description = Merge the results of all versions into one report, in which what was not run is said not to be
depends = $matrix
deps =
extras =
commands =
    python -m conformance.versions.not_run {work_dir}{/}matrix
    conformance report {work_dir}{/}matrix -o {work_dir}{/}matrix

[testenv:lowest]
description = The suite with the oldest versions of everything that it requires
base_python = python$python
uv_resolution = lowest-direct
deps =
extras =
set_env =
    UV_FIND_LINKS = {env:UV_FIND_LINKS:{env:PIP_FIND_LINKS:}}
commands =
    conformance lint
    conformance run --framework numpy -o {work_dir}{/}lowest {posargs}

[versions]
set_env =
    UV_OVERRIDE = {tox_root}{/}specs{/}overrides.txt
    UV_FIND_LINKS = {env:UV_FIND_LINKS:{env:PIP_FIND_LINKS:}}
options =
$options
""")

ENVIRONMENT = Template("""
[testenv:$name]
description = $title
base_python = python$python
extras =
deps =
$deps
set_env = {[versions]set_env}
commands = conformance run --framework $framework -o {work_dir}{/}matrix{/}$name {posargs:--profile full {[versions]options}}
""")


def tox_ini(targets: Targets) -> str:
    """The whole file."""
    environments = list(targets.environments())
    here = [info for info in KNOWN.values() if "cpu" in info.device_kinds]
    current = sorted((info.name for info in here), key=lambda name: "-" in name)  # those on a backend last
    labels: dict[str, list[str]] = {}
    for environment in environments:
        labels.setdefault(environment.label, []).append(environment.name)
    quick = {info.name for info in here if info.quick_to_install}
    instead = {info.name: info.tox_requirement for info in here if info.tox_requirement}
    factors: dict[str, list[str]] = {}  # of the names of environments, for each extra
    for info in here:
        for extra in info.extras:
            factor = extra if extra in info.name.split("-") else info.name
            if extra not in instead and factor not in factors.setdefault(extra, []):
                factors[extra].append(factor)
    text = TEMPLATE.substitute(
        current=", ".join(current),
        smoke=", ".join(f"{table.name}-v{table.versions[-1]}" for table in targets.tables if table.name in quick),
        deps=_indented(f"{name}: {requirement}" for name, requirement in instead.items()),
        extras=_indented(f"{', '.join(names)}: {extra}" for extra, names in factors.items()),
        labels="\n".join(f"    {label} = {_wrapped([*names, 'report-matrix'])}" for label, names in labels.items()),
        matrix=_wrapped(labels.get(MATRIX, [])),
        python=targets.python,
        options=_indented(_in_pairs(targets.options)),
    )
    return text + "".join(map(_section, environments))


def _section(environment: VersionEnvironment) -> str:
    return ENVIRONMENT.substitute(
        name=environment.name,
        title=f"{environment.framework} with {environment.requirements[0]}",
        python=environment.python,
        framework=environment.framework,
        deps=_indented(environment.requirements),
    )


def _wrapped(names: Sequence[str]) -> str:
    """Names with commas between them, in lines that can be read."""
    lines = [", ".join(names[i : i + 8]) for i in range(0, len(names), 8)]
    return ", \\\n        ".join(lines)


def _in_pairs(options: Sequence[str]) -> list[str]:
    """An option and its value in one line; tox splits lines as a shell does, so that a glob needs its quotes."""
    pairs = zip(options[::2], options[1::2], strict=True)
    return [f"{option} '{value}' \\" for option, value in pairs]


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for line in lines).rstrip(" \\")


def main() -> None:
    """Write the file."""
    try:
        targets = read_targets(specs_root())
    except SpecError as error:
        sys.exit(f"conformance: {error}")
    Path("tox.ini").write_text(tox_ini(targets), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
