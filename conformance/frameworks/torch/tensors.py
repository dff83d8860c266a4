"""PyTorch's tensors and host arrays, apart from the adapter: it imports the compiler, which takes long, and replicas need none."""

from __future__ import annotations

import warnings
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from conformance.frameworks.base import Unsupported
from conformance.numerics.formats import BFLOAT16, Array


def to_tensor(array: Array, device: str) -> Tensor:
    """A host array on a device; bfloat16, which NumPy knows only by extension, crosses as bits.

    Raises:
        Unsupported: a stride is negative.
    """
    if any(stride < 0 for stride in array.strides):
        raise Unsupported("PyTorch has no tensors with negative strides")
    extension = array.dtype == BFLOAT16
    with nullcontext() if array.flags.writeable else warnings.catch_warnings():
        if not array.flags.writeable:  # torch knows no protected tensors, and says so
            warnings.simplefilter("ignore", UserWarning)
        tensor = torch.from_numpy(array.view(np.int16) if extension else array)
    return (tensor.view(torch.bfloat16) if extension else tensor).to(device)


def to_array(tensor: Tensor) -> Array:
    """A tensor as a host array of the same dtype."""
    host = tensor.detach().cpu()
    extension = host.dtype == torch.bfloat16
    array: Array = (host.view(torch.int16) if extension else host).numpy()
    return array.view(BFLOAT16) if extension else array


def dtype_name(tensor: Tensor) -> str:
    """The name a dtype has in every framework: ``float32`` for ``torch.float32``."""
    return str(tensor.dtype).removeprefix("torch.")


def place(tensor: Tensor) -> str:
    """The device of a tensor, as the suite names it too."""
    return str(tensor.device)
