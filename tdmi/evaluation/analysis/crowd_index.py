"""The Crowd Index of CrowdPose: how much the people of a frame stand in each other's boxes.

Source: CrowdPose (arXiv 1812.00324). Per person the joints of others inside the person's box over
the person's own joints, averaged over the people of the frame.
"""

from __future__ import annotations

import numpy as np

from tdmi.data.annotations import Annotations


def crowd_index(annotations: Annotations) -> np.ndarray:
    """Crowd Index of each frame [F] float64, 0 without people.

    People without joints of their own are left out of the average (choice of this project).
    """
    crowding = person_crowding(annotations)
    known = ~np.isnan(crowding)
    frame = annotations.person_frame[known]
    people = np.bincount(frame, minlength=annotations.frames)
    return np.bincount(frame, crowding[known], annotations.frames) / np.maximum(people, 1)


def person_crowding(annotations: Annotations) -> np.ndarray:
    """Joints of others inside each person's box, over the person's own joints [N] float64.

    The border of a box is inside. People without joints have no quotient, NaN; a person without box
    has nobody in it (choice of this project).
    """
    crowding = np.full(annotations.persons, np.nan)
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
        crowding[people][own > 0] = others[own > 0] / own[own > 0]
    return crowding
