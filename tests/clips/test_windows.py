"""Which frames stand in for missing neighbours; the tables are written by hand."""

import cv2
import numpy as np
import pytest

from tdmi.clips.frames import FrameStore
from tdmi.clips.samples import Windows
from tdmi.clips.windows import WINDOW_ENDS, window_offsets
from tdmi.config.inputs import Crop
from tdmi.core.errors import UserError
from tdmi.data.annotations import select_frames
from tests.support import tiny_dataset

FIVE = (-2, -1, 0, 1, 2)


@pytest.mark.parametrize(
    ("key", "nearest_and_dcpose"),
    [
        (0, (0, 0, 0, 1, 2)),
        (1, (-1, -1, 0, 1, 2)),
        (2, (-2, -1, 0, 1, 2)),
        (3, (-2, -1, 0, 1, 1)),
        (4, (-2, -1, 0, 0, 0)),
    ],
)
def test_ends_of_a_gapless_video(key, nearest_and_dcpose):
    assert window_offsets(key, range(5), FIVE, "nearest") == nearest_and_dcpose
    assert window_offsets(key, range(5), FIVE, "dcpose") == nearest_and_dcpose


@pytest.mark.parametrize(
    ("key", "repeat_key", "nearest", "dcpose"),
    [
        # Frames 10, 11, 13, 14, 17: 12, 15 and 16 are missing in the middle.
        (10, (0, 0, 0, 1, 0), (0, 0, 0, 1, 1), (0, 0, 0, 1, 1)),
        (11, (-1, 0, 0, 2, 0), (-1, -1, 0, 2, 2), (-1, -1, 0, 0, 2)),
        (13, (-2, 0, 0, 1, 0), (-2, -2, 0, 1, 1), (-2, 0, 0, 1, 1)),
        (14, (-1, 0, 0, 0, 0), (-1, -1, 0, 3, 3), (-1, -1, 0, 0, 0)),
        (17, (0, 0, 0, 0, 0), (-3, -3, 0, 0, 0), (0, 0, 0, 0, 0)),
    ],
)
def test_frames_missing_in_the_middle_are_not_there(key, repeat_key, nearest, dcpose):
    numbers = [10, 11, 13, 14, 17]
    assert window_offsets(key, numbers, FIVE, "repeat_key") == repeat_key
    assert window_offsets(key, numbers, FIVE, "nearest") == nearest
    assert window_offsets(key, numbers, FIVE, "dcpose") == dcpose


def test_dcpose_takes_the_largest_allowed_distance_of_a_three_frame_window():
    wide = (-3, 0, 3)
    expected = {0: (0, 0, 3), 1: (-1, 0, 3), 2: (-2, 0, 3), 4: (-3, 0, 1), 5: (-3, 0, 0)}
    for key, offsets in expected.items():
        assert window_offsets(key, range(6), wide, "dcpose") == offsets
    assert window_offsets(1, range(6), wide, "repeat_key") == (0, 0, 3)


def test_of_two_equally_near_frames_the_one_nearer_to_the_key_frame_is_taken():
    assert window_offsets(5, [2, 4, 5], (-2, 0), "nearest") == (-1, 0)


def test_reflection_takes_the_other_side_and_then_the_key_frame():
    assert window_offsets(0, range(9), FIVE, "reflect") == (2, 1, 0, 1, 2)
    assert window_offsets(7, range(9), FIVE, "reflect") == (-2, -1, 0, 1, -2)
    assert window_offsets(1, [0, 1, 2, 5], FIVE, "reflect") == (0, -1, 0, 1, 0)


@pytest.mark.parametrize("ends", WINDOW_ENDS)
def test_sides_are_alike(ends):
    """Time reversed, a window is the same reversed, except that existing frames come first."""
    generator = np.random.default_rng(0)
    for _ in range(200):
        numbers = sorted(generator.choice(20, 9, replace=False).tolist())
        key = int(generator.choice(numbers))
        forwards = window_offsets(key, numbers, FIVE, ends)
        backwards = window_offsets(-key, [-n for n in numbers], FIVE, ends)
        assert sorted(forwards) == sorted(-k for k in backwards)
        assert forwards[2] == backwards[2] == 0
        assert all(key + k in numbers for k in forwards)


def windows_of(root, annotations, **crop):
    return Windows(annotations, FrameStore(root), FIVE, Crop((64, 48), 1.5, **crop))


def test_windows_are_cut_by_frame_numbers_not_positions(tmp_path):
    tiny_dataset.write(tmp_path)
    whole = tiny_dataset.annotations("test")
    gap = select_frames(whole, np.array([True, True, False, True, True]))
    assert gap.frame_number.tolist() == [0, 1, 3, 4]
    matrix = np.array([[1.0, 0, -50], [0, 1, -20]])
    frames, offsets = windows_of(tmp_path, gap, window_ends="nearest").crop_window(2, matrix)
    assert offsets.tolist() == [-2, -2, 0, 1, 1]
    for crop, number in zip(frames, [1, 1, 3, 4, 4], strict=True):
        picture = cv2.imread(str(tmp_path / whole.frame_file[number]))
        np.testing.assert_array_equal(crop, picture[20:84, 50:98])


def test_frames_with_the_same_number_are_refused(tmp_path):
    annotations = tiny_dataset.annotations("test")
    annotations.frame_number[3] = 1
    with pytest.raises(UserError, match=r"000001\.png and .*000003\.png both have frame number 1"):
        windows_of(tmp_path, annotations)
