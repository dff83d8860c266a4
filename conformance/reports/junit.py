"""The table as JUnit XML, for the test views of CI servers: one test for each target and each kind of check of an operation.

A test for every check on every target would be sixty thousand for a run of nine frameworks, more than such views are made for. Only what
the usual schemas share is written: a test has one of ``error``, ``failure``, ``skipped`` and ``system-out``, or nothing. Behaviours are
not judged and so are no tests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from conformance.reports.causes import readability_key
from conformance.reports.table import ANY, BROKEN, NO_VERDICT, ResultTable, Section
from conformance.reports.text import group_by, plural, printable, replay_command, truncate, without_numbers
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome

_MOST_REASONS = 6
_MOST_CHECKS = 3


def junit(table: ResultTable, *, strict: bool = False) -> str:
    """Render the table. Checks that only should hold break a test if ``strict``; else they are told in its output."""
    suites = ET.Element("testsuites", name="mean squared error")
    suites.extend(_suite(section, name, strict=strict) for section, name in zip(table.sections, table.names, strict=True))
    if not table.sections:
        suites.append(_filled("nothing ran", [_test("run", "anything ran", "error", "there are no results")], 0.0))
    _count(suites, list(suites.iter("testcase")), sum(float(suite.get("time", "0")) for suite in suites))
    ET.indent(suites, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _suite(section: Section, name: str, *, strict: bool) -> ET.Element:
    tests = [_whole(section, _words(name, "run"))]
    for (target, group), cells in group_by(section.cells, _test_of).items():
        tests.append(_judged(_words(name, *target[:2]), _words(*target[2:], group), cells, strict=strict))
    suite = _filled(printable(section.title, 100), tests, sum(cell.seconds for cell in section.cells))
    if moment := _moment(section.results):
        suite.set("timestamp", moment)
    properties = ET.Element("properties")
    for key, value in _properties(section.results):
        ET.SubElement(properties, "property", name=printable(key, 100), value=printable(value, 300))
    suite.insert(0, properties)
    return suite


def _test_of(cell: Cell) -> tuple[tuple[str, ...], str]:
    """The test that a cell belongs to: device, mode, implementation and dtype, and operation and kind of check."""
    target = cell.target
    return (target.device, target.mode, target.implementation, target.dtype), f"{cell.operation}/{cell.kind}"


def _words(*parts: str) -> str:
    return printable(" ".join(part for part in parts if part != ANY), 200) or "nothing named"


def _whole(section: Section, classname: str) -> ET.Element:
    """A test of the run itself, so that what is missing never looks like a pass."""
    name = "the run reached its end"
    if not section.complete:
        return _test(classname, name, "error", f"incomplete: it left {plural(len(section.cells), 'cell')}")
    if section.verdict == "not run":
        reasons = _reasons(section.cells, *NO_VERDICT)
        return _test(classname, name, "skipped", "nothing was judged", reasons)
    return _test(classname, name)


def _judged(classname: str, name: str, cells: Sequence[Cell], *, strict: bool) -> ET.Element:
    counted = [cell for cell in cells if cell.outcome in BROKEN and (strict or cell.level == "must")]
    seconds = sum(cell.seconds for cell in cells)
    if counted:
        worst = "error" if any(cell.outcome is Outcome.ERROR for cell in counted) else "failure"
        message = f"{len(counted):,} of {plural(len(cells), 'cell')}: {printable(counted[0].reason, 300) or 'no reason given'}"
        again = replay_command(min(counted, key=readability_key).id)
        return _test(classname, name, worst, message, [*_reasons(counted, *BROKEN), again], seconds=seconds)
    if all(cell.outcome in NO_VERDICT for cell in cells):
        outcomes = " and ".join(outcome.value.replace("-", " ") for outcome in NO_VERDICT if any(c.outcome is outcome for c in cells))
        message = f"{outcomes}: {printable(cells[0].reason, 300) or 'no reason given'}"
        return _test(classname, name, "skipped", message, _reasons(cells, *NO_VERDICT) if len({c.reason for c in cells}) > 1 else ())
    return _test(classname, name, output=_reasons(cells, *BROKEN, Outcome.DEVIATION, *NO_VERDICT), seconds=seconds)


def _test(
    classname: str,
    name: str,
    result: str = "",
    message: str = "",
    details: Iterable[str] = (),
    *,
    output: Iterable[str] = (),
    seconds: float = 0.0,
) -> ET.Element:
    test = ET.Element("testcase", classname=classname, name=name, time=f"{max(seconds, 0.0):.3f}")
    if result:
        told = ET.SubElement(test, result, message=message)
        if result != "skipped":
            told.set("type", result)
        told.text = "\n".join(details) or None
    if lines := "\n".join(output):
        ET.SubElement(test, "system-out").text = lines
    return test


def _reasons(cells: Sequence[Cell], *outcomes: Outcome) -> Iterator[str]:
    """A line for each reason among the cells of these outcomes, in their order: how many cells give it, and which checks."""
    chosen = (cell for outcome in outcomes for cell in cells if cell.outcome is outcome)
    grouped = group_by(chosen, lambda cell: (cell.outcome, cell.level, without_numbers(cell.reason)))
    for (outcome, level, _), alike in [*grouped.items()][:_MOST_REASONS]:
        checks = [*dict.fromkeys(printable(f"{cell.check}:{cell.quantity}", 120) for cell in alike)]
        should = " (should)" if level == "should" else ""
        where = f"{plural(len(alike), 'cell')}: {truncate(checks, _MOST_CHECKS, 'checks')}"
        yield f"{outcome.value}{should}: {printable(alike[0].reason) or 'no reason given'} ({where})"
    if len(grouped) > _MOST_REASONS:
        yield f"… and {len(grouped) - _MOST_REASONS} more reasons"


def _filled(name: str, tests: Sequence[ET.Element], seconds: float) -> ET.Element:
    suite = ET.Element("testsuite", name=name)
    suite.extend(tests)
    _count(suite, tests, seconds)
    return suite


def _count(parent: ET.Element, tests: Sequence[ET.Element], seconds: float) -> None:
    parent.set("tests", str(len(tests)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        parent.set(attribute, str(sum(test.find(tag) is not None for test in tests)))
    parent.set("time", f"{max(seconds, 0.0):.3f}")


def _moment(results: Sequence[Results]) -> str:
    """When the first run started, as the schemas want it: without a zone, here in UTC."""
    for part in results:
        try:
            return datetime.fromisoformat(part.header.started).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        except (ValueError, OverflowError):
            continue
    return ""


def _properties(results: Sequence[Results]) -> Iterator[tuple[str, str]]:
    for part in results:
        header, ran = part.header, part.header.environment
        facts = {"run": header.run, "profile": header.profile, "suite": header.suite_version, "specs": header.specs_digest}
        facts |= ran.facts
        yield from ((name, value) for name, value in facts.items() if value)
