"""A standalone program that shows one failing cell again, in the framework's own API, without this suite."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

from conformance.reports.text import visible
from conformance.results import Cell, Outcome, Results, Witness

_IMPORTS = {
    "numpy": "",
    "torch": "import torch",
    "tensorflow": "import tensorflow as tf",
    "jax": "import jax\nimport jax.numpy as jnp\n\njax.config.update('jax_enable_x64', True)",
}
_DTYPES = ("float16", "bfloat16", "float32", "float64")
_QUANTITIES = ("value", "gradient/prediction", "gradient/target", "gradient/weight")
_TENSOR = {
    "numpy": "np.array({floats}, dtype=np.float64).astype({dtype}).reshape({shape})",
    "torch": "torch.tensor({floats}, dtype=torch.float64).to(torch.{name}).reshape({shape})",
    "tensorflow": "tf.constant(np.array({floats}, dtype=np.float64).astype({dtype}).reshape({shape}))",
    "jax": "jnp.asarray(np.array({floats}, dtype=np.float64).astype({dtype}).reshape({shape}))",
}
_CALL = {
    ("torch", "compile"): "torch.compile({call})",
    ("tensorflow", "graph"): "tf.function({call})",
    ("tensorflow", "xla"): "tf.function({call}, jit_compile=True)",
    ("jax", "jit"): "jax.jit({call})",
}
_GRADIENT = {  # of the arguments' names
    "torch": "for argument in ({names}):\n    argument.requires_grad_()\nvalue = loss({names})\n"
    "gradients = torch.autograd.grad(value, ({names}), upstream.to(value.dtype).reshape(value.shape), allow_unused=True)",
    "tensorflow": "with tf.GradientTape() as tape:\n    tape.watch(({names}))\n    value = loss({names})\n"
    "gradients = tape.gradient(value, ({names}), tf.cast(tf.reshape(upstream, tf.shape(value)), value.dtype))",
    "jax": "value, pullback = jax.vjp(loss, {names})\ngradients = pullback(upstream.astype(value.dtype).reshape(value.shape))",
}
_IMPORTS_OF = {"sklearn": ("import sklearn.metrics",), "torchmetrics": ("import torchmetrics",)}
_LANGUAGES = {"sklearn": "numpy", "torchmetrics": "torch"}


def language(framework: str) -> str:
    """The framework whose tensors an implementation takes: the backend's for Keras, and what scikit-learn and torchmetrics build on."""
    return _LANGUAGES.get(framework, framework.removeprefix("keras-"))


def reproducer(cell: Cell, entry: str) -> str:
    """Python source that prints what was found, expected and allowed; empty where the witness is too long to print.

    ``entry`` is an expression in ``prediction`` and ``target`` or in ``batches`` of them, or ``file.py:function`` for a function of
    one's own.
    """
    witness, framework = cell.witness, language(cell.target.framework)
    if witness is None or not _can_be_shown(cell, witness) or not _can_be_written(cell, entry, witness):
        return ""
    entry = visible(entry)
    lines = [f"# {visible(cell.id)}", "import numpy as np", *_IMPORTS[framework].splitlines(), *_IMPORTS_OF.get(cell.target.framework, ())]
    if cell.target.framework.startswith("keras-"):
        lines[1:1] = ["import os", "", f"os.environ['KERAS_BACKEND'] = '{framework}'", "import keras"]
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
    upstream = witness.upstream or ("0x1.0p+0",)
    for name in names:
        by_sample = name == "weight" and cell.operation.startswith("mse/sample-")  # a weight for each sample, none for its elements
        shape = witness.shape[:1] if by_sample else witness.shape
        lines.append(f"{name} = {_array(framework, getattr(witness, name), dtype, cell.target.dtype, shape)}")
    if cell.quantity == "value":
        lines.append(f"value = loss({', '.join(names)})")
        shown = "value"
    elif framework == "numpy":
        return ""
    else:
        upstream_shape = (-1,) if len(upstream) > 1 else ()
        lines.append(f"upstream = {_array(framework, upstream, dtype, cell.target.dtype, upstream_shape)}")
        if len(upstream) == 1:
            lines.append(f"upstream = upstream * {_ones(framework)}(loss({', '.join(names)}))")
        lines += _GRADIENT[framework].format(names=", ".join(names)).splitlines()
        shown = f"gradients[{_QUANTITIES.index(cell.quantity) - 1}]"
    lines.append(f"print('found   ', {shown})")
    lines.append(f"print('expected', {f'element {witness.element}: {witness.expected}'!r})")
    if witness.allowed:
        lines.append(f"print('allowed ', {' or '.join(witness.allowed)!r})")
    return "\n".join(lines) + "\n"


def _can_be_shown(cell: Cell, witness: Witness) -> bool:
    """Whether the inputs are there in full, and the words that become source are ones we know."""
    known = language(cell.target.framework) in _IMPORTS and cell.target.dtype in _DTYPES and cell.quantity in _QUANTITIES
    return known and "…" not in witness.prediction and (bool(witness.prediction) or 0 in witness.shape)


def _can_be_written(cell: Cell, entry: str, witness: Witness) -> bool:
    """Whether the entry point is all there is to say: not of a stream it does not show, nor of variables made while something is traced."""
    streamed = "batches=" in witness.recipe and " in batches" not in entry
    return not streamed and not ("keras.metrics" in entry and cell.target.mode not in {"eager", "*"})


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


def _ones(framework: str) -> str:
    return {"torch": "torch.ones_like", "tensorflow": "tf.ones_like", "jax": "jnp.ones_like"}[framework]


def _filled(entry: str, dtype: str) -> str:
    return entry.replace("dtype=…", f'dtype="{dtype}"').replace("dtype=dtype", f'dtype="{dtype}"')


def _array(framework: str, hexadecimals: tuple[str, ...], dtype: str, name: str, shape: tuple[int, ...]) -> str:
    floats = "[" + ", ".join(_literal(h) for h in hexadecimals) + "]"
    return _TENSOR[framework].format(floats=floats, dtype=dtype, name=name, shape=shape)


def _literal(hexadecimal: str) -> str:
    """A float as Python source: its shortest decimal, which reads back as the same bits."""
    try:
        x = float.fromhex(hexadecimal)
    except (ValueError, OverflowError):
        return "float('nan')"
    return repr(x) if x - x == 0 else f"float({str(x)!r})"


def most_readable(results: Iterable[Results], most: int = 3) -> dict[str, str]:
    """For each implementation that fails, by name, a program of its most readable failure."""
    failing = [(cell, part.header.entries) for part in results for cell in part.cells if cell.outcome is Outcome.FAIL and cell.witness]
    failing.sort(key=lambda pair: _effort_to_read(pair[0]))
    programs: dict[str, str] = {}
    for cell, entries in failing:
        name = cell.target.implementation
        if name not in programs and len(programs) < most and (program := reproducer(cell, entries.get(name, ""))):
            programs[name] = program
    return programs


def _effort_to_read(cell: Cell) -> tuple[bool, bool, bool, int]:
    """Pinned cases before generated ones, float32 first, a few elements rather than one or many."""
    size = len(cell.witness.prediction) if cell.witness else 0
    return cell.kind != "case", cell.target.dtype != "float32", not 2 <= size <= 8, size
