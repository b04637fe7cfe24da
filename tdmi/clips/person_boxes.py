"""Ground-truth person boxes as the official loaders clean them.

Detected boxes are not cleaned, neither here nor by official code.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tdmi.clips.frames import picture_size
from tdmi.config.inputs import BoxCleaning
from tdmi.data.annotations import Annotations
from tdmi.data.boxes import clip_to_last_pixel


def clean(annotations: Annotations, rule: BoxCleaning, root: Path | str) -> Annotations:
    """Return the annotations with the boxes that training and ground-truth prediction use.

    ``none`` leaves every box as it is. ``official`` is what the loaders of HRNet and DCPose do: the
    box is clipped to the picture (`clip_to_last_pixel`). A person without a positive number in the
    keypoint list, or with an area that is not positive, loses its box, so that nobody uses it.
    Where the file states no area, it is width times height of the box, as in the COCO form that
    those loaders read. One deviation: a box that clipping leaves without width or height is
    dropped as well; official code keeps it.

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
    box = clip_to_last_pixel(annotations.box, sizes)
    keep = has_joints & (area > 0) & (box[:, 2:] > 0).all(axis=1)
    return replace(annotations, box=np.where(keep[:, None], box, np.nan))


def frame_sizes(annotations: Annotations, root: Path | str) -> np.ndarray:
    """Width and height [F, 2] in pixels of the frames with persons; 0 for unknown other ones.

    Sizes that the annotations do not state are read from the headers of the pictures.
    """
    sizes = annotations.frame_size.copy()
    for frame in np.unique(annotations.person_frame):
        if not sizes[frame].all():
            sizes[frame] = picture_size(Path(root) / annotations.frame_file[frame])
    return sizes
