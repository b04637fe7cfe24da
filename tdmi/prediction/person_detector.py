"""Person boxes from torchvision's Faster R-CNN, for videos and data sets that come without boxes.

The weights are a file that the user has (`find_weights`); nothing is ever downloaded here. Results
with these boxes are comparable with one another, not with published ones, whose detectors differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.models.detection import (
    FasterRCNN_ResNet50_FPN_V2_Weights,
    fasterrcnn_resnet50_fpn_v2,
)
from tqdm import tqdm

from tdmi.core.errors import UserError
from tdmi.data.detections import Detections

ARCHITECTURE = "fasterrcnn_resnet50_fpn_v2"
PUBLISHED = FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1
PERSON = 1
"""COCO's category."""


def untrained_detector() -> nn.Module:
    return fasterrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)


def find_weights(given: Path | None) -> Path:
    """The file `given`, or torchvision's published one if it lies in the hub's cache.

    UserError with the address and the place to put it if there is neither.
    """
    cached = Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED.url.rpartition("/")[2]
    path = given or cached
    if not path.is_file():
        raise UserError(
            f"{path}: no such file, expected weights of torchvision's {ARCHITECTURE}; fetch "
            f"{PUBLISHED.url} and give its place on the command line or save it in {cached.parent} "
            "(nothing is downloaded by itself)"
        )
    return path


def load_detector(path: Path, device: torch.device | str = "cpu") -> nn.Module:
    """The detector with the weights of a state dictionary file, ready to use."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        detector = untrained_detector()
        detector.load_state_dict(state)
    except Exception as error:
        raise UserError(
            f"{path}: no weights of torchvision's {ARCHITECTURE} ({type(error).__name__}); "
            f"fetch {PUBLISHED.url} again"
        ) from None
    return detector.to(device).eval()


@torch.no_grad()
def detect(
    frames: Iterable[np.ndarray],
    image_ids: Iterable[int],
    detector: nn.Module,
    device: torch.device | str = "cpu",
    threshold: float = 0.05,
    total: int | None = None,
) -> Detections:
    """Boxes of all persons that reach the score `threshold`, best first within a frame.

    Args:
        frames: [H, W, 3] uint8 RGB, read one by one.
        image_ids: one for each frame, written to its boxes.
        total: number of frames, for the progress bar.
    """
    ids, boxes, scores = [], [np.zeros((0, 4))], [np.zeros(0)]
    bar = tqdm(frames, desc="detect", total=total, unit="frame", disable=None)
    for frame, image_id in zip(bar, image_ids, strict=True):
        picture = torch.from_numpy(frame).to(device).movedim(-1, 0).float() / 255
        found = {name: value.cpu() for name, value in detector([picture])[0].items()}
        keep = (found["labels"] == PERSON) & (found["scores"] >= threshold)
        corners = found["boxes"][keep].double().numpy()
        boxes.append(np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1))
        scores.append(found["scores"][keep].double().numpy())
        ids += [image_id] * len(corners)
    return Detections(
        np.array(ids, dtype=np.int64),
        np.full(len(ids), PERSON),
        np.concatenate(boxes),
        np.concatenate(scores),
    )
