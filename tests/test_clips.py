import json

import cv2
import numpy as np
import pytest
import tiny_dataset
from golden import FOLDER, processing_cases

from tdmi.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.clips.augmentation import Augmentation, half_body
from tdmi.clips.crops import crop_matrix, crop_regions, invert, transform, warp
from tdmi.clips.frames import FrameStore, read_frame
from tdmi.clips.samples import CropOptions, TrainingSamples, Windows
from tdmi.clips.windows import window_offsets
from tdmi.errors import UserError
from tdmi.heatmaps import heatmap_to_crop, peaks
from tdmi.skeletons import POSETRACK18


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


# The official code takes a centre at exactly -1 for a missing one and does not enlarge its box.
@pytest.mark.parametrize("case", [c for c in processing_cases("box2cs") if c["center"][0] != -1])
def test_regions_equal_the_official_centre_and_scale(case):
    centre, size = crop_regions(
        np.array([case["box_xywh"]], float), case["aspect_w_over_h"], case["enlarge"]
    )
    np.testing.assert_allclose(centre[0], case["center"], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(size[0] / 200, case["scale"], rtol=1e-5)


@pytest.mark.parametrize("case", [c for c in processing_cases("affine") if not c["inv"]])
def test_crop_matrix_is_the_official_one_half_a_pixel_away(case):
    width, height = case["output_size_wh"]
    matrix = crop_matrix(
        np.array(case["center"]), 200 * case["scale"][0], (height, width), case["rot_degrees"]
    )
    mapped = transform(np.array(case["points"]), matrix)
    np.testing.assert_allclose(mapped, np.array(case["mapped"]) - 0.5, atol=2e-3)


def test_warp_equals_opencv_reference_values():
    golden = json.loads((FOLDER / "processing" / "warp.json").read_text())
    height, width = golden["image_hw"]
    y, x, c = np.mgrid[:height, :width, :3]

    def triangle(v):
        return np.abs(v % 64 - 32) * 4

    image = np.minimum(255, triangle(3 * x + 11 * c) + triangle(5 * y + 7 * c)).astype(np.uint8)
    for version in golden["by_opencv"]:
        for case in version["cases"]:
            size = case["size_wh"][::-1]
            crop = warp(image, np.array(case["matrix"]), tuple(size)).astype(int).ravel()
            samples = case["samples"]
            assert np.abs(crop[samples["index"]] - samples["value"]).max() <= 1


def test_matrix_inverts_and_flip_mirrors():
    matrix = crop_matrix(np.array([50.0, 40.0]), 60.0, (96, 72), rotation=30, flip=True)
    points = np.random.default_rng(0).uniform(0, 100, (6, 2))
    np.testing.assert_allclose(transform(transform(points, matrix), invert(matrix)), points)
    plain = crop_matrix(np.array([50.0, 40.0]), 60.0, (96, 72), rotation=30)
    mirrored = transform(points, plain)
    mirrored[:, 0] = 71 - mirrored[:, 0]
    np.testing.assert_allclose(transform(points, matrix), mirrored)


@pytest.mark.parametrize("case", processing_cases("augment"))
def test_half_body_and_flip_equal_the_official_ones(case):
    points, present = np.array(case["joints_xy"]), np.array(case["visible"]) > 0
    for crop in case["half_body_aspect_0p75"]:
        centre, width = half_body(points, present, crop["randn_draw"] < 0.5, POSETRACK18, 0.75)
        np.testing.assert_allclose(centre, crop["center"], rtol=1e-5)
        np.testing.assert_allclose(width / 200, crop["scale"][0], rtol=1e-5)
    order = POSETRACK18.flip_order
    mirrored = np.stack([case["image_width"] - 1 - points[order, 0], points[order, 1]], axis=1)
    mirrored[~present[order]] = 0
    np.testing.assert_allclose(mirrored, case["flipped_xy_posetrack"], atol=1e-3)
    assert present[order].tolist() == [v > 0 for v in case["flipped_visible_posetrack"]]


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


def test_truncated_and_missing_frames_are_named(tmp_path):
    path = tmp_path / "000000.jpg"
    picture = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    assert cv2.imwrite(str(path), picture)
    assert read_frame(path).shape == (40, 50, 3)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"000000\.jpg: found a truncated JPEG"):
        read_frame(path)
    with pytest.raises(UserError, match="no such frame"):
        read_frame(tmp_path / "000001.jpg")


def test_frame_store_keeps_within_its_bound(tmp_path):
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((10, 10, 3), i, np.uint8))
    store = FrameStore(tmp_path, cache_bytes=650)
    first = store.read("0.png")
    assert store.read("0.png") is first
    store.read("1.png")
    store.read("2.png")
    assert store.read("0.png") is not first
    assert store._bytes <= 650


def moving_dots(root, frames=6):
    """One video in which each joint is a bright dot that moves right by two pixels a frame."""
    keypoints = np.zeros((frames, 17, 2))
    for i in range(frames):
        image = np.zeros((120, 160, 3), np.uint8)
        keypoints[i] = np.stack([40 + 4 * np.arange(17) % 60 + 2 * i, 20 + 5 * np.arange(17)], 1)
        for x, y in keypoints[i].astype(int):
            image[y, x] = 255
        cv2.imwrite(str(root / f"{i}.png"), image)
    return Annotations(
        skeleton=POSETRACK18,
        video_names=["900001_mpiinew_dots"],
        frame_video=np.zeros(frames, np.int64),
        frame_index=np.arange(frames),
        frame_file=[f"{i}.png" for i in range(frames)],
        frame_id=np.arange(frames),
        frame_labelled=np.ones(frames, bool),
        frame_annotated=np.ones(frames, bool),
        ignore_regions=[[] for _ in range(frames)],
        person_frame=np.arange(frames),
        track_id=np.full(frames, NO_TRACK),
        keypoints=keypoints,
        present=np.ones((frames, 17), bool),
        visible=np.ones((frames, 17), bool),
        joint_score=np.full((frames, 17), UNSCORED),
        box=np.tile([30.0, 10.0, 80.0, 95.0], (frames, 1)),
        head_box=np.full((frames, 4), np.nan),
        score=np.full(frames, np.nan),
    )


def dots_samples(root, seed=0, **augmentation):
    windows = Windows(
        moving_dots(root), FrameStore(root), (-2, -1, 0, 1, 2), CropOptions((192, 144), 2.0)
    )
    return TrainingSamples(windows, Augmentation(**augmentation), seed)


def test_targets_sit_on_the_dots_under_every_augmentation(tmp_path):
    samples = dots_samples(tmp_path, rotation=20.0, scale=0.2, half_body_probability=0.0)
    seen_flip = False
    for position in range(24):
        sample = samples[position]
        cells, _ = peaks(sample.heatmaps[None])
        key = sample.frames[2].max(axis=2)
        for joint in np.flatnonzero(sample.weight):
            x, y = np.round(heatmap_to_crop(cells[0, joint])).astype(int)
            around = key[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5]
            if 4 < x < 139 and 4 < y < 187:
                assert around.max() > 30
        left, right = (cells[0, POSETRACK18.index(f"{s}_shoulder"), 1] for s in ("left", "right"))
        seen_flip |= bool(left > right)  # in the frame the left shoulder is above the right one
    assert seen_flip


def test_limbs_weigh_more_only_where_asked(tmp_path):
    """Whatever side a joint is on, so that a mirrored sample is weighted alike."""
    tiny_dataset.write(tmp_path)
    truth = tiny_dataset.annotations("test")
    samples = {}
    for kind in ("uniform", "limbs"):
        crop = CropOptions((64, 48), 1.5, joint_weights=kind)
        windows = Windows(truth, FrameStore(tmp_path), (-1, 0, 1), crop)
        samples[kind] = TrainingSamples(windows, Augmentation(flip_probability=1.0), 0)[0]
    plain, weighted = samples["uniform"], samples["limbs"]
    assert set(plain.weight.tolist()) == {0.0, 1.0}
    expected = {"elbow": 1.2, "knee": 1.2, "wrist": 1.5, "ankle": 1.5}
    for joint, one, other in zip(truth.skeleton.joints, plain.weight, weighted.weight, strict=True):
        assert other == np.float32(one * expected.get(joint.split("_")[-1], 1.0))
    np.testing.assert_array_equal(plain.heatmaps, weighted.heatmaps)
    with pytest.raises(UserError, match=r"crop\.joint_weights: found 'hands', expected one of"):
        CropOptions(joint_weights="hands")


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
    frames, offsets = windows.cut(1, matrix)
    assert offsets.tolist() == [-1, 0, 0, 1, 2]
    for crop, k in zip(frames, offsets, strict=True):
        expected = warp(windows.store.read(f"{1 + k}.png"), matrix, (192, 144))
        np.testing.assert_array_equal(crop, expected)
