"""Results for the challenge's server: one .zip with ``20.json`` to ``32.json`` in its root.

The name and place of the files are from the format page of the challenge, the fields from public
programs that wrote results: image, ignore_regions (empty), and per person box, track_id and joints
with score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations, select_persons, select_videos
from tdmi.formats.files import replacing_zip
from tdmi.formats.hieve import annolist
from tdmi.formats.hieve.labels import TEST_VIDEOS


def write_submission(
    annotations: Annotations, path: Path | str, videos: Sequence[str] = TEST_VIDEOS
) -> None:
    """Write the predictions for `videos` as one zip; the same predictions give the same bytes.

    Videos beyond `videos` are left out, and so are persons without joints. A person without box
    gets the extent of the joints, one without track its position in the frame. UserError if a
    video is missing, the joints are not HiEve's, or a joint has no score or is not finite.
    """
    path = Path(path)
    if path.suffix != ".zip":
        raise UserError(f"{path}: expected a name that ends in .zip, the server takes nothing else")
    check_videos(annotations.video_names, path, videos)
    ready = _completed(select_videos(annotations, videos), path)
    with replacing_zip(path) as folder:
        annolist.write_folder(ready, folder)


def check_videos(
    found: Sequence[str], path: Path | str, videos: Sequence[str] = TEST_VIDEOS
) -> None:
    """Raise UserError, with `path` as the place, unless all `videos` are among those found."""
    missing = [video for video in videos if video not in found]
    if missing:
        raise UserError(
            f"{path}: no predictions for video {', '.join(missing)}, expected all {len(videos)} "
            f"({videos[0]} to {videos[-1]}); predict them too"
        )


def _completed(annotations: Annotations, path: Path) -> Annotations:
    people = select_persons(annotations, annotations.present.any(axis=1))
    unscored = people.present & (people.joint_score == UNSCORED)
    if unscored.any():
        frame = people.person_frame[np.argwhere(unscored)[0][0]]
        raise UserError(
            f"{path}: not written, a joint in {people.frame_file[frame]} has no score, expected "
            "predictions; ground truth cannot be submitted"
        )
    low = np.where(people.present[..., None], people.keypoints, np.inf).min(axis=1)
    high = np.where(people.present[..., None], people.keypoints, -np.inf).max(axis=1)
    boxed = np.isfinite(people.box).all(axis=1)
    extent = np.concatenate([low, high - low], axis=1)
    position = np.arange(people.persons) - np.searchsorted(people.person_frame, people.person_frame)
    return replace(
        people,
        ignore_regions=[[] for _ in range(people.frames)],
        box=np.where(boxed[:, None], people.box, extent),
        track_id=np.where(people.track_id == NO_TRACK, position, people.track_id),
    )
