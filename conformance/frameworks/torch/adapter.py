"""PyTorch: ``mse_loss``, ``MSELoss`` and the written-out forms, eager, through ``torch.compile`` and through ``torch.vmap``."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from conformance.frameworks.base import (
    Device,
    Environment,
    Evaluate,
    Evaluation,
    ExecutionMismatch,
    ExecutionReport,
    Implementation,
    Unsupported,
)
from conformance.frameworks.helpers import arguments, assemble, modified_arguments, not_differentiable, require, versions_of
from conformance.frameworks.probe import Probe
from conformance.frameworks.torch import replicas, training
from conformance.frameworks.torch.compiler import LimitReached, fresh_compiler, graphs
from conformance.frameworks.torch.implementations import BATCHES, IMPLEMENTATIONS, MODES
from conformance.frameworks.torch.info import INFO
from conformance.frameworks.torch.probe import TorchProbe
from conformance.frameworks.torch.tensors import dtype_name, is_compiling, to_array, to_tensor, with_gradient
from conformance.frameworks.vmap import VMAP, member_shape, require_batched
from conformance.numerics.definition import Inputs, Shape

PLAIN = (Tensor, torch.nn.Parameter)
NO_PATH = "the value does not depend on the inputs as autograd sees it"


class TorchFramework:
    """PyTorch on the CPU and on every CUDA device."""

    name = "torch"
    info = INFO
    with_gradient = staticmethod(with_gradient)

    def environment(self) -> Environment:
        """Versions, and what changes numerics: threads, vector width, reduced precision, flushing, determinism."""
        tiny = torch.tensor(1e-20)
        flags = {
            "num_threads": str(torch.get_num_threads()),
            "cpu_capability": _cpu_capability(),
            "flush_denormal": str(bool((tiny * tiny == 0).item())),  # observed: torch has a setter and no getter
            "default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
            "float32_matmul_precision": torch.get_float32_matmul_precision(),
            "deterministic_algorithms": str(torch.are_deterministic_algorithms_enabled()),
            "cuda.allow_tf32": str(torch.backends.cuda.matmul.allow_tf32),
        }
        for variable in ("ATEN_CPU_CAPABILITY", "OMP_NUM_THREADS", "TORCH_COMPILE_DISABLE", "TORCHINDUCTOR_FREEZING"):
            if variable in os.environ:
                flags[variable] = os.environ[variable]
        packages = versions_of("numpy", "ml_dtypes")
        if torch.version.cuda:
            packages["cuda"] = str(torch.version.cuda)
        return Environment(self.name, str(torch.__version__), packages, flags)

    def devices(self) -> Sequence[Device]:
        """The CPU, then each CUDA device. None of them flushes subnormals by default."""
        return (Device("cpu", "cpu"), *(Device(f"cuda:{index}", "cuda") for index in range(torch.cuda.device_count())))

    def implementations(self) -> Sequence[Implementation]:
        """The function, the module, the written-out forms, and training and replicas with them."""
        return (*IMPLEMENTATIONS, *training.IMPLEMENTATIONS, *replicas.IMPLEMENTATIONS)

    def probe(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Probe:  # noqa: ARG002 - the same for all
        """What goes beyond value and gradients, of single inputs."""
        return Probe() if mode == VMAP else TorchProbe(implementation, device, mode)

    def prepare(self, implementation: Implementation, device: str, mode: str, dtype: str) -> Evaluate:
        """One forward and one backward pass per evaluation; a compiled target starts from an empty compiler.

        Preparing a compiled target drops the graphs of those prepared before: they would be compiled again.
        """
        require(self, implementation, device, mode, (*MODES, VMAP) if BATCHES else MODES, dtype)
        if mode == VMAP:
            return lambda stack: _evaluate_batch(implementation.call, stack, device)

        def marked(*inputs: Tensor) -> tuple[Any, bool]:
            # Inside a compiled graph the mark is the constant True; any way of running eager returns False.
            return implementation.call(*inputs), is_compiling()

        run: Callable[..., tuple[Any, bool]] = marked
        before = 0
        if mode == "compile":
            before = fresh_compiler()
            run = torch.compile(marked, fullgraph=True)
        return lambda inputs: _evaluate(run, inputs, device, mode, before)


def _cpu_capability() -> str:
    """The vector extensions in use; before PyTorch 2.1 only what describes the build tells them."""
    if hasattr(torch.backends, "cpu"):
        return str(torch.backends.cpu.get_cpu_capability())
    said = re.search(r"CPU capability usage: (\S+)", torch.__config__.show())
    return said[1] if said else "not told by this version"


def _evaluate(run: Callable[..., tuple[Any, bool]], inputs: Inputs, device: str, mode: str, before: int) -> Evaluation:
    tensors = [to_tensor(array, device) for array in arguments(inputs)]
    wanted = [tensor.requires_grad_() for tensor in tensors if tensor.is_floating_point()]  # a mask may be of truth values

    def changed() -> tuple[str, ...]:
        return modified_arguments(inputs, [to_array(tensor) for tensor in tensors])

    try:
        value, compiled = run(*tensors)
        _attest_mode(mode, compiled=compiled, graphs=graphs() - before if mode == "compile" else 0)
        if type(value) not in PLAIN:  # a subclass may show other numbers to whoever looks than to whoever computes
            raise TypeError(f"the implementation returned {type(value).__name__}, expected a torch.Tensor")
        executed_as = ExecutionReport(str(value.device), "compile" if compiled else "eager", dtype_name(value), tuple(value.shape))
        reason = not_differentiable(executed_as.shape, inputs.upstream.shape) or ("" if value.requires_grad else NO_PATH)
        if reason:
            return Evaluation(to_array(value), {}, executed_as, reason, changed())
        upstream = to_tensor(np.array(inputs.upstream, order="C"), device).to(value)
        gradients = torch.autograd.grad(value, wanted, upstream, allow_unused=True)
    except LimitReached as error:
        raise ExecutionMismatch("torch.compile reached its recompile limit and would have run eager") from error
    except (NotImplementedError, RuntimeError) as error:
        if "not implemented for" in str(error):  # how torch says that it has no kernel for a dtype
            raise Unsupported(str(error).splitlines()[0]) from error
        raise
    _require_one_device(value, gradients)
    parts = [None if gradient is None else to_array(gradient) for gradient in gradients]
    return assemble(to_array(value), parts, executed_as, changed=changed())


def _evaluate_batch(call: Callable[..., Any], stack: Inputs, device: str) -> Evaluation:
    """``torch.vmap`` over value and ``torch.func.vjp`` of one member. A gradient to which no path leads is zero there, not missing."""
    tensors = [to_tensor(array, device) for array in arguments(stack)]
    seen: list[Shape] = []

    def differentiated(upstream: Tensor, *inputs: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        seen.append(tuple(inputs[0].shape))
        floats = [tensor for tensor in inputs if tensor.is_floating_point()]  # a mask, which comes last, may be of truth values
        value, pullback = torch.func.vjp(lambda *given: call(*given, *inputs[len(floats) :]), *floats)
        return value, pullback(upstream.to(value.dtype)) if value.shape == upstream.shape else ()

    try:
        with _no_loops():
            value, gradients = torch.vmap(differentiated)(to_tensor(np.array(stack.upstream, order="C"), device), *tensors)
    except (NotImplementedError, RuntimeError) as error:
        if any(said in str(error) for said in _NOT_BATCHED):
            raise Unsupported(str(error).splitlines()[0]) from error
        raise
    require_batched(seen, stack)
    _require_one_device(value, gradients)
    executed_as = ExecutionReport(str(value.device), VMAP, dtype_name(value), tuple(value.shape))
    reason = not_differentiable(member_shape(VMAP, executed_as.shape), member_shape(VMAP, stack.upstream.shape))
    return assemble(to_array(value), [to_array(gradient) for gradient in gradients], executed_as, reason)


_NOT_BATCHED = (
    "vmap: ",
    "You tried to vmap over",
    "must override the setup_context",
    "hit the vmap fallback which is currently disabled",
    "not implemented for",
)
"""How torch says that it has no rule for batches, or no kernel."""


@contextmanager
def _no_loops() -> Iterator[None]:
    """Inside, what has no rule for batches raises; otherwise ``torch.vmap`` runs it in a loop, with a warning."""
    allow = getattr(torch._C._functorch, "_set_vmap_fallback_enabled", None)  # noqa: SLF001 - torch offers no public way
    if allow is None:
        yield
        return
    allow(False)  # noqa: FBT003 - torch's own, which names no argument
    try:
        yield
    finally:
        allow(True)  # noqa: FBT003 - likewise


def _require_one_device(value: Tensor, gradients: Sequence[Tensor | None]) -> None:
    elsewhere = [str(gradient.device) for gradient in gradients if gradient is not None and gradient.device != value.device]
    if elsewhere:
        raise ExecutionMismatch(f"the value was computed on {value.device}, a gradient on {elsewhere[0]}")


def _attest_mode(mode: str, *, compiled: bool, graphs: int) -> None:
    if mode == "compile" and not (compiled and graphs > 0):
        raise ExecutionMismatch("torch.compile ran the function eager instead of compiling it")
    if mode == "eager" and compiled:
        raise ExecutionMismatch("the function was asked to run eager but was compiled")
