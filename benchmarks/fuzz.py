"""Fuzzed spec files and fuzzed results files: each must give one clear sentence, or a right result.

Hypothesis draws the mutations: bytes, lines and literals put in the place of others. What is accepted is held to an account of its own:
values of a spec to plain fractions, the table of a results file to the outcomes that its lines name. Nothing may take a minute.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from conformance.numerics.definition import Quantity
from conformance.reports.behaviours import is_judged
from conformance.reports.markdown import markdown
from conformance.reports.table import ResultTable
from conformance.reports.write import write_all
from conformance.results.reading import ResultsError, read
from conformance.results.records import Cell, Grade, Header, Outcome, RunEnvironment, Target, Witness
from conformance.results.writing import Writer
from conformance.specs.lint import lint
from conformance.specs.load import load, specs_root
from conformance.specs.model import Operation

LIMIT = 60
"""Seconds that no file may take, however slow the machine."""
LONGEST = 2000
"""Characters of a sentence."""
MOST = 1000
"""Elements that are added up a second time."""

PAYLOAD = "<script>alert(1)</script>"
HOSTILE = (
    '"0x1p999999999"',
    '"-0x1.8p-999999999"',
    '"0x1p20000"',
    f'"1/{"9" * 1900}"',
    f'"{"9" * 1900}/7"',
    '"1/0"',
    "1e999999999",
    "9" * 4000,
    "9" * 5000,
    "-1",
    "0.1",
    "true",
    "null",
    '""',
    '"nan"',
    '"inf"',
    "NaN",
    "[]",
    "{}",
    "[" * 2000 + "]" * 2000,
    "[[[[[[[[[1]]]]]]]]]",
    "{ repeat = [1], shape = [99999, 99999, 99999] }",
    "{ repeat = [1], shape = [1000000, 0] }",
    '"../../../../etc/passwd"',
    '"\\u001b[31mred"',
    '"\\ud800"',
    '"{{ 7 * 7 }}"',
    f'"{PAYLOAD}"',
    '"' + "x" * 20_000 + '"',
    "2.13.0 || 1",
    "\x00",
)
_LITERAL = re.compile(r'"[^"\n]*"|-?\d[\w.+-]*|\[[^\[\]\n]*\]|true|false')

_CUTS = st.tuples(st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=12))
_LINES = st.tuples(st.sampled_from(("drop", "double", "swap")), st.integers(0, 10**6), st.integers(0, 10**6))
_LITERALS = st.tuples(st.integers(0, 10**6), st.sampled_from(HOSTILE))
_BORROWED = st.tuples(st.integers(0, 10**6), st.integers(0, 10**6))
MUTATIONS = st.lists(st.one_of(_LITERALS, _LITERALS, _BORROWED, _LINES, _CUTS), min_size=1, max_size=3)


def mutated(content: bytes, mutations: list[tuple[object, ...]]) -> bytes:
    """The content after all of the mutations, each of which finds its place in whatever the ones before have left."""
    for mutation in mutations:
        match mutation:
            case (int() as at, int() as length, bytes() as put):
                at %= len(content) + 1
                content = content[:at] + put + content[at + length :]
            case (str() as what, int() as one, int() as other):
                lines = content.splitlines(keepends=True) or [b""]
                one, other = one % len(lines), other % len(lines)
                changed = {"drop": [], "double": [lines[one]] * 2, "swap": [lines[other]]}[what]
                content = b"".join([*lines[:one], *changed, *lines[one + 1 :]])
            case (int() as at, str() | int() as put):
                content = _replaced(content.decode("utf-8", "replace"), at, put).encode("utf-8", "replace")
    return content


def _replaced(text: str, at: int, put: str | int) -> str:
    """The text with one literal replaced: by a given one, or by another of the text."""
    found = [match.span() for match in _LITERAL.finditer(text)]
    if not found:
        return text
    start, end = found[at % len(found)]
    literal = put if isinstance(put, str) else text[slice(*found[put % len(found)])]
    return text[:start] + literal + text[end:]


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"it takes more than {LIMIT} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _each(examine: Callable[[list[tuple[object, ...]], int], str], count: int, first: int) -> list[str]:
    """What is wrong with each of ``count`` fuzzed files; an empty sentence where nothing is."""
    found: list[str] = []

    @seed(first)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(MUTATIONS, st.integers(0, 10**6))
    def one(mutations: list[tuple[object, ...]], pick: int) -> None:
        try:
            with _alarm():
                found.append(examine(mutations, pick))
        except Exception as error:  # noqa: BLE001 - a traceback is what must not be
            found.append(f"{type(error).__name__}: {str(error)[:200]} after {mutations!r:.300}")

    one()
    return found


def _is_clear(sentence: str, *words: str) -> bool:
    """Whether a sentence can be shown anywhere and says what was found."""
    return sentence.isprintable() and len(sentence) < LONGEST and all(word in sentence for word in words)


def spec_files(folder: Path, count: int, first: int) -> list[str]:
    """Fuzz files of a small folder of specs, one at a time."""
    root, clean = folder / "specs", folder / "clean"
    for name in ("error-model.toml", "checks.toml", "behaviours/shapes.toml", "policies/numpy.toml"):
        (clean / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(specs_root() / name, clean / name)
    for name, cases in (("mse/mean.toml", 3), ("mse/weighted-mean.toml", 1), ("training/sgd.toml", 1)):
        (clean / name).parent.mkdir(exist_ok=True)
        (clean / name).write_text(_first_cases(specs_root() / name, cases), encoding="utf-8")
    names = sorted(path.relative_to(clean).as_posix() for path in clean.rglob("*.toml"))

    def examine(mutations: list[tuple[object, ...]], pick: int) -> str:
        name = names[pick % len(names)]
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(clean, root)
        (root / name).write_bytes(mutated((clean / name).read_bytes(), mutations))
        problems = [str(problem) for problem in lint(root)]
        if unclear := [sentence for sentence in problems if not _is_clear(sentence, "found", "expected")]:
            return f"an unclear sentence: {unclear[0][:300]!a}"
        return "" if problems else next((wrong for wrong in map(_wrong, load(root).operations.values()) if wrong), "")

    return _each(examine, count, first)


def _first_cases(path: Path, count: int) -> str:
    head, *cases = path.read_text(encoding="utf-8").split("[[case]]\n")
    return "[[case]]\n".join([head, *cases[:count]])


def _wrong(operation: Operation) -> str:
    """A case of an accepted operation whose value is not the plain sum of squares over its divisor; weights and roots are left out."""
    definition = operation.definition
    if definition.root or definition.weights != "none" or definition.over != "all":
        return ""
    for case in operation.cases:
        stated = case.stated.get(Quantity.VALUE)
        if stated is None or not 0 < math.prod(case.shape) <= MOST:
            continue
        inputs = case.inputs(case.dtypes[-1])
        pairs = list(zip(inputs.prediction.astype(float).ravel().tolist(), inputs.target.astype(float).ravel().tolist(), strict=True))
        if not all(math.isfinite(x) for pair in pairs for x in pair):
            continue
        total = definition.factor * sum((Fraction(p) - Fraction(t)) ** 2 for p, t in pairs)
        exact = total / len(pairs) if definition.divisor == "count" else total
        if stated.number(0) != exact:
            return f"accepted {case.id} with the value {str(stated.number(0))[:80]}"
    return ""


def _sample(path: Path) -> bytes:
    """A results file with something of everything in it."""
    header = Header(
        run="r1",
        started="2026-11-23T00:00:00+00:00",
        suite_version="0.1.0",
        specs_digest="d" * 64,
        profile="quick",
        environment=RunEnvironment(framework="torch", version="2.13.0", packages={"numpy": "2.4.6"}, devices=("cpu",)),
    )
    ones, zeros = ("0x1p+0", "-0x1p+0"), ("0x0p+0",) * 2
    witness = Witness(shape=(2,), prediction=ones, target=zeros, observed="0x1p+1", expected="1", allowed=("[1, 1]",))
    with Writer(path, header) as writer:
        for number, outcome in enumerate([*Outcome] * 2):
            for dtype in ("float16", "float32"):
                cell = Cell(
                    check=f"mse/mean/case/c{number}",
                    kind="case",
                    operation="mse/mean",
                    quantity="value",
                    target=Target(framework="torch", version="2.13.0", implementation="mse", device="cpu", mode="eager", dtype=dtype),
                    outcome=outcome,
                    reason="value: found 2, expected 1",
                    flags=("flushes subnormals",),
                    error_u=1.5,
                    error_ulp=0.75,
                    grade=Grade.FAITHFUL,
                    witness=witness if outcome is Outcome.FAIL else None,
                )
                asked = {"check": "mse/mean/behaviour/column", "kind": "behaviour", "answer": "1.0 · float32"}
                writer.append(cell if number else cell.model_copy(update=asked))
        writer.close(1.5)
    return path.read_bytes()


def results_files(folder: Path, count: int, first: int) -> list[str]:
    """Fuzz a results file, and render what is accepted."""
    path = folder / "torch.jsonl"
    clean = _sample(path)

    def examine(mutations: list[tuple[object, ...]], pick: int) -> str:
        path.write_bytes(mutated(clean, mutations))
        try:
            results = read(path)
        except ResultsError as error:
            return "" if _is_clear(str(error), "found") else f"an unclear sentence: {str(error)[:300]!a}"
        table = ResultTable.of([results])
        lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        named = Counter(line["outcome"] for line in lines if line["record"] == "cell" and line["kind"] != "behaviour")
        shown = {outcome.value: number for outcome, number in table.total.tally.items() if number}
        if shown != dict(named) or sum(named.values()) != sum(is_judged(cell) for cell in results.cells):
            return f"another matrix: {shown}, of {dict(named)}"
        if not results.footer and table.verdict not in {"incomplete", "does not conform"}:
            return f"an incomplete run {table.verdict}"
        texts = [markdown(table)]
        if pick % 10 == 0:
            texts += [file.read_text(encoding="utf-8") for file in write_all(table, folder / "reports") if file.is_file()]
        return next((f"shows markup as it is: {text[:80]!a}" for text in texts if PAYLOAD in text), "")

    return _each(examine, count, first)


KINDS: dict[str, Callable[[Path, int, int], list[str]]] = {"fuzzed spec files": spec_files, "fuzzed results files": results_files}
