"""A standalone program that shows one failing cell again, in the framework's own API, without this suite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import accumulate

from conformance.frameworks.domain import TRUTH_VALUES
from conformance.frameworks.info import Program
from conformance.frameworks.registry import info_of
from conformance.frameworks.vmap import VMAP
from conformance.reports.text import printable
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome, Witness

_DTYPES = ("float16", "bfloat16", "float32", "float64")
_QUANTITIES = ("value", "gradient/prediction", "gradient/target", "gradient/weight")
_BLANK = re.compile("\x00(\\w+)\x00")


def reproducer(cell: Cell, entry: str) -> str:
    """Python source that prints what was found, expected and allowed; empty where the witness is too long to print.

    ``entry`` is an expression in ``prediction`` and ``target`` or in ``batches`` of them, or ``file.py:function`` for a function of
    one's own.
    """
    witness = cell.witness
    if witness is None or not is_whole(witness):
        return ""
    return filled(template(cell, entry, witness), blanks(cell, witness))


def is_whole(witness: Witness) -> bool:
    """Whether the inputs are there in full."""
    return "…" not in witness.prediction and (bool(witness.prediction) or 0 in witness.shape)


def blanks(cell: Cell, witness: Witness) -> dict[str, str]:
    """What fills the blanks of a template: the numbers of one cell."""
    upstream = witness.upstream or ("0x1.0p+0",)
    arrays = {"prediction": witness.prediction, "target": witness.target, "weight": witness.weight, "upstream": upstream}
    return {
        "id": printable(cell.id),
        "shape": str(witness.shape),
        "samples": str(witness.shape[:1]),
        **{name: f"[{', '.join(map(literal, array))}]" for name, array in arrays.items()},
        "expected": repr(f"element {witness.element}: {witness.expected}"),
        "allowed": repr(" or ".join(witness.allowed)) if witness.allowed else "",
    }


def filled(program: str, numbers: Mapping[str, str]) -> str:
    """Fill the blanks of a template; a line whose blank has nothing to say is left out."""
    kept = [line for line in program.splitlines(keepends=True) if all(numbers[name] for name in _BLANK.findall(line))]
    return _BLANK.sub(lambda found: numbers[found[1]], "".join(kept))


def template(cell: Cell, entry: str, witness: Witness) -> str:
    """The program of a cell with blanks, marked by NUL, where its numbers belong; empty where no program can be written.

    Cells of one target, operation and quantity share it, but for whether there are weights, one upstream gradient or many, and batches.
    """
    written = info_of(cell.target.framework).program
    known = cell.target.dtype in _DTYPES and cell.quantity in _QUANTITIES  # the words that become source are ones we know
    if written is None or not known or not _can_be_written(cell, entry, witness, written):
        return ""
    entry = printable(entry)
    lines = [f"# {_blank('id')}", *written.preamble.splitlines(), "import numpy as np", *written.imports.splitlines()]
    lines += [line for word, line in written.imports_where.items() if re.search(rf"\b{word}\.", entry)]
    dtype = f"np.{cell.target.dtype}"
    if cell.target.dtype == "bfloat16":
        lines.insert(2, "import ml_dtypes")
        dtype = "ml_dtypes.bfloat16"
    lines.append("")
    names = ["prediction", "target", *(["weight"] if witness.weight else [])]
    file, _, function = entry.rpartition(":")
    if file.endswith(".py"):
        lines += [f"import runpy  # {file} is expected in the current folder", f"function = runpy.run_path({file!r})[{function!r}]"]
        call = "function"
    else:
        call = f"lambda {', '.join(names)}: {_filled(_on_batches(entry, names, witness), cell.target.dtype)}"
    lines.append(f"loss = {written.calls.get(cell.target.mode, '{call}').format(call=call)}")
    for name in names:
        by_sample = name == "weight" and cell.operation.startswith("mse/sample-")  # a weight for each sample, none for its elements
        lines.append(f"{name} = {_array(written, name, dtype, cell.target.dtype, _blank('samples' if by_sample else 'shape'))}")
    if TRUTH_VALUES in cell.flags:
        names = names[:2]
        lines += ["mask, masked = weight != 0, loss", f"loss = lambda {', '.join(names)}: masked({', '.join(names)}, mask)"]
    if cell.quantity == "value":
        lines.append(f"value = loss({', '.join(names)})")
        shown = "value"
    elif not written.gradient:
        return ""
    else:
        one = len(witness.upstream) <= 1
        lines.append(f"upstream = {_array(written, 'upstream', dtype, cell.target.dtype, '()' if one else '(-1,)')}")
        if one:
            lines.append(written.spread.format(value=f"loss({', '.join(names)})"))
        lines += written.gradient.format(names=", ".join(names)).splitlines()
        shown = f"gradients[{_QUANTITIES.index(cell.quantity) - 1}]"
    lines += [
        f"print('found   ', {written.shown.format(value=shown)})",
        f"print('expected', {_blank('expected')})",
        f"print('allowed ', {_blank('allowed')})",
    ]
    return "\n".join(lines) + "\n"


def _blank(name: str) -> str:
    return f"\x00{name}\x00"


def _can_be_written(cell: Cell, entry: str, witness: Witness, written: Program) -> bool:
    """Whether the entry point is all there is to say.

    Not of a stream it does not show, nor of variables made while something is traced, nor of a member of a batch without the others.
    """
    streamed = "batches=" in witness.recipe and " in batches" not in entry
    traced = cell.target.mode not in {"eager", "*"} and any(word in entry for word in written.eager_only)
    return not streamed and not traced and cell.target.mode != VMAP


def _on_batches(entry: str, names: list[str], witness: Witness) -> str:
    """An entry point that takes batches, on those that the witness tells of, or on a single one."""
    if " in batches" not in entry:
        return entry
    _, told, lengths = witness.recipe.partition("batches=")
    whole = f"({', '.join(names)})"
    if not told:
        return f"(lambda batches: {entry})([{whole}])"
    ends = list(accumulate(int(length) for length in lengths.split(",")))
    rows = ", ".join(f"slice({start}, {end})" for start, end in zip([0, *ends[:-1]], ends, strict=True))
    return f"(lambda batches: {entry})([({', '.join(f'{name}[rows]' for name in names)}) for rows in ({rows},)])"


def _filled(entry: str, dtype: str) -> str:
    return entry.replace("dtype=…", f'dtype="{dtype}"').replace("dtype=dtype", f'dtype="{dtype}"')


def _array(written: Program, blank: str, dtype: str, name: str, shape: str) -> str:
    return written.tensor.format(floats=_blank(blank), dtype=dtype, name=name, shape=shape)


def literal(hexadecimal: str) -> str:
    """A float as Python source: its shortest decimal, which reads back as the same bits."""
    try:
        x = float.fromhex(hexadecimal)
    except (ValueError, OverflowError):
        return "float('nan')"
    return repr(x) if x - x == 0 else f"float({str(x)!r})"


def most_readable(results: Iterable[Results], most: int = 3) -> dict[str, str]:
    """For each implementation that fails, by name, a program of its most readable failure."""
    failing = [(cell, part.header.entries) for part in results for cell in part.cells if cell.outcome is Outcome.FAIL and cell.witness]
    failing.sort(key=lambda pair: _readability_key(pair[0]))
    programs: dict[str, str] = {}
    for cell, entries in failing:
        name = cell.target.implementation
        if name not in programs and len(programs) < most and (program := reproducer(cell, entries.get(name, ""))):
            programs[name] = program
    return programs


def _readability_key(cell: Cell) -> tuple[bool, bool, bool, int]:
    """Pinned cases before generated ones, float32 first, a few elements rather than one or many."""
    size = len(cell.witness.prediction) if cell.witness else 0
    return cell.kind != "case", cell.target.dtype != "float32", not 2 <= size <= 8, size
