"""Labels, boxes and texts as people's programs write them: one answer for every form."""

import json
import os

import numpy as np
import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, UNSCORED, concatenate
from tdmi.data.attributes import read_attributes
from tdmi.data.skeletons import COCO, POSETRACK18
from tdmi.datasets.pose2sim.calibration import read_calibration
from tdmi.formats import posetrack18
from tdmi.formats.files import new_folder, new_zip
from tdmi.formats.hieve import annolist, frame_xml, people
from tdmi.formats.posetrack import read_video_file
from tdmi.formats.precomputed_boxes import read_boxes
from tdmi.formats.recognition import read_labels
from tests.support.label_samples import (
    HIEVE_BOXES,
    HIEVE_XML,
    coco_keypoints,
    detect_and_track,
    hieve_coco,
    hieve_persons,
)
from tests.support.posetrack17_samples import content as posetrack17
from tests.support.posetrack17_samples import hieve_content
from tests.support.tiny_dataset import annotations as tiny

NAME = "900002_mpiinew_dots"

# --- texts in another encoding -------------------------------------------------------------------

TEXTS = {
    "HiEve boxes": ("5.txt", HIEVE_BOXES + "ä", people.read_boxes),
    "HiEve XML": ("000000.xml", HIEVE_XML.replace("Unknown", "ä"),
                  lambda p: frame_xml.read_folder(p.parent)),
    "calibration": ("c.qca.txt", "<calibration>ä</calibration>", read_calibration),
    "attributes": ("a.csv", "image_id,track_id,ä\n1,2,3\n",
                   lambda p: read_attributes(p, np.array([1]), np.array([2]))),
    "PoseTrack18": ("v.json", '{"images": [], "ä": 1}', read_video_file),
    "PoseTrack17": ("v.json", '{"annolist": [], "ä": 1}', read_video_file),
    "HiEve poses": ("7.json", '{"annolist": [], "ä": 1}', annolist.read_file),
    "boxes": ("b.json", '[{"ä": 1}]', lambda p: read_boxes(p, tiny("val", 3))),
    "any labels": ("x.json", '{"images": [], "ä": 1}', read_labels),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_that_is_not_utf8_is_refused_in_one_line(tmp_path, kind, encoding):
    if kind in ("HiEve XML", "calibration") and encoding == "utf-16":
        pytest.skip("XML with that byte order mark is in order")
    name, text, read = TEXTS[kind]
    (tmp_path / name).write_bytes(text.encode(encoding))
    message = r"expected (text in )?UTF-8; save it again as UTF-8"
    with pytest.raises(UserError, match=message) as error:
        read(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name)) and "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["HiEve boxes", "attributes"])
def test_a_byte_order_mark_and_line_ends_of_windows_are_read(tmp_path, kind):
    name, text, read = TEXTS[kind]
    text = text.removesuffix("ä")
    (tmp_path / name).write_bytes(text.encode())
    plain = repr(read(tmp_path / name))
    (tmp_path / name).write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    assert repr(read(tmp_path / name)) == plain


# --- backslashes ---------------------------------------------------------------------------------

LABELS = {
    "PoseTrack18": lambda: json.loads(json.dumps(file_of(tiny("val", 3)))),
    "merged": detect_and_track,
    "COCO": coco_keypoints,
    "HiEve merged": hieve_coco,
    "PoseTrack17": posetrack17,
    "HiEve": hieve_content,
    "HiEve persons": hieve_persons,
}


def file_of(a):
    images = [
        {"file_name": file, "id": int(i), "vid_id": "1"}
        for file, i in zip(a.frame_file, a.frame_id, strict=True)
    ]
    categories = [{"name": "person", "keypoints": list(POSETRACK18.joints)}]
    return {"images": images, "annotations": [], "categories": categories}


def with_backslashes(value, key=""):
    if isinstance(value, dict):
        return {k: with_backslashes(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [with_backslashes(v, key) for v in value]
    return value.replace("/", "\\") if key in ("file_name", "name") else value


@pytest.mark.parametrize("kind", LABELS)
def test_backslashes_in_names_of_frames_are_slashes(tmp_path, kind):
    read = []
    for folder, change in (("a", lambda content: content), ("b", with_backslashes)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "7.json").write_text(json.dumps(change(LABELS[kind]())))
        read.append(read_labels(tmp_path / folder))
    assert read[0].frame_file == read[1].frame_file
    assert read[0].video_names == read[1].video_names
    assert not any("\\" in file for file in read[1].frame_file)


# --- files of test splits ------------------------------------------------------------------------


def without_labels(content):
    if "annolist" in content:
        frames = [{"image": frame["image"]} for frame in content["annolist"]]
        return {"annolist": frames}
    return {key: value for key, value in content.items() if key != "annotations"}


@pytest.mark.parametrize("kind", ["PoseTrack18", "merged", "HiEve merged", "PoseTrack17", "COCO"])
def test_files_that_list_frames_alone_are_read_where_frames_suffice(tmp_path, kind):
    path = tmp_path / "7.json"
    path.write_text(json.dumps(LABELS[kind]()))
    frames = sorted(read_labels(path).frame_file)
    path.write_text(json.dumps(without_labels(LABELS[kind]())))
    found = read_labels(path, frames_suffice=True)
    assert found.persons == 0 and sorted(found.frame_file) == frames
    with pytest.raises(UserError, match=r"7\.json.*(no 'annotations'|'annorect' is null)"):
        read_labels(path)


def test_a_frame_without_people_among_others_is_damage_also_where_frames_suffice(tmp_path):
    content = posetrack17()
    del content["annolist"][0]["annorect"]
    (tmp_path / "v.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"annolist\[0\]: 'annorect' is null"):
        read_labels(tmp_path / "v.json", frames_suffice=True)


# --- AlphaPose -----------------------------------------------------------------------------------


def test_boxes_of_alphapose_name_their_frames_by_image_id(tmp_path):
    labels = tiny("val", 3)
    records = [
        {"image_id": f"{k:06d}.jpg", "category_id": 1, "bbox": [k, 2, 3, 4], "score": 0.5}
        for k in (2, 0)
    ]
    (tmp_path / "b.json").write_text(json.dumps(records))
    found = read_boxes(tmp_path / "b.json", labels)
    assert found.image_id.tolist() == labels.frame_id[[2, 0]].tolist()
    several = concatenate([labels, tiny("train", 3)])
    with pytest.raises(UserError, match=r"2 of 2 boxes belong to no frame.*image_id '000002\.jpg'"):
        read_boxes(tmp_path / "b.json", several)
    for record in records:
        record["image_id"] = f"{NAME}/{record['image_id']}"
    (tmp_path / "b.json").write_text(json.dumps(records))
    assert read_boxes(tmp_path / "b.json", several).image_id.tolist() == found.image_id.tolist()


def results(tracks):
    keypoints = [[10.5 + j, 20.0 + j, 0.5] for j in range(17)]
    keypoints[3] = [0, 0, 0]
    return [
        {
            "image_id": image, "category_id": 1, "score": 2.75, "idx": track,
            "keypoints": [x for joint in keypoints for x in joint], "box": [1, 2, 3, 4],
        }
        for image, track in zip(["000002.jpg", "000000.jpg", "000002.jpg"], tracks, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tracks", "expected"), [([1, 1, 2.0], [1, 1, 2]), ([[0.0], [0.0], [0.0]], [NO_TRACK] * 3)]
)
def test_results_of_alphapose_become_predictions(tmp_path, capsys, tracks, expected):
    posetrack18.write_folder(tiny("val", 3), tmp_path / "labels")
    (tmp_path / "r.json").write_text(json.dumps(results(tracks)))
    command = ["data", "convert", "--from", tmp_path / "r.json", "--to", "posetrack18", "--out"]
    assert main([*map(str, command), str(tmp_path / "x")]) == 2
    assert "`tdmi data convert --labels`" in capsys.readouterr().err
    more = ["--labels", str(tmp_path / "labels")]
    assert main([*map(str, command), str(tmp_path / "out"), *more]) == 0
    a = read_video_file(tmp_path / "out" / f"{NAME}.json")
    assert a.frames == 3 and a.person_frame.tolist() == [0, 2, 2]
    assert a.track_id.tolist() == expected and a.score.tolist() == [2.75] * 3
    for joint in ("nose", "left_ankle"):
        j = COCO.index(joint)
        slot = POSETRACK18.index(joint)
        assert a.keypoints[0, slot].tolist() == [10.5 + j, 20 + j]
        assert a.joint_score[0, slot] == 0.5
    left_ear = POSETRACK18.index("left_ear")
    assert not a.present[:, left_ear].any() and (a.joint_score[:, left_ear] == UNSCORED).all()


# --- destinations are tried first ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["there", "read-only/out", "file/out", "n" * 250])
@pytest.mark.parametrize("make", [new_folder, new_zip])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path, make, name):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "read-only").mkdir(mode=0o500)
    if name.startswith("read-only") and os.access(tmp_path / "read-only", os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises((UserError, OSError)) as error, make(tmp_path / name):
        pytest.fail("the work was begun")
    assert "\n" not in str(error.value) and name.split("/")[0] in str(error.value)
    assert (tmp_path / "there" / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    "command",
    [
        ["export", "--predictions", "none", "--form", "posetrack18"],
        ["convert", "--from", "none", "--to", "posetrack18"],
    ],
)
def test_commands_try_the_destination_before_they_read(tmp_path, capsys, command):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    assert main(["data", *command, "--out", str(tmp_path / "out")]) == 2
    assert "out: holds files already" in capsys.readouterr().err


# --- export refuses what evaluate refuses --------------------------------------------------------


@pytest.mark.parametrize("action", [["export", "--form", "posetrack18"], ["export-hieve"]])
def test_exports_refuse_one_video_under_two_names(tmp_path, capsys, action):
    from tests.support.hieve_samples import scene

    a = scene(tuple(map(str, range(20, 33))))
    posetrack18.write_folder(a, tmp_path / "pred")
    (tmp_path / "pred" / "21.json").write_bytes((tmp_path / "pred" / "20.json").read_bytes())
    folder = ["--predictions", str(tmp_path / "pred"), "--out", str(tmp_path / "out.zip")]
    assert main(["data", *action, *folder]) == 2
    assert "21.json: lists the same images as 20.json" in capsys.readouterr().err
    assert not (tmp_path / "out.zip").exists()
