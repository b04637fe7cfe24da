"""Input on which an official program ends with an exception, though it can be scored.

What cannot be scored (a missing file, another number of frames, no head box, a region of two
corners) is an error here too and is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.data.judging import ID_LIMIT, repeated_in_frame
from tdmi.evaluation.arrays import Array
from tdmi.evaluation.matching.scored_videos import (
    People,
    ScoredVideo,
    places_in_frame,
)

SOURCES = ("mpii", "bonn", "mpiinew")
"""Second part of the names of image folders that poseval accepts in the form of 2018."""
_ALONE = "the person is a track alone (AP does not look at track ids)"


@dataclass
class Finding:
    """One kind of oddity in the files."""

    text: str
    """Its description, with {where} for the first place and {count} for the number of places."""
    places: list[str]

    @property
    def found(self) -> str:
        """Return the description with place and number."""
        return self.text.format(where=self.places[0], count=len(self.places))


@dataclass
class Refusal(Finding):
    """One kind of input on which an official program ends with an exception."""

    exception: str
    """Class of the exception."""
    answer: str
    """This project's answer to it."""
    program: str = "poseval"
    tracking_only: bool = False
    """It stops the tracking evaluation, not AP."""

    @property
    def found(self) -> str:
        return f"{self.text}: {self.places[0]} ({len(self.places)} in all)"

    def __str__(self) -> str:
        return f"{self.found}; {self.program} ends with {self.exception}, here {self.answer}"


Kind = TypeVar("Kind", bound=Finding)


def merge(findings: Iterable[Kind]) -> list[Kind]:
    """Return one finding of each kind that has a place, in the order in which kinds come first."""
    kinds: dict[str, Kind] = {}
    for one in findings:
        known = kinds.get(one.text)
        kinds[one.text] = replace(one, places=[*known.places, *one.places]) if known else one
    return [kind for kind in kinds.values() if kind.places]


def track_refusals(
    truth: Annotations, predictions: Annotations, video: ScoredVideo
) -> list[Refusal]:
    """Return what poseval would refuse of one video because of its track ids."""
    kinds = [
        Refusal(
            f"a track id of {ID_LIMIT} or more in the {side}",
            _places(people, people.track_id >= ID_LIMIT),
            "AssertionError",
            "track ids have no limit",
        )
        for side, people in (("ground truth", truth), ("predictions", predictions))
    ]
    repeated = repeated_in_frame(predictions.person_frame, predictions.track_id)
    return [
        *kinds,
        Refusal(
            "a track id that comes twice in one frame of the predictions",
            _places(predictions, repeated),
            "Exception",
            f"from the second time on {_ALONE}",
        ),
        Refusal("a person without track id", _frames_without_ids(video), "IndexError", _ALONE),
        Refusal(
            "a video with a single judged frame",
            [video.name] * (len(video.frame_index) == 1),
            "IndexError",
            "the last judged frame is left out as always, so the video adds nothing to MOTA",
            tracking_only=True,
        ),
    ]


def form_refusals(annotations: Annotations, side: str) -> list[Refusal]:
    """Return what poseval would refuse of a file in the form of 2018 alone: names, missing ids.

    It turns such files into the form of 2017 first, all their frames, scored or not.
    """
    odd = [k for k, file in enumerate(annotations.frame_file) if not _acceptable(file)]
    return [
        Refusal(
            f"an image whose name is not <number>_<{'|'.join(SOURCES)}>_.../<number>.jpg in the "
            f"{side}",
            _frame_places(annotations, odd),
            "an exception of several classes",
            "the names of images do not matter",
        ),
        Refusal(
            f"a person without 'track_id' in the {side}, which is in the form of 2018",
            _places(annotations, annotations.track_id == NO_TRACK),
            "KeyError",
            _ALONE,
        ),
    ]


def scored_places(video: ScoredVideo, chosen: Array) -> list[str]:
    """Return video and frame of the chosen ones [K] of its scored frames, for a message."""
    return [f"{video.name}: frame {k}" for k in video.frame_index[chosen]]


def _frame_places(annotations: Annotations, frames: Iterable[int]) -> list[str]:
    videos = annotations.frame_video
    return [
        f"{annotations.video_names[videos[frame]]}: frame {annotations.frame_index[frame]}"
        for frame in frames
    ]


def _places(annotations: Annotations, persons: Array) -> list[str]:
    return _frame_places(annotations, annotations.person_frame[persons])


def _acceptable(file: str) -> bool:
    """Return whether poseval can make an image id of the file's name."""
    folder, _, name = file.rpartition("/")
    video, source, *_ = [*folder.rpartition("/")[2].split("_"), ""]
    number = name.partition(".")[0]
    named = video.isdecimal() and source in SOURCES and number.isdecimal()
    return named and int(number) < ID_LIMIT


def _frames_without_ids(video: ScoredVideo) -> list[str]:
    """Return the scored frames in which poseval looks for more track ids than there are."""
    frames = len(video.frame_index)
    sides = (video.truth, video.predictions)
    lacking = np.any([_ids_wanted(side, frames) > 0 for side in sides], axis=0)
    both = np.all([np.bincount(side.frame, minlength=frames) > 0 for side in sides], axis=0)
    return scored_places(video, lacking & both)


def _ids_wanted(people: People, frames: int) -> Array:
    """Return how many ids too few there are for the last person with a joint, [frames] int64.

    poseval keeps a list of a frame's ids and looks persons up by their place among all persons.
    """
    wanted = np.zeros(frames, dtype=np.int64)
    jointed = people.present.any(axis=1)
    np.maximum.at(wanted, people.frame[jointed], places_in_frame(people.frame)[jointed] + 1)
    return wanted - np.bincount(people.frame[people.track_id != NO_TRACK], minlength=frames)
