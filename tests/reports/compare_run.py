"""Two made-up frameworks, alpha and beta, that compute the operations of the specs under names that mislead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from conformance.results.reading import Results, read
from conformance.results.records import Cell, Grade, Header, Outcome, RunEnvironment, Target
from conformance.results.writing import Writer

ALPHA = {
    "MSE": ("mse/mean", "alpha.MeanSquaredError()(target, prediction)"),
    "mse": ("mse/last-axis", "alpha.mean_squared_error(target, prediction)"),
    "MSE.sum": ("mse/sum-of-row-means", 'alpha.MeanSquaredError(reduction="sum")(target, prediction)'),
    "MSE.weighted": ("mse/sample-weighted-by-count", "alpha.MeanSquaredError()(target, prediction, sample_weight=weight)"),
    "half": ("mse/half-sum", "alpha.l2_loss(prediction, target)"),
    "formula": ("mse/none", "alpha.square(prediction - target)"),
}
BETA = {
    "mse_loss": ("mse/mean", "beta.mse_loss(prediction, target)"),
    "mse_loss.sum": ("mse/sum", 'beta.mse_loss(prediction, target, reduction="sum")'),
    "mse_loss.weighted": ("mse/weighted-mean", "beta.mse_loss(prediction, target, weight=weight)"),
    "rows": ("mse/last-axis", "beta.mean(beta.square(prediction - target), axis=-1)"),
}


def cell(framework: str, implementation: str, operation: str, check: str, dtype: str = "float32", **fields: Any) -> Cell:
    """A cell that passes, unless the fields say otherwise; ``check`` is ``kind/name``."""
    target = {"framework": framework, "version": "1.0", "implementation": implementation, "device": "cpu", "mode": "eager", "dtype": dtype}
    mode = fields.pop("mode", "eager")
    base = {
        "check": f"{operation}/{check}",
        "kind": check.partition("/")[0],
        "operation": operation,
        "quantity": "value",
        "target": Target(**{**target, "mode": mode}),
        "outcome": Outcome.PASS,
    }
    return Cell.model_validate(base | fields)


def plain(framework: str, entries: Mapping[str, tuple[str, str]]) -> list[Cell]:
    """One pinned case of every entry point, passed."""
    return [cell(framework, name, operation, f"case/{operation[4:]}-matrix") for name, (operation, _) in entries.items()]


def alpha() -> list[Cell]:
    """What alpha does: it narrows float64, takes ranks alike, and calls the mean of nothing 0."""
    question = "behaviour/column-against-vector"
    return [
        *plain("alpha", ALPHA),
        cell("alpha", "MSE", "mse/mean", question, answer="0 · float32 · shape () · alpha.Tensor"),
        cell("alpha", "MSE", "mse/mean", "behaviour/lists", answer="7 · float32 · shape () · alpha.Tensor"),
        cell("alpha", "MSE", "mse/mean", "behaviour/empty", answer="0 · float32 · shape () · alpha.Tensor"),
        cell(
            "alpha",
            "MSE",
            "mse/mean",
            "case/mean-thirds",
            "float64",
            outcome="deviation",
            flags=("returns float32",),
            reason="Narrow. Widen.",
        ),
        cell("alpha", "MSE", "mse/mean", "case/mean-empty", outcome="deviation", reason="Nothing is 0. Refuse it."),
        cell("alpha", "MSE", "mse/mean", "law/subnormals-as-declared"),
        cell("alpha", "MSE", "mse/mean", "bound/accuracy", error_u=2.0, grade=Grade.CONSTANT),
        cell("alpha", "MSE", "mse/mean", "law/policy-half-accumulation", "float16", flags=("half-accumulation: wider",)),
        cell("alpha", "MSE", "mse/mean", "case/mean-compiled"),
    ]


def beta() -> list[Cell]:
    """What beta does: it broadcasts, flushes subnormals, loses digits, and breaks one case when it compiles."""
    question = "behaviour/column-against-vector"
    return [
        *plain("beta", BETA),
        cell("beta", "mse_loss", "mse/mean", question, answer="1.3333 · float32 · shape () · beta.Tensor · warns UserWarning: sizes"),
        cell("beta", "mse_loss", "mse/mean", "behaviour/lists", answer="raises TypeError: no"),
        cell("beta", "mse_loss", "mse/mean", "behaviour/empty", answer="nan · float32 · shape () · beta.Tensor"),
        cell("beta", "mse_loss", "mse/mean", "case/mean-thirds", "float64"),
        cell("beta", "mse_loss", "mse/mean", "case/mean-empty"),
        cell("beta", "mse_loss", "mse/mean", "law/subnormals-as-declared", flags=("flushes subnormals",)),
        cell("beta", "mse_loss", "mse/mean", "bound/accuracy", error_u=90.0, grade=Grade.LINEAR),
        cell("beta", "mse_loss", "mse/mean", "law/policy-half-accumulation", "float16", flags=("half-accumulation: input format",)),
        cell("beta", "mse_loss", "mse/mean", "case/mean-compiled"),
        cell("beta", "mse_loss", "mse/mean", "case/mean-compiled", mode="compile", outcome="error", reason="it raises: no such kernel"),
    ]


def write(
    folder: Path, framework: str, cells: Iterable[Cell], entries: Mapping[str, str], *, complete: bool = True, digest: str = "d"
) -> Results:
    """A results file, written and read again."""
    header = Header(
        run="r",
        started="2026-11-23T00:00:00+00:00",
        suite_version="0.1.0",
        specs_digest=digest,
        profile="quick",
        environment=RunEnvironment(framework=framework, version="1.0"),
        entries=dict(entries),
    )
    with Writer(folder / f"{framework}.jsonl", header) as writer:
        for one in cells:
            writer.append(one)
        if complete:
            writer.close(1.0)
    return read(folder / f"{framework}.jsonl")


def write_both(folder: Path) -> Path:
    """The results of both."""
    write(folder, "alpha", alpha(), {name: text for name, (_, text) in ALPHA.items()})
    write(folder, "beta", beta(), {name: text for name, (_, text) in BETA.items()})
    return folder
