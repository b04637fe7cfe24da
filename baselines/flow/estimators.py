"""The interface of flow estimators, and those of OpenCV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, cast, get_args

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tdmi.core.checks import choose
from tdmi.core.errors import UserError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as OpenCV converts RGB to grey
NO_FLOW = cast(np.ndarray, None)  # OpenCV makes the array for the result

Preset = Literal["ultrafast", "fast", "medium"]


class FlowEstimator(Protocol):
    """Anything that gives the flow from one batch of images to another."""

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """[N, 3, H, W] RGB in 0..1, twice -> [N, 2, H, W] float32, (dx, dy) in px from `first` to
        `second`, on the device of the images, without gradient."""
        ...


def denormalised(frames: Tensor) -> Tensor:
    """ImageNet-normalised RGB [..., 3, H, W] -> RGB in 0..1."""
    std, mean = (frames.new_tensor(v).view(3, 1, 1) for v in (IMAGENET_STD, IMAGENET_MEAN))
    return frames * std + mean


def grey(images: Tensor) -> NDArray[np.uint8]:
    """RGB in 0..1 [..., 3, H, W] -> 8-bit grey [..., H, W]."""
    value = (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(dim=-3) * 255
    return value.round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def check_size(estimator: str, images: Tensor, smallest: int) -> None:
    """Raise UserError if a side of `images` [..., H, W] is below `smallest` px."""
    height, width = images.shape[-2:]
    if min(height, width) < smallest:
        raise UserError(
            f"optical flow {estimator}: found crops of {height}x{width} px, expected at least "
            f"{smallest} px on each side; use larger crops or another flow.estimator"
        )


class DISFlow:
    """Dense inverse search (Kroeger et al., ECCV 2016) of OpenCV, on the CPU, on grey images.

    Each pair gets a new OpenCV object: a used one keeps parts of its buffers and, at some image
    sizes, returns slightly different flow for the same pair. Images need 32 px on each side (choice
    of this project; OpenCV fails below 12 px and crashes on some narrow images up to 31 px).
    """

    smallest = 32

    def __init__(self, preset: Preset = "medium") -> None:
        choose("flow.preset", preset, get_args(Preset))
        self.preset: int = getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}")

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        check_size("dis", first, self.smallest)
        return _by_pairs(
            lambda a, b: cv2.DISOpticalFlow.create(self.preset).calc(a, b, NO_FLOW), first, second
        )


class FarnebackFlow:
    """Polynomial expansion (Farnebäck, SCIA 2003) of OpenCV, on the CPU, on grey images.

    Three pyramid levels of half size each, windows of 15 px, 3 iterations, polynomials of 5 px with
    deviation 1.2: the values that OpenCV's own example uses. Any size of image is taken.
    """

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        return _by_pairs(
            lambda a, b: cv2.calcOpticalFlowFarneback(a, b, NO_FLOW, 0.5, 3, 15, 3, 5, 1.2, 0),
            first,
            second,
        )


def _by_pairs(
    estimate: Callable[[NDArray[np.uint8], NDArray[np.uint8]], np.ndarray],
    first: Tensor,
    second: Tensor,
) -> Tensor:
    pairs = zip(grey(first), grey(second), strict=True)
    flow = np.stack([estimate(a, b) for a, b in pairs])
    return torch.from_numpy(flow).movedim(-1, 1).to(first.device)
