import json
import math

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tdmi.formats import posetrack18
from tdmi.reporting.data import selection
from tdmi.reporting.data.settings import load
from tdmi.reporting.figures import drawing, gallery
from tests.support.report_suite import video_file, write_suite

HEAD = 0.6 * math.hypot(24, 30)


def annotations(tmp_path, name: str, change=lambda record: None):
    content = video_file(1, 0, 0, name == "prediction")
    for record in content["annotations"]:
        change(record)
    path = tmp_path / name / "900002_mpiinew_mocap.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    return posetrack18.read_file(path)


def shifted(pixels: float):
    def change(record):
        points = np.array(record["keypoints"]).reshape(-1, 3)
        points[points[:, 2] > 0, 0] += pixels
        record["keypoints"] = points.ravel().tolist()
        record["id"] = -record["id"]

    return change


def test_a_shift_of_every_joint_is_the_error_in_head_sizes(tmp_path):
    truth = annotations(tmp_path, "truth")
    prediction = annotations(tmp_path, "prediction", shifted(6))
    distances, matches = selection.joint_distances(truth, prediction, selection.head_sizes(truth))
    assert matches.tolist() == list(range(truth.persons))
    np.testing.assert_allclose(distances[truth.present], 6 / HEAD)
    assert np.isnan(distances[~truth.present]).all()


def test_persons_are_matched_by_place_and_not_by_order(tmp_path):
    truth = annotations(tmp_path, "truth")
    prediction = annotations(tmp_path, "prediction")
    prediction.keypoints[:2] = prediction.keypoints[:2][::-1]
    distances, matches = selection.joint_distances(truth, prediction, selection.head_sizes(truth))
    assert matches[:2].tolist() == [1, 0]
    assert np.nanmax(distances) == 0


def test_a_person_that_nobody_predicted_has_the_largest_error(tmp_path):
    truth = annotations(tmp_path, "truth")
    prediction = annotations(tmp_path, "prediction")
    prediction.person_frame[prediction.person_frame == 3] = 2
    distances, matches = selection.joint_distances(truth, prediction, selection.head_sizes(truth))
    lost = truth.person_frame == 3
    assert (matches[lost] == -1).all()
    assert np.nanmin(distances[lost]) == selection.CAP


def test_the_rule_picks_what_a_hand_calculation_picks():
    single = [0.1, 0.9, 0.5, 0.2, 0.8, 0.3]
    other = [0.1, 0.8, 0.1, 0.7, 0.7, 0.2]
    # spread:  0    0.1  0.4  0.5  0.1  0.1
    table = pd.DataFrame(
        {
            "person": range(6),
            "video": ["a", "a", "b", "b", "c", "d"],
            "frame": range(6),
            "track_id": [0, 0, 0, 0, 0, 0],
            "single": single,
            "other": other,
        }
    )
    chosen = selection.choose(table, ["single", "other"], "single", disagree=2, hard=2)
    # Disagree: row 3 (0.5); row 2 (0.4) is the same person as row 3, so the first row of 0.1.
    # Hard: of the rest 4 (0.8), then 2 (0.5). Typical: the lower median of `single` is 0.3.
    assert list(zip(chosen.rule, chosen.person, strict=True)) == [
        (selection.DISAGREE, 3),
        (selection.DISAGREE, 1),
        (selection.HARD, 4),
        (selection.HARD, 2),
        (selection.TYPICAL, 5),
    ]


def disagreement(spread: list[float]) -> pd.DataFrame:
    """Rows of persons 0 (first video), 1 and 2 (second), whose two methods differ by `spread`."""
    return pd.DataFrame(
        {
            "video": ["a"] * 4 + ["b"] * 4,
            "track_id": [0] * 4 + [1, 2, 1, 1],
            "frame": [0, 1, 2, 3, 5, 5, 7, 6],
            "one": 0.5,
            "other": 0.5 + np.array(spread),
        }
    )


def test_a_method_that_is_always_behind_does_not_choose():
    errors = np.full((3, 11), 0.2)
    errors[:, 0] = [0.9, 0.3, 0.2]  # one method, far behind on the first person
    errors[:, 1:4] = [[0.2], [0.3], [0.2]]  # four of eleven differ on the second
    table = pd.DataFrame(errors, columns=[f"m{i}" for i in range(11)])
    np.testing.assert_allclose(selection.spreads(table, list(table)), [0, 0.1, 0])


def test_the_clip_is_the_stretch_of_one_person_where_methods_differ_most():
    # Single rows differ most at the end of `a`, but two successive ones most at frames 6 and 7 of
    # person 1, whose rows stand in disorder; row 3 and row 4 are not the same person.
    table = disagreement([0.1, 0.1, 0.1, 0.4, 0.0, 0.4, 0.3, 0.3])
    chosen = selection.clip(table, ["one", "other"], 2)
    assert list(zip(chosen.video, chosen.track_id, chosen.frame, strict=True)) == [
        ("b", 1, 6), ("b", 1, 7)
    ]  # fmt: skip


def test_a_clip_is_as_long_as_the_longest_person_at_most():
    table = disagreement([0.1, 0.1, 0.1, 0.1, 0.4, 0.4, 0.4, 0.4])
    assert selection.clip(table, ["one", "other"], 9).frame.tolist() == [0, 1, 2, 3]


def test_along_a_video_each_stretch_gives_its_largest_spread():
    table = disagreement([0.1, 0.2, 0.0, 0.0, 0.4, 0.5, 0.3, 0.6])
    assert selection.along(table, ["one", "other"], 3).index.tolist() == [1, 5, 7]
    assert len(selection.along(table, ["one", "other"], 20)) == 8


def test_a_person_with_few_labelled_joints_is_no_candidate(tmp_path):
    truth = annotations(tmp_path, "truth")
    truth.present[4, : 17 - 7] = False
    table = selection.candidates(truth, {"m": np.zeros(truth.persons)})
    assert 4 not in set(table.person)
    assert len(table) == truth.persons - 1


def test_the_crop_keeps_all_joints_inside_and_centred():
    points = np.array([[10.0, 20.0], [50.0, 120.0], [30.0, 60.0]])
    transform = drawing.crop_transform(points, (156, 208))
    moved = points @ transform[:, :2].T + transform[:, 2]
    assert (moved > 0).all()
    assert (moved < [155, 207]).all()
    np.testing.assert_allclose((moved.min(axis=0) + moved.max(axis=0)) / 2, [77.5, 103.5])


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    return load(write_suite(folder)), folder


def test_gallery_pictures_show_truth_first_and_every_method(suite, tmp_path):
    settings, folder = suite
    pictures = gallery.method_gallery(settings, folder / "runs" / "made_up", tmp_path)
    table = pd.read_csv(tmp_path / "gallery.csv")
    moving, *pictures = pictures
    assert len(pictures) == len(table)
    assert "flow_fusion" not in table  # not run
    spread = table[["single_frame", "dcpose", "tdmi"]].max(axis=1) - table.tdmi
    assert spread[table.rule == selection.DISAGREE].min() > 0
    width = (1 + len(settings.methods)) * (drawing.PANEL[0] + drawing.GAP) - drawing.GAP
    for picture in pictures:
        image = cv2.imread(str(picture.path))
        assert image.shape == (drawing.STRIP + drawing.PANEL[1], width, 3)
    assert sum(picture.path.stat().st_size for picture in pictures) < 1_000_000
    assert moving.moving and not any(picture.moving for picture in pictures)


def test_the_loop_shows_every_method_over_successive_frames_again_and_again(suite, tmp_path):
    settings, folder = suite
    runs, protocol = folder / "runs" / "made_up", settings.box_protocols[0]
    shown = gallery.compare(settings.dataset, settings.methods, runs, protocol)
    picture = gallery.loop(shown, tmp_path / "loop.webp", length=5, seconds=2)
    with Image.open(picture.path) as image:
        assert image.n_frames == 5
        assert image.info["loop"] == 0
        frames = []
        for index in range(5):
            image.seek(index)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
            assert image.info["duration"] == 400
    moved = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 3)).max(axis=0)  # by column of pixels
    for panel in range(1 + len(settings.methods)):
        left = panel * (drawing.PANEL[0] + drawing.GAP)
        not_run = panel > 0 and settings.methods[panel - 1].name == "flow_fusion"
        assert (moved[left : left + drawing.PANEL[0]].mean() > 3) != not_run
    assert "skeletons are ground truth" in picture.caption
    again = gallery.loop(shown, tmp_path / "again.webp", length=5, seconds=2)
    assert again.path.read_bytes() == picture.path.read_bytes()


def test_pictures_are_the_same_bytes_each_time(suite, tmp_path):
    settings, _ = suite
    for name in ("one.jpg", "two.jpg"):
        gallery.contact_sheet(settings.dataset, tmp_path / name)
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()


def test_real_video_is_captioned_as_pseudo_labels(suite, tmp_path):
    settings, folder = suite
    pictures = gallery.real_video_gallery(settings, folder / "runs" / "made_up_video", tmp_path)
    assert len(pictures) == 1 + 4
    assert all("pseudo-labels" in picture.caption for picture in pictures)


def test_without_predictions_there_is_no_gallery(suite, tmp_path):
    settings, _ = suite
    assert gallery.method_gallery(settings, tmp_path / "nothing", tmp_path) == []
