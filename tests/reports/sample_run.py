"""A made-up full run, of the size and kind that a real one has: five frameworks, four operations, about 20,000 cells.

Deterministic, and shaped like the frameworks it is named after, so that the reports can be looked at.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from conformance.results.reading import Results
from conformance.results.records import AtSize, Cell, Footer, Grade, Header, Outcome, RunEnvironment, Target, Witness

OPERATIONS = ("mse/mean", "mse/sum", "mse/none", "mse/last-axis")
QUANTITIES = ("value", "gradient/prediction", "gradient/target")
DTYPES = ("float16", "bfloat16", "float32", "float64")
CASES = (
    "ordinary-numbers",
    "thirds",
    "one-element",
    "zero-dimensional",
    "empty",
    "zeros",
    "equal-inputs",
    "minus-zero",
    "nan",
    "plus-inf",
    "inf-minus-inf",
    "subnormals",
    "near-overflow",
    "sum-overflows",
    "square-overflows",
    "range-end-float16",
    "range-end-float32",
    "rank-four",
    "constant-1024",
    "constant-70000",
)
BOUNDS = ("wide-exponents", "cancellation", "integers", "constant-residuals", "extremes")
GROWTH = "growth"
"""A bound of the value alone, measured at several numbers of elements."""
LAWS = ("exact-arithmetic", "swap-arguments")

FRAMEWORKS: dict[str, tuple[str, dict[str, str], tuple[str, ...]]] = {
    "numpy": ("2.4.6", {"written-out": "np.mean(np.square(p - t))"}, ("eager",)),
    "torch": (
        "2.13.0+cpu",
        {"mse_loss": "torch.nn.functional.mse_loss", "MSELoss": "torch.nn.MSELoss", "written-out": "(p - t).square().mean()"},
        ("eager", "compile"),
    ),
    "tensorflow": (
        "2.21.0",
        {"reduce_mean": "tf.reduce_mean(tf.square(p - t))", "keras.losses": "tf.keras.losses.MeanSquaredError"},
        ("eager", "graph", "xla"),
    ),
    "jax": ("0.10.2", {"written-out": "jnp.mean(jnp.square(p - t))", "optax": "optax.squared_error"}, ("eager", "jit")),
    "keras-torch": ("3.15.1", {"MeanSquaredError": "keras.losses.MeanSquaredError"}, ("eager",)),
    "keras-jax": ("3.15.1", {"MeanSquaredError": "keras.losses.MeanSquaredError"}, ("eager", "jit")),
}

_GRADES = {
    "numpy": Grade.CONSTANT,
    "torch": Grade.LOGARITHMIC,
    "tensorflow": Grade.SQUARE_ROOT,
    "jax": Grade.LOGARITHMIC,
    "keras-torch": Grade.LOGARITHMIC,
    "keras-jax": Grade.LOGARITHMIC,
}


def _checks(operation: str) -> Iterator[tuple[str, str]]:
    for name in CASES:
        yield f"{operation}/case/{name}", "case"
    for name in BOUNDS:
        yield f"{operation}/bound/{name}", "bound"
    for name in LAWS:
        yield f"{operation}/law/{name}", "law"
    yield f"{operation}/bound/{GROWTH}", "bound"


def _judged(cell: Cell, draw: random.Random) -> Cell:
    where, name = cell.target, cell.check.rpartition("/")[2]
    new: dict[str, object] = {}
    if where.framework == "numpy" and cell.quantity == "gradient/target":
        new = {"outcome": Outcome.UNSUPPORTED, "reason": "numpy differentiates nothing; no gradient is given for the target"}
    elif where.framework == "tensorflow" and name == "constant-70000" and where.dtype == "float16" and cell.operation == "mse/mean":
        if cell.quantity == "value" and where.mode != "xla":
            new = {
                "outcome": Outcome.DEVIATION,
                "reason": "reduce_mean accumulates in float16: https://github.com/tensorflow/tensorflow/issues/56890",
            }
        elif cell.quantity != "value":
            new = {
                "outcome": Outcome.FAIL,
                "reason": "got 0x0p+0, expected 0x1.4f8p-10, allowed 0x1.4f4p-10 … 0x1.4fcp-10, at element 0 of 70000",
                "witness": Witness(
                    shape=(70000,),
                    prediction=("0x1.9p+7",) * 16,
                    target=("0x0p+0",) * 16,
                    upstream=("0x1.8p+0",),
                    expected="0x1.4f8p-10",
                    allowed=("0x1.4f4p-10", "0x1.4fcp-10"),
                    observed="0x0p+0",
                    recipe=f"check={cell.check} seed=0 shape=70000 position=0",
                ),
                "error_u": 2048.0,
                "error_over_bound": 410.0,
            }
    elif where.framework in {"tensorflow", "jax", "keras-jax"} and name == "subnormals":
        new = {"flags": ("flushes subnormals",), "error_u": 0.0}
    elif where.framework == "keras-torch" and where.dtype == "float64" and cell.kind == "bound" and cell.quantity == "value":
        new = {
            "outcome": Outcome.FAIL,
            "reason": f"got 0x1.{draw.randrange(16**8):08x}p+3, expected 0x1.921fb54442d18p+3, allowed 4 u around it: computed in float32",
            "flags": ("computes in float32",),
            "witness": Witness(
                shape=(2,),
                prediction=("0x1.921fb54442d18p+1", "-0x1p-3"),
                target=("0x1.5bf0a8b145769p+1", "0x1p-3"),
                expected="0x1.921fb54442d18p+3",
                allowed=("0x1.921fb54442d14p+3", "0x1.921fb54442d1cp+3"),
                observed="0x1.921fb6p+3",
            ),
        }
    elif where.framework == "torch" and where.mode == "compile" and name == "empty":
        new = {"outcome": Outcome.ERROR, "reason": "InductorError: cannot lower an empty reduction (raised while compiling)"}
    elif cell.operation == "mse/last-axis" and where.implementation in {"optax", "MSELoss"}:
        new = {"outcome": Outcome.UNSUPPORTED, "reason": "the entry point has no reduction over the last axis"}
    elif cell.kind == "bound":
        wide = 60 if where.framework == "torch" and where.mode == "compile" and where.dtype in {"float32", "float64"} else 2
        grade = Grade.LINEAR if wide > 2 else _GRADES[where.framework] if where.dtype.endswith(("32", "64")) else Grade.FAITHFUL
        error = draw.uniform(0.3, wide)
        new = {"error_u": error, "error_ulp": error * 0.7, "error_over_bound": error / 64, "grade": grade, "evaluations": 400}
    else:
        new = {"error_u": draw.uniform(0, 0.5), "evaluations": 1}
    return cell.model_copy(update=new | _grown(cell, new))


def _grown(cell: Cell, new: dict[str, object]) -> dict[str, object]:
    """What a growth check has to tell beside its worst error."""
    error = new.get("error_u")
    if not cell.check.endswith(GROWTH) or not isinstance(error, float):
        return {}
    where = cell.target
    sums = "in one order" if where.framework in {"numpy", "jax"} else f"{where.framework} {where.mode}"
    return {
        "growth": tuple(
            AtSize(n=n, error_u=error * n**0.1, allowed_u=4.0 + n / 10, bits=f"{n}: {sums if n > 10 else 'any'}")
            for n in (10, 1_000, 100_000)
        )
    }


def full_run(*, complete: bool = True) -> list[Results]:
    """One results file per framework, in memory."""
    draw = random.Random(7)  # noqa: S311 - made-up errors, no secrets
    parts = []
    for framework, (version, entries, modes) in FRAMEWORKS.items():
        cells = []
        for name in entries:
            for operation in OPERATIONS:
                for mode in modes:
                    for dtype in DTYPES:
                        target = Target(
                            framework=framework,
                            version=version,
                            implementation=f"{name}.{operation[4:]}",
                            device="cpu",
                            mode=mode,
                            dtype=dtype,
                        )
                        for check, kind in _checks(operation):
                            for quantity in QUANTITIES if not check.endswith(GROWTH) else QUANTITIES[:1]:
                                cell = Cell(
                                    check=check,
                                    kind=kind,  # type: ignore[arg-type]  # pydantic checks it
                                    operation=operation,
                                    quantity=quantity,
                                    target=target,
                                    outcome=Outcome.PASS,
                                )
                                cells.append(_judged(cell, draw))
        if framework in {"torch", "jax"}:
            cells += [_absent(framework, "", "cuda", f"{framework} sees no such device on this machine")]
        cut = framework == "keras-jax" and not complete
        parts.append(_results(framework, version, entries, cells[: len(cells) // 3] if cut else cells, complete=not cut))
    missing = _absent("keras-tensorflow", "", "cpu", "keras is not installed: pip install 'mse-conformance[keras]'")
    parts.append(_results("keras-tensorflow", "", {}, [missing]))
    return parts


def _absent(framework: str, version: str, device: str, reason: str) -> Cell:
    return Cell(
        check="mse/mean/case/thirds",
        kind="case",
        operation="mse/mean",
        quantity="value",
        target=Target(framework=framework, version=version, implementation="*", device=device, mode="*", dtype="*"),
        outcome=Outcome.NOT_RUN,
        reason=reason,
    )


def _results(framework: str, version: str, entries: dict[str, str], cells: list[Cell], *, complete: bool = True) -> Results:
    header = Header(
        run="2026-11-23-a1b2c3",
        started="2026-11-23T02:14:07+00:00",
        suite_version="0.1.0",
        specs_digest="5f2c" * 16,
        profile="full",
        environment=RunEnvironment(
            framework=framework,
            version=version,
            python="3.11.13",
            platform="Linux-6.8-x86_64",
            packages={framework: version, "numpy": "2.4.6", "ml_dtypes": "0.6.0"},
            flags={"XLA_FLAGS": "", "threads": "2"},
            devices=("cpu",),
        ),
        entries={f"{name}.{operation[4:]}": entry for name, entry in entries.items() for operation in OPERATIONS},
    )
    counts: dict[Outcome, int] = {}
    for cell in cells:
        counts[cell.outcome] = counts.get(cell.outcome, 0) + 1
    footer = Footer(cells=len(cells), counts=counts, seconds=41.5) if complete else None
    return Results(Path(f"results/{framework}.jsonl"), header, tuple(cells), footer)
