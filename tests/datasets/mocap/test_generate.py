"""The data set on disk: form, determinism, simulated boxes, options."""

import csv
import dataclasses
import json

import cv2
import numpy as np
import pytest

from tdmi.core.errors import UserError
from tdmi.data.integrity import sha256_of_folder
from tdmi.datasets.contact_sheet import GAP, LEFT, RIGHT, contact_sheet
from tdmi.datasets.mocap.boxes import clipped, jittered, overlap, simulate_boxes
from tdmi.datasets.mocap.families import load_library
from tdmi.datasets.mocap.generate import (
    SPLITS,
    generate_split,
    generate_video,
)
from tdmi.datasets.mocap.labels import Label
from tdmi.datasets.mocap.options import MocapOptions, options_from
from tdmi.formats.posetrack18 import read_folder
from tests.support.mocap_sources import make_sources

SMALL = MocapOptions(
    videos={"train": 2, "val": 1, "test": 3},
    frames={"train": 4, "val": 7, "test": 7},
    label_margin=1,
    width=160,
    height=120,
    person_height=(45.0, 75.0),
    blur_samples=3,
)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return make_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def root(sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mocap")
    for split in SPLITS:
        generate_split(SMALL, split, sources, folder)
    return folder


def test_same_seed_same_bytes_in_any_order(sources, root, tmp_path):
    for split in reversed(SPLITS):
        generate_split(SMALL, split, sources, tmp_path)
    assert sha256_of_folder(tmp_path) == sha256_of_folder(root)


def test_a_video_depends_on_seed_split_and_number_alone(sources):
    library = load_library(sources, "test")
    alone = generate_video(SMALL, "test", library, 2)
    for index in (0, 1):
        generate_video(SMALL, "test", library, index)
    again = generate_video(SMALL, "test", library, 2)
    np.testing.assert_array_equal(alone.images, again.images)
    np.testing.assert_array_equal(alone.annotations.keypoints, again.annotations.keypoints)
    np.testing.assert_array_equal(alone.boxes.box, again.boxes.box)
    other = generate_video(dataclasses.replace(SMALL, seed=1), "test", library, 2)
    assert not np.array_equal(alone.images, other.images)


def test_files_have_the_posetrack_form(root):
    for split, number in (("train", 900001), ("val", 910001), ("test", 920001)):
        name = f"{number}_mpiinew_mocap"
        content = json.loads((root / "annotations" / split / f"{name}.json").read_text())
        frames = SMALL.frames[split]
        assert [image["id"] for image in content["images"]] == [
            int(f"3{number}{frame:04d}") for frame in range(frames)
        ]
        for image in content["images"]:
            picture = cv2.imread(str(root / image["file_name"]))
            assert picture.shape == (120, 160, 3)
            assert image["nframes"] == frames
        middle = range(1, frames - 1, SMALL.label_stride[split])
        assert [image["is_labeled"] for image in content["images"]] == [
            frame in middle for frame in range(frames)
        ]
        labelled = {image["id"] for image in content["images"] if image["is_labeled"]}
        assert content["annotations"] and labelled >= {
            person["image_id"] for person in content["annotations"]
        }
        for person in content["annotations"]:
            joints = np.array(person["keypoints"]).reshape(17, 3)
            assert (joints[3:5] == 0).all() and person["scores"] == []
            there = joints[(joints[:, :2] != 0).any(1), :2]
            extent = 1.3 * np.ptp(there, axis=0)
            np.testing.assert_allclose(person["bbox"][2:], extent, atol=1e-2)
            assert min(person["bbox_head"][2:]) > 2


def test_tables_and_boxes_refer_to_the_annotations(root):
    for split in SPLITS:
        people, images = set(), set()
        for path in sorted((root / "annotations" / split).glob("*.json")):
            content = json.loads(path.read_text())
            images |= {image["id"] for image in content["images"]}
            people |= {(p["image_id"], p["id"], p["track_id"]) for p in content["annotations"]}
        with open(root / "attributes" / f"{split}.csv", newline="") as stream:
            rows = list(csv.DictReader(stream))
        keys = ("image_id", "annotation_id", "track_id")
        assert {tuple(int(row[key]) for key in keys) for row in rows} == people
        for row in rows:
            assert 0.15 <= float(row["visible_fraction"]) <= 1 - float(row["truncation"]) + 1e-4
        boxes = json.loads((root / "boxes" / f"{split}.json").read_text())
        assert boxes and {box["image_id"] for box in boxes} <= images
        for box in boxes:
            x, y, width, height = box["bbox"]
            assert x >= 0 and y >= 0 and x + width <= 160.01 and y + height <= 120.01
            assert 0 < box["score"] < 1 and box["category_id"] == 1


def test_records_tell_what_is_there(root):
    summary = json.loads((root / "dataset.json").read_text())
    assert summary["seed"] == SMALL.seed and summary["options"]["width"] == 160
    for split in SPLITS:
        counts = summary["counts"][split]
        annotations = read_folder(root / "annotations" / split)
        assert counts["videos"] == SMALL.videos[split] == len(annotations.video_names)
        assert counts["persons"] == annotations.persons
        assert sum(counts["persons_by_family"].values()) == annotations.persons
        pictures = list((root / "images" / split).rglob("*.jpg"))
        assert counts["frames"] == len(pictures)


def test_people_seen_too_little_become_ignore_regions(sources):
    options = dataclasses.replace(SMALL, ignore_below=1.1)
    video = generate_video(options, "train", load_library(sources, "train"), 0)
    assert video.annotations.persons == 0
    regions = [polygon for frame in video.annotations.ignore_regions for polygon in frame]
    assert regions
    for polygon in regions:
        assert polygon.min() >= 0 and polygon[:, 0].max() <= 159 and polygon[:, 1].max() <= 119


def label(visible_fraction=1.0, labelled=True):
    return Label(
        person=0,
        labelled=labelled,
        keypoints=np.zeros((17, 2)),
        present=np.ones(17, bool),
        visible=np.ones(17, bool),
        box=np.array([100.0, 60.0, 40.0, 100.0]),
        head_box=np.zeros(4),
        attributes={"visible_fraction": visible_fraction, "blur_px": 0.0, "defocus": 0.0},
    )


@pytest.mark.parametrize(("visible", "rate"), [(1.0, 0.05), (0.3, 0.25)])
def test_miss_rate_is_the_option(visible, rate):
    options = MocapOptions(false_positives=0.0)
    rng = np.random.default_rng(0)
    found = sum(len(simulate_boxes(rng, [label(visible)], options)) for _ in range(4000))
    # Four standard deviations of a binomial count.
    assert 1 - found / 4000 == pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / 4000))


def test_false_boxes_come_at_their_rate_with_low_scores():
    options = MocapOptions(false_positives=0.5)
    rng = np.random.default_rng(0)
    found = [box for _ in range(2000) for box in simulate_boxes(rng, [], options)]
    assert len(found) / 2000 == pytest.approx(0.5, abs=0.07)
    assert max(score for _, score in found) < 0.56


def test_scores_tell_good_boxes_from_bad_ones():
    options = MocapOptions(false_positives=0.0, miss_rate=0.0, box_jitter=0.1)
    rng = np.random.default_rng(0)
    people = [label(v) for v in (1.0, 0.8, 0.6)]
    pairs = [
        (overlap(box, person.box), score)
        for _ in range(500)
        for person in people
        for box, score in simulate_boxes(rng, [person], options)
    ]
    quality, score = np.array(pairs).T
    assert np.corrcoef(quality, score)[0, 1] > 0.5


def test_no_jitter_gives_the_true_box():
    options = MocapOptions(false_positives=0.0, miss_rate=0.0, box_jitter=0.0)
    ((box, _),) = simulate_boxes(np.random.default_rng(0), [label()], options)
    np.testing.assert_array_equal(box, [100.0, 60.0, 40.0, 100.0])


def test_box_arithmetic_by_hand():
    box = np.array([10.0, 10.0, 20.0, 40.0])
    moved = jittered(box, np.array([0.5, 0.0]), np.array([0.0, np.log(2.0)]))
    np.testing.assert_allclose(moved, [20.0, -10.0, 20.0, 80.0])
    np.testing.assert_allclose(clipped(moved, 35, 50), [20.0, 0.0, 15.0, 50.0])
    # Common 10 x 40 of 800 + 1600 - 400.
    assert overlap(box, moved) == pytest.approx(400 / 2000)


def test_options_from_yaml_values():
    options = options_from({"seed": 7, "person_height": [50, 60]})
    assert options.seed == 7 and options.person_height == (50, 60)
    with pytest.raises(UserError, match="found unknown 'sed', expected seed"):
        options_from({"sed": 7})
    with pytest.raises(UserError, match="train, val, test"):
        options_from({"videos": {"train": 3}})
    with pytest.raises(UserError, match="odd"):
        options_from({"blur_samples": 4})


def test_contact_sheet_shows_frames_in_order_and_the_labels(root, tmp_path):
    contact_sheet(root, tmp_path / "sheet.png", videos=1, columns=3, width=80)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape == (3 * (60 + GAP), 3 * (80 + GAP), 3)
    # Of 4 frames the third is in the middle and labelled; of 7 the fourth, which is not.
    for row, (split, frames) in enumerate({"train": (0, 2, 3), "val": (0, 3, 6)}.items()):
        annotations = read_folder(root / "annotations" / split)
        for column, frame in enumerate(frames):
            picture = cv2.imread(str(root / annotations.frame_file[frame]))
            small = cv2.resize(picture, (80, 60), interpolation=cv2.INTER_AREA)
            top, left = row * (60 + GAP), column * (80 + GAP)
            tile = sheet[top : top + 60, left : left + 80]
            assert (sheet[top + 60 : top + 60 + GAP, left : left + 80] == 255).all()
            if (split, frame) != ("train", 2):
                np.testing.assert_array_equal(tile, small)
                continue
            # The last joint of the last person is drawn over everything but head boxes.
            person = np.flatnonzero(annotations.person_frame == frame)[-1]
            joint = np.flatnonzero(annotations.visible[person])[-1]
            x, y = np.rint((annotations.keypoints[person, joint] + 0.5) * 0.5 - 0.5).astype(int)
            side = annotations.skeleton.joints[joint].split("_")[0]
            assert tuple(tile[y, x]) == {"left": LEFT, "right": RIGHT}[side]
            assert 20 < np.count_nonzero((tile != small).any(axis=2)) < 2400
    with pytest.raises(UserError, match="generate the data set first"):
        contact_sheet(tmp_path, tmp_path / "none.png")


def test_a_link_where_the_images_go_is_named_before_anything_is_rendered(sources, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "root/images").mkdir(parents=True)
    (tmp_path / "root/images/val").symlink_to(tmp_path / "own", target_is_directory=True)
    with pytest.raises(UserError, match=r"images/val: a symbolic link to .*own, "):
        generate_split(SMALL, "val", sources, tmp_path / "root")
    assert [path.name for path in (tmp_path / "root").iterdir()] == ["images"]
