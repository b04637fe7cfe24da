"""MOTA against hand calculation and identities."""

from dataclasses import fields, replace

import numpy as np
import pytest

from tdmi.data.annotations import NO_TRACK
from tdmi.data.skeletons import POSETRACK17
from tdmi.evaluation.matching.assignment import match_video
from tdmi.evaluation.matching.scored_videos import People, ScoredVideo, scored_videos
from tdmi.evaluation.tracking import correspondences
from tdmi.evaluation.tracking.mota import (
    Scores,
    Statistics,
    combine,
    tracking_accuracy,
    video_statistics,
)
from tdmi.formats.files import video_files
from tdmi.formats.posetrack import read_folder
from tests.support.golden_evaluation import cases, write_back

FILES = cases("poseval")
MEASURES = [field.name for field in fields(Scores)]


def evaluate(truth, predictions):
    """Statistics of every video of the ground truth, by name."""
    videos = scored_videos(truth, predictions)
    return {video.name: video_statistics(video, match_video(video)) for video in videos}


def folders(name: str, folder):
    paths = write_back(FILES[name], folder)
    names = video_files(paths[0])
    return [read_folder(path, names, POSETRACK17) for path in paths]


def scores(truth, predictions) -> Scores:
    return tracking_accuracy(combine(evaluate(truth, predictions).values()))


def test_a_single_judged_frame_adds_nothing(tmp_path):
    (statistics,) = evaluate(*folders("single_frame", tmp_path)).values()
    for field in fields(Statistics):
        assert not getattr(statistics, field.name).any()
    ours = tracking_accuracy(statistics)
    assert np.isnan(ours.mota).all() and np.isnan(ours.recall).all()
    np.testing.assert_array_equal(ours.motp, 0.0)


def test_ground_truth_against_itself_is_100(tmp_path):
    truth, _ = folders("r_crowd_swaps", tmp_path)
    ours = scores(truth, truth)
    # Not MOTP: it sums the distances of all possible pairs, neighbours' joints included.
    for values in (ours.mota, ours.precision, ours.recall):
        np.testing.assert_array_equal(values, 100.0)


def test_frames_emptied_by_ignore_regions_are_errors_even_of_the_truth(tmp_path):
    truth, _ = folders("region_all_gt", tmp_path)
    emptied = 0
    for video in scored_videos(truth, truth):
        people = np.bincount(video.truth.frame, minlength=len(video.frame_index))
        emptied += (people[:-1] == 0).sum()
    assert emptied > 0
    total = combine(evaluate(truth, truth).values())
    np.testing.assert_array_equal(total.misses, emptied)
    np.testing.assert_array_equal(total.false_positives, emptied)
    np.testing.assert_array_equal(total.switches, 0)


@pytest.mark.parametrize("name", ["r_crowd_swaps", "m_medium", "sticky_match", "ids_exchanged"])
def test_settling_every_frame_in_turn_gives_the_same(name, tmp_path, monkeypatch):
    sides = folders(name, tmp_path)
    quick = combine(evaluate(*sides).values())
    everything = lambda possible, *_: np.ones(len(possible), dtype=bool)  # noqa: E731
    monkeypatch.setattr(correspondences, "_contested", everything)
    slow = combine(evaluate(*sides).values())
    for field in fields(Statistics):
        np.testing.assert_allclose(
            getattr(quick, field.name), getattr(slow, field.name), rtol=1e-12, atol=0
        )


def people(frames: list[list[tuple[int, float]]]) -> People:
    """One joint per person; for each frame its people as (track id, x), head size 6."""
    rows = [(frame, *person) for frame, listed in enumerate(frames) for person in listed]
    frame, track, x = (np.array([row[k] for row in rows]) for k in range(3))
    return People(
        frame=frame,
        track_id=track.astype(np.int64),
        keypoints=np.stack([x, np.zeros_like(x)], axis=1, dtype=np.float64)[:, None],
        present=np.ones((len(rows), 1), dtype=bool),
        score=np.ones((len(rows), 1)),
        head_box=np.tile([0.0, 0.0, 6.0, 8.0], (len(rows), 1)),
        row=np.arange(len(rows)),
    )


def count(truth: list, predictions: list) -> tuple[int, int, int, int, float]:
    """Pairs, switches, misses, false positives and distance; both sides end in an unused frame."""
    unused = [[(1, 0.0)]]
    video = ScoredVideo(
        "video", np.arange(len(truth) + 1), people(truth + unused), people(predictions + unused)
    )
    found = video_statistics(video, match_video(video))
    return tuple(getattr(found, field.name).item() for field in fields(Statistics))


def test_motp_sums_possible_pairs_and_pairs_made():
    # Half a head size away is a hit; 1.5 px are a quarter of it, logged twice in each frame.
    assert count([[(1, 0.0)]] * 2, [[(7, 1.5)]] * 2) == (2, 0, 0, 0, 4 * 0.25)
    found = Statistics(*(np.array([v]) for v in (2, 0, 0, 0, 1.0)))
    np.testing.assert_array_equal(tracking_accuracy(found).motp, [50.0, 50.0])


def test_the_last_judged_frame_does_not_count():
    video = ScoredVideo("video", np.arange(2), people([[(1, 0)], [(1, 0)]]), people([[], [(1, 0)]]))
    found = video_statistics(video, match_video(video))
    assert (found.pairs, found.misses, found.false_positives) == (0, 1, 1)


def test_a_frame_without_predictions_counts_one_miss_and_one_false_positive():
    crowd = [(1, 0.0), (2, 50.0), (3, 100.0)]
    assert count([crowd, crowd], [crowd, []]) == (3, 0, 1, 1, 0.0)
    assert count([crowd, []], [crowd, crowd]) == (3, 0, 1, 1, 0.0)


def test_a_new_hypothesis_is_a_switch_however_long_ago():
    truth = [[(1, 0.0)], [(1, 0.0)], [(1, 0.0)]]
    away = [(9, 500.0)]
    # The switch is logged three times: possible, made, and ascend (id 8 is new).
    assert count(truth, [[(7, 1.5)], away, [(8, 1.5)]]) == (2, 1, 1, 1, 5 * 0.25)


def test_an_old_partner_is_kept_though_another_is_nearer():
    truth = [[(1, 0.0)], [(1, 0.0)]]
    assert count(truth, [[(7, 0.0)], [(8, 0.0), (7, 3.0)]])[:4] == (2, 0, 0, 1)
    assert count(truth, [[(7, 0.0)], [(8, 0.0), (7, 3.1)]])[:4] == (2, 1, 0, 1)


def test_as_many_pairs_as_possible_come_before_the_nearest():
    # Id 8 is nearest to person 1 but the only one in reach of person 2.
    assert count([[(1, 0.0), (2, 4.0)]], [[(7, -2.0), (8, 1.0)]])[:4] == (2, 0, 0, 0)


def test_exchanged_ids_are_two_switches_and_two_transfers():
    truth = [[(1, 0.0), (2, 50.0)]] * 2
    predictions = [[(7, 1.5), (8, 51.5)], [(8, 1.5), (7, 51.5)]]
    # First frame 2 pairs logged twice; second frame possible, made and transfer for both.
    assert count(truth, predictions) == (4, 2, 0, 0, (4 + 6) * 0.25)


def test_a_migration_is_logged_twice_more():
    truth = [[(1, 0.0)], [(2, 0.0)]]
    # Person 2 is new and gets the id of person 1: possible, made, transfer, migrate.
    assert count(truth, [[(7, 1.5)], [(7, 1.5)]]) == (2, 0, 0, 0, (2 + 4) * 0.25)


def test_people_without_an_id_of_their_own_are_tracks_alone():
    truth = [[(1, 0.0)]] * 3
    assert count(truth, [[(NO_TRACK, 0.0)]] * 3)[:4] == (3, 2, 0, 0)
    # Without ids in the ground truth nothing can switch.
    assert count([[(NO_TRACK, 0.0)]] * 3, [[(k, 0.0)] for k in range(3)])[:4] == (3, 0, 0, 0)
    pair = [(1, 0.0), (2, 50.0)]
    # The first of two has the id, the second is a new track in each frame.
    assert count([pair] * 3, [[(7, 0.0), (7, 50.0)]] * 3)[:4] == (6, 2, 0, 0)


def test_of_two_objects_with_one_id_the_first_keeps_the_hypothesis():
    truth = [[(1, 0.0)], [(1, 50.0), (1, 0.0)], [(1, 0.0)]]
    predictions = [[(7, 0.0)], [(8, 50.0), (7, 0.0)], [(7, 0.0)]]
    # Frame 1: id 7 is kept, then 8 is a switch; frame 2: the last partner was 8, so 7 is one too.
    assert count(truth, predictions)[:4] == (4, 2, 0, 0)


def test_statistics_of_videos_add_up(tmp_path):
    videos = list(evaluate(*folders("three_videos", tmp_path)).values())
    total = combine(videos)
    for field in fields(Statistics):
        parts = [getattr(video, field.name) for video in videos]
        np.testing.assert_array_equal(getattr(total, field.name), parts[0] + parts[1] + parts[2])
    assert combine([total]).pairs.tolist() == total.pairs.tolist()


def test_undefined_joints_are_left_out_of_the_total():
    found = Statistics(
        *(np.array(v) for v in ([3, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 2], [0.6, 0, 0]))
    )
    ours = tracking_accuracy(found)
    np.testing.assert_allclose(ours.mota, [50, np.nan, np.nan, 50])
    np.testing.assert_allclose(ours.recall, [75, np.nan, np.nan, 75])
    np.testing.assert_allclose(ours.precision, [100, np.nan, 0, 50])
    np.testing.assert_allclose(ours.motp, [80, 0, 0, 80 / 3])


def test_moving_ids_by_a_constant_changes_nothing(tmp_path):
    truth, predictions = folders("r_crowd_swaps", tmp_path)
    moved = replace(predictions, track_id=predictions.track_id + 123456)
    for measure in MEASURES:
        np.testing.assert_array_equal(
            getattr(scores(truth, predictions), measure), getattr(scores(truth, moved), measure)
        )
