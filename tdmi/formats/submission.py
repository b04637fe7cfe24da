"""Predictions as the official servers and evaluators take them: one file per video, maybe zipped.

Their demands, and how each is met:

- a file per video of the ground truth, with its name, listing all frames in its order, also those
  without people: ensured if ground truth is given, otherwise checked against ``nframes``;
- a score for every joint: checked, because evaluators rank a joint without one last;
- different track ids in a frame, from 0 to 999 in the 2017 form, which the server's notes state,
  and to 9999 in the others, which is poseval's limit (PoseTrack21 states none);
- for PoseTrack21 a box and a ``person_id`` for everybody: made from the joints and the track where
  the predictions have none.

Persons without any joint are left out. PoseTrack21's evaluator takes joints with x or y at 0 or
below for absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tdmi.core.checks import choose
from tdmi.core.errors import UserError
from tdmi.data.annotations import (
    FRAME_COLUMNS,
    NO_PERSON_ID,
    NO_TRACK,
    UNSCORED,
    VIDEO_COLUMNS,
    Annotations,
    in_frame_order,
    select_persons,
    select_videos,
)
from tdmi.data.records import Ints
from tdmi.formats import posetrack17, posetrack18
from tdmi.formats.conversion import to_posetrack17, to_posetrack18
from tdmi.formats.hieve import TEST_VIDEOS, annolist
from tdmi.formats.precomputed_boxes import frames_by_name

LARGEST_TRACK = {"posetrack17": 999, "posetrack18": 9999, "posetrack21": 9999}
FORMS = tuple(LARGEST_TRACK)


def write_submission(
    predictions: Annotations, folder: Path, form: str, ground_truth: Annotations | None = None
) -> None:
    """Write `predictions` in `form`, one of FORMS, into an empty folder.

    With `ground_truth` (of any form) the frames are brought into its order and get its image ids,
    and frames that predictions do not list are added without people. UserError for what is out of
    form.
    """
    predictions = submission(predictions, choose("form", form, FORMS), ground_truth)
    write = posetrack17.write_folder if form == "posetrack17" else posetrack18.write_folder
    write(predictions, folder)


def submission(
    predictions: Annotations, form: str, ground_truth: Annotations | None = None
) -> Annotations:
    """Return the predictions with all that `form` demands; UserError where that is impossible."""
    if ground_truth is None:
        _check_missing_frames(predictions)
    else:
        predictions = in_frames_of(predictions, ground_truth)
    predictions = select_persons(predictions, predictions.present.any(axis=1))
    check_scored(predictions)
    tracks = submission_tracks(predictions, LARGEST_TRACK[form])
    annotated = np.zeros(predictions.frames, dtype=bool)
    predictions = replace(without_regions(predictions), track_id=tracks, frame_annotated=annotated)
    if form == "posetrack17":
        return to_posetrack17(predictions)[0]
    predictions, _ = to_posetrack18(predictions)
    if form == "posetrack18":
        return predictions
    identities = np.where(predictions.person_id == NO_PERSON_ID, tracks, predictions.person_id)
    return replace(predictions, person_id=identities)


def in_frames_of(predictions: Annotations, ground_truth: Annotations) -> Annotations:
    """Return predictions in the frames of ground truth: its order, names, ids and missing frames.

    UserError for a video or frame that the other side does not have; frames that predictions do not
    list are added.
    """
    for here, there, cure in (
        (ground_truth, predictions, "predict it too, with all its frames"),
        (predictions, ground_truth, "give the ground truth that belongs to it"),
    ):
        missing = sorted(set(here.video_names) - set(there.video_names))
        if missing:
            side = "predictions" if there is predictions else "ground truth"
            raise UserError(
                f"{missing[0]}: not among the {len(there.video_names)} videos of the {side} "
                f"({len(missing)} missing), expected the same videos on both sides; {cure}"
            )
    rows = frames_by_name(predictions.frame_file, ground_truth)
    for frame, row in enumerate(rows.tolist()):
        own = predictions.video_names[predictions.frame_video[frame]]
        if row < 0 or ground_truth.video_names[ground_truth.frame_video[row]] != own:
            raise UserError(
                f"{own}: frame {predictions.frame_file[frame]} is not in the ground truth of this "
                "video, expected its frames; predict from these labels"
            )
    if len(set(rows.tolist())) < len(rows):
        raise UserError("predictions list a frame twice, expected each once; predict again")
    frames = {name: getattr(ground_truth, name) for name in (*FRAME_COLUMNS, *VIDEO_COLUMNS)}
    person_frame = rows[predictions.person_frame]
    return in_frame_order(replace(predictions, person_frame=person_frame, **frames))


def without_regions(annotations: Annotations) -> Annotations:
    return replace(annotations, ignore_regions=[[] for _ in range(annotations.frames)])


def submission_tracks(predictions: Annotations, largest: int) -> Ints:
    """Return track ids [N] from 0 to `largest`, different in every frame.

    A video whose ids fit keeps them. Otherwise they are numbered anew in order of appearance, and
    a person without an id, where others have one, becomes a track of its own. Without any, it is
    the index in the frame, which is enough for average precision. UserError if an id stands twice
    in a frame or a video has more tracks.
    """
    tracks = np.full(predictions.persons, NO_TRACK)
    video_of_person = predictions.frame_video[predictions.person_frame]
    for video, name in enumerate(predictions.video_names):
        people = np.flatnonzero(video_of_person == video)
        given, frame = predictions.track_id[people], predictions.person_frame[people]
        _check_repeated(predictions, given, frame)
        untracked = given == NO_TRACK
        if untracked.all():
            tracks[people] = np.arange(len(people)) - np.searchsorted(frame, frame)
        elif untracked.any() or given.min() < 0 or given.max() > largest:
            keys = [("untracked", k) if t == NO_TRACK else t for k, t in enumerate(given.tolist())]
            number = {key: n for n, key in enumerate(dict.fromkeys(keys))}
            tracks[people] = [number[key] for key in keys]
        else:
            tracks[people] = given
        if tracks[people].max(initial=0) > largest:
            raise UserError(
                f"{name}: {tracks[people].max() + 1} tracks, expected at most {largest + 1}, which "
                "is what the form has ids for; drop short tracks or choose another form"
            )
    return tracks


def _check_repeated(predictions: Annotations, given: Ints, frame: Ints) -> None:
    pairs = np.stack([frame, given], axis=1)[given != NO_TRACK]
    unique, counts = np.unique(pairs, axis=0, return_counts=True)
    for (row, track), count in zip(unique[counts > 1], counts[counts > 1], strict=True):
        raise UserError(
            f"{predictions.frame_file[row]}: track id {track} stands there {count} times, "
            "expected different tracks in a frame; track again"
        )


def _check_missing_frames(predictions: Annotations) -> None:
    listed = np.bincount(predictions.frame_video, minlength=len(predictions.video_names))
    lacking = np.flatnonzero(predictions.video_length > listed)
    if len(lacking):
        video = lacking[0]
        raise UserError(
            f"{predictions.video_names[video]}: predictions list {listed[video]} of "
            f"{predictions.video_length[video]} frames, expected all of them, also those without "
            "people; give the ground truth with --gt and they are added"
        )


def check_scored(predictions: Annotations) -> None:
    """Raise UserError for the first joint without a score."""
    unscored = predictions.present & (predictions.joint_score == UNSCORED)
    if unscored.any():
        person, joint = np.argwhere(unscored)[0]
        raise UserError(
            f"{predictions.frame_file[predictions.person_frame[person]]}: "
            f"{predictions.skeleton.joints[joint]} of a person has no score, expected one for "
            "every joint; submit predictions, not ground truth"
        )


def write_hieve(annotations: Annotations, folder: Path) -> None:
    """Write the predictions for HiEve's test videos, ``20.json`` to ``32.json``.

    Other videos are left out, and so are persons without joints. A person without box gets the
    extent of the joints, one without track its position in the frame. UserError if a video is
    missing, the joints are not HiEve's, or a joint has no score or is not finite. The names are
    from the format page of the challenge, the fields from public programs that wrote results.
    """
    check_hieve_videos(annotations.video_names, folder)
    people = select_videos(annotations, TEST_VIDEOS)
    people = without_regions(select_persons(people, people.present.any(axis=1)))
    check_scored(people)
    boxed = np.isfinite(people.box).all(axis=1, keepdims=True)
    low = np.where(people.present[..., None], people.keypoints, np.inf).min(axis=1)
    high = np.where(people.present[..., None], people.keypoints, -np.inf).max(axis=1)
    extent = np.concatenate([low, high - low], axis=1)
    position = np.arange(people.persons) - np.searchsorted(people.person_frame, people.person_frame)
    people.box = np.where(boxed, people.box, extent)
    people.track_id = np.where(people.track_id == NO_TRACK, position, people.track_id)
    annolist.write_folder(people, folder)


def check_hieve_videos(found: Sequence[str], path: Path | str) -> None:
    """Raise UserError, with `path` as the place, unless all test videos are among those found."""
    missing = [video for video in TEST_VIDEOS if video not in found]
    if missing:
        raise UserError(
            f"{path}: no predictions for video {', '.join(missing)}, expected all "
            f"{len(TEST_VIDEOS)} ({TEST_VIDEOS[0]} to {TEST_VIDEOS[-1]}); predict them too"
        )
