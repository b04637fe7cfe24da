"""Crops: regions, matrices and warping against the official code and OpenCV."""

import cv2
import numpy as np
import pytest

from tdmi.clips.crops import (
    OFFICIAL,
    crop_matrices,
    crop_matrix,
    crop_regions,
    invert,
    transform,
    warp,
)
from tdmi.config.inputs import Crop
from tests.support.golden import FOLDER, processing, processing_cases


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


@pytest.mark.parametrize("geometry", ["pixel_centres", "official"])
def test_crops_for_prediction_are_upright_and_hold_the_enlarged_box(geometry):
    """Neither turned, moved, mirrored nor scaled: nothing of the augmentation."""
    crop = Crop((192, 144), box_enlargement=1.5, geometry=geometry)
    box = np.array([[30.0, 10.0, 40.0, 80.0]])  # becomes 60 x 80, then 90 x 120 about (50, 50)
    corners = np.array([[5.0, -10.0], [95.0, -10.0], [5.0, 110.0]])
    first = -0.5 if geometry == "pixel_centres" else 0.0
    expected = np.array([[first, first], [first + 144, first], [first, first + 192]])
    np.testing.assert_allclose(transform(corners, crop_matrices(box, crop)[0]), expected)
