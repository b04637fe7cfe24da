from itertools import pairwise

import numpy as np
import pytest

from tdmi.clips.frames import FrameStore
from tdmi.clips.order import CLIP_FRAMES, POOL_CLIPS, SampleOrder, clip_order, interleaved
from tdmi.clips.samples import TrainingSamples, Windows
from tdmi.config.inputs import Augmentation, Crop
from tests.support.moving_dots import moving_dots

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


@pytest.mark.parametrize("lanes", [2, 3])
def test_lanes_share_no_frame_but_those_of_the_pools_that_they_are_cut_in(lanes):
    """A lane is a run of whole pools, except for the two pools at its ends."""
    video, frame = labels()
    sequence = clip_order(video, frame, np.random.default_rng(0))
    order = SampleOrder("clips", lanes, batch_size=6)
    visited = order.epoch(video, frame, 0, np.random.default_rng(0)).reshape(-1, lanes, 6)
    length = len(sequence) // lanes
    for lane in range(lanes):
        part = sequence[lane * length : (lane + 1) * length]
        np.testing.assert_array_equal(visited[:, lane].ravel(), part)
    keys = list(zip(video[sequence].tolist(), frame[sequence].tolist(), strict=True))
    for cut in range(length, len(keys), length):
        shared = set(keys[:cut]) & set(keys[cut:])
        # All that both sides have comes from one pool, the samples around the cut.
        first = min(keys.index(key) for key in shared)
        last = max(len(keys) - 1 - keys[::-1].index(key) for key in shared)
        assert last - first < POOL_CLIPS * CLIP_FRAMES * PEOPLE
    assert len(set(keys)) == VIDEOS * FRAMES


def test_order_depends_on_seed_and_epoch_only(tmp_path):
    def samples(seed):
        windows = Windows(moving_dots(tmp_path), FrameStore(tmp_path), (0,), Crop((64, 48)))
        return TrainingSamples(windows, Augmentation(), seed, order=SampleOrder("clips", 2, 4))

    one, two = samples(0), samples(0)
    forwards = [one.person_at(p) for p in range(30)]
    assert [two.person_at(p) for p in reversed(range(30))] == forwards[::-1]
    assert [samples(1).person_at(p) for p in range(30)] != forwards
    for epoch in range(5):
        assert sorted(p for e, p in forwards if e == epoch) == list(range(6))


def test_a_batch_is_its_samples(tmp_path):
    windows = Windows(moving_dots(tmp_path), FrameStore(tmp_path), (-1, 0, 1), Crop((64, 48), 2.0))
    samples = TrainingSamples(windows, Augmentation(), 0)
    batch = samples.batch([3, 9, 4])
    for i, position in enumerate((3, 9, 4)):
        one = samples[position]
        for name in ("frames", "offsets", "heatmaps", "weight"):
            np.testing.assert_array_equal(getattr(batch, name)[i], getattr(one, name))
