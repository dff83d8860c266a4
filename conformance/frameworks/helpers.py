"""What every adapter shares: the inputs in call order, refusing what is not offered, putting an evaluation together.

Imports no framework.
"""

from __future__ import annotations

import ast
import linecache
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import reduce
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from typing import Any, Union
from zlib import crc32

from conformance.frameworks.base import Evaluation, ExecutionReport, Framework, Implementation, Stream, Unsupported
from conformance.numerics.definition import Inputs, Quantity, Shape
from conformance.numerics.formats import FORMATS, Array
from conformance.numerics.layout import same_layout

DTYPES = tuple(FORMATS)
GRADIENTS = (Quantity.GRADIENT_PREDICTION.value, Quantity.GRADIENT_TARGET.value, Quantity.GRADIENT_WEIGHT.value)

EntryRow = Union[tuple[str, str, str], tuple[str, str, str, Callable[..., Any]]]
"""One entry point in a table of them: name, operation less its family, entry, and what is called where that is not the entry itself.

The entry is a Python expression in ``prediction``, ``target`` and, where there are weights, ``weight``; of a stream in ``batches``.
"""

SUM = "written-out.sum"
"""The entry point whose stream is the sum of its batches' values."""


def compiled(entry: str, scope: dict[str, Any]) -> Callable[..., Any]:
    """The function that an entry point is, as a person writes it, with the names of ``scope``.

    Its source can be looked up like that of any other: TensorFlow's AutoGraph reads it, and tracebacks show it.
    """
    used = {node.id for node in ast.walk(ast.parse(entry, mode="eval")) if isinstance(node, ast.Name)}
    arguments = ["batches"] if "batches" in used else ["prediction", "target", *(["weight"] if "weight" in used else [])]
    source = f"lambda {', '.join(arguments)}: {entry}"
    file = f"<entry {crc32(entry.encode()):08x}>"  # no comma, at which PaddlePaddle cuts the lines of a traceback
    linecache.cache[file] = (len(source), None, [source + "\n"], file)
    function: Callable[..., Any] = eval(compile(source, file, "eval"), scope)  # noqa: S307 - the suite's own tables
    return function


def implementations(
    rows: Iterable[EntryRow], scope: dict[str, Any], modes: Sequence[str], dtypes: Sequence[str] = DTYPES
) -> tuple[Implementation, ...]:
    """A table of entry points as implementations; their entries are compiled with the names of ``scope``."""
    made = []
    for name, operation, entry, *rest in rows:
        call = rest[0] if rest else compiled(entry, scope)
        stream = sum_batches(call) if name == SUM else None
        made.append(Implementation(name, entry, f"mse/{operation}", call, modes, dtypes, stream=stream))
    return tuple(made)


def streamed(
    rows: Iterable[EntryRow], scope: dict[str, Any], modes: Sequence[str], dtypes: Sequence[str] = DTYPES
) -> tuple[Implementation, ...]:
    """A table of streams as implementations: called once, each takes everything as one batch."""

    def in_one_batch(stream: Stream) -> Callable[[Any, Any], Any]:
        return lambda prediction, target: stream([(prediction, target)])

    made = []
    for name, operation, entry, *rest in rows:
        stream = rest[0] if rest else compiled(entry, scope)
        made.append(Implementation(name, entry, f"mse/{operation}", in_one_batch(stream), modes, dtypes, stream=stream))
    return tuple(made)


def versions_of(*distributions: str) -> dict[str, str]:
    """The versions of what is installed of these distributions."""
    found = {}
    for name in distributions:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@contextmanager
def keras_backend(name: str) -> Iterator[None]:
    """Choose the backend of Keras while it is imported, the only time it looks; then the variable is the user's again."""
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = name
    try:
        yield
    finally:
        del os.environ["KERAS_BACKEND"]
        if before is not None:
            os.environ["KERAS_BACKEND"] = before


def arguments(inputs: Inputs) -> list[Array]:
    """The arrays an implementation is called with, in its order: prediction, target and, where there is one, weight.

    Copies of the same layout: an implementation that writes to its arguments must not reach the host's inputs.
    """
    arrays = [inputs.prediction, inputs.target] if inputs.weight is None else [inputs.prediction, inputs.target, inputs.weight]
    copies = [same_layout(array) for array in arrays]
    for copy in copies:
        copy.flags.writeable = not inputs.read_only
    return copies


def batches(inputs: Inputs, lengths: Sequence[int]) -> list[tuple[Array, ...]]:
    """The arguments of each batch in call order: so many rows each, one batch after the other, each in memory of its own."""
    ends = list(accumulate(lengths))
    rows = [slice(end - length, end) for length, end in zip(lengths, ends)]
    return [tuple(array[chosen].copy() for array in arguments(inputs)) for chosen in rows]


def sum_batches(call: Callable[..., Any]) -> Stream:
    """The stream of a sum: the sums of its batches, added one after the other."""
    return lambda batches: reduce(operator.add, (call(*batch) for batch in batches))


def modified_arguments(inputs: Inputs, after: Sequence[Array]) -> tuple[str, ...]:
    """The names of the arguments that no longer hold the bits they were given."""
    before = (inputs.prediction, inputs.target, inputs.weight)
    names = ("prediction", "target", "weight")
    return tuple(name for name, given, found in zip(names, before, after) if given is not None and given.tobytes() != found.tobytes())


def require(framework: Framework, implementation: Implementation, device: str, mode: str, modes: Sequence[str], dtype: str) -> None:
    """Refuse a mode, dtype or device that the framework does not have.

    Raises:
        Unsupported: with the sentence that the cell shows.
    """
    if mode not in modes:
        raise Unsupported(f"{framework.name} has no mode {mode!r}; {implementation.name} can be run in {', '.join(modes)}")
    if dtype not in DTYPES:
        raise Unsupported(f"{framework.name} is tested in {', '.join(DTYPES)}; found {dtype!r}")
    names = [known.name for known in framework.devices()]
    if device not in names:
        raise no_device(framework.name, device, names)


def no_device(framework: str, device: str, names: Sequence[str]) -> Unsupported:
    """The exception for a device that the framework does not see."""
    return Unsupported(f"{framework} sees no device {device!r} on this machine, only {', '.join(names) or 'none'}")


def not_differentiable(value_shape: Shape, upstream_shape: Shape) -> str:
    """Why no gradient can be asked for: the upstream gradient must have the value's shape. Empty if it can."""
    if value_shape == upstream_shape:
        return ""
    return f"the value has shape {value_shape}, so an upstream gradient of shape {upstream_shape} does not fit it"


def in_order(gradients: Sequence[Any], count: int) -> tuple[Any, ...]:
    """What an implementation's own gradient returned, None for the arguments that it does not speak of."""
    return (*gradients, *[None] * count)[:count]


def assemble(
    value: Array, gradients: Sequence[Array | None], executed_as: ExecutionReport, no_gradient: str = "", changed: tuple[str, ...] = ()
) -> Evaluation:
    """An evaluation from the gradients in argument order, None where the framework gives none."""
    found = {name: gradient for name, gradient in zip(GRADIENTS, gradients) if gradient is not None}
    missing = [name for name, gradient in zip(GRADIENTS, gradients) if gradient is None]
    if missing and not no_gradient:
        no_gradient = f"automatic differentiation finds no path from the value for {' and '.join(missing)}"
    return Evaluation(value, found, executed_as, no_gradient, changed)
