"""Windows and augmented training samples."""

from statistics import NormalDist

import numpy as np
import pytest

from tdmi.clips.augmentation import draw, half_body
from tdmi.clips.crops import (
    PIXEL_CENTRES,
    crop_matrix,
    transform,
    warp,
)
from tdmi.clips.frames import FrameStore
from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.clips.targets import decode, peaks
from tdmi.clips.windows import window_offsets
from tdmi.config.inputs import Augmentation, Crop
from tdmi.data.skeletons import COCO, POSETRACK18
from tests.support import tiny_dataset
from tests.support.golden import processing_cases
from tests.support.moving_dots import moving_dots


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (2, (-2, -1, 0, 1, 2)),
        (1, (-1, 0, 0, 1, 2)),
        (0, (0, 0, 0, 1, 2)),
        (3, (-2, -1, 0, 1, 0)),
        (4, (-2, -1, 0, 0, 0)),
    ],
)
def test_window_repeats_the_key_frame_at_the_ends(position, expected):
    assert window_offsets(position, range(5), (-2, -1, 0, 1, 2)) == expected


@pytest.mark.golden
@pytest.mark.parametrize("case", processing_cases("augment"))
def test_half_body_and_flip_equal_the_official_ones(case):
    points, present = np.array(case["joints_xy"]), np.array(case["visible"]) > 0
    for crop in case["half_body_aspect_0p75"]:
        centre, width = half_body(points, present, crop["randn_draw"] < 0.5, POSETRACK18, 0.75)
        np.testing.assert_allclose(centre, crop["center"], rtol=1e-5)
        np.testing.assert_allclose(width / 200, crop["scale"][0], rtol=1e-5)
    width = case["image_width"]
    mirror = crop_matrix(np.full(2, (width - 1) / 2), width, (width, width), flip=True)
    for name, skeleton in (("coco", COCO), ("posetrack", POSETRACK18)):
        order = skeleton.flip_order
        mirrored = transform(points, mirror)[order] * present[order, None]
        np.testing.assert_allclose(mirrored, case[f"flipped_xy_{name}"], atol=1e-3)
        assert present[order].tolist() == [v > 0 for v in case[f"flipped_visible_{name}"]]


def test_half_body_takes_the_wanted_half_or_the_other():
    points = np.zeros((17, 2))
    points[:, 1] = np.arange(17)
    present = np.ones(17, bool)
    centre, width = half_body(points, present, True, POSETRACK18, 0.75)
    assert centre[1] == 5.0  # joints 0..10
    assert width == pytest.approx(1.5 * 10 * 0.75)
    centre, _ = half_body(points, present, False, POSETRACK18, 0.75)
    assert centre[1] == 13.5  # joints 11..16
    few = present & (np.arange(17) < 11)
    assert half_body(points, few, False, POSETRACK18, 0.75)[0][1] == 5.0
    assert half_body(points, np.arange(17) < 2, True, POSETRACK18, 0.75) is None


def dots_samples(root, seed=0, **augmentation):
    windows = Windows(moving_dots(root), FrameStore(root), (-2, -1, 0, 1, 2), Crop((192, 144), 2.0))
    return TrainingSamples(windows, Augmentation(**augmentation), seed)


def test_targets_sit_on_the_dots_under_every_augmentation(tmp_path):
    samples = dots_samples(tmp_path, rotation=20.0, scale=0.2, half_body_probability=0.0)
    seen_flip = False
    for position in range(24):
        sample = samples[position]
        cells, _ = peaks(sample.heatmaps[None])
        key = sample.frames[2].max(axis=2)
        for joint in np.flatnonzero(sample.weight):
            x, y = np.round(PIXEL_CENTRES.to_crop(cells[0, joint])).astype(int)
            around = key[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5]
            if 4 < x < 139 and 4 < y < 187:
                assert around.max() > 30
        left, right = (cells[0, POSETRACK18.index(f"{s}_shoulder"), 1] for s in ("left", "right"))
        seen_flip |= bool(left > right)  # in the frame the left shoulder is above the right one
    assert seen_flip


def test_a_mirrored_sample_has_the_right_joints_where_the_left_ones_were(tmp_path):
    """The same draw but for the mirroring: x is mirrored, left and right change places."""
    still = {"rotation": 0, "scale": 0, "half_body_probability": 0}
    plain, mirrored = (dots_samples(tmp_path, **still, flip_probability=p)[0] for p in (0, 1))
    points = [decode(sample.heatmaps[None], "dark", 5)[0][0] for sample in (plain, mirrored)]
    other = {"left": "right", "right": "left"}
    seen = 0
    for place, joint in enumerate(POSETRACK18.joints):
        side, dash, name = joint.partition("_")
        partner = POSETRACK18.index(other.get(side, side) + dash + name)
        if plain.weight[place] and mirrored.weight[partner]:
            x, y = points[0][place]
            np.testing.assert_allclose(points[1][partner], (35 - x, y), atol=0.05)
            seen += side in other
    assert seen > 6


def test_limbs_weigh_more_only_where_asked(tmp_path):
    """Whatever side a joint is on, so that a mirrored sample is weighted alike."""
    tiny_dataset.write(tmp_path)
    truth = tiny_dataset.annotations("test")
    samples = {}
    for kind in ("uniform", "limbs"):
        crop = Crop((64, 48), 1.5, joint_weights=kind)
        windows = Windows(truth, FrameStore(tmp_path), (-1, 0, 1), crop)
        samples[kind] = TrainingSamples(windows, Augmentation(flip_probability=1.0), 0)[0]
    plain, weighted = samples["uniform"], samples["limbs"]
    assert set(plain.weight.tolist()) == {0.0, 1.0}
    expected = {"elbow": 1.2, "knee": 1.2, "wrist": 1.5, "ankle": 1.5}
    for joint, one, other in zip(truth.skeleton.joints, plain.weight, weighted.weight, strict=True):
        assert other == np.float32(one * expected.get(joint.split("_")[-1], 1.0))
    np.testing.assert_array_equal(plain.heatmaps, weighted.heatmaps)


def test_samples_depend_on_seed_and_position_only(tmp_path):
    one, two = dots_samples(tmp_path), dots_samples(tmp_path)
    forwards = [one[p] for p in range(14)]
    for position in reversed(range(14)):
        sample = two[position]
        np.testing.assert_array_equal(sample.frames, forwards[position].frames)
        np.testing.assert_array_equal(sample.heatmaps, forwards[position].heatmaps)
    other = dots_samples(tmp_path, seed=1)[0]
    assert not np.array_equal(other.frames, forwards[0].frames)


def test_each_epoch_visits_every_person_once_in_a_new_order(tmp_path):
    samples = dots_samples(tmp_path)
    epochs = [[samples.person_at(p)[1] for p in range(e * 6, e * 6 + 6)] for e in range(4)]
    assert all(sorted(epoch) == list(range(6)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_window_frames_are_the_neighbours(tmp_path):
    samples = dots_samples(tmp_path)
    windows = samples.windows
    matrix = crop_matrix(np.array([80.0, 60.0]), 160.0, (192, 144))
    frames, offsets = windows.crop_window(1, matrix)
    assert offsets.tolist() == [-1, 0, 0, 1, 2]
    for crop, k in zip(frames, offsets, strict=True):
        expected = warp(windows.store.read(f"{1 + k}.png"), matrix, (192, 144))
        np.testing.assert_array_equal(crop, expected)


@pytest.mark.parametrize("probability", [NormalDist().cdf(0.5), 0.5, 1.0])
def test_share_of_upper_bodies(probability):
    """The default is the official code's 69 %."""
    options = Augmentation(half_body_probability=1.0, upper_body_probability=probability)
    points = np.repeat(np.arange(17.0)[:, None], 2, axis=1)
    generator = np.random.default_rng(0)
    crop = np.array([8.0, 8.0]), 20.0, points, np.ones(17, bool), POSETRACK18, 0.75
    centres = [draw(options, generator, *crop).centre[1] for _ in range(2000)]
    assert np.mean(np.array(centres) == 5.0) == pytest.approx(probability, abs=0.03)
    assert Augmentation().upper_body_probability == NormalDist().cdf(0.5)


@pytest.mark.parametrize("geometry", ["pixel_centres", "official"])
@pytest.mark.parametrize("outside_joints", ["dropped", "kept"])
def test_targets_by_geometry_and_outside_joints(tmp_path, geometry, outside_joints):
    """The crop, 56.25 x 75 frame pixels around (62.5, 40), leaves out some joints."""
    annotations = moving_dots(tmp_path)
    annotations.box[:] = [40.0, 10.0, 45.0, 60.0]
    crop = Crop((192, 144), 2.0, geometry=geometry, outside_joints=outside_joints)
    windows = Windows(annotations, FrameStore(tmp_path), (0,), crop)
    still = Augmentation(rotation=0, scale=0, flip_probability=0, half_body_probability=0)
    samples = TrainingSamples(windows, still, 0)
    sample, (_, person) = samples[0], samples.person_at(0)
    middle = np.array([72, 96]) if geometry == "official" else np.array([71.5, 95.5])
    points = (annotations.keypoints[person] - [62.5, 40]) * 2.56 + middle
    half = 0 if geometry == "official" else 0.5
    cells = (points + half) / 4 - half
    inside = ((points >= -half) & (points <= np.array([144, 192]) - half)).all(axis=1)
    touching = ((cells > -7.5) & (cells < np.array([36, 48]) + 5.5)).all(axis=1)
    assert inside.sum() < touching.sum() < 17
    wanted = inside if outside_joints == "dropped" else touching
    assert (sample.weight > 0).tolist() == wanted.tolist()
    found, _ = decode(sample.heatmaps[None, inside], "dark", 5)
    middle_ones = (cells[inside] > 3).all(axis=1) & (cells[inside] < (32, 44)).all(axis=1)
    np.testing.assert_allclose(found[0][middle_ones], cells[inside][middle_ones], atol=0.05)
