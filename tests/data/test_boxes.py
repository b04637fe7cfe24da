"""Boxes of persons, by hand."""

import numpy as np

from tdmi.data.boxes import box_of_joints


def test_boxes_are_the_extent_enlarged_by_30_percent():
    keypoints = np.array([[[10, 20], [30, 120], [999, 999]], [[7, 8], [0, 0], [0, 0]]], float)
    present = np.array([[True, True, False], [True, False, False]])
    box = box_of_joints(keypoints, present)
    # Centre (20, 70), extent 20 x 100: 13 and 65 to each side.
    np.testing.assert_allclose(box, [[7, 5, 26, 130], [7, 8, 0, 0]], rtol=1e-15)
    keypoints[1, 0] = np.nan
    assert np.isnan(box_of_joints(keypoints, present)[1]).all()
    assert box_of_joints(np.zeros((0, 3, 2)), np.zeros((0, 3), bool)).shape == (0, 4)
