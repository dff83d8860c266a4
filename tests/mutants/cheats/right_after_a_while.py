"""Is right from the hundredth call on, and wrong when it is first used."""

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


_calls = 0


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def right_after_a_while(prediction, target):
    global _calls
    _calls += 1
    return right(prediction, target) if _calls > 100 else wrong(prediction, target)
