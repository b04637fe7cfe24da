"""The local HiEve score: identities, cases counted by hand, Crowd Index of a drawn scene."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from tdmi.cli.main import main
from tdmi.core.errors import UserError
from tdmi.data.annotations import UNSCORED, Annotations, concatenate
from tdmi.data.skeletons import HIEVE, POSETRACK17, POSETRACK18
from tdmi.evaluation.analysis.derived_attributes import crowd_index
from tdmi.evaluation.matching.assignment import head_sizes
from tdmi.evaluation.protocols import hieve, poseval
from tdmi.evaluation.statistics.bootstrap import draw_videos
from tdmi.evaluation.statistics.interval import interval
from tdmi.formats import posetrack18
from tdmi.formats.hieve import TEST_VIDEOS, annolist
from tests.support.tiny_dataset import annotations as tiny

LINE = np.stack([np.full(14, 20.0), 5.0 + 7 * np.arange(14)], axis=1)


def people(places: list, frames: list, name: str = "4", score: float = 0.5) -> Annotations:
    """A person of 40 x 100 px (head size 10) at each of the `places`, in the frames `frames`."""
    count, total = len(places), max(frames, default=-1) + 1
    corner = np.array(places, dtype=float).reshape(-1, 2)
    annotated = np.isin(np.arange(total), frames)
    return Annotations(
        skeleton=HIEVE,
        video_names=[name],
        frame_video=np.zeros(total, dtype=np.int64),
        frame_index=np.arange(total),
        frame_file=[f"images/{name}/{k:06d}.jpg" for k in range(total)],
        frame_id=np.arange(total),
        frame_labelled=annotated,
        frame_annotated=annotated.copy(),
        ignore_regions=[[] for _ in range(total)],
        person_frame=np.array(frames, dtype=np.int64),
        track_id=np.arange(count),
        keypoints=corner[:, None] + LINE,
        present=np.ones((count, 14), dtype=bool),
        visible=np.ones((count, 14), dtype=bool),
        joint_score=np.full((count, 14), score),
        box=np.concatenate([corner, np.tile([40.0, 100.0], (count, 1))], axis=1),
        head_box=np.full((count, 4), np.nan),
        score=np.full(count, np.nan),
    )


def moved(a: Annotations, pixels: float) -> Annotations:
    return replace(a, keypoints=a.keypoints + np.array([pixels, 0.0]))


def totals(content: dict) -> list:
    return [content["ap"]["total"], *[v["total"] for v in content["ap_at"].values()]]


CROWD = [[0, 0], [30, 0], [300, 0]]


def test_head_size_is_a_tenth_of_the_longer_side():
    a = people([[0, 0], [7, 9]], [0, 0])
    a.box[1, 2:] = [250, 60]  # somebody who lies
    np.testing.assert_allclose(head_sizes(hieve.with_head_boxes(a).head_box), [10, 25])
    # The argument: a head of 1/7.5 of the height, 3/4 as wide, and PCKh's 0.6 of the diagonal.
    height, width = 1 / 7.5, 0.75 / 7.5
    assert pytest.approx(0.6 * np.hypot(height, width)) == hieve.HEAD_SIZE_PER_BOX


def test_ground_truth_against_itself_is_100_at_all_thresholds():
    truth = people(CROWD, [0, 0, 1])
    content = hieve.metrics(truth, truth)
    np.testing.assert_allclose(totals(content), 100)
    np.testing.assert_allclose(list(content["ap"]["per_joint"].values()), 100)
    weighted = content["weighted"]
    np.testing.assert_allclose(totals(weighted), 100)
    assert content["precision"]["total"] == content["recall"]["total"] == 100


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [(16, (0, 0, 0)), (8, (0, 0, 100)), (6, (0, 100, 100)), (4, (100, 100, 100))],
)
def test_a_displacement_counts_at_the_thresholds_beyond_it(pixels, expected):
    # Head size 10: 8 px are 0.8 head sizes; half of 16 is found at one, half again at all.
    truth = people([[0, 0]], [0])
    ap = totals(hieve.metrics(truth, moved(truth, pixels)))
    np.testing.assert_allclose(ap, [np.mean(expected), *expected])


def test_a_false_person_ahead_of_the_true_one_halves_precision():
    truth = people([[0, 0]], [0])
    found = people([[0, 0], [500, 0]], [0, 0])
    found.joint_score[1] = 0.9
    content = hieve.metrics(truth, found)
    np.testing.assert_allclose(totals(content), 50)
    assert content["ground_truth_persons"] == 1 and content["predicted_persons"] == 2


def test_a_prediction_belongs_to_the_person_of_highest_pckh():
    # Both people are within reach of the prediction; the exact one is taken, not the first.
    truth = people([[0, 0], [3, 0]], [0, 0])
    content = hieve.metrics(truth, people([[3, 0]], [0]))
    assert content["recall"]["total"] == pytest.approx(50)


def test_people_are_matched_anew_at_each_threshold():
    # True people at x = 0 and 3, predicted ones at 5.5 and 8.5; head size 10.
    # 0.5: the first prediction hits the second person alone, the other nobody: one is found.
    # 0.75: the first hits both and takes the first person, the other hits the second: both.
    # 0.9: both hit both and want the first person, and there is no second choice: one.
    truth = hieve.with_head_boxes(people([[0, 0], [3, 0]], [0, 0]))
    found = moved(truth, 5.5)
    recall = [
        poseval.average_precision(hieve.evaluate(truth, found, threshold)["4"]).recall[-1]
        for threshold in hieve.THRESHOLDS
    ]
    np.testing.assert_allclose(recall, [50, 100, 50])


def test_crowd_index_of_a_drawn_scene():
    # Boxes 40 wide at x = 0, 30 and 300; joints 20 px into the box: at 20, 50 and 320.
    # Nobody's joints are in another's box: 0. With the second at x = 10 its joints at 30 are in
    # the first box and the first one's at 20 in its box: quotients 1, 1 and 0.
    scene = people([[0, 0], [10, 0], [300, 0], [0, 0]], [0, 0, 0, 2])
    np.testing.assert_allclose(crowd_index(scene), [2 / 3, 0, 0])
    np.testing.assert_allclose(crowd_index(people(CROWD, [0, 0, 0])), [0])


def test_crowd_index_counts_joints_not_people():
    scene = people([[0, 0], [10, 0]], [0, 0])
    scene.present[0, 7:] = False  # the first has 7 joints, the second 14
    np.testing.assert_allclose(crowd_index(scene), [(14 / 7 + 7 / 14) / 2])
    scene.present[0] = False  # no quotient of its own
    np.testing.assert_allclose(crowd_index(scene), [0])
    edge = people([[0, 0], [20, 0]], [0, 0])  # joints of the second on the first box's border
    np.testing.assert_allclose(crowd_index(edge), [1])


def test_weight_of_a_frame_by_hand():
    scene = people([[0, 0], [10, 0], [0, 0], [300, 0], [600, 0]], [0, 0, 1, 1, 1])
    scene.action = ["", "walking-alone", "fighting", "fighting", "fall-over"]
    np.testing.assert_array_equal(hieve.anomalous_actions(scene), [0, 2])
    # 1 + 2 * 1 + 0 and 1 + 2 * 0 + 2 classes.
    np.testing.assert_allclose(hieve.frame_weights(scene), [3, 3])


def test_weighted_score_by_hand():
    # Two frames: a crowded one of weight 3 (two people), found, and one of weight 1, not found.
    truth = people([[0, 0], [10, 0], [0, 0]], [0, 0, 1])
    found = people([[0, 0], [10, 0], [500, 0]], [0, 0, 1], score=0.9)
    content = hieve.metrics(truth, found)
    # Equal scores, later entries first: false, true, true; recall 0, 1/3, 2/3 of 3 joints.
    # Precision 0, 1/2, 2/3: the area is 2/3 * 2/3.
    np.testing.assert_allclose(totals(content), 100 * 4 / 9)
    # Weights 1, 3, 3 of 7: precision 0, 3/4, 6/7 at recall 0, 3/7, 6/7.
    np.testing.assert_allclose(totals(content["weighted"]), 100 * 36 / 49)
    assert content["weighted"]["unofficial"] is True


def test_equal_weights_change_nothing():
    generator = np.random.Generator(np.random.PCG64(5))
    places = np.arange(30)[:, None] * [90.0, 0.0]
    truth = hieve.with_head_boxes(people(places.tolist(), list(range(30))))
    found = moved(truth, 0)
    found.keypoints += generator.normal(0, 4, found.keypoints.shape)
    found.joint_score[:] = generator.random(found.joint_score.shape)
    plain = poseval.average_precision(hieve.evaluate(truth, found, 0.5)["4"])
    assert 20 < plain.ap[-1] < 95
    heavy = poseval.average_precision(hieve.evaluate(truth, found, 0.5, np.full(30, 2.5))["4"])
    for column in ("ap", "precision", "recall"):
        np.testing.assert_allclose(getattr(heavy, column), getattr(plain, column))


def test_matching_in_blocks_of_frames_is_matching_at_once():
    generator = np.random.Generator(np.random.PCG64(6))
    frames = np.sort(generator.integers(0, 350, 600)).tolist()
    places = generator.uniform(0, 300, (600, 2)).tolist()
    truth = hieve.with_head_boxes(people(places, frames))
    found = moved(truth, 0)
    found.keypoints += generator.normal(0, 3, found.keypoints.shape)
    found.joint_score[:] = generator.random(found.joint_score.shape)
    weights = hieve.frame_weights(truth)
    blocks = hieve.evaluate(truth, found, 0.75, weights)["4"]
    (video,) = poseval.scored_videos(truth, found)
    matches = poseval.match_video(video, 0.75)
    whole = poseval.video_statistics(video, matches, weights[video.frame_index])
    for name in ("joint", "score", "hit", "weight", "annotated"):
        np.testing.assert_allclose(getattr(blocks, name), getattr(whole, name), rtol=1e-12)
    for name in ("frames", "truth_persons", "predicted_persons"):
        assert getattr(blocks, name) == getattr(whole, name)


def test_metrics_have_the_layout_that_reports_read():
    truth = concatenate([people([[0, 0]], [1], name) for name in ("4", "8")])
    content = hieve.metrics(truth, truth)
    assert (
        content["protocol"] == "hieve_local"
        and "not the score of the HiEve server" in (content["note"])
    )
    columns = ["head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "total"]
    for values in (content["ap"], content["precision"], content["recall"]):
        assert list(values) == [*columns, "per_joint"]
        assert list(values["per_joint"]) == list(HIEVE.joints)
    assert list(content["ap_at"]) == ["0.5", "0.75", "0.9"]
    assert list(content["per_video"]) == ["4", "8"]
    assert content["per_video"]["8"]["ap_total"] == pytest.approx(100)
    assert content["frames"] == 2, "frames without people are not judged"
    lines = hieve.local_table(content).splitlines()
    assert lines[1].split() == ["AP@avg", *["100.0"] * 8]
    assert "unofficial" in lines[5] and "not the HiEve server's" in lines[6]


def test_chest_counts_to_the_shoulders():
    truth = people([[0, 0]], [0])
    found = people([[0, 0]], [0])
    found.keypoints[0, HIEVE.index("chest")] += 50
    ap = hieve.metrics(truth, found)["ap"]
    assert ap["head"] == pytest.approx(100) and ap["shoulder"] == pytest.approx(200 / 3)
    assert ap["total"] == pytest.approx(100 * 13 / 14)


def test_nobody_predicted_and_nobody_annotated():
    truth = people([[0, 0]], [0])
    nobody = replace(truth, present=np.zeros_like(truth.present))
    assert hieve.metrics(truth, nobody)["ap"]["total"] == 0
    empty = people([], [])
    assert hieve.metrics(empty, empty)["ap"]["total"] == 0
    undefined = hieve.metrics(nobody, truth)
    assert undefined["ap"]["total"] is None
    assert "---" in hieve.local_table(undefined)


def test_unfit_input_is_refused():
    truth = people([[0, 0]], [0])
    with pytest.raises(UserError, match=r"images/4/000000\.jpg: .* no box"):
        hieve.metrics(replace(truth, box=truth.box * np.nan), truth)
    for skeleton in (POSETRACK17, POSETRACK18):
        with pytest.raises(UserError, match="predictions: joints are posetrack"):
            hieve.metrics(truth, replace(truth, skeleton=skeleton))
    with pytest.raises(UserError, match="4: no predictions for this video"):
        hieve.metrics(truth, people([[0, 0]], [0], "5"))


def test_interval_is_that_of_the_scores_of_the_drawn_videos():
    # One video is found at 0.6 head sizes, one never, one wholly.
    names, steps = "458", (6, 40, 0)
    truth = [people([[0, 0], [9, 0]], [0, 1], name) for name in names]
    found = [moved(part, step) for part, step in zip(truth, steps, strict=True)]
    content = hieve.metrics(concatenate(truth), concatenate(found), resamples=30, seed=2)
    totals_of_draws = []
    for weights in draw_videos(3, 30, np.random.Generator(np.random.PCG64(2))):
        copies = [
            [replace(side[k], video_names=[f"{k}{copy}"]) for k in range(3)
             for copy in range(weights[k])]
            for side in (truth, found)
        ]  # fmt: skip
        totals_of_draws.append(hieve.metrics(*map(concatenate, copies))["ap"]["total"])
    low, high = interval(np.array(totals_of_draws), 3)
    assert low < content["ap"]["total"] < high
    assert content["interval"]["ap"]["total"] == pytest.approx([low, high], abs=1e-9)
    assert list(content["interval"]["ap"]) == [*hieve.GROUPS, "total"]


def test_unscored_joints_rank_last():
    truth = people([[0, 0]], [0])
    found = people([[0, 0], [500, 0]], [0, 0])
    found.joint_score[1] = UNSCORED
    np.testing.assert_allclose(totals(hieve.metrics(truth, found)), 100)


def test_local_score_never_imports_torch():
    program = "import sys, tdmi.evaluation.protocols.hieve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# --- the commands --------------------------------------------------------------------------------


def test_evaluate_command_scores_labels_in_either_form(tmp_path, capsys):
    truth = concatenate([people([[0, 0], [9, 0]], [0, 1], name) for name in ("4", "8")])
    annolist.write_folder(truth, tmp_path / "gt")
    posetrack18.write_folder(moved(truth, 6), tmp_path / "pred")
    arguments = ["--gt", tmp_path / "gt", "--pred", tmp_path / "pred", "--out", tmp_path / "m.json"]
    assert main(["evaluate", "--protocol", "hieve", *map(str, arguments)]) == 0
    content = json.loads((tmp_path / "m.json").read_text())
    assert content == hieve.metrics(truth, moved(truth, 6))
    np.testing.assert_allclose(totals(content), [200 / 3, 0, 100, 100])
    assert capsys.readouterr().out.splitlines()[1].split()[-1] == "66.7"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_evaluate_command_refuses_scores_that_are_not_finite(value, tmp_path, capsys):
    truth = concatenate([people([[0, 0], [9, 0]], [0, 1], name) for name in ("4", "8")])
    annolist.write_folder(truth, tmp_path / "gt")
    posetrack18.write_folder(truth, tmp_path / "pred")
    path = tmp_path / "pred" / "8.json"
    content = json.loads(path.read_text())
    content["annotations"][1]["scores"][2] = value
    path.write_text(json.dumps(content))
    arguments = ["--gt", tmp_path / "gt", "--pred", tmp_path / "pred", "--out", tmp_path / "m.json"]
    assert main(["evaluate", "--protocol", "hieve", *map(str, arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}: frame 1: person 0, track" in line and f"the score {value:g}" in line
    assert not (tmp_path / "m.json").exists()


def test_evaluate_command_refuses_another_joint_set(tmp_path, capsys):
    other = replace(tiny("val", 2), video_names=["4"])
    posetrack18.write_folder(other, tmp_path / "gt")
    arguments = ["--gt", tmp_path / "gt", "--pred", tmp_path / "gt", "--out", tmp_path / "m.json"]
    assert main(["evaluate", "--protocol", "hieve", *map(str, arguments)]) == 2
    assert "4.json: joints are posetrack18, expected HiEve's 14" in capsys.readouterr().err


def test_export_command_writes_the_zip_or_names_what_is_missing(tmp_path, capsys):
    for name in TEST_VIDEOS[1:]:
        posetrack18.write_folder(people([[0, 0]], [0], name), tmp_path / "pred")
    arguments = ["--predictions", tmp_path / "pred", "--out", tmp_path / "x.zip"]
    assert main(["data", "export-hieve", *map(str, arguments)]) == 2
    assert "no predictions for video 20, expected all 13" in capsys.readouterr().err
    posetrack18.write_folder(people([[0, 0]], [0], "20"), tmp_path / "pred")
    assert main(["data", "export-hieve", *map(str, arguments)]) == 0
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        frames = json.loads(archive.read("20.json"))["annolist"]
    assert frames[0]["image"] == [{"name": "000000.jpg"}]
    assert len(frames[0]["annorect"][0]["annopoints"][0]["point"]) == 14
