"""What the three flow methods make of known flow."""

import math

import pytest
import torch

from baselines.flow_fusion import FlowFusion, similarity_weights
from baselines.flow_motion import FlowMotion
from baselines.flow_pooling import FlowPooling
from tdmi.core.errors import UserError
from tdmi.models.hrnet import HRNet
from tests.support.flow_scenes import known_flow


def trunk() -> HRNet:
    return HRNet(8, 2, modules=(1,), blocks=1, stem_width=8, stem_blocks=1)


def with_features(method, features: torch.Tensor):
    """The method, its backbone replaced by given maps."""
    method.features = lambda frames: [features]
    return method.eval()


def half_hidden(first, second):
    """No flow, except that in the right half the flow back does not return."""
    flow = torch.zeros(len(first), 2, *first.shape[-2:])
    half_hidden.calls += 1
    if half_hidden.calls % 2 == 0:
        flow[..., first.shape[-1] // 2 :] = 5
    return flow


@pytest.fixture(autouse=True)
def first_call():
    half_hidden.calls = 0


@pytest.mark.parametrize("pooling", ["mean", "max", "learned"])
def test_pooling_by_hand(pooling):
    method = FlowPooling(trunk(), 2, window=(-1, 0, 1), pooling=pooling)
    maps = torch.tensor([[1.0, 2.0], [3.0, 1.0], [2.0, 9.0]]).view(1, 3, 2, 1, 1)
    if pooling == "learned":
        with torch.no_grad():
            method.weights.copy_(torch.tensor([[0.0, 1.0, 2.0], [1.0, -1.0, 0.5]]))
    wanted = {"mean": [2.0, 4.0], "max": [3.0, 9.0], "learned": [7.0, 5.5]}[pooling]
    assert method._pool(maps).flatten().tolist() == wanted


def test_pooling_weights_begin_as_documented():
    assert FlowPooling(trunk()).weights.shape == (17, 5)
    assert FlowPooling(trunk()).weights[3].tolist() == [0, 0, 1, 0, 0]
    torch.testing.assert_close(
        FlowPooling(trunk(), start="paper").weights[16], torch.tensor([0.1, 0.25, 0.3, 0.25, 0.1])
    )


def test_pooling_takes_the_key_frame_where_a_neighbour_hides_it():
    features = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1, 1).expand(1, 2, 8, 4, 4)
    flow = {"estimator": half_hidden, "occlusion": True}
    method = with_features(
        FlowPooling(trunk(), 1, window=(0, 1), pooling="mean", flow=flow), features
    )
    torch.nn.init.constant_(method.head.weight, 1 / 8)
    pooled = method(torch.rand(1, 2, 3, 16, 16), torch.tensor([[0, 1]])).heatmaps
    torch.testing.assert_close(pooled[0, 0, 2], torch.tensor([2.0, 2.0, 1.0, 1.0]))


def test_similarity_weights_by_hand():
    """Cosines with the key frame: 1 (itself), 0, -1, and 0.6 for a vector of another length."""
    embedded = torch.tensor([[2.0, 0.0], [0.0, 5.0], [-1.0, 0.0], [3.0, 4.0]]).view(1, 4, 2, 1, 1)
    terms = [math.exp(c) for c in (1, 0, -1, 0.6)]
    weights = similarity_weights(embedded, key=0)
    assert weights.shape == (1, 4, 1, 1, 1)
    torch.testing.assert_close(weights.flatten(), torch.tensor([t / sum(terms) for t in terms]))
    visible = torch.tensor([1, 0.5, 0, 1]).view(1, 4, 1, 1, 1)
    terms = [terms[0], terms[1] / 2, 0, terms[3]]
    torch.testing.assert_close(
        similarity_weights(embedded, 0, visible).flatten(),
        torch.tensor([t / sum(terms) for t in terms]),
    )


def test_every_place_has_its_own_weights():
    embedded = torch.zeros(1, 2, 2, 1, 2)
    embedded[0, 0, 0] = 1
    embedded[0, 1, 0, 0, 0] = embedded[0, 1, 1, 0, 1] = 1  # equal on the left, across on the right
    weights = similarity_weights(embedded, key=0)[0, 1, 0, 0]
    torch.testing.assert_close(weights, torch.tensor([0.5, 1 / (1 + math.e)]))


@pytest.mark.parametrize("occlusion", [False, True])
def test_fusion_of_moved_features_is_fusion_of_the_key_frame(occlusion):
    """Features that moved exactly along the flow average to the key frame's."""
    key = torch.rand(1, 8, 12, 9, generator=torch.Generator().manual_seed(0))
    before, after = key.roll((1, 0), dims=(2, 3)), key.roll((-1, 2), dims=(2, 3))
    back = iter([known_flow((0, 4), (8, -4)), known_flow((0, -4), (-8, 4))])
    flow = {"estimator": lambda a, b: next(back)(a, b), "occlusion": occlusion}
    torch.manual_seed(0)
    method = FlowFusion(trunk(), 3, window=(-1, 0, 1), flow=flow, start="paper")
    with torch.no_grad():
        for parameter in method.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    got = []
    method.blocks.register_forward_hook(lambda module, inputs, output: got.append(inputs[0]))
    with_features(method, torch.stack([before, key, after], dim=1))
    with torch.no_grad():
        heatmaps = method(torch.rand(1, 3, 3, 48, 36), torch.tensor([[-1, 0, 1]])).heatmaps
    inner = (..., slice(1, -1), slice(0, -2))
    torch.testing.assert_close(got[0][inner], key[inner], rtol=0, atol=1e-5)
    if occlusion:  # what leaves the image has no weight
        torch.testing.assert_close(got[0], key, rtol=0, atol=1e-5)
        wanted = method.paper_head(method.blocks(key))
        torch.testing.assert_close(heatmaps, wanted, rtol=1e-4, atol=1e-4)
    else:
        assert (got[0] - key).abs().max() > 0.05


def test_fusion_gives_hidden_places_no_weight():
    features = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1, 1).expand(1, 2, 8, 4, 4)
    flow = {"estimator": half_hidden, "occlusion": True}
    method = with_features(FlowFusion(trunk(), 1, window=(0, 1), flow=flow), features)
    for parameter in method.embedding.parameters():
        torch.nn.init.constant_(parameter, 0.1)  # parallel embeddings: equal weights
    got = []
    method.blocks.register_forward_hook(lambda module, inputs, output: got.append(inputs[0]))
    method(torch.rand(1, 2, 3, 16, 16), torch.tensor([[0, 1]]))
    torch.testing.assert_close(
        got[0][0, 0, 2], torch.tensor([2.0, 2.0, 1.0, 1.0]), rtol=0, atol=1e-3
    )


def flow_read_by(method: FlowMotion, offsets) -> torch.Tensor:
    got = []
    method.encoder.register_forward_hook(
        lambda module, inputs, output: got.append((inputs, output))
    )
    method.eval()(torch.rand(1, len(method.window), 3, 64, 48), torch.tensor([offsets]))
    (((flow,), motion),) = got
    assert motion.shape == (1, 8, 16, 12)
    return flow


def test_motion_stacks_the_flows_in_the_order_of_time():
    flow = {"estimator": known_flow((1, 2), (3, 4), (5, 6))}
    method = FlowMotion(trunk(), 2, window=(-2, -1, 0, 1), flow=flow)
    read = flow_read_by(method, [-2, -1, 0, 1])
    assert read.shape == (1, 6, 64, 48)
    assert read[0, :, 7, 9].tolist() == [1, 2, 3, 4, 5, 6]
    assert flow_read_by(method, [-2, 0, 0, 1])[0, :, 7, 9].tolist() == [1, 2, 0, 0, 3, 4]


def test_motion_is_zero_where_the_neighbour_hides_the_pixel():
    calls = iter([known_flow((2, 1)), known_flow((2, 1))])  # the way back is not the way
    flow = {"estimator": lambda a, b: next(calls)(a, b), "occlusion": True}
    assert not flow_read_by(FlowMotion(trunk(), 2, window=(0, 1), flow=flow), [0, 1]).any()


def test_motion_reads_only_flow_from_the_neighbours():
    method = FlowMotion(trunk(), 2, window=(-1, 0, 1), start="paper")
    method.flow.estimator = known_flow((1, 2), (3, 4))
    frames, offsets = torch.rand(1, 3, 3, 64, 48), torch.tensor([[-1, 0, 1]])
    with torch.no_grad():
        before = method.eval()(frames, offsets).heatmaps
        frames[:, [0, 2]] = torch.rand(1, 2, 3, 64, 48)
        assert torch.equal(method(frames, offsets).heatmaps, before)


def test_motion_needs_a_neighbour():
    with pytest.raises(UserError, match=r"option window: found 1 frame, expected 2 or more"):
        FlowMotion(trunk(), window=(0,))


@pytest.mark.parametrize("cls", [FlowPooling, FlowFusion, FlowMotion])
def test_a_video_of_one_frame_and_identical_frames(cls):
    """Neither has motion: a window without neighbours equals one of copies of the key frame."""
    torch.manual_seed(0)
    method = cls(trunk(), 2, start="paper").eval()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    frames = torch.rand(1, 1, 3, 64, 48).repeat(1, 5, 1, 1, 1)
    with torch.no_grad():
        alone = method(frames, torch.zeros(1, 5)).heatmaps
        copies = method(frames, torch.tensor([[-2, -1, 0, 1, 2]])).heatmaps
    assert alone.std() > 0
    torch.testing.assert_close(copies, alone, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("cls", [FlowFusion, FlowMotion])
def test_paper_start_leaves_the_single_frame_head_alone(cls):
    method = cls(trunk(), 2, start="paper")
    method(torch.rand(1, 5, 3, 64, 48), torch.tensor([method.window])).heatmaps.sum().backward()
    assert method.head.weight.grad is None
    assert method.paper_head.weight.grad.abs().sum() > 0
