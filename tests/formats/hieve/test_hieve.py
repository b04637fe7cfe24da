"""HiEve's files: round trips, hand-written examples of every form, refusals, damage, submission."""

import json
import random
import zipfile
from dataclasses import fields, replace
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.core.files import write_json, write_text
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations, select_videos
from tdmi.data.skeletons import HIEVE, POSETRACK18
from tdmi.datasets.public.hieve_frames import extract_frames
from tdmi.formats import hieve
from tdmi.formats.hieve import annolist, boxes_text, frame_xml, merged
from tdmi.formats.hieve.columns import from_corners, to_corners
from tests.support.mutations import mutated_bytes, mutated_json


def scene(videos: tuple[str, ...] = ("7",), frames: int = 3, seed: int = 0) -> Annotations:
    """Two people per frame, but nobody in the second frame; joints and boxes are not round."""
    generator = np.random.Generator(np.random.PCG64(seed))
    count = frames * len(videos)
    person_frame = np.repeat(np.flatnonzero(np.arange(count) % frames != 1), 2)
    people = len(person_frame)
    present = generator.random((people, 14)) < 0.8
    keypoints = np.where(present[..., None], generator.uniform(-50, 900, (people, 14, 2)), 0.0)
    low, high = generator.uniform(-20, 300, (people, 2)), generator.uniform(300, 999, (people, 2))
    position = np.tile(np.arange(frames), len(videos))
    occupied = np.isin(np.arange(count), person_frame)
    name = np.repeat(videos, frames)
    return Annotations(
        skeleton=HIEVE,
        video_names=list(videos),
        frame_video=np.repeat(np.arange(len(videos)), frames),
        frame_index=position,
        frame_file=[f"images/{v}/{k:06d}.jpg" for v, k in zip(name, position, strict=True)],
        frame_id=position.astype(np.int64),
        frame_labelled=occupied,
        frame_annotated=occupied.copy(),
        ignore_regions=[[] for _ in range(count)],
        person_frame=person_frame,
        track_id=np.arange(people) % 5,
        keypoints=keypoints,
        present=present,
        visible=present.copy(),
        joint_score=np.where(present, generator.random((people, 14)), UNSCORED),
        box=np.concatenate([low, high - low], axis=1),
        head_box=np.full((people, 4), np.nan),
        score=generator.random(people),
    )


def same(a: Annotations, b: Annotations) -> None:
    for field in fields(Annotations):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if field.name == "ignore_regions":
            left, right = ([[p.tolist() for p in f] for f in side] for side in (left, right))
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, field.name
            np.testing.assert_array_equal(left, right, field.name)
        else:
            assert left == right, field.name


def one_line(error: pytest.ExceptionInfo, name: str) -> bool:
    return "\n" not in str(error.value) and name in str(error.value)


# --- the pose labels -----------------------------------------------------------------------------


def labels() -> dict:
    """As the released files look: scalars in lists, no folder in names, no is_labeled."""
    points = [{"id": [j], "x": [10 + j], "y": [20.5 + j], "score": [1]} for j in (0, 1, 13)]
    points[1]["score"] = [0]
    person = {
        "x1": [5], "y1": [6], "x2": [45], "y2": [106], "track_id": [3], "score": [0.5],
        "annopoints": [{"point": points}],
    }  # fmt: skip
    box_alone = {"x1": [1], "y1": [2], "x2": [3], "y2": [5], "track_id": [4], "annopoints": []}
    return {
        "annolist": [
            {"image": [{"name": "000010.jpg"}], "ignore_regions": [], "annorect": [person]},
            {"image": [{"name": "000011.jpg"}], "annorect": [box_alone, person]},
            {"image": [{"name": "000012.jpg"}], "annorect": []},
        ]
    }


def test_pose_labels_by_hand():
    a = annolist.parse(labels(), "labels/7.json")
    assert a.skeleton == HIEVE and a.video_names == ["7"]
    assert a.frame_file == [f"images/7/0000{n}.jpg" for n in (10, 11, 12)]
    assert a.frame_number.tolist() == [10, 11, 12]
    assert a.frame_annotated.tolist() == a.frame_labelled.tolist() == [True, True, False]
    assert a.person_frame.tolist() == [0, 1, 1]
    assert a.track_id.tolist() == [3, 4, 3]
    assert a.box.tolist() == [[5, 6, 40, 100], [1, 2, 2, 3], [5, 6, 40, 100]]
    assert np.isnan(a.head_box).all()
    assert [HIEVE.joints[j] for j in np.flatnonzero(a.present[0])] == [
        "nose", "chest", "left_ankle",
    ]  # fmt: skip
    assert not a.present[1].any()
    assert a.keypoints[0, 13].tolist() == [23, 33.5]
    assert a.joint_score[0, [0, 1, 2]].tolist() == [1, 0, UNSCORED]
    assert a.score[0] == 0.5 and np.isnan(a.score[1])


@pytest.mark.parametrize(
    ("meaning", "visible"), [("confidence", [1, 1]), ("visibility", [1, 0]), ("flag", [0, 1])]
)
def test_what_a_label_score_means_is_an_option(meaning, visible):
    # Nose has score 1, chest 0.
    assert annolist.parse(labels(), "7.json", meaning).visible[0, :2].tolist() == visible


def test_flag_minus_one_is_an_absent_joint():
    content = labels()
    content["annolist"][0]["annorect"][0]["annopoints"][0]["point"][0]["score"] = [-1]
    assert annolist.parse(content, "7.json", "flag").present[0].sum() == 2
    assert annolist.parse(content, "7.json").present[0].sum() == 3


@pytest.mark.parametrize("seed", range(3))
def test_pose_labels_round_trip(tmp_path, seed):
    a = scene(seed=seed)
    annolist.write_file(a, tmp_path / "7.json")
    same(annolist.read_file(tmp_path / "7.json"), a)


def test_regions_and_missing_values_come_back(tmp_path):
    a = scene()
    a.ignore_regions[0] = [np.array([[0, 0], [5.5, 0], [5, 5]]), np.zeros((0, 2))]
    a.box[0], a.score[1], a.track_id[2] = np.nan, np.nan, NO_TRACK
    a.joint_score[3] = UNSCORED
    annolist.write_folder(a, tmp_path)
    same(annolist.read_file(tmp_path / "7.json"), a)


def test_a_repeated_joint_counts_once():
    content = labels()
    points = content["annolist"][0]["annorect"][0]["annopoints"][0]["point"]
    points.append({"id": [0], "x": [99], "y": [99]})
    assert annolist.parse(content, "7.json").keypoints[0, 0].tolist() == [10, 20.5]


def test_joints_of_another_data_set_are_refused_by_number():
    content = labels()
    content["annolist"][0]["annorect"][0]["annopoints"][0]["point"][0]["id"] = [14]
    with pytest.raises(UserError, match=r"annorect\[0\].*joint 14, expected 0 to 13") as error:
        annolist.parse(content, "x/7.json")
    assert one_line(error, "x/7.json")


@given(st.lists(st.floats(-1e4, 1e4), min_size=4, max_size=4))
@settings(max_examples=300, derandomize=True, deadline=None, database=None)
def test_corners_give_the_same_box_again(corners):
    box = from_corners(corners)
    assert from_corners(to_corners(box)).tolist() == box.tolist()


def test_labels_of_several_videos_have_image_ids_of_their_own(tmp_path):
    for video in ("4", "12"):
        write_json(tmp_path / f"HIE20/labels/train/track2&3/{video}.json", labels())
    a = hieve.read_labels(tmp_path, ["12", "4"])
    assert a.video_names == ["12", "4"]
    assert a.frame_id.tolist() == [12000010, 12000011, 12000012, 4000010, 4000011, 4000012]
    assert a.frame_file[3] == "images/4/000010.jpg"
    with pytest.raises(UserError, match=r"5\.json: no such file, expected the pose labels") as e:
        hieve.read_labels(tmp_path, ["4", "5"])
    assert one_line(e, "5.json")


def test_the_split_is_a_partition_of_the_labelled_videos():
    numbers = sorted(int(v) for v in (*hieve.TRAIN_VIDEOS, *hieve.VALIDATION_VIDEOS))
    assert numbers == list(range(1, 20))
    assert hieve.VALIDATION_VIDEOS == ("4", "8", "12", "16")
    assert [int(v) for v in hieve.TEST_VIDEOS] == list(range(20, 33))


# --- boxes ---------------------------------------------------------------------------------------

BOXES = "3,7,10,20.5,30,40,1,-1,-1,-1\n0,7,1,2,3,4,0,-1,-1,-1\n3,8,-5,6,7,8,1,-1,-1,-1\n"


def test_boxes_by_hand(tmp_path):
    write_text(tmp_path / "5.txt", BOXES)
    a = boxes_text.read_file(tmp_path / "5.txt")
    assert a.frame_file == ["images/5/000000.jpg", "images/5/000003.jpg"]
    assert a.frame_number.tolist() == [0, 3]
    assert a.person_frame.tolist() == [0, 1, 1] and a.track_id.tolist() == [7, 7, 8]
    assert a.box.tolist() == [[1, 2, 3, 4], [10, 20.5, 30, 40], [-5, 6, 7, 8]]
    assert a.score.tolist() == [0, 1, 1]
    assert not a.present.any()


def test_boxes_that_count_frames_from_one(tmp_path):
    write_text(tmp_path / "5.txt", "1,7,1,2,3,4,1,-1,-1,-1\n")
    assert boxes_text.read_file(tmp_path / "5.txt", first_frame=1).frame_number.tolist() == [0]
    assert boxes_text.read_file(tmp_path / "5.txt").frame_number.tolist() == [1]
    write_text(tmp_path / "5.txt", BOXES)
    with pytest.raises(UserError, match=r"5\.txt: line 2: frame: .* from 1"):
        boxes_text.read_file(tmp_path / "5.txt", first_frame=1)


@pytest.mark.parametrize("first_frame", [0, 1])
def test_boxes_round_trip(tmp_path, first_frame):
    a = scene()
    boxes_text.write_file(a, tmp_path / "7.txt", first_frame)
    again = boxes_text.read_file(tmp_path / "7.txt", first_frame)
    for column in ("track_id", "box", "score"):
        np.testing.assert_array_equal(getattr(again, column), getattr(a, column))
    np.testing.assert_array_equal(
        again.frame_number[again.person_frame], a.frame_number[a.person_frame]
    )
    line = (tmp_path / "7.txt").read_text().splitlines()[0]
    assert line.split(",")[:2] == [str(first_frame), "0"] and line.endswith(",-1,-1,-1")
    # What was read is held by the form without any loss.
    boxes_text.write_file(again, tmp_path / "again/7.txt", first_frame)
    assert (tmp_path / "again/7.txt").read_bytes() == (tmp_path / "7.txt").read_bytes()


# --- one XML file per frame ----------------------------------------------------------------------

XML = """<annotation>
  <folder>hm_in_fighting1</folder><filename>0.jpg</filename>
  <path>D:\\hm_in_fighting1\\0.jpg</path><source><database>Unknown</database></source>
  <size><width>1920</width><height>1080</height><depth>3</depth></size><segmented>0</segmented>
  <object>
    <name>P-1</name><action>standing-alone</action><pose>unspecified</pose>
    <bndbox><xmin>747</xmin><ymin>103</ymin><xmax>1044</xmax><ymax>1079</ymax>
      <Nose>928,185,0</Nose><Chest>943,278,1</Chest><Left-ankle>0,0,-1</Left-ankle></bndbox>
  </object>
</annotation>
"""


def xml_files(folder) -> None:
    write_text(folder / "7/000000.xml", XML)
    write_text(folder / "7/000002.xml", "<annotation/>")


def test_xml_by_hand(tmp_path):
    xml_files(tmp_path)
    a = frame_xml.read_folder(tmp_path / "7")
    assert a.frame_file == ["images/7/000000.jpg", "images/7/000002.jpg"]
    assert a.frame_size.tolist() == [[1920, 1080], [0, 0]]
    assert a.frame_annotated.tolist() == [True, False]
    assert a.track_id.tolist() == [1] and a.action == ["standing-alone"]
    assert a.box.tolist() == [[747, 103, 297, 976]]
    assert np.flatnonzero(a.present[0]).tolist() == [0, 1]
    assert a.visible[0, :2].tolist() == [True, False]
    assert a.keypoints[0, 1].tolist() == [943, 278]
    assert "fighting" in frame_xml.ACTIONS and len(set(frame_xml.ACTIONS)) == 14


def test_xml_round_trip(tmp_path):
    a = scene()
    a = replace(
        a,
        joint_score=np.full((a.persons, 14), UNSCORED),
        score=np.full(a.persons, np.nan),
        visible=a.present & (np.arange(14) % 2 == 0),
        action=[frame_xml.ACTIONS[k] for k in range(a.persons)],
        frame_size=np.tile([1280, 720], (a.frames, 1)),
    )
    a.action[1], a.track_id[2] = "", NO_TRACK
    frame_xml.write_folder(a, tmp_path)
    assert sorted(p.name for p in (tmp_path / "7").iterdir()) == [
        "000000.xml", "000001.xml", "000002.xml",
    ]  # fmt: skip
    same(frame_xml.read_folder(tmp_path / "7"), a)


def test_xml_with_entities_is_refused(tmp_path):
    bomb = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>'
    write_text(tmp_path / "7/000000.xml", bomb)
    with pytest.raises(UserError, match="declares a document type") as error:
        frame_xml.read_folder(tmp_path / "7")
    assert one_line(error, "000000.xml")


# --- all videos in one file ----------------------------------------------------------------------


def coco() -> dict:
    """Frames out of order, as users' files have them after a random split."""
    zero = [0, 0, 0] * 14
    joints = [10, 20, 1, 30, 40, 0, *zero[6:]]
    person = {
        "id": 0, "track_id": 4, "image_id": 31, "category_id": 1, "iscrowd": 1, "area": 12.0,
        "segmentation": [[0] * 8], "bbox": [1, 2, 3, 4], "score": 1.0, "keypoints": joints,
        "num_keypoints": 1,
    }  # fmt: skip
    images = [
        {"id": 40, "width": 640, "height": 480, "file_name": "12/000000.jpg"},
        {"id": 31, "width": 320, "height": 240, "file_name": "4/000009.jpg"},
        {"id": 30, "width": 320, "height": 240, "file_name": "4/000002.jpg"},
    ]
    category = {"id": 1, "name": "person", "keypoints": list(HIEVE.joints),
                "skeleton": [["nose", "chest"]]}  # fmt: skip
    return {"images": images, "annotations": [person], "categories": [category]}


def test_coco_form_by_hand(tmp_path):
    write_json(tmp_path / "train_0.8.json", coco())
    a = merged.read_coco(tmp_path / "train_0.8.json")
    assert a.video_names == ["4", "12"]
    assert a.frame_file == ["images/4/000002.jpg", "images/4/000009.jpg", "images/12/000000.jpg"]
    assert a.frame_id.tolist() == [30, 31, 40] and a.frame_index.tolist() == [0, 1, 0]
    assert a.frame_size.tolist() == [[320, 240], [320, 240], [640, 480]]
    assert a.person_frame.tolist() == [1] and a.track_id.tolist() == [4]
    assert np.flatnonzero(a.present[0]).tolist() == [0, 1]
    assert a.visible[0, :2].tolist() == [True, False]
    assert a.area.tolist() == [12] and a.box.tolist() == [[1, 2, 3, 4]]
    assert not a.crowd.any(), "iscrowd says nothing in this form"


def persons() -> list:
    keypoints = [[j, 10 + j, 20 + j, 1] for j in range(14)]
    keypoints[3] = [3, 0, 0, 0]
    person = {"track_id": [6], "bbox": [1, 2, 4, 6, 0.75], "keypoints": keypoints[::-1]}
    return [
        {"file_name": "000000000007.jpg", "persons": [person]},
        {"file_name": "000000000008.jpg", "persons": []},
    ]


def test_persons_form_by_hand(tmp_path):
    write_json(tmp_path / "merge.json", persons())
    a = merged.read_persons(tmp_path / "merge.json")
    assert a.video_names == ["merge"] and a.frame_number.tolist() == [7, 8]
    assert a.box.tolist() == [[1, 2, 3, 4]] and a.score.tolist() == [0.75]
    assert np.flatnonzero(~a.present[0]).tolist() == [3]
    assert a.keypoints[0, [0, 13]].tolist() == [[10, 20], [23, 33]]
    assert a.joint_score[0, 2:4].tolist() == [1, UNSCORED] and a.track_id.tolist() == [6]


@pytest.mark.parametrize("form", ["coco", "persons"])
def test_merged_round_trips(tmp_path, form):
    write, read = getattr(merged, f"write_{form}"), getattr(merged, f"read_{form}")
    a = scene(("2", "10"))
    a.frame_id = np.arange(a.frames)
    a.joint_score[0, a.present[0]] = 0.0
    if form == "coco":
        a.visible = a.present & (a.joint_score > 0)
        a.area = np.linspace(1.5, 9, a.persons)
        a.frame_size = np.tile([640, 360], (a.frames, 1))
    a.track_id[1] = NO_TRACK
    write(a, tmp_path / "all.json")
    same(read(tmp_path / "all.json"), a)
    assert 'iscrowd": 1' in (tmp_path / "all.json").read_text() or form == "persons"


def test_another_joint_set_is_refused(tmp_path):
    content = coco()
    content["categories"][0]["keypoints"][1] = "neck"
    write_json(tmp_path / "x.json", content)
    with pytest.raises(UserError, match="not HiEve's 14 joints") as error:
        merged.read_coco(tmp_path / "x.json")
    assert one_line(error, "x.json")
    wrong = replace(scene(), skeleton=POSETRACK18)
    for write in (annolist.write_file, merged.write_coco, frame_xml.write_folder):
        with pytest.raises(UserError, match="joints are posetrack18, expected hieve"):
            write(wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- damage --------------------------------------------------------------------------------------


def mutated_xml(seed: int) -> bytes:
    """One element removed, doubled, renamed or with another text; sometimes damaged bytes too."""
    rng = random.Random(seed)
    root = ElementTree.fromstring(XML)
    parent = rng.choice([element for element in root.iter() if len(element)])
    child = rng.choice(list(parent))
    kind = rng.choice(("remove", "double", "rename", "text", "text", "text"))
    if kind == "remove":
        parent.remove(child)
    elif kind == "double":
        parent.append(child)
    elif kind == "rename":
        child.tag = rng.choice(("Nose", "object", "bndbox", "x"))
    else:
        child.text = rng.choice(ODD_TEXTS)
    data = ElementTree.tostring(root)
    return mutated_bytes(data, seed) if rng.random() < 0.3 else data


def mutated_lines(seed: int) -> bytes:
    """One value of the box file changed; sometimes damaged bytes too."""
    rng = random.Random(seed)
    rows = [line.split(",") for line in BOXES.splitlines()]
    rng.choice(rows)[rng.randrange(10)] = rng.choice(ODD_TEXTS)
    data = "\n".join(map(",".join, rows)).encode()
    return mutated_bytes(data, seed) if rng.random() < 0.5 else data


ODD_TEXTS = (
    "", " ", "x", "nan", "inf", "1e400", "-1e308", "1e308", "9" * 40, "-5", "0.5", "1,2", "1,2,3",
    "1,2,nan", "1,2,0,0", "P-", "P-x", "P--3", "P-99999999999999999999", "\u0663", "1_0",
)  # fmt: skip
FORMS = {
    "annolist": ("7.json", annolist.read_file, lambda s: mutated_json(labels(), s)),
    "text": ("7.txt", boxes_text.read_file, mutated_lines),
    "xml": (
        "7/000000.xml",
        lambda path: frame_xml.read_folder(path.parent),
        mutated_xml,
    ),
    "coco": ("all.json", merged.read_coco, lambda s: mutated_json(coco(), s)),
    "persons": ("all.json", merged.read_persons, lambda s: mutated_json(persons(), s)),
}


@pytest.mark.parametrize("form", FORMS)
def test_damaged_files_are_read_or_refused_in_one_line(form, tmp_path):
    name, read, damaged = FORMS[form]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)

    @given(seed=st.integers(0, 2**32 - 1))
    @settings(max_examples=200, derandomize=True, deadline=None, database=None)
    def check(seed):
        path.write_bytes(damaged(seed))
        try:
            read(path)
        except UserError as error:
            assert "\n" not in str(error) and path.name in str(error)

    check()


# --- frames of videos ----------------------------------------------------------------------------


def video(path, frames: int = 12) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    for k in range(frames):
        writer.write(np.full((48, 64, 3), 20 * k, np.uint8))
    writer.release()


def test_frames_are_written_once_and_whole(tmp_path):
    video(tmp_path / "HIE20/videos/train/4.mp4")
    video(tmp_path / "HIE20/videos/20.MP4", frames=3)
    assert extract_frames(tmp_path, ["4", "20"]) == []
    names = sorted(p.name for p in (tmp_path / "images/4").iterdir())
    assert names == [f"{k:06d}.jpg" for k in range(12)]
    assert len(list((tmp_path / "images/20").iterdir())) == 3
    grey = [cv2.imread(str(tmp_path / f"images/4/{k:06d}.jpg")).mean() for k in (0, 5, 10)]
    np.testing.assert_allclose(grey, [0, 100, 200], atol=4)
    before = (tmp_path / "images/4/000000.jpg").stat().st_mtime_ns
    (tmp_path / "HIE20/videos/train/4.mp4").unlink()
    extract_frames(tmp_path, ["4"])
    assert (tmp_path / "images/4/000000.jpg").stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", ["missing", "no video", "cut off"])
def test_an_unreadable_video_leaves_no_frames(tmp_path, kind):
    path = tmp_path / "HIE20/videos/test/20.mp4"
    path.parent.mkdir(parents=True)
    if kind == "no video":
        path.write_bytes(b"nothing of a video")
    if kind == "cut off":
        video(tmp_path / "whole.mp4", 40)
        data = (tmp_path / "whole.mp4").read_bytes()
        path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError) as error:
        extract_frames(tmp_path, ["20"])
    assert one_line(error, "20.mp4")
    assert [p.name for p in (tmp_path / "images").iterdir() if p.is_dir()] == []


def test_frames_are_counted_against_the_labels(tmp_path):
    write_json(tmp_path / "HIE20/labels/train/track2&3/4.json", labels())  # needs 13 frames
    video(tmp_path / "HIE20/videos/train/4.mp4", 12)
    with pytest.raises(UserError, match="12 frames, expected 13"):
        extract_frames(tmp_path, ["4"])
    assert not (tmp_path / "images/4").exists()
    video(tmp_path / "HIE20/videos/train/4.mp4", 15)
    notes = extract_frames(tmp_path, ["4"])
    assert notes == ["video 4: 15 frames, labels name the first 13"]


# --- submission ----------------------------------------------------------------------------------


def test_submission_has_a_file_per_test_video_and_repeats_its_bytes(tmp_path):
    a = scene((*hieve.TEST_VIDEOS, "4"))
    a.box[0], a.track_id[1] = np.nan, NO_TRACK
    a.present[2] = False
    a.ignore_regions[0] = [np.array([[0, 0], [1, 0], [1, 1]], float)]
    for name in ("a.zip", "b.zip"):
        hieve.write_submission(a, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.namelist() == [f"{n}.json" for n in range(20, 33)]
        first = json.loads(archive.read("20.json"))["annolist"]
    assert [frame["image"] for frame in first] == [[{"name": f"{k:06d}.jpg"}] for k in range(3)]
    assert all(set(f) == {"image", "ignore_regions", "annorect"} for f in first)
    assert first[0]["ignore_regions"] == []
    assert [len(frame["annorect"]) for frame in first] == [2, 0, 1]
    for person in first[0]["annorect"]:
        assert {"x1", "y1", "x2", "y2", "track_id"} <= set(person)
        points = person["annopoints"][0]["point"]
        assert points and all(set(p) == {"id", "x", "y", "score"} for p in points)
    xs = [p["x"][0] for p in first[0]["annorect"][0]["annopoints"][0]["point"]]
    assert first[0]["annorect"][0]["x1"] == [min(xs)]
    assert first[0]["annorect"][0]["x2"][0] == pytest.approx(max(xs))
    assert first[0]["annorect"][1]["track_id"] == [1]


def test_submission_reads_back(tmp_path):
    a = scene(hieve.TEST_VIDEOS)
    hieve.write_submission(a, tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        content = json.loads(archive.read("25.json"))
    same(annolist.parse(content, "25.json"), select_videos(a, ["25"]))


@pytest.mark.parametrize("fault", ["missing video", "no scores", "not a zip"])
def test_unfit_submissions_are_refused(tmp_path, fault):
    a = scene(hieve.TEST_VIDEOS[:-2] if fault == "missing video" else hieve.TEST_VIDEOS)
    if fault == "no scores":
        a.joint_score[:] = UNSCORED
    name = "a.json" if fault == "not a zip" else "a.zip"
    with pytest.raises(UserError) as error:
        hieve.write_submission(a, tmp_path / name)
    assert one_line(error, name)
    if fault == "missing video":
        assert "no predictions for video 31, 32" in str(error.value)
    assert list(tmp_path.iterdir()) == []
