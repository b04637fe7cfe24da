"""The scripts that made the pseudo-labels: triangulation, camera checks, looks, smoothing."""

import sys

import cv2
import numpy as np
import pytest
from scipy.signal import savgol_filter

from tdmi.core.errors import UserError
from tdmi.core.files import read_json
from tdmi.data.skeletons import POSETRACK18
from tdmi.datasets.pose2sim import labels as label_files
from tdmi.datasets.pose2sim.joints import MIRRORED, NAMES
from tdmi.datasets.pose2sim.labels import read_labels
from tests.support.pose2sim_scenes import person, ring, views
from workflow.scripts.pose2sim.detect import Detector, combine_looks
from workflow.scripts.pose2sim.quality import reprojection_errors, summary
from workflow.scripts.pose2sim.refine import estimate_shifts, moved, refine_cameras, resolve_sides
from workflow.scripts.pose2sim.triangulate import smooth, triangulate

# --- triangulation ---------------------------------------------------------------------------


def test_projected_points_come_back():
    cameras, points = ring(), person(5)
    pixels = views(cameras, points)
    found = triangulate(cameras, pixels, np.ones(pixels.shape[:-1]))
    np.testing.assert_allclose(found.points, points, atol=1e-9)
    assert found.used.all() and found.residuals.max() < 1e-6


def test_one_wrong_view_is_rejected():
    cameras, points = ring(), person(5)
    pixels = views(cameras, points)
    pixels[2] += (90, -60)
    found = triangulate(cameras, pixels, np.ones(pixels.shape[:-1]))
    np.testing.assert_allclose(found.points, points, atol=1e-9)
    assert not found.used[2].any() and found.used[[0, 1, 3]].all()
    np.testing.assert_allclose(found.residuals[2], np.hypot(90, 60), rtol=0.1)


def test_a_heavy_view_pulls_more():
    cameras, points = ring(), person(1)
    pixels = views(cameras, points)
    pixels[0] += (6, 0)
    light, heavy = (
        triangulate(cameras, pixels, np.array([w, 1, 1, 1])[:, None, None] * np.ones((4, 1, 19)))
        for w in (0.2, 5.0)
    )
    assert (heavy.residuals[0] < light.residuals[0]).all()


def test_a_point_of_one_view_has_no_place():
    cameras = ring()
    pixels = views(cameras, person(1))
    weights = np.ones(pixels.shape[:-1])
    weights[1:, 0, 3] = 0
    pixels[:2, 0, 4] = np.nan
    found = triangulate(cameras, pixels, weights)
    assert np.isnan(found.points[0, 3]).all() and found.used[:, 0, 3].sum() <= 1
    np.testing.assert_allclose(found.points[0, 4], person(1)[0, 4], atol=1e-9)


# --- checks of cameras and sides -------------------------------------------------------------


def test_shifts_between_videos_are_found():
    cameras = ring()
    late = (0, 2, -3, 1)
    pixels = views(cameras, person(50))
    pixels = np.stack(
        [np.roll(view, shift, axis=0) for view, shift in zip(pixels, late, strict=True)]
    )[:, 5:45]
    shifts, costs = estimate_shifts(cameras, pixels, np.ones(pixels.shape[:-1]), largest=4)
    assert shifts == late
    assert [len(row) for row in costs] == [9] * 4


def test_a_turned_camera_is_turned_back():
    truth = ring()
    pixels = views(truth, person(12)[::6])
    bent = list(truth)
    bent[2] = moved(truth[2], np.array([0.01, -0.015, 0.005, 0, 0, 0]))
    mended, changes = refine_cameras(bent, pixels, np.ones(pixels.shape[:-1]))
    before = np.linalg.norm(views(bent, person(12)) - views(truth, person(12)), axis=-1)[2]
    after = triangulate(mended, pixels, np.ones(pixels.shape[:-1])).residuals
    assert before.mean() > 5 and after.mean() < 0.5
    assert np.linalg.norm(changes[:, :3], axis=1).argmax() == 2


def test_exchanged_sides_are_put_right():
    cameras, points = ring(), person(10)
    true = np.concatenate([views(cameras, points), np.ones((4, 10, 19, 1))], axis=-1)
    wrong = true.copy()
    wrong[1, 3:6] = true[1, 3:6][:, MIRRORED]
    mended, counts = resolve_sides(cameras, wrong)
    np.testing.assert_array_equal(mended, true)
    assert counts == [0, 3, 0, 0]


def test_mirrored_landmarks_are_the_other_sides():
    assert NAMES[MIRRORED[NAMES.index("left_knee")]] == "right_knee"
    assert NAMES[MIRRORED[NAMES.index("nose")]] == "nose"
    assert [MIRRORED[i] for i in MIRRORED] == list(range(len(NAMES)))


def test_looks_are_combined_by_the_median_after_turning_exchanged_ones():
    look = np.concatenate([views(ring(), person(1))[0, 0], np.full((19, 1), 0.8)], axis=-1)
    looks = np.stack([look, look[MIRRORED], look, look + np.array([4, 0, 0]), look])
    combined = combine_looks(looks)
    np.testing.assert_allclose(combined, look)
    spread = np.stack([look + np.array([10, 0, 0]), look, look - np.array([10, 0, 0])])
    # Median distance to the median is 10 px, which halves the weight.
    np.testing.assert_allclose(combine_looks(spread)[:, 2], 0.4)


def test_a_missing_pose_model_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(UserError, match=r"pip install mediapipe==0\.10\.21"):
        Detector()


def test_crops_and_mirror_images_give_the_landmarks_of_the_frame():
    """A stand-in for the pose model calls the right one of two bright spots the left side."""

    class Spots(Detector):
        def __init__(self):
            pass

        def look(self, image):
            places = np.argwhere(image[..., 0] > 100)[:, ::-1]
            on_the_right = places[:, 0] > places[:, 0].mean()
            sides = {
                "left": places[on_the_right].mean(0),
                "right": places[~on_the_right].mean(0),
                "nose": places.mean(0),
            }
            return np.array([(*sides[name.partition("_")[0]], 0.5) for name in NAMES])

    frame = np.zeros((480, 640, 3), np.uint8)
    for spot in ((260, 200), (340, 230)):
        cv2.circle(frame, spot, 6, (255, 255, 255), -1)
    found = Spots().video([frame, frame], roll=0.0, label="video")
    assert found.shape == (2, len(NAMES), 3)
    for name, place in (("left_knee", (340, 230)), ("right_ear", (260, 200)), ("nose", (300, 215))):
        np.testing.assert_allclose(found[:, NAMES.index(name), :2], [place] * 2, atol=0.5)
    np.testing.assert_allclose(found[..., 2], 0.5, atol=0.01)


def test_smoothing_is_savitzky_golay_and_ignores_single_wrong_frames():
    track = person(40)[:, :3]
    noisy = track + np.random.default_rng(3).normal(0, 0.004, track.shape)
    plain = smooth(noisy, np.ones(noisy.shape[:2]), tolerance=1e6)
    np.testing.assert_allclose(plain[4:-4], savgol_filter(noisy, 9, 2, axis=0)[4:-4], atol=1e-9)
    noisy[20] += 0.5
    robust, pulled = (
        smooth(noisy, np.ones(noisy.shape[:2]), tolerance=tolerance) for tolerance in (0.02, 1e6)
    )
    assert np.linalg.norm(pulled - plain, axis=-1).max() > 0.2
    assert np.linalg.norm(robust - plain, axis=-1).max() < 0.02
    noisy[7] = np.nan
    assert np.isfinite(smooth(noisy, np.ones(noisy.shape[:2]))).all()


# --- committed pseudo-labels ---


def test_provenance_figures_follow_from_the_committed_files():
    labels, detections = read_labels(), label_files.read_detections()
    measured = read_json(label_files.PROVENANCE)["measured"]
    for name, found in detections.items():
        exchanged = measured["exchanged_sides_frames"][name]
        joints = [NAMES.index(joint) for joint in ("left_hip", "left_knee", "left_ankle")]
        slots = [POSETRACK18.index(NAMES[joint]) for joint in joints]
        there = labels.cameras[name].project(labels.joints[:, slots])
        off = np.linalg.norm(found[:, joints, :2] - there, axis=-1).mean(1)
        mirrored = found[:, MIRRORED][:, joints, :2]
        turn = np.linalg.norm(mirrored - there, axis=-1).mean(1) < off / 2
        assert abs(int(turn.sum()) - exchanged) <= 5
    stack, _ = resolve_sides(list(labels.cameras.values()), np.stack(list(detections.values())))
    pixels, heads = reprojection_errors(labels, dict(zip(detections, stack, strict=True)))
    again = summary(pixels, heads, list(detections))
    claimed = measured["reprojection"]
    for row in ("median_px", "mean_px", "p90_px"):
        assert again["all"][row] == pytest.approx(claimed["all"][row], abs=0.1)
        for name in detections:
            assert again["per_camera"][name][row] == pytest.approx(
                claimed["per_camera"][name][row], abs=0.2
            )
