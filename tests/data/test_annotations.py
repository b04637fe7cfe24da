"""The in-memory form: selections against columns counted by hand."""

from dataclasses import fields, replace

import numpy as np
import pytest

from tdmi.data.annotations import (
    NO_PERSON_ID,
    Annotations,
    concatenate,
    frame_numbers,
    select_frames,
    select_persons,
    select_videos,
)
from tdmi.data.skeletons import SKELETONS
from tests.support.tiny_dataset import annotations as tiny


def equal(a: Annotations, b: Annotations) -> bool:
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name), equal_nan=True)
        if isinstance(getattr(a, f.name), np.ndarray) and getattr(a, f.name).dtype != bool
        else np.all(np.array(getattr(a, f.name), dtype=object) == getattr(b, f.name))
        if not isinstance(getattr(a, f.name), list)
        else getattr(a, f.name) == getattr(b, f.name)
        for f in fields(Annotations)
    )


def test_frame_numbers_are_read_from_names():
    files = ["images/a/000017.jpg", "b/0004_crop.jpg", "c/frame12_3.png", "12/first.jpg"]
    assert frame_numbers(files, np.array([5, 6, 7, 8])).tolist() == [17, 4, 12, 8]


def test_columns_left_out_say_unknown():
    a = tiny("val", 3)
    assert a.person_id.tolist() == [NO_PERSON_ID] * 3
    assert a.frame_number.tolist() == [0, 1, 2]
    assert a.video_length.tolist() == [0] and not a.frame_size.any()


def test_selecting_videos_undoes_concatenation():
    parts = [replace(tiny(split, 3), video_length=np.array([9])) for split in ("train", "val")]
    whole = concatenate(parts)
    for part in parts:
        assert equal(select_videos(whole, part.video_names), part)
    both = select_videos(whole, ["900002_mpiinew_dots", "900001_mpiinew_dots"])
    assert both.frame_video.tolist() == [0, 0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match="no such video: absent"):
        select_videos(whole, ["absent"])


def test_selecting_frames_keeps_their_persons():
    whole = concatenate([tiny("train", 4), tiny("val", 4)])
    keep = np.array([0, 1, 0, 1, 0, 0, 1, 0], bool)
    chosen = select_frames(whole, keep)
    assert chosen.frame_number.tolist() == [1, 3, 2]
    assert chosen.person_frame.tolist() == [0, 1, 2]
    assert np.array_equal(chosen.keypoints, whole.keypoints[[1, 3, 6]])
    assert chosen.video_names == whole.video_names


def test_selecting_persons_keeps_all_frames():
    chosen = select_persons(tiny("val", 4), np.array([False, True, False, True]))
    assert chosen.person_frame.tolist() == [1, 3] and chosen.frames == 4


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_skeletons_name_each_joint_once_and_flip_to_themselves(skeleton):
    assert len(set(skeleton.joints)) == len(skeleton)
    order = skeleton.flip_order
    assert order[order].tolist() == list(range(len(skeleton)))
    assert {joint for limb in skeleton.limbs for joint in limb} <= set(skeleton.joints)


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("posetrack17", [(0, 5), (1, 4), (2, 3), (6, 11), (7, 10), (8, 9)]),
        ("posetrack18", [(3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)]),
        ("hieve", [(2, 5), (3, 6), (4, 7), (8, 11), (9, 12), (10, 13)]),
        ("coco", [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)]),
    ],
)
def test_flip_pairs_are_the_published_ones(name, pairs):
    assert {frozenset(pair) for pair in SKELETONS[name].flip_pairs} == set(map(frozenset, pairs))


@pytest.mark.parametrize(
    ("name", "slots"),
    [
        ("posetrack17", [16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9, 1, 0, 2]),
        ("hieve", [0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15]),
    ],
)
def test_slots_of_each_joint_in_posetrack18(name, slots):
    assert SKELETONS[name].slots_in(SKELETONS["posetrack18"]).tolist() == slots
