"""Accuracy on the validation split, measured while training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tdmi.clips.samples import Windows
from tdmi.config.inference import Inference
from tdmi.data.annotations import on_skeleton
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.protocols.poseval import total_ap
from tdmi.models.method import PoseMethod
from tdmi.prediction.predict import ground_truth_boxes, predict


@dataclass(frozen=True)
class Validation:
    """Mean AP on the windows of the validation split with ground-truth boxes."""

    windows: Windows
    options: Inference

    def __call__(self, method: PoseMethod, device: torch.device) -> float:
        """AP in percent; the method is in training mode afterwards."""
        truth = self.windows.annotations
        found = predict(method, self.windows, ground_truth_boxes(truth), self.options, device)
        method.train()
        return total_ap(on_skeleton(truth, POSETRACK17), on_skeleton(found, POSETRACK17))
