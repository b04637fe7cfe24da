"""Folding batch norms changes no number beyond rounding, and nothing of the model given."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from baselines.dcpose import DCPose
from baselines.single_frame import SingleFrame
from tdmi.config.inference import Inference
from tdmi.core.errors import UserError
from tdmi.experiments.build import read_split, split_windows
from tdmi.models.folding import folded
from tdmi.models.method import PoseMethod
from tdmi.models.resnet import PoseResNet
from tdmi.prediction import predict as inference
from tdmi.prediction.predict import ground_truth_boxes, predict
from tests.support import tiny_dataset
from tests.support.methods import (
    METHODS,
    TEMPORAL,
    build,
    bytes_of,
    clip,
    move_weights,
    small_hrnet,
)


def norms(module: nn.Module) -> list[nn.Module]:
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]


def varied_method(name: str, **options) -> PoseMethod:
    return varied(build(name, **options))


def varied(method: PoseMethod) -> PoseMethod:
    """Away from zeros and ones, so that every weight and statistic counts."""
    move_weights(method)
    for norm in norms(method):
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.5, 2)
    return method.eval()


@pytest.mark.parametrize("start", ["single_frame", "paper"])
@pytest.mark.parametrize("name", [name for name in METHODS if name != "tdmi_review"])
def test_folded_methods_equal_the_original(name, start):
    """float32: no further from exact than the original is, where that is more than 1e-5 of the
    deviation (random offsets of deformable convolutions magnify rounding, and with the unbounded
    masks of `tdmi_review`, which has the layers of `tdmi_st`, without limit)."""
    method = varied_method(name, **({"start": start} if name in TEMPORAL else {}))
    frames, offsets = clip(method)
    fast, fast_exact = folded(method), folded(copy.deepcopy(method).double())
    assert norms(method) and not norms(fast)
    with torch.no_grad():
        single = [m(frames, offsets).heatmaps.double() for m in (method, fast)]
        exact = method.double()(frames.double(), offsets).heatmaps
        found = fast_exact(frames.double(), offsets).heatmaps
    own, changed = (float((x - exact).abs().max() / exact.std()) for x in single)
    assert changed <= max(1e-5, 4 * own)
    assert float((found - exact).abs().max() / exact.std()) <= 1e-12


def test_transposed_convolutions_are_folded():
    torch.manual_seed(0)
    method = varied(SingleFrame(PoseResNet(50, width=4))).double()
    frames = torch.randn(1, 1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        wanted = method(frames, torch.zeros(1, 1)).heatmaps
        found = folded(method)(frames, torch.zeros(1, 1)).heatmaps
    assert float((found - wanted).abs().max()) <= 1e-12 * float(wanted.std())


def test_the_method_given_stays_as_it_is():
    method = varied_method("dcpose").train()
    before = bytes_of(method)
    fast = folded(method)
    assert method.training and not fast.training
    assert bytes_of(method) == before
    assert isinstance(fast, DCPose)
    assert not any(p.requires_grad for p in fast.parameters())
    assert not {p.data_ptr() for p in fast.parameters()} & {
        p.data_ptr() for p in method.parameters()
    }


def test_memory_layout_is_kept():
    method = varied_method("single_frame").to(memory_format=torch.channels_last)
    weight = folded(method).backbone.layer1[0].conv2.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_folding_within_inference_mode_gives_a_method_that_works():
    """PoseWarper reads the versions of its weights, which tensors of inference mode do not have."""
    method = varied_method("posewarper")
    frames, offsets = clip(method)
    with torch.inference_mode():
        wanted = method(frames, offsets).heatmaps
        fast = folded(method)
        found = fast(frames, offsets).heatmaps
    assert not any(value.is_inference() for value in fast.state_dict().values())
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5 * float(wanted.std()))


def test_prediction_folds_if_asked(tmp_path, monkeypatch):
    tiny_dataset.write(tmp_path)
    settings = tiny_dataset.settings(tmp_path)
    windows = split_windows(
        tiny_dataset.typed(settings), read_split(tiny_dataset.typed(settings), "test"), (0,)
    )
    boxes = ground_truth_boxes(windows.annotations)
    torch.manual_seed(0)
    method = varied(SingleFrame(small_hrnet(), 17))
    used = []
    monkeypatch.setattr(inference, "folded", lambda m: used.append(folded(m)) or used[-1])
    plain, fast = (
        predict(method, windows, boxes, Inference(blur_kernel=3, fold_norms=fold))
        for fold in (False, True)
    )
    assert len(used) == 1 and norms(method)
    np.testing.assert_allclose(fast.joint_score, plain.joint_score, rtol=1e-4)
    assert plain.joint_score.std() > 0


@pytest.mark.parametrize("before", [[], [nn.Conv2d(4, 4, 1), nn.ReLU()]])
def test_a_norm_without_its_convolution_is_refused(before):
    method = varied_method("single_frame")
    method.tail = nn.Sequential(*before, nn.BatchNorm2d(4))
    with pytest.raises(UserError, match=rf"SingleFrame has the norm tail\.{len(before)}"):
        folded(method)
