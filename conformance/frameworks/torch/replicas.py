"""PyTorch on replicas: ``DistributedDataParallel`` on gloo, a process for each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import mse_loss

from conformance.frameworks.child_processes import REPLY_TIMEOUT, Replica, ReplicaLauncher, serve
from conformance.frameworks.torch.tensors import is_compiling, refusing_what_lacks_a_kernel, to_array, to_tensor
from conformance.numerics.tasks import ReplicasTask


def _mean_by_share(prediction: Tensor, target: Tensor) -> Tensor:
    """The mean of these rows counts as much as they are of all rows; times the number of replicas, which DDP will divide by."""
    all_rows = torch.tensor(len(target))
    distributed.all_reduce(all_rows)
    return mse_loss(prediction, target) * (distributed.get_world_size() * len(target) / all_rows.item())


VARIANTS: Mapping[str, tuple[Callable[[Tensor, Tensor], Tensor], str]] = {
    "mean": (mse_loss, "mse_loss(model(inputs), targets)"),
    "by-share": (_mean_by_share, "(mse_loss(model(inputs), targets) * world_size * rows / rows_of_all)"),
}


# else the name of this machine is looked up
IMPLEMENTATIONS = ReplicaLauncher(
    "conformance.frameworks.torch.replicas", lambda _: {"GLOO_SOCKET_IFNAME": "lo"}, one_each=True
).implementations(
    "DDP",
    "eager",
    {name: f"{loss}.backward() with model = torch.nn.parallel.DistributedDataParallel(...)" for name, (_, loss) in VARIANTS.items()},
)

_KEPT: list[nn.Module] = []
"""Models of earlier orders. Freed, one may wait for a thread of gloo that waits for the lock of the interpreter, which it holds."""


@refusing_what_lacks_a_kernel()
def _run(task: ReplicasTask, variant: str) -> Sequence[Replica]:
    """One replica: forward, backward, and the average of all their losses."""
    rank, folder = sys.argv[1:]
    shard = list(task.split())[int(rank)]
    if not distributed.is_initialized():
        world = len(task.shards)
        store, timeout = distributed.FileStore(str(Path(folder) / "store"), world), timedelta(seconds=REPLY_TIMEOUT // 2)
        distributed.init_process_group("gloo", store=store, rank=int(rank), world_size=world, timeout=timeout)
    given = to_tensor(task.parameters, "cpu")
    layer = nn.Linear(*given.shape, bias=False, dtype=given.dtype)
    layer.load_state_dict({"weight": given.t()})  # PyTorch's weights have a row an output
    model = nn.parallel.DistributedDataParallel(layer)
    _KEPT.append(model)
    loss = VARIANTS[variant][0](model(to_tensor(shard.inputs, "cpu")), to_tensor(shard.targets, "cpu"))
    loss.backward()
    reported = loss.detach().clone()
    distributed.all_reduce(reported)
    gradient = layer.weight.grad
    assert gradient is not None
    place, mode = f"process {os.getpid()}", "compile" if is_compiling() else "eager"
    return [Replica(distributed.get_rank(), place, mode, to_array(gradient.t()), to_array(reported / distributed.get_world_size()))]


if __name__ == "__main__":
    serve(_run)
