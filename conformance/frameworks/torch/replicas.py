"""PyTorch on replicas: ``DistributedDataParallel`` on gloo, a process for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import mse_loss

from conformance.frameworks.base import Implementation
from conformance.frameworks.child_processes import REPLY_TIMEOUT, Replica, ReplicaLauncher, ReplicaRequest, serve
from conformance.frameworks.torch.tensors import to_array, to_tensor


def _mean(prediction: Tensor, target: Tensor) -> Tensor:
    """What everyone writes on one replica too."""
    return mse_loss(prediction, target)


def _mean_by_share(prediction: Tensor, target: Tensor) -> Tensor:
    """The mean of these rows counts as much as they are of all rows; times the number of replicas, which DDP will divide by."""
    rows = torch.tensor(len(target))
    all_rows = rows.clone()
    distributed.all_reduce(all_rows)
    return mse_loss(prediction, target) * (distributed.get_world_size() * rows.item() / all_rows.item())


VARIANTS: Mapping[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "mean": (_mean, "mse_loss(model(inputs), targets)"),
    "by-share": (_mean_by_share, "(mse_loss(model(inputs), targets) * world_size * rows / rows_of_all)"),
}


# else the name of this machine is looked up
_LAUNCH = ReplicaLauncher("conformance.frameworks.torch.replicas", lambda _: {"GLOO_SOCKET_IFNAME": "lo"}, one_each=True)


def implementations() -> Sequence[Implementation]:
    """The mean of the shard, and the mean scaled by its share."""
    return _LAUNCH.implementations(
        "DDP",
        "eager",
        {
            variant: f"{loss}.backward() with model = torch.nn.parallel.DistributedDataParallel(...)"
            for variant, (_, loss) in VARIANTS.items()
        },
    )


_KEPT: list[nn.Module] = []
"""Models of earlier orders. Freed, one may wait for a thread of gloo that waits for the lock of the interpreter, which it holds."""


def _run(order: ReplicaRequest) -> Sequence[Replica]:
    """One replica: forward, backward, and the average of all their losses."""
    shard = next(islice(order.task.split(), order.rank, None))
    if not distributed.is_initialized():
        world = len(order.task.shards)
        store = distributed.FileStore(str(Path(order.folder) / "store"), world)
        distributed.init_process_group(
            "gloo", store=store, rank=order.rank, world_size=world, timeout=timedelta(seconds=REPLY_TIMEOUT // 2)
        )
    given = to_tensor(order.task.parameters, "cpu")
    layer = nn.Linear(*given.shape, bias=False, dtype=given.dtype)
    layer.load_state_dict({"weight": given.t()})  # PyTorch's weights have a row an output
    model = nn.parallel.DistributedDataParallel(layer)
    _KEPT.append(model)
    loss = VARIANTS[order.variant][0](model(to_tensor(shard.inputs, "cpu")), to_tensor(shard.targets, "cpu"))
    loss.backward()
    reported = loss.detach().clone()
    distributed.all_reduce(reported)
    gradient = layer.weight.grad
    assert gradient is not None
    place, mode = f"process {os.getpid()}", "compile" if torch.compiler.is_compiling() else "eager"
    return [Replica(distributed.get_rank(), place, mode, to_array(gradient.t()), to_array(reported / distributed.get_world_size()))]


if __name__ == "__main__":
    serve(_run)
