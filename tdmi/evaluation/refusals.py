"""Input that poseval ends on with an exception, though it can be judged: found, named, answered.

What cannot be judged (a missing file, another number of frames, no head box, a region of two
corners) is refused here too and is not listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tdmi.data.annotations import NO_TRACK, Annotations
from tdmi.evaluation.matching.pairing import JudgedVideo, People, repeated_in_frame

TRACK_ID_LIMIT = 10_000
"""poseval accepts track ids below this."""
SOURCES = ("mpii", "bonn", "mpiinew")
"""Second part of the names of image folders that poseval accepts in the form of 2018."""
FRAME_LIMIT = 10_000
"""poseval accepts frame numbers below this."""

_ALONE = "the person is a track alone (AP does not look at track ids)"


@dataclass
class Refusal:
    """One kind of input that poseval refuses."""

    what: str
    where: str
    """First place."""
    count: int
    """Number of places."""
    exception: str
    """Class of the exception that poseval ends with."""
    answer: str
    """What is done about it here."""
    tracking_only: bool = False
    """It stops poseval's tracking, not its AP."""

    @property
    def found(self) -> str:
        return f"{self.what}: {self.where} ({self.count} in all)"

    def __str__(self) -> str:
        return f"{self.found}; poseval ends with {self.exception}, here {self.answer}"


def poseval_refusals(
    truth: Annotations, predictions: Annotations, videos: Sequence[JudgedVideo]
) -> list[Refusal]:
    """What poseval would refuse of two sides and of the `videos` judged from them."""
    repeated = repeated_in_frame(predictions.person_frame, predictions.track_id)
    kinds = [
        Refusal(
            f"a track id of {TRACK_ID_LIMIT} or more in the {side}",
            *_counted(_places(people, people.track_id >= TRACK_ID_LIMIT)),
            "AssertionError",
            "track ids have no limit",
        )
        for side, people in (("ground truth", truth), ("predictions", predictions))
    ]
    kinds += [
        Refusal(
            "a track id that comes twice in one frame of the predictions",
            *_counted(_places(predictions, repeated)),
            "Exception",
            f"from the second time on {_ALONE}",
        ),
        Refusal(
            "a person without track id", *_counted(_without_track_id(videos)), "IndexError", _ALONE
        ),
        Refusal(
            "a video with a single judged frame",
            *_counted(video.name for video in videos if len(video.frame_index) == 1),
            "IndexError",
            "the last judged frame is left out as always, so the video adds nothing to MOTA",
            tracking_only=True,
        ),
    ]
    return [refusal for refusal in kinds if refusal.count]


def form_refusals(annotations: Annotations, side: str) -> list[Refusal]:
    """What poseval would refuse of a file in the form of 2018 alone: names and missing ids.

    It turns such files into the form of 2017 first, all their frames, judged or not.
    """
    names = [k for k, file in enumerate(annotations.frame_file) if not _acceptable(file)]
    lacking = annotations.track_id == NO_TRACK
    kinds = [
        Refusal(
            f"an image whose name is not <number>_<{'|'.join(SOURCES)}>_.../<number>.jpg in the "
            f"{side}",
            *_counted(_frame_place(annotations, k) for k in names),
            "an exception of several classes",
            "the names of images do not matter",
        ),
        Refusal(
            f"a person without 'track_id' in the {side}, which is in the form of 2018",
            *_counted(_places(annotations, lacking)),
            "KeyError",
            _ALONE,
        ),
    ]
    return [refusal for refusal in kinds if refusal.count]


def merge(refusals: Iterable[Refusal]) -> list[Refusal]:
    """Those of several videos as one of each kind, in the order in which kinds come first."""
    kinds: dict[str, Refusal] = {}
    for refusal in refusals:
        known = kinds.get(refusal.what)
        count = refusal.count + (known.count if known else 0)
        kinds[refusal.what] = replace(known or refusal, count=count)
    return list(kinds.values())


def _counted(places: Iterable[str]) -> tuple[str, int]:
    """First place and number of places."""
    places = list(places)
    return (places[0] if places else ""), len(places)


def _acceptable(file: str) -> bool:
    """Whether poseval can make an image id of the file's name."""
    folder, _, name = file.rpartition("/")
    parts = folder.rpartition("/")[2].split("_")
    number = name.partition(".")[0]
    return (
        len(parts) > 1
        and parts[0].isdecimal()
        and parts[1] in SOURCES
        and number.isdecimal()
        and int(number) < FRAME_LIMIT
    )


def _frame_place(annotations: Annotations, frame: int) -> str:
    name = annotations.video_names[annotations.frame_video[frame]]
    return f"{name}: frame {annotations.frame_index[frame]}"


def _places(annotations: Annotations, persons: np.ndarray) -> list[str]:
    return [_frame_place(annotations, frame) for frame in annotations.person_frame[persons]]


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
