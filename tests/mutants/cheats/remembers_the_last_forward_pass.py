"""Keeps the inputs of a backward pass in one place: with two losses at a time the first has the gradient of the second."""

import torch

import conformance


class Remembering(torch.autograd.Function):
    last = ()

    @staticmethod
    def forward(ctx, prediction, target):
        Remembering.last = prediction, target
        return (prediction - target).square().mean()

    @staticmethod
    def backward(ctx, upstream):
        prediction, target = Remembering.last
        part = 2 * upstream / max(prediction.numel(), 1) * (prediction - target)
        return part, -part


@conformance.implementation("mse/mean", framework="torch", dtypes=("float32",))
def remembers_the_last_forward_pass(prediction, target):
    return Remembering.apply(prediction, target)
