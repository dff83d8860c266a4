"""What can be said of PyTorch without importing it."""

from conformance.frameworks.info import FrameworkInfo, Program

PROGRAM = Program(
    "torch.tensor({floats}, dtype=torch.float64).to(torch.{name}).reshape({shape})",
    imports="import torch",
    calls={"compile": "torch.compile({call})"},
    gradient="for argument in ({names}):\n    argument.requires_grad_()\nvalue = loss({names})\n"
    "gradients = torch.autograd.grad(value, ({names}), upstream.to(value.dtype).reshape(value.shape), allow_unused=True)",
    spread="upstream = upstream * torch.ones_like({value})",
)

INFO = FrameworkInfo(
    "torch",
    adapter="conformance.frameworks.torch.adapter:TorchFramework",
    requires=("torch",),
    extras=("torch",),
    device_kinds=("cpu", "cuda"),
    program=PROGRAM,
    start_rank=5,
    subject_name="torch",
)
INFOS = (INFO,)
