"""Labels of every known form through `tdmi data convert`, recognised by their content."""

import json

import numpy as np
import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.core.files import write_json, write_text
from tdmi.data.skeletons import HIEVE
from tdmi.formats import posetrack18
from tdmi.formats.recognition import form_of, read_labels
from tests.support.hieve_samples import scene
from tests.support.label_samples import (
    HIEVE_BOXES,
    coco_keypoints,
    detect_and_track,
    hieve_coco,
    hieve_persons,
    mmpose,
    write_xml_files,
)
from tests.support.posetrack17_samples import content as posetrack17
from tests.support.posetrack17_samples import hieve_content
from tests.support.tiny_dataset import annotations as tiny


def box_file(folder):
    write_text(folder / "5.txt", HIEVE_BOXES)
    write_text(folder / "20.txt", HIEVE_BOXES)


FILES = {
    "mmpose": (
        lambda f: write_json(f / "posetrack18_val.json", mmpose()),
        "1 file read as merged COCO-like labels",
        {"012834_mpii_test": 2, "003418_mpii_test": 1},
    ),
    "DetectAndTrack": (
        lambda f: write_json(f / "posetrack_val.json", detect_and_track()),
        "1 file read as merged COCO-like labels",
        {"000342_mpii": 1, "24788_mpii": 1},
    ),
    "COCO": (
        lambda f: write_json(f / "person_keypoints_val2017.json", coco_keypoints()),
        "1 file read as COCO keypoints",
        {"000000000139": 1, "000000000285": 1, "000000000632": 0},
    ),
    "PoseTrack2017": (
        lambda f: write_json(f / "v.json", posetrack17()),
        "1 file read as PoseTrack2017 labels (JSON)",
        {"v": 4},
    ),
    "HiEve poses": (
        lambda f: write_json(f / "7.json", hieve_content()),
        "1 file read as HiEve pose labels",
        {"7": 2},
    ),
    "HiEve XML": (
        write_xml_files,
        "1 file read as HiEve labels (XML)",
        {"7": 1},
    ),
    "HiEve boxes": (box_file, "2 files read as HiEve boxes", {"5": 3, "20": 3}),
    "HiEve merged": (
        lambda f: write_json(f / "train.json", hieve_coco()),
        "1 file read as merged COCO-like labels",
        {"4": 1, "12": 0},
    ),
    "HiEve persons": (
        lambda f: write_json(f / "merge.json", hieve_persons()),
        '1 file read as HiEve labels of the "persons" form',
        {"merge": 1},
    ),
}


def convert(source, out, *more, form="posetrack18"):
    arguments = ["data", "convert", "--from", source, "--to", form, "--out", out, *more]
    return main([str(argument) for argument in arguments])


@pytest.mark.parametrize("form", ["posetrack17", "posetrack17-mat", "posetrack18"])
@pytest.mark.parametrize("kind", FILES)
def test_every_form_is_recognised_and_converted(tmp_path, capsys, kind, form):
    write, line, persons = FILES[kind]
    (tmp_path / "labels").mkdir()
    write(tmp_path / "labels")
    assert convert(tmp_path / "labels", tmp_path / "out", form=form) == 0
    assert line in capsys.readouterr().out.splitlines()
    written = {path.stem for path in (tmp_path / "out").iterdir()}
    assert written == set(persons)
    if form == "posetrack18":
        read = posetrack18.read_folder(tmp_path / "out", list(persons))
        counts = np.bincount(read.frame_video[read.person_frame], minlength=len(persons))
        assert counts.tolist() == list(persons.values())


def test_xml_labels_of_many_videos_and_of_one(tmp_path, capsys):
    write_xml_files(tmp_path / "labels")
    (tmp_path / "labels" / "7").rename(tmp_path / "labels" / "8")
    write_xml_files(tmp_path / "labels")
    assert convert(tmp_path / "labels", tmp_path / "all") == 0
    assert "2 files read as HiEve labels (XML)" in capsys.readouterr().out
    assert convert(tmp_path / "labels" / "8", tmp_path / "one") == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["8.json"]
    assert convert(tmp_path / "labels" / "8" / "000000.xml", tmp_path / "frame") == 2
    assert "one frame of a video, expected the folder" in capsys.readouterr().err
    content = json.loads((tmp_path / "one" / "8.json").read_text())
    assert content["images"][0]["width"] == 1920
    assert content["annotations"][0]["action"] == "standing-alone"


def test_boxes_of_a_detector_need_labels(tmp_path, capsys):
    posetrack18.write_folder(tiny("val", 3), tmp_path / "labels")
    name = "images/val/900002_mpiinew_dots/000001.png"
    write_json(tmp_path / "b.json", [{"image_name": name, "bbox": [1, 2, 3, 4], "score": 0.5}])
    assert convert(tmp_path / "b.json", tmp_path / "out") == 2
    assert "b.json: boxes of a person detector, which need the labels" in capsys.readouterr().err
    assert convert(tmp_path / "b.json", tmp_path / "out", "--labels", tmp_path / "labels") == 0
    assert "1 file read as boxes of a person detector" in capsys.readouterr().out
    read = posetrack18.read_folder(tmp_path / "out")
    assert read.frames == 3 and read.person_frame.tolist() == [1]
    assert read.box.tolist() == [[1, 2, 3, 4]] and read.score.tolist() == [0.5]


@pytest.mark.parametrize("skeleton", ["posetrack18", "hieve"])
def test_the_projects_own_files_are_no_merged_files(tmp_path, skeleton):
    written = scene() if skeleton == "hieve" else tiny("val", 2)
    posetrack18.write_folder(written, tmp_path)
    (path,) = tmp_path.iterdir()
    content = json.loads(path.read_text())
    assert form_of(content, path) == "PoseTrack2018 or 21 labels"
    assert (written.skeleton == HIEVE) == (skeleton == "hieve")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"shapes": [], "version": 1}, "an object of 2 with 'shapes', 'version'"),
        ([{"pose": 1}], "a list of 1 with 'pose'"),
        ([], "an empty list"),
        (3, "3"),
    ],
)
def test_a_form_that_is_not_known_is_named_in_one_line(tmp_path, capsys, content, found):
    write_json(tmp_path / "x.json", content)
    assert convert(tmp_path / "x.json", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert f"x.json: found {found}, expected one of: PoseTrack2017" in error
    assert len(error.splitlines()) == 1 and not (tmp_path / "out").exists()


def test_a_video_in_two_files_is_refused(tmp_path, capsys):
    write_json(tmp_path / "labels" / "a.json", mmpose())
    write_json(tmp_path / "labels" / "b.json", mmpose())
    assert convert(tmp_path / "labels", tmp_path / "out") == 2
    assert "video 012834_mpii_test is in 2 files" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        {"images": 3},
        {"images": [3], "categories": [3]},
        {"images": [{"vid_id": []}, {"file_name": {}}], "categories": {}},
        {"images": [], "categories": [{"keypoints": [None, "nose"]}]},
    ],
)
def test_damaged_content_is_left_to_a_reader_that_names_the_fault(tmp_path, content):
    assert form_of(content, "x.json")
    write_json(tmp_path / "x.json", content)
    with pytest.raises(UserError, match=r"x\.json: ") as error:
        read_labels(tmp_path / "x.json")
    assert len(str(error.value).splitlines()) == 1
