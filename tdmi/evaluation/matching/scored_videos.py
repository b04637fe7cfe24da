"""The scored part of a video: frames paired by position, ignore regions cut out.

The loading rules are those of poseval: frames without any listed person are dropped together with
their predictions, joints inside the ground truth's ignore regions are removed on both sides, and
in frames with regions persons without joints go too. Track ids are not needed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import Annotations
from tdmi.data.judging import small_regions
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.matching.ignore_regions import Regions, regions_of, strictly_inside


@dataclass
class People:
    """N persons of one video, sorted by frame, within a frame in file order."""

    frame: Array
    """[N] int64, row in `ScoredVideo.frame_index`."""
    track_id: Array
    keypoints: Array
    """[N, J, 2] float64; `present` [N, J] bool and `score` [N, J] float64 are those of joints."""
    present: Array
    score: Array
    head_box: Array
    """[N, 4] float64 x1, y1, x2, y2."""
    row: Array
    """[N] int64, row of the person in the annotations it comes from."""

    def __len__(self) -> int:
        return len(self.frame)

    def keep(self, mask: Array) -> People:
        # Several times faster than indexing with the mask.
        kept = np.flatnonzero(mask)
        return People(**{name: column.take(kept, axis=0) for name, column in vars(self).items()})


@dataclass
class ScoredVideo:
    """One video, its K scored frames, and the persons in them."""

    name: str
    frame_index: Array
    """[K] int64, positions of the scored frames in the video."""
    truth: People
    predictions: People
    file: str = ""
    """Its ground-truth file for messages; its name, where that is not known."""


def scored_videos(
    truth: Annotations,
    predictions: Annotations,
    truth_folder: Path | None = None,
    prediction_folder: Path | None = None,
) -> Iterator[ScoredVideo]:
    """Pair the videos by name, the ground truth's order deciding; other predictions are ignored.

    The folders are named in messages where they are known. Raises UserError for a missing
    prediction video, another number of frames, two skeletons, or an ignore region of one or two
    corners.
    """
    if truth.skeleton != predictions.skeleton:
        raise UserError(
            f"predictions have joints '{predictions.skeleton.name}', ground truth has "
            f"'{truth.skeleton.name}'; bring both on one skeleton first"
        )
    for name, frames, predicted in paired_frames(truth, predictions, prediction_folder):
        file = file_label(name, truth_folder)
        scored = np.flatnonzero(truth.frame_annotated[frames])
        polygons = [truth.ignore_regions[frame] for frame in frames[scored]]
        for position, of_frame in zip(scored, polygons, strict=True):
            for text in small_regions(of_frame):
                raise UserError(
                    f"{file}: frame {position}: {text}; remove it or repair the annotation file"
                )
        regions = regions_of(polygons)
        has_regions = np.array([bool(of_frame) for of_frame in polygons], dtype=bool)
        ours, theirs = (
            _cut_out(_people(people, rows[scored]), regions, has_regions)
            for people, rows in ((truth, frames), (predictions, predicted))
        )
        yield ScoredVideo(name, scored, ours, theirs, file)


def paired_frames(
    truth: Annotations, predictions: Annotations, prediction_folder: Path | None = None
) -> Iterator[tuple[str, Array, Array]]:
    """Yield each video's name and its frames as rows of ground truth and predictions.

    Raises UserError for a missing prediction video or another number of frames.
    """
    rows = {name: row for row, name in enumerate(predictions.video_names)}
    for video, name in enumerate(truth.video_names):
        if name not in rows:
            raise UserError(
                f"{name}: no predictions for this video of the ground truth; write {name}.json, "
                "with all its frames even if nobody was found"
            )
        frames = truth.frames_of(video)
        predicted = predictions.frames_of(rows[name])
        if len(frames) != len(predicted):
            raise UserError(
                f"{file_label(name, prediction_folder)}: {len(predicted)} frames in the "
                f"predictions, {len(frames)} in the ground truth; predictions must list every "
                "frame of the video, in its order"
            )
        yield name, frames, predicted


def file_label(name: str, folder: Path | None) -> str:
    """Return the path of a video's file for messages, or the video's name without a folder."""
    return name if folder is None else str(folder / f"{name}.json")


def misnamed_frames(truth: Annotations, predictions: Annotations) -> list[str]:
    """Return one line per video whose paired frames have different image names.

    That is a likely mistake, worth a warning only: the official evaluator never looks at names.
    Numbers are compared as numbers, so ``000003.jpg`` agrees with ``00000003.jpg``.
    """
    lines = []
    rows = {name: row for row, name in enumerate(predictions.video_names)}
    for video, name in enumerate(truth.video_names):
        if name not in rows:
            continue
        ours = [_stem(truth.frame_file[f]) for f in truth.frames_of(video)]
        theirs = [_stem(predictions.frame_file[f]) for f in predictions.frames_of(rows[name])]
        odd = [k for k, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b]
        if odd:
            lines.append(
                f"{name}: frame {odd[0]} is '{ours[odd[0]]}' in the ground truth and "
                f"'{theirs[odd[0]]}' in the predictions ({len(odd)} such frames); frames are "
                "paired by position, as the official evaluator does"
            )
    return lines


def places_in_frame(frame: Array) -> Array:
    """Return the place [N] of each person in its frame, from 0; `frame` [N] ascends."""
    return np.arange(len(frame)) - np.searchsorted(frame, frame)


def _stem(path: str) -> str:
    stem = path.rpartition("/")[2].rpartition(".")[0]
    return stem.lstrip("0") or "0" if stem.isdigit() else stem


def frame_pairs(first_frame: Array, second_frame: Array) -> tuple[Array, Array]:
    """Return all pairs (rows of the first [Q], rows of the second [Q]) in the same frame.

    Both frame columns ascend; so do the rows of the first, and those of the second for each.
    """
    begin = np.searchsorted(second_frame, first_frame, side="left")
    count = np.searchsorted(second_frame, first_frame, side="right") - begin
    first = np.repeat(np.arange(len(first_frame)), count)
    second = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - begin, count)
    return first, second


def joint_extents(people: People) -> tuple[Array, Array]:
    """Return the smallest and largest coordinates [N, 2] of each person's joints.

    NaN is left out; who has no joint gets infinity and minus infinity.
    """
    # Joints before persons: NumPy reduces long rows many times faster than rows of two.
    points = np.ascontiguousarray(people.keypoints.transpose(2, 1, 0))
    away = np.where(people.present, 0.0, np.inf).T
    return np.fmin.reduce(points + away, axis=1).T, np.fmax.reduce(points - away, axis=1).T


def _people(annotations: Annotations, frames: Array) -> People:
    """Return the persons of frame rows (ascending); columns are copies that may be changed."""
    frame, persons = frame_pairs(frames, annotations.person_frame)
    first, last = (persons[0], persons[-1] + 1) if len(persons) else (0, 0)
    track_id, keypoints, present, score, head_box = (
        getattr(annotations, name)[first:last].take(persons - first, axis=0)
        for name in ("track_id", "keypoints", "present", "joint_score", "head_box")
    )
    return People(frame, track_id, keypoints, present, score, head_box, persons)


def _cut_out(people: People, regions: Regions, frame_has_regions: Array) -> People:
    """Remove joints inside a region of their frame, then who has no joint in such a frame."""
    if not frame_has_regions.any():
        return people
    person, region = frame_pairs(people.frame, regions.frame)
    low, high = joint_extents(people)
    # `take` gathers rows of two many times faster than indexing does.
    touch = high.take(person, axis=0) > regions.low.take(region, axis=0)
    touch &= low.take(person, axis=0) < regions.high.take(region, axis=0)
    touch = touch[:, 0] & touch[:, 1]
    person, region = person[touch], region[touch]
    pair, joint = np.nonzero(people.present.take(person, axis=0))
    person, region = person[pair], region[pair]
    place = person * people.present.shape[1] + joint
    points = people.keypoints.reshape(-1, 2).take(place, axis=0)
    inside = strictly_inside(points, region, regions)
    people.present.flat[place[inside]] = False
    return people.keep(people.present.any(axis=1) | ~frame_has_regions[people.frame])
