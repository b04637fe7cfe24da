"""Squared error between predicted and target heatmaps."""

from __future__ import annotations

from torch import Tensor


def heatmap_loss(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor,
    *,
    factor: float = 1.0,
    foreground: float = 0.0,
) -> Tensor:
    """Mean over joints, batch and pixels of `factor * (weight * (prediction - target))**2`.

    `prediction`, `target` [B, J, h, w]; `weight` [B, J], inside the square, so unlabelled joints
    (weight 0) count as zeros in the mean. Returns a scalar.

    `factor`: 0.5 is the loss of HRNet, SimpleBaseline and PoseWarper; 1 that of DCPose, FAMI-Pose
    and TDMI (squared error in the paper; no half in the authors' review-time code).

    `foreground`: every squared error is multiplied by `1 + foreground * target`. 0 (default) is the
    published loss. A choice of this project, with the value 9, for training from scratch: some 97 %
    of a target is background, and within a small budget the plain mean sticks at one mean pose. The
    weighted error is zero for the same prediction, but where the target is uncertain its optimum is
    higher than the target's mean, so peaks are less faint.
    """
    error = (weight[:, :, None, None] * (prediction - target)).square()
    if foreground:
        error = error * (1 + foreground * target)
    return factor * error.mean()
