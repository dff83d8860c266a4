"""How quick the exact oracle is beside NumPy's own mean in float64, on a stream of numbers that never lies in memory as a whole.

    python benchmarks/oracle.py [--elements 100000000] [--dtype float32 --dtype float64] [--format text|json]

Both are given the same blocks in turn; NumPy gets them as float64, and its times are those of `np.mean((p - t) ** 2)`. The first elements
are added once more, one by one in Python's integers. Times are CPU times; the figures are printed, and no test holds them to anything.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import click
import numpy as np

from conformance.numerics.exact.decode import fractions
from conformance.numerics.exact.squares import sum_of_squared_differences
from conformance.numerics.formats import Array

BLOCK = 10_000_000
CHECKED = 200_000


def blocks(elements: int, dtype: str) -> Iterator[tuple[Array, Array]]:
    """Normal predictions and targets, a block at a time."""
    rng = np.random.default_rng(0)
    for start in range(0, elements, BLOCK):
        size = min(BLOCK, elements - start)
        narrow = np.float64 if dtype == "float64" else np.float32
        yield rng.standard_normal(size, dtype=narrow).astype(dtype), rng.standard_normal(size, dtype=narrow).astype(dtype)


def one_by_one(prediction: Array, target: Array) -> Fraction:
    """The same sum without any of the oracle's tricks."""
    pairs = zip(fractions(prediction), fractions(target), strict=True)
    return sum(((Fraction(p) - Fraction(t)) ** 2 for p, t in pairs), Fraction(0))


def measure(elements: int, dtype: str) -> dict[str, Any]:
    """Rates in million elements a second, and their ratio."""
    total, ours, numpys = Fraction(0), 0.0, 0.0
    checked = ""
    for prediction, target in blocks(elements, dtype):
        wide = prediction.astype(np.float64), target.astype(np.float64)
        started = time.process_time()
        float(np.mean((wide[0] - wide[1]) ** 2))
        numpys += time.process_time() - started
        started = time.process_time()
        total += sum_of_squared_differences(prediction, target)
        ours += time.process_time() - started
        if not checked:
            few = prediction[:CHECKED], target[:CHECKED]
            checked = "equal" if sum_of_squared_differences(*few) == one_by_one(*few) else "DIFFERENT"
    return {
        "dtype": dtype,
        "elements": elements,
        "mean": float(total / elements),
        "oracle, million/s": elements / ours / 1e6,
        "NumPy, million/s": elements / numpys / 1e6,
        "ratio": numpys / ours,
        "one by one": checked,
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


@click.command()
@click.option("--elements", type=click.IntRange(min=1), default=100_000_000, show_default=True)
@click.option("--dtype", "dtypes", multiple=True, type=click.Choice(("float16", "float32", "float64")), default=("float32", "float64"))
@click.option("--format", "as_format", type=click.Choice(("text", "json")), default="text")
def main(elements: int, dtypes: tuple[str, ...], as_format: str) -> None:
    """Print the rates of the oracle and of NumPy on the same numbers."""
    found = [measure(elements, dtype) for dtype in dtypes]
    if as_format == "json":
        click.echo(json.dumps(found))
        return
    for one in found:
        click.echo(
            f"{one['dtype']:<9}{one['elements']:>12,}  oracle {one['oracle, million/s']:.1f} M/s, NumPy {one['NumPy, million/s']:.1f} M/s: "
            f"{one['ratio']:.2f} of it; peak memory {one['peak memory, MB']:.0f} MB; {CHECKED:,} one by one: {one['one by one']}"
        )


if __name__ == "__main__":
    main()
