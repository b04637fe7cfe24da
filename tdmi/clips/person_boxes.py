"""Ground-truth person boxes: as the official loaders clean them, or made from the joints.

Detected boxes are not cleaned, neither here nor by official code.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.boxes import box_of_joints

BOX_CLEANING = ("none", "official")
EXTENT_RULES = ("detect_and_track", "poseval")


def cleaned(annotations: Annotations, rule: str, root: Path | str) -> Annotations:
    """The same annotations with the boxes that training and ground-truth prediction use.

    ``none`` leaves every box alone. ``official`` is what the loaders of HRNet and DCPose do: the
    box is clipped to the picture (`clip_boxes`), and a person without a positive number in the
    keypoint list or with an area that is not positive loses its box, so that nobody uses it. Where
    the file states no area, it is width times height of the box, as in the COCO form that those
    loaders read. One deviation: a box that clipping leaves without width or height, which
    official code keeps although no person fits in, is lost, too.

    Args:
        root: folder that the frames' paths are relative to; read only for frames whose size the
            annotations do not state.
    """
    if rule == "none":
        return annotations
    sizes = frame_sizes(annotations, root)[annotations.person_frame]
    area = np.where(
        np.isnan(annotations.area), annotations.box[:, 2] * annotations.box[:, 3], annotations.area
    )
    has_joints = (annotations.keypoints > 0).any(axis=(1, 2)) | annotations.visible.any(axis=1)
    box = clip_boxes(annotations.box, sizes)
    keep = has_joints & (area > 0) & (box[:, 2:] > 0).all(axis=1)
    return replace(annotations, box=np.where(keep[:, None], box, np.nan))


def clip_boxes(boxes: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Clip boxes to their pictures as HRNet's and DCPose's loaders do.

    The right and lower edge are the last pixel inside, so a box that lies in the picture becomes
    one pixel narrower and lower. Width or height may be zero or negative for boxes outside.

    Args:
        boxes: [N, 4] x, y, width, height in pixels.
        sizes: [N, 2] width and height of the picture of each.
    """
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(sizes - 1, low + np.maximum(boxes[:, 2:] - 1, 0))
    return np.concatenate([low, high - low], axis=1)


def frame_sizes(annotations: Annotations, root: Path | str) -> np.ndarray:
    """Width and height [F, 2] in pixels of the frames with persons; 0 for unknown other ones.

    Sizes that the annotations do not state are read from the headers of the pictures.
    """
    sizes = annotations.frame_size.copy()
    for frame in np.unique(annotations.person_frame):
        if not sizes[frame].all():
            path = Path(root) / annotations.frame_file[frame]
            try:
                with Image.open(path) as picture:
                    sizes[frame] = picture.size
            except OSError as error:
                found = "no such frame" if isinstance(error, FileNotFoundError) else "no picture"
                raise UserError(
                    f"{path}: {found}, expected one to read its size from; "
                    "fetch or generate the data set again"
                ) from None
    return sizes


def extent_boxes(annotations: Annotations, rule: str) -> np.ndarray:
    """Person boxes [N, 4] (x, y, width, height) from the extent of each person's joints.

    ``detect_and_track``: the extent plus one pixel, enlarged by 20 % about its centre, as in
    DetectAndTrack's COCO form of PoseTrack17 (that the extra pixel moves the centre by half a
    pixel is a choice of this project, which its description leaves open). ``poseval``: the extent
    enlarged by 30 %, as in poseval's converter from the 2017 to the 2018 form and in the boxes of
    the 2018 files. NaN for persons without a joint.
    """
    choose("rule", rule, EXTENT_RULES)
    if rule == "poseval":
        return box_of_joints(annotations.keypoints, annotations.present)
    there = annotations.present & np.isfinite(annotations.keypoints).all(axis=2)
    low = np.where(there[..., None], annotations.keypoints, np.inf).min(axis=1)
    high = np.where(there[..., None], annotations.keypoints, -np.inf).max(axis=1)
    some = there.any(axis=1)[:, None]
    low, size = np.where(some, low, np.nan), np.where(some, high - low + 1, np.nan)
    return np.concatenate([low - 0.1 * size, 1.2 * size], axis=1)
