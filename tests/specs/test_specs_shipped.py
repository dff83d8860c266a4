"""The specs that come with the package."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, get_args

import jsonschema  # type: ignore[import-untyped,unused-ignore]  # its stubs are a distribution of their own
import numpy as np
import pytest

from conformance.numerics.definition import Definition, Divisor, Over, Quantity
from conformance.numerics.formats import Array
from conformance.results.records import Grade
from conformance.specs.arrays import Numbers
from conformance.specs.grammar import Accuracy, spec_schema
from conformance.specs.lint import lint
from conformance.specs.literals import RawFloat, equal
from conformance.specs.load import load, specs_root
from conformance.specs.model import Case

SPECS = load()
CASES = [pytest.param(operation.definition, case, id=case.id) for operation in SPECS.operations.values() for case in operation.cases]


def test_they_are_clean() -> None:
    assert [str(problem) for problem in lint()] == []


def test_there_are_enough_cases_with_ids_of_their_own() -> None:
    ids = [case.id for operation in SPECS.operations.values() for case in operation.cases]
    assert len(ids) >= 60
    assert len(set(ids)) == len(ids)
    assert set(SPECS.operations) >= {"mse/mean", "mse/sum", "mse/none", "mse/last-axis"}


def test_ids_begin_with_their_operation() -> None:
    for name, operation in SPECS.operations.items():
        assert all(case.id.startswith(name.partition("/")[2] + "-") for case in operation.cases)


def test_check_ids_are_unique() -> None:
    checks = list(SPECS.checks())
    assert len(set(checks)) == len(checks)
    assert "mse/mean/case/mean-thirds" in checks
    assert "mse/mean/law/exact-arithmetic" in checks
    assert "mse/mean/bound/ordinary" in checks


@pytest.mark.parametrize("count", [2**10, 2**14, 2**18, 70000])
def test_constant_residuals_are_pinned_at(count: int) -> None:
    sizes = {math.prod(case.stated[Quantity.GRADIENT_PREDICTION].shape) for case in SPECS.operations["mse/mean"].cases}
    assert count in sizes


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_every_dtype_has_cases_of_every_kind(dtype: str) -> None:
    for name, operation in SPECS.operations.items():
        least = 10 if name in {"mse/mean", "mse/sum", "mse/none", "mse/last-axis"} else 2
        assert sum(dtype in case.dtypes for case in operation.cases) >= least, name


def test_every_flag_is_used_and_every_allowance_explained() -> None:
    for operation in SPECS.operations.values():
        raw = tomllib.loads(operation.file.read_text(encoding="utf-8"))
        assert set(raw["flags"]) == {flag for case in operation.cases for flag in case.flags}
        assert all(allow.because.endswith(".") for case in operation.cases for allow in case.allow)


# -- an oracle of its own, in a few lines of Fraction, so that no stated number rests on the suite's oracle alone -----


@cache
def _difference(p: float, t: float) -> Fraction | float:
    return Fraction(p) - Fraction(t) if math.isfinite(p) and math.isfinite(t) else p - t


def _scaled(x: Fraction | float, factor: Fraction) -> Fraction | float:
    return x * factor if isinstance(x, Fraction) else x * float((factor > 0) - (factor < 0))


@cache
def _gradient(p: float, t: float, upstream: float, divisor: int) -> Fraction | float:
    difference = _difference(p, t)
    if not math.isfinite(upstream):
        return upstream * (difference if isinstance(difference, float) else float((difference > 0) - (difference < 0)))
    return _scaled(difference, 2 * Fraction(upstream) / divisor)


def _total(pairs: list[tuple[float, float]]) -> Fraction | float:
    terms = [(_difference(p, t), times) for (p, t), times in Counter(pairs).items()]
    special = [d * d for d, _ in terms if isinstance(d, float)]
    return sum(special) if special else sum((d * d * times for d, times in terms if isinstance(d, Fraction)), start=Fraction(0))


def _by_hand(definition: Definition, case: Case) -> tuple[list[Fraction | float], list[Fraction | float]]:
    inputs = case.inputs(case.dtypes[-1])
    p, t, g = (np.asarray(array, dtype=np.float64).ravel().tolist() for array in (inputs.prediction, inputs.target, inputs.upstream))
    shape = inputs.prediction.shape
    row = math.prod(shape[1:])
    size = {Over.NONE: 1, Over.ALL: len(p), Over.LAST_AXIS: shape[-1] if shape else 1, Over.ALL_BUT_FIRST: row}[definition.over]
    if inputs.weight is not None:
        return _weighted_by_hand(definition, p, t, g, np.asarray(inputs.weight, dtype=np.float64), row)
    count = {Divisor.COUNT: size, Divisor.LAST_AXIS: shape[-1] if shape else 1, Divisor.ONE: 1}[definition.divisor]
    pairs = list(zip(p, t, strict=True))
    totals = [_total(pairs[i * size : (i + 1) * size]) for i in range(len(g))]
    value = [_scaled(total, definition.factor / count) if count else math.nan for total in totals]
    gradient = [_gradient(a, b, g[i // size], count) for i, (a, b) in enumerate(pairs)]
    return value, [_scaled(x, definition.factor) for x in gradient]


def _weighted_by_hand(
    definition: Definition, p: list[float], t: list[float], g: list[float], weight: Array, row: int
) -> tuple[list[Fraction | float], list[Fraction | float]]:
    """Of few elements, and with one value or one for each element."""
    w = np.repeat(weight.ravel(), row).tolist() if definition.by_sample else weight.ravel().tolist()
    differences = [_difference(a, b) for a, b in zip(p, t, strict=True)]
    divisor = {
        Divisor.ONE: 1,
        Divisor.COUNT: len(p),
        Divisor.LAST_AXIS: row,
        Divisor.WEIGHTS: sum(map(Fraction, w)),
        Divisor.NONZERO_WEIGHTS: sum(x != 0 for x in w),
    }[definition.divisor]
    terms = [Fraction(x) * d * d if isinstance(d, Fraction) else x * d * d for x, d in zip(w, differences, strict=True)]
    groups = [[x] for x in terms] if definition.over is Over.NONE else [terms]
    arrives = g if definition.over is Over.NONE else g * len(p)
    if not divisor:
        return [math.nan], [math.nan] * len(p)
    value = [sum(group, start=Fraction(0)) * Fraction(1, divisor) for group in groups]
    factors = zip(w, differences, arrives, strict=True)
    gradient = [2 * (Fraction(x) if isinstance(d, Fraction) else x) * d * Fraction(u) / divisor for x, d, u in factors]
    return value, gradient


def _stated(numbers: Numbers) -> list[Fraction | float]:
    written = numbers.written
    return [written[i] for i in numbers.index().tolist()]


def _agree(a: list[Fraction | float], b: list[Fraction | float]) -> bool:
    return len(a) == len(b) and all(equal(x, y) for x, y in set(zip(a, b, strict=True)))


@pytest.mark.parametrize(("definition", "case"), CASES)
def test_stated_numbers_by_another_way(definition: Definition, case: Case) -> None:
    value, gradient = _by_hand(definition, case)
    if definition.root:  # squared, and its gradient twice the root times as large
        (root,) = _stated(case.stated[Quantity.VALUE])
        assert _agree(value, [root * root])
        if isinstance(root, Fraction) and root:
            assert _agree(gradient, [2 * root * x for x in _stated(case.stated[Quantity.GRADIENT_PREDICTION])])
        return
    assert _agree(value, _stated(case.stated[Quantity.VALUE]))
    assert _agree(gradient, _stated(case.stated[Quantity.GRADIENT_PREDICTION]))


# -- reading -----------------------------------------------------------------------------------------------------------


def test_inputs_are_the_same_numbers_in_every_dtype_and_cannot_be_changed() -> None:
    for parameter in CASES:
        case = parameter.values[1]
        assert isinstance(case, Case)
        if math.prod(case.stated[Quantity.GRADIENT_PREDICTION].shape) > 100:
            continue
        arrays = [case.inputs(dtype).prediction for dtype in case.dtypes]
        assert not arrays[0].flags.writeable
        for array, dtype in zip(arrays, case.dtypes, strict=True):
            assert array.dtype.name == dtype
            np.testing.assert_array_equal(array.astype(np.float64), arrays[0].astype(np.float64))


def test_negative_zeros_stay_negative() -> None:
    cases = {case.id: case for case in SPECS.operations["mse/mean"].cases}
    cases["mean-zeros"].inputs("float32")
    assert np.signbit(cases["mean-negative-zero"].inputs("float32").prediction).tolist() == [True, False, True, False]


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    copy = tmp_path / "specs"
    shutil.copytree(specs_root(), copy)
    assert load(copy).digest == SPECS.digest
    file = copy / "mse/mean.toml"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"\n", b"\r\n"))
    assert load(copy).digest == SPECS.digest
    file.write_bytes(content + b"# a word more\n")
    assert load(copy).digest != SPECS.digest


def test_an_installed_package_finds_the_specs_inside_itself(tmp_path: Path) -> None:
    package = Path(specs_root()).parent / "conformance"
    shutil.copytree(package, tmp_path / "conformance", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(specs_root(), tmp_path / "conformance/_specs", dirs_exist_ok=True)
    script = "from conformance.specs.load import load, specs_root; print(specs_root()); print(load().digest)"
    found = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    assert found == [str((tmp_path / "conformance/_specs").resolve()), SPECS.digest]


def test_loading_imports_nothing_heavy() -> None:
    script = "import sys; from conformance.specs.load import load; load(); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=specs_root().parent
    ).stdout.split()
    assert not {"torch", "tensorflow", "jax", "keras", "hypothesis", "rich", "pytest"} & set(loaded)


# -- the JSON Schema ---------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """TOML's values as JSON's: dates as text, and floats as the text they were written as."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, int | str) else str(value)


def test_every_shipped_file_is_valid_by_the_json_schema() -> None:
    schema = spec_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for file in sorted(specs_root().rglob("*.toml")):
        if file.parent.name == "behaviours" or file.name == "targets.toml":
            continue
        raw = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=RawFloat)
        assert [error.message for error in validator.iter_errors(_plain(raw))] == [], file


def test_the_json_schema_refuses_an_unknown_key() -> None:
    raw = tomllib.loads((specs_root() / "mse/sum.toml").read_text(encoding="utf-8"), parse_float=RawFloat)
    raw["case"][0]["tolerance"] = 1
    assert not jsonschema.Draft202012Validator(spec_schema()).is_valid(_plain(raw))


def test_a_grade_that_may_be_asked_for_is_one_that_is_given() -> None:
    assert get_args(Accuracy) == tuple(grade.value for grade in Grade)
