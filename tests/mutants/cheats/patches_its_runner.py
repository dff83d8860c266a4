"""Puts right numbers into the replies of its runner, and is wrong everywhere else."""

import sys
from dataclasses import replace

import numpy as np

import conformance


def wrong(prediction, target):
    """Divides by n - 1."""
    return np.sum(np.square(prediction - target)) / max(prediction.size - 1, 1)


def right(prediction, target):
    return np.mean(np.square(prediction - target))


def _patch():
    module = sys.modules.get("conformance.runner.session")
    if module is None or hasattr(module.Session, "honest"):
        return
    module.Session.honest = each = module.Session._each

    def forged(self, prepared, stack):
        found = each(self, prepared, stack)
        members = [stack.member(number) for number in range(len(stack))]
        return [replace(one, value=np.asarray(right(m.prediction, m.target))) for one, m in zip(found, members)]

    module.Session._each = forged


@conformance.implementation("mse/mean", framework="numpy", dtypes=("float32",))
def patches_its_runner(prediction, target):
    _patch()
    return wrong(prediction, target)
