"""Frames: damaged files and the bound of the cache."""

import cv2
import numpy as np
import pytest

from tdmi.clips.frames import FrameStore, read_frame
from tdmi.core.errors import UserError


def test_truncated_and_missing_frames_are_named(tmp_path):
    path = tmp_path / "000000.jpg"
    picture = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    assert cv2.imwrite(str(path), picture)
    assert read_frame(path).shape == (40, 50, 3)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"000000\.jpg: found a truncated picture"):
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
