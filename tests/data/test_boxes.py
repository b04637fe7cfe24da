"""Boxes: numbers without a source are calculated by hand."""

import numpy as np
import pytest

from tdmi.data.boxes import box_of_joints, clip_to_frame, clip_to_last_pixel, extent, overlap


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 20, 30, 40), (10, 20, 29, 39)),  # inside: one pixel less
        ((-5, -6, 30, 40), (0, 0, 29, 39)),  # the width is kept, not the right edge
        ((90, 70, 30, 40), (90, 70, 9, 9)),  # cut at the last pixel, (99, 79)
        ((10, 20, 0.5, 40), (10, 20, 0, 39)),
        ((120, 20, 30, 40), (120, 20, -21, 39)),  # outside
        ((10.5, 20.25, 200, 200), (10.5, 20.25, 88.5, 58.75)),
    ],
)
def test_boxes_are_clipped_as_official_loaders_do(box, expected):
    clipped = clip_to_last_pixel(np.array([box], float), np.array([[100, 80]]))
    assert clipped[0].tolist() == list(expected)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((-5, -6, 30, 40), (0, 0, 25, 34)),
        ((90, 70, 30, 40), (90, 70, 10, 10)),
        ((120, 20, 30, 40), (99, 20, 1, 40)),  # outside: one pixel stays
    ],
)
def test_the_part_inside_the_frame_is_a_pixel_wide_at_least(box, expected):
    assert clip_to_frame(np.array(box, float), 100, 80).tolist() == list(expected)


def test_overlap_by_hand():
    one = np.array([[0.0, 0, 10, 10]])
    other = np.array([[5.0, 0, 10, 10], [20, 20, 5, 5], [0, 0, 10, 10]])
    np.testing.assert_allclose(overlap(one, other), [[1 / 3, 0, 1]])


def test_boxes_of_joints_are_their_extent_and_a_third_more():
    points = np.zeros((3, 4, 2))
    points[0, :2] = (10, 100), (49, 119)
    points[1, 0] = (np.nan, 3)
    points[2] = (7, 8)
    present = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], bool)
    boxes = box_of_joints(points, present)
    np.testing.assert_allclose(boxes[0], [10 - 0.15 * 39, 100 - 0.15 * 19, 1.3 * 39, 1.3 * 19])
    assert np.isnan(boxes[1]).all()
    np.testing.assert_allclose(boxes[2], [7, 8, 0, 0])
    np.testing.assert_allclose(extent(points, present)[0], [10, 100, 39, 19])
