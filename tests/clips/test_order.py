from itertools import pairwise

import cv2
import numpy as np
import pytest

from tdmi.clips.augmentation import Augmentation
from tdmi.clips.crops import crop_matrix, from_reduced, scale_of, transform
from tdmi.clips.frames import FrameStore, read_frame
from tdmi.clips.order import CLIP_FRAMES, POOL_CLIPS, SampleOrder, clip_order, interleaved
from tdmi.clips.samples import CropOptions, TrainingSamples, Windows
from tdmi.core.errors import UserError
from tests.clips.test_samples import moving_dots

VIDEOS, FRAMES, PEOPLE = 12, 40, 3


def labels():
    """Video and key frame of each person of a data set."""
    video = np.repeat(np.arange(VIDEOS), FRAMES * PEOPLE)
    frame = np.tile(np.repeat(np.arange(100, 100 + FRAMES), PEOPLE), VIDEOS)
    return video, frame


def decoded(order, keep):
    """Frames read for windows of five frames in this order, with room for `keep` in memory."""
    video, frame = labels()
    memory, reads = {}, 0
    for i in order:
        for k in range(-2, 3):
            name = (video[i], np.clip(frame[i] + k, 100, 99 + FRAMES))
            reads += name not in memory
            memory[name] = memory.pop(name, None)
            while len(memory) > keep:
                del memory[next(iter(memory))]
    return reads


def test_clip_order_visits_all_once_and_decodes_a_frame_about_once():
    video, frame = labels()
    keep = POOL_CLIPS * (CLIP_FRAMES + 4)
    order = clip_order(video, frame, np.random.default_rng(0))
    assert sorted(order) == list(range(len(video)))
    assert decoded(order, keep) < 1.5 * VIDEOS * FRAMES
    shuffled = SampleOrder().epoch(video, frame, 0, np.random.default_rng(0))
    assert decoded(shuffled, keep) > 5 * VIDEOS * FRAMES


def test_clip_order_mixes_videos_people_and_time():
    video, frame = labels()
    order = clip_order(video, frame, np.random.default_rng(0))
    batches = [order[i : i + 24] for i in range(0, len(order) - 24, 24)]
    assert np.mean([len(set(video[b])) for b in batches]) > 0.7 * POOL_CLIPS
    assert np.mean(np.diff(frame[order]) < 0) > 0.3  # not in the order of time
    other = clip_order(video, frame, np.random.default_rng(1))
    pairs = [set(pairwise(o)) for o in (order, other)]
    assert len(pairs[0] & pairs[1]) < 0.1 * len(order)


def test_lanes_take_turns_batch_by_batch_also_from_the_middle_of_a_batch():
    sequence = np.arange(20)
    lanes = interleaved(sequence, first=0, lanes=2, batch_size=3)
    assert lanes[:9].tolist() == [0, 1, 2, 11, 12, 13, 3, 4, 5]
    assert sorted(lanes) == sequence.tolist()
    assert interleaved(sequence, first=4, lanes=2, batch_size=3)[:5].tolist() == [9, 10, 0, 1, 2]
    np.testing.assert_array_equal(interleaved(sequence, 5, lanes=1, batch_size=3), sequence)


def test_each_worker_decodes_frames_of_its_own():
    video, frame = labels()
    order = SampleOrder("clips", lanes=2, batch_size=6)
    visited = order.epoch(video, frame, 0, np.random.default_rng(0)).reshape(-1, 2, 6)
    frames = [
        set(zip(video[v].flat, frame[v].flat, strict=True)) for v in (visited[:, 0], visited[:, 1])
    ]
    assert len(frames[0] & frames[1]) <= POOL_CLIPS * CLIP_FRAMES


def test_order_depends_on_seed_and_epoch_only(tmp_path):
    def samples(seed):
        windows = Windows(moving_dots(tmp_path), FrameStore(tmp_path), (0,), CropOptions((64, 48)))
        return TrainingSamples(windows, Augmentation(), seed, order=SampleOrder("clips", 2, 4))

    one, two = samples(0), samples(0)
    forwards = [one.person_at(p) for p in range(30)]
    assert [two.person_at(p) for p in reversed(range(30))] == forwards[::-1]
    assert [samples(1).person_at(p) for p in range(30)] != forwards
    for epoch in range(5):
        assert sorted(p for e, p in forwards if e == epoch) == list(range(6))


def test_a_batch_is_its_samples(tmp_path):
    windows = Windows(
        moving_dots(tmp_path), FrameStore(tmp_path), (-1, 0, 1), CropOptions((64, 48), 2.0)
    )
    samples = TrainingSamples(windows, Augmentation(), 0)
    batch = samples.batch([3, 9, 4])
    for i, position in enumerate((3, 9, 4)):
        one = samples[position]
        for name in ("frames", "offsets", "heatmaps", "weight"):
            np.testing.assert_array_equal(getattr(batch, name)[i], getattr(one, name))


def test_unknown_order_is_named():
    with pytest.raises(UserError, match=r"order.*'sorted'.*shuffled"):
        SampleOrder("sorted")


def smooth_picture(path):
    y, x = np.mgrid[:240, :320]
    waves = 128 + 60 * np.sin(x / 50) + 50 * np.cos(y / 36)
    cv2.imwrite(
        str(path),
        np.repeat(waves[..., None], 3, 2).astype(np.uint8),
        [cv2.IMWRITE_JPEG_QUALITY, 95],
    )


@pytest.mark.parametrize("reduction", [2, 4, 8])
def test_matrix_for_a_reduced_frame_hits_the_same_place(reduction):
    matrix = crop_matrix(np.array([150.0, 90.0]), 200.0, (96, 72), rotation=20, flip=True)
    small = np.array([[3.0, 4.0], [10.0, 2.0]])
    whole = (small + 0.5) * reduction - 0.5  # middle of the pixels that became one
    np.testing.assert_allclose(
        transform(small, from_reduced(matrix, reduction)), transform(whole, matrix)
    )
    assert scale_of(matrix) == pytest.approx(72 / 200)


def test_reduced_decoding_shows_the_same_crop(tmp_path):
    """On a smooth picture; bilinear sampling of either frame keeps its values."""
    smooth_picture(tmp_path / "0.jpg")
    labels = moving_dots(tmp_path, frames=1)
    labels.frame_file[0] = "0.jpg"
    crops = []
    for reduced in (False, True):
        crop = CropOptions((64, 48), reduced_decoding=reduced)
        store = FrameStore(tmp_path)
        for width in (150.0, 60.0):
            matrix = crop_matrix(np.array([160.0, 120.0]), width, crop.size, rotation=10)
            crops.append(Windows(labels, store, (0,), crop).cut(0, matrix)[0][0].astype(int))
        assert {r for _, r in store._frames} == ({1, 2} if reduced else {1})
    whole, near, reduced, near_reduced = crops
    inside = slice(4, -4), slice(4, -4)
    assert np.abs(whole - reduced)[inside].mean() < 0.6
    np.testing.assert_array_equal(near, near_reduced)


def test_reduced_size_is_rounded_up(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((45, 51, 3), np.uint8))
    assert read_frame(tmp_path / "a.jpg", 2).shape == (23, 26, 3)
    assert read_frame(tmp_path / "a.jpg", 4).shape == (12, 13, 3)
