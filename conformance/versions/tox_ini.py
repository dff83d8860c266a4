"""``tox.ini`` from ``specs/targets.toml``: ``python -m conformance.versions.tox_ini`` writes it into the current folder."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from jinja2 import StrictUndefined, Template

from conformance.frameworks.registry import KNOWN
from conformance.specs.load import specs_root
from conformance.specs.problems import SpecError
from conformance.specs.targets import Targets, read_targets


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
    source = files("conformance.versions").joinpath("tox.ini.jinja").read_text("utf-8")
    template = Template(source, trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined)
    text: str = template.render(
        targets=targets,
        environments=environments,
        current=current,
        smoke=[f"{table.name}-v{table.versions[-1]}" for table in targets.tables if table.name in quick],
        instead=instead,
        factors=factors,
        labels=labels,
    )
    return text


def main() -> None:
    """Write the file."""
    try:
        targets = read_targets(specs_root())
    except SpecError as error:
        sys.exit(f"conformance: {error}")
    Path("tox.ini").write_text(tox_ini(targets), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
