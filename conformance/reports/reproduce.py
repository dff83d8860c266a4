"""A standalone program that shows one failing cell again, in the framework's own API, without this suite."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import accumulate

from conformance.frameworks.vmap import VMAP
from conformance.reports.text import printable
from conformance.results.reading import Results
from conformance.results.records import Cell, Outcome, Witness

_IMPORTS = {
    "numpy": "",
    "torch": "import torch",
    "tensorflow": "import tensorflow as tf",
    "jax": "import jax\nimport jax.numpy as jnp\n\njax.config.update('jax_enable_x64', True)",
    "paddle": "import paddle",
    "mlx": "import mlx.core as mx\nimport mlx.nn",
}
_DTYPES = ("float16", "bfloat16", "float32", "float64")
_QUANTITIES = ("value", "gradient/prediction", "gradient/target", "gradient/weight")
_TENSOR = {
    "numpy": "np.array({floats}, dtype=np.float64).astype({dtype}).reshape({shape})",
    "torch": "torch.tensor({floats}, dtype=torch.float64).to(torch.{name}).reshape({shape})",
    "tensorflow": "tf.constant(np.array({floats}, dtype=np.float64).astype({dtype}).reshape({shape}))",
    "jax": "jnp.asarray(np.array({floats}, dtype=np.float64).astype({dtype}).reshape({shape}))",
    "paddle": "paddle.to_tensor({floats}, dtype='float64').astype('{name}').reshape({shape})",
    "mlx": "mx.array(np.array({floats}, dtype=np.float64).reshape({shape}), dtype=mx.float64).astype(mx.{name})",
}
_CALL = {
    ("torch", "compile"): "torch.compile({call})",
    ("tensorflow", "graph"): "tf.function({call})",
    ("tensorflow", "xla"): "tf.function({call}, jit_compile=True)",
    ("jax", "jit"): "jax.jit({call})",
    ("paddle", "graph"): "paddle.jit.to_static(paddle.jit.not_to_static({call}), full_graph=True)",  # nothing is rewritten
    ("mlx", "compile"): "mx.compile({call})",
}
_GRADIENT = {  # of the arguments' names
    "torch": "for argument in ({names}):\n    argument.requires_grad_()\nvalue = loss({names})\n"
    "gradients = torch.autograd.grad(value, ({names}), upstream.to(value.dtype).reshape(value.shape), allow_unused=True)",
    "tensorflow": "with tf.GradientTape() as tape:\n    tape.watch(({names}))\n    value = loss({names})\n"
    "gradients = tape.gradient(value, ({names}), tf.cast(tf.reshape(upstream, tf.shape(value)), value.dtype))",
    "jax": "value, pullback = jax.vjp(loss, {names})\ngradients = pullback(upstream.astype(value.dtype).reshape(value.shape))",
    "paddle": "for argument in ({names}):\n    argument.stop_gradient = False\nvalue = loss({names})\n"
    "gradients = paddle.grad([value], [{names}], [upstream.astype(value.dtype).reshape(value.shape)], allow_unused=True)",
    "mlx": "value = loss({names})\n_, gradients = mx.vjp(loss, [{names}], [upstream.astype(value.dtype).reshape(value.shape)])",
}
_SPREAD = {  # one number from above, for every element of the value
    "torch": "upstream = upstream * torch.ones_like({value})",
    "tensorflow": "upstream = tf.fill(tf.shape({value}), upstream)",
    "jax": "upstream = upstream * jnp.ones_like({value})",
    "paddle": "upstream = upstream * paddle.ones_like({value})",
    "mlx": "upstream = upstream * mx.ones_like({value})",
}
_IMPORTS_OF = {"sklearn": ("import sklearn.metrics",), "torchmetrics": ("import torchmetrics",)}
_BLANK = re.compile("\x00(\\w+)\x00")
_LANGUAGES = {"sklearn": "numpy", "torchmetrics": "torch"}


def language(framework: str) -> str:
    """The framework whose tensors an implementation takes: the backend's for Keras, and what scikit-learn and torchmetrics build on."""
    return _LANGUAGES.get(framework, framework.removeprefix("keras-"))


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
    framework = language(cell.target.framework)
    if not _is_known(cell) or not _can_be_written(cell, entry, witness):
        return ""
    entry = printable(entry)
    lines = [f"# {_blank('id')}", "import numpy as np", *_IMPORTS[framework].splitlines(), *_IMPORTS_OF.get(cell.target.framework, ())]
    if cell.target.framework.startswith("keras-"):
        lines[1:1] = ["import os", "", f"os.environ['KERAS_BACKEND'] = '{framework}'", "import keras"]
    if re.search(r"\boptax\.", entry):
        lines.append("import optax")
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
    lines.append(f"loss = {_CALL.get((framework, cell.target.mode), '{call}').format(call=call)}")
    for name in names:
        by_sample = name == "weight" and cell.operation.startswith("mse/sample-")  # a weight for each sample, none for its elements
        lines.append(f"{name} = {_array(framework, name, dtype, cell.target.dtype, _blank('samples' if by_sample else 'shape'))}")
    if cell.quantity == "value":
        lines.append(f"value = loss({', '.join(names)})")
        shown = "value"
    elif framework == "numpy":
        return ""
    else:
        one = len(witness.upstream) <= 1
        lines.append(f"upstream = {_array(framework, 'upstream', dtype, cell.target.dtype, '()' if one else '(-1,)')}")
        if one:
            lines.append(_SPREAD[framework].format(value=f"loss({', '.join(names)})"))
        lines += _GRADIENT[framework].format(names=", ".join(names)).splitlines()
        shown = f"gradients[{_QUANTITIES.index(cell.quantity) - 1}]"
    lines += [f"print('found   ', {shown})", f"print('expected', {_blank('expected')})", f"print('allowed ', {_blank('allowed')})"]
    return "\n".join(lines) + "\n"


def _blank(name: str) -> str:
    return f"\x00{name}\x00"


def _is_known(cell: Cell) -> bool:
    """Whether the words that become source are ones we know."""
    return language(cell.target.framework) in _IMPORTS and cell.target.dtype in _DTYPES and cell.quantity in _QUANTITIES


def _can_be_written(cell: Cell, entry: str, witness: Witness) -> bool:
    """Whether the entry point is all there is to say.

    Not of a stream it does not show, nor of variables made while something is traced, nor of a member of a batch without the others.
    """
    streamed = "batches=" in witness.recipe and " in batches" not in entry
    return not streamed and cell.target.mode != VMAP and not ("keras.metrics" in entry and cell.target.mode not in {"eager", "*"})


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


def _array(framework: str, blank: str, dtype: str, name: str, shape: str) -> str:
    return _TENSOR[framework].format(floats=_blank(blank), dtype=dtype, name=name, shape=shape)


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
