"""HiEve's boxes, XML labels and merged files: examples by hand, refusals, damage."""

import random
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdmi.core.errors import UserError
from tdmi.core.files import read_json, write_text
from tdmi.data.annotations import UNSCORED
from tdmi.formats import merged
from tdmi.formats.hieve import frame_xml, people
from tests.support.hieve_samples import one_line
from tests.support.label_samples import (
    HIEVE_BOXES,
    HIEVE_XML,
    hieve_coco,
    hieve_persons,
    write_xml_files,
)
from tests.support.mutations import mutated_bytes, mutated_json

# --- boxes ---------------------------------------------------------------------------------------


def test_boxes_by_hand(tmp_path):
    write_text(tmp_path / "5.txt", HIEVE_BOXES)
    a = people.read_boxes(tmp_path / "5.txt")
    assert a.frame_file == ["images/5/000000.jpg", "images/5/000003.jpg"]
    assert a.frame_number.tolist() == [0, 3]
    assert a.person_frame.tolist() == [0, 1, 1] and a.track_id.tolist() == [7, 7, 8]
    assert a.box.tolist() == [[1, 2, 3, 4], [10, 20.5, 30, 40], [-5, 6, 7, 8]]
    assert a.score.tolist() == [0, 1, 1]
    assert not a.present.any()


def test_a_wrong_line_of_boxes_is_named(tmp_path):
    write_text(tmp_path / "5.txt", HIEVE_BOXES.replace("0,7,1,2", "-1,7,1,2"))
    with pytest.raises(UserError, match=r"5\.txt: line 2: frame: .* from 0"):
        people.read_boxes(tmp_path / "5.txt")
    write_text(tmp_path / "5.txt", HIEVE_BOXES + "4,8,1,2,3\n")
    with pytest.raises(UserError, match=r"5\.txt: line 4: found 5 values, expected 10"):
        people.read_boxes(tmp_path / "5.txt")
    write_text(tmp_path / "5.txt", "")
    assert people.read_boxes(tmp_path / "5.txt").frames == 0


# --- one XML file per frame ----------------------------------------------------------------------


def test_xml_by_hand(tmp_path):
    write_xml_files(tmp_path)
    a = frame_xml.read_folder(tmp_path / "7")
    assert a.frame_file == ["images/7/000000.jpg", "images/7/000002.jpg"]
    assert a.frame_size.tolist() == [[1920, 1080], [0, 0]]
    assert a.frame_annotated.tolist() == [True, False]
    assert a.track_id.tolist() == [1] and a.action == ["standing-alone"]
    assert a.box.tolist() == [[747, 103, 297, 976]]
    assert np.flatnonzero(a.present[0]).tolist() == [0, 1]
    assert a.visible[0, :2].tolist() == [True, False]
    assert a.keypoints[0, 1].tolist() == [943, 278]


def test_xml_with_entities_is_refused(tmp_path):
    bomb = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>'
    write_text(tmp_path / "7/000000.xml", bomb)
    with pytest.raises(UserError, match="declares a document type") as error:
        frame_xml.read_folder(tmp_path / "7")
    assert one_line(error, "000000.xml")


# --- all videos in one file ----------------------------------------------------------------------


def test_coco_form_by_hand():
    a = merged.parse(hieve_coco(), "train_0.8.json")
    assert a.video_names == ["4", "12"]
    assert a.frame_file == ["images/4/000002.jpg", "images/4/000009.jpg", "images/12/000000.jpg"]
    assert a.frame_id.tolist() == [30, 31, 40] and a.frame_index.tolist() == [0, 1, 0]
    assert a.frame_size.tolist() == [[320, 240], [320, 240], [640, 480]]
    assert a.person_frame.tolist() == [1] and a.track_id.tolist() == [4]
    assert np.flatnonzero(a.present[0]).tolist() == [0, 1]
    assert a.visible[0, :2].tolist() == [True, False]
    assert a.area.tolist() == [12] and a.box.tolist() == [[1, 2, 3, 4]]
    assert not a.crowd.any(), "iscrowd says nothing in this form"


def test_persons_form_by_hand():
    a = people.parse_persons(hieve_persons(), "merge.json")
    assert a.video_names == ["merge"] and a.frame_number.tolist() == [7, 8]
    assert a.box.tolist() == [[1, 2, 3, 4]] and a.score.tolist() == [0.75]
    assert np.flatnonzero(~a.present[0]).tolist() == [3]
    assert a.keypoints[0, [0, 13]].tolist() == [[10, 20], [23, 33]]
    assert a.joint_score[0, 2:4].tolist() == [1, UNSCORED] and a.track_id.tolist() == [6]


def test_another_joint_set_is_refused():
    content = hieve_coco()
    content["categories"][0]["keypoints"][1] = "neck"
    with pytest.raises(UserError, match="this is another joint set") as error:
        merged.parse(content, "x.json")
    assert one_line(error, "x.json")
    content = hieve_persons()
    content[0]["persons"][0]["keypoints"][0][0] = 14
    with pytest.raises(UserError, match="found joint 14, expected 0 to 13"):
        people.parse_persons(content, "x.json")


# --- damage --------------------------------------------------------------------------------------


def mutated_xml(seed: int) -> bytes:
    """One element removed, doubled, renamed or with another text; sometimes damaged bytes too."""
    rng = random.Random(seed)
    root = ElementTree.fromstring(HIEVE_XML)
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
    rows = [line.split(",") for line in HIEVE_BOXES.splitlines()]
    rng.choice(rows)[rng.randrange(10)] = rng.choice(ODD_TEXTS)
    data = "\n".join(map(",".join, rows)).encode()
    return mutated_bytes(data, seed) if rng.random() < 0.5 else data


ODD_TEXTS = (
    "", " ", "x", "nan", "inf", "1e400", "-1e308", "1e308", "9" * 40, "-5", "0.5", "1,2", "1,2,3",
    "1,2,nan", "1,2,0,0", "P-", "P-x", "P--3", "P-99999999999999999999", "\u0663", "1_0",
)  # fmt: skip


def read_coco(path):
    return merged.parse(read_json(path), path)


def read_persons(path):
    content = read_json(path)
    return people.parse_persons(content if isinstance(content, list) else [content], path)


FORMS = {
    "text": ("7.txt", people.read_boxes, mutated_lines),
    "xml": (
        "7/000000.xml",
        lambda path: frame_xml.read_folder(path.parent),
        mutated_xml,
    ),
    "coco": ("all.json", read_coco, lambda s: mutated_json(hieve_coco(), s)),
    "persons": ("all.json", read_persons, lambda s: mutated_json(hieve_persons(), s)),
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
