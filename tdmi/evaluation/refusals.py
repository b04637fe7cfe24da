"""Input that poseval ends on with an exception, though it can be judged: found, named, answered.

What cannot be judged (a missing file, another number of frames, no head box, a region of two
corners) is refused here too and is not listed. Not looked for either: the rules for the names of
2018 images, and missing track ids in those frames of 2018 files that are not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tdmi.annotations import NO_TRACK, Annotations
from tdmi.evaluation.pairing import JudgedVideo, People, repeated_in_frame

TRACK_ID_LIMIT = 10_000
"""poseval accepts track ids below this."""


@dataclass
class Refusal:
    """One kind of input that poseval refuses."""

    found: str
    """What and where first."""
    exception: str
    """Class of the exception that poseval ends with."""
    answer: str
    """What is done about it here."""
    tracking_only: bool
    """It stops poseval's tracking, not its AP."""

    def __str__(self) -> str:
        return f"{self.found}; poseval ends with {self.exception}, here {self.answer}"


def poseval_refusals(
    truth: Annotations, predictions: Annotations, videos: Sequence[JudgedVideo]
) -> list[Refusal]:
    """What poseval would refuse of two sides and of the `videos` judged from them."""
    alone = "the person is a track alone (AP does not look at track ids)"
    refusals = [
        Refusal(
            _first(
                f"a track id of {TRACK_ID_LIMIT} or more in the {side}",
                _places(people, people.track_id >= TRACK_ID_LIMIT),
            ),
            "AssertionError",
            "track ids have no limit",
            False,
        )
        for side, people in (("ground truth", truth), ("predictions", predictions))
    ]
    refusals += [
        Refusal(
            _first(
                "a track id that comes twice in one frame of the predictions",
                _places(
                    predictions,
                    repeated_in_frame(predictions.person_frame, predictions.track_id),
                ),
            ),
            "Exception",
            f"from the second time on {alone}",
            False,
        ),
        Refusal(
            _first("a person without track id", _without_track_id(videos)),
            "IndexError",
            alone,
            False,
        ),
        Refusal(
            _first(
                "a video with a single judged frame",
                [video.name for video in videos if len(video.frame_index) == 1],
            ),
            "IndexError",
            "the last judged frame is left out as always, so the video adds nothing to MOTA",
            True,
        ),
    ]
    return [refusal for refusal in refusals if refusal.found]


def _first(what: str, places: Iterable[str]) -> str:
    """`what`, its first place and how many places there are; empty if there is none."""
    places = list(places)
    return f"{what}: {places[0]} ({len(places)} in all)" if places else ""


def _places(annotations: Annotations, persons: np.ndarray) -> list[str]:
    frames = annotations.person_frame[persons]
    names = [annotations.video_names[v] for v in annotations.frame_video[frames]]
    positions = annotations.frame_index[frames]
    return [f"{name}: frame {k}" for name, k in zip(names, positions, strict=True)]


def _without_track_id(videos: Sequence[JudgedVideo]) -> list[str]:
    """Judged frames in which poseval looks for more track ids than there are."""
    places = []
    for video in videos:
        frames = len(video.frame_index)
        sides = (video.truth, video.predictions)
        people = [np.bincount(side.frame, minlength=frames) for side in sides]
        lacking = (_ids_wanted(sides[0], frames) > 0) | (_ids_wanted(sides[1], frames) > 0)
        rows = np.flatnonzero(lacking & (people[0] > 0) & (people[1] > 0))
        places += [f"{video.name}: frame {k}" for k in video.frame_index[rows]]
    return places


def _ids_wanted(people: People, frames: int) -> np.ndarray:
    """[frames] how many ids too few there are for the last person with a joint.

    poseval keeps a list of a frame's ids and looks persons up by their place among all persons.
    """
    count = np.bincount(people.frame, minlength=frames)
    place = np.arange(len(people)) - (np.cumsum(count) - count)[people.frame]
    wanted = np.zeros(frames, dtype=np.int64)
    jointed = people.present.any(axis=1)
    np.maximum.at(wanted, people.frame[jointed], place[jointed] + 1)
    ids = np.bincount(people.frame[people.track_id != NO_TRACK], minlength=frames)
    return np.maximum(wanted - ids, 0)
