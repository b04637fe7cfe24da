"""Generated annotations with every column filled, and a comparison to the last bit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np

from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_PERSON_ID, NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import Skeleton

ODD_FLOATS = np.array(
    [0.0, -0.0, 5e-324, -5e-324, 1e-300, 0.1, -1 / 3, 2**53 + 1.0, 1e16, -1e22, 1e300]
)
ODD_IDS = np.array([NO_TRACK, NO_TRACK + 1, -7, 0, 3, 2**53 + 1, 2**63 - 1])


def generated(seed: int, skeleton: Skeleton) -> Annotations:
    """One to three videos with frames with and without persons; odd and ordinary numbers."""
    rng = np.random.default_rng(seed)
    names = [f"{k:06d}_mpii_é" for k in range(rng.integers(1, 4))]
    frames = rng.integers(1, 5, len(names))
    video = np.repeat(np.arange(len(names)), frames)
    index = np.arange(len(video)) - np.searchsorted(video, video)
    person_frame = np.sort(rng.integers(0, len(video), rng.integers(0, 7)))
    people, joints = len(person_frame), len(skeleton)
    present = rng.random((people, joints)) < 0.7
    scored = rng.random((people, joints)) < rng.choice((0.0, 0.9, 1.0), (people, 1))
    box, head = floats(rng, (people, 4)), floats(rng, (people, 4))
    box[rng.random(people) < 0.3] = head[rng.random(people) < 0.3] = np.nan
    polygons = [floats(rng, (corners, 2)) for corners in (0, 3, 5)]
    return Annotations(
        skeleton=skeleton,
        video_names=names,
        video_length=rng.choice((0, 1, 900), len(names)),
        frame_video=video,
        frame_index=index,
        frame_file=[
            f"images/val/{names[v]}/{3 * i:06d}.jpg" for v, i in zip(video, index, strict=True)
        ],
        frame_id=rng.permutation(10**10 + np.arange(len(video))),
        frame_labelled=rng.random(len(video)) < 0.5,
        frame_annotated=np.isin(np.arange(len(video)), person_frame),
        frame_size=rng.choice((0, 640, 1920), (len(video), 2)),
        frame_boxed=rng.random(len(video)) < 0.4,
        ignore_regions=[polygons[: rng.integers(0, 4)] for _ in video],
        person_frame=person_frame,
        track_id=rng.choice(ODD_IDS, people),
        person_id=rng.choice(np.append(ODD_IDS, NO_PERSON_ID), people),
        action=[str(word) for word in rng.choice(("", "run", "走る"), people)],
        keypoints=np.where(present[..., None], floats(rng, (people, joints, 2)), 0.0),
        present=present,
        visible=present & (rng.random(present.shape) < 0.6),
        joint_score=np.where(scored, floats(rng, present.shape), UNSCORED),
        box=box,
        head_box=head,
        score=np.where(rng.random(people) < 0.5, floats(rng, (people,)), np.nan),
        area=np.where(rng.random(people) < 0.5, floats(rng, (people,)), np.nan),
        crowd=rng.random(people) < 0.3,
    )


def floats(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    ordinary = rng.uniform(-100, 2000, shape)
    return np.where(rng.random(shape) < 0.4, rng.choice(ODD_FLOATS, shape), ordinary)


def differing_columns(a: Annotations, b: Annotations) -> list[str]:
    """Names of the columns that differ in a type or a bit (-0.0 is not 0.0, NaN is NaN)."""
    return [
        field.name
        for field in fields(Annotations)
        if _bits(getattr(a, field.name)) != _bits(getattr(b, field.name))
    ]


def _bits(value: object) -> object:
    if isinstance(value, list):
        return [_bits(item) for item in value]
    return (value.dtype, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


def assert_read_or_refused(reader: Callable[[Path], object], data: bytes) -> None:
    """The file is read, or refused in one line that names it and is no copy of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "000011_mpii_test.json")
        path.write_bytes(data)
        try:
            reader(path)
        except UserError as error:
            text = str(error)
            assert text.startswith(str(path)), text
            assert len(text.splitlines()) == 1 and len(text) < len(str(path)) + 500, text
