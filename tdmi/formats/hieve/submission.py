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
from tdmi.data.annotations import NO_TRACK, Annotations, select_persons, select_videos
from tdmi.formats.hieve import annolist
from tdmi.formats.hieve.labels import TEST_VIDEOS
from tdmi.formats.submission import check_scored, without_regions


def write_submission(
    annotations: Annotations, folder: Path, videos: Sequence[str] = TEST_VIDEOS
) -> None:
    """Write the predictions for `videos`, one file each, into an empty folder.

    Videos beyond `videos` are left out, and so are persons without joints. A person without box
    gets the extent of the joints, one without track its position in the frame. UserError if a
    video is missing, the joints are not HiEve's, or a joint has no score or is not finite.
    """
    check_videos(annotations.video_names, folder, videos)
    annolist.write_folder(_completed(select_videos(annotations, videos)), folder)


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


def _completed(annotations: Annotations) -> Annotations:
    people = select_persons(annotations, annotations.present.any(axis=1))
    check_scored(people)
    low = np.where(people.present[..., None], people.keypoints, np.inf).min(axis=1)
    high = np.where(people.present[..., None], people.keypoints, -np.inf).max(axis=1)
    boxed = np.isfinite(people.box).all(axis=1)
    extent = np.concatenate([low, high - low], axis=1)
    position = np.arange(people.persons) - np.searchsorted(people.person_frame, people.person_frame)
    return replace(
        without_regions(people),
        box=np.where(boxed[:, None], people.box, extent),
        track_id=np.where(people.track_id == NO_TRACK, position, people.track_id),
    )
