"""Every rule of lint, each with the smallest file that breaks it and the sentence that comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from spec_folder import CASE, HEAD, change, with_line, write

from conformance.specs.lint import lint
from conformance.specs.load import load
from conformance.specs.problems import SpecError


def sentences(folder: Path) -> list[str]:
    return [str(problem).removeprefix(f"{folder}/") for problem in lint(folder)]


def test_the_minimal_folder_is_clean(tmp_path: Path) -> None:
    assert sentences(write(tmp_path, HEAD + CASE)) == []


STRUCTURE = [
    pytest.param(
        change(HEAD, "over = ", "ovr = ") + CASE,
        [
            "definition.ovr: found unknown key ovr, expected one of factor, over, divisor, weights",
            "definition.over: found nothing, expected this key",
        ],
        id="unknown key of the definition",
    ),
    pytest.param(
        HEAD + with_line("tolerance = 1"),
        [
            "case thirds: tolerance: found unknown key tolerance, expected one of id, why, level, dtypes, prediction, target, weight, ",
        ],
        id="unknown key of a case",
    ),
    pytest.param(
        HEAD + with_line('allow = [{ quantity = "value", outcome = "inf", because = "", reason = "x" }]'),
        [
            "case thirds: allow[0].reason: found unknown key reason, expected one of quantity, outcome, because, dtypes",
            'case thirds: allow[0].because: found "", expected a sentence, not an empty one',
        ],
        id="unknown key and empty because of an allowance",
    ),
    pytest.param(
        HEAD + with_line('catches = [{ mistake = "x", values = 1 }]'),
        ["case thirds: catches[0].values: found unknown key values, expected one of mistake, value, gradient, gradient-target"],
        id="unknown key of a catch",
    ),
    pytest.param(
        change(HEAD, "format = 1", "format = 2") + CASE,
        ["format: found 2, expected 1"],
        id="another format",
    ),
    pytest.param(
        change(HEAD, '"all"', '"some"') + CASE,
        ['definition.over: found "some", expected "all", "last-axis", "all-but-first" or "none"'],
        id="over",
    ),
    pytest.param(
        HEAD + change(CASE, 'id = "thirds"\n', ""),
        ["case number 1: id: found nothing, expected this key"],
        id="no id",
    ),
    pytest.param(
        HEAD + change(CASE, '"thirds"', '"Thirds case"'),
        ['case Thirds case: id: found "Thirds case", expected lower-case letters and digits, words joined by hyphens'],
        id="an id that is no slug",
    ),
    pytest.param(
        HEAD + change(CASE, '"Not dyadic."', '" "'),
        ['case thirds: why: found " ", expected a sentence, not an empty one'],
        id="empty why",
    ),
    pytest.param(
        HEAD + change(CASE, '"float32"]', '"float8"]'),
        ['case thirds: dtypes[1]: found "float8", expected "float16", "bfloat16", "float32" or "float64"'],
        id="unknown dtype",
    ),
    pytest.param(
        HEAD + change(CASE, '["float16", "float32"]', "[]"),
        ["case thirds: dtypes: found [], expected at least one element"],
        id="no dtype",
    ),
    pytest.param(HEAD + with_line('why = "Again."'), ["found a TOML syntax error (cannot overwrite a value"], id="duplicate key"),
    pytest.param("format = \n", ["found a TOML syntax error (invalid value (at line 1, column 10)), expected TOML"], id="syntax"),
    pytest.param(
        "x = " + "[" * 5000 + "]" * 5000, ["found tables or lists nested too deep to read, expected rank 8 at most"], id="nesting"
    ),
    pytest.param("x = " + "9" * 5000, ["found an integer of more than 4300 digits, expected a shorter literal"], id="long integer"),
]

NUMBERS = [
    pytest.param(
        change(CASE, '"0.5, 1'.strip('"'), "0.1, 1"),
        "target[0]: found 0.1, which is not exactly a binary number, expected a number",
        id="0.1",
    ),
    pytest.param(change(CASE, "-0.75", "1e400"), 'target[2]: found "0x1.', id="1e400"),
    pytest.param(
        change(CASE, "-0.75", '"11/3"'), 'target[2]: found "11/3", expected an integer, a hexadecimal float', id="fraction as an input"
    ),
    pytest.param(
        change(CASE, "-0.75", "2049"),
        "target[2]: found 2049, which float16 cannot hold, expected a number of float16 (the nearest",
        id="a dtype that cannot hold an input",
    ),
    pytest.param(
        change(CASE, "-0.75", "70000"),
        "target[2]: found 70000, which is beyond the range of float16, expected at most 65504",
        id="beyond range",
    ),
    pytest.param(change(CASE, '"11/3"', "0.1"), "value: found 0.1, which is not exactly a binary number", id="inexact expected value"),
    pytest.param(
        change(CASE, '"11/3"', '"0x1p+99999"'),
        'value: found "0x1p+99999" with exponent 99999, expected an exponent from -20000',
        id="exponent",
    ),
    pytest.param(change(CASE, '"11/3"', '"11/4"'), 'value: found 2.75, expected the exact "11/3"', id="wrong value"),
    pytest.param(change(CASE, '"2/3"]', '"2/5"]'), 'gradient: found "2/5" at [2], expected the exact "2/3"', id="wrong gradient"),
    pytest.param(
        change(CASE, '["2/3", -2, "2/3"]', '["2/3", -2]'),
        "gradient: found shape [2], expected shape [3], the shape of prediction",
        id="shape of the gradient",
    ),
    pytest.param(
        change(CASE, '"11/3"', '["11/3"]'), "value: found shape [1], expected shape [], the shape of the value", id="shape of the value"
    ),
    pytest.param(
        change(CASE, "[0.5, 1, -0.75]", "[[0.5, 1, -0.75]]"),
        "target: found shape [1, 3], expected shape [3], the shape of prediction",
        id="shape of the target",
    ),
    pytest.param(
        change(CASE, "[0.5, 1, -0.75]", "[[0.5], [1, -0.75]]"), "target[1]: found a list of length 2, expected length 1", id="ragged"
    ),
    pytest.param(
        with_line("upstream = [1, 1, 1]"), "upstream: found shape [3], expected shape [], the shape of the value", id="shape of upstream"
    ),
    pytest.param(
        with_line("weight = [1, 1, 1]"), "weight: found a weight, expected none, because the operation has no weights", id="weight"
    ),
    pytest.param(
        with_line('flags = ["overfull"]'), "flags: found unknown flag overfull, expected a flag of the file: overflow", id="unknown flag"
    ),
    pytest.param(
        change(CASE, '["float16", "float32"]', '["float16", "float16"]'),
        "dtypes: found ['float16', 'float16'], expected each dtype once",
        id="dtype twice",
    ),
    pytest.param(
        with_line('tighten = "exact"'),
        "tighten: found exact, though in float16 the division rounds, expected a case in which",
        id="tightened beyond reason",
    ),
    pytest.param(
        with_line('catches = [{ mistake = "adds a hair", value = "11001/3000" }]'),
        'catches[0].value: found "adds a hair", which float16 accepts, expected a result outside the interval',
        id="resolving power",
    ),
    pytest.param(
        with_line('catches = [{ mistake = "is right", value = "11/3" }]'),
        'catches[0].value: found "is right", which float16 accepts',
        id="a mistake that is none",
    ),
    pytest.param(
        with_line('catches = [{ mistake = "swaps", gradient-target = ["-2/3", 2, "-2/3"] }]'),
        'catches[0].gradient-target: found "swaps", which float16 accepts',
        id="a target gradient that is right",
    ),
    pytest.param(
        with_line('catches = [{ mistake = "does nothing" }]'),
        "catches[0]: found neither value nor gradient, expected what the mistaken implementation returns",
        id="a mistake without effect",
    ),
    pytest.param(
        with_line('catches = [{ mistake = "cuts", gradient = [1] }]'),
        "catches[0].gradient: found shape [1], expected shape [3]",
        id="shape of a caught gradient",
    ),
    pytest.param(
        with_line('allow = [{ quantity = "value", outcome = "inf", because = "So it is." }]'),
        "allow: found inf for the value in float16, expected none, since the error model does not permit it",
        id="allowed without need",
    ),
    pytest.param(
        with_line('allow = [{ quantity = "value", outcome = "inf", because = "So it is.", dtypes = ["float64"] }]'),
        "allow[0].dtypes: found float64, expected dtypes of the case: float16, float32",
        id="allowed for a dtype that is not there",
    ),
]


@pytest.mark.parametrize(("text", "expected"), STRUCTURE)
def test_structure(tmp_path: Path, text: str, expected: list[str]) -> None:
    found = sentences(write(tmp_path, text))
    assert len(found) == len(expected), found
    for sentence, part in zip(found, expected, strict=True):
        assert sentence.startswith(f"mse/mean.toml: {part}"), sentence


@pytest.mark.parametrize(("text", "expected"), NUMBERS)
def test_numbers(tmp_path: Path, text: str, expected: str) -> None:
    found = sentences(write(tmp_path, HEAD + text))
    assert found[0].startswith(f"mse/mean.toml: case thirds: {expected}"), found
    assert all(", expected " in sentence and "\n" not in sentence for sentence in found)


TIGHT_SUBNORMAL = """\
[[case]]
id = "subnormal"
why = "A square below the normal range of float16."
level = "must"
dtypes = ["float16"]
prediction = ["0x1p-10"]
target = [0]
value = "0x1p-20"
gradient = ["0x1p-9"]
tighten = "exact"
"""


def test_a_case_cannot_be_tightened_where_a_target_may_flush_to_zero(tmp_path: Path) -> None:
    expected = (
        "tighten: found exact, though in float16 a subnormal number may be flushed to zero, expected a case in which nothing else rounds"
    )
    assert sentences(write(tmp_path, HEAD + TIGHT_SUBNORMAL)) == [f"mse/mean.toml: case subnormal: {expected}"]


SQUARE_OVERFLOWS = """\
[[case]]
id = "square-overflows"
why = "300^2 is beyond float16."
level = "must"
dtypes = ["float16", "float32"]
prediction = [300, 0, 0, 0]
target = [0, 0, 0, 0]
value = 22500
gradient = [150, 0, 0, 0]
"""


def test_an_infinity_that_the_model_permits_must_be_stated(tmp_path: Path) -> None:
    expected = (
        "allow: found no inf for the value in float16, expected one with a because, since the error model permits it: square overflows"
    )
    assert sentences(write(tmp_path, HEAD + SQUARE_OVERFLOWS)) == [f"mse/mean.toml: case square-overflows: {expected}"]


def test_an_infinity_may_be_stated_for_one_dtype(tmp_path: Path) -> None:
    allow = 'allow = [{ quantity = "value", outcome = "inf", dtypes = ["float16"], because = "The square overflows." }]'
    assert sentences(write(tmp_path, HEAD + with_line(allow, SQUARE_OVERFLOWS))) == []


def test_several_mistakes_are_all_told(tmp_path: Path) -> None:
    second = change(change(CASE, '"thirds"', '"second"'), '"11/3"', "4")
    third = change(change(CASE, '"thirds"', '"third"'), "-0.75", "0.7")
    found = sentences(write(tmp_path, HEAD + CASE + second + third))
    assert [sentence.split(": ")[1] for sentence in found] == ["case third", "case second"]


def test_duplicate_ids(tmp_path: Path) -> None:
    write(tmp_path, change(HEAD, '"mse/mean"', '"mse/sum"') + CASE, "mse/sum.toml")
    found = sentences(write(tmp_path, HEAD + CASE + CASE))
    assert found[0] == "mse/mean.toml: case thirds: id: found an id that the file uses twice, expected an id of its own"
    assert found[1] == "mse/sum.toml: case thirds: id: found an id that mean.toml uses too, expected an id of its own"


@pytest.mark.parametrize("key", ["laws", "families"])
def test_unknown_laws_and_families(tmp_path: Path, key: str) -> None:
    old = {"laws": '"exact-arithmetic"', "families": '"ordinary"'}[key]
    found = sentences(write(tmp_path, change(HEAD, old, '"moonlight"') + CASE))
    assert found[0].startswith(f"mse/mean.toml: {key}: found unknown name moonlight, expected one of ")


def test_a_law_named_twice(tmp_path: Path) -> None:
    found = sentences(write(tmp_path, change(HEAD, '"exact-arithmetic"', '"exact-arithmetic", "exact-arithmetic"') + CASE))
    assert found == ["mse/mean.toml: laws: found exact-arithmetic twice, expected each name once"]


def test_an_operation_in_another_operations_file(tmp_path: Path) -> None:
    found = sentences(write(tmp_path, change(HEAD, '"mse/mean"', '"mse/sum"') + CASE))
    assert found == ["mse/mean.toml: operation: found mse/sum, expected mse/mean, as the file is called"]


@pytest.mark.parametrize("factor", ["0", "-1", '"nan"', '"x"'])
def test_a_factor_that_is_not_positive(tmp_path: Path, factor: str) -> None:
    found = sentences(write(tmp_path, change(HEAD, "factor = 1", f"factor = {factor}")))
    assert found[0].startswith("mse/mean.toml: definition.factor: found ")


def test_a_weighted_case_needs_weights_of_the_right_shape(tmp_path: Path) -> None:
    head = change(change(HEAD, 'weights = "none"', 'weights = "element"'), '"count"', '"weights"')
    found = sentences(write(tmp_path, head + CASE))
    assert found == ["mse/mean.toml: case thirds: weight: found nothing, expected this key, because the operation is weighted"]
    found = sentences(write(tmp_path, head + with_line("weight = 1")))
    assert found == ["mse/mean.toml: case thirds: weight: found shape [], expected shape [3], the shape of the weights of the operation"]
    weighted = change(change(CASE, '"11/3"', "2"), '["2/3", -2, "2/3"]', "[1, -0.75, 0.25]") + "weight = [4, 1, 1]\n"
    assert sentences(write(tmp_path, head + weighted))[0].startswith("mse/mean.toml: case thirds: value: found 2, expected the exact ")


def test_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    write(tmp_path, HEAD)
    (tmp_path / "mse/mean.toml").write_bytes(b"format = 1\n\xff")
    assert sentences(tmp_path)[0] == "mse/mean.toml: found bytes that are not UTF-8 at offset 11, expected UTF-8"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    write(tmp_path, HEAD + "#" * (4 << 20))
    assert sentences(tmp_path)[0].startswith("mse/mean.toml: found a file of more than 4 MiB, expected a smaller one")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, HEAD)
    (tmp_path / "mse/mean.toml").unlink()
    (tmp_path / "mse/mean.toml").mkdir()
    assert sentences(tmp_path)[0].startswith(
        "mse/mean.toml: found a file that cannot be read (Is a directory), expected a readable TOML file"
    )


def test_no_folder_no_operation_no_error_model(tmp_path: Path) -> None:
    assert "found no such folder, expected a folder of specs, with error-model.toml and " in sentences(tmp_path / "nowhere")[0]
    write(tmp_path, HEAD + CASE)
    (tmp_path / "mse/mean.toml").unlink()
    assert sentences(tmp_path)[0].endswith("found no operation, expected at least one file such as mse/mean.toml")
    (tmp_path / "error-model.toml").unlink()
    assert sentences(tmp_path)[0].startswith("error-model.toml: found a file that cannot be read")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("count = 2\n", "count = 0\n", 'rounding[0].count: found 0, expected an integer from 1 to 16, "n-1" or "division"'),
        ('count = "n-1"', 'count = "n"', 'rounding[6].count: found "n", expected an integer from 1 to 16, "n-1" or "division"'),
        ('when = "reduced"', 'when = "ever"', 'rounding[6].when: found "ever", expected "always", "reduced"'),
        ('"p − t is rounded once; the doubling is exact."', '""', 'rounding[13].because: found "", expected a sentence, not an empty one'),
    ],
)
def test_the_error_model(tmp_path: Path, old: str, new: str, expected: str) -> None:
    write(tmp_path, HEAD + CASE)
    file = tmp_path / "error-model.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    found = sentences(tmp_path)
    assert len(found) >= 1
    assert found[0].startswith(f"error-model.toml: {expected}"), found


def test_a_sentence_stays_on_one_line_and_sends_nothing_to_the_terminal(tmp_path: Path) -> None:
    text = change(with_line('flags = ["over\\nfull"]'), '"thirds"', '"\\u001b[2Jthirds"') + f'"{"k" * 1000}" = 1\n'
    for sentence in sentences(write(tmp_path, HEAD + text)):
        assert sentence.isprintable()
        assert len(sentence) < 1200
    (problem,) = lint(write(tmp_path, HEAD + with_line('flags = ["over\\nfull"]')))
    assert str(problem).endswith(r"flags: found unknown flag over\nfull, expected a flag of the file: overflow")


def test_load_stops_at_the_first_mistake(tmp_path: Path) -> None:
    write(tmp_path, HEAD + change(CASE, "-0.75", "0.7"))
    with pytest.raises(SpecError, match=r"case thirds: target\[2\]: found 0\.7, which is not exactly a binary number, expected ") as error:
        load(tmp_path)
    assert error.value.problem.key == "target[2]"
