"""Accuracy on the validation split, measured while training."""

from __future__ import annotations

from typing import Any

import torch

from tdmi.data.annotations import on_skeleton
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.protocols.poseval import total_ap
from tdmi.experiments.build import read_split, split_windows
from tdmi.models.method import PoseMethod
from tdmi.prediction.predict import InferenceOptions, ground_truth_boxes, predict


class Validation:
    """Mean AP on the validation split with ground-truth boxes, measured while training."""

    def __init__(self, settings: dict[str, Any], window: tuple[int, ...]) -> None:
        self.annotations = read_split(settings, "validation")
        self.windows = split_windows(settings, self.annotations, window)
        self.options = InferenceOptions(**settings["inference"])

    def __call__(self, method: PoseMethod, device: torch.device) -> float:
        boxes = ground_truth_boxes(self.annotations)
        predicted = predict(method, self.windows, boxes, self.options, device)
        method.train()
        truth, guess = (on_skeleton(a, POSETRACK17) for a in (self.annotations, predicted))
        return total_ap(truth, guess)
