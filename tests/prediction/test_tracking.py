"""Tracks of hand-made scenes, of rendered people, and of files."""

import json

import numpy as np
import pytest
import torch
import yaml

from tdmi.cli.main import main
from tdmi.config.inference import Tracking
from tdmi.core.files import write_json
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations, concatenate
from tdmi.data.skeletons import POSETRACK18, SKELETONS
from tdmi.datasets.mocap.families import load_library
from tdmi.datasets.mocap.generate import generate_video
from tdmi.datasets.mocap.options import MocapOptions
from tdmi.experiments.build import build_method
from tdmi.experiments.predict import predict_run
from tdmi.formats import posetrack17
from tdmi.formats.conversion import to_posetrack17
from tdmi.formats.posetrack18 import read_folder, write_folder
from tdmi.prediction.tracking import keypoint_similarity, sure_joints, track
from tests.support import tiny_dataset
from tests.support.mocap_sources import make_sources

WIDTH, HEIGHT = 40, 100
NAME = "000001_mpii_test"


def scene(frames, numbers=None, skeleton=POSETRACK18, name=NAME) -> Annotations:
    """`frames` lists, per frame, the top left corner of each person; `numbers` of the frames.

    Every person is the same stick of joints in a box of WIDTH x HEIGHT, sure in every joint.
    """
    numbers = range(len(frames)) if numbers is None else numbers
    corners = np.array([corner for people in frames for corner in people], float).reshape(-1, 2)
    people, joints = len(corners), len(skeleton)
    down = np.linspace(0, 1, joints)
    pose = np.stack([WIDTH * (0.5 + 0.4 * np.sin(9 * down)), HEIGHT * down], axis=1)
    count = len(frames)
    person_frame = np.repeat(np.arange(count), [len(people) for people in frames])
    return Annotations(
        skeleton=skeleton,
        video_names=[name],
        frame_video=np.zeros(count, np.int64),
        frame_index=np.arange(count),
        frame_file=[f"images/val/{name}/{number:06d}.jpg" for number in numbers],
        frame_id=np.arange(count) + 10**10,
        frame_labelled=np.ones(count, bool),
        frame_annotated=np.isin(np.arange(count), person_frame),
        ignore_regions=[[] for _ in range(count)],
        person_frame=person_frame,
        track_id=np.full(people, 77),
        keypoints=corners[:, None] + pose,
        present=np.ones((people, joints), bool),
        visible=np.ones((people, joints), bool),
        joint_score=np.full((people, joints), 0.9),
        box=np.concatenate([corners, np.tile([WIDTH, HEIGHT], (people, 1))], axis=1),
        head_box=np.full((people, 4), np.nan),
        score=np.ones(people),
    )


def ids(people: Annotations) -> list[list[int]]:
    """Track ids frame by frame."""
    return [
        people.track_id[people.person_frame == frame].tolist() for frame in range(people.frames)
    ]


def shuffled(people: Annotations, seed: int) -> tuple[Annotations, np.ndarray]:
    """The persons of every frame in another order, and where each came from."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(people.persons), people.person_frame))
    columns = ("track_id", "keypoints", "present", "visible", "joint_score", "box", "head_box")
    columns += ("score", "area", "crowd", "person_id")
    changed = Annotations(**vars(people))
    for column in columns:
        setattr(changed, column, getattr(people, column)[order])
    return changed, order


def test_someone_who_walks_is_one_track():
    assert ids(track(scene([[(10 * t, 50)] for t in range(6)]))) == [[0]] * 6


def test_ids_follow_the_persons_when_the_lists_are_swapped():
    there, here = (0, 50), (200, 50)
    assert ids(track(scene([[there, here], [here, there], [there, here]]))) == [
        [0, 1],
        [1, 0],
        [0, 1],
    ]


def test_two_who_cross_keep_their_ids():
    """They meet between frames 5 and 6; places alone would send both back."""
    walks = [[(100 + 12 * t, 50), (225 - 12 * t, 54)] for t in range(12)]
    assert ids(track(scene(walks))) == [[0, 1]] * 12


def test_predictions_four_frames_apart_are_tracked_by_real_time():
    """The same walk with every fourth frame: 48 px from one to the next, more than a body."""
    walks = [[(100 + 12 * t, 50), (100 + 12 * t, 200)] for t in range(0, 24, 4)]
    assert ids(track(scene(walks, numbers=range(0, 24, 4)))) == [[0, 1]] * 6


@pytest.mark.parametrize("missed", range(1, 14))
def test_a_missed_person_comes_back_as_the_same_unless_missed_for_long(missed):
    """Somebody beside is seen all the time; the walker is where the velocity says."""
    walk = [[(5 * t, 50), (5, 250)] for t in range(18)]
    for t in range(3, 3 + missed):
        walk[t] = walk[t][1:]
    again = ids(track(scene(walk)))[3 + missed]
    assert again == ([0, 1] if missed + 1 <= Tracking().longest_gap else [2, 1])


def test_the_longest_gap_is_counted_in_frame_numbers():
    one = [[(50, 50)], [(50, 50)]]
    assert ids(track(scene(one, numbers=(100, 112)))) == [[0], [0]]
    assert ids(track(scene(one, numbers=(100, 113)))) == [[0], [1]]


def test_who_enters_elsewhere_is_not_who_left():
    frames = [[(0, 50), (300, 50)]] * 3 + [[(0, 50), (600, 50)]] * 2
    assert ids(track(scene(frames))) == [[0, 1]] * 3 + [[0, 2]] * 2


def test_pairs_are_the_best_for_all_together():
    """The nearest pair (21 px) would leave the other two 69 px apart, one lost and one new."""
    assert ids(track(scene([[(100, 50), (145, 50)], [(124, 50), (169, 50)]]))) == [[0, 1]] * 2


def test_who_was_missed_is_expected_where_the_walk_leads():
    """Six frames on at 15 px each; somebody new stands where the walker would be after one."""
    walk = [[(15 * t, 50)] for t in range(3)] + [[], [], [], [], []]
    assert ids(track(scene([*walk, [(120, 50), (45, 50)]])))[-1] == [0, 1]


def test_a_pose_that_jumps_once_does_not_run_away():
    """Five frames later the speed of the jump alone would have led 96 px astray."""
    frames = [[(100, 50)], [(100, 50)], [(116, 50)], [], [], [], [], [(100, 50)]]
    assert ids(track(scene(frames)))[-1] == [0]


def test_boxes_pair_persons_without_a_common_joint():
    people = scene([[(0, 50), (30, 50)], [(2, 50), (32, 50)]])
    people.present[:2, :8] = False
    people.present[2:, 8:] = False
    assert ids(track(people)) == [[0, 1], [0, 1]]


def test_poses_pair_persons_whose_boxes_hide_one_another():
    """The same box for both; one upright, one upside down, who change places in the list."""
    people = scene([[(0, 50), (0, 50)], [(0, 50), (0, 50)]])
    people.keypoints[[1, 2], :, 1] = 200 - people.keypoints[[1, 2], :, 1]
    before, after = ids(track(people))
    assert before == after[::-1]


def test_empty_frames_and_a_single_frame():
    assert ids(track(scene([[], [(0, 0)], [], [], [(3, 0)], []]))) == [[], [0], [], [], [0], []]
    assert ids(track(scene([[(300, 0), (0, 0)]]))) == [[1, 0]]
    assert track(scene([[], []])).persons == 0
    assert track(scene([])).frames == 0


def crowd(seed: int) -> Annotations:
    """Eight people, some standing close, who walk on their own ways and are missed now and then."""
    rng = np.random.default_rng(seed)
    start, speed = rng.uniform(0, 300, (8, 2)), rng.normal(0, 8, (8, 2))
    frames = [
        [tuple(start[k] + t * speed[k]) for k in range(8) if rng.random() < 0.85] for t in range(12)
    ]
    people = scene(frames)
    people.keypoints += rng.normal(0, 4, people.keypoints.shape)
    people.present = rng.random(people.present.shape) < 0.8
    people.joint_score = rng.uniform(0.3, 1, people.present.shape)
    return people


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_persons_and_former_ids_change_nothing(seed):
    people = crowd(seed)
    mixed, order = shuffled(people, seed)
    mixed.track_id[:] = np.arange(mixed.persons)
    np.testing.assert_array_equal(track(mixed).track_id, track(people).track_id[order])


@pytest.mark.parametrize("seed", range(5))
def test_ids_are_unique_in_a_frame_and_count_from_zero(seed):
    tracked = track(crowd(seed))
    for of_frame in ids(tracked):
        assert len(set(of_frame)) == len(of_frame)
    assert sorted(set(tracked.track_id.tolist())) == list(range(tracked.track_id.max() + 1))
    assert 8 <= tracked.track_id.max() + 1 < 20


def test_every_video_counts_for_itself():
    frames = [[(0, 50), (300, 50)]] * 2
    both = concatenate([scene(frames), scene([*frames[:1], [(0, 50)]], name="000002_mpii_test")])
    assert ids(track(both)) == [[0, 1], [0, 1], [0, 1], [0]]


def test_doubtful_joints_and_persons_are_left_out_of_a_copy():
    """Joint scores are heatmap maximum times person score, so 0.3 on a box of 0.6 is 0.5 sure."""
    people = scene([[(0, 50), (200, 50), (400, 50), (600, 50)]])
    people.score = np.array([1.0, 0.6, 0.4, np.nan])
    people.joint_score[0, :3] = 0.39, 0.4, 0.41
    people.joint_score[1] = 0.2
    people.joint_score[1, 5] = 0.3
    people.joint_score[3] = 0.39
    before = people.joint_score.copy(), people.present.copy(), people.keypoints.copy()
    tracked = track(people)
    assert tracked.persons == 2
    assert tracked.present[0].tolist() == [False] + [True] * 16
    assert np.flatnonzero(tracked.present[1]).tolist() == [5]
    assert not tracked.keypoints[~tracked.present].any()
    for column, was in zip(("joint_score", "present", "keypoints"), before, strict=True):
        np.testing.assert_array_equal(getattr(people, column), was)
    assert people.track_id.tolist() == [77] * 4


def test_joints_without_score_are_not_sure():
    people = scene([[(0, 50)]])
    people.joint_score[:] = UNSCORED
    assert not sure_joints(people, Tracking()).any()
    everything = Tracking(joint_confidence=0, person_score=0)
    assert not sure_joints(people, everything).any()


def test_frames_that_lose_everybody_say_so():
    people = scene([[(0, 50)], [(0, 50)]])
    people.score[0] = 0.1
    assert track(people).frame_annotated.tolist() == [False, True]


def test_keypoint_similarity_by_hand():
    """One common joint at a distance of one standard deviation, and one far away."""
    one = np.zeros((1, 1, 3, 2))
    other = np.array([[[3.0, 4.0], [1e6, 0.0], [0.0, 0.0]]])
    both = np.array([[[True, True, False]]])
    found = keypoint_similarity(one, other, both, np.array([[100.0]]), np.full((1, 3), 0.25))
    np.testing.assert_allclose(found, [[np.exp(-0.5) / 2]])
    none = keypoint_similarity(one, other, ~both[..., :1] & both, np.ones((1, 1)), np.ones((1, 3)))
    assert none.tolist() == [[0.0]]


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_any_skeleton_with_and_without_boxes(skeleton):
    walks = [[(10 * t, 50), (300 - 10 * t, 60)] for t in range(4)]
    people = scene(walks, skeleton=skeleton)
    people.box[:] = np.nan
    assert ids(track(people)) == [[0, 1]] * 4


def test_odd_numbers_stop_nothing():
    """NaN joints go; huge places, empty boxes and frames numbered backwards are lived with."""
    people = scene([[(0, 50), (300, 50)]] * 4, numbers=(7, 7, 3, 9))
    people.keypoints[0, 2] = np.nan
    people.keypoints[3] = 1e200
    people.box[5] = 0
    people.box[6, 0] = 1e200
    tracked = track(people)
    assert not tracked.present[0, 2] and tracked.present[0].sum() == 16
    assert np.isfinite(tracked.keypoints).all()
    for of_frame in ids(tracked):
        assert len(set(of_frame)) == 2


def rendered(tmp_path) -> Annotations:
    """Labels of videos of three people, every fourth of 33 frames labelled."""
    options = MocapOptions(
        frames={"train": 9, "val": 9, "test": 33},
        label_stride={"train": 1, "val": 4, "test": 4},
        width=160,
        height=120,
        person_height=(45.0, 75.0),
        blur_share=0.0,
        people_shares=(0.0, 0.0, 1.0),
    )
    library = load_library(make_sources(tmp_path / "sources"), "test")
    return concatenate(
        [generate_video(options, "test", library, index).annotations for index in range(2)]
    )


def test_rendered_people_come_back_through_files_and_evaluation(tmp_path):
    """Labels as predictions without their ids: MOTA must be as good as with them."""
    truth = rendered(tmp_path)
    perfect = Annotations(**vars(truth))
    perfect.joint_score = np.where(truth.present, 0.9, 0.0)
    perfect.track_id = np.full(truth.persons, NO_TRACK)
    perfect, _ = shuffled(perfect, 0)
    write_folder(truth, tmp_path / "truth")
    write_folder(perfect, tmp_path / "predictions")
    untouched = sorted((p.name, p.read_bytes()) for p in (tmp_path / "predictions").iterdir())
    assert run("track", "--predictions", tmp_path / "predictions", "--out", tmp_path / "out") == 0
    assert untouched == sorted(
        (p.name, p.read_bytes()) for p in (tmp_path / "predictions").iterdir()
    )
    metrics = tmp_path / "metrics.json"
    folders = ("--gt", tmp_path / "truth", "--pred", tmp_path / "out")
    assert run("evaluate", *folders, "--out", metrics, "--tracking", "--quiet") == 0
    assert json.loads(metrics.read_text())["mota"]["total"] == 100
    assert truth.frame_labelled.sum() == 16 and truth.persons > 40


def run(*arguments) -> int:
    return main([str(argument) for argument in arguments])


def test_the_command_says_what_it_kept(tmp_path, capsys):
    people = scene([[(0, 50), (300, 50)], [(9, 50)]])
    people.score[1] = 0.7
    write_folder(people, tmp_path / "in")
    options = ("--person-score", 0.8, "--joint-confidence", 0.9)
    assert run("track", "--predictions", tmp_path / "in", "--out", tmp_path / "out", *options) == 0
    assert capsys.readouterr().out == (
        f"{tmp_path / 'out'}: 1 videos, 2 of 3 persons in 1 tracks, 34 of 51 joints\n"
    )
    assert ids(read_folder(tmp_path / "out")) == [[0], [0]]


def test_the_command_reads_the_form_of_2017(tmp_path):
    people = scene([[(0, 50), (300, 50)], [(309, 50), (9, 50)]])
    posetrack17.write_folder(to_posetrack17(people)[0], tmp_path / "in")
    assert run("track", "--predictions", tmp_path / "in", "--out", tmp_path / "out") == 0
    tracked = read_folder(tmp_path / "out")
    assert ids(tracked) == [[0, 1], [1, 0]]
    assert tracked.present.sum() == 4 * 15


def test_the_command_overwrites_nothing_and_leaves_nothing_half_done(tmp_path, capsys):
    write_folder(scene([[(0, 50)]]), tmp_path / "in")
    assert run("track", "--predictions", tmp_path / "in", "--out", tmp_path / "in") == 2
    assert "holds files already" in capsys.readouterr().err
    (tmp_path / "in" / f"{NAME}.json").write_text("{")
    assert run("track", "--predictions", tmp_path / "in", "--out", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert f"{NAME}.json" in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize("share", ["-0.1", "1.5", "nan", "much"])
def test_a_threshold_is_from_0_to_1(share, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run("track", "--predictions", tmp_path, "--out", tmp_path, "--person-score", share)
    assert "--person-score" in capsys.readouterr().err


def test_a_run_predicts_everything_and_tracks_the_sure_part(tmp_path):
    """The labels' track ids reach neither; boxes have scores from 0.1 to 0.9."""
    tiny_dataset.write(tmp_path)
    truth = tiny_dataset.annotations("test")
    truth.track_id[:] = 31
    write_folder(truth, tmp_path / "annotations" / "test")
    settings = tiny_dataset.settings(tmp_path)
    settings["tracking"] = {"joint_confidence": 0.0, "person_score": 0.6}
    torch.manual_seed(0)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    method = build_method(tiny_dataset.typed(settings))
    torch.save({"model": method.state_dict()}, folder / "checkpoint.pt")
    write_json(folder / "provenance.json", {"training": {}})
    predict_run(folder, "test", folder)
    predicted = read_folder(folder / "detected_boxes" / "predictions")
    tracked = read_folder(folder / "detected_boxes" / "tracked")
    assert predicted.persons == 4 and tracked.persons == 2
    assert set(tracked.score) == set(predicted.score[predicted.score >= 0.6])
    for boxes in ("ground_truth_boxes", "detected_boxes"):
        for kind in ("predictions", "tracked"):
            assert set(read_folder(folder / boxes / kind).track_id) == {0}
