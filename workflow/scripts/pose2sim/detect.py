"""Find body landmarks in video frames with MediaPipe's pose model (an optional environment).

Only the script that made the committed pseudo-labels needs this; nothing else imports it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import cv2
import numpy as np
from tqdm import tqdm

from tdmi.core.errors import UserError
from tdmi.datasets.pose2sim.joints import LANDMARKS, MIRRORED

MEDIAPIPE_VERSION = "0.10.21"
# The wheel that the committed detections were made with (CPython 3.11, Linux x86-64).
MEDIAPIPE_WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"

# The second look: squares around the first look's landmarks, enlarged, turned and mirrored.
ENLARGEMENTS = (1.3, 1.6)
TURNS = (-12.0, 0.0, 12.0)
CROP = 640
SPREAD_UNIT = 10.0
"""px."""


class Detector:
    """The pose model behind one function, with repeated looks for a steadier answer."""

    def __init__(self) -> None:
        try:
            import mediapipe
        except ImportError:
            raise UserError(
                "mediapipe is not installed; make an environment of its own with "
                f"'pip install mediapipe=={MEDIAPIPE_VERSION} scipy pyyaml tqdm' and run this there"
            ) from None
        if mediapipe.__version__ != MEDIAPIPE_VERSION:
            raise UserError(
                f"mediapipe {mediapipe.__version__} is installed; the pseudo-labels are made "
                f"with {MEDIAPIPE_VERSION}"
            )
        self._model = mediapipe.solutions.pose.Pose(
            static_image_mode=True, model_complexity=1, min_detection_confidence=0.3
        )

    def look(self, image: np.ndarray) -> np.ndarray | None:
        """Return x, y in pixels of `image` and visibility in [0, 1]; None for nobody."""
        found = self._model.process(np.ascontiguousarray(image[:, :, ::-1])).pose_landmarks
        if found is None:
            return None
        height, width = image.shape[:2]
        marks = [found.landmark[index] for index in LANDMARKS.values()]
        return np.array([(m.x * width - 0.5, m.y * height - 0.5, m.visibility) for m in marks])

    def video(self, frames: list[np.ndarray], roll: float, label: str) -> np.ndarray:
        """Return landmarks [F, L, 3] of one person: x, y in pixels and a weight in [0, 1].

        `roll` is the angle in degrees by which the image must be turned (counter-clockwise, as
        OpenCV counts) for the world's vertical to be upright. The place is the median over the
        looks; the weight is the mean visibility, lowered by the spread of the looks.
        """
        first = _filled([self.look(frame) for frame in frames], label)
        result = np.empty_like(first)
        for index, frame in enumerate(tqdm(frames, desc=label, leave=False)):
            near = np.median(first[max(0, index - 3) : index + 4, :, :2], axis=0)
            looks = [
                look
                for enlargement, turn in product(ENLARGEMENTS, TURNS)
                for look in self._second_looks(frame, _crop_affine(near, enlargement, roll + turn))
            ]
            result[index] = combine_looks(np.stack(looks)) if looks else np.nan
        return result

    def _second_looks(self, frame: np.ndarray, affine: np.ndarray) -> Iterator[np.ndarray]:
        """Look at a crop and at its mirror image; give what is found, in pixels of the frame."""
        crop = cv2.warpAffine(frame, affine, (CROP, CROP), flags=cv2.INTER_AREA)
        inverse = cv2.invertAffineTransform(affine)
        for mirrored, image in ((False, crop), (True, crop[:, ::-1])):
            look = self.look(image)
            if look is None:
                continue
            if mirrored:
                look[:, 0] = CROP - 1 - look[:, 0]
                look = look[MIRRORED]
            look[:, :2] = look[:, :2] @ inverse[:, :2].T + inverse[:, 2]
            yield look


def combine_looks(looks: np.ndarray) -> np.ndarray:
    """Return median place and weight [L, 3] of looks [N, L, 3].

    A look that takes left for right first has its sides exchanged: each look is compared, as it is
    and exchanged, with the look that is nearest to all others.
    weight = mean visibility / (1 + (median distance to the median / SPREAD_UNIT)^2).
    """
    place = looks[..., :2]
    apart = np.linalg.norm(place[:, None] - place[None], axis=-1).mean(-1)
    centre = place[np.median(apart, axis=1).argmin()]
    exchanged = looks[:, MIRRORED]
    as_is, other = (
        np.linalg.norm(sides[..., :2] - centre, axis=-1).mean(-1) for sides in (looks, exchanged)
    )
    looks = np.where((other < as_is)[:, None, None], exchanged, looks)
    place = np.median(looks[..., :2], axis=0)
    spread = np.median(np.linalg.norm(looks[..., :2] - place, axis=-1), axis=0)
    weight = looks[..., 2].mean(0) / (1 + (spread / SPREAD_UNIT) ** 2)
    return np.concatenate([place, weight[:, None]], axis=1)


def _filled(looks: list[np.ndarray | None], label: str) -> np.ndarray:
    """Return looks [F, L, 3], with the nearest frame's where the first look found nobody."""
    known = {index: look for index, look in enumerate(looks) if look is not None}
    if not known:
        raise UserError(f"{label}: the pose model found nobody in any frame")
    frames = np.array(list(known))
    nearest = [frames[np.abs(frames - index).argmin()] for index in range(len(looks))]
    return np.stack([known[index] for index in nearest])


def _crop_affine(points: np.ndarray, enlargement: float, angle: float) -> np.ndarray:
    low, high = points.min(0), points.max(0)
    centre, side = (low + high) / 2, (high - low).max() * enlargement
    affine = np.asarray(cv2.getRotationMatrix2D(centre.tolist(), angle, CROP / side), np.float64)
    affine[:, 2] += (CROP - 1) / 2 - centre
    return affine
