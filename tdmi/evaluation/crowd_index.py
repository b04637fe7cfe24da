"""The Crowd Index of CrowdPose: how much the people of a frame stand in each other's boxes.

Source: CrowdPose (arXiv 1812.00324). Per person the joints of others inside the person's box over
the person's own joints, averaged over the people of the frame.
"""

from __future__ import annotations

import numpy as np

from tdmi.annotations import Annotations


def crowd_index(annotations: Annotations) -> np.ndarray:
    """Crowd Index of each frame [F] float64, 0 without people.

    The border of a box is inside. People without joints of their own have no quotient and are left
    out of the average; a person without box has nobody in it (choices of this project).
    """
    index = np.zeros(annotations.frames)
    first = np.searchsorted(annotations.person_frame, np.arange(annotations.frames + 1))
    low = annotations.box[:, :2]
    high = low + annotations.box[:, 2:]
    for frame in np.flatnonzero(np.diff(first)):
        people = slice(first[frame], first[frame + 1])
        present = annotations.present[people]
        points = annotations.keypoints[people][None]
        inside = (points >= low[people, None, None]) & (points <= high[people, None, None])
        joints = (inside.all(axis=3) & present[None]).sum(axis=2)  # [box, person]
        others = joints.sum(axis=1) - joints.diagonal()
        own = present.sum(axis=1)
        if own.any():
            index[frame] = np.mean(others[own > 0] / own[own > 0])
    return index
