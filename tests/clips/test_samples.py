from statistics import NormalDist

import cv2
import numpy as np
import pytest

from tdmi.clips.augmentation import draw, half_body
from tdmi.clips.crops import (
    OFFICIAL,
    PIXEL_CENTRES,
    crop_matrices,
    crop_matrix,
    crop_regions,
    invert,
    transform,
    warp,
)
from tdmi.clips.frames import FrameStore, read_frame
from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.clips.targets import decode, peaks
from tdmi.clips.windows import window_offsets
from tdmi.config.inputs import Augmentation, Crop
from tdmi.core.errors import UserError
from tdmi.data.annotations import NO_TRACK, UNSCORED, Annotations
from tdmi.data.skeletons import COCO, POSETRACK18
from tests.support import tiny_dataset
from tests.support.golden import FOLDER, processing, processing_cases


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
@pytest.mark.parametrize("case", processing_cases("box2cs"))
def test_regions_equal_the_official_centre_and_scale(case):
    box, aspect, enlarge = (
        np.array([case["box_xywh"]], float),
        case["aspect_w_over_h"],
        case["enlarge"],
    )
    # The aspect of the cases is that of 96x72 or of a square.
    shape = (96, round(96 * aspect))
    ours, official = (
        Crop(shape, box_enlargement=enlarge, geometry=name)
        for name in ("pixel_centres", "official")
    )
    assert official.aspect == aspect
    centre, size = crop_regions(box, official)
    np.testing.assert_allclose(centre[0], case["center"], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(size[0] / 200, case["scale"], rtol=1e-5)
    corner = centre[0] - size[0] / 2
    np.testing.assert_allclose([*corner, *size[0]], case["back_to_xywh"], rtol=1e-5, atol=2e-3)
    if centre[0, 0] != -1:
        np.testing.assert_array_equal(crop_regions(box, ours), [centre, size])


def test_a_box_around_minus_one_is_enlarged_like_any_other():
    box = np.array([[-11.0, 30, 20, 80]])
    _, size = crop_regions(box, Crop())
    _, official = crop_regions(box, Crop(geometry="official"))
    np.testing.assert_allclose([size[0], official[0]], [[75, 100], [60, 80]])


@pytest.mark.golden
@pytest.mark.parametrize("case", processing_cases("affine"))
def test_crop_matrix_is_the_official_one_or_half_a_pixel_away(case):
    width, height = case["output_size_wh"]
    region = np.array(case["center"]), 200 * case["scale"][0], (height, width), case["rot_degrees"]
    ours, official = crop_matrix(*region), crop_matrix(*region, geometry=OFFICIAL)
    points, mapped = np.array(case["points"]), np.array(case["mapped"])
    if case["inv"]:
        np.testing.assert_allclose(transform(points, invert(official)), mapped, atol=2e-3)
        np.testing.assert_allclose(transform(points - 0.5, invert(ours)), mapped, atol=2e-3)
    else:
        np.testing.assert_allclose(transform(points, official), mapped, atol=2e-3)
        np.testing.assert_allclose(transform(points, ours), mapped - 0.5, atol=2e-3)


@pytest.mark.golden
@pytest.mark.skipif(not (FOLDER / "processing/warp.json").is_file(), reason="no warp.json there")
def test_warp_equals_opencv_reference_values():
    golden = processing("warp")
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


@pytest.mark.parametrize("flip", [False, True])
def test_warp_equals_opencv_on_the_whole_frame(flip):
    """Crops within, over the edges, around and beyond the frame; the copy leaves nothing out."""
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (120, 160, 3), np.uint8)
    shares = []
    for _ in range(400):
        centre, width = rng.uniform(-80, 240, 2), float(np.exp(rng.uniform(1, 6)))
        turn = float(rng.choice([0.0, 90.0, rng.uniform(-180, 180)]))
        matrix = crop_matrix(centre, width, (48, 36), turn, flip)
        expected = cv2.warpAffine(image, matrix, (36, 48), flags=cv2.INTER_LINEAR)
        np.testing.assert_array_equal(warp(image, matrix, (48, 36)), expected)
        shares.append((expected > 0).mean())
    shares = np.array(shares)
    assert (shares == 0).sum() > 40 and (shares > 0.95).sum() > 40
    assert ((shares > 0) & (shares < 0.9)).sum() > 40


def test_matrix_inverts_and_flip_mirrors():
    matrix = crop_matrix(np.array([50.0, 40.0]), 60.0, (96, 72), rotation=30, flip=True)
    points = np.random.default_rng(0).uniform(0, 100, (6, 2))
    np.testing.assert_allclose(transform(transform(points, matrix), invert(matrix)), points)
    plain = crop_matrix(np.array([50.0, 40.0]), 60.0, (96, 72), rotation=30)
    mirrored = transform(points, plain)
    mirrored[:, 0] = 71 - mirrored[:, 0]
    np.testing.assert_allclose(transform(points, matrix), mirrored)


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


@pytest.mark.parametrize("geometry", ["pixel_centres", "official"])
def test_crops_for_prediction_are_upright_and_hold_the_enlarged_box(geometry):
    """Neither turned, moved, mirrored nor scaled: nothing of the augmentation."""
    crop = Crop((192, 144), box_enlargement=1.5, geometry=geometry)
    box = np.array([[30.0, 10.0, 40.0, 80.0]])  # becomes 60 x 80, then 90 x 120 about (50, 50)
    corners = np.array([[5.0, -10.0], [95.0, -10.0], [5.0, 110.0]])
    first = -0.5 if geometry == "pixel_centres" else 0.0
    expected = np.array([[first, first], [first + 144, first], [first, first + 192]])
    np.testing.assert_allclose(transform(corners, crop_matrices(box, crop)[0]), expected)


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
