"""Wrong at the ends of the range in PyTorch: clamps, and NaN that is skipped."""

from __future__ import annotations

from typing import Any

import conformance


@conformance.implementation("mse/mean", framework="torch", name="torch-clamps-the-squares")
def clamps_the_squares(prediction: Any, target: Any) -> Any:
    """Outliers are clamped, and the gradient of a clamp is zero."""
    return (prediction - target).square().clamp(max=100).mean()


@conformance.implementation("mse/sum", framework="torch", name="torch-sum-masks-nan")
def sum_masks_nan(prediction: Any, target: Any) -> Any:
    """``nansum``: missing labels are skipped, value and gradient."""
    return (prediction - target).square().nansum()
