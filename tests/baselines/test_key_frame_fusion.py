"""The control with a temporal method's layers and a single frame."""

import pytest
import torch

from baselines.key_frame_fusion import KeyFrameFusion
from baselines.single_frame import SingleFrame
from baselines.temporal_concatenation import TemporalConcatenation
from tdmi.core.errors import UserError
from tdmi.models.hrnet import HRNet


def trunk() -> HRNet:
    torch.manual_seed(0)
    return HRNet(8, stages=2, modules=[1], blocks=1, stem_width=8, stem_blocks=1)


@pytest.mark.parametrize("start", ["single_frame", "paper"])
def test_has_the_weights_of_temporal_concatenation(start):
    one = KeyFrameFusion(trunk(), start=start, freeze_backbone=True)
    other = TemporalConcatenation(trunk(), start=start, freeze_backbone=True)
    shapes = [{name: p.shape for name, p in m.named_parameters()} for m in (one, other)]
    assert shapes[0] == shapes[1]


def test_equals_temporal_concatenation_of_a_still_video():
    one, other = KeyFrameFusion(trunk()).eval(), TemporalConcatenation(trunk()).eval()
    for parameter in one.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    other.load_state_dict(one.state_dict())
    frame = torch.randn(2, 1, 3, 64, 48)
    alone = one(frame, torch.zeros(2, 1, dtype=torch.long)).heatmaps
    still = other(frame.expand(-1, 5, -1, -1, -1), torch.arange(-2, 3).expand(2, -1)).heatmaps
    torch.testing.assert_close(alone, still)


def test_begins_as_the_single_frame_model():
    single, fusion = SingleFrame(trunk()).eval(), KeyFrameFusion(trunk()).eval()
    fusion.load_single_frame(single.state_dict())
    frame, offsets = torch.randn(2, 1, 3, 64, 48), torch.zeros(2, 1, dtype=torch.long)
    assert torch.equal(fusion(frame, offsets).heatmaps, single(frame, offsets).heatmaps)


def test_no_copies_are_refused():
    with pytest.raises(UserError, match="option copies: found 0, expected a whole number of at"):
        KeyFrameFusion(trunk(), copies=0)
