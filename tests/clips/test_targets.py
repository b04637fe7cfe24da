import cv2
import numpy as np
import pytest

from tdmi.clips.crops import OFFICIAL, PIXEL_CENTRES, crop_matrix, invert, transform
from tdmi.clips.targets import decode, encode, flip_back, peaks
from tdmi.data.skeletons import POSETRACK18
from tests.support.golden import normal, processing, processing_cases


@pytest.mark.golden
@pytest.mark.parametrize("case", processing_cases("targets"))
def test_rounded_targets_equal_the_official_ones(case):
    height, width = case["shape"][1:]
    points = np.array(
        [
            OFFICIAL.to_heatmap(np.array(case["joints_xy"]), size / cells)[:, axis]
            for axis, (size, cells) in enumerate(
                zip(case["image_size_wh"], case["heatmap_size_wh"], strict=True)
            )
        ]
    ).T[None]
    labelled = np.array(case["visible"])[None]
    if case["different_joint_weights"]:
        labelled = labelled * processing("targets")["joint_weights"]
    maps, weights = encode(points, labelled, (height, width), case["sigma"], "rounded")
    np.testing.assert_array_equal(weights[0], np.float32(case["target_weight"]))
    assert maps[0].reshape(len(maps[0]), -1).argmax(axis=1).tolist() == case["per_joint_argmax"]
    for one, box in zip(maps[0], case["nonzero_y0_y1_x0_x1_count"], strict=True):
        y, x = np.nonzero(one)
        found = [y.min(), y.max(), x.min(), x.max(), len(y)] if len(y) else None
        assert found == box
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


@pytest.mark.golden
@pytest.mark.parametrize("case", processing_cases("decode"))
def test_peaks_and_quarter_offset_equal_the_official_ones(case):
    maps = golden_decode_input(case)
    cells, values = peaks(maps)
    np.testing.assert_array_equal(cells, case["max_preds_xy"])
    np.testing.assert_allclose(
        values[..., None], np.array(case["maxvals"]).reshape(*values.shape, 1)
    )
    # Official: the crop's matrix for the heatmap's size, which is that of a crop of any stride.
    height, width = maps.shape[2:]
    matrices = np.stack(
        [
            crop_matrix(
                np.array(centre), 200 * scale[0], (4 * height, 4 * width), geometry=OFFICIAL
            )
            for centre, scale in zip(case["center"], case["scale"], strict=True)
        ]
    )
    for method, key in (
        ("quarter", "final_preds_xy"),
        ("argmax", "final_preds_without_quarter_offset_xy"),
    ):
        points, _ = decode(maps, method)
        image = transform(OFFICIAL.to_crop(points), invert(matrices))
        np.testing.assert_allclose(image, case[key], atol=2e-3)


def test_quarter_offset_follows_the_slope_two_cells_inside_the_map():
    """A peak in every cell of a map of 7x6, noise around it."""
    height, width = 7, 6
    maps = np.random.default_rng(0).random((height, width, height, width), dtype=np.float32)
    for y, x in np.ndindex(height, width):
        maps[y, x, y, x] = 2
    found, _ = decode(maps, "quarter")
    for y, x in np.ndindex(height, width):
        wanted = [x, y]
        if 1 < x < width - 1 and 1 < y < height - 1:
            own = maps[y, x]
            wanted[0] += 0.25 if own[y, x + 1] > own[y, x - 1] else -0.25
            wanted[1] += 0.25 if own[y + 1, x] > own[y - 1, x] else -0.25
        assert found[y, x].tolist() == wanted


@pytest.mark.golden
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


def dark_of_whole_maps(heatmaps, kernel):
    """DARK as its paper's code does it, in float64: blur a map, keep its maximum, one step."""
    found, _ = decode(heatmaps, "argmax")
    border = kernel // 2
    height, width = heatmaps.shape[2:]
    for b, j in np.ndindex(heatmaps.shape[:2]):
        padded = np.pad(heatmaps[b, j].astype(np.float64), border)
        blurred = cv2.GaussianBlur(padded, (kernel, kernel), 0)[border:-border, border:-border]
        logs = np.log(np.maximum(blurred * heatmaps[b, j].max() / blurred.max(), 1e-10))
        x, y = found[b, j].astype(int)
        if not (1 < x < width - 2 and 1 < y < height - 2):
            continue
        slope = np.array([logs[y, x + 1] - logs[y, x - 1], logs[y + 1, x] - logs[y - 1, x]]) / 2
        xx = (logs[y, x + 2] - 2 * logs[y, x] + logs[y, x - 2]) / 4
        yy = (logs[y + 2, x] - 2 * logs[y, x] + logs[y - 2, x]) / 4
        xy = (logs[y + 1, x + 1] - logs[y - 1, x + 1] - logs[y + 1, x - 1] + logs[y - 1, x - 1]) / 4
        if xx * yy - xy**2 != 0:
            step = -np.linalg.solve(np.array([[xx, xy], [xy, yy]]), slope)
            found[b, j] += np.clip(step, -1, 1)
    return found


@pytest.mark.parametrize(("size", "sigma", "kernel"), [((96, 72), 3, 17), ((16, 12), 1.5, 5)])
def test_dark_around_the_peaks_equals_dark_of_whole_maps(size, sigma, kernel):
    generator = np.random.default_rng(4)
    points = generator.uniform(-1, max(size), (8, 17, 2)) * [size[1] / size[0], 1]
    maps, _ = encode(points, np.ones((8, 17), bool), size, sigma)
    maps += 0.02 * generator.standard_normal(maps.shape, dtype=np.float32)
    for threads in (1, 3):
        found, values = decode(maps, "dark", kernel, threads)
        np.testing.assert_allclose(found, dark_of_whole_maps(maps, kernel), atol=1e-8)
        assert np.array_equal(values, maps.max(axis=(2, 3)))


@pytest.mark.parametrize("sigma", [2.0, 1.5])
def test_patches_larger_than_the_map_and_over_its_borders_equal_whole_gaussians(sigma):
    """By the definition, cell by cell: within 3 sigma of the nearest cell, else zero."""
    points = np.array([[[3.3, 4.6], [-0.9, 11.2], [8.8, -3.4], [14.9, 5.0], [5.5, 15.0]]])
    maps, weights = encode(points, np.ones((1, 5), bool), (12, 9), sigma)
    y, x = np.mgrid[:12, :9]
    for one, (px, py) in zip(maps[0], points[0], strict=True):
        cell = np.trunc(px + 0.5), np.trunc(py + 0.5)
        near = np.maximum(abs(x - cell[0]), abs(y - cell[1])) <= int(3 * sigma)
        wanted = np.where(near, np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2)), 0)
        np.testing.assert_allclose(one, wanted * (wanted.max() > 0), atol=1e-7)
    assert weights[0, :3].tolist() == [1, 1, 1]


def test_crop_and_heatmap_pixels_invert_and_share_the_outer_border():
    points = np.random.default_rng(0).uniform(-5, 300, (7, 2))
    np.testing.assert_allclose(PIXEL_CENTRES.to_crop(PIXEL_CENTRES.to_heatmap(points)), points)
    assert PIXEL_CENTRES.to_heatmap(np.array(-0.5)) == -0.5
    assert PIXEL_CENTRES.to_heatmap(np.array(287.5)) == 71.5


def test_flipping_an_encoded_pose_needs_no_shift():
    points = np.random.default_rng(1).uniform(4, 13, (1, 17, 2))
    present = np.ones((1, 17), bool)
    maps, _ = encode(points, present, (24, 18), 1.5)
    mirrored = points[:, POSETRACK18.flip_order].copy()
    mirrored[..., 0] = 17 - mirrored[..., 0]
    maps_of_mirrored, _ = encode(mirrored, present, (24, 18), 1.5)
    np.testing.assert_allclose(flip_back(maps_of_mirrored, POSETRACK18.flip_order), maps, atol=0.02)
