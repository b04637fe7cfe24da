import numpy as np
import pytest
from golden import normal, processing_cases

from tdmi.heatmaps import crop_to_heatmap, decode, encode, flip_back, heatmap_to_crop, peaks
from tdmi.skeletons import POSETRACK18


@pytest.mark.parametrize("case", processing_cases("targets"))
def test_rounded_targets_equal_the_official_ones(case):
    height, width = case["shape"][1:]
    stride = case["image_size_wh"][0] / width
    points = np.array(case["joints_xy"])[None] / stride
    present = np.array(case["visible"])[None] > 0
    maps, weights = encode(points, present, (height, width), case["sigma"], "rounded")
    if not case["different_joint_weights"]:
        assert weights[0].tolist() == case["target_weight"]
    np.testing.assert_allclose(maps[0].sum((1, 2)), case["per_joint_sum"], atol=2e-5)
    samples = case["samples_any"]
    np.testing.assert_allclose(maps[0].ravel()[samples["index"]], samples["value"], atol=1e-6)
    samples = case["samples_nonzero"]
    np.testing.assert_allclose(maps[0].ravel()[samples["index"]], samples["value"], atol=1e-6)


def golden_decode_input(case):
    maps = np.float32(case["amplitude"]) * normal(case["seed"], tuple(case["shape"]))
    for b, j in case["negate_minus_abs_minus_0p01"]:
        maps[b, j] = -np.abs(maps[b, j]) - np.float32(0.01)
    for b, j in case["zero"]:
        maps[b, j] = 0
    for b, j, y, x, value in case["edits_b_j_y_x_value"]:
        maps[b, j, y, x] = value
    return maps


@pytest.mark.parametrize("case", processing_cases("decode"))
def test_peaks_and_quarter_offset_equal_the_official_ones(case):
    maps = golden_decode_input(case)
    cells, values = peaks(maps)
    np.testing.assert_array_equal(cells, case["max_preds_xy"])
    np.testing.assert_allclose(
        values[..., None], np.array(case["maxvals"]).reshape(*values.shape, 1)
    )
    # The official back-projection: image = (cell - size / 2) * (200 * scale / size) + centre.
    size = np.array(maps.shape[:1:-1], dtype=float)
    for method, key in (
        ("quarter", "final_preds_xy"),
        ("argmax", "final_preds_without_quarter_offset_xy"),
    ):
        points, _ = decode(maps, method)
        step = 200 * np.array(case["scale"])[:, None, :1] / size[0]
        image = (points - size / 2) * step + np.array(case["center"])[:, None]
        np.testing.assert_allclose(image, case[key], atol=2e-3)


@pytest.mark.parametrize("case", processing_cases("flip"))
def test_flip_average_equals_the_official_one(case):
    shape = tuple(case["shape"])
    order = np.arange(shape[1])
    for a, b in case["pairs"]:
        order[[a, b]] = b, a
    flipped = flip_back(normal(case["seed_output_of_flipped_input"], shape), order, case["shift"])
    average = (normal(case["seed_output"], shape) + flipped) * 0.5
    np.testing.assert_allclose(
        average.ravel()[case["samples"]["index"]], case["samples"]["value"], atol=1e-6
    )


def test_dark_finds_the_centre_of_a_gaussian_that_argmax_misses():
    generator = np.random.default_rng(3)
    points = generator.uniform(8, 22, (5, 4, 2))
    maps, _ = encode(points, np.ones((5, 4), bool), (32, 32), sigma=2.0)
    for kernel in (5, 11):
        found, values = decode(maps, "dark", kernel)
        np.testing.assert_allclose(found, points, atol=0.03)
    coarse, _ = decode(maps, "argmax")
    assert np.abs(coarse - points).max() > 0.4
    assert values.min() > 0.9


def test_dark_leaves_peaks_at_the_border_and_empty_maps_alone():
    maps = np.zeros((1, 3, 8, 8), np.float32)
    maps[0, 0, 0, 5] = 1.0
    maps[0, 1] = 0.3
    found, values = decode(maps, "dark", 3)
    np.testing.assert_array_equal(found[0], [[5, 0], [0, 0], [0, 0]])
    np.testing.assert_allclose(values[0], [1.0, 0.3, 0.0])


def test_crop_and_heatmap_pixels_invert_and_share_the_outer_border():
    points = np.random.default_rng(0).uniform(-5, 300, (7, 2))
    np.testing.assert_allclose(heatmap_to_crop(crop_to_heatmap(points)), points)
    assert crop_to_heatmap(np.array(-0.5)) == -0.5
    assert crop_to_heatmap(np.array(287.5)) == 71.5


def test_flipping_an_encoded_pose_needs_no_shift():
    points = np.random.default_rng(1).uniform(4, 13, (1, 17, 2))
    present = np.ones((1, 17), bool)
    maps, _ = encode(points, present, (24, 18), 1.5)
    mirrored = points[:, POSETRACK18.flip_order].copy()
    mirrored[..., 0] = 17 - mirrored[..., 0]
    maps_of_mirrored, _ = encode(mirrored, present, (24, 18), 1.5)
    np.testing.assert_allclose(flip_back(maps_of_mirrored, POSETRACK18.flip_order), maps, atol=0.02)
