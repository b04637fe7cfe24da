"""Checks of data sets on disk: clean trees are clean, every defect is found and nothing else."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from tdmi.core.files import write_json
from tdmi.datasets.public.check import check
from tdmi.datasets.public.check.report import Counts
from tests.support.check_trees import (
    SIZE,
    VAL,
    VAL_LABELS,
    draw,
    edit,
    found,
    hieve_tree,
    only,
    posetrack17_tree,
    posetrack18_tree,
    posetrack21_tree,
)


def people(root, change, labels=VAL_LABELS):
    """Apply `change` to the list of persons of a label file."""
    edit(root / labels, lambda content: change(content["annotations"]))


def set_joint(person, joint, x, y):
    person["keypoints"][3 * joint : 3 * joint + 2] = [x, y]


# --- Clean trees ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dataset", "make"),
    [
        ("posetrack17", posetrack17_tree),
        ("posetrack17", lambda root: posetrack17_tree(root, matlab=True)),
        ("posetrack18", posetrack18_tree),
        ("posetrack18", lambda root: posetrack18_tree(root, stated_size=True)),
        ("posetrack21", posetrack21_tree),
        ("hieve", hieve_tree),
    ],
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_clean_tree_is_clean(dataset, make, deep, tmp_path):
    report = check(dataset, make(tmp_path), deep=deep)
    assert found(report) == {}, report.as_text()
    assert report.clean


def test_counts_are_those_of_the_labels(pristine):
    counts = check("posetrack18", pristine).counts
    # 8 frames of 2 persons of 15 joints in every video, ears empty.
    assert counts["train"] == Counts(2, 16, 16, 32, 480)
    assert counts["val"] == Counts(1, 8, 8, 16, 240)
    assert set(counts) == {"train", "val"}


def test_labels_of_test_videos_are_checked_too(tree):
    shutil.move(tree / "annotations/train", tree / "annotations/test")
    report = check("posetrack18", tree)
    assert found(report) == {} and set(report.counts) == {"val", "test"}


def test_a_small_tree_is_a_subset_and_not_broken(pristine):
    report = check("posetrack18", pristine)
    assert report.release == "subset" and report.clean
    subset = next(f for f in report.findings if f.kind == "subset")
    assert subset.severity == "note" and subset.count == 2
    assert subset.examples[1] == "val: 1 videos, published 170 (v0.45) or 74 (v0.2)"


# --- One defect each -----------------------------------------------------------------------------


def test_missing_image(tree):
    (tree / VAL / "000003.jpg").unlink()
    finding = only(check("posetrack18", tree), "image-missing")
    assert finding.severity == "error" and finding.count == 1
    assert finding.examples == [f"{VAL}/000003.jpg"]


def test_extra_image(tree):
    shutil.copy(tree / VAL / "000003.jpg", tree / VAL / "000099.jpg")
    assert only(check("posetrack18", tree), "image-extra").examples == [f"{VAL}/000099.jpg"]


def test_image_that_is_none(tree):
    (tree / VAL / "000003.jpg").write_text("not found")
    assert only(check("posetrack18", tree), "image-unreadable").count == 1


def test_truncated_image(tree):
    path = tree / VAL / "000003.jpg"
    path.write_bytes(path.read_bytes()[:-300])
    finding = only(check("posetrack18", tree), "image-truncated")
    assert finding.examples == [f"{VAL}/000003.jpg: no end mark"]


def test_image_whose_second_half_was_never_written(tree):
    path = tree / VAL / "000003.jpg"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2].ljust(len(data), b"\0"))
    assert only(check("posetrack18", tree), "image-truncated").count == 1


def test_bytes_after_the_end_mark_do_no_harm(tree):
    path = tree / VAL / "000003.jpg"
    path.write_bytes(path.read_bytes() + b"\0" * 100)
    assert found(check("posetrack18", tree)) == {}


def test_damage_in_the_middle_is_found_by_decoding(tmp_path):
    root = posetrack18_tree(tmp_path)
    paths = sorted((root / VAL).iterdir())
    for path in paths:
        picture = Image.open(path)
        png = path.with_suffix(".png")
        picture.save(png)
        path.unlink()
    edit(
        root / VAL_LABELS,
        lambda c: [i.update(file_name=i["file_name"].replace("jpg", "png")) for i in c["images"]],
    )
    data = bytearray(png.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    png.write_bytes(data)
    assert found(check("posetrack18", root)) == {}
    finding = only(check("posetrack18", root, deep=True), "image-unreadable")
    assert finding.count == 1 and png.name in finding.examples[0]


def test_size_that_differs_from_the_stated_one(tmp_path):
    root = posetrack18_tree(tmp_path, stated_size=True)
    Image.new("RGB", (150, 120)).save(root / VAL / "000002.jpg")
    finding = only(check("posetrack18", root), "image-size")
    assert finding.severity == "error"
    assert finding.examples == [f"{VAL}/000002.jpg: 150 x 120, labels state 160 x 120"]


def test_size_that_differs_within_a_video(tree):
    Image.new("RGB", (170, 130)).save(tree / VAL / "000002.jpg")
    finding = only(check("posetrack18", tree), "image-size-varies")
    assert finding.examples == [f"{VAL}/000002.jpg: 170 x 130, others 160 x 120"]


def test_video_without_images_is_one_finding_and_not_one_per_frame(tree):
    shutil.rmtree(tree / VAL)
    finding = only(check("posetrack18", tree), "video-without-images")
    assert finding.count == 1 and finding.examples == [f"{VAL} ({VAL_LABELS})"]
    assert "one release" in finding.cure


def test_folder_without_labels_is_a_note(tree):
    draw(tree, ["images/test/000777_mpii_test/000000.jpg"])
    finding = only(check("posetrack18", tree), "folder-without-labels")
    assert finding.severity == "note"
    assert finding.examples == ["images/test/000777_mpii_test"]


def test_frames_out_of_order(tree):
    edit(tree / VAL_LABELS, lambda c: c["images"].insert(2, c["images"].pop(5)))
    finding = only(check("posetrack18", tree), "frames-out-of-order")
    assert finding.examples == [f"{VAL}/000002.jpg after 000005.jpg"]


def test_fewer_frames_than_stated(tree):
    edit(tree / VAL_LABELS, lambda c: [image.update(nframes=11) for image in c["images"]])
    finding = only(check("posetrack18", tree), "video-length")
    assert finding.examples == [f"{VAL_LABELS}: states 11 frames and lists 8; 8 images are there"]


def test_labels_that_list_some_frames_of_a_whole_video_are_clean(tree):
    draw(tree, [f"{VAL}/{k:06d}.jpg" for k in (8, 9, 10)])
    edit(tree / VAL_LABELS, lambda c: [image.update(nframes=11) for image in c["images"]])
    finding = only(check("posetrack18", tree), "video-in-part")
    assert finding.severity == "note" and finding.count == 3


def test_a_frame_missing_from_the_list(tree):
    def drop(content):
        lost = content["images"].pop(3)["id"]
        content["annotations"] = [p for p in content["annotations"] if p["image_id"] != lost]

    edit(tree / VAL_LABELS, drop)
    finding = only(check("posetrack18", tree), "frame-not-listed")
    assert finding.severity == "warning" and finding.examples == [f"{VAL}/000003.jpg"]


def test_joints_outside_the_picture_far_ones_apart(tree):
    people(tree, lambda persons: set_joint(persons[3], 0, 180, 30))
    finding = only(check("posetrack18", tree), "joint-outside")
    assert finding.examples == [f"{VAL}/000001.jpg: person 1, track 1, nose at (180, 30)"]
    people(tree, lambda persons: set_joint(persons[3], 0, 30, -100.5))
    finding = only(check("posetrack18", tree), "joint-far-outside")
    assert finding.severity == "warning" and "nose at (30, -100.5)" in finding.examples[0]


def test_joint_up_to_a_pixel_outside_is_inside_whether_pixels_count_from_0_or_1(tree):
    people(tree, lambda persons: set_joint(persons[3], 0, SIZE[0] + 0.9, SIZE[1] + 0.9))
    people(tree, lambda persons: set_joint(persons[4], 0, -0.9, -0.9))
    people(tree, lambda persons: persons[5].update(bbox=[-0.9, -0.9, SIZE[0] + 1.8, 40]))
    assert found(check("posetrack18", tree)) == {}


def test_joints_are_measured_by_the_rest_of_the_video_where_an_image_is_missing(tree):
    people(tree, lambda persons: set_joint(persons[3], 0, 180, 30))
    (tree / VAL / "000001.jpg").unlink()
    assert found(check("posetrack18", tree)) == {"image-missing": 1, "joint-outside": 1}


def test_boxes_that_leave_the_picture_and_useless_ones(tree):
    people(tree, lambda persons: persons[3].update(bbox=[150, 10, 30, 40]))
    finding = only(check("posetrack18", tree), "box-outside")
    assert finding.examples == [f"{VAL}/000001.jpg: person 1, track 1, box"]
    people(tree, lambda persons: persons[3].update(bbox=[160, 10, 30, 40]))
    assert only(check("posetrack18", tree), "box-useless").count == 1
    people(tree, lambda persons: persons[3].update(bbox=[10, 10, 30, 0]))
    assert only(check("posetrack18", tree), "box-useless").count == 1


def test_duplicate_track(tree):
    people(tree, lambda persons: persons[3].update(track_id=0))
    finding = only(check("posetrack18", tree), "duplicate-track")
    assert finding.examples == [f"{VAL}/000001.jpg: person 1, track 0"]


def test_two_persons_without_track_ids_have_not_the_same_one(tree):
    people(tree, lambda persons: [persons[k].pop("track_id") for k in (2, 3)])
    assert "duplicate-track" not in found(check("posetrack18", tree))


def test_person_without_joints_needs_no_head_box(tree):
    people(tree, lambda persons: persons[3].update(keypoints=[0] * 51, bbox_head=None))
    assert found(check("posetrack18", tree)) == {"person-without-joints": 1}


def test_person_without_joints(tree):
    people(tree, lambda persons: persons[3].update(keypoints=[0] * 51))
    finding = only(check("posetrack18", tree), "person-without-joints")
    assert finding.severity == "note" and finding.count == 1
    assert check("posetrack18", tree).counts["val"].people == 15


def test_joint_that_is_not_a_number(tree):
    people(tree, lambda persons: set_joint(persons[3], 0, float("nan"), 1))
    assert only(check("posetrack18", tree), "number-not-finite").severity == "error"


def test_unknown_joint_name(tree):
    def rename(content):
        content["categories"][0]["keypoints"][3] = "left_antenna"

    edit(tree / VAL_LABELS, rename)
    finding = only(check("posetrack18", tree), "joint-unknown")
    assert finding.examples == [f"{VAL_LABELS}: 'left_antenna'"]


@pytest.mark.parametrize("matlab", [False, True])
def test_unknown_joint_id_and_person_without_a_joint_list_of_posetrack17(matlab, tmp_path):
    root = posetrack17_tree(tmp_path)
    path = root / "annotations/val/val_labels.json"
    content = json.loads(path.read_text())
    person = content["annolist"][2]["annorect"][0]
    person["annopoints"][0]["point"].append({"id": [15], "x": [50], "y": [50], "is_visible": [1]})
    content["annolist"][3]["annorect"].append({"x1": [1], "y1": [1], "x2": [9], "y2": [9]})
    write_json(path, content)
    if matlab:
        path.unlink()
        savemat(path.with_suffix(".mat"), {"annolist": structs(content["annolist"])})
    report = check("posetrack17", root)
    assert found(report) == {"joint-unknown": 1, "person-without-joints": 1}
    label_file = path.with_suffix(".mat" if matlab else ".json").relative_to(root)
    assert [f.examples for f in report.findings if f.kind in found(report)] == [
        [f"{label_file}: joint id 15"],
        [f"{label_file}: 1 without a joint list"],
    ]


def structs(value):
    """Lists of objects as MATLAB's struct arrays; lists of one value as that value."""
    if not isinstance(value, list) or not value:
        return value if value != [] else np.zeros((0, 0))
    if not all(isinstance(entry, dict) for entry in value):
        return value[0]
    names = list(dict.fromkeys(name for entry in value for name in entry))
    array = np.empty((1, len(value)), dtype=[(name, object) for name in names])
    for k, entry in enumerate(value):
        for name in names:
            array[0, k][name] = structs(entry[name]) if name in entry else np.zeros((0, 0))
    return array


def test_swapped_sides_are_found_in_the_video_that_has_them(tree):
    def swap(persons):
        for frame in (2, 5):
            keypoints = np.array(persons[2 * frame]["keypoints"]).reshape(17, 3)
            for left in range(5, 17, 2):
                keypoints[[left, left + 1]] = keypoints[[left + 1, left]]
            persons[2 * frame]["keypoints"] = keypoints.ravel().tolist()

    people(tree, swap)
    finding = only(check("posetrack18", tree), "swapped-left-right")
    # Each swapped frame turns twice: into it and out of it; 7 steps of 2 people.
    assert finding.severity == "warning" and finding.count == 4
    assert finding.examples[0].startswith(f"{VAL}/000002.jpg: person 0, track 0 (4 of 14 steps")


def test_labels_with_the_joints_of_another_data_set(tree):
    from tdmi.data.skeletons import COCO

    edit(tree / VAL_LABELS, lambda c: c["categories"][0].update(keypoints=list(COCO.joints)))
    assert only(check("posetrack18", tree), "other-joint-set").examples == [f"{VAL_LABELS}: coco"]


def test_unreadable_labels_do_not_stop_the_check(tree):
    (tree / VAL_LABELS).write_text('{"images": [')
    (tree / "images/train/000001_bonn_test/000000.jpg").unlink()
    report = check("posetrack18", tree)
    assert found(report) == {"labels-unreadable": 1, "image-missing": 1}
    assert "000342_mpii_test.json" in report.findings[0].examples[0]
    assert report.counts["val"].videos == 0 and report.counts["train"].videos == 2


def test_empty_labels(tree):
    edit(tree / VAL_LABELS, lambda content: content.update(images=[], annotations=[]))
    assert found(check("posetrack18", tree))["labels-empty"] == 1


def test_two_label_files_for_one_folder(tree):
    shutil.copy(tree / VAL_LABELS, tree / "annotations/train/000342_mpii_copy.json")
    finding = only(check("posetrack18", tree), "folder-labelled-twice")
    assert finding.examples == [f"{VAL}: 000342_mpii_test after 000342_mpii_copy"]


def test_frames_of_hieve_that_are_not_extracted_are_no_error(tmp_path):
    root = hieve_tree(tmp_path)
    shutil.rmtree(root / "images" / "4")
    assert only(check("hieve", root), "frames-not-extracted").severity == "warning"
    (root / "HIE20/videos/train/4.mp4").unlink()
    assert only(check("hieve", root), "video-without-images").severity == "error"


def test_unlisted_frames_of_hieve_are_normal(tmp_path):
    root = hieve_tree(tmp_path)
    draw(root, ["images/4/000008.jpg"])
    assert found(check("hieve", root)) == {}


def test_labels_of_the_test_split_may_list_only_frames(tmp_path):
    root = posetrack18_tree(tmp_path)
    secret = root / "annotations/test/000009_mpii_test.json"
    content = json.loads((root / VAL_LABELS).read_text())
    folder = root / content["images"][0]["file_name"].rpartition("/")[0]
    shutil.copytree(folder, root / "images/test/000009_mpii_test")
    for image in content["images"]:
        image |= {"is_labeled": False, "vid_id": "000009"}
        name = image["file_name"].rpartition("/")[2]
        image["file_name"] = f"images/test/000009_mpii_test/{name}"
    del content["annotations"]
    write_json(secret, content)
    assert "labels-unreadable" not in found(check("posetrack18", root))
    edit(root / VAL_LABELS, lambda content: content.pop("annotations"))
    assert found(check("posetrack18", root))["labels-unreadable"] == 1
