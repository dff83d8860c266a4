"""Deviations: what a file may say, what it may not, and which cells one covers."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from pathlib import Path

import pytest
from spec_folder import CASE, DEVIATION, HEAD, change, write

from conformance.specs.deviations import covers
from conformance.specs.load import collect, load
from conformance.specs.model import Deviation

TARGET = {"framework": "tensorflow", "version": "2.21.0", "implementation": "x", "device": "cpu", "mode": "eager", "dtype": "float16"}


def folder(tmp_path: Path, text: str) -> Path:
    write(tmp_path, HEAD + CASE)
    return write(tmp_path, text, "deviations/tensorflow.toml")


def the_deviation(tmp_path: Path, text: str = DEVIATION) -> Deviation:
    (deviation,) = load(folder(tmp_path, text)).deviations
    return deviation


def test_what_is_read(tmp_path: Path) -> None:
    deviation = the_deviation(tmp_path)
    assert deviation.check == "mse/mean/case/thirds"
    assert deviation.quantity == "value"
    assert deviation.where == {"framework": ("tensorflow",), "version": (">=2.13,<2.22",), "mode": ("eager", "graph")}
    assert deviation.signature == {"outcome": "fail", "observed": "inf"}
    assert deviation.review_by == dt.date(2027, 6, 30)
    assert deviation.file.name == "tensorflow.toml"


@pytest.mark.parametrize(
    ("written", "signature"),
    [
        ('{ observed = "0" }', {"outcome": "fail", "observed": Fraction(0)}),
        ('{ observed = "-0" }', {"outcome": "fail", "observed": Fraction(0)}),
        ("{ observed = 0.5 }", {"outcome": "fail", "observed": Fraction(1, 2)}),
        ("{ observed = nan }", {"outcome": "fail", "observed": "nan"}),
        ('{ outcome = "error" }', {"outcome": "error"}),
        ('{ dtype = "float32" }', {"outcome": "fail", "dtype": "float32"}),
        ("{ shape = [0] }", {"outcome": "fail", "shape": "(0,)"}),
        ("{ shape = [] }", {"outcome": "fail", "shape": "()"}),
        ("{ shape = [2, 3] }", {"outcome": "fail", "shape": "(2, 3)"}),
        ('{ error_u_min = 3, error_u_max = "11/3" }', {"outcome": "fail", "error_u_min": Fraction(3), "error_u_max": Fraction(11, 3)}),
    ],
)
def test_signatures(tmp_path: Path, written: str, signature: dict[str, object]) -> None:
    assert the_deviation(tmp_path, change(DEVIATION, '{ observed = "inf" }', written)).signature == signature


@pytest.mark.parametrize(
    ("check", "quantity", "target", "covered"),
    [
        ("mse/mean/case/thirds", "value", {}, True),
        ("mse/mean/case/thirds", "gradient/prediction", {}, False),
        ("mse/mean/case/other", "value", {}, False),
        ("mse/mean/case/thirds", "value", {"version": "2.22.0"}, False),
        ("mse/mean/case/thirds", "value", {"version": "2.21.0rc1"}, True),
        ("mse/mean/case/thirds", "value", {"version": "unknown"}, False),
        ("mse/mean/case/thirds", "value", {"mode": "xla"}, False),
        ("mse/mean/case/thirds", "value", {"dtype": "bfloat16"}, True),
        ("mse/mean/case/thirds", "value", {"framework": "jax"}, False),
    ],
)
def test_which_cells_are_covered(tmp_path: Path, check: str, quantity: str, target: dict[str, str], covered: bool) -> None:  # noqa: FBT001 - a column of the table above
    assert covers(the_deviation(tmp_path), check, quantity, TARGET | target) is covered


def test_each_check_and_framework_of_a_list_is_a_deviation_of_its_own(tmp_path: Path) -> None:
    text = change(DEVIATION, '"mse/mean/case/thirds"', '["mse/mean/case/thirds", "mse/mean/bound/*"]')
    loaded = load(folder(tmp_path, change(text, 'framework = "tensorflow"', 'framework = ["tensorflow", "jax"]'))).deviations
    assert [(d.check, d.where["framework"]) for d in loaded] == [
        ("mse/mean/case/thirds", ("tensorflow",)),
        ("mse/mean/case/thirds", ("jax",)),
        ("mse/mean/bound/*", ("tensorflow",)),
        ("mse/mean/bound/*", ("jax",)),
    ]


def test_without_a_thread(tmp_path: Path) -> None:
    assert the_deviation(tmp_path, change(DEVIATION, 'url = "https://example.org/1"\n', "")).url == ""


def test_globs_of_checks_and_quantities(tmp_path: Path) -> None:
    text = change(DEVIATION, '"mse/mean/case/thirds"', '"mse/*/case/th*"\nquantity = "gradient/*"')
    deviation = the_deviation(tmp_path, text)
    assert covers(deviation, "mse/mean/case/thirds", "gradient/target", TARGET)
    assert not covers(deviation, "mse/mean/case/thirds", "value", TARGET)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("mean/case/thirds", "mean/case/fourths", "case mse/mean/case/fourths: check: found no such check, expected the id of a check"),
        ("mean/case/thirds", "median/*", "case mse/median/*: check: found no such check"),
        ('"mse/mean/case/thirds"', '["mse/mean/case/thirds", "mse/x"]', "case mse/x: check: found no such check"),
        ('observed = "inf"', "shape = [-1]", "signature.shape[0]: found -1"),
        ('framework = "tensorflow", ', "", "where.framework: found nothing, expected this key"),
        ('">=2.13,<2.22"', '"2.13 or so"', 'where.version: found "2.13 or so", expected a version specifier such as ">=2.13,<2.22"'),
        (
            "mode =",
            "place =",
            "where.place: found unknown key place, expected one of framework, version, implementation, device, mode, dtype",
        ),
        ('["eager", "graph"]', "[]", "where.mode: found [], expected a string that is not empty, or a list of such"),
        ('mode = ["eager", "graph"]', 'dtype = "float8"', 'where.dtype: found "float8", expected one or a list of float16, bfloat16'),
        ('observed = "inf"', 'outcome = "inf"', 'signature.outcome: found "inf", expected "fail" or "error"'),
        ('observed = "inf"', "", "signature: found only an outcome, expected how it fails"),
        ('observed = "inf"', "observed = 0.1", "signature.observed: found 0.1, which is not exactly a binary number"),
        ('observed = "inf"', "error_u_max = inf", "signature.error_u_max: found inf, expected a finite number"),
        ('observed = "inf"', "error_u_min = 3, error_u_max = 2", "signature.error_u_max: found 2, expected at least error_u_min"),
        ('"It accumulates in float16."', '""', 'because: found "", expected a sentence, not an empty one'),
        ("https://example.org/1", "somewhere", 'url: found "somewhere", expected a link that begins with https://'),
        ("2027-06-30", '"soon"', 'review-by: found "soon", expected a date such as 2027-06-30'),
        ("2027-06-30", "2027-06-30T10:00:00", "review-by: found"),
        ("review-by = 2027-06-30\n", "", "review-by: found nothing, expected this key"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, expected: str) -> None:
    _, problems = collect(folder(tmp_path, change(DEVIATION, old, new)))
    assert len(problems) == 1, problems
    assert f"{tmp_path}/deviations/tensorflow.toml: case mse/" in str(problems[0])
    assert expected in str(problems[0])


def test_a_case_that_cannot_be_read_is_not_reported_as_a_missing_check_too(tmp_path: Path) -> None:
    write(tmp_path, HEAD + change(CASE, "-0.75", "0.7"))
    _, problems = collect(write(tmp_path, DEVIATION, "deviations/tensorflow.toml"))
    assert len(problems) == 1
