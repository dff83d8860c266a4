"""Two runs compared: every pair of outcomes means one thing, alike changes are one group, and what cannot be seen is said."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sample_run import full_run
from test_reports_rendering import FORBIDDEN_IN_OUTPUT, HOSTILE, assert_markdown_is_plain, hostile_results
from test_reports_table import CELLS, cell, results

from conformance.reports.diff.groups import stem
from conformance.reports.diff.markdown import markdown, top_changes
from conformance.reports.diff.model import HEADINGS, TITLES, Diff
from conformance.reports.diff.terminal import show
from conformance.reports.diff.transitions import TRANSITIONS, Category, category
from conformance.reports.markdown import MAX_BYTES, Block, fitted
from conformance.reports.terminal import WIDTH
from conformance.results.reading import Results
from conformance.results.records import Cell, Grade, Outcome

PASS, FAIL, ERROR, DEVIATION, UNSUPPORTED, NOT_RUN = (
    Outcome.PASS,
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.DEVIATION,
    Outcome.UNSUPPORTED,
    Outcome.NOT_RUN,
)
BROKEN = (FAIL, ERROR)
SILENT = (UNSUPPORTED, NOT_RUN, None)


def upgraded(part: Results, version: str = "2", **packages: str) -> Results:
    """The same results under another version of the framework."""
    environment = part.header.environment.model_copy(update={"version": version, "packages": packages})
    cells = tuple(one.model_copy(update={"target": one.target.model_copy(update={"version": version})}) for one in part.cells)
    return replace(part, header=part.header.model_copy(update={"run": "later", "environment": environment}), cells=cells)


def compared(old: list[Cell], new: list[Cell]) -> Diff:
    return Diff.of([results(old)], [upgraded(results(new))])


def printed(diff: Diff, encoding: str = "utf-8", *, strict: bool = False) -> str:
    held = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n", write_through=True)
    show(diff, Console(file=held, width=WIDTH, force_terminal=False, color_system=None), strict=strict)
    raw = held.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode(encoding)


# ---- what a pair of outcomes means ----


def test_every_pair_of_outcomes_has_a_meaning_and_a_heading() -> None:
    both: list[Outcome | None] = [*Outcome, None]
    assert set(TRANSITIONS) == {(old, new) for old in both for new in both}
    assert set(TRANSITIONS.values()) == set(Category) - {Category.ANSWER}
    assert {*HEADINGS, Category.UNCHANGED} == set(TITLES) == set(Category)


@pytest.mark.parametrize(("pair", "became"), TRANSITIONS.items())
def test_the_rules_behind_the_table(pair: tuple[Outcome | None, Outcome | None], became: Category) -> None:
    """Each rule in words, held against each place of the table."""
    old, new = pair
    if old is new:
        assert became is Category.UNCHANGED
    elif new in BROKEN and old not in BROKEN:
        known_good = old in (PASS, DEVIATION, UNSUPPORTED)
        assert became is (Category.REGRESSED if known_good else Category.NEW)
    elif old in BROKEN and new in (PASS, DEVIATION):
        assert became is Category.FIXED
    elif new in SILENT and old not in SILENT:
        assert became is Category.REMOVED, "a verdict that is lost is neither a fix nor a regression"
    elif old in SILENT and new in (PASS, DEVIATION):
        assert became is Category.NEW


def behaviour(given: str, outcome: Outcome = PASS) -> Cell:
    return cell(outcome, kind="behaviour", answer=given)


@pytest.mark.parametrize(
    ("old", "new", "became"),
    [
        (cell(error_u=2.0), cell(error_u=4.0), Category.WORSE),
        (cell(error_u=2.0), cell(error_u=3.9), Category.UNCHANGED),
        (cell(error_u=4.0), cell(error_u=2.0), Category.BETTER),
        (cell(error_u=0.0), cell(error_u=1.0), Category.UNCHANGED),  # both may be the exact result, rounded once
        (cell(error_u=0.0), cell(error_u=2.0), Category.WORSE),
        (cell(error_u=1e9, error_ulp=0.5), cell(error_u=4e9, error_ulp=0.5), Category.UNCHANGED),  # below the normal range
        (cell(grade=Grade.FAITHFUL), cell(grade=Grade.CONSTANT), Category.WORSE),
        (cell(grade=Grade.LINEAR), cell(grade=Grade.LOGARITHMIC), Category.BETTER),
        (cell(grade=Grade.LINEAR, error_u=1.0), cell(grade=Grade.CONSTANT, error_u=9.0), Category.WORSE),
        (cell(grade=None), cell(grade=Grade.LINEAR), Category.UNCHANGED),
        (cell(FAIL, error_u=2.0), cell(FAIL, error_u=400.0), Category.UNCHANGED),
        (behaviour("2 · float32"), behaviour("3 · float32"), Category.ANSWER),
        (behaviour("2 · float32"), behaviour("2 · float32"), Category.UNCHANGED),
        (behaviour("raises TypeError: no"), behaviour("raises TypeError: never"), Category.UNCHANGED),
        (behaviour("raises TypeError: no"), behaviour("raises ValueError: no"), Category.ANSWER),
        (behaviour("2"), behaviour("", ERROR), Category.ANSWER),
        (behaviour("", NOT_RUN), behaviour("2"), Category.NEW),
        (behaviour("2"), behaviour("", UNSUPPORTED), Category.REMOVED),
    ],
)
def test_what_became_of_a_cell(old: Cell, new: Cell, became: Category) -> None:
    assert category(old, new) is became


# ---- which cells are compared ----


@given(*[st.lists(CELLS, max_size=12, unique_by=lambda one: (one.id, one.target.version))] * 2)
@settings(deadline=None)
def test_every_cell_is_counted_once(old: list[Cell], new: list[Cell]) -> None:
    diff = Diff.of([results(old)], [results(new)])
    both = len(old) + len(new) - sum(diff.counts.values())
    assert 0 <= both <= min(len(old), len(new))
    assert sum(len(group.changes) for groups in diff.groups.values() for group in groups) + diff.unchanged == sum(diff.counts.values())
    for one in diff.changes:
        assert one.old is None or one.old in old
        assert one.new is None or one.new in new
    assert Diff.of([results(old)], [results(old)]).counts[Category.UNCHANGED] == len(old)
    json.dumps(diff.as_dict(), allow_nan=False)


def test_a_version_is_compared_with_itself_and_the_newest_with_the_newest() -> None:
    """An old version that always failed does not hide that the newest one fails too, now."""
    failing, passing = results([cell(FAIL)]), results([cell()])
    diff = Diff.of([upgraded(failing, "2.4"), upgraded(passing, "2.9")], [upgraded(failing, "2.4"), upgraded(failing, "2.13")])
    assert diff.counts[Category.REGRESSED] == diff.counts[Category.UNCHANGED] == 1
    diff = Diff.of([upgraded(passing, "2.9")], [upgraded(passing, "2.10"), upgraded(failing, "2.9")])
    assert diff.counts[Category.REGRESSED] == diff.counts[Category.NEW] == 1


def test_of_a_cell_that_was_recorded_twice_the_worst_verdict_stands() -> None:
    twice = [results([cell(), cell(NOT_RUN, check="y")]), results([cell(FAIL), cell(check="y")], "r2")]
    diff = Diff.of([results([cell(), cell(check="y")])], twice)
    assert diff.counts[Category.REGRESSED] == diff.counts[Category.UNCHANGED] == 1
    assert any("the new run recorded 2 cells more than once" in remark.lower() for remark in diff.remarks)


# ---- groups ----


def test_one_defect_in_many_cells_is_one_group() -> None:
    dtypes = ("float16", "float32")
    before = [cell(check=f"mse/mean/case/mean-{name}", dtype=dtype) for name in "abcdefgh" for dtype in dtypes]
    after = [
        one.model_copy(update={"outcome": FAIL, "reason": f"found 0.{number}, expected 2"}) for number, one in enumerate(before, start=1)
    ]
    ((group,),) = compared(before, after).groups.values()
    assert (len(group.changes), len(group.checks)) == (16, 8)
    assert group.where == ["a · i · cpu · eager · float16, float32"]
    assert group.sentence == "pass → fail: found 0.1, expected 2"


def test_other_reasons_outcomes_and_targets_are_other_groups() -> None:
    before = [cell(check=name) for name in "abcd"]
    after = [
        cell(FAIL, check="a", reason="found inf"),
        cell(ERROR, check="b", reason="found inf"),
        cell(FAIL, check="c", reason="a shape"),
        cell(FAIL, check="d", reason="found inf", level="should"),
    ]
    groups = compared(before, after).groups[Category.REGRESSED]
    assert [group.sentence.partition(":")[0] for group in groups] == ["pass → error", "pass → fail", "pass → fail"]
    assert [len(group.changes) for group in groups] == [1, 2, 1]


def test_a_stem_has_neither_operation_nor_dtype_nor_numbers() -> None:
    assert stem(cell(check="mse/mean/case/mean-range-ends-bfloat16")) == "case/range-ends"
    assert stem(cell(check="mse/mean/bound/growth")) == "bound/growth"
    assert stem(cell(check="mse/mean/case/mean-constant-2-18")) == stem(cell(check="mse/mean/case/mean-constant-2-20"))


def test_worse_accuracy_is_told_in_errors_and_grades() -> None:
    ((group,),) = compared([cell(error_u=2.0, grade=Grade.FAITHFUL)], [cell(error_u=500.0, grade=Grade.LINEAR)]).groups.values()
    assert group.sentence == "2.0 u faithful → 500 u O(n)"


# ---- what must be known of the two runs ----


def test_what_an_upgrade_changed_in_the_environment_is_told_once() -> None:
    old = [results([cell()])]
    diff = Diff.of(old, [upgraded(results([cell(flags=("flushes subnormals",))]), numpy="2.5")])
    told = {change.name: (change.old, change.new, change.frameworks) for change in diff.environment}
    assert told == {
        "version": ("1", "2", ("a",)),
        "package numpy": ("", "2.5", ("a",)),
        "observed": ("", "flushes subnormals", ("a",)),
    }
    for text in (printed(diff), markdown(diff).replace("*", ""), "".join(top_changes(diff)).replace("*", "")):
        assert "version: 1 → 2 (a)" in text
        assert "observed: none → flushes subnormals (a)" in text


def test_other_specs_and_profiles_are_said_and_checks_of_one_side_named() -> None:
    new = results([cell(), cell(check="fresh")])
    new = replace(new, header=new.header.model_copy(update={"specs_digest": "e", "profile": "full", "seed": 7}))
    diff = Diff.of([results([cell(), cell(check="stale")])], [new])
    assert diff.remarks == (
        "The runs were judged by different specs (1 check new: fresh; 1 check removed: stale).",
        "The old run has profile quick, the new one full.",
        "The old run has seed None, the new one 7.",
    )
    assert (diff.counts[Category.NEW], diff.counts[Category.REMOVED], diff.hidden) == (1, 1, ())


@pytest.mark.parametrize("complete", [True, False])
def test_a_cut_off_run_hides_changes_only_if_cells_are_missing_in_it(complete: bool) -> None:  # noqa: FBT001 - pytest passes it
    old = results([cell(), cell(check="y")])
    assert bool(Diff.of([old], [results([cell()], complete=complete)]).hidden) is not complete
    assert not Diff.of([old], [results([cell(), cell(check="y")], complete=complete)]).hidden
    assert bool(Diff.of([results([cell()], complete=complete)], [old]).hidden) is not complete


def test_a_run_that_was_cut_off_at_once_says_so() -> None:
    (first, _) = Diff.of([results([cell()])], [results([], complete=False)]).hidden
    assert first.startswith("the new run of a 1 did not reach its end: 1 cell ")


def test_a_framework_that_no_longer_ran_hides_what_it_would_have_said() -> None:
    gone = cell(NOT_RUN, reason="a is not installed")
    absent = gone.model_copy(update={"target": gone.target.model_copy(update={"implementation": "*"})})
    diff = compared([cell()], [absent])
    assert diff.hidden == ("a no longer ran: a is not installed", "no cell was judged in both runs: there is nothing to compare")
    assert diff.verdict().startswith("incomplete: ")
    assert not diff.regressed()
    assert Diff.of([results([cell()])], []).hidden[0] == "a no longer ran: the new run has no results of it"


def test_a_framework_that_can_no_longer_start_has_regressed() -> None:
    """Its targets cannot be listed then, so that no cell has the id of an earlier one."""
    lost = cell(ERROR, reason="the worker ended while it imported a")
    lost = lost.model_copy(update={"target": lost.target.model_copy(update={"implementation": "*", "version": ""})})
    assert compared([cell()], [lost]).regressed()
    assert not compared([cell(NOT_RUN)], [lost]).regressed()


def test_what_only_should_pass_regresses_strictly() -> None:
    diff = compared([cell()], [cell(FAIL, level="should")])
    assert not diff.regressed()
    assert diff.regressed(strict=True)
    assert diff.verdict().startswith("no regression of level must: 1 regressed")
    assert diff.verdict(strict=True).startswith("regressed: ")


def test_failures_that_were_not_judged_before_are_counted_apart() -> None:
    diff = compared([cell(), cell(NOT_RUN, check="y")], [cell(), cell(FAIL, check="y")])
    assert diff.verdict() == "no regression: 1 new · 1 unchanged · of the new ones 1 fails"


# ---- renderings ----


@pytest.fixture(scope="module")
def tainted() -> Diff:
    """A large run whose float16 breaks in an upgrade, and which lost a framework."""
    old = full_run()
    new = []
    for part in old[:-2]:
        cells = tuple(
            one.model_copy(update={"outcome": FAIL, "reason": f"found {number}.5, expected 1"})
            if one.target.dtype == "float16" and one.outcome is PASS and one.target.framework == "jax"
            else one
            for number, one in enumerate(part.cells)
        )
        new.append(upgraded(replace(part, cells=cells), "99"))
    return Diff.of(old, new)


def test_a_change_of_a_thousand_cells_reads_as_a_few_lines(tainted: Diff) -> None:
    assert tainted.counts[Category.REGRESSED] > 1000
    assert len(tainted.groups[Category.REGRESSED]) <= 3
    out = printed(tainted)
    assert len(out.splitlines()) < 60
    assert "✗ jax · " in out
    assert "conformance replay" in out
    assert out.splitlines()[-1].startswith("regressed: ") or out.splitlines()[-2].startswith("regressed: ")


def test_all_renderings_say_the_same_counts_and_that_something_is_hidden(tainted: Diff) -> None:
    plain = json.loads(json.dumps(tainted.as_dict(), allow_nan=False))
    text, out = markdown(tainted), printed(tainted)
    assert plain["regressed"] is True
    for kind in Category:
        count = plain["counts"][kind.value]
        assert (f"| {count:,} | {TITLES[kind]} |" in text) is bool(count)
        assert (f"{count:,} {TITLES[kind]}" in " ".join(out.split())) is bool(count)
    assert len(plain["hidden"]) == 1
    assert "keras-jax 3.15.1 no longer ran" in "".join(plain["hidden"]) or "keras-jax no longer ran" in "".join(plain["hidden"])
    assert out.startswith("INCOMPLETE: keras-jax")
    assert "**Incomplete**: keras-jax" in text[:600]
    assert "INCOMPLETE" in printed(tainted, "ascii")


@pytest.mark.parametrize("first", range(len(HOSTILE)))
def test_hostile_text_is_shown_as_text(first: int) -> None:
    texts = HOSTILE[first:] + HOSTILE[:first]
    old, new = hostile_results(texts), hostile_results(texts[1:] + texts[:1], complete=False)
    turned = replace(old, cells=tuple(one.model_copy(update={"outcome": FAIL}) for one in old.cells))
    for diff in (Diff.of([old], [new]), Diff.of([old], [turned]), Diff.of([turned], [old])):
        for text in (markdown(diff), "".join(top_changes(diff))):
            assert_markdown_is_plain(text)
        out = printed(diff)
        assert not FORBIDDEN_IN_OUTPUT.search(out)
        assert max(map(len, out.splitlines())) <= WIDTH
        json.loads(json.dumps(diff.as_dict(), allow_nan=False))


def test_two_empty_runs_can_be_shown() -> None:
    diff = Diff.of([], [])
    assert diff.verdict() == "incomplete: no cells"
    assert "nothing to compare" in printed(diff)
    assert "nothing to compare" in markdown(diff)


def test_twenty_thousand_different_regressions_stay_small() -> None:
    old = full_run()
    words = ["".join(chr(97 + (number // 26**place) % 26) for place in range(4)) for number in range(30_000)]
    number = iter(range(30_000))
    new = [
        replace(
            part,
            cells=tuple(one.model_copy(update={"outcome": FAIL, "reason": f"{words[next(number)]} {'long ' * 60}"}) for one in part.cells),
        )
        for part in old
    ]
    diff = Diff.of(old, new)
    assert len(markdown(diff).encode()) < MAX_BYTES
    assert len(printed(diff).splitlines()) < 500


# ---- pages that fit ----


def test_a_block_is_cut_between_entries_and_always_closed() -> None:
    entries = [f"- {'x' * 1000}\n" for _ in range(1000)]
    text = fitted([Block("<details>\n", entries, "</details>\n", 50_000), Block("# after\n", ["last\n"])], "elsewhere.html")
    assert 48_000 < len(text) < 51_000
    assert text.count("<details>") == text.count("</details>") == 1
    kept = text.count("- x")
    assert f"… and {1000 - kept:,} more: see elsewhere.html" in text
    assert text.endswith("# after\nlast\n\n")


@given(st.lists(st.tuples(st.lists(st.integers(0, 60_000), max_size=8), st.integers(0, MAX_BYTES)), max_size=12))
@settings(deadline=None, max_examples=50)
def test_a_page_never_outgrows_its_limit(sizes: list[tuple[list[int], int]]) -> None:
    blocks = [
        Block(f"[{number}:", ["é" * (size // 2) for size in entries], f":{number}]", most) for number, (entries, most) in enumerate(sizes)
    ]
    text = fitted(blocks, "elsewhere.html")
    assert len(text.encode()) < MAX_BYTES
    assert [name for name in range(len(blocks)) if f"[{name}:" in text] == [name for name in range(len(blocks)) if f":{name}]" in text]
    cut = any(sum(entries) > most for entries, most in sizes)
    assert not cut or "elsewhere.html" in text
