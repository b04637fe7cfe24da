"""What an evaluation would refuse, or take without a word, is found before it is trained for."""

import pytest

from tdmi.core.errors import UserError
from tdmi.datasets.public.check import check
from tdmi.datasets.public.prepare import prepare
from tdmi.evaluation.protocols.base import Request
from tdmi.evaluation.run import evaluate_folders
from tests.support.check_trees import (
    VAL,
    VAL_LABELS,
    edit,
    found,
    hieve_tree,
    only,
    posetrack17_tree,
    posetrack18_tree,
)


def no_head_box(content):
    content["annotations"][3].pop("bbox_head")


def half_a_head_box(content):
    content["annotations"][3]["bbox_head"] = [1, 2, float("nan"), 4]


def small_region(content):
    content["images"][1].update(ignore_regions_x=[[1, 9]], ignore_regions_y=[[1, 9]])


@pytest.mark.parametrize("damage", [no_head_box, half_a_head_box, small_region])
def test_what_evaluation_refuses_is_an_error_where_it_is_evaluated(damage, tree, tmp_path):
    """Check, preparation and evaluator agree on what cannot be judged."""
    edit(tree / VAL_LABELS, damage)
    report = check("posetrack18", tree)
    assert not report.clean
    (finding,) = (
        f for f in report.findings if f.kind in ("head-box-missing", "ignore-region-small")
    )
    assert finding.severity == "error" and finding.count == 1
    place = f"{VAL}/000001.jpg: "
    assert finding.examples[0].startswith(place)
    with pytest.raises(UserError, match=f"^{place}.*tdmi data check"):
        prepare("posetrack18", tree, detected_boxes=False)
    assert not (tree / "prepared").exists()
    folder = (tree / VAL_LABELS).parent
    with pytest.raises(UserError, match=r"no head box|2 corners"):
        evaluate_folders(Request(folder, folder))


@pytest.mark.parametrize("damage", [no_head_box, small_region])
def test_what_evaluation_refuses_is_a_warning_in_training_labels(damage, tree):
    edit(tree / "annotations/train/000001_bonn_test.json", damage)
    finding = only(check("posetrack18", tree), "not-to-be-judged")
    assert finding.severity == "warning" and finding.count == 1


def test_people_of_hieve_without_box_are_an_error(tmp_path):
    root = hieve_tree(tmp_path)
    path = root / "HIE20/labels/train/track2&3/4.json"
    edit(path, lambda c: [c["annolist"][1]["annorect"][0].pop(k) for k in ("x1", "y1", "x2", "y2")])
    finding = only(check("hieve", root), "box-missing")
    assert finding.severity == "error" and finding.count == 1


def test_a_person_without_joints_needs_no_head_box_to_be_judged(tree):
    def empty(content):
        content["annotations"][3].update(keypoints=[0] * 51, bbox_head=None)

    edit(tree / VAL_LABELS, empty)
    assert check("posetrack18", tree).clean
    folder = (tree / VAL_LABELS).parent
    found = evaluate_folders(Request(folder, folder))
    assert found.content["ground_truth_persons"] == 16 and found.content["ap"]["total"] == 100


# Damage that an evaluation takes without a word: kind of finding, its number.
SILENT = {
    "repeated": (lambda c: c["annotations"][3].update(id=c["annotations"][2]["id"]), 1),
    "track-too-large": (lambda c: c["annotations"][3].update(track_id=10_000), 1),
    "track-missing": (lambda c: [c["annotations"][k].pop("track_id") for k in (2, 3)], 2),
    "person-on-unlabelled-frame": (lambda c: c["images"][2].update(is_labeled=False), 2),
    "ignore-region-empty": (
        lambda c: c["images"][1].update(ignore_regions_x=[[]], ignore_regions_y=[[]]), 1,
    ),
    "joint-filler": (lambda c: c["annotations"][3]["keypoints"].__setitem__(slice(2), [-1, -1]), 1),
    "number-not-finite": (
        lambda c: c["images"][1].update(
            ignore_regions_x=[[1, 5, float("inf")]], ignore_regions_y=[[1, 5, 9]]
        ), 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SILENT)
def test_what_evaluation_would_not_say(kind, tree):
    damage, count = SILENT[kind]
    edit(tree / VAL_LABELS, damage)
    assert only(check("posetrack18", tree), kind).count == count


def test_joint_twice_and_track_missing_in_the_form_of_2017(tmp_path):
    root = posetrack17_tree(tmp_path)

    def damage(content):
        people = content["annolist"][2]["annorect"]
        points = people[0]["annopoints"][0]["point"]
        points.append(dict(points[0]))
        del people[1]["track_id"]

    edit(root / "annotations/val/val_labels.json", damage)
    assert found(check("posetrack17", root)) == {"repeated": 1, "track-missing": 1}


def mirrored(content):
    for frame in content["annolist"]:
        for person in frame["annorect"]:
            for point in person["annopoints"][0]["point"]:
                joint = point["id"][0]
                point["id"] = [(5 if joint < 6 else 17) - joint if joint < 12 else joint]


@pytest.mark.parametrize("form", ["posetrack17", "posetrack18"])
def test_a_video_with_left_and_right_exchanged_from_start_to_end(form, tmp_path):
    root = {"posetrack17": posetrack17_tree, "posetrack18": posetrack18_tree}[form](tmp_path)
    (path,) = (root / "annotations/val").iterdir()

    text = path.read_text()
    if form == "posetrack18":
        text = text.replace('"left_', '"LEFT_').replace('"right_', '"left_')
        path.write_text(text.replace('"LEFT_', '"right_'))
    else:  # joints 0 to 11 are right ankle, knee, hip, left hip, knee, ankle, ...
        edit(path, mirrored)
    finding = only(check(form, root), "sides-exchanged")
    assert finding.severity == "warning" and "16 of 16 people" in finding.examples[0]
