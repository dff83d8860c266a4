"""Run the standalone program of every implementation of one framework, and say which of them find another result than the suite does.

    python tests/reports/programs.py torch

Each implementation's value and gradients run eagerly in float32; every dtype and every other mode on one implementation of each operation.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from conformance.frameworks.base import Evaluate, Implementation, Unsupported
from conformance.numerics.definition import Definition, Inputs
from conformance.numerics.formats import FORMATS, Array
from conformance.reports.reproduce import reproducer
from conformance.results.records import Cell, Outcome, Target, Witness
from conformance.specs.load import load

PREDICTION, TARGET, WEIGHT = [1.0, 3.0, 0.5, -2.0], [0.0, 1.0, 1.0, 0.5], [1.0, 0.0, 1.0, 1.0]
SHAPE = (2, 2)
COMPILED = {"compile", "graph", "xla", "jit"}
WITHOUT_PROGRAM = {"vmap"}


def witness_of(definition: Definition, upstream: float) -> Witness:
    weight = definition.weight_shape(SHAPE)
    hexadecimal = {name: tuple(x.hex() for x in numbers) for name, numbers in (("prediction", PREDICTION), ("target", TARGET))}
    weights = () if weight is None else tuple(x.hex() for x in WEIGHT[2:] if len(weight) == 1) or tuple(x.hex() for x in WEIGHT)
    return Witness(
        shape=SHAPE,
        prediction=hexadecimal["prediction"],
        target=hexadecimal["target"],
        weight=weights,
        upstream=(upstream.hex(),),
        expected="x",
    )


def inputs_of(definition: Definition, dtype: str, upstream: float) -> Inputs:
    fmt = FORMATS[dtype].dtype
    prediction, target = (np.array(numbers).astype(fmt).reshape(SHAPE) for numbers in (PREDICTION, TARGET))
    shape = definition.weight_shape(SHAPE)
    weight = None if shape is None else np.array(WEIGHT[2:] if len(shape) == 1 else WEIGHT).astype(fmt).reshape(shape)
    return Inputs(prediction, target, weight, np.full(definition.value_shape(SHAPE), upstream).astype(fmt))


def seen_by_the_suite(evaluate: Evaluate, inputs: Inputs, quantity: str) -> Array | None:
    """What the adapter finds; None where it has no such gradient, or refuses."""
    try:
        evaluation = evaluate(inputs)
    except Unsupported:
        return None
    found = evaluation.value if quantity == "value" else evaluation.gradients.get(quantity)
    return None if found is None else np.asarray(found).astype(np.float64).ravel()


def on_the_host(found: Any) -> Array:
    if hasattr(found, "detach"):
        return np.asarray(found.detach().double().numpy()).ravel()
    if hasattr(found, "numpy"):
        return np.asarray(found.numpy()).astype(np.float64).ravel()
    if type(found).__module__ == "mlx.core":  # whose bfloat16 NumPy does not know
        return np.asarray(found.tolist(), np.float64).ravel()
    return np.asarray(found).astype(np.float64).ravel()


def chosen(implementation: Implementation, first: bool, quantities: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:  # noqa: FBT001 - a flag of one call
    """Mode, dtype and quantity of the programs that are run."""
    those = [mode for mode in implementation.modes if mode not in WITHOUT_PROGRAM]
    modes = [mode for mode in those if mode not in COMPILED or (first and implementation.operation == "mse/mean")]
    dtypes = implementation.dtypes if first else [dtype for dtype in implementation.dtypes if dtype == "float32"]
    for mode in modes:
        for dtype in dtypes if mode == "eager" else ["float32"]:
            yield from ((mode, dtype, quantity) for quantity in quantities)


def problem_of(program: str, wanted: Array) -> str:
    """What is wrong with what the program finds; empty if nothing is."""
    space: dict[str, Any] = {}
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            exec(program, space)  # noqa: S102 - a program of our own
        shown = next(line for line in program.splitlines() if line.startswith("print('found"))
        found = on_the_host(eval(shown.removeprefix("print('found   ', ").removesuffix(")"), space))  # noqa: S307 - likewise
    except Exception as error:  # noqa: BLE001 - whatever is raised is what is wrong
        return f"{type(error).__name__}: {error}"
    close = found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-2, equal_nan=True)
    return "" if close and "expected" in said.getvalue() else f"found {found}, the suite found {wanted}"


def main(name: str) -> None:
    entry = load().operations
    module, _, made = _class_of(name).partition(":")
    framework = getattr(importlib.import_module(module), made)()
    version, wrong, ran, without, seen = framework.environment().version, [], 0, [], set()
    for implementation in framework.implementations():
        if implementation.operation not in entry:
            continue  # a procedure, whose steps no program repeats
        definition = entry[implementation.operation].definition
        quantities = tuple(q.value for q in definition.quantities)
        for mode, dtype, quantity in chosen(implementation, implementation.operation not in seen, quantities):
            upstream = 1.0 if quantity == "value" else 2.0
            try:
                evaluate = framework.prepare(implementation, "cpu", mode, dtype)
            except Unsupported:
                continue
            wanted = seen_by_the_suite(evaluate, inputs_of(definition, dtype, upstream), quantity)
            if wanted is None:
                continue
            where = Target(framework=name, version=version, implementation=implementation.name, device="cpu", mode=mode, dtype=dtype)
            cell = Cell(
                check="c",
                kind="case",
                operation=implementation.operation,
                quantity=quantity,
                target=where,
                outcome=Outcome.FAIL,
                witness=witness_of(definition, upstream),
            )
            program = reproducer(cell, implementation.entry)
            if not program:
                without.append(f"{where.id} {quantity}")
                continue
            ran += 1
            if problem := problem_of(program, wanted):
                wrong.append(f"{where.id} {quantity}: {problem}")
        seen.add(implementation.operation)
    sys.stdout.write(json.dumps({"ran": ran, "without": without, "wrong": wrong}) + "\n")


def _class_of(name: str) -> str:
    from conformance.frameworks.registry import KNOWN

    return KNOWN[name].adapter


if __name__ == "__main__":
    main(sys.argv[1])
