"""The advice: what it says is what the cells of both sides show, and nothing bites that it does not say."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import compare_run as made_up
import pytest

from conformance.reports.compare.advice import MOST, Advice, PortingReport, Severity, Topic
from conformance.reports.compare.compare import port
from conformance.reports.compare.sides import Entry, Side, SideError, choose
from conformance.reports.table import error_in_u
from conformance.reports.text import GRADE_SHORT, format_error, printable
from conformance.results.reading import ResultsError
from conformance.results.records import Cell, Outcome
from conformance.specs.load import load

COMMITTED = Path(__file__).resolve().parent.parent.parent / "reports" / "results"


def ported(folder: Path, a: str, b: str) -> PortingReport:
    return port(*choose(a, b, [folder]), load())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.write_both(tmp_path_factory.mktemp("results"))


def lines(porting: PortingReport, topic: Topic) -> list[Advice]:
    return [line for line in porting.advice if line.topic is topic]


# ---- what a line says is what its cells show ----


def raw_cells(folder: Path) -> dict[str, dict[str, Any]]:
    """Every cell by its id, as it stands in the files."""
    files = [
        *(file.read_bytes() for file in folder.glob("*.jsonl")),
        *(gzip.decompress(file.read_bytes()) for file in folder.glob("*.jsonl.gz")),
    ]
    records = (json.loads(line) for file in files for line in file.splitlines())
    return {Cell.model_validate(record).id: record for record in records if record["record"] == "cell"}


def holds(cell: dict[str, Any], aspect: str, said: str, titles: dict[str, str], entries: dict[str, str]) -> bool:
    """Whether the cell, as it stands in the file, shows what is said of it."""
    flags = cell.get("flags", [])
    match aspect:
        case "answer":
            return said in cell["answer"].split(" · ")[:2]
        case "answered" | "raised":
            return str(cell["answer"]).startswith("raises ") == (aspect == "raised")
        case "dtype":
            returned = [flag.removeprefix("returns ") for flag in flags if flag.startswith("returns ")]
            return bool((returned or [cell["target"]["dtype"]])[0] == said) and (bool(returned) or cell["outcome"] == "pass")
        case "flag":
            known = {"flushes": "flushes subnormals", "in something wider": "half-accumulation: wider"}
            return known.get(said, "half-accumulation: input format") in flags
        case "no flag":
            return "flushes subnormals" not in flags and cell["outcome"] == "pass"
        case "error":
            record = Cell.model_validate(cell)
            return record.grade is not None and said == f"{format_error(error_in_u(record))} u {GRADE_SHORT[record.grade]}"
        case "operation":
            title = titles.get(cell["operation"], cell["operation"])
            return bool(cell["outcome"] == "pass") and said.lower() in {title.lower(), entries[cell["target"]["implementation"]].lower()}
        case "outcome":
            if not said:
                return bool(cell["outcome"] == "pass")
            return cell["outcome"] in {"deviation", "fail", "error"} and bool(said in printable(cell["reason"]) or cell["check"] in said)
    return False


def unproven(porting: PortingReport, folder: Path) -> list[str]:
    """What the lines say and their cells do not show."""
    raw, titles, found = raw_cells(folder), load().titles, []
    for line in porting.advice:
        assert line.evidence, line.says
        for pair in line.evidence:
            for side, shown in ((porting.a, pair.a), (porting.b, pair.b)):
                entries = {entry.implementation: printable(entry.text, 240) for entry in side.entries}
                cell = raw.get(shown.cell.id)
                if cell is None or cell["target"]["framework"] != side.framework:
                    found.append(f"{shown.cell.id} is not in the results of {side.framework}")
                elif not holds(cell, shown.aspect, shown.said, titles, entries):
                    found.append(f"{shown.cell.id} does not show {shown.aspect} {shown.said!r}")
                elif shown.said not in line.words:
                    found.append(f"{line.says!r} does not say {shown.said!r}")
    return found


def test_every_line_is_shown_by_a_cell_of_each_side(folder: Path) -> None:
    for a, b in (("alpha", "beta"), ("beta", "alpha"), ("alpha:MSE.sum", "beta:mse_loss.sum")):
        porting = ported(folder, a, b)
        assert porting.advice
        assert unproven(porting, folder) == []


@pytest.mark.skipif(not COMMITTED.is_dir(), reason="not in a checkout: there are no committed results")
@pytest.mark.parametrize(("a", "b"), [("keras", "torch"), ("torch", "keras"), ("keras-torch:MeanSquaredError", "torch")])
def test_every_line_about_the_committed_results_is_shown_too(a: str, b: str) -> None:
    porting = ported(COMMITTED, a, b)
    assert len(porting.advice) > 3
    assert unproven(porting, COMMITTED) == []


def test_the_proof_notices_a_line_that_says_something_else(folder: Path, tmp_path: Path) -> None:
    """The test above can fail: of results in which one answer is another one."""
    porting = ported(folder, "alpha", "beta")
    for name in ("alpha", "beta"):
        text = (folder / f"{name}.jsonl").read_text("utf-8")
        (tmp_path / f"{name}.jsonl").write_text(text.replace("half-accumulation: wider", "half-accumulation: other"), "utf-8")
    assert len(unproven(porting, tmp_path)) == 1


# ---- what is said ----


def test_a_look_alike_is_told_with_what_to_write_and_by_how_much_it_differs(folder: Path) -> None:
    porting = ported(folder, "alpha", "beta")
    (rows,) = lines(porting, Topic.AXIS)
    assert rows.says.startswith(
        "alpha.mean_squared_error() computes the mean of squared differences over the last axis; beta.mse_loss() looks"
    )
    assert [swap.new for swap in rows.write] == ["beta.mean(beta.square(prediction - target), axis=-1)"]
    (total,) = lines(porting, Topic.DIVISOR)
    assert total.says.endswith("the sum of all squared differences, d times as much.")
    assert total.write[0].new == '1 / d * beta.mse_loss(prediction, target, reduction="sum")'
    (weighted,) = lines(porting, Topic.WEIGHTS)
    assert "N / Σw times as much" in weighted.says
    assert porting.symbols.keys() == {"n", "N", "d", "Σw"} & porting.symbols.keys() >= {"N", "d", "Σw"}


def test_what_the_other_side_lacks_is_made_of_what_it_has(folder: Path) -> None:
    (lacking,) = lines(ported(folder, "alpha", "beta"), Topic.REDUCTION)
    assert [(swap.old, swap.new) for swap in lacking.write] == [
        ("alpha.l2_loss(prediction, target)", '1 / 2 * beta.mse_loss(prediction, target, reduction="sum")')
    ]


def test_the_same_function_is_no_advice(folder: Path) -> None:
    porting = ported(folder, "alpha", "beta")
    (same,) = [same for same in porting.same if same.write]
    assert [(swap.old, swap.new) for swap in same.write] == [
        ("alpha.MeanSquaredError()(target, prediction)", "beta.mse_loss(prediction, target)")
    ]
    assert not any(swap.old.startswith("alpha.MeanSquaredError()(") for line in porting.advice for swap in line.write)


def test_answers_dtypes_accuracy_range_edges_and_modes_are_compared(folder: Path) -> None:
    porting = ported(folder, "alpha", "beta")
    said = {topic: " ".join(line.words for line in lines(porting, topic)) for topic in Topic}
    assert "float64 inputs give float32 in alpha, their own dtype in beta" in said[Topic.DTYPES]
    assert "alpha gives 0, beta 1.3333 and warns of it" in said[Topic.ARGUMENTS]
    assert "beta raises where alpha computes: Python lists" in said[Topic.ARGUMENTS]
    assert "eager f32 2.0 u O(1) → 90 u O(n)" in said[Topic.ACCURACY]
    assert "adds up float16 in something wider, beta (mse_loss) in that format itself" in said[Topic.ACCURACY]
    assert "beta flushes subnormals to zero in float32; alpha keeps them" in said[Topic.RANGE]
    assert "Nothing is 0." in said[Topic.EDGES]
    assert "it raises mse/mean/case/mean-compiled" in said[Topic.RUNNING]
    assert "compile" in said[Topic.RUNNING]


def test_the_remedy_of_a_documented_departure_is_what_to_write(folder: Path) -> None:
    (departs,) = [line for line in ported(folder, "beta", "alpha").advice if "Nothing is 0." in line.says]
    assert [swap.new for swap in departs.write] == ["Refuse it."]
    (narrow,) = lines(ported(folder, "beta", "alpha"), Topic.DTYPES)
    assert narrow.severity is Severity.LOST
    assert narrow.because == "Narrow. Widen."


def test_topics_come_in_their_order_and_the_worst_first_in_each(folder: Path) -> None:
    porting = ported(folder, "alpha", "beta")
    keys = [([*Topic].index(line.topic), line.severity) for line in porting.advice]
    assert keys == sorted(keys)


def test_a_framework_against_itself_changes_nothing(folder: Path) -> None:
    porting = ported(folder, "alpha", "alpha")
    assert porting.advice == ()
    assert porting.same


def test_one_entry_point_is_held_against_one_that_does_not_look_like_it(folder: Path) -> None:
    porting = ported(folder, "alpha:half", "beta:mse_loss.sum")
    (line,) = porting.advice
    assert line.says.endswith("computes the sum of all squared differences, 2 times as much.")
    assert [swap.new for swap in line.write] == ['1 / 2 * beta.mse_loss(prediction, target, reduction="sum")']


def test_a_short_text_leaves_the_mildest_out() -> None:
    mild = [Advice(Topic.EDGES, Severity.GAINED, str(number), (), ()) for number in range(MOST + 3)]
    worst = Advice(Topic.EDGES, Severity.OTHER_NUMBER, "worst", (), ())
    nobody = Side("alpha", "1.0", ())
    porting = PortingReport(nobody, nobody, (*mild, worst), ())
    assert porting.shown == (*mild[: MOST - 1], worst)
    assert porting.left_out == tuple(mild[MOST - 1 :])


def test_agreeing_topics_are_named_at_the_end(folder: Path) -> None:
    porting = ported(folder, "alpha:MSE", "beta:mse_loss")
    assert any("No difference was found in: reduction; axis; divisor; weights and masks" in same.says for same in porting.same)


# ---- the sides ----


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        ("torch.nn.functional.mse_loss(prediction, target)", ("meansquarederror", "mean")),
        ('torch.nn.MSELoss(reduction="sum")(prediction, target)', ("meansquarederror", "sum")),
        ("keras.losses.mean_squared_error(target, prediction)", ("meansquarederror", "mean")),
        ("tf.v1.mean_squared_error(target, prediction, weight, reduction=tf.Reduction.NONE)", ("meansquarederror", "none")),
        ("optax.l2_loss(prediction, target)", ("l2", "mean")),
        ("torch.sqrt(torch.mse_loss(prediction, target))", None),
        ("torch.mse_loss(prediction[weight], target[weight])", None),
        ("np.mean(np.square(prediction - target))", None),
        ("torchmetrics.MeanSquaredError(squared=False)(prediction, target)", None),
        ("my_loss.py:loss", None),
        ("", None),
    ],
)
def test_look_alikes_share_a_name_and_a_reduction(text: str, alike: tuple[str, str] | None) -> None:
    assert Entry("i", "mse/mean", text, ()).looks_like == alike


def test_a_name_that_stands_for_several_is_that_of_the_other_side(tmp_path: Path) -> None:
    for name in ("alpha-beta", "alpha-gamma"):
        cells = [made_up.cell(name, "MSE", "mse/mean", f"case/{number}") for number in range(1 + (name == "alpha-gamma"))]
        made_up.write(tmp_path, name, cells, {"MSE": "alpha.MSE()(target, prediction)"})
    made_up.write(tmp_path, "beta", made_up.beta(), {})
    made_up.write(tmp_path, "delta", [made_up.cell("delta", "MSE", "mse/mean", "case/0")], {})
    one, _ = choose("alpha", "beta", [tmp_path])
    assert one.framework == "alpha-beta"
    assert "alpha-gamma" in one.chosen
    assert choose("alpha", "delta", [tmp_path])[0].framework == "alpha-gamma"
    assert choose("alpha-beta", "delta", [tmp_path])[0].chosen == ""


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("gamma", "beta", "'gamma', expected one that the results hold: 'alpha', 'beta'"),
        ("", "beta", "''"),
        ("alpha:nothing", "beta", "expected one of MSE, mse"),
        ("al\x1bpha", "beta", r"al\x1bpha"),
    ],
)
def test_a_side_that_is_not_there_is_one_sentence(folder: Path, a: str, b: str, said: str) -> None:
    with pytest.raises(SideError, match=said.replace("\\", "\\\\")) as caught:
        choose(a, b, [folder])
    assert "\n" not in str(caught.value)


def test_nothing_that_ran_is_one_sentence(tmp_path: Path) -> None:
    made_up.write_both(tmp_path)
    made_up.write(tmp_path, "beta", [made_up.cell("beta", "m", "mse/mean", "case/x", outcome=Outcome.NOT_RUN, reason="no")], {})
    with pytest.raises(SideError, match="found no cell of 'beta' that ran"):
        choose("alpha", "beta", [tmp_path])


def test_results_of_different_specs_are_not_compared(tmp_path: Path) -> None:
    made_up.write_both(tmp_path)
    made_up.write(tmp_path, "beta", made_up.beta(), {}, digest="other")
    with pytest.raises(ResultsError, match="cannot be merged"):
        choose("alpha", "beta", [tmp_path])


def test_files_of_other_frameworks_are_not_read(tmp_path: Path) -> None:
    made_up.write_both(tmp_path)
    made_up.write(tmp_path, "gamma", [], {})
    with (tmp_path / "gamma.jsonl").open("a") as file:
        file.write("no record\n")
    assert ported(tmp_path, "alpha", "beta").advice


def test_an_interrupted_run_is_said(tmp_path: Path) -> None:
    made_up.write_both(tmp_path)
    made_up.write(tmp_path, "beta", made_up.beta(), {}, complete=False)
    assert ported(tmp_path, "alpha", "beta").incomplete == ("beta",)
