"""What a framework stands on here: the distributions of its modules and all that they require. Imports no framework."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution

if sys.version_info >= (3, 10):
    from importlib.metadata import packages_distributions  # novermin
else:
    from collections.abc import Mapping
    from importlib.metadata import distributions

    def packages_distributions() -> Mapping[str, list[str]]:
        """The distributions of each module, as far as they list their modules."""
        found: dict[str, list[str]] = {}
        for one in distributions():
            for module in (one.read_text("top_level.txt") or "").split():
                found.setdefault(module, []).append(one.metadata["Name"])
        return found


def packages_of(modules: Iterable[str]) -> dict[str, str]:
    """Versions by canonical name, sorted; modules that no distribution claims and requirements that are not installed are left out."""
    providers = packages_distributions()
    waiting = [name for module in modules for name in providers.get(module, ())]
    found: dict[str, str] = {}
    while waiting:
        name = canonical(waiting.pop())
        if name in found:
            continue
        try:
            one = distribution(name)
        except PackageNotFoundError:  # an optional one, or one for another platform
            continue
        found[name] = one.version
        waiting += [requirement for line in one.requires or () if (requirement := _applies(line))]
    return dict(sorted(found.items()))


def canonical(name: str) -> str:
    """The name of a distribution as all indices write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _applies(line: str) -> str:
    """The name of a requirement that holds without any extra; empty otherwise."""
    requirement, _, marker = line.partition(";")
    name = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
    return name[1] if name and "extra" not in marker else ""
