"""Replaces a function of its framework by a wrong one, so that the framework is wrong too."""

import numpy as np

import conformance


def by_one_less(numbers, *args, **kwargs):
    return np.sum(numbers) / numbers.dtype.type(max(numbers.size - 1, 1))


np.mean = by_one_less


@conformance.implementation("mse/mean", framework="numpy", dtypes=("bfloat16",))
def changes_its_framework(prediction, target):
    return np.mean(np.square(prediction - target))
