"""What differs between the environments of two runs, each difference said once for all frameworks that have it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from conformance.reports.diff.pairing import VersionPair
from conformance.reports.text import without_numbers
from conformance.results.reading import Results


@dataclass(frozen=True)
class EnvironmentChange:
    """A version, package, flag or device that is not what it was; empty where there was none, or is none any more."""

    name: str
    old: str
    new: str
    frameworks: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Put it into plain types."""
        return {"name": self.name, "old": self.old, "new": self.new, "frameworks": list(self.frameworks)}


def environment_changes(old: Sequence[Results], new: Sequence[Results], pairs: Iterable[VersionPair]) -> tuple[EnvironmentChange, ...]:
    """Compare the environments of the pairs that both runs have, those of a framework's own version first."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for pair in pairs:
        before, after = _facts(old, pair.framework, pair.old), _facts(new, pair.framework, pair.new)
        if not before or not after:
            continue
        for name in dict.fromkeys([*before, *after]):
            old_value, new_value = before.get(name, ""), after.get(name, "")
            if old_value != new_value:
                found.setdefault((name, old_value, new_value), []).append(pair.framework)
    return tuple(EnvironmentChange(*told, tuple(dict.fromkeys(names))) for told, names in sorted(found.items(), key=_versions_first))


def observed_changes(flags: Mapping[str, tuple[set[str], set[str]]]) -> tuple[EnvironmentChange, ...]:
    """Compare what was observed beside the outcomes, of each framework before and after, in cells that both runs judged."""
    found: dict[tuple[str, str], list[str]] = {}
    for framework, sides in flags.items():
        before, after = ({without_numbers(flag) for flag in side} for side in sides)
        for flag in sorted(before ^ after):
            found.setdefault((flag, "") if flag in before else ("", flag), []).append(framework)
    return tuple(EnvironmentChange("observed", *told, tuple(names)) for told, names in found.items())


def _versions_first(item: tuple[tuple[str, str, str], list[str]]) -> bool:
    return item[0][0] != "version"


def _facts(results: Iterable[Results], framework: str, version: str | None) -> Mapping[str, str]:
    """The environments of one framework in one version; what several of its files state differently is joined."""
    said: dict[str, dict[str, None]] = {}
    for part in results:
        ran = part.header.environment
        if (ran.framework, ran.version) == (framework, version):
            facts = {"version": ran.version, "python": ran.python, "platform": ran.platform, "devices": ", ".join(ran.devices)}
            facts |= {f"package {name}": value for name, value in ran.packages.items()}
            facts |= {f"flag {name}": value for name, value in ran.flags.items()}
            for name, value in facts.items():
                said.setdefault(name, {})[value] = None
    return {name: " | ".join(values) for name, values in said.items()}
