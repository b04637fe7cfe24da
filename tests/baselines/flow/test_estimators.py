"""Estimators of OpenCV on images whose motion is known."""

import numpy as np
import pytest
import torch

from baselines.flow.estimators import DISFlow, FarnebackFlow, denormalised, grey
from tdmi.core.errors import UserError
from tests.support.flow_scenes import normalised, scene

ESTIMATORS = {
    "dis ultrafast": DISFlow("ultrafast"),
    "dis fast": DISFlow("fast"),
    "dis medium": DISFlow(),
    "farneback": FarnebackFlow(),
}


def test_grey_images_by_hand():
    images = torch.zeros(2, 3, 1, 2)
    images[0, 0] = 1
    images[1] = 1.5  # brighter than white
    assert grey(images).tolist() == [[[76, 76]], [[255, 255]]]  # 0.299 * 255


def test_normalisation_is_undone():
    images = torch.rand(2, 4, 3, 5, 6)
    torch.testing.assert_close(denormalised(normalised(images)), images)


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("shift", [(3, -2), (-4, 5), (0, 3), (0.5, 0), (-1.25, 2.75)])
def test_translation_is_found(name, shift):
    """The usual end-point error: half the inner pixels within 0.05 px, 0.3 px for the fast."""
    flow = ESTIMATORS[name](scene()[None], scene(shift)[None])
    assert flow.shape == (1, 2, 96, 72) and flow.dtype == torch.float32
    error = (flow[0, :, 12:-12, 12:-12] - torch.tensor(shift).view(2, 1, 1)).norm(dim=0)
    assert error.median() < (0.05 if name in ("dis medium", "farneback") else 0.3)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_identical_images_do_not_move(name):
    """Farnebäck's stays below a tenth of a pixel at the borders of flat parts."""
    image = scene()[None]
    assert ESTIMATORS[name](image, image).abs().max() < (0.1 if name == "farneback" else 1e-3)
    blank = torch.full_like(image, 0.5)
    assert ESTIMATORS[name](blank, blank).abs().max() < 1e-3


@pytest.mark.parametrize("name", ESTIMATORS)
def test_pairs_of_a_batch_do_not_touch_each_other(name):
    first = torch.stack([scene(seed=i, height=48, width=36) for i in range(3)])
    second = torch.stack([scene((i, 1), seed=i, height=48, width=36) for i in range(3)])
    together = ESTIMATORS[name](first, second)
    alone = [ESTIMATORS[name](first[i : i + 1], second[i : i + 1]) for i in (2, 0, 1)]
    assert torch.equal(together[[2, 0, 1]], torch.cat(alone))


@pytest.mark.parametrize("size", [(96, 72), (48, 36), (64, 48)])
def test_dis_is_repeatable(size):
    """A used OpenCV object is not: that is why every pair gets a new one."""
    images = torch.from_numpy(np.random.default_rng(0).random((4, 1, 3, *size), np.float32))
    estimator = DISFlow("fast")
    first = estimator(images[0], images[1])
    estimator(images[2], images[3])
    assert torch.equal(estimator(images[0], images[1]), first)


@pytest.mark.parametrize("size", [(31, 48), (48, 31), (8, 800)])
def test_dis_refuses_small_crops(size):
    with pytest.raises(UserError) as error:
        DISFlow()(torch.zeros(1, 3, *size), torch.zeros(1, 3, *size))
    message = str(error.value)
    assert f"found crops of {size[0]}x{size[1]} px, expected at least 32 px" in message
    assert "\n" not in message


@pytest.mark.parametrize("size", [(32, 32), (32, 640)])
def test_dis_takes_the_smallest_size(size):
    images = torch.rand(2, 1, 3, *size)
    assert DISFlow("ultrafast")(images[0], images[1]).shape == (1, 2, *size)


def test_farneback_takes_any_size():
    images = torch.rand(2, 1, 3, 4, 3)
    assert FarnebackFlow()(images[0], images[1]).isfinite().all()
