"""Where something stands: the key ``where`` of deviations and policies, read, and held against a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion

from conformance.specs.grammar import WhereTable
from conformance.specs.literals import show
from conformance.specs.problems import SpecContext

Where = Mapping[str, tuple[str, ...]]


def build_where(context: SpecContext, table: WhereTable) -> Where:
    """The keys that are stated, each with what it may equal; a version that is no specifier is complained about."""
    if table.version is not None:
        require_specifier(context, "version", table.version, show(table.version))
    return {key: several(wanted) for key, wanted in table if wanted is not None}


def require_specifier(context: SpecContext, key: str, text: str, found: str) -> None:
    """Complain about a text that is no specifier of versions."""
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        context.complain(key, found, 'a version specifier such as ">=2.13,<2.22"')


def stands_on(where: Where, target: Mapping[str, str]) -> bool:
    """Whether a target has one of the wanted values under every key of ``where``."""
    return all(_equals(key, wanted, target.get(key, "")) for key, wanted in where.items())


def several(wanted: str | Sequence[str]) -> tuple[str, ...]:
    """One or a list, as a tuple."""
    return (wanted,) if isinstance(wanted, str) else tuple(wanted)


def _equals(key: str, wanted: tuple[str, ...], found: str) -> bool:
    if key != "version":
        return found in wanted
    try:
        return any(_specifiers(specifier).contains(found, prereleases=True) for specifier in wanted)
    except InvalidVersion:
        return False


_specifiers = cache(SpecifierSet)
