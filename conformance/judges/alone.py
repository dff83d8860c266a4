"""A subject in a program of its own, as its users run it: the bare file, imported as a module; of the suite there is the decorator."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import conformance
from conformance.frameworks.base import Evaluation, ExecutionReport, Unsupported
from conformance.frameworks.domain import Domain
from conformance.frameworks.info import FrameworkInfo
from conformance.numerics.definition import Inputs
from conformance.numerics.formats import FORMATS, Array
from conformance.results.records import Target
from conformance.runner.messages import Raised
from conformance.runner.sandbox import confine
from conformance.workers import handover
from conformance.workers.runner import RunnerOptions

TIMEOUT = 120.0
"""Seconds for the whole program: it imports its framework."""

_PROGRAM = """\
{preamble}
import importlib.util
import sys

import numpy as np
{imports}

sys.path.insert(0, {folder!r})
spec = importlib.util.spec_from_file_location({module!r}, {file!r})
sys.modules[{module!r}] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

from conformance.subject import _registered

mine = next(one for one in _registered if one.name == {name!r})
whole = {call}


def host(result):
    if hasattr(result, "detach"):
        result = result.detach().cpu().double()
    return np.asarray(result).astype(np.float64)


data, found = np.load("data.npz"), {{}}
for number in range({count}):
    numbers = lambda name: data[f"{{name}}{{number}}"]
    arguments = []
    for key in {names!r}:
        {{key}} = None
        array = numbers(key)
        arguments.append({tensor})
    {unpacked} = arguments
    loss = whole
    value = loss({given})
    found[f"value{{number}}"] = host(value)
    upstream = (lambda array: {upstream})(numbers("upstream"))
    gradients = ()
    if mine.gradient is not None:
        gradients = mine.gradient({given}, upstream)
    elif {differentiates}:
        try:
            loss = {of_floats}
{gradient}
        except Exception:
            gradients = ()
    for place, gradient in enumerate(gradients):
        if gradient is not None:
            found[f"gradient{{place}}-{{number}}"] = host(gradient)
np.savez("found.npz", **found)
"""


def evaluations(
    info: FrameworkInfo, file: Path, target: Target, inputs: Sequence[Inputs], options: RunnerOptions, domain: Domain
) -> list[Evaluation]:
    """Values and gradients of inputs of one operation, in a process that is started for them.

    Raises:
        Unsupported: no program is written in the framework, or in the mode.
        Raised: the program did not run to its end.
    """
    truth_values = domain.mask_dtype == "bool"
    if info.program is None or (target.mode != "eager" and target.mode not in info.program.calls):
        raise Unsupported(f"no program is written in {info.name} in the mode {target.mode}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.savez(folder / "data.npz", allow_pickle=False, **_data(inputs, truth_values=truth_values))
        (folder / "main.py").write_text(_program(info, file, target, inputs, truth_values=truth_values), encoding="utf-8")
        package = Path(conformance.__file__).resolve().parent.parent if options.python is None else handover.folder()
        environment = {**handover.variables(os.environ), "PYTHONPATH": str(package)}
        if info.backend_variable:
            environment[info.backend_variable] = info.name.rpartition("-")[2]
        _run(folder, str(options.python or sys.executable), environment, sandbox=options.sandbox)
        try:
            with np.load(folder / "found.npz", allow_pickle=False) as found:
                return [_evaluation(found, number, target, domain.half_result or target.dtype) for number in range(len(inputs))]
        except (OSError, ValueError, KeyError):
            raise _Failed("by itself, without the suite, it gives no results") from None


def _run(folder: Path, python: str, environment: Mapping[str, str], *, sandbox: bool) -> None:
    """Run the program to its end. Its parent is none of ours: a shell starts it and ends at once."""
    started = subprocess.Popen(  # noqa: S603 - the file is run as the user who names it, here as everywhere
        ["/bin/sh", "-c", '("$0" main.py </dev/null >/dev/null 2>said; echo $? >rc.part; mv rc.part rc) &', python],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=partial(confine, str(folder)) if sandbox else None,  # noqa: PLW1509 - nothing is held that it could wait for
    )
    started.wait()
    deadline = time.monotonic() + TIMEOUT
    try:
        while not (folder / "rc").is_file():
            if time.monotonic() > deadline:
                raise _Failed(f"by itself, without the suite, it did not end in {TIMEOUT:.0f} s")
            time.sleep(0.02)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(started.pid, signal.SIGKILL)
    if (folder / "rc").read_text().strip() != "0":
        said = [line.strip() for line in (folder / "said").read_text(errors="replace").splitlines() if line.strip()] or ["nothing"]
        raise _Failed(f"by itself, without the suite, it does not run; its last words: {said[-1][:200]}")


class _Failed(Raised):
    """The program did not run to its end."""


def _data(inputs: Sequence[Inputs], *, truth_values: bool) -> dict[str, Array]:
    """Every format fits into float64."""
    data: dict[str, Any] = {}
    for number, one in enumerate(inputs):
        for name in ("prediction", "target", "weight", "upstream"):
            array = getattr(one, name)
            if array is not None:
                data[f"{name}{number}"] = array.astype(bool if truth_values and name == "weight" else np.float64)
    return data


def _program(info: FrameworkInfo, file: Path, target: Target, inputs: Sequence[Inputs], *, truth_values: bool) -> str:
    written = info.program
    assert written is not None, "no program is written in the framework"
    weighted = inputs[0].weight is not None
    names = ["prediction", "target", *(["weight"] if weighted else [])]
    given = ", ".join(names)
    dtype = "ml_dtypes.bfloat16" if target.dtype == "bfloat16" else f"np.{target.dtype}"

    def tensor(text: str) -> str:
        return written.tensor.format(floats=text, dtype=dtype, name=target.dtype, shape="array.shape")

    masked = truth_values and weighted  # a mask of truth values has no gradient
    floats = ", ".join(names[:2]) if masked else given
    gradient = written.gradient.format(names=floats) if written.gradient else "pass"
    imports = [*(["import ml_dtypes"] if target.dtype == "bfloat16" else []), *written.imports.splitlines()]
    text = file.read_text(encoding="utf-8", errors="replace")
    imports += [line for word, line in written.imports_where.items() if f"{word}." in text]
    return _PROGRAM.format(
        preamble=written.preamble,
        imports="\n".join(imports),
        folder=str(file.resolve().parent),
        module=file.stem,
        file=str(file.resolve()),
        name=target.implementation,
        call=written.calls.get(target.mode, "{call}").format(call="mine.call"),
        count=len(inputs),
        names=names,
        tensor=f"({tensor('array')}) != 0 if array.dtype == bool else ({tensor('array')})",
        unpacked=given if len(names) > 1 else f"{given},",
        given=given,
        upstream=tensor("array"),
        differentiates=bool(written.gradient),
        of_floats=f"lambda {floats}: whole({given})" if masked else "whole",
        gradient="\n".join(f"            {line}" for line in gradient.splitlines()),
    ).replace("        {key} = None\n", "")


def _evaluation(found: Mapping[str, Array], number: int, target: Target, narrowest: str) -> Evaluation:
    """In the narrowest format that holds what was printed, but not narrower than asked for; the value in one that may be as narrow."""
    arrays = {f"value{number}": "value"}
    arrays |= {f"gradient{place}-{number}": name for place, name in enumerate(("prediction", "target", "weight"))}
    there = {name: found[key] for key, name in arrays.items() if key in found}
    wide = any(not _fits(array, target.dtype) for array in there.values())
    dtype = FORMATS["float64" if wide else target.dtype].dtype
    value = there.pop("value")
    value = value.astype(FORMATS[narrowest].dtype if _fits(value, narrowest) else dtype)
    gradients = {f"gradient/{name}": array.astype(dtype) for name, array in there.items()}
    report = ExecutionReport(target.device, target.mode, value.dtype.name, value.shape)
    return Evaluation(value, gradients, report, "the program without the suite found none")


def _fits(array: Array, dtype: str) -> bool:
    with np.errstate(all="ignore"):
        narrow = array.astype(FORMATS[dtype].dtype).astype(np.float64)
    return bool(np.array_equal(narrow, array, equal_nan=True))
