"""What the PoseTrack18 writer writes is read back to the last bit; the rest is refused."""

import json
import tempfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.data.annotations import concatenate, on_skeleton, select_frames
from tdmi.data.skeletons import COCO, HIEVE, POSETRACK17, POSETRACK18
from tdmi.formats import posetrack18
from tdmi.formats.posetrack import read_video_file
from tests.support.annotation_sets import differing_columns, generated
from tests.support.tiny_dataset import annotations as tiny

SEEDS = st.integers(0, 2**32 - 1)
NAME = "900002_mpiinew_dots"


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(seed=SEEDS, skeleton=st.sampled_from((POSETRACK18, HIEVE, COCO)))
def test_every_column_comes_back_to_the_last_bit(seed, skeleton):
    written = generated(seed, skeleton)
    with tempfile.TemporaryDirectory() as folder:
        posetrack18.write_folder(written, folder)
        assert differing_columns(posetrack18.read_folder(folder), written) == []


def test_a_hidden_joint_in_the_corner_of_the_picture_stays_hidden(tmp_path):
    written = tiny("val", 1)
    written.keypoints[0, :2] = 0
    written.visible[0, 0] = False
    posetrack18.write_folder(written, tmp_path)
    again = read_video_file(tmp_path / f"{NAME}.json")
    assert again.present[0, :2].tolist() == [True, True]
    assert again.visible[0, :2].tolist() == [False, True]


def test_head_boxes_are_written_as_the_evaluators_read_them(tmp_path):
    written = tiny("val", 2)
    # 0.1 + 0.2 is not 0.3, and no width added to -0.3 gives 1e-20.
    written.head_box[0] = [0.1, -0.3, 0.30000000000000004, 1e-20]
    posetrack18.write_folder(written, tmp_path)
    content = json.loads((tmp_path / f"{NAME}.json").read_text())
    first, second = content["annotations"]
    assert first["bbox_head"] == pytest.approx([0.1, -0.3, 0.2, 0.3])
    assert first["head_box"] == written.head_box[0].tolist()
    assert second["bbox_head"][2:] == [20, 20] and "head_box" not in second


def test_what_is_unknown_is_left_out(tmp_path):
    written = tiny("val", 1)
    written.box[:] = written.head_box[:] = np.nan
    posetrack18.write_folder(written, tmp_path)
    content = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert set(content["annotations"][0]) == {
        "image_id", "id", "category_id", "keypoints", "scores", "track_id",
    }  # fmt: skip
    assert not {"width", "height", "nframes", "has_labeled_person"} & set(content["images"][0])


def test_ids_of_annotations_differ_in_a_crowd(tmp_path):
    people = 120
    frame = np.repeat([0, 1], people)
    crowd = replace(
        tiny("val", 2),
        **{
            name: getattr(tiny("val", 2), name)[frame]
            for name in (
                "person_frame", "track_id", "keypoints", "present", "visible", "joint_score",
                "box", "head_box", "score",
            )
        },
        area=None, crowd=None, person_id=None, action=None,
    )  # fmt: skip
    posetrack18.write_folder(crowd, tmp_path)
    content = json.loads((tmp_path / f"{NAME}.json").read_text())
    assert len({person["id"] for person in content["annotations"]}) == 2 * people


def test_the_names_of_the_joints_tell_the_skeleton(tmp_path):
    hieve = on_skeleton(tiny("val", 2), HIEVE)
    posetrack18.write_folder(hieve, tmp_path)
    content = json.loads((tmp_path / f"{NAME}.json").read_text())
    names = content["categories"][0]["keypoints"]
    assert names == list(HIEVE.joints)
    limbs = {(names[a - 1], names[b - 1]) for a, b in content["categories"][0]["skeleton"]}
    assert limbs == set(HIEVE.limbs)
    assert posetrack18.read_folder(tmp_path).skeleton == HIEVE


def test_other_names_of_joints_are_known():
    joints = [{"head_bottom": "neck", "head_top": "head"}.get(j, j) for j in POSETRACK17.joints]
    content = {
        "images": [{"id": 1, "file_name": "v/000007.jpg"}],
        "annotations": [{"image_id": 1, "keypoints": [v for k in range(15) for v in (k, 9, 1)]}],
        "categories": [{"keypoints": joints}],
    }
    read = posetrack18.parse(content, "v.json")
    assert read.skeleton == POSETRACK18
    for joint in ("head_bottom", "head_top", "nose"):
        x = read.keypoints[0, POSETRACK18.index(joint), 0]
        assert x == POSETRACK17.index(joint)
    assert read.frame_number.tolist() == [7]


def test_a_folder_holds_one_skeleton(tmp_path):
    posetrack18.write_folder(tiny("val", 1), tmp_path)
    posetrack18.write_folder(on_skeleton(tiny("train", 1), HIEVE), tmp_path)
    with pytest.raises(UserError, match=r"900002_mpiinew_dots\.json: joints are posetrack18, exp"):
        posetrack18.read_folder(tmp_path)


def with_value(column: str, value: float, *place: int):
    written = tiny("val", 2)
    getattr(written, column)[place] = value
    return written


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (on_skeleton(tiny("val", 2), POSETRACK17), "joints are posetrack17, expected posetrack18"),
        (with_value("keypoints", np.inf, 1, 0, 0), r"nose of a person in .*000001.png is at \(inf"),
        (with_value("joint_score", np.nan, 0, 3), "left_ear .* with score nan"),
        (with_value("box", np.nan, 1, 2), r"box of a person in .*000001.png is .* nan "),
        (with_value("head_box", -np.inf, 0, 2), "head box of a person"),
        (with_value("score", np.inf, 0), "score of a person in .* is inf"),
        (with_value("area", -np.inf, 0), "area of a person"),
        (with_value("frame_id", 30000000000, slice(None)), "two frames of video .* the same id"),
        (replace(tiny("val", 2), ignore_regions=[[], [np.array([[np.nan, 1]])]]), "ignore region"),
        (replace(tiny("val", 2), frame_file=["a/0.jpg", "b/1.jpg"]), "lie in several folders"),
        (replace(tiny("val", 2), video_names=["../x"]), r"called '\.\./x', expected the name of a"),
        (
            replace(concatenate([tiny("val", 1), tiny("train", 1)]), video_names=["v", "v"]),
            "two videos are called 'v'",
        ),
    ],
)
def test_what_a_file_cannot_hold_is_refused_before_anything_is_written(written, message, tmp_path):
    with pytest.raises(UserError, match=message) as error:
        posetrack18.write_folder(written, tmp_path / "out")
    assert len(str(error.value).splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_what_the_form_does_not_hold_is_told_from_the_rest(tmp_path):
    later = select_frames(tiny("val", 4), np.array([0, 1, 0, 1], bool))
    later.frame_annotated[:] = False
    posetrack18.write_folder(later, tmp_path)
    again = posetrack18.read_folder(tmp_path)
    assert differing_columns(again, later) == ["frame_index", "frame_annotated"]
    assert again.frame_index.tolist() == [0, 1] and again.frame_number.tolist() == [1, 3]
    assert again.frame_annotated.all()
