"""Detector boxes in every form in use find their frames, or one line says how many do not."""

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.data.annotations import concatenate, on_skeleton
from tdmi.data.skeletons import POSETRACK18
from tdmi.formats import posetrack17
from tdmi.formats.conversion import to_posetrack18
from tdmi.formats.precomputed_boxes import frames_by_name, persons_in_boxes, read_boxes
from tests.support.mutations import mutated_json
from tests.support.posetrack17_samples import frame, person, point
from tests.support.tiny_dataset import annotations as tiny


def labels17(folder, names):
    frames = [frame(1, [person(1, [point(0, 5, 6)])]) for _ in names]
    for f, name in zip(frames, names, strict=True):
        f["image"][0]["name"] = f"images/{folder}/{name}"
    content = {"annolist": frames}
    return posetrack17.parse(content, f"{folder.replace('/', '-')}.json")


def two_years():
    """Two PoseTrack2017 videos of one folder name, and a PoseTrack2018 video, with ids."""
    parts = [
        labels17("bonn_5sec/000342_mpii", [f"{k:08d}.jpg" for k in (11, 12, 14)]),
        labels17("mpii_5sec/000342_mpii", ["0003_crop.jpg", "0001_crop.jpg", "0002_crop.jpg"]),
    ]
    parts = [on_skeleton(part, POSETRACK18) for part in parts]
    return to_posetrack18(concatenate([*parts, tiny("val", 3)]))[0]


def box(name, **more):
    return {
        "image_name": name, "bbox": [1.5, 2, 30, 40.25], "score": 0.9, "category_id": 1,
        "nframes": 3, "frame_id": 1,
    } | more  # fmt: skip


def read(tmp_path, records, annotations):
    (tmp_path / "boxes.json").write_text(json.dumps(records))
    return read_boxes(tmp_path / "boxes.json", annotations)


def rows_of(names):
    return frames_by_name(names, two_years()).tolist()


def test_boxes_of_posewarper_get_the_ids_of_their_frames(tmp_path):
    a = two_years()
    records = [
        box("images/val/900002_mpiinew_dots/000002.jpg", score=0.01, category_id=3),
        box("images/val/900002_mpiinew_dots/000000.jpg", bbox=[-5, 0, 1, 2]),
        box("images/val/900002_mpiinew_dots/000002.jpg"),
    ]
    found = read(tmp_path, records, a)
    assert found.image_id.tolist() == [39000020002, 39000020000, 39000020002]
    assert found.category_id.tolist() == [3, 1, 1] and found.score.tolist() == [0.01, 0.9, 0.9]
    assert found.box.tolist() == [[1.5, 2, 30, 40.25], [-5, 0, 1, 2], [1.5, 2, 30, 40.25]]


@pytest.mark.parametrize("extra", [{}, {"category_id": 1}, {"segmentation": []}])
def test_detections_of_mmpose_and_coco_go_by_image_id(tmp_path, extra):
    record = {"image_id": 39000020001, "bbox": [1, 2, 3, 4], "score": 1, **extra}
    found = read(tmp_path, [record], two_years())
    assert found.image_id.tolist() == [39000020001] and found.category_id.tolist() == [1]


@pytest.mark.parametrize(
    "prefix", ["", "images/", "images_renamed/", "./images/", "data/posetrack/images/", "x\\"]
)
def test_folders_before_the_collection_do_not_matter(prefix):
    assert rows_of([f"{prefix}bonn_5sec/000342_mpii/00000012.jpg"]) == [1]


def test_collections_differ_though_their_folders_have_one_name():
    names = ["bonn_5sec/000342_mpii/00000011.jpg", "mpii_5sec/000342_mpii/0001_crop.jpg"]
    assert rows_of(names) == [0, 4]
    assert rows_of(["000342_mpii/00000011.jpg", "900002_mpiinew_dots/000001.jpg"]) == [-1, 7]
    assert rows_of(["other/900002_mpiinew_dots/000001.jpg", "000001.jpg"]) == [-1, -1]


def test_names_go_by_stem_then_by_number():
    names = ["val/900002_mpiinew_dots/1.png", "mpii_5sec/000342_mpii/000003.jpg"]
    assert rows_of(names) == [7, 3]
    twice = labels17("a/1_mpii", ["0001_left.jpg", "0001_right.jpg", "0002.jpg"])
    names = ["a/1_mpii/0001_right.jpg", "a/1_mpii/1.jpg", "a/1_mpii/2.jpg"]
    assert frames_by_name(names, twice).tolist() == [1, -1, 2]


def test_renamed_frames_count_from_one_in_the_order_of_their_numbers():
    """Frame 1 of the first video is 00000011.jpg; the second lists its frames out of order."""
    first = [f"bonn_5sec/000342_mpii/{k:08d}.jpg" for k in (1, 2, 3)]
    second = [f"mpii_5sec/000342_mpii/{k:08d}.jpg" for k in (1, 2, 3)]
    assert rows_of(first + second) == [0, 1, 2, 4, 5, 3]
    assert rows_of([*first, "bonn_5sec/000342_mpii/00000004.jpg"]) == [0, 1, 2, -1]
    # The whole file is renamed or is not: 12 exists, but 1 does not, so all are counts.
    long = labels17("a/1_mpii", [f"{k:08d}.jpg" for k in range(2, 22)])
    names = [f"a/1_mpii/{k:08d}.jpg" for k in (1, 2, 12)]
    assert frames_by_name(names, long).tolist() == [0, 1, 11]
    assert frames_by_name(names[1:], long).tolist() == [0, 10]


def test_boxes_without_a_frame_are_counted_in_one_line(tmp_path):
    records = [box("val/900002_mpiinew_dots/000001.jpg"), box("val/x/1.jpg"), box("val/y/1.jpg")]
    message = r"boxes\.json: 2 of 3 boxes belong to no frame of the 3 .* \(image_name 'val/x/1"
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path, records, two_years())
    assert "\n" not in str(error.value)
    record = {"image_id": 5, "bbox": [1, 2, 3, 4], "score": 1}
    with pytest.raises(UserError, match=r"1 of 1 boxes .*\(image_id 5 first\)"):
        read(tmp_path, [record], two_years())


def test_labels_with_shared_ids_are_refused_with_the_cure(tmp_path):
    parts = [labels17(f"{c}/000342_mpii", ["1.jpg", "2.jpg"]) for c in "ab"]
    with pytest.raises(UserError, match=r"share image ids.*convert --to posetrack18"):
        read(tmp_path, [box("a/000342_mpii/1.jpg")], concatenate(parts))


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({"annotations": []}, "found an? object of 1, expected a list of boxes"),
        ([3], "found 3, expected a list of boxes"),
        ([box("a/b/1.jpg", bbox=[1, 2, 3])], "box 0: bbox: found a list of 3, expected 4 numbers"),
        ([box("a/b/1.jpg", score=None)], "box 0: score: found null, expected a number"),
        ([box("a/b/1.jpg", score=float("nan"))], "box 0: bbox and score must be finite numbers"),
        ([box("a/b/1.jpg"), box("a/b/1.jpg", score="1")], "box 1: score: found '1'"),
        ([box("a/b/1.jpg", category_id="person")], "box 0: 'category_id' is 'person'"),
        ([box("a/b/1.jpg"), {"image_id": 1, "bbox": [1, 2, 3, 4], "score": 1}],
         "box 1: no 'image_name'"),
        ([{"bbox": [1, 2, 3, 4], "score": 1}], "box 0: no 'image_id'"),
        ([box(3)], "box 0: 'image_name' is 3, expected a text"),
    ],
)  # fmt: skip
def test_refusals_name_file_and_place(tmp_path, records, message):
    with pytest.raises(UserError, match=rf"boxes\.json: {message}"):
        read(tmp_path, records, two_years())


def test_no_boxes_are_no_boxes(tmp_path):
    assert read(tmp_path, [], two_years()).box.shape == (0, 4)


def test_boxes_become_persons_of_their_frames(tmp_path):
    a = two_years()
    records = [
        box("images/val/900002_mpiinew_dots/000002.jpg", score=0.25),
        box("images/val/900002_mpiinew_dots/000000.jpg", bbox=[-5, 0, 1, 2]),
        box("images/val/900002_mpiinew_dots/000001.jpg", category_id=3),
    ]
    people = persons_in_boxes(read(tmp_path, records, a), a)
    assert people.frame_file == a.frame_file and people.video_names == a.video_names
    assert people.person_frame.tolist() == [6, 8], "sorted by frame, without the other category"
    assert people.box.tolist() == [[-5, 0, 1, 2], [1.5, 2, 30, 40.25]]
    assert people.score.tolist() == [0.9, 0.25] and not people.present.any()
    assert people.frame_annotated.nonzero()[0].tolist() == [6, 8]


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path_factory, seed):
    path = tmp_path_factory.getbasetemp() / "damaged-boxes.json"
    records = [box(f"val/900002_mpiinew_dots/{k:06d}.jpg") for k in range(3)]
    if random.Random(seed).random() < 0.5:
        records = [
            {"image_id": 39000020000 + k, "bbox": [1, 2, 3, 4], "score": 1} for k in range(3)
        ]
    path.write_bytes(mutated_json(records, seed))
    try:
        found = read_boxes(path, tiny("val", 3))
    except UserError as error:
        assert "damaged-boxes.json" in str(error) and "\n" not in str(error)
    else:
        assert np.isfinite(found.box).all() and set(found.image_id) <= set(tiny("val", 3).frame_id)
